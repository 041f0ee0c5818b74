"""Flips across groups against flips across wordings and repeats of one group."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trialign.audit.figures.flips import excess_flips, flips_of
from trialign.audit.figures.statistics import Floats, Integers
from trialign.audit.files.items import AuditItem, items_frame
from trialign.errors import UserError

pytestmark = pytest.mark.unit


def item(query: int, group: str, answer: str | None, **changes: Any) -> AuditItem:
    values: dict[str, Any] = {
        "query_id": f"q{query}",
        "cluster": f"c{query // 2}",
        "kind": "truth",
        "split": "test",
        "topic": "",
        "group": group,
        "profile_group": group,
        "role": "member",
        "exposure": "explicit",
        "answer": "",
        "canonical": answer,
        "parse_status": "",
        "correct": answer == "a",
        "reward_truth": float(answer == "a"),
    }
    return AuditItem(**values | changes)


def frame(answers: Integers, groups: tuple[str, ...], **changes: Any) -> pd.DataFrame:
    """Answers [questions, groups, wordings, repeats] as items; -1 is no answer."""
    return items_frame(
        item(q, groups[g], None if code < 0 else "abcdefg"[code], wording=w, repeat=r, **changes)
        for (q, g, w, r), code in np.ndenumerate(answers)
    )


def sampled(probabilities: Floats, questions: int, repeats: int, seed: int) -> Integers:
    """Answers drawn from [groups, wordings, options]: [questions, groups, wordings, repeats]."""
    uniform = np.random.default_rng(seed).random((questions, *probabilities.shape[:2], repeats, 1))
    return (uniform > probabilities.cumsum(axis=-1)[:, :, None]).sum(axis=-1).astype(np.int64)


# Two groups, two wordings, one question after the other.
BY_HAND = np.array(
    [
        [[0, 0], [1, 1]],  # the group decides: across 1, wordings 0
        [[0, 1], [0, 1]],  # the wording decides: across (different wordings) 1, wordings 1
        [[0, 0], [0, 0]],  # nothing flips
        [[-1, -1], [0, 0]],  # no answer differs from all, itself too: across 1, wordings (1 + 0) / 2
    ]
)[..., None]


def test_flips_by_hand() -> None:
    found = flips_of(BY_HAND, np.arange(4))
    assert found.across == pytest.approx(3 / 4)
    assert found.wordings == pytest.approx((0 + 1 + 0 + 0.5) / 4)
    assert found.excess == pytest.approx((1 + 0 + 0 + 0.5) / 4)
    assert found.repeats is None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.excess <= found.high
    assert (found.n_questions, found.n_clusters, found.n_wordings, found.n_repeats) == (4, 4, 2, 1)
    # Two ways to pair two texts with two; dealt the other way, every flip but one falls within a group.
    assert (found.p_value, found.smallest_p_value) == (0.5, 0.5)
    assert "more wordings" in found.note


def test_one_wording_tells_nothing_of_the_wording() -> None:
    found = flips_of(BY_HAND[:, :, :1], np.arange(4))
    assert found.across == pytest.approx((1 + 0 + 0 + 1) / 4)
    assert (found.excess, found.wordings, found.low, found.p_value) == (None, None, None, None)
    assert "audit.wordings=2" in found.note


def test_repeats_are_the_baseline_of_a_single_wording() -> None:
    # One question, two groups asked twice: a, b against a, a. Across 2 of 4 pairs, repeats (1 + 0) / 2.
    found = flips_of(np.array([[[[0, 1]], [[0, 0]]]]), np.zeros(1, dtype=np.int64))
    assert (found.across, found.repeats, found.excess) == (0.5, 0.5, 0.0)
    assert found.low is None  # one cluster
    assert "asking the same agent again" in found.note


@pytest.mark.parametrize("repeats", [1, 3])
def test_the_excess_is_half_the_squared_distance_between_the_groups_answers(repeats: int) -> None:
    """An unbiased estimate, also where every answer is a sample: that noise is within the wordings already."""
    generator = np.random.default_rng(3)
    probabilities = generator.dirichlet(np.ones(4), size=(3, 5))
    answers = sampled(probabilities, 40_000, repeats, seed=4)
    found = flips_of(answers, np.arange(len(answers)))
    # Between different wordings, as the statistic is: w != v.
    expected = []
    for first, second in ((0, 1), (0, 2), (1, 2)):
        pairs = [(w, v) for w, v in permutations(range(5), 2)]
        cross = np.mean([probabilities[first, w] @ probabilities[second, v] for w, v in pairs])
        alike = np.mean([probabilities[g, w] @ probabilities[g, v] for g in (first, second) for w, v in pairs])
        expected.append(alike - cross)
    assert found.excess == pytest.approx(np.mean(expected), abs=0.005)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low < 0.01


def test_repeats_come_apart_from_wordings() -> None:
    # Certain answers that differ by wording, and coin flips that differ by nothing.
    by_wording = np.zeros((2, 2, 2))
    by_wording[:, 0, 0] = by_wording[:, 1, 1] = 1
    found = flips_of(sampled(by_wording, 50, 2, seed=0), np.arange(50))
    assert (found.repeats, found.wordings, found.across, found.excess) == (0, 1, 1, 0)
    coins = flips_of(sampled(np.full((2, 2, 2), 0.5), 20_000, 2, seed=0), np.arange(20_000))
    for value in (coins.repeats, coins.wordings, coins.across):
        assert value == pytest.approx(0.5, abs=0.01)
    assert coins.excess == pytest.approx(0, abs=0.01)


def test_the_regrouping_agrees_with_going_through_all_of_them() -> None:
    answers = np.random.default_rng(5).integers(3, size=(9, 3, 3, 1))
    answers[:, 0, :, :] = answers[:, 0, :1, :]  # one group answers alike in all wordings
    observed = flips_of(answers, np.arange(9))
    excesses = []
    for deal in product(permutations(range(3)), repeat=2):
        dealt = answers.copy()
        for wording, order in enumerate(deal, start=1):
            dealt[:, :, wording] = answers[:, list(order), wording]
        excesses.append(flips_of(dealt, np.arange(9)).excess)
    assert observed.excess is not None
    assert observed.p_value == pytest.approx(np.mean([e is not None and e >= observed.excess - 1e-9 for e in excesses]))
    assert observed.smallest_p_value == 1 / 36


def test_drawn_regroupings_agree_with_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = np.random.default_rng(8).integers(2, size=(30, 3, 4, 1))
    whole = flips_of(answers, np.arange(30)).p_value
    monkeypatch.setattr("trialign.audit.figures.flips._REGROUPINGS", 200)
    drawn = flips_of(answers, np.arange(30)).p_value
    assert whole is not None
    assert drawn == pytest.approx(whole, abs=4 * np.sqrt(0.25 / 200))


def test_what_was_seen_is_one_of_the_ways_that_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trialign.audit.figures.flips._REGROUPINGS", 40)
    # Eight groups, each with an answer of its own in both wordings: of 8! ways to pair the texts one has no flips.
    answers = np.tile(np.arange(8)[None, :, None, None], (5, 1, 2, 1))
    assert flips_of(answers, np.arange(5)).p_value == 1 / 40


def test_another_seed_deals_anew_and_the_same_one_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trialign.audit.figures.flips._REGROUPINGS", 101)
    answers = np.random.default_rng(0).integers(3, size=(12, 5, 2, 1))
    first, again, other = (flips_of(answers, np.arange(12), seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.p_value != other.p_value
    assert (first.low, first.high) != (other.low, other.high)


def test_wordings_with_effects_of_their_own_do_not_look_like_groups() -> None:
    """Where texts, not groups, decide, the test of the groups rejects as seldom as it promises."""
    generator = np.random.default_rng(1)
    rejected = 0
    for _ in range(200):
        quirk = generator.random((3, 4)) * 0.5  # each text makes some agents err more often, on all questions
        wrong = generator.random((40, 3, 4)) < quirk
        p_value = flips_of(wrong[..., None].astype(np.int64), np.arange(40)).p_value
        rejected += p_value is not None and p_value <= 0.05
    assert rejected <= 21  # of Binomial(200, .05), exceeded once in a thousand


def test_groups_that_answer_differently_are_found() -> None:
    generator = np.random.default_rng(2)
    answers = generator.integers(2, size=(60, 3, 1, 1)).repeat(4, axis=2)
    noisy = np.where(generator.random(answers.shape) < 0.1, 1 - answers, answers)
    found = flips_of(noisy, np.arange(60))
    assert found.p_value == found.smallest_p_value == 1 / 6**3
    assert found.low is not None
    assert found.low > 0.1


def test_items_in_any_order_give_what_arrays_give() -> None:
    answers = np.random.default_rng(6).integers(-1, 3, size=(10, 3, 2, 2))
    groups = ("x", "y", "z")
    items = frame(answers, groups).sample(frac=1, random_state=2)
    assert excess_flips(items, groups) == flips_of(answers, np.arange(10) // 2)
    turned = excess_flips(items, ("z", "x", "y"))
    assert turned.excess == pytest.approx(flips_of(answers, np.arange(10) // 2).excess)
    assert turned.p_value == flips_of(answers, np.arange(10) // 2).p_value


def test_only_the_asked_answers_count() -> None:
    answers = np.random.default_rng(7).integers(2, size=(6, 2, 2, 1))
    plain = frame(answers, ("x", "y"))
    noise = [
        frame(1 - answers, ("x", "y"), exposure="implicit"),
        frame(1 - answers, ("x", "y"), turn=1),
        frame(1 - answers, ("x", "y"), kind="preference"),
        frame(1 - answers, ("control", "other")),
        items_frame([item(q, "x", "c", wording=2) for q in range(6)]),  # a wording that y lacks
    ]
    assert excess_flips(pd.concat([plain, *noise]), ("x", "y")) == excess_flips(plain, ("x", "y"))


def test_what_cannot_be_compared_is_refused() -> None:
    items = frame(BY_HAND, ("x", "y"))
    with pytest.raises(UserError, match="at least two groups"):
        excess_flips(items, ("x",))
    with pytest.raises(UserError, match="no implicit answers of x, y"):
        excess_flips(items, ("x", "y"), exposure="implicit")
    lacking = items[~((items["query_id"] == "q2") & (items["wording"] == 1) & (items["group"] == "y"))]
    with pytest.raises(UserError, match=r"no answer of group 'y' to query 'q2' \(wording 1, repeat 0\)"):
        excess_flips(lacking, ("x", "y"))


def test_flips_of_many_groups_are_counted_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = np.random.default_rng(3).integers(-1, 3, (30, 6, 2, 2))
    whole = flips_of(answers, np.arange(30))
    monkeypatch.setattr("trialign.audit.figures.flips._CHUNK", 1)
    assert flips_of(answers, np.arange(30)) == whole
    # By hand: all pairs of groups in different wordings, over both repeats of each.
    pairs = [(g, h, r, s) for g, h in permutations(range(6), 2) for r, s in product(range(2), repeat=2)]
    flips = [(answers[:, g, 0, r] != answers[:, h, 1, s]) | (answers[:, g, 0, r] < 0) for g, h, r, s in pairs]
    assert whole.across == pytest.approx(np.mean(flips))
