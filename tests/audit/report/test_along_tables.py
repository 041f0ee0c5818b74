"""Attributes and very many groups in the report and on the terminal."""

from __future__ import annotations

import csv
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from trialign.attributes import Attribute
from trialign.audit.figures.analysis import AuditAnalysis, analyze, read_analysis, write_analysis
from trialign.audit.figures.summary import read_summary
from trialign.audit.files.items import read_items
from trialign.audit.report import build_report, write_report
from trialign.audit.report.terminal import audit_table, replies_table, verdict_text

pytestmark = pytest.mark.unit

WriteAudit = Callable[..., Path]
AGE = Attribute("age", "age in years")


def aged(folder: Path, groups: tuple[str, ...], **ages: float) -> AuditAnalysis:
    """The audit's analysis made again, of groups that state ages."""
    values = {group: {"age": ages.get(group, 20.0 + place)} for place, group in enumerate(groups)}
    analysis = analyze(read_items(folder / "items.parquet"), groups, stated=((AGE,), values))
    write_analysis(folder / "analysis.json", analysis)
    return read_analysis(folder / "analysis.json")


def test_a_report_has_the_curve(write_audit: WriteAudit, tmp_path: Path) -> None:
    folder = write_audit()
    analysis = aged(folder, ("north", "south", "island"), north=20, south=45, island=75)
    write_report(build_report(folder), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Along age in years:" in page
    with (tmp_path / "tables" / "curves.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    [age] = analysis.attributes
    assert [(row["value"], float(row["accuracy"])) for row in rows] == [(p.label, p.accuracy) for p in age.curve]
    assert [row["value"] for row in rows] == ["20", "45", "75"]
    with (tmp_path / "tables" / "distances.csv").open(encoding="utf-8") as file:
        assert [row["distance"] for row in csv.DictReader(file)] == ["25.0", "30.0", "55.0"]
    assert "Along age in years:" in str(verdict_text("Verdict", analysis))


def test_groups_that_state_nothing_have_no_such_section(write_audit: WriteAudit, tmp_path: Path) -> None:
    write_report(build_report(write_audit()), tmp_path)
    assert "Along attributes" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not (tmp_path / "tables" / "curves.csv").exists()


def test_of_very_many_groups_the_page_shows_the_first_and_tables_all(write_audit: WriteAudit, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    groups = tuple(f"g{place:03d}" for place in range(120))
    answers = ["".join(generator.choice(["r", "w"], 120, p=[0.7, 0.3])) for _ in range(20)]
    liking = generator.uniform(0.3, 0.9, (3, 120)).tolist()
    folder = write_audit(groups=groups, answers=answers, liking=liking)
    analysis = aged(folder, groups)
    write_report(build_report(folder), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Right answers of each group (the first 100 of 120; accuracy.csv has all)" in page
    assert "The 20 pairs of groups that differ most, of 7,140; p corrected for all" in page
    assert "the lowest 30 groups" in page
    with (tmp_path / "tables" / "accuracy.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 120
    with (tmp_path / "tables" / "group_ranks.csv").open(encoding="utf-8") as file:
        first = next(csv.DictReader(file))["group"]
    assert analysis.group_spread is not None
    assert first == analysis.group_spread.lowest[0].group
    assert "The right answers of 120 groups lie" in str(verdict_text("Verdict", analysis))
    assert replies_table(analysis) is None
    assert shown(audit_table("run", read_summary(folder / "summary.json"))) < 45


def shown(table: Any) -> int:
    """Lines of a table on the terminal."""
    out = StringIO()
    Console(file=out, width=120).print(table)
    return len(out.getvalue().splitlines())
