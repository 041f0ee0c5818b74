"""Runs side by side."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console
from statsmodels.stats.multitest import multipletests

from trialign.audit.figures import measures
from trialign.audit.files.folders import audit_folder
from trialign.audit.report.charts import axis_ticks
from trialign.audit.report.pareto import pareto_plot, standings
from trialign.audit.report.run_comparison import ComparedRun, RunComparison, compare_runs
from trialign.audit.report.run_tables import terminal_table, write_comparison
from trialign.errors import UserError

pytestmark = pytest.mark.integration

WriteAudit = Callable[..., Path]
BASE = ("rrr", "rrr", "rww", "rww", "www", "www", "wwr", "rrr")


@pytest.fixture
def compared(write_audit: WriteAudit) -> RunComparison:
    return compare_runs(
        [
            audit_folder(write_audit("base", answers=BASE, config={"objective": "utilitarian"})),
            audit_folder(write_audit("one", config={"objective": "trialign"})),
            audit_folder(write_audit("two", answers=BASE, config={"objective": "trialign", "seed": 1})),
        ]
    )


def test_runs_that_differ_in_their_seed_only_are_one(compared: RunComparison) -> None:
    assert [run.name for run in compared.runs] == ["base", "one (2 seeds)"]
    base, pool = compared.runs
    assert base.differences == ()
    # Accuracy 12 of 24 and 13 of 24, see the report's test; the pool holds one of each.
    assert base.values["mean"] == pytest.approx(12 / 24)
    assert pool.values["mean"] == pytest.approx(12.5 / 24)
    changes = {entry.measure: entry for entry in pool.differences}
    assert changes["mean"].change == pytest.approx(0.5 / 24)
    assert changes["preference"].change == 0


def test_the_seed_of_the_collection_is_the_runs(write_audit: WriteAudit) -> None:
    def run(name: str, seed: int, samples: int = 4) -> Path:
        config = {"seed": seed, "collect": {"seed": seed, "samples": samples}}
        return write_audit(name, answers=BASE, config=config)

    audits = [audit_folder(path) for path in (run("a", 0), run("b", 1), run("c", 1, samples=8))]
    assert [found.name for found in compare_runs(audits).runs] == ["a (2 seeds)", "c"]


def test_an_audit_named_twice_is_refused(write_audit: WriteAudit) -> None:
    first, second = (audit_folder(write_audit(name, answers=BASE)) for name in ("first", "second"))
    with pytest.raises(UserError, match=r"first.* is named twice\. Name every run once"):
        compare_runs([first, second, first])


def test_p_values_are_corrected_for_all_differences(compared: RunComparison) -> None:
    found = [entry for entry in compared.runs[1].differences if entry.p_value is not None]
    smallest = min(found, key=lambda entry: entry.p_value or 0)
    assert smallest.p_holm == pytest.approx(min(1, len(found) * (smallest.p_value or 0)))
    assert all((entry.p_holm or 0) >= (entry.p_value or 0) for entry in found)
    assert all(entry.p_holm is None for entry in compared.runs[1].differences if entry.p_value is None)


def test_p_values_are_corrected_over_all_runs(write_audit: WriteAudit) -> None:
    better = ("rrr", "rrr", "rrr", "rww", "rrr", "www", "rrr", "rrr")
    answers = {"base": BASE * 5, "one": better * 5, "two": ("rrr",) * 40}
    folders = [audit_folder(write_audit(n, answers=a, config={"objective": n})) for n, a in answers.items()]
    found = [entry for run in compare_runs(folders).runs for entry in run.differences if entry.p_value is not None]
    assert len(found) > len(measures.compared())
    together = multipletests([entry.p_value for entry in found], method="holm")[1]
    assert [entry.p_holm for entry in found] == pytest.approx(together.tolist())
    # The smallest counts for all, not for those of its own run.
    smallest = min(found, key=lambda entry: entry.p_value or 0)
    assert smallest.p_holm == pytest.approx(len(found) * (smallest.p_value or 0))
    assert (smallest.p_holm or 1) < 0.05


def test_intervals_have_the_confidence_of_the_audit(write_audit: WriteAudit) -> None:
    def widths(alpha: float) -> dict[str, float]:
        names = (f"base {alpha}", BASE), (f"one {alpha}", ("rrr", "rrr", "rrr", "rww", "rrr", "www", "rrr", "rrr"))
        folders = [
            audit_folder(write_audit(name, answers=answers, alpha=alpha, config={"objective": name}))
            for name, answers in names
        ]
        comparison = compare_runs(folders)
        assert comparison.alpha == alpha
        return {
            entry.measure: entry.high - entry.low
            for entry in comparison.runs[1].differences
            if entry.high is not None and entry.low is not None
        }

    wide, narrow = widths(0.05), widths(0.5)
    moved = [name for name, width in wide.items() if width > 0]
    assert moved
    assert all(narrow[name] < wide[name] for name in moved)


def test_other_questions_or_groups_are_refused(write_audit: WriteAudit) -> None:
    first = audit_folder(write_audit("first"))
    for name, changed in (
        ("fewer", {"answers": BASE[:6]}),
        ("reworded", {"words": {"question": "What was it?"}}),
        ("smaller", {"groups": ("north", "south")}),
    ):
        with pytest.raises(UserError, match=r"different questions or groups.*Compare audits of the same"):
            compare_runs([first, audit_folder(write_audit(name, **changed))])


def test_every_form_has_the_same_numbers(compared: RunComparison, tmp_path: Path) -> None:
    write_comparison(compared, tmp_path)
    with (tmp_path / "comparison.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(measures.compared())
    content = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    for run in content["runs"]:
        for measure, value in run["values"].items():
            [row] = [row for row in rows if (row["run"], row["measure"]) == (run["name"], measure)]
            assert float(row["value"]) == value
    text = io.StringIO()
    Console(file=text, width=200).print(terminal_table(compared))
    for shown in (text.getvalue(), (tmp_path / "comparison.md").read_text(encoding="utf-8")):
        assert "50.0 %" in shown
        assert "52.1 %" in shown
        assert "+2.1 (" in shown


def test_every_column_is_headed_by_the_whole_name_of_its_run(compared: RunComparison, tmp_path: Path) -> None:
    long = "a-run-" + "x" * 60
    named = replace(compared, runs=(replace(compared.runs[0], name=long), *compared.runs[1:]))
    write_comparison(named, tmp_path)
    heads = [line for line in (tmp_path / "comparison.md").read_text(encoding="utf-8").splitlines() if long in line]
    assert heads[0].startswith("|")
    text = io.StringIO()
    Console(file=text, width=80).print(terminal_table(named))
    assert text.getvalue().count("x") >= 60  # folded, not cut


def test_the_same_runs_give_the_same_bytes(compared: RunComparison, tmp_path: Path) -> None:
    files = [write_comparison(compared, tmp_path / name) for name in ("one", "two")]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]


def many(names: list[str]) -> RunComparison:
    """Runs that stand almost on one point."""
    runs = [
        ComparedRun(
            name,
            (),
            {
                **dict.fromkeys(m.key for m in measures.compared()),
                "mean": 0.5 + n / 1e4,
                "preference": 0.5,
                "flip_rate": 0.1 * n,
            },
            (),
            (),
        )
        for n, name in enumerate(names)
    ]
    return RunComparison(1, "house", "test", "explicit", ("a", "b"), 8, 4, 0.05, tuple(runs))


def test_every_run_lies_within_the_axes() -> None:
    comparison = many(["low", "middle", "high"])
    tastes = {"low": 0.13, "middle": 0.41, "high": 0.87}
    spread = [replace(run, values={**run.values, "preference": tastes[run.name]}) for run in comparison.runs]
    plot = pareto_plot(replace(comparison, runs=tuple(spread)))
    assert plot is not None
    for mark in plot.marks:
        assert plot.left <= mark.x <= plot.right
        assert plot.top <= mark.y <= plot.bottom
    across = {mark.name: mark.x for mark in plot.marks}
    assert across["low"] < across["middle"] < across["high"]
    # x goes with the score: from .1 to .9 or so, its ticks say where.
    assert float(plot.x_ticks[0][1].removesuffix(" %")) <= 13
    assert float(plot.x_ticks[-1][1].removesuffix(" %")) >= 87


def test_a_run_is_best_where_none_is_as_good_in_both_and_better_in_one() -> None:
    told = {"a": (0.5, 0.9), "b": (0.6, 0.8), "c": (0.6, 0.9), "d": (0.7, 0.2), "twin": (0.6, 0.9), "e": (0.7, 0.1)}
    comparison = many(list(told))
    runs = [
        replace(run, values={**run.values, "preference": told[run.name][0], "mean": told[run.name][1]})
        for run in comparison.runs
    ]
    found = standings(replace(comparison, runs=tuple(runs)))
    assert [(one.name, one.taste, one.truth) for one in found] == [(name, *both) for name, both in told.items()]
    assert [one.name for one in found if one.best] == ["c", "d", "twin"]
    assert [one.flips for one in found] == [run.values["flip_rate"] for run in runs]
    without = [replace(runs[0], values={**runs[0].values, "preference": None}), *runs[1:]]
    assert [one.name for one in standings(replace(comparison, runs=tuple(without)))] == list(told)[1:]


def test_labels_do_not_cover_each_other_and_the_better_are_filled() -> None:
    plot = pareto_plot(many([f"a run with a name {n}" for n in range(6)]))
    assert plot is not None
    lines = sorted(mark.label_y for mark in plot.marks)
    assert all(below - above >= 14.9 for above, below in pairwise(lines))
    assert [mark.name for mark in plot.marks if mark.best] == ["a run with a name 5"]
    areas = {mark.name: mark.radius**2 for mark in plot.marks}
    steps = [areas[f"a run with a name {n + 1}"] - areas[f"a run with a name {n}"] for n in range(5)]
    assert steps == pytest.approx([steps[0]] * 5, rel=0.01)


def test_hostile_names_do_nothing(tmp_path: Path) -> None:
    names = ["<script>x</script>", '=cmd|"/c calc"!A1', "\u202egnp\x1b[31m", "a | b\n# c"]
    write_comparison(many(names), tmp_path)
    root = ElementTree.parse(tmp_path / "pareto.svg").getroot()
    assert not [tag for tag in root.iter() if tag.tag.endswith("script")]
    assert "&lt;script&gt;" in (tmp_path / "pareto.svg").read_text(encoding="utf-8")
    for path in tmp_path.glob("*.[csm]*"):
        text = path.read_text(encoding="utf-8")
        assert "\x1b" not in text
        if path.suffix != ".json":
            assert "\u202e" not in text
            assert "\n=cmd" not in text
    assert "\n# c" not in (tmp_path / "comparison.md").read_text(encoding="utf-8")
    text = io.StringIO()
    Console(file=text, width=200).print(terminal_table(many(names)))
    assert "\x1b" not in text.getvalue()


@pytest.mark.parametrize(("low", "high"), [(0, 0), (-0.5, 0.5), (0.4812, 0.4899), (0, 1), (-0.003, 0.0001)])
def test_an_axis_holds_its_values_and_has_round_ticks(low: float, high: float) -> None:
    ticks = axis_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 2 <= len(ticks) <= 8
    steps = {round(b - a, 9) for a, b in pairwise(ticks)}
    assert len(steps) == 1
    assert f"{steps.pop():e}"[0] in "125"
