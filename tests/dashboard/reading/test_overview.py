"""What a list of runs says of each, and that a damaged one has its row."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st

from trialign.dashboard.reading.catalog import scan
from trialign.dashboard.reading.overview import RunRow, run_row
from trialign.runs import RunFolder

from .. import samples
from ..conftest import SyntheticRun

pytestmark = pytest.mark.unit


def rows(root: Path) -> dict[str, RunRow]:
    catalog = scan(root)
    return {run.id: run_row(catalog, run) for run in catalog.runs}


def test_a_row_tells_model_date_data_objective_seed_verdict_and_status(runs: Path) -> None:
    samples.plain(runs, seed=3)
    row = rows(runs)["quickstart"]
    assert (row.model, row.data, row.objective, row.seed) == (samples.MODEL, "house", "trialign", "3")
    assert row.audit is not None
    assert row.judged is not None
    assert (row.audit.step, row.judged.when) == (8, "2026-05-01T10:02:03+00:00")
    assert row.judged.verdict == ("?", "Not enough evidence")
    assert [len(row.judged.parts), row.judged.parts[3]] == [4, "✓ holds"]
    assert (row.progress.state, row.fault) == ("finished", None)


def test_a_run_is_judged_by_its_own_questions_whatever_else_it_was_asked(runs: Path) -> None:
    samples.plain(runs, seed=3)
    audits = runs / "quickstart" / "audits"
    for other in ("arc", "zebra"):
        shutil.copytree(audits / "step=000008.house.test", audits / f"step=000008.{other}.test")
    found = rows(runs)["quickstart"]
    assert found.audit is not None
    assert (found.audit.data, found.audit.step) == ("house", 8)


def test_a_run_without_an_audit_is_told_by_its_configuration(runs: Path) -> None:
    for bits in ("none", "nf4"):
        SyntheticRun(runs / bits, settings={"model": {"name": "m", "quantization": bits}}).write()
    SyntheticRun(runs / "folder", settings={"model": {"path": "/weights/m"}}).write()
    assert {name: row.model for name, row in rows(runs).items()} == {"none": "m", "nf4": "m (nf4)", "folder": "m"}


def test_what_older_audits_kept_not_is_left_empty(runs: Path) -> None:
    SyntheticRun(runs / "house").write().audit(4)
    row = rows(runs)["house"]
    assert (row.model, row.data, row.objective, row.seed) == ("", "house", "", "")
    assert row.judged is not None
    assert row.judged.when.startswith("20")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("audits/step=000004.house.test/summary.json", "summary.json"),
        ("audits/step=000004.house.test/analysis.json", "its hash differs"),
        ("audits/step=000004.house.test/about.json", "its hash differs"),
        ("config.yaml", "is torn"),
    ],
)
def test_a_damaged_run_has_a_row_that_says_which_file(runs: Path, file: str, said: str) -> None:
    run = SyntheticRun(runs / "house", model="m").write()
    run.audit(4)
    run.finish()
    assert rows(runs)["house"].progress.state == "finished"
    (run.folder / file).write_text("[", encoding="utf-8")
    row = rows(runs)["house"]
    assert row.progress.state == "damaged"
    assert said in str(row.fault)


@pytest.mark.parametrize("file", ["items.parquet", "questions.jsonl"])
def test_a_missing_file_damages_a_run_that_was_whole_before(runs: Path, file: str) -> None:
    folder = SyntheticRun(runs / "house").write().finish().audit(4)
    assert rows(runs)["house"].fault is None
    (folder / file).unlink()
    assert f"{file} is missing" in str(rows(runs)["house"].fault)


def test_a_link_out_of_the_root_is_a_damaged_run(runs: Path, tmp_path: Path) -> None:
    SyntheticRun(tmp_path / "outside").write().audit(0)
    (runs / "linked").symlink_to(tmp_path / "outside")
    row = rows(runs)["linked"]
    assert (row.progress.state, row.judged) == ("damaged", None)
    assert "out of the folder of runs" in row.progress.sentence


def test_a_run_in_training_is_said_to_be_so_whatever_else_is_wrong(runs: Path) -> None:
    run = SyntheticRun(runs / "house").write()
    (run.audit(0) / "analysis.json").write_text("{", encoding="utf-8")
    with RunFolder(run.folder).held():
        row = rows(runs)["house"]
    assert (row.progress.state, row.fault is None) == ("training", False)


def test_forty_runs_are_listed_without_their_answers(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples.forty(runs)
    st.cache_resource.clear()

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the list reads no answers")

    monkeypatch.setattr(pd, "read_parquet", refused)
    monkeypatch.setattr("trialign.audit.files.items.read_items", refused)
    begin = time.perf_counter()
    found = rows(runs)
    print(f"forty runs were listed in {time.perf_counter() - begin:.2f} s")  # for docs/dashboard.md
    states = [row.progress.state for row in found.values()]
    assert {name: states.count(name) for name in set(states)} == {
        "finished": 31,
        "stopped": 4,
        "audited": 4,
        "damaged": 1,
    }
