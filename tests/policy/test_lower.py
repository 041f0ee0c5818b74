"""States below the adapters, kept from step to step: the same scores and gradients as through all layers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.lower import LowerStates

pytestmark = pytest.mark.unit

MakePolicy = Callable[..., GroupPolicy]
NAMES = ("men", "women")


def row(adapter: int, prompt: tuple[int, ...], *answers: tuple[int, ...]) -> TreeRow:
    return TreeRow(adapter, (Segment(prompt, ROOT), *(Segment(answer, 0, action=True) for answer in answers)))


ROWS = (
    row(0, (5, 90, 41, 7), (17, 200, 2), (3, 2)),
    row(1, (5, 90, 41, 7), (17, 200, 2), (3, 2)),  # another adapter, the same states below
    row(1, (301, 12, 12, 80, 33, 6, 9), (2,), (8, 9, 2)),
    row(0, (44, 45), (70, 71)),
)


def score(policy: GroupPolicy, *rows: TreeRow) -> tuple[Tensor, dict[str, Tensor]]:
    """Scores, and the gradients of their weighted sum."""
    policy.zero_grad()
    scores = policy.score(build_tree_batch(rows))
    (scores * torch.linspace(-1.0, 2.0, len(scores))).sum().backward()
    return scores.detach(), {name: p.grad.clone() for name, p in policy.named_parameters() if p.grad is not None}


def counted(policy: GroupPolicy) -> list[int]:
    """Rows that the lowest layer sees from now on, call by call."""
    seen: list[int] = []
    lowest: nn.Module = policy.base.get_decoder().layers[0]
    lowest.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[0]))
    return seen


def test_scores_and_gradients_equal_those_through_all_layers(make_policy: MakePolicy) -> None:
    plain = make_policy(NAMES, train_layers="upper", lower_cache_mb=0)
    policy = make_policy(NAMES, train_layers="upper")
    assert plain.lower is None
    seen = counted(policy)
    # Nothing is known; everything is; in another order and width; half is known.
    for rows in (ROWS[:3], ROWS[:3], (ROWS[2], ROWS[0]), (ROWS[3], ROWS[1])):
        scores, gradients = score(policy, *rows)
        expected, wanted = score(plain, *rows)
        torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-5)
        assert gradients.keys() == wanted.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, wanted[name], atol=1e-5, rtol=1e-4)
        assert max(float(gradient.abs().max()) for gradient in gradients.values()) > 0.01
    # The two rows that differ in their adapter alone are one entry, computed together the first time.
    assert seen == [3, 1]
    assert policy.lower is not None
    assert len(policy.lower) == 3


def test_the_decoder_is_whole_again(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES, train_layers="upper")
    names = set(policy.state_dict())
    score(policy, *ROWS)
    assert set(policy.state_dict()) == names
    with pytest.raises(IndexError):
        policy.score(build_tree_batch([row(0, (10_000,), (2,))]))  # no such token
    assert set(policy.state_dict()) == names


def test_only_training_uses_it(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES, train_layers="upper")
    with torch.no_grad():
        policy.score(build_tree_batch(ROWS))
    assert policy.lower is not None
    assert len(policy.lower) == 0
    assert make_policy(NAMES).lower is None


def test_who_sees_whom_is_part_of_a_row(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES, train_layers="upper")
    plain = make_policy(NAMES, train_layers="upper", lower_cache_mb=0)
    # The same tokens at the same positions; in the second row the last answer does not see the one before.
    one = TreeRow(0, (Segment((5, 6), ROOT), Segment((7,), 0, action=True), Segment((8,), 1, action=True)))
    other = TreeRow(0, (Segment((5, 6), ROOT), Segment((7,), 0, action=True), Segment((8,), 0, action=True)))
    for tree in (one, other):
        torch.testing.assert_close(score(policy, tree)[0], score(plain, tree)[0], atol=1e-5, rtol=1e-5)


def test_the_least_recently_used_rows_go_first() -> None:
    kept = LowerStates(megabytes=1)
    batch = build_tree_batch([row(0, (token,), (2,)) for token in range(3)])
    asked: list[int] = []

    def compute(rows: Tensor) -> Tensor:
        asked.extend(rows.tolist())
        # 2 tokens of 2**16 float32 numbers: half a megabyte a row.
        return rows.view(-1, 1, 1).float().expand(-1, 2, 2**16)

    def states(*rows: int) -> list[float]:
        parts = {name: getattr(batch, name)[list(rows)] for name in ("input_ids", "position_ids", "attention_mask")}
        # Each call numbers its rows anew, so the value of a row is its place in the call that computed it.
        found = kept.states(type(batch)(**{**vars(batch), **parts}), compute)
        return found[:, 0, 0].tolist()

    assert states(0, 1) == [0.0, 1.0]
    assert states(0) == [0.0]
    assert len(asked) == 2
    assert states(2) == [0.0]  # pushes out row 1
    assert states(0) == [0.0]
    assert len(asked) == 3
    assert states(1) == [0.0]  # computed again, as the first of its call
    assert len(asked) == 4
    assert kept.used <= 2**20
