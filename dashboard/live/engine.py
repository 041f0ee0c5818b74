"""The model behind the live questions: one base model, and the adapters of one checkpoint at a time."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import yaml
from pydantic import TypeAdapter, ValidationError
from transformers import PreTrainedModel

from trialign.asking import LocalAgents, Watch
from trialign.checkpoints import AgentCheckpoint, load_agents, read_agents
from trialign.comparing.opening import Kind
from trialign.environment import PromptConfig
from trialign.errors import UserError
from trialign.gating.gate import adapter_hashes
from trialign.gating.serving import gatekeeper
from trialign.group_config import CONTROL, build_groups
from trialign.groups import GroupSet, SocialGroup
from trialign.models import (
    BaseModelFiles,
    ChatRenderer,
    ModelConfig,
    check_kind,
    load_model,
    load_renderer,
    locate_base_model,
    weight_bytes,
)
from trialign.objectives.config import apart_of
from trialign.places import anchored
from trialign.policy import AdapterConfig, GroupPolicy
from trialign.policy.cpu import use_fast_exact_products
from trialign.policy.door import check_exact
from trialign.scoring import Scoring
from trialign.shortage import lacks_memory
from trialign.storage import sha256_of_file

from .asking import BATCH_TOKENS, LONGEST_REPLY, ask
from .pushing import push
from .replies import Answers, Question, Source
from .values import guests, told_at


@dataclass(frozen=True)
class Comparing:
    """What a run's audits hold replies in words against each other with; see ``trialign.audit.asking.run``."""

    comparer: Kind = "canonical"
    nli: str | None = None
    calibration: str | None = None


@dataclass(frozen=True)
class Setting:
    """What a run's configuration says about asking its agents.

    Attributes:
        with_maps: whether the agents at hand have a z for any value of an attribute.
    """

    model: ModelConfig
    groups: GroupSet
    prompt: PromptConfig
    scoring: Scoring
    policy: AdapterConfig
    comparing: Comparing = Comparing()
    apart: tuple[str, ...] = ()
    with_maps: bool = False

    @property
    def everyone(self) -> dict[str, SocialGroup]:
        """All groups by name; the base model without a profile is one of them, whether or not it was audited."""
        control = self.groups.control or SocialGroup(CONTROL, "No profile", role="control")
        return {group.name: group for group in (*self.groups.members, control)}

    def profiles(self, names: Sequence[str]) -> dict[str, SocialGroup]:
        """`everyone`, and those of these names that are a value of an attribute, see `told_at`."""
        found = self.everyone
        for name in names:
            if name not in found and (told := told_at(self.groups, name, own=self.with_maps)) is not None:
                found[name] = told
        return found

    @property
    def only_recorded(self) -> str:
        """Why these agents cannot be asked here, a sentence; empty where they can."""
        if self.model.source == "endpoint":
            return "The audited model stands behind an address, and its weights are not here."
        if self.model.source == "logs":
            return "Another tool asked the audited model, and logs of its answers are all that is here."
        if self.model.adapters:
            return "The audited adapters were trained elsewhere, and are not kept with this run."
        return ""


