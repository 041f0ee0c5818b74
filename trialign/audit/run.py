"""Running an audit: every group's deployed agent answers every question alone (turn 0)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from trialign import distributed
from trialign.audit.items import AuditItem
from trialign.checkpoints import AgentCheckpoint
from trialign.environment import PromptConfig, Scoring, check_fits, first_turn, observe, option_actions
from trialign.groups import Exposure, GroupSet, SocialGroup
from trialign.models import ChatRenderer
from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow
from trialign.policy.group_policy import Sampling
from trialign.policy.scoring import option_distribution, score_rows
from trialign.progress import Progress
from trialign.queries import MixedQuery, PreferenceQuery, Query, TruthQuery
from trialign.queries.answers import is_correct, parse_answer
from trialign.rewards import form_reward, preference_reward_of_distribution, truth_reward


@dataclass(frozen=True)
class AuditConfig:
    """What an audit asks.

    Attributes:
        exposures: how the profile reaches the agents; the first one is summarised.
        wordings: how many wordings of each profile are asked.
        max_new_tokens: longest reply to a question whose answers cannot be enumerated.
        batch_tokens: most positions in one forward pass.
        queries_per_batch: questions answered between two signs of progress.
        delta: the largest difference in accuracy between two groups that does not matter.
        alpha: level of every test; intervals have the confidence 1 - alpha.
    """

    exposures: tuple[Exposure, ...] = ("explicit",)
    wordings: int = 1
    max_new_tokens: int = 48
    batch_tokens: int = 4096
    queries_per_batch: int = 8
    delta: float = 0.05
    alpha: float = 0.05


@dataclass(frozen=True)
class _Asked:
    query: Query
    group: SocialGroup
    exposure: Exposure
    wording: int
    prompt: tuple[int, ...]


@dataclass(frozen=True)
class Auditor:
    """The agents under audit and how they are asked.

    Attributes:
        adapter_sha256: group name -> hash of its adapter file; empty for the base model.
    """

    policy: GroupPolicy
    renderer: ChatRenderer
    groups: GroupSet
    prompt: PromptConfig
    scoring: Scoring
    config: AuditConfig
    adapter_sha256: Mapping[str, str | None]

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
        return cls(policy, renderer, groups, prompt, scoring, config, hashes)

    def answer(self, queries: Sequence[Query], exposure: Exposure) -> list[AuditItem]:
        """Every group's answer to some queries at once, with each profile's first wording."""
        return self._answer([self._asked(q, g, exposure, 0) for q in queries for g in self.groups.everyone])

    def run(self, queries: Sequence[Query], title: str) -> list[AuditItem]:
        """Every group's answer to every query, shared out over the ranks and joined on all of them.

        Raises:
            UserError: a profile with a question does not fit the base model's context.
        """
        rank, ranks = distributed.rank(), distributed.world_size()
        mine = queries[rank::ranks]
        items: list[AuditItem] = []
        size = self.config.queries_per_batch
        with Progress(title, len(mine), "questions", shown=rank == 0) as progress, torch.inference_mode():
            for begin in range(0, len(mine), size):
                chunk = mine[begin : begin + size]
                items.extend(self._answer([asked for query in chunk for asked in self._ask(query)]))
                progress.advance(len(chunk))
        return [item for part in distributed.gather(items) for item in part]

    def _ask(self, query: Query) -> list[_Asked]:
        return [
            self._asked(query, group, exposure, wording)
            for exposure in self.config.exposures
            for group in self.groups.everyone
            for wording in range(min(self.config.wordings, group.wordings(exposure)))
        ]

    def _asked(self, query: Query, group: SocialGroup, exposure: Exposure, wording: int) -> _Asked:
        conversation = first_turn(query, group, exposure, wording, self.prompt)
        observation = observe(query, group, exposure, wording, 0, conversation, self.renderer)
        longest = max(
            (len(self.renderer.reply(option)) for option in query.options), default=self.config.max_new_tokens
        )
        check_fits(observation, longest, self.policy.context_length)
        return _Asked(query, group, exposure, wording, observation.prompt)

    def _answer(self, asked: Sequence[_Asked]) -> list[AuditItem]:
        choices = [a for a in asked if a.query.options]
        open_ended = [a for a in asked if not a.query.options]
        return [*self._choose(choices), *self._reply(open_ended)]

    def _choose(self, asked: Sequence[_Asked]) -> list[AuditItem]:
        actions = [option_actions(a.query, self.scoring, self.renderer) for a in asked]
        rows = [
            TreeRow(
                self.policy.adapter_index(a.group.name),
                (Segment(a.prompt, ROOT), *(Segment(action, 0, action=True) for action in options)),
            )
            for a, options in zip(asked, actions, strict=True)
        ]
        scores = score_rows(self.policy, rows, batch_tokens=self.config.batch_tokens)
        items = []
        for one, options, values in zip(asked, actions, scores, strict=True):
            probabilities = option_distribution(values, [len(option) for option in options], self.scoring)
            items.extend(self._choice_items(one, probabilities))
        return items

    def _choice_items(self, asked: _Asked, probabilities: tuple[float, ...]) -> list[AuditItem]:
        query = asked.query
        answer = query.options[max(range(len(probabilities)), key=probabilities.__getitem__)]
        correct = is_correct(query, answer) if isinstance(query, TruthQuery) else None
        return [
            self._item(
                asked,
                scored_for,
                answer=answer,
                canonical=answer,
                parse_status="scored",
                correct=correct,
                reward_preference=(
                    preference_reward_of_distribution(query.targets[scored_for], probabilities)
                    if isinstance(query, PreferenceQuery) and scored_for in query.targets
                    else None
                ),
                option_probabilities=probabilities,
            )
            for scored_for in self._scored_for(asked)
        ]

    def _scored_for(self, asked: _Asked) -> list[str]:
        """The groups whose targets score an answer: its own, and for a member's taste the others' too (swapped)."""
        if not isinstance(asked.query, PreferenceQuery) or asked.group.role == "control":
            return [asked.group.name]
        return list(self.groups.names)

    def _reply(self, asked: Sequence[_Asked]) -> list[AuditItem]:
        if not asked:
            return []
        sampling = Sampling(max_new_tokens=self.config.max_new_tokens)
        groups = [one.group.name for one in asked]
        replies = self.policy.generate([one.prompt for one in asked], groups, self.renderer.end_id, sampling)
        return [self._reply_item(one, self.renderer.decode(ids)) for one, ids in zip(asked, replies, strict=True)]

    def _reply_item(self, asked: _Asked, text: str) -> AuditItem:
        query = asked.query
        parsed = parse_answer(query, text)
        form = query.forms.get(asked.group.name) if isinstance(query, MixedQuery) else None
        return self._item(
            asked,
            asked.group.name,
            answer=text,
            canonical=parsed.canonical,
            parse_status=parsed.status,
            correct=bool(truth_reward(query, parsed.canonical)) if isinstance(query, TruthQuery) else None,
            reward_preference=form_reward(form, text) if form else None,
            option_probabilities=None,
        )

    def _item(
        self,
        asked: _Asked,
        scored_for: str,
        *,
        answer: str,
        canonical: str | None,
        parse_status: str,
        correct: bool | None,
        reward_preference: float | None,
        option_probabilities: tuple[float, ...] | None,
    ) -> AuditItem:
        query = asked.query
        return AuditItem(
            query_id=query.query_id,
            cluster=query.cluster,
            kind=query.kind,
            split=query.split,
            topic=query.topic,
            group=scored_for,
            role=asked.group.role,
            exposure=asked.exposure,
            wording=asked.wording,
            profile_group=asked.group.name,
            answer=answer,
            canonical=canonical,
            parse_status=parse_status,
            correct=correct,
            reward_truth=None if correct is None else float(correct),
            reward_preference=reward_preference,
            option_probabilities=option_probabilities,
            adapter_sha256=self.adapter_sha256.get(asked.group.name),
        )
