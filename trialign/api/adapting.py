"""A new group in a run of one basis: its few numbers are learned from a few answers, and nothing else is trained."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor
from yaml import YAMLError

from trialign.api.agents import about_agents
from trialign.api.audit_files import run_audit
from trialign.api.results import Audit
from trialign.api.session import Session
from trialign.attribute_agents import maps_of
from trialign.checkpoints import AgentCheckpoint, coordinates_of, extend_agents, load_basis, read_agents
from trialign.config import load
from trialign.errors import UserError
from trialign.group_checks import check_keys, check_mapping
from trialign.group_config import configured_sets, section_of
from trialign.groups import GroupSet
from trialign.objectives.distributions import log_distributions
from trialign.policy import GroupPolicy
from trialign.policy.maps import AttributeMaps
from trialign.queries import PreferenceQuery, Split, TruthQuery
from trialign.queries.readers import read_data, required
from trialign.queries.writer import write_queries
from trialign.runs import RunFolder
from trialign.scoring import Scoring
from trialign.storage import sha256_of_file
from trialign.trajectories.batches import EpisodeBatch, build_episode_batch
from trialign.trajectories.choices import Choices, ChoiceUnits
from trialign.trajectories.collection import Collector
from trialign.trajectories.episodes import Episode, episodes_of

log = logging.getLogger("trialign")

SPLIT: Split = "test"
_EPISODES = 4  # in one forward pass
_EVALUATIONS = 12  # of the loss and its gradient, all questions each


@dataclass(frozen=True)
class Adapted:
    """What adapting left behind.

    Attributes:
        folder: the new run's: the old agents, byte for byte, and the new ones beside them.
        groups: the new ones.
        questions: K, what they were learned from.
        z: new group -> its numbers.
        mapped: whether they begin with what the run learned of attributes, and not at 0.
        before: mean surprise of the answers at the beginning, in nats a question; None where K = 0.
        after: the same once z was learned.
        seconds: of learning.
        audit: of all groups, on the run's held-out facts; None where the run was trained with ``trainer.audits=false``.
    """

    folder: Path
    groups: tuple[str, ...]
    questions: int
    z: Mapping[str, tuple[float, ...]]
    mapped: bool
    before: float | None
    after: float | None
    seconds: float
    audit: Audit | None


def adapt(
    run: Session, groups_file: Path, data: Path | None = None, *, step: int | None = None, name: str | None = None
) -> Adapted:
    """Adds groups to the agents of a run, as a new run beside it; the run itself stays as it is.

    The z of a new group is the most probable one under N(0, I) and its answers (maximum a posteriori):

        minimise  - sum_k sum_o target_k(o) log S(o | question k)  +  |z - z_0|^2 / 2

    z_0 = 0; where the run learned z from attributes, it is what its maps make of the group's.

    Args:
        run: trained with ``policy.adapters=basis``.
        groups_file: YAML with the new groups under ``members``, as the run's own set states its groups.
        data: questions of taste with a target for each new group, in the native schema; None: z = z_0.
        step: which checkpoint; None: the last.
        name: of the new run; None: the run's and the groups' names.

    Raises:
        UserError: the run has no basis, a group has the name of another or a category that no group had, or a question
            is at fault.
    """
    chosen = _step(run, step)
    extended, added = _extended(run, groups_file, name)
    questions = _answered(extended.groups, added, data) if data else []
    facts = _facts(run, extended)
    checkpoint = read_agents(run.run.agents_at(chosen))
    maps = maps_of(checkpoint)
    begun = {group: maps.z(extended.groups.values(group)) if maps else None for group in added}
    for group in added:
        for sentence in _beyond(run.groups, maps, extended.groups, group):
            log.warning("%s", sentence)
    policy = _loaded(extended, checkpoint, begun)
    begin = time.monotonic()
    before, after = learn(policy, _episodes(extended, added, questions), added, run.config.scoring)
    seconds = time.monotonic() - begin
    assert policy.coordinates is not None
    z = {group: policy.coordinates.of(policy.adapter_index(group)) for group in added}
    about = {**about_agents(extended), "adapted": _origin(run, checkpoint, added, len(questions))}
    written, folder, audit = _write(run, extended, checkpoint, z, about, facts), extended.run, None
    if run.config.trainer.audits:
        run_audit(extended, SPLIT, written)
        audit = Audit(folder.audit(chosen, extended.config.data.name, SPLIT))
    folder.finish({"steps": chosen, "trajectories": run.run.trajectories})
    numbers = {group: tuple(own.tolist()) for group, own in z.items()}
    return Adapted(folder.folder, added, len(questions), numbers, maps is not None, before, after, seconds, audit)


def _origin(run: Session, checkpoint: AgentCheckpoint, added: Sequence[str], questions: int) -> dict[str, Any]:
    """What the manifest says of where the agents come from."""
    digest = sha256_of_file(checkpoint.manifest_file)
    return {"run": run.config.name, "manifest_sha256": digest, "groups": list(added), "questions": questions}


def _facts(run: Session, extended: Session) -> list[TruthQuery]:
    """The facts that the new run is audited on, now and later.

    Raises:
        UserError: there are none, or a run of the new name is there.
    """
    if extended.run.folder.exists():
        raise UserError(f"There is a run in {extended.run.folder} already", "Choose another --name")
    facts = [query for query in run.queries if isinstance(query, TruthQuery)]
    if not any(query.split == SPLIT for query in facts):
        raise UserError(
            "The run has no held-out facts on which its groups could be compared",
            "Give some facts of its data the split test",
        )
    return facts


def _step(run: Session, step: int | None) -> int:
    mode = run.config.policy.adapters
    if mode != "basis":
        raise UserError(
            f"The run {run.run.folder} has policy.adapters={mode}, to which no group can be added without training "
            "an adapter",
            "Train a run with policy=basis",
        )
    chosen = max(run.run.steps(), default=None) if step is None else step
    if chosen is None:
        raise UserError(f"The run {run.run.folder} has no agents yet", "Train them with 'trialign fit'")
    return chosen


def _extended(run: Session, file: Path, name: str | None) -> tuple[Session, tuple[str, ...]]:
    """The session of the new run, and the names of the new groups."""
    stored = dict(run.composed)
    new = _members(file)
    audit = {**stored.get("audit", {}), "answers": ["scored"]}
    first = audit.get("groups") is not None
    section = _section(stored["groups"], run.groups, new, file, first=first)
    if first:  # the new ones are asked beside as many as before
        audit["groups"] += len(new)
    called = name or "-".join((run.config.name, *new))
    facts = str(RunFolder(run.runs / called).facts_file.resolve())
    composed = {
        **stored,
        "name": called,
        "runs": str(run.runs),
        "groups": section,
        "data": {"name": f"{run.config.data.name}-facts", "files": [facts]},
        "audit": audit,
    }
    extended = Session(load(composed), composed)
    _ = extended.groups  # what is wrong with a new group is said here
    for exposure in (run.config.collect.exposures[0], run.config.audit.exposures[0]):
        extended.check_exposure(exposure)
    return extended, tuple(new)


def _members(file: Path) -> dict[str, Any]:
    """The new groups as their file states them."""
    try:
        read = OmegaConf.to_container(OmegaConf.load(file), resolve=True)
    except FileNotFoundError as error:
        raise UserError(f"There is no file {file}", "Name one with --groups") from error
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        twice = "found duplicate key" in str(error)
        what = "two groups, or keys, of one name" if twice else f"no YAML ({' '.join(str(error).split())[:150]})"
        raise UserError(f"The groups file {file} holds {what}", "Correct it") from error
    check_mapping(read, str(file))
    assert isinstance(read, dict)
    sets = configured_sets({str(key): value for key, value in read.items()})
    if len(sets) != 1:
        raise UserError(f"The groups file {file} holds {len(sets)} sets", "Write the new groups under 'members'")
    values = sets[0][1]
    check_keys(values, str(file), ("name", "attribute", "members"))
    members = values.get("members")
    check_mapping(members, f"{file}: members")
    if not members:
        raise UserError(f"The groups file {file} holds no group", "Add at least one under 'members'")
    return {str(key): value for key, value in members.items()}


def _section(
    stated: Any, groups: GroupSet, new: Mapping[str, Any], file: Path, *, first: bool = False
) -> dict[str, Any]:
    """The run's section of groups with the new ones in it, first or last; groups that were drawn are listed."""
    sets = configured_sets(stated)
    if len(sets) != 1:
        raise UserError(
            f"The run combines the sets {', '.join(name for name, _ in sets)}, and a new group has to be of one set",
            f"Train a run on one of them (see '{section_of(stated, sets[0][0])}')",
        )
    (name, values) = sets[0]
    known = {group.name: {"attributes": dict(group.attributes)} for group in groups.members}
    members = dict(values.get("members") or known)
    for group in new:
        if members.get(group) is not None:
            raise UserError(f"The run has a group '{group}' already, and {file} names another", "Rename the new one")
    kept = {key: value for key, value in values.items() if key != "population"}
    return {**kept, "name": name, "members": {**new, **members} if first else {**members, **new}}


