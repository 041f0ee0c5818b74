"""Asking agents: the seam between what is asked and the model behind it, and the agents whose weights are here.

Audits, live questions and collections ask through `LocalAgents`: there alone a conversation becomes token ids that fit
the model's context, and scores and token ids become answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch

from trialign.environment import Observation
from trialign.errors import UserError
from trialign.keeping import Kept, KeptScores, Reply, reply_key, score_key
from trialign.models import ChatRenderer
from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow
from trialign.policy.group_policy import Sampling
from trialign.policy.scoring import length_batches, score_rows
from trialign.queries.answers import ParsedAnswer
from trialign.queries.endings import read_reply
from trialign.queries.statuses import UnreadStatus
from trialign.scoring import ScoredOptions, Scoring, likeliest
from trialign.weighing import Asked, Weighing

Watch = Callable[[Sequence[str]], bool]


Route = Callable[[Sequence[Asked]], Sequence[Asked]]


@dataclass(frozen=True)
class Answer:
    """What an agent says.

    Attributes:
        text: the option that it finds most probable, or its reply.
        held: the option that the reply is, where the server held it to the options; None: the text is to be read.
        option_probabilities: S_g, aligned with the query's options; None: the text is a reply that is to be read.
        adapter_sha256: hash of the adapter that answered; None for a model without one.
        unread: why there is no answer, whatever the text says; None: the text is to be read.
        cut_off: whether the reply ended at the longest length allowed, not by itself.
        token_ids: of a reply that was decoded here, its end included; empty for every other answer.
        nats: see `Reply`.
    """

    text: str
    option_probabilities: tuple[float, ...] | None = None
    adapter_sha256: str | None = None
    unread: UnreadStatus | None = None
    cut_off: bool = False
    held: str | None = None
    token_ids: tuple[int, ...] = ()
    nats: float | None = None


class Agents(Protocol):
    """The agents of all groups."""

    @property
    def repeats(self) -> int:
        """How often every question is put in the same words: once to agents that answer alike each time."""
        ...

    @property
    def scoring(self) -> Scoring | None:
        """How options become a distribution; None where replies are read instead."""
        ...

    def answer(self, asked: Sequence[Asked]) -> Iterator[Answer]:
        """An answer to each question, in the order asked.

        Raises:
            UserError: a question cannot be put to these agents.
        """
        ...


@dataclass(frozen=True)
class LocalAgents:
    """Agents whose weights are in this process: options are scored, other answers decoded greedily.

    Attributes:
        max_new_tokens: longest decoded reply.
        batch_tokens: most positions in one forward pass, of a reply those that it may take.
        adapter_sha256: group name -> hash of its adapter file; a group without one answers with the base weights.
        reference: whether the base weights answer, whatever the group.
        kept: replies that were decoded before; None: none are kept.
        scores: of options, that the base weights alone gave before; None: none are kept.
        route: puts questions otherwise, or to other weights, before anything is made of them; None: as they are asked.
    """

    policy: GroupPolicy
    renderer: ChatRenderer
    scoring: Scoring
    max_new_tokens: int
    batch_tokens: int
    adapter_sha256: Mapping[str, str | None] = field(default_factory=dict)
    repeats: int = 1
    reference: bool = False
    kept: Kept | None = None
    scores: KeptScores | None = None
    route: Route | None = None

    def answer(self, asked: Sequence[Asked], watch: Watch | None = None) -> Iterator[Answer]:
        """An answer to each question: all choices in one go, then all replies.

        Args:
            asked: the questions.
            watch: is shown all replies so far after every token, in the order asked; if it returns True they end
                there. They are one batch then, whatever its size.

        Raises:
            UserError: a profile with a question does not fit the base model's context, or a score is not a number.
        """
        observations = self.observe(asked)
        answers: dict[int, Answer] = {}
        choices = [place for place, one in enumerate(asked) if one.scored]
        if choices:
            chosen = self._choose([asked[place] for place in choices], [observations[place] for place in choices])
            answers.update(zip(choices, chosen, strict=True))
        others = [place for place, one in enumerate(asked) if not one.scored]
        if others:
            replies = self._reply([asked[place] for place in others], [observations[place] for place in others], watch)
            answers.update(zip(others, replies, strict=True))
        return iter([answers[place] for place in range(len(asked))])

    def observe(self, asked: Sequence[Asked]) -> list[Observation]:
        """What each agent has before it, with room for the longest reply.

        Raises:
            UserError: a profile with a question does not fit the base model's context.
        """
        return self.weighing.observe(self._routed(asked))

    @property
    def weighing(self) -> Weighing:
        """What makes token ids of what is asked, with room for the longest reply."""
        return Weighing(self.renderer, self.scoring, self.max_new_tokens, self.policy.context_length)

    def _routed(self, asked: Sequence[Asked]) -> Sequence[Asked]:
        return self.route(asked) if self.route else asked

    def score(
        self,
        observations: Sequence[Observation],
        actions: Sequence[Sequence[tuple[int, ...]]],
        temperature: float = 1.0,
    ) -> list[tuple[float, ...]]:
        """Log-probabilities of actions after each observation, in nats; none where it has no actions.

        Raises:
            UserError: a score is not a number.
        """
        scored = [place for place, own in enumerate(actions) if own]
        rows = [
            TreeRow(
                self.policy.adapter_index(observations[place].group),
                (
                    Segment(observations[place].prompt, ROOT),
                    *(Segment(action, 0, action=True) for action in actions[place]),
                ),
            )
            for place in scored
        ]
        values = score_rows(
            self.policy,
            rows,
            reference=self.reference,
            batch_tokens=self.batch_tokens,
            called=[observations[place].called for place in scored],
            temperature=temperature,
        )
        found = dict(zip(scored, values, strict=True))
        return [found.get(place, ()) for place in range(len(observations))]

    def weigh(self, asked: Sequence[Asked], observations: Sequence[Observation]) -> list[ScoredOptions]:
        """The options of every question, after what the agents have before them; empty where there are none.

        Raises:
            UserError: a score is not a number.
        """
        told = self._routed(asked) if self.scoring.kind == "pmi" else asked
        return self.weighing.weigh(told, observations, self._scores)

    def _scores(
        self, observations: Sequence[Observation], actions: Sequence[Sequence[tuple[int, ...]]]
    ) -> Sequence[tuple[float, ...]]:
        """As `score` has them; those that the base weights gave before are taken from where they are kept."""
        if self.scores is None:
            return self.score(observations, actions)
        keys = [
            score_key(observation.prompt, own) if own and self._adapter(observation.group) is None else None
            for observation, own in zip(observations, actions, strict=True)
        ]
        known = {key: scores for key in keys if key is not None and (scores := self.scores.get(key)) is not None}
        asked = [() if key in known else own for key, own in zip(keys, actions, strict=True)]
        found = self.score(observations, asked)
        new = {key: scores for key, scores in zip(keys, found, strict=True) if key is not None and key not in known}
        self.scores.keep(new)
        known |= new
        return [scores if key is None else known[key] for key, scores in zip(keys, found, strict=True)]

    def _adapter(self, group: str) -> str | None:
        """Hash of the adapter that answers for a group; None where the base weights alone do."""
        return None if self.reference else self.adapter_sha256.get(group)

    def batches(self, observations: Sequence[Observation], samples: int = 1) -> list[list[int]]:
        """Places of the observations whose replies are decoded together: as many as ``batch_tokens`` allow."""
        sizes = [samples * (len(observation.prompt) + self.max_new_tokens) for observation in observations]
        return length_batches(sizes, self.batch_tokens)

    def decode(
        self,
        observations: Sequence[Observation],
        sampling: Sampling,
        *,
        samples: int = 1,
        watch: Watch | None = None,
    ) -> list[tuple[int, ...]]:
        """Token ids of ``samples`` replies to the first observation, then to the second, and so on, as one batch.

        Raises:
            UserError: the model's scores of the next token are not numbers.
        """
        return self.policy.generate(
            [observation.prompt for observation in observations],
            [observation.group for observation in observations],
            self.renderer.end_ids,
            sampling,
            called=[observation.called for observation in observations],
            reference=self.reference,
            samples=samples,
            watch=None if watch is None else lambda rows: watch([self.renderer.decode(row) for row in rows]),
        )

    def said(self, group: str, ids: tuple[int, ...]) -> Answer:
        """The answer that decoded token ids are."""
        return Answer(
            self.renderer.decode(ids),
            adapter_sha256=self.adapter_sha256.get(group),
            cut_off=not self.renderer.ended(ids),
            token_ids=ids,
        )

    @torch.inference_mode()
    def _choose(self, asked: Sequence[Asked], observations: Sequence[Observation]) -> list[Answer]:
        answers = []
        for one, seen, options in zip(asked, observations, self.weigh(asked, observations), strict=True):
            shares = self.scoring.distribution(options.values)
            answers.append(Answer(one.query.options[likeliest(shares)], shares, self.adapter_sha256.get(seen.group)))
        return answers

    @torch.inference_mode()
    def _reply(self, asked: Sequence[Asked], observations: Sequence[Observation], watch: Watch | None) -> list[Answer]:
        if watch is not None:
            sampling = Sampling(max_new_tokens=self.max_new_tokens)
            written = self.decode(observations, sampling, watch=watch)
            return [self.said(one.group, ids) for one, ids in zip(observations, written, strict=True)]
        keys = [self._key(*both) for both in zip(asked, observations, strict=True)]
        replies = {key: reply for key in keys if self.kept is not None and (reply := self.kept.get(key))}
        missing = [place for place, key in enumerate(keys) if key not in replies]
        for batch in self.batches([observations[place] for place in missing]):
            places = [missing[place] for place in batch]
            decoded = self._decoded([asked[place] for place in places], [observations[place] for place in places])
            found = dict(zip([keys[place] for place in places], decoded, strict=True))
            if self.kept is not None:
                self.kept.keep(found)
            replies.update(found)
        return [
            replace(self.said(one.group, replies[key].token_ids), nats=replies[key].nats)
            for one, key in zip(observations, keys, strict=True)
        ]

    def _decoded(self, asked: Sequence[Asked], observations: Sequence[Observation]) -> list[Reply]:
        """Replies as one batch; how likely the base model finds those that were asked for in words, the first time."""
        sampling = Sampling(max_new_tokens=self.max_new_tokens, alone=tuple(one.seed for one in asked))
        written = self.decode(observations, sampling)
        measured = [place for place, one in enumerate(asked) if one.in_words and one.wording == one.repeat == 0]
        if not measured:
            return [Reply(ids) for ids in written]
        base = replace(self, reference=True)
        scores = base.score([observations[place] for place in measured], [[written[place]] for place in measured])
        nats = {place: -score / len(written[place]) for place, (score,) in zip(measured, scores, strict=True)}
        return [Reply(ids, nats.get(place)) for place, ids in enumerate(written)]

    def _key(self, asked: Asked, observation: Observation) -> str:
        measured = asked.in_words and asked.wording == asked.repeat == 0
        adapter = self._adapter(observation.group)
        return reply_key(observation.prompt, observation.group, adapter, self.max_new_tokens, asked.seed, measured)


def read(asked: Asked, answer: Answer) -> ParsedAnswer:
    """The canonical answer, and how it was found; what was chosen among scored options needs no reading.

    Raises:
        UserError: options have probabilities that are not numbers.
    """
    if answer.unread is not None:
        return ParsedAnswer(None, answer.unread)
    if answer.option_probabilities is not None:
        _check_finite(asked, answer.option_probabilities)
        return ParsedAnswer(answer.text, "scored")
    if answer.held is not None:
        return ParsedAnswer(answer.held, "structured")
    return read_reply(asked.query, answer.text, cut_off=answer.cut_off, shown=asked.shown)


def _check_finite(asked: Asked, probabilities: Sequence[float]) -> None:
    """Refuses option probabilities that are no numbers: the first option would pass for the answer."""
    if not all(map(math.isfinite, probabilities)):
        raise UserError(
            f"The options of question '{asked.query.query_id}' have probabilities that are not finite numbers for "
            f"group '{asked.group.name}'",
            "Check the weights of the model and of this group's adapter for NaN and infinities",
        )
