"""One question to all agents of a checkpoint as one batch, and what each thinks of the others' answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from trialign.environment import PromptConfig, check_fits, first_turn, observe, option_actions
from trialign.errors import UserError
from trialign.groups import Exposure, SocialGroup
from trialign.models import ChatRenderer
from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow
from trialign.policy.group_policy import Sampling
from trialign.policy.scoring import score_rows
from trialign.queries import PreferenceQuery, Query
from trialign.queries.endings import read_reply
from trialign.scoring import Scoring

LONGEST_QUESTION = 4000  # characters
LONGEST_OPTION = 400  # characters
MOST_OPTIONS = 12
LONGEST_REPLY = 64  # tokens

Watch = Callable[[Sequence[str]], bool]


@dataclass(frozen=True)
class Reply:
    """What one agent said.

    Attributes:
        canonical: the reply read as an answer; None where it holds none.
        finished: whether the agent ended its reply itself; else it was cut off.
        probabilities: one an option, in their order; None for a reply in free text.
        adapter_sha256: hash of the adapter that answered; None for the base weights.
    """

    group: str
    label: str
    text: str
    canonical: str | None
    finished: bool
    probabilities: tuple[float, ...] | None
    adapter_sha256: str | None


@dataclass(frozen=True)
class Answers:
    """What all agents of one checkpoint said to one question.

    Attributes:
        run: id of the run.
        step: of the checkpoint; 0 for the base model with the groups' profiles.
        checkpoint_sha256: of its manifest, which holds the hash of every file; None for step 0.
        likelihood: [i][j] in [0, 1]: how likely agent i finds the reply of agent j: its probability for the
            option, or for a text the geometric mean of its probabilities for the tokens.
    """

    run: str
    step: int
    checkpoint_sha256: str | None
    replies: tuple[Reply, ...]
    likelihood: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Asked:
    """One question on its way to some agents.

    Attributes:
        query: a typed question (`typed_query`) or one of an audit.
        groups: names of the groups that answer, in this order; ``control`` is the base model without a profile.
    """

    query: Query
    exposure: Exposure
    groups: tuple[str, ...]

    @property
    def called(self) -> tuple[str, ...]:
        """What an error calls it, by group."""
        return tuple(f"'{self.query.query_id}', group '{group}'" for group in self.groups)


def typed_query(question: str, options: Sequence[str]) -> Query:
    """A question as a person types it, refused at the door if it is too long or malformed.

    Raises:
        UserError: says what is wrong with it.
    """
    question, options = question.strip(), [option.strip() for option in options]
    if not question:
        raise UserError("The question is empty", "Write one, or pick one of the audited questions")
    if len(question) > LONGEST_QUESTION:
        raise UserError(
            f"The question has {len(question):,} characters, and at most {LONGEST_QUESTION:,} are taken", "Shorten it"
        )
    if len(options) == 1 or len(set(options)) < len(options) or not all(options):
        raise UserError("The options are one alone, empty, or one twice", "Give none, or at least two different ones")
    if len(options) > MOST_OPTIONS or any(len(option) > LONGEST_OPTION for option in options):
        raise UserError(
            "There are too many options, or one is too long",
            f"Give at most {MOST_OPTIONS}, each of at most {LONGEST_OPTION} characters",
        )
    return PreferenceQuery.asked(question, options)


@dataclass(frozen=True)
class Agents:
    """The agents that are loaded, and how they are asked.

    Attributes:
        groups: who they are, by name, the control included.
        adapter_sha256: group -> hash of the adapter that answers for it; empty for the base model.
        trained: False sends every question through the base weights.
    """

    policy: GroupPolicy
    renderer: ChatRenderer
    prompt: PromptConfig
    scoring: Scoring
    groups: Mapping[str, SocialGroup]
    adapter_sha256: Mapping[str, str | None]
    trained: bool

    @torch.inference_mode()
    def answer(self, asked: Asked, watch: Watch) -> tuple[tuple[Reply, ...], tuple[tuple[float, ...], ...]]:
        """All groups' replies, as one batch, and the likelihood that each gives to the others'.

        Args:
            asked: the question.
            watch: is shown the replies so far, in the groups' order; if it returns True they end there.

        Raises:
            UserError: there is no such group, it has no such profile, or profile and question do not fit the
                base model's context.
        """
        prompts = [self._prompt(asked, self._group(name, asked.exposure)) for name in asked.groups]
        if asked.query.options:
            return self._choose(asked, prompts)
        return self._reply(asked, prompts, watch)

    def _group(self, name: str, exposure: Exposure) -> SocialGroup:
        group = self.groups.get(name)
        if group is None or not group.wordings(exposure):
            raise UserError(
                f"The agents have no group '{name}'" if group is None else f"'{group.label}' has no {exposure} profile",
                "Choose other groups, other agents or the other kind of profile",
            )
        return group

    def _prompt(self, asked: Asked, group: SocialGroup) -> tuple[int, ...]:
        conversation = first_turn(asked.query, group, asked.exposure, 0, self.prompt)
        observation = observe(asked.query, group, asked.exposure, 0, 0, conversation, self.renderer)
        longest = max((len(self.renderer.reply(option)) for option in asked.query.options), default=LONGEST_REPLY)
        check_fits(observation, longest, self.policy.context_length)
        return observation.prompt

    def _choose(
        self, asked: Asked, prompts: Sequence[tuple[int, ...]]
    ) -> tuple[tuple[Reply, ...], tuple[tuple[float, ...], ...]]:
        options = asked.query.options
        actions = option_actions(asked.query, self.scoring, self.renderer)
        lengths = [len(action) for action in actions]
        shares = [self.scoring.distribution(scores, lengths) for scores in self._score(asked, prompts, actions)]
        chosen = [max(range(len(options)), key=share.__getitem__) for share in shares]
        replies = tuple(
            self._made(name, options[choice], options[choice], True, share)
            for name, choice, share in zip(asked.groups, chosen, shares, strict=True)
        )
        return replies, tuple(tuple(share[choice] for choice in chosen) for share in shares)

    def _reply(
        self, asked: Asked, prompts: Sequence[tuple[int, ...]], watch: Watch
    ) -> tuple[tuple[Reply, ...], tuple[tuple[float, ...], ...]]:
        ids = self.policy.generate(
            prompts,
            asked.groups,
            self.renderer.end_ids,
            Sampling(max_new_tokens=LONGEST_REPLY),
            called=asked.called,
            reference=not self.trained,
            watch=lambda rows: watch([self.renderer.decode(row) for row in rows]),
        )
        texts = [self.renderer.decode(row) for row in ids]
        ended = [self.renderer.ended(row) for row in ids]
        read = [
            read_reply(asked.query, text, cut_off=not whole, shown=self.prompt.options).canonical
            for text, whole in zip(texts, ended, strict=True)
        ]
        replies = tuple(
            self._made(name, text, canonical, whole, None)
            for name, text, canonical, whole in zip(asked.groups, texts, read, ended, strict=True)
        )
        scores = self._score(asked, prompts, ids)
        return replies, tuple(
            tuple(math.exp(score / len(row)) for score, row in zip(values, ids, strict=True)) for values in scores
        )

    def _score(
        self, asked: Asked, prompts: Sequence[tuple[int, ...]], actions: Sequence[tuple[int, ...]]
    ) -> list[tuple[float, ...]]:
        branches = tuple(Segment(action, 0, action=True) for action in actions)
        rows = [
            TreeRow(self.policy.adapter_index(name), (Segment(prompt, ROOT), *branches))
            for name, prompt in zip(asked.groups, prompts, strict=True)
        ]
        return score_rows(self.policy, rows, reference=not self.trained, called=asked.called)

    def _made(
        self, name: str, text: str, canonical: str | None, finished: bool, shares: tuple[float, ...] | None
    ) -> Reply:
        return Reply(name, self.groups[name].label, text, canonical, finished, shares, self.adapter_sha256.get(name))
