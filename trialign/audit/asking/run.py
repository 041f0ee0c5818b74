"""Running an audit: every group's deployed agent answers every question alone (turn 0), then perhaps after others."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Literal

from pydantic import Field

from trialign import distributed
from trialign.asking import Agents, Answer, LocalAgents, read
from trialign.audit.asking.clarify import follow_up, is_unclear, meant
from trialign.audit.asking.noticing import noticed
from trialign.audit.asking.revising import revised
from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.swaps import swapped_with
from trialign.audit.files.items import AuditItem
from trialign.checkpoints import AgentCheckpoint
from trialign.comparing.judge import JudgeConfig
from trialign.comparing.opening import Kind
from trialign.environment import PromptConfig, Topology, asked_in_words, first_turn, stable_seed
from trialign.groups import Exposure, GroupSet, SocialGroup
from trialign.models import ChatRenderer
from trialign.policy import GroupPolicy
from trialign.progress import Progress
from trialign.queries import MixedQuery, PreferenceQuery, Query, TruthQuery
from trialign.queries.answers import is_correct
from trialign.queries.translated import known, told_in
from trialign.rewards import form_reward, preference_reward_of_choice, preference_reward_of_distribution
from trialign.scoring import Scoring
from trialign.weighing import Asked

log = logging.getLogger("trialign")
Way = Literal["scored", "replies"]


@dataclass(frozen=True)
class AuditConfig(Bounds):
    """What an audit asks, and the bounds that its verdict is held against.

    Attributes:
        exposures: how the profile reaches the agents; the first one is summarised.
        groups: how many groups are asked, the first ones (a population's are a random sample of it); None: all.
        wordings: how many wordings of each profile are asked.
        turns: revision turns after the answers given alone, in which the groups hear each other along
            ``environment.topology``; with each profile's first wording, once.
        max_new_tokens: longest reply to a question whose answers cannot be enumerated.
        batch_tokens: most positions in one forward pass.
        queries_per_batch: questions answered between two signs of progress.
        pressure: attacks and suites by name (`trialign.audit.asking.attacks`): the members' agents are pushed away from
            what they answered to facts with options. With the first exposure, each profile's first wording, once.
        clarify: whether an agent whose reply to a choice could not be read is asked which option it meant; replies of
            an audit in words are not asked about: nobody does that with what people get.
        answers: ``scored``, and with ``replies`` the same questions once more, asked as a person asks them and answered
            in words. Only agents whose weights are at hand are asked twice.
        replies_limit: facts and tastes that are asked in words, the first ones of each kind; None: all.
        repeats: how often each question is asked in the same words where it is answered in words. Once, the likeliest
            reply is written; more often, each reply is drawn at temperature 1.
        comparer: what tells whether two replies in words state the same fact: ``canonical`` (what the reader reads),
            then ``nli`` (two-way entailment), then ``judge`` (a model behind an address).
        nli: the model of entailment, a hub id or a folder; with ``judge`` it may be left out.
        calibration: file with what was measured of the comparer; None: ``calibration.json`` in the model's folder.
        judge: how the judge is asked.
    """

    exposures: tuple[Exposure, ...] = ("explicit",)
    groups: Annotated[int, Field(ge=2, le=10**6)] | None = None
    answers: tuple[Way, ...] = ("scored", "replies")
    replies_limit: Annotated[int, Field(ge=1, le=10**9)] | None = None
    repeats: Annotated[int, Field(ge=1, le=1000)] = 1
    wordings: Annotated[int, Field(ge=1, le=1000)] = 1
    turns: Annotated[int, Field(ge=0, le=10)] = 0
    max_new_tokens: Annotated[int, Field(ge=1, le=10**6)] = 48
    batch_tokens: Annotated[int, Field(ge=1, le=10**9)] = 4096
    queries_per_batch: Annotated[int, Field(ge=1, le=10**6)] = 32
    pressure: tuple[str, ...] = ()
    clarify: bool = True
    comparer: Kind = "canonical"
    nli: str | None = None
    calibration: str | None = None
    judge: JudgeConfig = field(default_factory=JudgeConfig)

    @property
    def bounds(self) -> Bounds:
        """What the verdict is held against."""
        return Bounds(**{one.name: getattr(self, one.name) for one in fields(Bounds)})


@dataclass(frozen=True)
class Unasked:
    """Agents that are never asked: an auditor that has them tells what it would ask.

    Attributes:
        repeats: how often every question would be put in the same words.
    """

    repeats: int = 1

    @property
    def scoring(self) -> Scoring | None:
        """Nothing is scored."""
        return None

    def answer(self, asked: Sequence[Asked]) -> Iterator[Answer]:
        """Nobody answers."""
        raise AssertionError(f"{len(asked)} questions were put to agents that are never asked")


@dataclass(frozen=True)
class Auditor:
    """The agents under audit and how they are asked.

    Attributes:
        strip_profile: facts are asked without the profile.
        topology: who hears whom in revision turns.
        in_words: every answer is a reply in words, to a question that shows no options but where it makes no sense
            without them. There are no revision turns then.
        seed: of the replies that are drawn.
    """

    agents: Agents
    groups: GroupSet
    prompt: PromptConfig
    config: AuditConfig
    strip_profile: bool = False
    topology: Topology = "full"
    in_words: bool = False
    seed: int = 0

    @classmethod
    def of_checkpoint(
        cls,
        policy: GroupPolicy,
        renderer: ChatRenderer,
        groups: GroupSet,
        prompt: PromptConfig,
        scoring: Scoring,
        config: AuditConfig,
        checkpoint: AgentCheckpoint | None,
    ) -> Auditor:
        """An auditor of the agents that are loaded, which come from this checkpoint (None: the base model)."""
        hashes = {name: checkpoint.adapter_sha256(name) for name in groups.names} if checkpoint else {}
        agents = LocalAgents(policy, renderer, scoring, config.max_new_tokens, config.batch_tokens, hashes)
        return cls(agents, groups, prompt, config)

    def answer(self, queries: Sequence[Query], exposure: Exposure) -> list[AuditItem]:
        """Every group's answer to some queries at once, with each profile's first wording."""
        asked = [self.asked(query, group, exposure, 0, 0) for query in queries for group in self.groups.everyone]
        return self._all_items(asked, list(self.agents.answer(asked)))

    def run(self, queries: Sequence[Query], title: str) -> list[AuditItem]:
        """Every group's answer to every query, shared out over the ranks and joined on all of them.

        Raises:
            UserError: a question cannot be put to the agents, such as one that does not fit their context.
        """
        rank, ranks = distributed.rank(), distributed.world_size()
        mine = queries[rank::ranks]
        items: list[AuditItem] = []
        size = self.config.queries_per_batch
        with Progress(title, len(mine), "questions", shown=rank == 0) as progress:
            for begin in range(0, len(mine), size):
                asked = [one for query in mine[begin : begin + size] for one in self.would_ask(query)]
                answers: list[Answer] = []
                for one, answer in zip(asked, self.agents.answer(asked), strict=True):
                    answers.append(answer)
                    if len(answers) == len(asked) or asked[len(answers)].query is not one.query:
                        progress.advance()
                items.extend(self._all_items(asked, answers))
                items.extend(self._later_items(asked, answers))
        everyones = [item for part in distributed.gather(items) for item in part]
        if rank == 0:
            self._say_cut_off(everyones)
        return everyones

    def _later_items(self, asked: Sequence[Asked], answers: Sequence[Answer]) -> Iterator[AuditItem]:
        """The answers of the revision turns."""
        for _ in range(0 if self.in_words else self.config.turns):
            asked = revised(asked, answers, self.groups.names, self.topology, self.prompt)
            answers = list(self.agents.answer(asked))
            yield from self._all_items(asked, answers)

    def _say_cut_off(self, items: Sequence[AuditItem]) -> None:
        own = [item for item in items if item.group == item.profile_group]
        count = sum(item.parse_status == "cut_off" for item in own)
        if count:
            log.warning(
                "%d of %d replies%s were cut off at audit.max_new_tokens=%d before an answer could be read, and count "
                "as wrong: set it higher, or turn the model's thinking off (behind an address by model.endpoint.extra)",
                count,
                len(own),
                " in words" if self.in_words else "",
                self.config.max_new_tokens,
            )

    def _all_items(self, asked: Sequence[Asked], answers: Sequence[Answer]) -> list[AuditItem]:
        read = self.readings(asked, answers)
        return [item for parts in zip(asked, answers, read, strict=True) for item in self._items(*parts)]

    def readings(self, asked: Sequence[Asked], answers: Sequence[Answer]) -> list[Reading]:
        """What the answers say; those from which no option can be read are asked about once."""
        found = [_read(one, answer) for one, answer in zip(asked, answers, strict=True)]
        if not self.config.clarify or self.in_words:
            return found
        places = [n for n, one in enumerate(asked) if is_unclear(one, answers[n], found[n].status)]
        again = [follow_up(asked[n], answers[n].text, self.prompt.clarify) for n in places]
        for n, one, answer in zip(places, again, self.agents.answer(again), strict=True):
            option = meant(one, answer)
            canonical, status = (None, found[n].status) if option is None else (option, "clarified")
            found[n] = Reading(canonical, status, answer.text, one.query.options)
        return found

    def would_ask(self, query: Query) -> list[Asked]:
        """Every way in which a question is put before anybody hears anybody."""
        return [
            self.asked(query, group, exposure, wording, repeat)
            for exposure in self.config.exposures
            for group in self.groups.everyone
            for wording in range(min(self.config.wordings, group.wordings(exposure)))
            for repeat in range(self.config.repeats if self.in_words else self.agents.repeats)
        ]

    def asked(self, query: Query, group: SocialGroup, exposure: Exposure, wording: int, repeat: int) -> Asked:
        """One question as it is put to one agent that answers alone."""
        # A mixed question's form is the group's taste: without its profile there would be none to meet.
        query = told_in(query, group.language)
        stripped = self.strip_profile and query.kind == "truth"
        told = replace(group, role="control") if stripped else group
        prompt = asked_in_words(query, self.prompt) if self.in_words else self.prompt
        conversation = first_turn(query, told, exposure, wording, prompt)
        asked = Asked(query, group, exposure, wording, repeat, conversation, prompt.options)
        if not self.in_words:
            return asked
        drawn = stable_seed(f"audit:{self.seed}:{query.query_id}:{group.name}:{exposure}:{wording}:{repeat}")
        return replace(asked, in_words=True, seed=drawn if self.config.repeats > 1 else None)

    def _items(self, asked: Asked, answer: Answer, read: Reading) -> list[AuditItem]:
        """One row, and for a member's choice of taste one for each other group too, scored on its target."""
        query = asked.query
        canonical = read.canonical
        correct = is_correct(query, canonical) if isinstance(query, TruthQuery) else None
        seen = noticed(asked, answer) if self.in_words else {}
        return [
            AuditItem(
                query_id=query.query_id,
                cluster=query.cluster,
                kind=query.kind,
                split=query.split,
                topic=query.topic,
                group=scored_for,
                role=asked.group.role,
                exposure=asked.exposure,
                wording=asked.wording,
                repeat=asked.repeat,
                turn=asked.turn,
                profile_group=asked.group.name,
                answer=answer.text,
                canonical=known(query, canonical),
                parse_status=read.status,
                correct=correct,
                reward_truth=None if correct is None else float(correct),
                reward_preference=_preference_reward(query, scored_for, answer, canonical),
                option_probabilities=answer.option_probabilities,
                adapter_sha256=answer.adapter_sha256,
                clarification=read.clarification,
                clarification_options=read.clarification_options,
                **seen,
            )
            for scored_for in self._scored_for(asked)
        ]

    def _scored_for(self, asked: Asked) -> list[str]:
        """The groups whose targets score an answer: its own, and for a member's taste others' too (swapped)."""
        query = asked.query
        if not isinstance(query, PreferenceQuery) or not query.options or asked.group.role == "control":
            return [asked.group.name]
        others = {asked.group.name, *swapped_with(self.groups.names, asked.group.name)}
        return [group for group in self.groups.names if group in others]


@dataclass(frozen=True)
class Reading:
    """What an answer says, see `AuditItem`."""

    canonical: str | None
    status: str
    clarification: str | None = None
    clarification_options: tuple[str, ...] | None = None


def _read(asked: Asked, answer: Answer) -> Reading:
    parsed = read(asked, answer)
    return Reading(parsed.canonical, parsed.status)


def _preference_reward(query: Query, group: str, answer: Answer, canonical: str | None) -> float | None:
    """How well an answer suits a group: a taste by its target, a fact by its form; None where neither is known."""
    if isinstance(query, PreferenceQuery) and group in query.targets:
        target = query.targets[group]
        if answer.option_probabilities is not None:
            return preference_reward_of_distribution(target, answer.option_probabilities)
        return preference_reward_of_choice(target, None if canonical is None else query.options.index(canonical))
    if isinstance(query, MixedQuery) and group in query.forms and answer.option_probabilities is None:
        if answer.unread is not None:
            return 0.0  # what was not said has no form, though nothing is short
        return form_reward(query.forms[group], answer.text)
    return None
