from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.tree import LEAST_SAVED, pack_rows, share_prefixes

pytestmark = pytest.mark.unit

MakePolicy = Callable[..., GroupPolicy]
QUESTION = (5, 90, 41, 7, 33)
OPTIONS = ((17, 200, 2), (3, 2), (18, 200, 19, 2))
REPLY = (17, 200)
REVISION = (2, 11, 12, 13, 14)
LATER_OPTIONS = ((17, 200, 2), (60, 2))


def two_turns(adapter: int) -> TreeRow:
    """A question with its options, and a second turn (own reply, then the request) with options too."""
    return TreeRow(
        adapter,
        (
            Segment(QUESTION, ROOT),
            *(Segment(option, 0, action=True) for option in OPTIONS),
            Segment(REPLY + REVISION, 0),
            *(Segment(option, 4, action=True) for option in LATER_OPTIONS),
        ),
    )


def unshared(adapter: int) -> list[TreeRow]:
    """The same answers, each in a row of its own with its whole prompt."""
    turns = [(QUESTION, OPTIONS), (QUESTION + REPLY + REVISION, LATER_OPTIONS)]
    return [
        TreeRow(adapter, (Segment(prompt, ROOT), Segment(option, 0, action=True)))
        for prompt, options in turns
        for option in options
    ]


def score_and_gradients(policy: GroupPolicy, rows: list[TreeRow]) -> tuple[Tensor, dict[str, Tensor]]:
    policy.zero_grad()
    scores = policy.score(build_tree_batch(rows))
    # Different weights, so that a gradient of the wrong branch would show.
    (scores * torch.linspace(-1, 2, len(scores))).sum().backward()
    gradients = {name: p.grad.clone() for name, p in policy.named_parameters() if p.grad is not None}
    return scores.detach(), gradients


def test_tree_equals_unshared_rows(make_policy: MakePolicy) -> None:
    policy = make_policy(double=True)
    scores, gradients = score_and_gradients(policy, [two_turns(0), two_turns(2)])
    plain_scores, plain_gradients = score_and_gradients(policy, [*unshared(0), *unshared(2)])
    torch.testing.assert_close(scores, plain_scores, atol=1e-5, rtol=1e-5)
    assert gradients.keys() == plain_gradients.keys()
    assert len(gradients) == 3 * 28
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, plain_gradients[name], atol=1e-5, rtol=1e-5, msg=name)
    assert max(float(gradient.abs().max()) for gradient in gradients.values()) > 0.1


def test_tree_equals_unshared_rows_in_single_precision(make_policy: MakePolicy) -> None:
    policy = make_policy()
    scores, gradients = score_and_gradients(policy, [two_turns(0)])
    plain_scores, plain_gradients = score_and_gradients(policy, unshared(0))
    torch.testing.assert_close(scores, plain_scores, atol=1e-5, rtol=1e-5)
    largest = max(float(gradient.abs().max()) for gradient in plain_gradients.values())
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, plain_gradients[name], atol=1e-5 * largest, rtol=1e-4, msg=name)


def test_padding_changes_nothing(make_policy: MakePolicy) -> None:
    policy = make_policy(double=True)
    alone, gradients = score_and_gradients(policy, [two_turns(1)])
    long = TreeRow(3, (Segment(tuple(range(20, 90)), ROOT), Segment((2,), 0, action=True)))
    policy.zero_grad()
    padded = policy.score(build_tree_batch([two_turns(1), long]))[: len(alone)]
    (padded * torch.linspace(-1, 2, len(alone))).sum().backward()
    torch.testing.assert_close(padded.detach(), alone, atol=1e-5, rtol=1e-5)
    for name, parameter in policy.named_parameters():
        if parameter.grad is not None and name in gradients:
            torch.testing.assert_close(parameter.grad, gradients[name], atol=1e-5, rtol=1e-5, msg=name)


