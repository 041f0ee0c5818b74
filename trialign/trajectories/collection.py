"""Collecting the offline data: the groups' agents answer, hear each other, and answer again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from trialign.asking import LocalAgents, read
from trialign.environment import (
    EnvironmentConfig,
    Observation,
    PromptConfig,
    first_turn,
    is_revised,
    neighbours,
    revision_turn,
    stable_seed,
)
from trialign.groups import Exposure, GroupSet, SocialGroup
from trialign.models import ChatRenderer, Content
from trialign.policy import GroupPolicy
from trialign.policy.group_policy import Sampling
from trialign.queries import MixedQuery, PreferenceQuery, Query, TruthQuery
from trialign.queries.answers import is_correct
from trialign.queries.translated import known, told_in
from trialign.rewards import disagreement, form_reward, preference_reward_of_choice, truth_reward
from trialign.scoring import ScoredOptions, Scoring
from trialign.trajectories.adversaries import Assertion, assertion
from trialign.trajectories.behaviour import option_shares
from trialign.trajectories.faithful import Written
from trialign.trajectories.panels import Panels
from trialign.trajectories.records import Sample, Trajectory
from trialign.trajectories.served import ServedReplies
from trialign.trajectories.served_agents import ServedAgents
from trialign.weighing import Asked, Weighing


@dataclass(frozen=True)
class CollectConfig:
    """How the offline data is made.

    Attributes:
        exposures: how the profile reaches the agents.
        samples: K, replies to each observation.
        temperature: of the behaviour policy's replies.
        max_new_tokens: longest generated reply.
        seed: of the sampled replies and of the profile's wording.
        queries_per_part: queries in one file; an interrupted collection goes on at the next file.
        batch_tokens: most positions in one forward pass.
        behaviour: folder of a run whose agents answer, as last trained; None: the base model does.
        panels: panels of ``trainer.groups_per_step`` groups that each question is asked of; None: all groups are.
    """

    exposures: tuple[Exposure, ...] = ("explicit",)
    samples: Annotated[int, Field(ge=1, le=1000)] = 4
    temperature: Annotated[float, Field(ge=1e-6, le=1e6)] = 1.0
    max_new_tokens: Annotated[int, Field(ge=1, le=10**6)] = 48
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    queries_per_part: Annotated[int, Field(ge=1, le=10**6)] = 16
    batch_tokens: Annotated[int, Field(ge=1, le=10**9)] = 4096
    behaviour: str | None = None
    panels: Annotated[int, Field(ge=1, le=10**6)] | None = None

    def identity(self) -> dict[str, Any]:
        """What a collection's hash takes of it; whose agents `behaviour` names is told by their own hashes.

        So are panels, with their size.
        """
        values = asdict(self)
        del values["behaviour"], values["panels"]
        return values


# One question under one exposure: how each agent that is asked is asked it, in the order of the groups.
_Episode = tuple[Asked, ...]


@dataclass(frozen=True)
class Collector:
    """Everything that one part of a collection depends on.

    Attributes:
        policy: scores options and replies; None: the server does.
        served: writes the replies in place of the policy's base model.
        adapted: whether the policy's adapters answer; the scores that are kept are the base model's either way.
        panels: whom each question is asked of; None: all groups.
        context_length: of the base model, where there is no policy; None: it does not say.
    """

    policy: GroupPolicy | None
    renderer: ChatRenderer
    groups: GroupSet
    prompt: PromptConfig
    environment: EnvironmentConfig
    scoring: Scoring
    config: CollectConfig
    served: ServedReplies | None = None
    adapted: bool = False
    panels: Panels | None = None
    context_length: int | None = None

    @property
    def actors(self) -> LocalAgents:
        """The behaviour policy: the base model, told the groups' profiles, or trained agents."""
        return self._here(reference=not self.adapted)

    @property
    def agents(self) -> LocalAgents | ServedAgents:
        """The reference: the base model, told the groups' profiles."""
        config = self.config
        if self.policy is not None:
            return self._here(reference=True)
        assert self.served is not None
        weighing = Weighing(self.renderer, self.scoring, config.max_new_tokens, self.context_length)
        return ServedAgents(self.served, weighing, config.batch_tokens)

    def _here(self, *, reference: bool) -> LocalAgents:
        assert self.policy is not None
        config = self.config
        return LocalAgents(
            self.policy, self.renderer, self.scoring, config.max_new_tokens, config.batch_tokens, reference=reference
        )

    def collect(self, queries: Sequence[Query]) -> tuple[Trajectory, ...]:
        """All turns of some queries; the same queries give the same trajectories, whatever came before.

        Raises:
            UserError: an observation does not fit the base model's context.
        """
        episodes = [
            self._open(query, exposure, members)
            for query in queries
            for exposure in self.config.exposures
            for members in self._asked(query)
        ]
        answered = self._answer(episodes)
        trajectories = [trajectory for rows in answered for trajectory in rows]
        for _ in range(self.environment.turns):
            episodes = [
                self._hear(episode, rows)
                for episode, rows in zip(episodes, answered, strict=True)
                if is_revised(episode[0].query.query_id, self.environment)
            ]
            answered = self._answer(episodes)
            trajectories.extend(trajectory for rows in answered for trajectory in rows)
        order = {query.query_id: index for index, query in enumerate(queries)}
        return tuple(sorted(trajectories, key=lambda t: (order[t.query_id], t.exposure, t.turn)))

    def _asked(self, query: Query) -> list[tuple[SocialGroup, ...]]:
        """The groups that answer a question together: all of them, or a panel at a time."""
        everyone = self.groups.members
        if self.panels is None:
            return [everyone]
        return [tuple(everyone[place] for place in self.panels.places(one)) for one in self.panels.of(query.query_id)]

    def _open(self, query: Query, exposure: Exposure, members: Sequence[SocialGroup]) -> _Episode:
        key = stable_seed(f"wording:{self.config.seed}:{query.query_id}:{exposure}")
        seats = []
        for group in members:
            wording, told = key % group.wordings(exposure), told_in(query, group.language)
            conversation = first_turn(told, group, exposure, wording, self.prompt)
            seats.append(Asked(told, group, exposure, wording, 0, conversation, self.prompt.options))
        return tuple(seats)

    def _answer(self, episodes: Sequence[_Episode]) -> list[list[Trajectory]]:
        agents, seats = self.agents, [seat for episode in episodes for seat in episode]
        observations = agents.observe(seats)
        weighed = agents.weigh(seats, observations)
        drawn_from = self.actors.weigh(seats, observations) if self.adapted else weighed
        generated = self._generate([o for o, seat in zip(observations, seats, strict=True) if not seat.query.options])
        pushed = [one for episode in episodes for one in self._asserted(episode)]
        drafts = iter(
            self._draft(seat, observation, options, drawn, generated.get(observation), assertion)
            for seat, observation, options, drawn, assertion in zip(
                seats, observations, weighed, drawn_from, pushed, strict=True
            )
        )
        return [_with_disagreement(episode[0].query, [next(drafts) for _ in episode]) for episode in episodes]

    def _generate(self, open_ended: Sequence[Observation]) -> dict[Observation, list[_Reply]]:
        """K replies to every observation whose answers cannot be enumerated."""
        if not open_ended:
            return {}
        agents, samples = self.agents, self.config.samples
        replies: dict[Observation, list[Written]] = {}
        for places in agents.batches(open_ended, samples):
            asked = [open_ended[place] for place in places]
            drawn = self._sample(asked)
            replies |= {o: drawn[i * samples : (i + 1) * samples] for i, o in enumerate(asked)}
        self._check([(observation.prompt, replies[observation]) for observation in open_ended])
        ids = {o: [reply.ids for reply in written] for o, written in replies.items()}
        written = [ids[observation] for observation in open_ended]
        scores = agents.score(open_ended, written)
        temperature, own = self.config.temperature, self.adapted
        drawn_by = self.actors.score(open_ended, written, temperature) if own or temperature != 1 else scores
        return {
            observation: [_Reply(*one) for one in zip(texts, own, behaviour, strict=True)]
            for observation, texts, own, behaviour in zip(open_ended, written, scores, drawn_by, strict=True)
        }

    def _check(self, answered: Sequence[tuple[Sequence[int], Sequence[Written]]]) -> None:
        """Sees to it that a server samples what is scored."""
        if self.served and self.policy is not None:
            self.served.check(self.policy, self._sampling(), answered)
        elif self.served:
            self.served.check_own(answered)

    def _sampling(self, seed: int = 0) -> Sampling:
        return Sampling(self.config.max_new_tokens, self.config.temperature, seed)

    def _sample(self, observations: Sequence[Observation]) -> list[Written]:
        """K replies of the behaviour policy to each observation, as one batch."""
        first = observations[0]
        key = f"replies:{self.config.seed}:{first.query_id}:{first.group}:{first.exposure}:{first.turn}"
        sampling = self._sampling(stable_seed(key) % 2**32)
        if self.served:
            prompts = [observation.prompt for observation in observations]
            return self.served.generate(prompts, sampling, samples=self.config.samples)
        drawn = self.actors.decode(observations, sampling, samples=self.config.samples)
        return [Written(ids) for ids in drawn]

    def _draft(
        self,
        seat: Asked,
        observation: Observation,
        options: ScoredOptions,
        drawn_from: ScoredOptions,
        replies: list[_Reply] | None,
        pushed: Assertion | None,
    ) -> Trajectory:
        query, group = seat.query, seat.group.name
        if replies is None:
            samples = tuple(
                _option_sample(query, group, k, _Reply(options.actions[k], options.scores[k], math.log(share)))
                for k, share in self._draw(observation, drawn_from)
            )
        else:
            samples = tuple(self._text_sample(seat, reply) for reply in replies)
        return Trajectory(
            query_id=query.query_id,
            cluster=query.cluster,
            split=query.split,
            kind=query.kind,
            group=group,
            exposure=seat.exposure,
            wording=seat.wording,
            turn=seat.turn,
            topology=self.environment.topology,
            prompt=observation.prompt,
            options=options.actions,
            option_log_probabilities=options.scores,
            gold=query.gold_index if isinstance(query, TruthQuery) and options.actions else None,
            target=query.targets[group] if isinstance(query, PreferenceQuery) else None,
            samples=samples,
            option_sizes=options.sizes,
            unasked=options.unasked,
            unasked_log_probabilities=options.unasked_scores,
            adversary=pushed.kind if pushed else "",
            asserted=pushed.answer if pushed else "",
        )

    def _draw(self, observation: Observation, options: ScoredOptions) -> list[tuple[int, float]]:
        """K options and their probabilities, from the distribution that an audit would report at the temperature."""
        o = observation
        generator = np.random.default_rng(
            stable_seed(f"options:{self.config.seed}:{o.query_id}:{o.group}:{o.exposure}:{o.turn}")
        )
        shares = option_shares(options.values, self.scoring, self.config.temperature)
        drawn = generator.choice(len(shares), size=self.config.samples, p=shares)
        return [(int(k), shares[k]) for k in drawn]

    def _hear(self, episode: _Episode, answers: Sequence[Trajectory]) -> _Episode:
        """The seats of the next turn: every agent has its own sample 0 and its neighbours' before it."""
        query, turn = episode[0].query, episode[0].turn
        heard = self._heard(query, turn, len(episode))
        following = tuple(replace(seat, turn=turn + 1) for seat in episode)
        seats = []
        for index, (seat, pushed) in enumerate(zip(following, self._asserted(following), strict=True)):
            own: Content = self._spoken(query, answers[index].samples[0])
            others = [answers[other].samples[0].text for other in heard[index]]
            if pushed:
                own, others = pushed.own or own, pushed.among(others)
            conversation = revision_turn(seat.conversation, own, others, self.prompt)
            seats.append(replace(seat, conversation=conversation))
        return tuple(seats)

    def _heard(self, query: Query, turn: int, agents: int) -> Mapping[int, tuple[int, ...]]:
        """Whose answers of a turn each of the agents hears in the next one."""
        return neighbours(self.environment.topology, agents, f"edges:{self.config.seed}:{query.query_id}:{turn}")

    def _asserted(self, episode: _Episode) -> list[Assertion | None]:
        """What somebody asserts to each agent in its turn."""
        query, turn = episode[0].query, episode[0].turn
        if not turn:
            return [None for _ in episode]
        heard = self._heard(query, turn - 1, len(episode))
        return [
            assertion(seat, len(heard[place]), self.environment.adversary, self.config.seed)
            for place, seat in enumerate(episode)
        ]

    def _spoken(self, query: Query, sample: Sample) -> tuple[int, ...]:
        """The agent's own reply as it stands in its conversation: the text's tokens without the end token."""
        if self.scoring.kind == "letter" and query.options:
            return self.renderer.encode(sample.text)
        return self.renderer.spoken(sample.token_ids)

    def _text_sample(self, seat: Asked, reply: _Reply) -> Sample:
        query, group = seat.query, seat.group.name
        answer = self.agents.said(group, reply.ids)
        parsed = read(seat, answer)
        truth = truth_reward(query, parsed.canonical) if isinstance(query, TruthQuery) else None
        form = query.forms.get(group) if isinstance(query, MixedQuery) else None
        preference = form_reward(form, answer.text) if form else None
        return reply.sample(answer.text, known(query, parsed.canonical), parsed.status, truth, preference)