def _beyond(trained: GroupSet, maps: AttributeMaps | None, extended: GroupSet, group: str) -> list[str]:
    """Sentences on numbers of a new group outside those that were trained."""
    if not trained.stated:
        return []
    values = extended.values(group)
    return [f"{group}: {sentence}" for sentence in (maps or trained).beyond(values)]


def _answered(groups: GroupSet, added: Sequence[str], data: Path) -> list[PreferenceQuery]:
    """The questions from which the new groups are learned.

    Raises:
        UserError: the file is at fault, or holds no question that every new group answered.
    """
    some = replace(groups, members=tuple(group for group in groups.members if group.name in added))
    queries = required(read_data([data], some))
    answered = [query for query in queries if isinstance(query, PreferenceQuery) and query.targets and query.options]
    if not answered:
        raise UserError(
            f"The file {data} holds no answered question of taste",
            f"Give it at least one row of the kind preference with targets for {', '.join(added)}, or leave --data out",
        )
    return answered


def _loaded(session: Session, checkpoint: AgentCheckpoint, begun: Mapping[str, Tensor | None]) -> GroupPolicy:
    """All agents, the new ones where they begin (None: at z = 0); nothing but z can change."""
    policy = session.policy
    load_basis(policy, checkpoint)
    coordinates = policy.coordinates
    assert coordinates is not None
    coordinates.speed = 1.0  # what seeks z here chooses its own steps
    for index, group in enumerate(policy.groups):
        known = begun[group] if group in begun else coordinates_of(checkpoint, group)
        coordinates.set(index, torch.zeros(coordinates.own.shape[1]) if known is None else known)
    for parameter in policy.parameters():
        parameter.requires_grad_(parameter is coordinates.own)
    return policy


