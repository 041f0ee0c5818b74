"""Scores that are not numbers end in a sentence that names them: the likeliest of NaN looks like an answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from trialign.asking import LocalAgents
from trialign.dashboard.live.asking import Question, ask
from trialign.environment import EnvironmentConfig, PromptConfig, first_turn
from trialign.errors import UserError
from trialign.groups import GroupSet
from trialign.models import ChatRenderer
from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow
from trialign.policy.group_policy import Sampling
from trialign.policy.scoring import score_rows
from trialign.queries import Query
from trialign.scoring import Scoring
from trialign.trajectories.collection import CollectConfig, Collector
from trialign.weighing import Asked

pytestmark = pytest.mark.unit

MakePolicy = Callable[..., GroupPolicy]
NO_END = 399


@pytest.fixture
def broken(make_policy: MakePolicy) -> GroupPolicy:
    """Agents of which south's has a weight that is not a number."""
    policy = make_policy().eval()
    with torch.no_grad():
        policy.base.model.layers[0].self_attn.q_proj.lora_B["south"].weight[0, 0] = float("nan")
    return policy


def one_row(policy: GroupPolicy, group: str) -> TreeRow:
    return TreeRow(policy.adapter_index(group), (Segment((5, 90, 41), ROOT), Segment((17, 2), 0, action=True)))


def test_a_score_is_refused_by_name(broken: GroupPolicy) -> None:
    rows = [one_row(broken, group) for group in ("north", "island", "control")]
    assert all(score < 0 for (score,) in score_rows(broken, rows))
    rows.append(one_row(broken, "south"))
    with pytest.raises(UserError, match="score for the fourth is not a number") as refusal:
        score_rows(broken, rows, called=["the first", "the second", "the third", "the fourth"])
    assert "float32" in refusal.value.remedy
    assert all(score < 0 for (score,) in score_rows(broken, rows, reference=True))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("samples", [1, 2])
def test_a_reply_is_refused_by_name(broken: GroupPolicy, temperature: float, samples: int) -> None:
    prompts, groups = [(5, 90, 41), (7, 8)], ["north", "south"]
    sampling = Sampling(2, temperature)
    assert len(broken.generate(prompts, ["north", "island"], NO_END, sampling, samples=samples)) == 2 * samples
    with pytest.raises(UserError, match="next token for the second are not numbers"):
        broken.generate(prompts, groups, NO_END, sampling, samples=samples, called=["the first", "the second"])


def test_a_token_that_a_model_excludes_is_no_fault(make_policy: MakePolicy) -> None:
    policy = make_policy()
    whole = policy.generate([(5, 90)], ["north"], NO_END, Sampling(1))[0][0]
    head = policy.base.get_output_embeddings()
    excluded = torch.zeros(400)
    excluded[whole] = float("-inf")
    head.register_forward_hook(lambda layer, inputs, logits: logits + excluded)
    assert policy.generate([(5, 90)], ["north"], NO_END, Sampling(1))[0][0] != whole


ASKED = pytest.mark.parametrize("name", ["capital", "sum"])  # options that are scored, and a reply that is written


@ASKED
def test_an_audit_names_question_and_group(
    broken: GroupPolicy, renderer: ChatRenderer, groups: GroupSet, queries: tuple[Query, ...], name: str
) -> None:
    agents = LocalAgents(broken, renderer, Scoring(), 4, 4096)
    [query] = [one for one in queries if one.query_id == name]
    asked = [
        Asked(query, group, "explicit", 0, 0, first_turn(query, group, "explicit", 0, PromptConfig()))
        for group in groups.everyone
    ]
    with pytest.raises(UserError, match=rf"for '{name}', group 'south'"):
        list(agents.answer(asked))


@ASKED
def test_a_collection_names_question_and_group(
    make_policy: MakePolicy, renderer: ChatRenderer, groups: GroupSet, queries: tuple[Query, ...], name: str
) -> None:
    policy = make_policy()
    with torch.no_grad():
        policy.base.model.layers[0].self_attn.q_proj.base_layer.weight.fill_(float("inf"))
    collector = Collector(
        policy, renderer, groups, PromptConfig(), EnvironmentConfig(turns=0), Scoring(), CollectConfig(samples=2)
    )
    with pytest.raises(UserError, match=rf"for '{name}', group 'north', turn 0"):
        collector.collect([query for query in queries if query.query_id == name])


@ASKED
def test_the_dashboard_names_question_and_group(
    broken: GroupPolicy, renderer: ChatRenderer, groups: GroupSet, queries: tuple[Query, ...], name: str
) -> None:
    everyone = {group.name: group for group in groups.everyone}
    agents = LocalAgents(broken, renderer, Scoring(), 4, 4096)
    [query] = [one for one in queries if one.query_id == name]
    with pytest.raises(UserError, match=rf"for '{name}', group 'south', turn 0"):
        ask(Question(query, "explicit", ("north", "south")), agents, everyone, PromptConfig(), lambda replies: False)
