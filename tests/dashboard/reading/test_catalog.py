"""What a scan finds, and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trialign.dashboard.reading import records
from trialign.dashboard.reading.catalog import file_within, scan
from trialign.errors import UserError

from ..conftest import SyntheticRun

pytestmark = pytest.mark.unit


def test_an_absent_or_empty_root_has_no_runs(tmp_path: Path) -> None:
    assert scan(tmp_path).runs == ()
    assert scan(tmp_path / "missing").runs == ()


def test_runs_audits_and_steps_are_found_in_order(runs: Path) -> None:
    run = SyntheticRun(runs / "house").write()
    for step in (20, 0, 4):
        run.audit(step)
    for step in (20, 4):
        (run.folder / "agents" / f"step={step:06d}").mkdir(parents=True)
    (runs / ".trajectories" / "0123").mkdir(parents=True)
    (runs / "notes").mkdir()
    (entry,) = scan(runs).runs
    assert [audit.step for audit in entry.audits] == [0, 4, 20]
    assert entry.steps == (4, 20)
    assert entry.agents(20) == run.folder / "agents" / "step=000020"
    with pytest.raises(UserError, match="no agents of step 7"):
        entry.agents(7)


def test_an_audit_without_its_summary_is_not_complete(runs: Path) -> None:
    run = SyntheticRun(runs / "house").write()
    (run.audit(0) / "summary.json").unlink()
    (entry,) = scan(runs).runs
    assert entry.audits == ()
    assert entry.fault


@pytest.mark.parametrize("place", ["", "audits", "audits/step=000000.house.test", "agents"])
def test_folders_behind_links_out_of_the_root_are_left_out(runs: Path, tmp_path: Path, place: str) -> None:
    outside = SyntheticRun(tmp_path / "outside").write()
    outside.audit(0)
    (outside.folder / "agents" / "step=000004").mkdir(parents=True)
    link = runs / "house" / place if place else runs / "house"
    link.parent.mkdir(parents=True, exist_ok=True)
    if place:
        (runs / "house" / "config.yaml").write_text("name: house\n", encoding="utf-8")
    link.symlink_to(outside.folder / place)
    (entry,) = scan(runs).runs
    assert entry.audits == ()
    assert entry.steps == ()


@pytest.mark.parametrize("file", ["summary.json", "items.parquet", "analysis.json", "questions.jsonl"])
def test_a_file_behind_a_link_out_of_the_root_is_not_read(runs: Path, tmp_path: Path, file: str) -> None:
    folder = SyntheticRun(runs / "house").write().audit(0)
    moved = tmp_path / file
    (folder / file).rename(moved)
    (folder / file).symlink_to(moved)
    catalog = scan(runs)
    audit = catalog.runs[0].audits[0]
    read = {"summary.json": records.summary, "items.parquet": records.items, "analysis.json": records.analysis}
    with pytest.raises(UserError, match="leads out of the folder of runs"):
        read.get(file, records.questions)(catalog, audit)


def test_a_link_within_the_root_is_followed(runs: Path) -> None:
    SyntheticRun(runs / "house").write().audit(0)
    (runs / "alias").symlink_to(runs / "house")
    assert [run.id for run in scan(runs).audited] == ["alias", "house"]


def test_a_loop_of_links_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(UserError):
        file_within(tmp_path, tmp_path / "a")


def test_a_file_beyond_all_audits_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "items.parquet"
    file.touch()
    os.truncate(file, 1 << 30)  # a hole: nothing is written
    assert file_within(tmp_path, file) == file
    os.truncate(file, (1 << 30) + 1)
    with pytest.raises(UserError, match="is larger than 1 GiB"):
        file_within(tmp_path, file)


@pytest.mark.parametrize("file", ["items.parquet", "analysis.json", "questions.jsonl"])
def test_another_file_than_the_audit_wrote_is_refused(runs: Path, file: str) -> None:
    run = SyntheticRun(runs / "house").write()
    first, second = run.audit(0), run.audit(4, wrong={})
    (first / file).write_bytes((second / file).read_bytes() + (b"\n" if file == "questions.jsonl" else b""))
    catalog = scan(runs)
    read = {"items.parquet": records.items, "analysis.json": records.analysis, "questions.jsonl": records.questions}
    with pytest.raises(UserError, match="its hash differs"):
        read[file](catalog, catalog.runs[0].audits[0])


def test_a_changed_file_is_read_anew(runs: Path) -> None:
    run = SyntheticRun(runs / "house").write()
    run.audit(0)
    catalog = scan(runs)
    audit = catalog.runs[0].audits[0]
    assert records.analysis(catalog, audit).facts.accuracy["north"].value < 1
    for file in sorted((run.folder / "audits").rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    run.audit(0, wrong={})
    assert records.analysis(catalog, audit).facts.accuracy["north"].value == 1


def test_labels_come_from_the_configuration_and_stay_distinct(runs: Path) -> None:
    groups = {"north": "People", "south": "People", "island": "Islanders"}
    SyntheticRun(runs / "house", groups=groups).write().audit(0)
    catalog = scan(runs)
    shown = records.labels(catalog, catalog.runs[0], catalog.runs[0].audits[0])
    assert shown == {"north": "north", "south": "south", "island": "Islanders", "control": "No profile"}