def read_setting(config_file: Path) -> Setting:
    """Reads the parts of a run's configuration that matter here.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        stored = yaml.safe_load(config_file.read_text(encoding="utf-8"))
        if not isinstance(stored, Mapping):
            raise TypeError("a configuration is a mapping")
        values = anchored(stored, [*config_file.resolve().parents[1:], Path.cwd()])
        audit = values.get("audit") or {}
        parts: Mapping[str, Any] = {
            "model": values["model"],
            "groups": build_groups(values["groups"]),
            "prompt": values["prompt"],
            "scoring": values["scoring"],
            "policy": values["policy"],
            "comparing": {key: audit[key] for key in ("comparer", "nli", "calibration") if key in audit},
            "apart": apart_of(values.get("objective", {})),
        }
        return TypeAdapter(Setting).validate_python(parts)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError, ValidationError) as error:
        raise UserError(
            "The run's configuration is missing or damaged", "Choose another run, or train this one again"
        ) from error


@dataclass
class _Held:
    """What is in memory: a base model with adapters, and which weights these have."""

    model: ModelConfig
    files: BaseModelFiles
    renderer: ChatRenderer
    policy: GroupPolicy
    loaded: Mapping[str, Any] | None = None  # the "files" of the manifest whose adapters the policy has


class Engine:
    """Answers questions with any run's agents; one thread at a time may use it.

    At most one base model is in memory, with the adapters of one checkpoint. Another checkpoint's adapters
    replace them; another base model frees the first before it is read.
    """

    def __init__(self) -> None:
        self._held: _Held | None = None

    def answer(self, source: Source, question: Question, watch: Watch) -> Answers:
        """All groups' answers to one question.

        Every file of the checkpoint is hashed anew, so that one that was changed meanwhile is refused.

        Raises:
            UserError: the run, its checkpoint or its base model is missing, damaged or changed; or the question
                does not fit.
            MemoryError: the model does not fit into the memory.
        """
        setting = read_setting(source.config_file)
        if source.checkpoint is None and setting.policy.start:
            raise UserError(
                "This run began with adapters from elsewhere, which are not kept with it",
                "Choose a later step, whose agents can be asked",
            )
        checkpoint = read_agents(source.checkpoint) if source.checkpoint else None
        digest = sha256_of_file(checkpoint.manifest_file) if checkpoint else None
        try:
            held = self._hold(setting, checkpoint)
            digests = adapter_hashes(checkpoint, held.policy.groups) if checkpoint else {}
            seated = guests(checkpoint, setting.groups, question.groups)
            held.policy.seat({name: agent.z for name, agent in seated.items()})
            digests |= {name: agent.sha256 for name, agent in seated.items()}
            setting = replace(setting, with_maps=bool(seated))
            members = setting.groups.members
            agents = LocalAgents(
                held.policy,
                held.renderer,
                setting.scoring,
                LONGEST_REPLY,
                BATCH_TOKENS,
                digests,
                reference=checkpoint is None,
                route=gatekeeper(checkpoint, held.policy, held.renderer, BATCH_TOKENS, members),
            )
            replies, likelihood = ask(question, agents, setting.profiles(question.groups), setting.prompt, watch)
            pushed = push(question, agents, setting, replies, watch) if question.push else ()
        except (RuntimeError, MemoryError) as error:
            if lacks_memory(error):
                self.free()
                raise MemoryError from error
            raise
        return Answers(source.run, source.step, digest, replies, likelihood, pushed=pushed)

    def free(self) -> None:
        """Gives the memory back."""
        self._held = None
        gc.collect()

    def _hold(self, setting: Setting, checkpoint: AgentCheckpoint | None) -> _Held:
        held = self._held
        if held is None or held.model != setting.model:
            self.free()
            held = self._read(setting)
        elif held.policy.config != setting.policy or held.policy.groups != (*setting.groups.names, *setting.apart):
            self.free()  # the base model stays; the adapters are made anew
            base = held.policy.model.unload()
            held.policy = _policy(base, setting, held.renderer)
            held.loaded = None
        if held.renderer.date != setting.prompt.date:
            held.renderer = load_renderer(held.files, setting.prompt.date)
        if checkpoint and held.loaded != checkpoint.manifest["files"]:
            held.loaded = None  # should reading fail half-way
            load_agents(held.policy, checkpoint, held.files)
            held.loaded = checkpoint.manifest["files"]
        self._held = held
        return held

    def _read(self, setting: Setting) -> _Held:
        use_fast_exact_products()
        files = locate_base_model(setting.model)
        check_memory(files, setting.model)
        renderer, model = load_renderer(files, setting.prompt.date), load_model(files, setting.model)
        return _Held(setting.model, files, renderer, _policy(model, setting, renderer))


def _policy(model: PreTrainedModel, setting: Setting, renderer: ChatRenderer) -> GroupPolicy:
    invocation = renderer.opening_after_question() if setting.policy.activation == "profile" else ()
    policy = GroupPolicy(model, setting.groups.names, setting.policy, invocation, setting.apart).eval()
    check_exact(policy)
    return policy


def check_memory(files: BaseModelFiles, config: ModelConfig) -> None:
    """Refuses a base model before it makes the system kill this process for its memory.

    Raises:
        UserError: it cannot be served.
        MemoryError: its weights, in the numbers and bits in which they are kept, are larger than the free memory.
    """
    if weight_bytes(check_kind(files, config), config) > psutil.virtual_memory().available:
        raise MemoryError
