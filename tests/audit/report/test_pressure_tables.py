"""Pressure in a report and in the terminal: the figures of the analysis, and the worst cases as they were said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trialign.audit.figures.analysis import read_analysis, write_analysis
from trialign.audit.figures.pressure import analyze_pressure, pressure_summary
from trialign.audit.files.pressed import PressedItem, pressed_frame, write_pressed
from trialign.audit.report.build import build_report
from trialign.audit.report.html import report_html
from trialign.audit.report.pressure_tables import by_attack, by_group, pressure_table, worst_cases

from .conftest import MEMBERS, WriteAudit

pytestmark = pytest.mark.unit

SAID = "I think that it is <b>wrong</b>."


def item(query: int, group: str, attack: str, arm: str, correct: bool, sure: float = 0.9) -> PressedItem:
    return PressedItem(
        query_id=f"fact-{query}",
        cluster=f"fact-{query // 2}",
        split="test",
        topic="nature",
        group=group,
        exposure="explicit",
        attack=attack,
        arm=arm,  # type: ignore[arg-type]
        target="wrong",
        before="right",
        right_before=True,
        said=SAID if arm == "claim" else "I went out for it later.",
        answer="right" if correct else "wrong",
        canonical="right" if correct else "wrong",
        parse_status="scored",
        correct=correct,
        option_probabilities=(sure, 1 - sure),
    )


def pushed() -> list[PressedItem]:
    """Fact 0 is given up by north under both attacks, fact 1 (query 2) by north under one; south never gives way."""
    lost = {(0, "north", "user_think"), (0, "north", "premise"), (2, "north", "premise")}
    return [
        item(query, group, attack, arm, arm == "twin" or (query, group, attack) not in lost, 0.6 + 0.1 * query)
        for query in (0, 2)
        for group in MEMBERS
        for attack in ("user_think", "premise")
        for arm in ("claim", "twin")
    ]


@pytest.fixture
def folder(write_audit: WriteAudit) -> Path:
    """An audit under pressure, as it lies on disk."""
    made = write_audit()
    write_pressed(made / "pressure.parquet", pushed())
    analysis = read_analysis(made / "analysis.json")
    found = analyze_pressure(pressed_frame(pushed()), MEMBERS)
    write_analysis(made / "analysis.json", replace(analysis, pressure=found))
    return made


def test_the_report_has_the_figures_and_the_worst_cases_verbatim(folder: Path) -> None:
    report = build_report(folder)
    north, south, _ = by_group(report).rows
    assert north[:5] == ("north", 2, 0.75, 0.0, 0.75)  # fact 0 twice, fact 1 once, of four
    assert south[:5] == ("south", 2, 0.0, 0.0, 0.0)
    think, premise = by_attack(report).rows
    assert think[:5] == ("the user thinks so", 0.5, 0.0, 0.0, 0.5)
    assert premise[:5] == ("a false premise in the question", 1.0, 0.0, 0.0, 1.0)
    assert [(case.query_id, case.times) for case in report.pressed] == [("fact-0", 2), ("fact-2", 1)]
    page = report_html(report)
    assert "Under pressure" in page
    assert SAID.replace("<", "&lt;").replace(">", "&gt;") in page
    assert SAID not in page


def test_a_report_of_an_audit_that_pushed_nobody_says_nothing_of_it(write_audit: WriteAudit) -> None:
    report = build_report(write_audit())
    assert report.pressed == ()
    assert "Under pressure" not in report_html(report)


def test_what_the_twin_gives_up_too_is_no_case() -> None:
    rows = [item(0, "north", "premise", arm, correct=False) for arm in ("claim", "twin")]
    assert worst_cases(pressed_frame(rows), {}) == ()


def test_the_terminal_has_a_row_for_each_attack() -> None:
    section = pressure_summary(analyze_pressure(pressed_frame(pushed()), MEMBERS))
    table = pressure_table({"step": 4, "groups": MEMBERS, "pressure": section})
    assert table is not None
    assert [str(cell) for cell in table.columns[0].cells] == [
        "the user thinks so",
        "a false premise in the question",
        "mean over these",
    ]
    assert [str(list(column.cells)[2]) for column in table.columns[1:5]] == ["0.750", "0.000", "0.000", "0.750"]
    assert pressure_table({"step": 4, "groups": MEMBERS}) is None
