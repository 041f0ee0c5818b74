"""Who answers an audit: the seam between what is asked and the model behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

from trialign.environment import Conversation, check_fits, observe, option_actions
from trialign.groups import Exposure, SocialGroup
from trialign.models import ChatRenderer
from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow
from trialign.policy.group_policy import Sampling
from trialign.policy.scoring import length_batches, score_rows
from trialign.queries import Query
from trialign.queries.reading.labels import Shown
from trialign.queries.statuses import UnreadStatus
from trialign.scoring import Scoring


@dataclass(frozen=True)
class Asked:
    """One question as it is put to one agent.

    Attributes:
        wording: which wording of the profile.
        repeat: which asking of the same agent in the same words, from 0.
        conversation: everything that the agent is told, ending with the question.
        shown: how the question shows its options; None: that is not known.
        follow_up: whether it asks what an earlier reply in the conversation meant; without an answer, that one stands.
    """

    query: Query
    group: SocialGroup
    exposure: Exposure
    wording: int
    repeat: int
    conversation: Conversation
    shown: Shown | None = None
    follow_up: bool = False

    @property
    def called(self) -> str:
        """What an error calls it."""
        return f"'{self.query.query_id}', group '{self.group.name}'"


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
    """

    text: str
    option_probabilities: tuple[float, ...] | None = None
    adapter_sha256: str | None = None
    unread: UnreadStatus | None = None
    cut_off: bool = False
    held: str | None = None


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
    """

    policy: GroupPolicy
    renderer: ChatRenderer
    scoring: Scoring
    max_new_tokens: int
    batch_tokens: int
    adapter_sha256: Mapping[str, str | None] = field(default_factory=dict)
    repeats: int = 1

    def answer(self, asked: Sequence[Asked]) -> Iterator[Answer]:
        """An answer to each question: all choices in one go, then all replies.

        Raises:
            UserError: a profile with a question does not fit the base model's context.
        """
        prompts = [self._prompt(one) for one in asked]
        answers: dict[int, Answer] = {}
        for kind, give in ((True, self._choose), (False, self._reply)):
            places = [place for place, one in enumerate(asked) if bool(one.query.options) is kind]
            if places:
                given = give([asked[place] for place in places], [prompts[place] for place in places])
                answers.update(zip(places, given, strict=True))
        return iter([answers[place] for place in range(len(asked))])

    def _prompt(self, asked: Asked) -> tuple[int, ...]:
        observation = observe(
            asked.query, asked.group, asked.exposure, asked.wording, 0, asked.conversation, self.renderer
        )
        longest = max((len(self.renderer.reply(option)) for option in asked.query.options), default=self.max_new_tokens)
        check_fits(observation, longest, self.policy.context_length)
        return observation.prompt

    @torch.inference_mode()
    def _choose(self, asked: Sequence[Asked], prompts: Sequence[tuple[int, ...]]) -> list[Answer]:
        actions = [option_actions(one.query, self.scoring, self.renderer) for one in asked]
        rows = [
            TreeRow(
                self.policy.adapter_index(one.group.name),
                (Segment(prompt, ROOT), *(Segment(action, 0, action=True) for action in options)),
            )
            for one, prompt, options in zip(asked, prompts, actions, strict=True)
        ]
        scores = score_rows(self.policy, rows, batch_tokens=self.batch_tokens, called=[one.called for one in asked])
        answers = []
        for one, options, values in zip(asked, actions, scores, strict=True):
            probabilities = self.scoring.distribution(values, [len(option) for option in options])
            best = max(range(len(probabilities)), key=probabilities.__getitem__)
            answers.append(Answer(one.query.options[best], probabilities, self.adapter_sha256.get(one.group.name)))
        return answers

    @torch.inference_mode()
    def _reply(self, asked: Sequence[Asked], prompts: Sequence[tuple[int, ...]]) -> list[Answer]:
        sampling = Sampling(max_new_tokens=self.max_new_tokens)
        replies: dict[int, tuple[int, ...]] = {}
        for places in length_batches([len(prompt) + self.max_new_tokens for prompt in prompts], self.batch_tokens):
            written = self.policy.generate(
                [prompts[place] for place in places],
                [asked[place].group.name for place in places],
                self.renderer.end_ids,
                sampling,
                called=[asked[place].called for place in places],
            )
            replies.update(zip(places, written, strict=True))
        return [
            Answer(
                self.renderer.decode(replies[place]),
                None,
                self.adapter_sha256.get(one.group.name),
                cut_off=not self.renderer.ended(replies[place]),
            )
            for place, one in enumerate(asked)
        ]
