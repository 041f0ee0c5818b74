"""What changed between two audits, and the tables that show it."""

from __future__ import annotations

import io
from dataclasses import replace

import pandas as pd
import pytest
from rich.console import Console

from trialign.audit.analysis import analyze
from trialign.audit.comparison import changes
from trialign.audit.items import AuditItem, items_frame
from trialign.audit.summary import summarize
from trialign.audit.table import audit_table, before_after_table, verdict_text
from trialign.errors import UserError

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


def test_tables_show_values_changes_and_intervals() -> None:
    summaries = [
        summarize(
            items,
            step=step,
            data="mine",
            exposure="explicit",
            split="test",
            scoring="sum",
            eps=0.01,
            seconds=1.0,
            groups=GROUPS,
        )
        for step, items in ((0, BEFORE), (7, AFTER))
    ]
    text = io.StringIO()
    console = Console(file=text, width=160)
    console.print(before_after_table("run", *summaries, changes(BEFORE, AFTER, GROUPS)))
    console.print(audit_table("run", summaries[1]))
    lines = text.getvalue().splitlines()
    flips = next(line for line in lines if "two groups differ" in line)
    assert all(part in flips for part in ("0.500", "0.250", "-0.250", " to "))
    assert any("step 7" in line for line in lines)
    assert any("accuracy, south" in line and "0.500" in line for line in lines)


def reworded(answers: str, wording: int) -> list[AuditItem]:
    """What north and south answered to two questions, in one wording of their profiles."""
    return [
        replace(fact(f"q{number // 2}", GROUPS[number % 2], {"r": "right", "w": "wrong"}[letter]), wording=wording)
        for number, letter in enumerate(answers)
    ]


def test_the_verdict_is_told_with_what_the_groups_add_to_the_wording() -> None:
    once = analyze(BEFORE, GROUPS)
    assert once.facts is not None
    assert once.facts.verdict is not None
    assert verdict_text("Before", once).plain == f"Before: {once.facts.verdict.sentence}"
    # q0: north right and south wrong in both wordings; q1: all right, but for south's second wording.
    twice = analyze(items_frame([*reworded("rwrr", 0), *reworded("rwrw", 1)]), GROUPS)
    # Across in different wordings: q0 2 of 2, q1 1 of 2; wordings of one group: q0 none, q1 south's.
    assert verdict_text("After", twice).plain.endswith(
        "Two groups answer differently on 75.0 % of the questions, two wordings of one group on 25.0 %: what the "
        "groups add to the wording is +50.0 points (+0.0 to +100.0)."
    )


def test_without_facts_or_groups_there_is_no_verdict() -> None:
    assert "nothing to compare" in verdict_text("Verdict", analyze(BEFORE, GROUPS[:1])).plain