def test_positions_mask_and_targets_by_hand() -> None:
    # Columns:            0  1 | 2  3 | 4 | 5
    row = TreeRow(
        7,
        (
            Segment((10, 11), ROOT),
            Segment((20, 21), 0, action=True),
            Segment((30,), 0),
            Segment((40,), 2, action=True),
        ),
    )
    short = TreeRow(8, (Segment((50,), ROOT), Segment((51,), 0, action=True)))
    batch = build_tree_batch([row, short])
    assert batch.input_ids.tolist() == [[10, 11, 20, 21, 30, 40], [50, 51, 0, 0, 0, 0]]
    # Both branches of the first segment continue at position 2.
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 2, 3], [0, 1, -1, -1, -1, -1]]
    sees = [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 4], [0, 1, 4, 5]]
    assert [line.nonzero().flatten().tolist() for line in batch.attention_mask[0, 0]] == sees
    sees = [[0], [0, 1], [2], [3], [4], [5]]
    assert [line.nonzero().flatten().tolist() for line in batch.attention_mask[1, 0]] == sees
    # 20 is predicted after 11 (column 1), 21 after 20, 40 after 30, and 51 after 50 in the second row.
    assert batch.source.tolist() == [1, 2, 4, 6]
    assert batch.target.tolist() == [20, 21, 40, 51]
    assert batch.branch.tolist() == [0, 0, 1, 2]
    assert batch.branch_lengths.tolist() == [2, 1, 1]
    assert batch.adapters.tolist() == [7, 8]
    # 4 of 12 positions hold no token.
    assert batch.padding_share == pytest.approx(4 / 12)


def test_the_batch_moves_whole() -> None:
    batch = build_tree_batch([two_turns(0)]).to("meta")
    assert batch.prefix is None
    tensors = [part for part in vars(batch).values() if part is not None]
    assert len(tensors) == 8
    assert {tensor.device.type for tensor in tensors} == {"meta"}


