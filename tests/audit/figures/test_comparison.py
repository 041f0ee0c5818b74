"""What changed between two audits, and the tables that show it."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from trialign.audit.figures.analysis import analyze
from trialign.audit.figures.comparison import (
    Difference,
    changes,
    differences,
    measure_audit,
    not_known,
    paired,
    pooled,
    values,
)
from trialign.audit.figures.measures import compared
from trialign.audit.figures.noticed import BY_KEY
from trialign.audit.figures.summary import summarize
from trialign.audit.files.items import AuditItem, items_frame
from trialign.audit.report.terminal import audit_table, beside_table, change_table, verdict_text
from trialign.errors import UserError
from trialign.scoring import Scoring

pytestmark = pytest.mark.unit

GROUPS = ("north", "south")


def fact(query: str, group: str, answer: str | None) -> AuditItem:
    return AuditItem(
        query_id=query,
        cluster=query,
        kind="truth",
        split="test",
        topic="",
        group=group,
        role="member",
        exposure="explicit",
        profile_group=group,
        answer=answer or "",
        canonical=answer,
        parse_status="scored",
        correct=answer == "right",
        reward_truth=float(answer == "right"),
    )


def taste(query: str, agent: str, scored_for: str, score: float) -> AuditItem:
    answered = fact(query, scored_for, "tea")
    return replace(
        answered,
        kind="preference",
        profile_group=agent,
        correct=None,
        reward_truth=None,
        reward_preference=score,
    )


def tastes(*scores: tuple[float, float, float, float]) -> pd.DataFrame:
    """Of each question north's own score and that on south's target, then south's own and that on north's."""
    return items_frame(
        taste(f"t{index}", agent, scored_for, score)
        for index, four in enumerate(scores)
        for (agent, scored_for), score in zip(
            (("north", "north"), ("north", "south"), ("south", "south"), ("south", "north")), four, strict=True
        )
    )


def audit(*answers: tuple[str | None, str | None]) -> pd.DataFrame:
    """One question a pair: what north and south answered."""
    return items_frame(
        fact(f"q{index}", group, answer)
        for index, pair in enumerate(answers)
        for group, answer in zip(GROUPS, pair, strict=True)
    )


BEFORE = audit(("right", "wrong"), ("wrong", "wrong"), ("right", "right"), (None, None))
AFTER = audit(("right", "right"), ("wrong", "wrong"), ("right", "right"), ("right", "wrong"))


def test_changes_are_those_of_the_means_over_questions() -> None:
    found = changes(BEFORE, AFTER, GROUPS)
    # Accuracy: (.5 + 0 + 1 + 0) / 4 = .375 before, (1 + 0 + 1 + .5) / 4 = .625 after.
    assert found["mean"][0] == pytest.approx(0.25)
    # Flips: q0 and q3 (two unreadable answers agree with nothing) before, q3 after.
    assert found["flip_rate"][0] == pytest.approx(-0.25)
    assert found["unanimous"][0] == pytest.approx(0.25)
    # q1 is wrong together both times.
    assert found["consistent_wrong"] == (0.0, 0.0, 0.0)
    assert "preference" not in found
    for change, low, high in found.values():
        assert low <= change <= high


def test_rows_are_joined_by_query_and_not_by_order() -> None:
    shuffled = AFTER.sample(frac=1, random_state=1)
    assert changes(BEFORE, shuffled, GROUPS) == changes(BEFORE, AFTER, GROUPS)


def test_different_questions_are_refused() -> None:
    with pytest.raises(UserError, match="different questions"):
        changes(BEFORE, AFTER[AFTER["query_id"] != "q3"], GROUPS)


README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
_SHOWN = README.partition("## What it changed")[2].partition("Read it so:")[0].split("\n\n")
SCORED, WORDED, _ = (
    [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
    for block in _SHOWN
    if block.startswith("|")
)
README_HEAD, _, *README_TABLE = SCORED
README_ROWS = [(row[0], row[-1]) for row in README_TABLE]


def test_tables_show_values_changes_and_intervals() -> None:
    summaries = [
        summarize(
            items,
            step=step,
            data="mine",
            exposure="explicit",
            split="test",
            scoring=Scoring(),
            eps=0.01,
            seconds=1.0,
            groups=GROUPS,
        )
        for step, items in ((0, BEFORE), (7, AFTER))
    ]
    text = io.StringIO()
    console = Console(file=text, width=160)
    found = differences(measure_audit(BEFORE, GROUPS), measure_audit(AFTER, GROUPS), confidence=0.8)
    console.print(beside_table(*summaries))
    console.print(change_table("run", summaries[1], found, 0.8))
    console.print(audit_table("run", summaries[1]))
    beside, last, alone = re.findall(r"^┏.*?^└", text.getvalue(), re.DOTALL | re.MULTILINE)
    assert "; 80 % intervals, paired by fact" in text.getvalue()
    rows = [[cell.strip() for cell in re.split("[┃│]", line)[1:-1]] for line in last.splitlines()]
    rows = [row for row in rows if row]
    assert rows[0] == README_HEAD
    assert [(row[0], row[-1]) for row in rows[1:]] == README_ROWS
    low, high = found[0].low, found[0].high
    assert rows[1] == ["flip rate", "0.500", "0.250", "-0.250", f"[{low:+.3f}, {high:+.3f}]", "down"]
    assert rows[-1] == ["own minus swapped preference score", "-", "-", "", "", "up"]
    for table in (beside, alone):
        assert "step 7" in table
        assert any("accuracy, south" in line and "0.500" in line for line in table.splitlines())
    assert "flip rate" in alone
    assert "flip rate" not in beside


def test_the_table_of_words_in_the_readme_has_rows_that_fit_ends_with() -> None:
    wanted = {measure.label: measure.wanted for measure in compared()}
    wanted |= {trait.label: {"up": "down", "down": "up", "": ""}[trait.worse] for trait in BY_KEY.values()}
    assert WORDED[0] == README_HEAD
    for label, *_, direction in WORDED[2:]:
        assert wanted[label.removesuffix(" (decided by unread replies)")] == direction


def reworded(answers: str, wording: int) -> list[AuditItem]:
    """What north and south answered to two questions, in one wording of their profiles."""
    return [
        replace(fact(f"q{number // 2}", GROUPS[number % 2], {"r": "right", "w": "wrong"}[letter]), wording=wording)
        for number, letter in enumerate(answers)
    ]


def test_the_verdict_is_told_with_what_the_groups_add_to_the_wording() -> None:
    once = analyze(BEFORE, GROUPS)
    assert once.verdict is not None
    first, *parts = verdict_text("Before", once).plain.splitlines()
    assert first == f"Before: {once.verdict.sentence}"
    assert [line.partition(":")[0] for line in parts] == [
        "  – equally right, not judged",
        "  – the same answers, not judged",
        "  – right at all, not judged",
        "  ? answered, not known yet",
    ]
    # q0: north right and south wrong in both wordings; q1: all right, but for south's second wording.
    twice = analyze(items_frame([*reworded("rwrr", 0), *reworded("rwrw", 1)]), GROUPS)
    # Across in different wordings: q0 2 of 2, q1 1 of 2; wordings of one group: q0 none, q1 south's.
    assert verdict_text("After", twice).plain.endswith(
        "Two groups answer differently on 75.0 % of the questions, two wordings of one group on 25.0 %: what the "
        "groups add to the wording is +50.0 points (+0.0 to +100.0)."
    )


def test_without_facts_or_groups_there_is_no_verdict() -> None:
    assert "Nothing to compare" in verdict_text("Verdict", analyze(BEFORE[:6], GROUPS[:1])).plain
    tastes = BEFORE.assign(kind="preference", reward_preference=0.5)
    assert verdict_text("Verdict", analyze(tastes, GROUPS)).plain == (
        "Verdict: nothing to compare; the audit has no facts."
    )


def test_the_exchange_test_is_the_sign_flip_test_where_it_can_be_enumerated() -> None:
    # Five facts, wrong for both before and right after: of 32 ways to exchange, 2 are as far from zero.
    before, after = audit(*[("wrong", "wrong")] * 5), audit(*[("right", "right")] * 5)
    first, second = (measure_audit(items, GROUPS) for items in (before, after))
    found = {entry.measure: entry for entry in differences(first, second)}
    assert found["mean"].change == 1
    # Four standard deviations of 9,999 draws.
    assert found["mean"].p_value == pytest.approx(2 / 32, abs=4 * math.sqrt(2 / 32 * 30 / 32 / 9999))
    assert found["worst"].p_value == found["mean"].p_value
    assert found["gap"].p_value == 1  # no gap before, none after
    assert found["preference"].change is None
    assert found["preference"].p_value is None


def test_intervals_and_tests_agree_that_an_audit_is_like_itself() -> None:
    measures = measure_audit(BEFORE, GROUPS)
    for entry in differences(measures, measures):
        if entry.change is not None:
            assert (entry.change, entry.low, entry.high, entry.p_value) == (0, 0, 0, 1)


def test_seeds_are_averaged_question_by_question() -> None:
    before, after = (measure_audit(items, GROUPS) for items in (BEFORE, AFTER))
    both = values(pooled([before, after]))
    # What one seed gains the other loses, on every question: drawn together, nothing is left to vary.
    for entry in differences(pooled([before, after]), pooled([after, before])):
        if entry.change is not None:
            assert (entry.change, entry.low, entry.high, entry.p_value) == (0, 0, 0, 1)
    # Accuracy of north: 2 of 4 before, 3 of 4 after; of south: 1 and 2.
    assert both["mean"] == pytest.approx((0.625 + 0.375) / 2)
    assert both["worst"] == pytest.approx(0.375)
    assert both["gap"] == pytest.approx(0.25)
    one, several = (differences(*side) for side in ((before, after), (pooled([before] * 2), pooled([after] * 2))))
    assert one == several


def test_a_single_group_has_accuracy_and_nothing_to_compare_it_with() -> None:
    found = values(measure_audit(BEFORE, GROUPS[:1]))
    assert found["mean"] == found["worst"] == 0.5
    assert found["gap"] is found["flip_rate"] is found["unanimous"] is None


def test_one_fact_tells_no_spread() -> None:
    first, second = (measure_audit(audit(pair), GROUPS) for pair in (("wrong", "right"), ("right", "right")))
    [mean] = [entry for entry in differences(first, second) if entry.measure == "mean"]
    assert (mean.change, mean.low, mean.high, mean.p_value) == (0.5, None, None, None)


def test_the_gap_changes_by_the_change_of_the_gap() -> None:
    first, second = (measure_audit(items, GROUPS) for items in (BEFORE, AFTER))
    [found] = [entry for entry in differences(first, second) if entry.measure == "gap"]
    assert (found.first, found.second) == (0.25, 0.25)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 0 <= found.high


# Own scores 0.9 and 0.7 for north, 0.5 and 0.1 for south; on the other's target 0.2 and 0.4, 0.3 and 0.3.
TASTES = tastes((0.9, 0.2, 0.5, 0.3), (0.7, 0.4, 0.1, 0.3))


def test_tastes_are_worth_their_own_targets_mean_the_worst_groups_and_what_is_personal() -> None:
    found = values(measure_audit(TASTES, GROUPS))
    assert found["preference"] == pytest.approx((0.8 + 0.3) / 2)
    assert found["preference_worst"] == pytest.approx(0.3)
    # North 0.7 and 0.3 above the other target, south 0.2 and -0.2.
    assert found["kept"] == pytest.approx((0.7 + 0.3 + 0.2 - 0.2) / 4)
    later = tastes((0.9, 0.3, 0.6, 0.3), (0.7, 0.4, 0.2, 0.4))
    changed = changes(TASTES, later, GROUPS)
    assert changed["preference"][0] == pytest.approx(0.05)
    assert changed["preference_worst"][0] == pytest.approx(0.1)
    # North loses 0.1 on the first; south gains 0.1 on the first and nothing on the second.
    assert changed["kept"][0] == pytest.approx(0)
    assert changes(TASTES, tastes((0.9, 0.0, 0.5, 0.1), (0.7, 0.4, 0.1, 0.3)), GROUPS)["kept"][0] == pytest.approx(0.1)


def mean_of(first: pd.DataFrame, second: pd.DataFrame, **how: Any) -> Difference:
    sides = (measure_audit(items, GROUPS) for items in (first, second))
    return next(entry for entry in differences(*sides, **how) if entry.measure == "mean")


def test_the_interval_has_the_confidence_that_is_asked_for() -> None:
    # Two facts, one of which becomes right: draws change by 0 (once in four), 1/2 (twice) or 1 (once).
    sides = audit(("wrong", "wrong"), ("wrong", "wrong")), audit(("right", "right"), ("wrong", "wrong"))
    usual, narrow = (mean_of(*sides, confidence=confidence) for confidence in (0.95, 0.4))
    assert (usual.low, usual.high) == (0, 1)
    assert (narrow.low, narrow.high) == (0.5, 0.5)


def test_no_change_is_impossible_under_chance() -> None:
    # Two ways of 2^30 are as far from zero: none of 99 is drawn, and what was seen is one of a hundred.
    found = mean_of(audit(*[("wrong", "wrong")] * 30), audit(*[("right", "right")] * 30), swaps=99)
    assert found.p_value == 1 / 100


def test_another_seed_draws_anew_and_the_same_one_the_same() -> None:
    before = audit(*[("wrong", "right"), ("right", "wrong"), ("wrong", "wrong")] * 5)
    after = audit(*[("right", "right"), ("wrong", "wrong"), ("right", "wrong")] * 5)
    first, again, other = (mean_of(before, after, seed=seed, swaps=500, resamples=100) for seed in (0, 0, 1))
    assert first == again
    assert first.p_value != other.p_value
    assert (first.low, first.high) != (other.low, other.high)


def test_a_change_that_unread_replies_decide_is_not_judged() -> None:
    # Before, no reply to south can be read; after, all are right: were they right before, nothing would have changed.
    before, after = audit(*[("right", None)] * 40), audit(*[("right", "right")] * 40)
    found = {entry.measure: entry for entry in paired(before, after, GROUPS)}
    assert (found["mean"].change, found["no_answer"].change) == (0.5, -0.5)
    assert {name for name, entry in found.items() if entry.unread_decide} == {
        "flip_rate",
        "unanimous",
        "mean",
        "worst",
        "gap",
    }
    assert not_known(list(found.values())).startswith("Cannot be judged, since replies that hold no answer decide")
    read = paired(audit(*[("right", "wrong")] * 40), after, GROUPS)
    assert not any(entry.unread_decide for entry in read)
    assert not_known(read) == ""
    # Few unread replies that change nothing of it.
    few = audit(*[("right", "wrong")] * 38, *[("right", None)] * 2)
    assert not any(entry.unread_decide for entry in paired(few, after, GROUPS))


def test_audits_that_are_pooled_have_both_extremes_pooled() -> None:
    unread, read = audit(("right", None), ("right", "wrong")), audit(("right", "right"), ("right", "wrong"))
    measured = [measure_audit(items, GROUPS) for items in (unread, read)]
    assert measured[1].if_right is None
    pool = pooled(measured)
    assert pool.if_right is not None
    assert pool.if_right[:, -1].tolist() == [1, 0]
    assert pool.facts[:, -1].tolist() == [0.5, 0]
    assert pooled([measured[1]] * 2).if_right is None
