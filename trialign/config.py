"""One checked, typed configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from trialign.audit.run import AuditConfig
from trialign.config_keys import check_keys
from trialign.environment import EnvironmentConfig, PromptConfig
from trialign.errors import UserError
from trialign.models import ModelConfig
from trialign.objectives.config import ObjectiveConfig
from trialign.policy import AdapterConfig
from trialign.queries import Kind
from trialign.queries.sources import SourceConfig
from trialign.scoring import Scoring
from trialign.training.deepspeed import ShardingConfig
from trialign.training.module import OptimizerConfig
from trialign.trajectories.collection import CollectConfig
from trialign.trajectories.served import RolloutConfig

EMBEDDED = "embedded:"
Strategy = Literal["auto", "ddp", "zero1", "zero2", "zero3"]


@dataclass(frozen=True)
class DataConfig:
    """The questions.

    Attributes:
        name: under which audits are filed.
        files: question files in the native schema (JSONL or Parquet; ``embedded:NAME`` is a file of the package), and
            sources of foreign rows.
        folder: where relative paths of files begin; the working folder when not given.
        encoding: of the text files of sources that name none themselves; None: found out.
        limit: clusters of each kind and split that are kept, the first ones; None: all. For trying things out.
    """

    name: str
    files: tuple[str | SourceConfig, ...]
    folder: str = "."
    encoding: str | None = None
    limit: int | None = None

    @property
    def located(self) -> list[Path | SourceConfig]:
        """The files and sources, with their paths as the system finds them."""
        return [_located(file, Path(self.folder), self.encoding) for file in self.files]


@dataclass(frozen=True)
class TrainerConfig:
    """The loop.

    Attributes:
        accelerator: ``cpu``, ``gpu`` or ``auto``.
        devices: processes on each machine.
        nodes: machines.
        strategy: how several processes share the work: ``ddp`` (``auto`` with more than one), or DeepSpeed's ``zero1``
            (shares the optimizer's state), ``zero2`` (the gradients too) and ``zero3`` (the weights too).
        sharding: of the ``zero`` strategies.
        precision: of the forward pass, as Lightning names it.
        activation_checkpointing: a layer keeps its input alone and is computed again in the backward pass.
        steps: optimizer steps.
        queries_per_step: episodes in one optimizer step, over all devices and micro-batches.
        visits: how often one pass through the data visits the questions of a kind; once where not named.
        micro_batches: forward and backward passes in one optimizer step on each device.
        gradient_clip: largest norm of the gradient; 0 turns clipping off.
        validate_every: optimizer steps between two validations; 0 turns validation off.
        agents_every: optimizer steps between two agent checkpoints; 0 writes the last one only.
        resume_every: optimizer steps between two resumable states.
    """

    accelerator: Literal["cpu", "gpu", "auto"] = "cpu"
    devices: int = 1
    nodes: int = 1
    strategy: Strategy = "auto"
    sharding: ShardingConfig = field(default_factory=ShardingConfig)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    activation_checkpointing: bool = False
    steps: int = 100
    queries_per_step: int = 4
    visits: dict[Kind, int] = field(default_factory=dict)
    micro_batches: int = 1
    gradient_clip: float = 1.0
    validate_every: int = 50
    agents_every: int = 0
    resume_every: int = 25

    @property
    def ranks(self) -> int:
        """Processes on all machines."""
        return self.devices * self.nodes


@dataclass(frozen=True)
class RunConfig:
    """Everything that a run depends on.

    Attributes:
        name: of the run's folder.
        runs: folder of all runs.
        seed: of adapters, data and order.
        groups: the social groups, as ``conf/groups`` states them.
        scoring: how options become a distribution; recorded in every audit.
    """

    name: str
    runs: str
    seed: int
    model: ModelConfig
    groups: dict[str, Any]
    data: DataConfig
    prompt: PromptConfig = field(default_factory=PromptConfig)
    scoring: Scoring = field(default_factory=Scoring)
    environment: EnvironmentConfig = field(default_factory=EnvironmentConfig)
    collect: CollectConfig = field(default_factory=CollectConfig)
    rollouts: RolloutConfig = field(default_factory=RolloutConfig)
    policy: AdapterConfig = field(default_factory=AdapterConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)


def load(composed: Mapping[str, Any]) -> RunConfig:
    """Checks a composed configuration against its types.

    Raises:
        UserError: an unknown or missing key, or a value of the wrong type; names the key.
    """
    from pydantic import TypeAdapter, ValidationError

    check_keys(composed, RunConfig, "")
    try:
        config: RunConfig = TypeAdapter(RunConfig).validate_python(composed)
    except ValidationError as error:
        # Of the alternatives that a value may be, the one that fits furthest tells what is wrong with it.
        fault = max(error.errors(), key=lambda fault: len(fault["loc"]))
        key = _dotted(fault["loc"], composed)
        if fault["type"] == "missing":
            missing = f"{key}.{fault['loc'][-1]}".lstrip(".")
            raise UserError(
                f"The config key {missing} is missing",
                "Set it"
                if key.startswith("data.files")
                else "Set it, or begin with 'defaults: [base, _self_]', which sets all",
            ) from error
        remedy = "Correct this value" + ("; YAML reads ~ alone as nothing" if fault["input"] is None else "")
        if isinstance(fault["input"], bool) and fault["type"] == "string_type":
            remedy = "Put it in quotes: YAML reads Yes, No, on and off as true and false"
        raise UserError(f"The config key {key} is wrong: {fault['msg']} (got {fault['input']!r})", remedy) from error
    _check_values(config)
    return config


def _located(file: str | SourceConfig, folder: Path, encoding: str | None) -> Path | SourceConfig:
    if isinstance(file, SourceConfig):
        path, beside = (name and str(folder / name) for name in (file.path, file.beside))
        return dataclasses.replace(
            file, path=path, beside=beside, encoding=file.encoding or (encoding if path else None)
        )
    if file.startswith(EMBEDDED):
        return Path(str(files("trialign"))) / "data" / file.removeprefix(EMBEDDED)
    return folder / file


def _dotted(location: Sequence[int | str], composed: Mapping[str, Any]) -> str:
    """The key of a fault as a user writes it: without the names of types that pydantic puts between."""
    parts, value = [], composed
    for part in location:
        try:
            value = value[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            continue
        parts.append(str(part))
    return ".".join(parts)


def _limits(config: RunConfig) -> list[tuple[str, float, float, float]]:
    """Numbers with the smallest and the largest value that they may have: (key, value, smallest, largest)."""
    trainer, welfare, endpoint = config.trainer, config.objective.welfare, config.model.endpoint
    return [
        ("seed", config.seed, 0, 2**32 - 1),
        ("trainer.devices", trainer.devices, 1, 4096),
        ("trainer.nodes", trainer.nodes, 1, 4096),
        ("trainer.sharding.whole_below", trainer.sharding.whole_below, 0, 10**12),
        ("trainer.sharding.bucket", trainer.sharding.bucket, 1, 10**12),
        ("trainer.steps", trainer.steps, 1, 10**9),
        ("trainer.micro_batches", trainer.micro_batches, 1, 10**6),
        ("trainer.queries_per_step", trainer.queries_per_step, 1, 10**6),
        ("trainer.gradient_clip", trainer.gradient_clip, 0, 1e9),
        ("trainer.validate_every", trainer.validate_every, 0, 10**9),
        ("trainer.agents_every", trainer.agents_every, 0, 10**9),
        ("trainer.resume_every", trainer.resume_every, 1, 10**9),
        ("collect.samples", config.collect.samples, 1, 1000),
        ("collect.queries_per_part", config.collect.queries_per_part, 1, 10**6),
        ("collect.max_new_tokens", config.collect.max_new_tokens, 1, 10**6),
        ("rollouts.concurrent_requests", config.rollouts.concurrent_requests, 1, 1000),
        ("rollouts.attempts", config.rollouts.attempts, 1, 100),
        ("rollouts.timeout", config.rollouts.timeout, 0.1, 1e5),
        ("rollouts.tolerance", config.rollouts.tolerance, 1e-4, 1e3),
        ("audit.wordings", config.audit.wordings, 1, 1000),
        ("audit.max_new_tokens", config.audit.max_new_tokens, 1, 10**6),
        ("audit.queries_per_batch", config.audit.queries_per_batch, 1, 10**6),
        ("audit.delta", config.audit.delta, 0.001, 1),
        ("audit.most_different", config.audit.most_different, 0, 1),
        ("audit.least_right", config.audit.least_right, 0, 1),
        ("audit.most_wrong_together", config.audit.most_wrong_together, 0, 1),
        ("audit.alpha", config.audit.alpha, 1e-6, 0.5),
        ("audit.most_unread", config.audit.most_unread, 0, 0.5),
        ("environment.turns", config.environment.turns, 0, 100),
        ("environment.revision_share", config.environment.revision_share, 0, 1),
        ("policy.rank", config.policy.rank, 1, 4096),
        ("policy.alpha", config.policy.alpha, 1, 10**6),
        ("policy.lower_cache_mb", config.policy.lower_cache_mb, 0, 10**9),
        ("objective.kl_weight", config.objective.kl_weight, 0, 1e6),
        ("objective.inconsistency.weight", config.objective.inconsistency.weight, 0, 1e6),
        ("objective.inconsistency.anchor", config.objective.inconsistency.anchor, 1e-6, 1 - 1e-6),
        ("objective.turns", 1 if config.objective.turns is None else config.objective.turns, 1, 101),
        ("objective.welfare.epsilon", welfare.epsilon, 1e-6, 1),
        ("objective.welfare.decay", welfare.decay, 0, 1),
        ("objective.welfare.smallest", welfare.smallest, 0, 1e6),
        ("objective.welfare.largest", welfare.largest, welfare.smallest, 1e6),
        ("objective.welfare.power", welfare.power, -100, 1),
        ("objective.pairs.beta", config.objective.pairs.beta, 1e-6, 1e6),
        ("objective.pairs.group_step", config.objective.pairs.group_step, 0, 1e6),
        ("objective.welfare.truth", welfare.truth, 0, 1e6),
        ("objective.welfare.preference", welfare.preference, 0, 1e6),
        ("objective.awr.largest", config.objective.awr.largest, 1e-6, 1e6),
        ("objective.awr.importance", config.objective.awr.importance, 1e-6, 1e6),
        ("objective.awr.temperature", config.objective.awr.temperature, 1e-6, 1e6),
        ("collect.temperature", config.collect.temperature, 1e-6, 1e6),
        ("scoring.temperature", config.scoring.temperature, 1e-6, 1e6),
        ("optimizer.learning_rate", config.optimizer.learning_rate, 0, 1e3),
        ("optimizer.warmup_steps", config.optimizer.warmup_steps, 0, 10**9),
        ("optimizer.weight_decay", config.optimizer.weight_decay, 0, 1e3),
        ("model.endpoint.repeats", endpoint.repeats, 1, 1000),
        ("model.endpoint.temperature", endpoint.temperature or 0, 0, 2),
        ("model.endpoint.concurrent_requests", endpoint.concurrent_requests, 1, 1000),
        ("model.endpoint.requests_per_minute", endpoint.requests_per_minute, 0, 1e6),
        ("model.endpoint.attempts", endpoint.attempts, 1, 100),
        ("model.endpoint.timeout", endpoint.timeout, 0.1, 1e5),
        ("model.endpoint.longest_wait", endpoint.longest_wait, 0, 1e6),
    ]


def _check_values(config: RunConfig) -> None:
    trainer = config.trainer
    share = trainer.ranks * trainer.micro_batches
    for key, value, low, high in _limits(config):
        if not low <= value <= high:
            raise UserError(f"The config key {key} is {value}", f"Set it between {low:g} and {high:g}")
    if trainer.strategy.startswith("zero") and config.model.dtype == "float64":
        raise UserError(
            f"model.dtype is float64, and DeepSpeed ({trainer.strategy}) keeps the trained weights in float32",
            "Set trainer.strategy=ddp, or another model.dtype",
        )
    if config.data.limit is not None and config.data.limit < 1:
        raise UserError(f"The config key data.limit is {config.data.limit}", "Set it to 1 or more, or to null")
    for kind, times in trainer.visits.items():
        if times < 1:
            raise UserError(f"The config key trainer.visits.{kind} is {times}", "Set it to 1 or more")
    if trainer.queries_per_step % share:
        raise UserError(
            f"trainer.queries_per_step is {trainer.queries_per_step}, which {trainer.ranks} devices with "
            f"{trainer.micro_batches} micro-batches cannot share evenly",
            f"Set it to a multiple of {share}",
        )
    if config.policy.activation == "profile" and config.prompt.profile == "first":
        raise UserError(
            "policy.activation is profile, and the profile stands before the question",
            "Set prompt.profile=last",
        )
    if config.policy.activation == "profile" and trainer.strategy.startswith("zero"):
        raise UserError(
            f"policy.activation is profile, which DeepSpeed ({trainer.strategy}) has not been shown to train",
            "Set trainer.strategy=ddp, or policy.activation=always",
        )
    if config.prompt.profile == "last" and "implicit" in (*config.collect.exposures, *config.audit.exposures):
        raise UserError(
            "prompt.profile is last, and an implicit profile is dialogue before the question",
            "Leave implicit out of collect.exposures and audit.exposures, or set prompt.profile=first",
        )
    objective = config.objective
    if objective.update == "likelihood" and objective.imitate == "unprofiled" and "preference" in objective.kinds:
        raise UserError(
            "objective.imitate is unprofiled, and a question of taste has no answer without a profile",
            "Leave preference out of objective.kinds",
        )
    for key, exposures in (
        ("collect.exposures", config.collect.exposures),
        ("audit.exposures", config.audit.exposures),
    ):
        if not exposures or len(set(exposures)) < len(exposures):
            raise UserError(f"The config key {key} is {list(exposures)}", "Name one or both of: explicit, implicit")
    for key, name in (("name", config.name), ("data.name", config.data.name)):
        if not name or any(part in name for part in ("/", "\\", "\0")) or name.startswith("."):
            raise UserError(f"The config key {key}, {name!r}, cannot name a folder", f"Set {key}=... to a plain word")