def _episodes(session: Session, added: Sequence[str], questions: Sequence[PreferenceQuery]) -> tuple[Episode, ...]:
    if not questions:
        return ()
    config = session.config
    members = tuple(group for group in session.groups.members if group.name in added)
    collector = Collector(
        session.policy.eval(),
        session.renderer,
        replace(session.groups, members=members, factors=()),
        config.prompt,
        replace(config.environment, turns=0),
        config.scoring,
        replace(config.collect, exposures=config.collect.exposures[:1], samples=1),
    )
    return episodes_of(collector.collect(questions), added, 1)


def learn(
    policy: GroupPolicy, episodes: Sequence[Episode], groups: Sequence[str], scoring: Scoring
) -> tuple[float | None, float | None]:
    """Finds the most probable z of some groups, by L-BFGS; see `adapt`. The prior lies around where they begin.

    Args:
        policy: with a basis, in which z alone can change.
        episodes: the answered questions, with a trajectory for each of the groups; none: z stays.
        groups: whose z is found.
        scoring: how the scores of options become S_g.

    Returns:
        Mean surprise of the answers before and after, in nats a question and group; None without questions.
    """
    coordinates = policy.coordinates
    assert coordinates is not None
    if not episodes:
        return None, None
    rows = [policy.adapter_index(group) for group in groups]
    batches = [
        build_episode_batch(episodes[begin : begin + _EPISODES], rows, (Choices(),)).to(policy.device)
        for begin in range(0, len(episodes), _EPISODES)
    ]
    optimizer = torch.optim.LBFGS(
        [coordinates.own], max_iter=_EVALUATIONS, max_eval=_EVALUATIONS, line_search_fn="strong_wolfe"
    )
    count, begun = len(episodes) * len(groups), coordinates.all()[rows].detach()
    surprises: list[float] = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        total = 0.0
        for batch in batches:
            surprise = _surprise(policy, batch, scoring)
            surprise.backward()
            total += surprise.item()
        prior = (coordinates.all()[rows] - begun).square().sum() / 2
        prior.backward()
        surprises.append(total / count)
        return prior.detach() + total

    optimizer.step(closure)
    with torch.no_grad():
        after = sum(_surprise(policy, batch, scoring).item() for batch in batches) / count
    return surprises[0], after


def _surprise(policy: GroupPolicy, batch: EpisodeBatch, scoring: Scoring) -> Tensor:
    """- sum target log S, over the batch's questions and groups."""
    (units,) = batch.units
    assert isinstance(units, ChoiceUnits)
    places, present = units.branches.clamp(min=0), units.branches >= 0
    shares = log_distributions(batch.values(policy.score(batch.tree))[places], present, scoring)
    return -(units.targets * shares.masked_fill(~present, 0.0)).sum()


def _write(
    run: Session,
    extended: Session,
    checkpoint: AgentCheckpoint,
    z: Mapping[str, Tensor],
    about: Mapping[str, Any],
    facts: Sequence[TruthQuery],
) -> AgentCheckpoint:
    """Writes the new run; its folder appears whole or not at all."""
    final = extended.run
    draft = RunFolder(final.folder.with_name(f".{final.folder.name}.adapting.tmp"))
    shutil.rmtree(draft.folder, ignore_errors=True)
    try:
        draft.claim(extended.composed, run.run.trajectories)
        write_queries(draft.facts_file, facts)
        draft.agents.mkdir()
        extend_agents(checkpoint, draft.agents_at(checkpoint.step), z, about)
        draft.folder.rename(final.folder)
    finally:
        shutil.rmtree(draft.folder, ignore_errors=True)
    return read_agents(final.agents_at(checkpoint.step))
