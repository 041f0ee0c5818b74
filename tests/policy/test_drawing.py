"""Replies that are drawn by a seed of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from scipy.stats import chisquare

from trialign.policy import GroupPolicy
from trialign.policy.drawing import DrawnAlone
from trialign.policy.group_policy import Sampling

pytestmark = pytest.mark.unit

MakePolicy = Callable[..., GroupPolicy]
PROMPTS = ((5, 90, 41, 7), (301, 12, 12, 80, 33, 6, 9, 9, 21), (44, 45))
AGENTS = ("women", "men", "control")
NO_END = 1


def test_a_drawn_reply_does_not_depend_on_what_is_asked_beside_it(make_policy: MakePolicy) -> None:
    policy = make_policy(("men", "women"))
    together = policy.generate(PROMPTS, AGENTS, NO_END, Sampling(8, alone=(11, 12, 13)))
    for prompt, agent, seed, reply in zip(PROMPTS, AGENTS, (11, 12, 13), together, strict=True):
        assert policy.generate([prompt], [agent], NO_END, Sampling(8, alone=(seed,))) == [reply]
    assert policy.generate(PROMPTS, AGENTS, NO_END, Sampling(8, alone=(21, 22, 23))) != together


def test_a_row_without_a_seed_is_the_likeliest_reply(make_policy: MakePolicy) -> None:
    policy = make_policy(("men", "women"))
    greedy = policy.generate(PROMPTS, AGENTS, NO_END, Sampling(8))
    mixed = policy.generate(PROMPTS, AGENTS, NO_END, Sampling(8, alone=(None, 5, None)))
    assert (mixed[0], mixed[2]) == (greedy[0], greedy[2])
    assert mixed[1] != greedy[1]


def test_draws_follow_the_softmax_of_the_scores() -> None:
    shares = torch.tensor([0.1, 0.2, 0.7])
    scores = shares.log().expand(6000, 3)
    drawn = DrawnAlone(range(6000))(torch.zeros(6000, 1), scores).argmax(dim=1)
    counts = torch.bincount(drawn, minlength=3)
    assert chisquare(counts.numpy(), (6000 * shares).numpy().astype(float).round()).pvalue > 0.001


def test_what_a_model_excludes_is_not_drawn() -> None:
    scores = torch.tensor([[0.0, -torch.inf, 0.0]]).expand(500, 3)
    drawn = DrawnAlone(range(500))(torch.zeros(500, 1), scores).argmax(dim=1)
    assert 1 not in drawn.tolist()
