"""The page Runs: a row each, two side by side as the command has them, one over time."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from html import unescape
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from trialign.audit.figures import measures
from trialign.audit.report.format import formatted, measured
from trialign.audit.report.run_comparison import compare_runs
from trialign.dashboard.components import charts
from trialign.dashboard.components.dated import Dated, _bounds, _said
from trialign.dashboard.components.words import READINGS
from trialign.runs import RunFolder

from . import samples
from .conftest import SyntheticRun
from .test_shell import text_of

pytestmark = pytest.mark.integration
Open = Callable[..., AppTest]


def tables(app: AppTest) -> list[list[list[str]]]:
    """Every table of the page: its rows of cells, the head first; lines of a cell are parted by a line break."""
    return [
        [
            [unescape(re.sub(r"<(?!br)[^>]*>", "", cell)).replace("<br>", "\n") for cell in _CELL.findall(row)]
            for row in re.findall(r"<tr>(.*?)</tr>", part.proto.body, re.DOTALL)
        ]
        for part in app.get("html")
        if "<table" in part.proto.body
    ]


_CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)


def test_each_run_has_a_row_whose_name_leads_to_its_verdict(runs: Path, open_page: Open) -> None:
    samples.plain(runs)
    SyntheticRun(runs / "begun", settings=samples.settings(steps=240)).write().log(60)
    [head, finished, begun] = tables(open_page("runs"))[0]
    assert head[:2] == ["Run", "Verdict"]
    assert head[2:6] == ["Equally right", "The same answers", "Right at all", "Answered"]
    assert finished[:2] == ["quickstart", "? Not enough evidence"]
    assert finished[6:] == [
        "✓ finished",
        samples.MODEL,
        "1 May 2026, 10:02 UTC",
        "test, step 8 (house)",
        "trialign",
        "0",
    ]
    assert begun[:2] == ["begun", "– no audit"]
    assert begun[6] == "■ stopped: step 60 of 240 (25 %)"
    page = open_page("runs")
    assert "./?run=quickstart&amp;audit=test%2C+step+8+%28house%29" in str(page.get("html")[2].proto.body)


def test_a_damaged_run_is_said_to_be_so_and_which_file_it_is(runs: Path, open_page: Open) -> None:
    run = samples.plain(runs)
    (run.folder / "audits" / "step=000008.house.test" / "analysis.json").write_text("{", encoding="utf-8")
    app = open_page("runs")
    row = tables(app)[0][1]
    assert (row[0], row[1], row[6]) == ("quickstart", "✗ cannot be read", "✗ damaged")
    assert "analysis.json" in app.error[0].value.replace("\\", "")


def test_training_is_said_on_the_page_and_in_the_sidebar(runs: Path, open_page: Open) -> None:
    samples.plain(runs)
    run = SyntheticRun(runs / "begun", settings=samples.settings(steps=240)).write().log(60)
    with RunFolder(run.folder).held(), RunFolder(runs / "soon").held():
        app = open_page("runs")
    rows = {row[0]: row for row in tables(app)[0]}
    assert rows["begun"][6] == "▶ in training: step 60 of 240 (25 %)"
    assert rows["soon"][6] == "▶ in training: its data are being collected"
    said = "\n".join(caption.value for caption in app.sidebar.caption).replace("\\", "")
    assert "begun: in training: step 60 of 240 (25 %)." in said


def test_every_page_of_a_run_in_training_says_so(one_run: SyntheticRun, open_page: Open) -> None:
    one_run.log(3)
    with RunFolder(one_run.folder).held():
        for name in ("verdict", "items", "groups", "training", "report", "compare"):
            app = open_page(name)
            assert "This run is in training: step 3" in "\n".join(one.value for one in app.info).replace("\\", ""), name
            aside = "\n".join(one.value for one in app.sidebar.caption).replace("\\", "")
            assert "In training: step 3" in aside, name
    assert "in training" not in "\n".join(one.value for one in open_page("verdict").info)


def test_two_runs_have_the_numbers_of_the_command(runs: Path, open_page: Open, tmp_path: Path) -> None:
    samples.plain(runs)
    samples.plain(runs, "other", seed=3, objective="independent")
    samples.plain(runs, "other-again", seed=4, objective="independent")
    names = ["quickstart", "other", "other-again"]
    app = open_page("runs")
    app.multiselect(key="runs").set_value(names).run()
    assert not app.exception, app.exception
    shown = tables(app)[1]
    command = [sys.executable, "-m", "trialign.cli", "compare", *(str(runs / name) for name in names)]
    subprocess.run([*command, "--output", str(tmp_path / "out")], check=True, capture_output=True)
    with (tmp_path / "out" / "comparison.csv").open(encoding="utf-8", newline="") as file:
        written = {(row["run"], row["measure"]): row for row in csv.DictReader(file)}
    assert shown[0] == ["Measure", "quickstart", "other (2 seeds)", "Wanted"]
    cells = {row[0]: row[1:] for row in shown[1:]}
    known = [one for one in measures.compared() if written["quickstart", one.key]["value"]]
    assert len(known) > 5
    for measure in known:
        first, second, _ = cells[measure.words]
        assert first == measured(float(written["quickstart", measure.key]["value"]), measure.unit)
        row = written["other (2 seeds)", measure.key]
        change, low, high = (formatted(float(row[name]), "points") for name in ("change", "low", "high"))
        value, against, p_value, said = second.split("\n")
        assert value == measured(float(row["value"]), measure.unit)
        assert against == f"{change} ({low} to {high})"
        assert p_value == f"p {formatted(float(row['p_holm']), 'p_value')}"
        assert said in READINGS.values()
        assert not ("as wanted" in said and float(row["p_holm"]) > 0.05)
    assert any(row["change"] not in ("", "0.0") for (run, _), row in written.items() if run != "quickstart")
    assert cells["Verdict"][1].count("\n") == 1  # of both seeds


def test_audits_stand_in_the_order_of_their_dates_with_the_numbers_of_the_command(runs: Path, open_page: Open) -> None:
    """The later run is named first; the gate of one of them sets a bound, which stands on the chart and in words."""
    wrong: dict[int, Sequence[str]] = {0: ("north",), 1: ("south",), 2: ("island",)}
    gate = {"gate": {"flips": 0.1, "worst": None}}
    late = SyntheticRun(runs / "late", settings={**samples.settings(), **gate}, model=samples.MODEL).write()
    early = SyntheticRun(
        runs / "early", settings=samples.settings(objective="independent"), model=samples.MODEL
    ).write()
    late.audit(6, wrong=wrong)
    early.audit(1, wrong={0: ("north",)})
    app = open_page("runs")
    app.multiselect(key="runs").set_value(["late", "early"]).run()
    compared = compare_runs([audit for name in ("late", "early") for audit in RunFolder(runs / name).audits()])
    told = {run.name: run.values for run in compared.runs}
    for key in ("flip_rate", "worst"):
        if key != "flip_rate":
            app.selectbox(key="dated").set_value(key).run()
        [head, first, second] = next(one for one in tables(app) if one[0][0] == "Audit")
        assert head[1] == measures.by_key()[key].words
        assert [first[0], second[0]] == ["2 May 2026, 10:02 UTC early", "7 May 2026, 10:02 UTC late"]
        shown = {name: row[1] for name, row in (("early", first), ("late", second))}
        assert shown == {name: formatted(values[key], "share") for name, values in told.items()}
        if key == "flip_rate":  # 2 of 3 pairs of groups differ on 3 of 12 facts, 1 / 6, and on one of them, 1 / 18
            assert shown == {"early": "5.6 %", "late": "16.7 %"}
        said = "\n".join(caption.value for caption in app.caption).replace("\\", "")
        assert ("the gate's bound (gate.flips), at most 10.0 %" in said) == (key == "flip_rate")


def test_audits_by_date_in_words_have_the_numbers_of_the_command(runs: Path, open_page: Open) -> None:
    samples.spoken(runs, "spoken")
    samples.worded(runs, objective="independent")
    app = open_page("runs")
    app.multiselect(key="runs").set_value(["spoken", "worded"]).run()
    app.segmented_control(key="dated_way").set_value("In words").run()
    assert not app.exception, app.exception
    compared = compare_runs([RunFolder(runs / name).audits()[-1] for name in ("spoken", "worded")])
    assert compared.words is not None
    told = {run.name: run.values for run in compared.words.runs}
    for key in ("flip_rate", "worst", "mean", "consistent_wrong"):
        app.selectbox(key="dated").set_value(key).run()
        [_, *rows] = next(one for one in tables(app) if one[0][0] == "Audit")
        shown = {row[0].rsplit(" ", 1)[1]: row[1] for row in rows}
        assert shown == {name: formatted(values[key], "share") for name, values in told.items()}
        assert (shown["spoken"] == shown["worded"]) == (key == "consistent_wrong")
    assert ", in words, with 95 % intervals" in "\n".join(caption.value for caption in app.caption)
    # Of one run, an audit that asked no words has none.
    app.multiselect(key="runs").set_value(["worded"]).run()
    [_, *rows] = next(one for one in tables(app) if one[0][0] == "Audit")
    assert [row[0].rsplit(", ")[-1] for row in rows] == [row[0].rsplit(", ")[-1] for row in rows if "step 8" in row[0]]
    assert len(rows) == 1


def test_runs_side_by_side_stand_in_a_plot_of_truth_and_taste(runs: Path, open_page: Open) -> None:
    samples.plain(runs)
    samples.plain(runs, "other", seed=3, objective="independent")
    app = open_page("runs")
    app.multiselect(key="runs").set_value(["quickstart", "other"]).run()
    assert "Right answers against taste" in [part.value for part in app.header]
    compared = compare_runs([RunFolder(runs / name).audits()[-1] for name in ("quickstart", "other")])
    [head, *rows] = next(one for one in tables(app) if one[0][0] == "Run" and one[0][-1].startswith("No other"))
    keys = ("mean", "preference", "flip_rate")
    assert head[1:4] == [measures.by_key()[key].words for key in keys]
    told = {run.name: run.values for run in compared.runs}
    assert {row[0]: row[1:4] for row in rows} == {
        name: [formatted(values[key], "share") for key in keys] for name, values in told.items()
    }
    # Both have the same taste: the one that is right more often is not beaten.
    better = max(told, key=lambda name: told[name]["mean"] or 0)
    assert {row[0] for row in rows if row[4] == "yes"} == {better}


def test_bounds_that_differ_are_told_apart() -> None:
    assert _said({0.1: ["a", "b"], 0.2: ["c"]}, "flips", True).startswith(
        "Dashed: the gate's bound (gate.flips), at most 10.0 % (a, b); at most 20.0 % (c)."
    )
    assert "at least 90.0 %." in _said({0.9: ["a"]}, "worst", False)
    assert _said({}, "", False) == "No rule of the gate in their configurations bounds it."


@pytest.mark.parametrize(
    ("stated", "bounds"),
    [(0.1, {0.1: ["a"]}), (0, {0.0: ["a"]}), (1, {1.0: ["a"]}), (None, {}), (True, {}), ("0.1", {})],
)
def test_a_bound_may_be_a_whole_number(stated: object, bounds: dict[float, list[str]]) -> None:
    """A configuration may say 0 for "none at all"."""
    facts = cast(Any, None)  # no figure is read here
    assert _bounds([Dated("a", "2026-05-02", facts, None, {"flips": stated})], "flips") == bounds


def test_a_reading_goes_by_the_p_that_is_shown(runs: Path, open_page: Open) -> None:
    """Alone a change would count; corrected for all that is shown it does not, and is not said to."""
    wrong = dict.fromkeys(range(7), ("north",))
    for name, objective in (("first", "trialign"), ("second", "independent")):
        run = SyntheticRun(runs / name, facts=30, tastes=0, settings=samples.settings(objective=objective)).write()
        run.audit(4, wrong=wrong if name == "first" else {})  # type: ignore[arg-type]
    app = open_page("runs")
    app.multiselect(key="runs").set_value(["first", "second"]).run()
    [cell] = [row[2] for row in tables(app)[1] if row[0] == "Same answer for all"]
    p_value, said = cell.split("\n")[2:]
    found = compare_runs([audit for name in ("first", "second") for audit in RunFolder(runs / name).audits()])
    [change] = [one for one in found.runs[1].differences if one.measure == "unanimous"]
    assert change.p_value is not None
    assert change.p_holm is not None
    assert change.p_value < 0.05 < change.p_holm
    assert p_value == f"p {change.p_holm:.3f}"
    assert said == READINGS["within chance"]


def test_one_run_is_followed_from_audit_to_audit(runs: Path, open_page: Open) -> None:
    samples.plain(runs)
    shown = tables(open_page("runs"))[1]
    assert [row[0] for row in shown] == ["Agents", "before training", "step 4", "step 8"]
    assert [row[6] for row in shown[1:]] == ["66.7 %", "82.5 %", "90.8 %"]
    assert [row[7] for row in shown[1:]] == ["32.5 points", "15.0 points", "7.5 points"]


def test_runs_of_other_questions_are_not_compared(runs: Path, open_page: Open) -> None:
    SyntheticRun(runs / "one").write().audit(4)
    SyntheticRun(runs / "two", facts=5).write().audit(4)
    app = open_page("runs")
    app.multiselect(key="runs").set_value(["one", "two"]).run()
    assert "asked different questions or groups" in app.error[0].value
    assert str(runs) not in app.error[0].value.replace("\\", "")


def test_a_changed_file_is_not_compared(runs: Path, open_page: Open) -> None:
    for name in ("one", "two"):
        folder = SyntheticRun(runs / name).write().audit(4)
    with (folder / "items.parquet").open("ab") as file:
        file.write(b"\0")
    app = open_page("runs")
    app.multiselect(key="runs").set_value(["one", "two"]).run()
    assert "its hash differs" in app.error[0].value


def test_words_leave_out_rows(runs: Path, open_page: Open) -> None:
    samples.plain(runs)
    samples.plain(runs, "other", objective="independent")
    app = open_page("runs")
    app.text_input(key="row_words").set_value("INDEPENDENT").run()
    assert [row[0] for row in tables(app)[0][1:]] == ["other"]
    app.text_input(key="row_words").set_value("nowhere").run()
    assert "No run has these words" in app.info[0].value


def test_a_name_of_a_run_is_text(runs: Path, open_page: Open) -> None:
    samples.plain(runs, "<img src=x onerror=alert(1)>")
    app = open_page("runs")
    assert "<img" not in "".join(part.proto.body for part in app.get("html"))
    assert tables(app)[0][1][0] == "<img src=x onerror=alert(1)>"


def test_the_sidebar_names_model_and_date_and_begins_with_a_finished_run(runs: Path, open_page: Open) -> None:
    samples.plain(runs, "z-finished")
    SyntheticRun(runs / "a-begun", settings=samples.settings(), model="other/model").write().audit(0)
    app = open_page()
    assert app.selectbox(key="run").options == ["z-finished", "a-begun"]
    assert app.selectbox(key="run").value == "z-finished"
    said = "\n".join(caption.value for caption in app.sidebar.caption).replace("\\", "")
    assert said.startswith(f"{samples.MODEL}, audited 1 May 2026, 10:02 UTC")
    assert "· audited 1 May 2026, 10:02 UTC" in text_of(app)


def test_where_no_run_has_an_audit_the_pages_say_so(runs: Path, open_page: Open) -> None:
    SyntheticRun(runs / "begun").write()
    assert "No run has a complete audit yet" in open_page("verdict").info[0].value
    assert tables(open_page("runs"))[0][1][0] == "begun"


def test_with_nine_groups_the_measures_are_named_in_words(runs: Path, open_page: Open) -> None:
    samples.nine(runs)
    app = open_page("training", section="How training went")
    assert app.selectbox(key="measure").options == [
        "Right answers, group by group (validation)",
        "Right answers expected, group by group (moving average)",
        "Weight of a group's right answers in training",
    ]
    assert [row[0] for row in tables(app)[0][1:]] == list(samples.NINE.values())


def test_a_chart_without_a_line_has_no_layer_for_it() -> None:
    frame = pd.DataFrame({"name": ["a"], "value": [0.1], "low": [0.0], "high": [0.2]})
    assert len(charts.intervals(frame, "x").to_dict()["layer"]) == 2
    assert len(charts.intervals(frame, "x", marked=[0.1]).to_dict()["layer"]) == 3


def test_no_two_of_many_lines_look_alike() -> None:
    names = [f"group {number}" for number in range(50)]
    frame = pd.DataFrame({"step": 0, "name": names, "value": 0.5})
    encoding = charts.paths(frame).to_dict()["encoding"]
    looks = [encoding[part]["scale"]["range"] for part in ("color", "strokeDash")]
    drawn = {(looks[0][place % len(looks[0])], str(looks[1][place % len(looks[1])])) for place in range(50)}
    assert len(drawn) == 50
