"""The study of docs/results.md: its rows are configurations, and its tables hold what the audits hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from trialign.composition import compose
from trialign.config import load
from trialign.runs import REPLIES

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import study  # noqa: E402
from study import Study  # noqa: E402

STUDY = Study.read(ROOT / "benchmarks" / "study.yaml")


@pytest.mark.unit
@pytest.mark.parametrize("method", sorted({row for table in STUDY.tables.values() for row in table.methods}))
def test_every_row_is_a_configuration_of_its_own(method: str) -> None:
    reference = compose("conf/quickstart.yaml", STUDY.overrides(STUDY.reference))
    composed = compose("conf/quickstart.yaml", STUDY.overrides(method))
    load(composed)
    assert (composed == reference) == (method == STUDY.reference)


@pytest.mark.unit
def test_no_row_is_named_that_stands_in_no_table_and_every_table_has_the_reference() -> None:
    shown = {row for table in STUDY.tables.values() for row in table.methods}
    engine = {"upper", "activated", "bf16"}  # choices of the engine, for --methods
    assert set(STUDY.methods) - engine <= shown
    assert all(table.methods[0] == STUDY.reference for table in STUDY.tables.values())


@pytest.mark.unit
@pytest.mark.parametrize("name", STUDY.sets)
def test_every_set_is_data_of_another_name_than_the_runs_own(name: str) -> None:
    verb, *words = STUDY.sets[name]
    data = compose("conf/base.yaml", [one.format(sets="/sets") for one in words])["data"]
    assert verb == "test"
    assert data["name"] != compose(STUDY.config, [])["data"]["name"]
    assert all(isinstance(one, str) or one["split"] == "test" for one in data["files"])


@pytest.mark.unit
def test_the_sets_of_a_folder_are_those_that_nobody_here_wrote() -> None:
    assert STUDY.foreign() == ["arc_easy", "mmlu", "truthfulqa"]
    assert set(STUDY.sets) - {*STUDY.foreign()} == {"two_part"}


@pytest.mark.unit
def test_words_are_compared_on_the_questions_that_all_audits_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"all": ["a", "b", "c", "d"], "some": ["b", "c", "d"], "others": ["d", "b", "e"]}
    for name in asked:
        (tmp_path / name).mkdir()
        (tmp_path / name / REPLIES).touch()
    (tmp_path / "scores alone").mkdir()
    monkeypatch.setattr(study, "read_items", lambda file: pd.DataFrame({"query_id": asked[file.parent.name]}))
    only = study.asked_by_all([tmp_path / name for name in (*asked, "scores alone")])
    assert only == {"b", "d"}
    for name in asked:
        assert sorted(study._items(tmp_path / name, words=True, only=only)["query_id"]) == ["b", "d"]
    assert study.asked_by_all([tmp_path / "scores alone"]) == set()


@pytest.mark.slow
def test_the_quick_study_prints_its_rows_and_goes_on_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    command = [sys.executable, str(ROOT / "benchmarks" / "learning.py"), "--study", "--quick"]
    printed = [subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True) for _ in range(2)]
    rows = [line for line in printed[1].stdout.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].strip("| ") for row in rows[:4]] == [
        "in scores",
        "base model",
        "trialign",
        "utilitarian",
    ]
    assert "Audits of these questions behind this table: 2 of trained agents." in printed[1].stdout
    assert [line for line in printed[0].stdout.splitlines() if line.startswith("| ")] == rows
    assert "nan" not in printed[1].stdout
