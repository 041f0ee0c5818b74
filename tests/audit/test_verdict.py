from __future__ import annotations

import pytest

from trialign.audit.pairs import PairComparison
from trialign.audit.verdict import Gap, VerdictKind, sentence, verdict_kind

pytestmark = pytest.mark.unit

ACCURACY = [("a", 0.5), ("b", 0.75), ("c", 0.6)]


def pair(first: str, second: str, difference: float, *, equivalent: bool, p_holm: float = 1.0) -> PairComparison:
    return PairComparison(first, second, difference, difference - 0.01, difference + 0.01, equivalent, 0.01, p_holm)


def test_the_decision_is_three_way() -> None:
    alike, apart = pair("a", "b", 0, equivalent=True), pair("a", "c", 0.2, equivalent=False)
    assert verdict_kind([alike, alike], 0.5, 0.05) == "consistent"
    assert verdict_kind([alike, alike], 0.01, 0.05) == "consistent"
    assert verdict_kind([alike, apart], 0.05, 0.05) == "difference"
    assert verdict_kind([alike, apart], 0.06, 0.05) == "not_enough"


def words(kind: VerdictKind, pairs: list[PairComparison], p_value: float, needed: int | None = None) -> str:
    gap = Gap(0.25, 0.031, p_value)
    return sentence(kind, ACCURACY, gap, pairs, 1234, needed, delta=0.05, alpha=0.05)


def test_consistency_is_stated_with_its_bound_and_a_smaller_difference_with_it() -> None:
    pairs = [pair("a", "b", -0.02, equivalent=True), pair("a", "c", 0.01, equivalent=True)]
    plain = words("consistent", pairs, 0.5)
    assert plain.startswith("Consistent within 5 points:")
    assert "at most 2.0 points were seen, a and b; 1234 facts" in plain
    assert "smaller" not in plain
    assert words("consistent", pairs, 0.01).endswith(
        "A difference smaller than that is there: a gap of 25.0 points, "
        "where chance alone gives 3.1 points (p = 0.010)."
    )


def test_a_difference_names_groups_chance_and_pairs() -> None:
    pairs = [
        pair("a", "b", -0.25, equivalent=False, p_holm=0.001),
        pair("a", "c", -0.1, equivalent=False, p_holm=0.2),
        pair("b", "c", 0.15, equivalent=False, p_holm=0.04),
    ]
    assert words("difference", pairs, 0.0001) == (
        "Difference found: b gets 75.0 % right answers, a 50.0 %, a gap of 25.0 points, where chance alone gives "
        "3.1 points (p < 0.001); 1234 facts. Pairs that differ: a and b; b and c."
    )
    assert words("difference", pairs[1:2], 0.04).endswith("Which pairs of groups differ cannot be told from them.")
    many = [pair("a", str(number), number, equivalent=False, p_holm=0) for number in range(5)]
    assert words("difference", many, 0.04).endswith("a and 4; a and 3; a and 2; and 2 pairs more.")


def test_too_little_evidence_says_how_much_would_be_enough() -> None:
    pairs = [pair("a", "b", 0.02, equivalent=False)]
    said = words("not_enough", pairs, 0.3, needed=12345)
    assert said.startswith("Not enough evidence: 1234 facts show neither")
    assert said.endswith("About 12,345 facts would be enough.")
    assert "would be enough" not in words("not_enough", pairs, 0.3)
