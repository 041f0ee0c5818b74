"""Layers that are computed again in the backward pass: the same gradients, from less that is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow, build_tree_batch

pytestmark = pytest.mark.unit


def gradients(policy: GroupPolicy, prompt: tuple[int, ...]) -> tuple[dict[str, Tensor], int]:
    """The gradients of two groups' scores, and how often a layer was begun."""
    rows = [
        TreeRow(
            adapter, (Segment(prompt, ROOT), Segment((17, 2), 0, action=True), Segment((18, 19, 2), 0, action=True))
        )
        for adapter in (0, 2)
    ]
    computed: list[Any] = []
    hook = policy.base.get_decoder().layers[0].mlp.register_forward_pre_hook(lambda *arguments: computed.append(1))
    policy.zero_grad(set_to_none=True)
    scores = policy.score(build_tree_batch(rows))
    (scores * torch.tensor([1.0, -2.0, 3.0, 0.5])).sum().backward()
    hook.remove()
    return {name: p.grad for name, p in policy.named_parameters() if p.grad is not None}, len(computed)


# The longer row is beyond the length to which the plain attention kernel is taken.
@pytest.mark.parametrize("adapters", ["per_group", "basis"])
@pytest.mark.parametrize("length", [5, 250])
def test_the_gradients_are_the_same(make_policy: Callable[..., GroupPolicy], length: int, adapters: str) -> None:
    policy = make_policy(adapters=adapters).train()
    prompt = tuple(5 + (7 * position) % 200 for position in range(length))
    kept, once = gradients(policy, prompt)
    policy.checkpoint_activations()
    recomputed, twice = gradients(policy, prompt)
    assert (once, twice) == (1, 2)
    assert kept.keys() == recomputed.keys()
    for name, gradient in kept.items():
        torch.testing.assert_close(recomputed[name], gradient, atol=1e-7, rtol=1e-6)


def test_an_audit_keeps_nothing_and_computes_once(make_policy: Callable[..., GroupPolicy]) -> None:
    policy = make_policy()
    policy.checkpoint_activations()
    _, computed = gradients(policy.eval(), (5, 90, 41))
    assert computed == 1