@dataclass(frozen=True)
class _Reply:
    """Token ids, and their log-probability under the base model and under the behaviour policy."""

    ids: tuple[int, ...]
    log_probability: float
    behaviour: float

    def sample(
        self, text: str, canonical: str | None, status: str, truth: float | None, preference: float | None
    ) -> Sample:
        """As it is stored, before the other agents' answers are known."""
        return Sample(self.ids, self.log_probability, text, canonical, status, truth, preference, None, self.behaviour)


def _option_sample(query: Query, group: str, index: int, reply: _Reply) -> Sample:
    option = query.options[index]
    preference = (
        preference_reward_of_choice(query.targets[group], index) if isinstance(query, PreferenceQuery) else None
    )
    truth = float(is_correct(query, option)) if isinstance(query, TruthQuery) else None
    return reply.sample(option, known(query, option), "scored", truth, preference)


def _with_disagreement(query: Query, drafts: Sequence[Trajectory]) -> list[Trajectory]:
    """Fills in d_g: one minus the mean share of each other agent's samples that gave the same answer."""
    if not isinstance(query, TruthQuery):
        return list(drafts)
    answers = [[sample.canonical for sample in draft.samples] for draft in drafts]
    result = []
    for index, draft in enumerate(drafts):
        # Every agent has K samples, so one pool of the others' samples weighs the agents equally.
        others = [answer for i, pool in enumerate(answers) if i != index for answer in pool]
        samples = tuple(replace(s, disagreement=disagreement(others, s.canonical)) for s in draft.samples)
        result.append(replace(draft, samples=samples))
    return result
