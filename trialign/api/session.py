"""What every verb begins with: checked groups and questions, the base model, the agents."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch

from trialign import distributed, environment
from trialign.api.behaviour import check_behaviour, check_scores, store_of
from trialign.api.merging import check_parts
from trialign.api.starting import begun, check_compiler, check_start, check_steering, check_weights
from trialign.asking import Agents, LocalAgents
from trialign.checkpoints import AgentCheckpoint, load_agents, read_agents
from trialign.config import RunConfig, load
from trialign.config_keys import default_leaves
from trialign.errors import UserError
from trialign.gating.gate import adapter_hashes
from trialign.gating.serving import gatekeeper
from trialign.group_config import build_groups, section_of
from trialign.groups import Exposure, GroupSet, same_profiles
from trialign.models import (
    BaseModelFiles,
    ChatRenderer,
    check_kind,
    context_length,
    load_model,
    load_renderer,
    locate_base_model,
)
from trialign.policy import GroupPolicy
from trialign.policy.cpu import use_fast_exact_products
from trialign.policy.door import check_exact
from trialign.policy.maps import traits_of
from trialign.policy.peft_folders import PeftFolder, policy_of_folders, read_peft_folders
from trialign.queries import Query, Split
from trialign.queries.limits import first_clusters
from trialign.queries.readers import Reading, read_data, required
from trialign.runs import RunFolder, Status
from trialign.trajectories.served import ServedReplies
from trialign.trajectories.store import TrajectoryStore
from trialign.updates import Update, updates_of

if TYPE_CHECKING:
    from trialign.audit.asking.endpoint import EndpointAgents
    from trialign.audit.asking.logged import LoggedAgents

log = logging.getLogger("trialign")


@dataclass(frozen=True)
class Session:
    """A run's configuration and what is made of it, each part when it is first needed.

    Attributes:
        config: typed and checked.
        composed: the same as plain values, as config.yaml holds it.
        stated: the groups, where they are not those of the configuration.
        shared_out: the base model is only loaded to be shared out over the ranks, and stays where that begins.
    """

    config: RunConfig
    composed: Mapping[str, Any]
    stated: GroupSet | None = None
    shared_out: bool = False

    def check(self) -> None:
        """Everything that can be wrong before training, without loading weights.

        Raises:
            UserError: groups, questions, prompt or model are at fault.
        """
        _ = self.updates
        check_parts(self.config, self.groups.names)
        traits_of(self.groups, self.config.policy)
        together = self.config.trainer.groups_per_step if self.config.collect.panels else None
        environment.check_adversary(self.config.environment, together or len(self.groups.members))
        self.check_questions()
        _ = self.audited_groups
        check_start(self)
        check_behaviour(self)
        check_scores(self)
        self.check_model()
        check_weights(self)
        check_steering(self)
        check_compiler(self)
        _ = self.served

    def check_audit(self) -> None:
        """Everything that can be wrong before an audit, without loading weights.

        Raises:
            UserError: groups, questions, prompt or model are at fault, or the model's server does not answer.
        """
        self.check_questions()
        _ = self.audited_groups
        if self.config.model.source == "endpoint":
            _ = self.endpoint
            return
        if self.config.model.source == "logs":
            _ = self.logged
            return
        self.check_model()
        _ = self.adapters

    def check_model(self) -> None:
        """Everything that can be wrong with the base model but its weights.

        Raises:
            UserError: it is not found, is of a family that is not served, or its tokenizer or template is at fault.
        """
        check_kind(self.files, self.config.model)
        _ = self.renderer

    def check_questions(self) -> None:
        """Everything that can be wrong with what is asked.

        Raises:
            UserError: groups, questions or prompt are at fault.
        """
        environment.check_prompt_and_scoring(self.config.prompt, self.config.scoring)
        for exposure in {*self.config.collect.exposures, *self.config.audit.exposures}:
            self.check_exposure(exposure)
        _ = self.queries

    def check_exposure(self, exposure: Exposure) -> None:
        """Refuses an exposure for which a group has no profile.

        Raises:
            UserError: names the group.
        """
        for fault in self.exposure_faults(exposure):
            raise fault

    def exposure_faults(self, exposure: Exposure) -> Iterator[UserError]:
        """A fault for each group that has no profile for an exposure."""
        for one in self.groups.single_sets:
            for group in one.members:
                if not group.wordings(exposure):
                    yield UserError(
                        f"The group '{group.name}' has no {exposure} profile, and the exposure is asked for",
                        f"Write one under {section_of(self.config.groups, one.name)}.members.{group.name}.{exposure}, "
                        "or choose other exposures",
                    )

    @property
    def runs(self) -> Path:
        """Folder of all runs."""
        return Path(self.config.runs)

    @property
    def run(self) -> RunFolder:
        """This run's folder."""
        return RunFolder(self.runs / self.config.name)

    @property
    def status(self) -> Status:
        """How far the run of this configuration is.

        Raises:
            UserError: a run of this name exists with another configuration.
        """
        return self.run.status(self.composed, default_leaves(RunConfig))

    @property
    def trains(self) -> bool:
        """Whether the objective trains adapters; otherwise the base model is told otherwise, and audited."""
        return self.config.objective.update != "none"

    @property
    def has_agents(self) -> bool:
        """Whether a run leaves agents behind: trained ones, or untrained ones behind a gate."""
        return self.trains or self.config.objective.gate.facts != "profiled"

    @property
    def trainable(self) -> bool:
        """Whether its agents are a run's own; otherwise they are behind an address, or come from elsewhere."""
        return self.config.model.has_weights and self.config.model.adapters is None

    @cached_property
    def updates(self) -> tuple[Update[Any], ...]:
        """What learns from the stored answers; an update from outside is imported here, and by no audit.

        Raises:
            UserError: there is no such update, or its settings are not of its kind.
        """
        return updates_of(self.config.objective, self.config.scoring)

    @cached_property
    def groups(self) -> GroupSet:
        """The social groups."""
        groups = self.stated or build_groups(self.config.groups)
        if distributed.rank() == 0:
            for sentence in same_profiles(groups):
                log.warning("%s", sentence)
        return groups

    @cached_property
    def audited_groups(self) -> GroupSet:
        """The groups that an audit asks."""
        return self.groups.first(self.config.audit.groups)

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        """All questions of the run, of every split."""
        required(self._reading)
        if distributed.rank() == 0:
            for sentence in self._reading.left_out:
                log.info("Left out %s", sentence)
            for sentence in self._reading.notes:
                log.warning("%s", sentence)
        return self.limited(self._reading.usable)

    @property
    def left_out(self) -> tuple[Query, ...]:
        """Preference questions whose targets are all for other sets of groups; the run does without them."""
        return self._reading.elsewhere

    @cached_property
    def _reading(self) -> Reading:
        return self.read(self.groups)

    def read(self, groups: GroupSet | None, most_faults: int = 1) -> Reading:
        """Reads the files and sources; what is wrong is collected, not raised.

        Args:
            groups: the groups in use; None: targets are not held against them.
            most_faults: reading ends when so many are found.
        """
        return read_data(self.config.data.located, groups, most_faults)

    def limited(self, queries: Sequence[Query]) -> tuple[Query, ...]:
        """The questions of the first ``data.limit`` clusters of each kind and split."""
        return first_clusters(queries, self.config.data.limit)

    def split(self, *splits: Split) -> tuple[Query, ...]:
        """The questions of some splits, in file order."""
        return tuple(query for query in self.queries if query.split in splits)

    def require_split(self, split: Split) -> tuple[Query, ...]:
        """The questions of one split.

        Raises:
            UserError: there are none.
        """
        queries = self.split(split)
        if not queries:
            raise UserError(f"The data '{self.config.data.name}' has no {split} questions", "Give some rows that split")
        return queries

    @cached_property
    def files(self) -> BaseModelFiles:
        """The base model on disk."""
        return locate_base_model(self.config.model)

    @cached_property
    def renderer(self) -> ChatRenderer:
        """Chat rendering with the base model's tokenizer."""
        renderer = load_renderer(self.files, self.config.prompt.date)
        if distributed.rank() == 0:
            for sentence in renderer.remarks():
                log.info("%s", sentence)
        return renderer

    @cached_property
    def context_length(self) -> int | None:
        """Longest sequence in tokens that the base model was made for; None: its configuration does not say."""
        return context_length(self.files)

    @cached_property
    def policy(self) -> GroupPolicy:
        """The agents, with the adapters that the configuration names, else with untrained ones by the seed alone."""
        use_fast_exact_products()
        pl.seed_everything(self.config.seed, verbose=False)
        model = load_model(self.files, self.config.model, self.device)
        if self.adapters:
            policy = policy_of_folders(model, self.groups.names, self.adapters)
        else:
            apart = self.config.objective.apart
            traits = traits_of(self.groups, self.config.policy)
            policy = GroupPolicy(model, self.groups.names, self.config.policy, self.invocation, apart, traits)
        policy.to(self.device)
        check_exact(policy)
        return policy

    @property
    def invocation(self) -> tuple[int, ...]:
        """The token ids that open a profile after the question, for adapters that act from there on; else empty."""
        return self.renderer.opening_after_question() if self.config.policy.activation == "profile" else ()

    @property
    def device(self) -> torch.device:
        """Where this rank's agents answer."""
        on_gpu = self.config.trainer.accelerator != "cpu" and torch.cuda.is_available() and not self.shared_out
        return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")

    def renew_policy(self) -> None:
        """Forgets the agents; they are made again when they are next needed."""
        self.__dict__.pop("policy", None)

    @cached_property
    def adapters(self) -> Mapping[str, PeftFolder]:
        """Group -> the adapter from elsewhere through which it answers; empty where the configuration names none."""
        stated = self.config.model.adapters
        return read_peft_folders(stated, self.groups.names, self.files.name) if stated else {}

    @cached_property
    def starts(self) -> Mapping[str, PeftFolder]:
        """Group -> the adapter that training begins with; empty where it begins with new ones."""
        stated = self.config.policy.start
        return read_peft_folders(stated, self.groups.names, self.files.name, "policy.start") if stated else {}

    @cached_property
    def endpoint(self) -> EndpointAgents:
        """The agents behind an address; the server has answered once."""
        from trialign.api.behind import endpoint_agents  # HTTP is for those who need it

        return endpoint_agents(self)

    @cached_property
    def logged(self) -> LoggedAgents:
        """The agents whose replies another tool logged; there are some to every question."""
        from trialign.api.behind import logged_agents

        return logged_agents(self)

    def agents(self, checkpoint: AgentCheckpoint | None) -> Agents:
        """Who answers an audit.

        Args:
            checkpoint: where the adapters that are loaded come from; None: none of a run's are.
        """
        if self.config.model.source == "endpoint":
            return self.endpoint
        if self.config.model.source == "logs":
            return self.logged
        if checkpoint:
            hashes = adapter_hashes(checkpoint, self.policy.groups)
        else:
            hashes = {name: adapter.sha256 for name, adapter in (self.adapters or begun(self)).items()}
        audit, policy = self.config.audit, self.policy.eval()
        return LocalAgents(
            policy,
            self.renderer,
            self.config.scoring,
            audit.max_new_tokens,
            audit.batch_tokens,
            hashes,
            route=gatekeeper(checkpoint, policy, self.renderer, audit.batch_tokens, self.groups.members),
        )

    @cached_property
    def store(self) -> TrajectoryStore:
        """The collection that this configuration asks for; equal ones are shared by runs."""
        return store_of(self)

    @property
    def served(self) -> ServedReplies | None:
        """The server that writes a collection's replies; None: the base model in this process does.

        Raises:
            UserError: its address or its key is at fault.
        """
        rollouts = self.config.rollouts
        return ServedReplies.at(rollouts, self.files.name, self.renderer) if rollouts.engine == "server" else None

    def load_agents(self, step: int | None) -> AgentCheckpoint:
        """Loads a checkpoint of this run into the policy.

        Args:
            step: which one; None: the last.

        Raises:
            UserError: there is none, or it does not fit.
        """
        chosen = max(self.run.steps(), default=None) if step is None else step
        if chosen is None:
            raise UserError(f"The run {self.run.folder} has no agents yet", "Train them with 'trialign fit'")
        checkpoint = read_agents(self.run.agents_at(chosen))
        load_agents(self.policy, checkpoint, self.files)
        return checkpoint


def open_run(folder: Path) -> Session:
    """The session of a run on disk, from its resolved configuration."""
    stored = RunFolder(folder).stored_config()
    config = replace(load(stored), name=folder.resolve().name, runs=str(folder.resolve().parent))
    return Session(config, stored)
