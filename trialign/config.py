"""One checked, typed configuration."""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from trialign.audit.asking.attacks import attacks_of
from trialign.audit.asking.run import AuditConfig
from trialign.audit.rules.config import GateConfig
from trialign.config_keys import Limits, check_keys, limits_of
from trialign.environment import EnvironmentConfig, PromptConfig
from trialign.errors import UserError
from trialign.models import ModelConfig
from trialign.objectives.config import ObjectiveConfig
from trialign.policy import AdapterConfig
from trialign.policy.basis import refuse_beside_basis
from trialign.queries import Kind
from trialign.queries.sources import SourceConfig
from trialign.scoring import Scoring
from trialign.training.deepspeed import STAGES, ShardingConfig, Strategy
from trialign.training.loggers import LoggerConfig
from trialign.training.module import OptimizerConfig
from trialign.trajectories.collection import CollectConfig
from trialign.trajectories.served import RolloutConfig
from trialign.updates import check_objective

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

EMBEDDED = "embedded:"
# What pydantic calls a number beyond its limits.
_BEYOND = ("greater_than_equal", "less_than_equal", "finite_number")
# What it says by names of Python.
_SAID = {"dataclass_type": "Input should be a mapping", "dict_type": "Input should be a mapping"} | dict.fromkeys(
    ("tuple_type", "list_type"), "Input should be a list"
)


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
    limit: Annotated[int, Field(ge=1, le=10**9)] | None = None

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
            (shares the optimizer's state), ``zero2`` (the gradients too) and ``zero3`` (the weights too), or torch's
            ``fsdp2`` (all three, of the decoder's layers).
        sharding: of the ``zero`` strategies.
        precision: of the forward pass, as Lightning names it.
        activation_checkpointing: a layer keeps its input alone and is computed again in the backward pass.
        compile: torch.compile makes kernels of the decoder for this machine, once, before the first step.
        steps: optimizer steps.
        queries_per_step: episodes in one optimizer step, over all devices and micro-batches.
        groups_per_step: groups that one optimizer step asks, drawn anew for each; None, or no fewer than there are: all
            of them. Not with ``policy.adapters=per_group``.
        visits: how often one pass through the data visits the questions of a kind; once where not named.
        micro_batches: forward and backward passes in one optimizer step on each device.
        gradient_clip: largest norm of the gradient; 0 turns clipping off.
        audits: whether ``fit`` audits before and after. Without, and with ``zero3`` or ``fsdp2``, no device has
            to hold the whole base model.
        validate_every: optimizer steps between two validations; 0 turns validation off.
        agents_every: optimizer steps between two agent checkpoints; 0 writes the last one only.
        resume_every: optimizer steps between two resumable states.
    """

    accelerator: Literal["cpu", "gpu", "auto"] = "cpu"
    devices: Annotated[int, Field(ge=1, le=4096)] = 1
    nodes: Annotated[int, Field(ge=1, le=4096)] = 1
    strategy: Strategy = "auto"
    sharding: ShardingConfig = field(default_factory=ShardingConfig)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    activation_checkpointing: bool = False
    compile: bool = False
    steps: Annotated[int, Field(ge=1, le=10**9)] = 120
    queries_per_step: Annotated[int, Field(ge=1, le=10**6)] = 4
    groups_per_step: Annotated[int, Field(ge=2, le=10**6)] | None = None
    visits: dict[Kind, Annotated[int, Field(ge=1, le=10**6)]] = field(default_factory=dict)
    micro_batches: Annotated[int, Field(ge=1, le=10**6)] = 1
    gradient_clip: Annotated[float, Field(ge=0, le=1e9)] = 1.0
    audits: bool = True
    validate_every: Annotated[int, Field(ge=0, le=10**9)] = 40
    agents_every: Annotated[int, Field(ge=0, le=10**9)] = 0
    resume_every: Annotated[int, Field(ge=1, le=10**9)] = 20

    @property
    def ranks(self) -> int:
        """Processes on all machines."""
        return self.devices * self.nodes

    @property
    def shares_weights(self) -> bool:
        """Whether processes share the base model's weights."""
        return self.strategy in ("zero3", "fsdp2")

    @property
    def shares(self) -> bool:
        """Whether processes share weights, gradients or the optimizer's state."""
        return self.strategy == "fsdp2" or self.strategy in STAGES


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
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
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
    logger: LoggerConfig = field(default_factory=LoggerConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    gate: GateConfig = field(default_factory=GateConfig)


def load(composed: Mapping[str, Any]) -> RunConfig:
    """Checks a composed configuration against its types.

    Raises:
        UserError: an unknown or missing key, or a value of the wrong type; names the key.
    """
    check_keys(composed, RunConfig, "")
    try:
        config: RunConfig = _checker().validate_python(composed)
    except ValidationError as error:
        raise _refusal(error.errors(), composed) from error
    _check_values(config)
    return config


@dataclass(frozen=True)
class _Gate:
    """The section of a configuration that a gate needs alone."""

    gate: GateConfig


def load_gate(stated: Mapping[str, Any]) -> GateConfig:
    """Checks the rules of a gate, as `load` checks them within a whole configuration.

    Args:
        stated: what stands below ``gate``.

    Raises:
        UserError: an unknown key, or a value of the wrong type; names the key.
    """
    check_keys(stated, GateConfig, "gate.")
    composed = {"gate": dict(stated)}
    try:
        return TypeAdapter(_Gate).validate_python(composed).gate
    except ValidationError as error:
        raise _refusal(error.errors(), composed) from error


@cache
def _checker() -> TypeAdapter[RunConfig]:
    return TypeAdapter(RunConfig)


def _refusal(faults: Sequence[ErrorDetails], composed: Mapping[str, Any]) -> UserError:
    """One of the faults that pydantic found, as a user would say it."""
    # Of the alternatives that a value may be, the one that fits furthest tells what is wrong with it.
    first = min(faults, key=lambda fault: len(fault["loc"]))["loc"][:1]  # others may only repeat what it says: ${seed}
    alternatives = [fault for fault in faults if fault["loc"][:1] == first]
    fault = max(alternatives, key=lambda fault: (len(fault["loc"]), fault["type"] in _BEYOND))
    key, value = _dotted(fault["loc"], composed), fault["input"]
    if fault["type"] == "missing":
        missing = f"{key}.{fault['loc'][-1]}".lstrip(".")
        return UserError(
            f"The config key {missing} is missing",
            "Set it"
            if key.startswith("data.files")
            else "Set it, or begin with 'defaults: [base, _self_]', which sets all",
        )
    if fault["type"] in _BEYOND and (limits := limits_of(RunConfig, key)):
        return _beyond(key, value, limits)
    remedy = "Correct this value" + ("; YAML reads ~ alone as nothing" if value is None else "")
    if isinstance(value, bool) and fault["type"] == "string_type":
        remedy = "Put it in quotes: YAML reads Yes, No, on and off as true and false"
    said = _SAID.get(fault["type"], fault["msg"])
    return UserError(f"The config key {key} is wrong: {said} (got {value!r})", remedy)


def _beyond(key: str, value: float, limits: Limits) -> UserError:
    return UserError(f"The config key {key} is {reprlib.repr(value)}", f"Set it between {limits}")


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


def _check_step(trainer: TrainerConfig, policy: AdapterConfig) -> None:
    """Refuses what an optimizer step cannot be made of."""
    share = trainer.ranks * trainer.micro_batches
    if trainer.queries_per_step % share:
        raise UserError(
            f"trainer.queries_per_step is {trainer.queries_per_step}, which {trainer.ranks} devices with "
            f"{trainer.micro_batches} micro-batches cannot share evenly",
            f"Set it to a multiple of {share}",
        )
    if trainer.groups_per_step is not None and policy.adapters == "per_group":
        raise UserError(
            f"trainer.groups_per_step is {trainer.groups_per_step}, and with policy.adapters=per_group the adapters of "
            "groups that a step does not ask would go without a gradient",
            "Set policy=basis or policy=shared, or trainer.groups_per_step=null",
        )


def _check_untold(config: RunConfig) -> None:
    """Refuses questions without a profile where what they are held against was scored with one."""
    untold = config.policy.basis.untold if config.policy.adapters == "basis" else 0.0
    for key, there in {
        "scoring.kind=pmi": config.scoring.kind == "pmi",
        f"objective.kl_weight={config.objective.kl_weight:g}": config.objective.kl_weight > 0,
    }.items():
        if untold and there:
            raise UserError(
                f"policy.basis.untold is {untold:g}, and {key} holds answers against scores made with a profile",
                "Set one of them to another value",
            )


def _check_bits(config: RunConfig) -> None:
    """Refuses weights in few bits where there are none, or where nobody has seen them to be right."""
    model, strategy = config.model, config.trainer.strategy
    faults = {
        f"and model.source={model.source} has no weights here": not model.has_weights,
        f"and model.dtype={model.dtype} has not been shown to compute with them": model.dtype == "float64",
        f"which trainer.strategy={strategy} has not been shown to train": config.trainer.shares,
    }
    for what, asked in faults.items():
        if asked and model.quantization != "none":
            raise UserError(
                f"model.quantization is {model.quantization}, {what}",
                "Set model.quantization=none, or "
                + ("trainer.strategy=ddp" if config.trainer.shares else "another source or dtype of the model"),
            )


def _check_fsdp(config: RunConfig) -> None:
    """Refuses what FSDP2 cannot train, or was not seen to train rightly."""
    faults = {
        "policy.adapters=basis": (config.policy.adapters == "basis", "trains numbers outside of the layers"),
        "trainer.precision=16-mixed": (config.trainer.precision == "16-mixed", "scales the loss"),
    }
    for what, (asked, why) in faults.items():
        if asked and config.trainer.strategy == "fsdp2":
            raise UserError(
                f"{what} {why}, and trainer.strategy=fsdp2 has not been shown to train so",
                "Set trainer.strategy=ddp, or another value there",
            )


def _check_compile(config: RunConfig) -> None:
    """Refuses torch.compile where nobody has seen it to be right."""
    trainer, policy = config.trainer, config.policy
    beside = {
        f"trainer.strategy={trainer.strategy}": trainer.shares,
        "trainer.activation_checkpointing=true": trainer.activation_checkpointing,
        f"model.quantization={config.model.quantization}": config.model.quantization != "none",
        "policy.activation=profile": policy.activation == "profile",
        "policy.train_layers=upper": policy.train_layers == "upper",
    }
    for what, there in beside.items():
        if trainer.compile and there:
            raise UserError(
                f"trainer.compile is true, which has not been shown to train rightly with {what}",
                "Set trainer.compile=false, or another value there",
            )


def _check_values(config: RunConfig) -> None:
    trainer = config.trainer
    if trainer.strategy in STAGES and config.model.dtype == "float64":
        raise UserError(
            f"model.dtype is float64, and DeepSpeed ({trainer.strategy}) keeps the trained weights in float32",
            "Set trainer.strategy=ddp, or another model.dtype",
        )
    _check_bits(config)
    _check_fsdp(config)
    _check_compile(config)
    _check_step(trainer, config.policy)
    if config.policy.activation == "profile" and config.prompt.profile == "first":
        raise UserError(
            "policy.activation is profile, and the profile stands before the question",
            "Set prompt.profile=last",
        )
    if config.policy.activation == "profile" and trainer.shares:
        raise UserError(
            f"policy.activation is profile, which trainer.strategy={trainer.strategy} has not been shown to train",
            "Set trainer.strategy=ddp, or policy.activation=always",
        )
    if config.prompt.profile == "last" and "implicit" in (*config.collect.exposures, *config.audit.exposures):
        raise UserError(
            "prompt.profile is last, and an implicit profile is dialogue before the question",
            "Leave implicit out of collect.exposures and audit.exposures, or set prompt.profile=first",
        )
    if config.scoring.kind == "pmi" and "style" in (*config.collect.exposures, *config.audit.exposures):
        raise UserError(
            "scoring.kind=pmi takes the question away, and the exposure style tells who asks by the question alone",
            "Leave style out of collect.exposures and audit.exposures, or set another scoring.kind",
        )
    check_objective(config.objective)
    refuse_beside_basis(config.policy, apart=config.objective.in_parts)
    _check_untold(config)
    attacks_of(config.audit.pressure)
    if config.objective.has_teacher and not config.prompt.question:
        raise UserError(
            f"objective.text.weight is {config.objective.text.weight:g}, and prompt.question=false puts no question "
            "that a teacher could answer",
            "Set one of them otherwise",
        )
    if "scored" not in config.audit.answers or len(set(config.audit.answers)) < len(config.audit.answers):
        raise UserError(
            f"The config key audit.answers is {list(config.audit.answers)}",
            "Set it to [scored], or to [scored, replies]: replies in words stand beside scored options",
        )
    for key, exposures in (
        ("collect.exposures", config.collect.exposures),
        ("audit.exposures", config.audit.exposures),
    ):
        if not exposures or len(set(exposures)) < len(exposures):
            raise UserError(f"The config key {key} is {list(exposures)}", "Name some of: explicit, implicit, style")
    for key, name in (("name", config.name), ("data.name", config.data.name)):
        if not name or any(part in name for part in ("/", "\\", "\0")) or name.startswith("."):
            raise UserError(f"The config key {key}, {name!r}, cannot name a folder", f"Set {key}=... to a plain word")
