"""What else a forward pass says at some tokens, and what the base model finds likely along a reply."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from trialign.objectives.text import text_divergence
from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow, build_tree_batch, output
from trialign.policy.next_tokens import likeliest_tokens, reply_logits, text_log_probabilities
from trialign.policy.output import Watched

pytestmark = pytest.mark.unit

PAIRS = (((3, 7, 9), (4, 5, 6, 2)), ((8, 3), (5, 5)), ((10, 11, 12, 13, 14), (6, 1, 3)))


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., GroupPolicy]) -> GroupPolicy:
    return make_policy(double=True).eval()


def agents_logits(policy: GroupPolicy, prompt: tuple[int, ...], reply: tuple[int, ...], adapter: int) -> torch.Tensor:
    """[reply, vocabulary] as a plain forward pass of one agent gives them."""
    policy.routing.rows = torch.tensor([adapter])
    ids = torch.tensor([[*prompt, *reply]])
    logits: torch.Tensor = policy.base(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1]
    return logits


@pytest.mark.parametrize("chunk", [1024, 3])
def test_buckets_are_those_of_the_whole_distribution(
    policy: GroupPolicy, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "ACTIONS_PER_CHUNK", chunk)
    rows = [TreeRow(i % 3, (Segment(p, ROOT), Segment(r, 0, action=True))) for i, (p, r) in enumerate(PAIRS)]
    batch = build_tree_batch(rows)
    tokens = torch.tensor([[4, 20, 1], [3, 4, 5], [9, 1, 2]])
    with torch.no_grad():
        scores, buckets = policy.score_watched(batch, Watched(torch.tensor([1, 4, 8]), tokens))
        torch.testing.assert_close(scores, policy.score(batch), rtol=0, atol=1e-12)
        for row, (pair, place) in enumerate(((0, 1), (1, 0), (2, 2))):
            shares = agents_logits(policy, *PAIRS[pair], pair % 3)[place].softmax(0)
            kept = shares[tokens[row]]
            expected = torch.cat([kept, (1 - kept.sum()).view(1)]).log()
            torch.testing.assert_close(buckets[row], expected, rtol=1e-8, atol=1e-8)


def test_with_the_whole_vocabulary_the_divergence_is_the_full_one_and_so_is_its_gradient(policy: GroupPolicy) -> None:
    prompt, reply = PAIRS[0]
    (kept,) = likeliest_tokens(policy, [(prompt, reply)], 10**6, 4096)
    teacher = reply_logits(policy, prompt, reply).log_softmax(1)
    size = teacher.shape[1]
    assert {len(one) for one in kept.tokens} == {size}
    assert kept.rest == (0.0,) * len(reply)
    batch = build_tree_batch([TreeRow(1, (Segment(prompt, ROOT), Segment(reply, 0, action=True)))])
    weights = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    _, buckets = policy.score_watched(batch, Watched(torch.arange(len(reply)), torch.tensor(kept.tokens)))
    logs = torch.tensor(kept.log_probabilities, dtype=torch.float64)
    found = text_divergence(buckets, logs, torch.tensor(kept.rest)).sum()
    of_agent = agents_logits(policy, prompt, reply, 1).log_softmax(1)
    expected = F.kl_div(of_agent, teacher, reduction="sum", log_target=True)
    assert expected.item() > 0.1
    assert found.item() == pytest.approx(expected.item(), abs=1e-10)
    gradients = [torch.autograd.grad(one, weights, allow_unused=True) for one in (found, expected)]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(
            torch.zeros(1) if ours is None else ours, torch.zeros(1) if theirs is None else theirs
        )


@pytest.mark.parametrize("budget", [4096, 8])
def test_what_the_base_model_finds_likely_does_not_depend_on_its_neighbours(policy: GroupPolicy, budget: int) -> None:
    found = likeliest_tokens(policy, PAIRS, 5, budget)
    for (prompt, reply), kept in zip(PAIRS, found, strict=True):
        shares = reply_logits(policy, prompt, reply).softmax(1)
        values, tokens = shares.topk(5, dim=1)
        assert kept.tokens == tuple(map(tuple, tokens.tolist()))
        torch.testing.assert_close(torch.tensor(kept.log_probabilities, dtype=torch.float64).exp(), values)
        assert kept.rest == pytest.approx((1 - values.sum(1)).tolist(), abs=1e-12)


def test_an_agent_scores_all_of_a_text_but_its_first_token(policy: GroupPolicy) -> None:
    texts = [(*prompt, *reply) for prompt, reply in PAIRS]
    found = []
    for group in (*policy.groups, None):
        adapter = len(policy.adapters) if group is None else policy.adapter_index(group)
        with torch.no_grad():
            logits = [agents_logits(policy, text[:1], text[1:], adapter) for text in texts]
        expected = [
            one.log_softmax(1)[torch.arange(len(text) - 1), text[1:]] for one, text in zip(logits, texts, strict=True)
        ]
        found.append(text_log_probabilities(policy, texts, group))
        torch.testing.assert_close(found[-1], torch.cat(expected), rtol=0, atol=1e-10)
    assert (found[0] - found[-1]).abs().max() > 1e-2