@pytest.mark.parametrize(
    ("segments", "fault"),
    [
        ((Segment((), ROOT), Segment((1,), 0, action=True)), "segment 0 has no tokens"),
        ((Segment((1,), ROOT), Segment((), 0, action=True)), "segment 1 has no tokens"),
        ((Segment((1,), ROOT), Segment((2,), 2), Segment((3,), 0, action=True)), "does not come before it"),
        ((Segment((1,), ROOT), Segment((2,), 1, action=True)), "does not come before it"),
        ((Segment((1,), ROOT), Segment((2,), -2, action=True)), "does not come before it"),
        ((Segment((1,), ROOT, action=True),), "answers no prompt"),
        ((Segment((1,), ROOT), Segment((2,), 0)), "no action to score"),
    ],
)
def test_trees_that_are_none_are_refused(segments: tuple[Segment, ...], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        build_tree_batch([TreeRow(0, segments)])


@st.composite
def trees(draw: st.DrawFn) -> TreeRow:
    """A tree of up to eight segments with at least one action."""
    segments = [Segment((1, 2), ROOT), Segment((3,), 0, action=True)]
    for index in range(2, draw(st.integers(2, 8))):
        tokens = tuple(draw(st.lists(st.integers(0, 99), min_size=1, max_size=4)))
        parent = draw(st.integers(ROOT, index - 1))
        segments.append(Segment(tokens, parent, action=parent != ROOT and draw(st.booleans())))
    return TreeRow(0, tuple(segments))


@given(st.lists(trees(), min_size=1, max_size=3))
def test_every_token_sees_the_path_from_its_root(rows: list[TreeRow]) -> None:
    batch = build_tree_batch(rows)
    for index, row in enumerate(rows):
        column, paths = 0, []
        for segment in row.segments:
            path = list(paths[segment.parent]) if segment.parent != ROOT else []
            for _ in segment.tokens:
                path = [*path, column]
                seen = batch.attention_mask[index, 0, column].nonzero().flatten().tolist()
                assert seen == path
                assert int(batch.position_ids[index, column]) == len(path) - 1
                column += 1
            paths.append(path)
    actions = [segment.tokens for row in rows for segment in row.segments if segment.action]
    assert batch.target.tolist() == [token for tokens in actions for token in tokens]
    assert batch.branch_lengths.tolist() == [len(tokens) for tokens in actions]


def paths(row: TreeRow) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Of every action: all tokens before it, and its own."""
    before: list[tuple[int, ...]] = []
    found = []
    for segment in row.segments:
        context = () if segment.parent == ROOT else before[segment.parent]
        before.append(context + segment.tokens)
        if segment.action:
            found.append((context, segment.tokens))
    return found


PROMPTS = st.builds(
    lambda profile, question: (*range(10, 10 + profile), *question),
    st.integers(0, 30),
    st.lists(st.integers(1, 3), min_size=1, max_size=6),
)


@given(st.lists(st.tuples(st.integers(0, 1), PROMPTS, st.booleans()), max_size=12), st.integers(1, 120))
def test_shared_prefixes_keep_every_path(asked: list[tuple[int, tuple[int, ...], bool]], longest: int) -> None:
    rows = []
    for adapter, prompt, later in asked:
        turns = (Segment((4, 5), 0), Segment((6,), 2, action=True)) if later else ()
        rows.append(TreeRow(adapter, (Segment(prompt, ROOT), Segment((7, 8), 0, action=True), *turns)))
    shared = share_prefixes(rows, longest)
    assert sorted(index for one in shared for index in one.members) == list(range(len(rows)))
    for one in shared:
        assert paths(one.row) == [path for index in one.members for path in paths(rows[index])]
        assert {rows[index].adapter for index in one.members} == {one.row.adapter}
        if len(one.members) > 1:
            apart = sum(rows[index].tokens for index in one.members)
            assert one.row.tokens <= min(longest, apart - LEAST_SAVED * (len(one.members) - 1))


def test_shared_prefixes_by_hand() -> None:
    profile = tuple(range(20, 40))
    rows = [
        TreeRow(0, (Segment((*profile, 1), ROOT), Segment((9,), 0, action=True))),
        TreeRow(1, (Segment((*profile, 1), ROOT), Segment((9,), 0, action=True))),
        TreeRow(0, (Segment(profile, ROOT), Segment((8,), 0, action=True))),
        TreeRow(0, (Segment((50, 51), ROOT), Segment((9,), 0, action=True))),
        TreeRow(0, (Segment(profile, ROOT), Segment(profile, ROOT), Segment((8,), 1, action=True))),
    ]
    joined = {one.members: one.row for one in share_prefixes(rows, 100)}
    # Another adapter, another beginning and a row with two beginnings stay apart.
    assert set(joined) == {(2, 0), (1,), (3,), (4,)}
    assert joined[2, 0].segments == (
        Segment(profile, ROOT),
        Segment((8,), 0, action=True),
        Segment((1,), 0),
        Segment((9,), 2, action=True),
    )


def test_packed_rows_score_and_learn_as_if_apart(make_policy: MakePolicy) -> None:
    policy = make_policy(double=True)
    rows = [unshared(0)[0], two_turns(0), *unshared(0)[1:3], two_turns(2), *unshared(2)]
    packed = pack_rows(rows)
    assert len(packed) < len(rows)
    order = [index for one in packed for index in one.members]
    scores, gradients = score_and_gradients(policy, [one.row for one in packed])
    plain_scores, plain_gradients = score_and_gradients(policy, [rows[index] for index in order])
    torch.testing.assert_close(scores, plain_scores, atol=1e-5, rtol=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, plain_gradients[name], atol=1e-5, rtol=1e-5, msg=name)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40)), min_size=1, max_size=20))
def test_packs_hold_every_row_once_within_the_longest(asked: list[tuple[int, int]]) -> None:
    rows = [
        TreeRow(adapter, (Segment(tuple(range(size)), ROOT), Segment((99,), 0, action=True))) for adapter, size in asked
    ]
    packed = pack_rows(rows)
    assert sorted(index for one in packed for index in one.members) == list(range(len(rows)))
    for one in packed:
        assert one.row.tokens <= max(row.tokens for row in rows)
        assert paths(one.row) == [path for index in one.members for path in paths(rows[index])]
        assert {rows[index].adapter for index in one.members} == {one.row.adapter}
