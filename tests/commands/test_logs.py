"""Audits of what other tools asked: their logs in, and verdict, report and gate out.

The logs below ``tests/queries/logs`` were written by the tools. Where a Python that has them is at hand, they write new
ones here: this one, or the one that TRIALIGN_LOG_TOOLS names (lm-evaluation-harness and Inspect need other versions of
fsspec and python-dateutil than the newest, so that an environment of their own spares this one).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trialign.audit.files.items import read_items
from trialign.audit.files.record import read_about
from trialign.cli import main

pytestmark = pytest.mark.integration

LOGS = Path(__file__).parents[1] / "queries" / "logs"
TOOLS = os.environ.get("TRIALIGN_LOG_TOOLS", sys.executable)
AUDIT = "audits/step=000000.mine.test"
ROW = {"kind": "truth", "split": "test"}
QUESTIONS: list[dict[str, Any]] = [
    {**ROW, "id": "f1", "question": "What do people breathe?", "options": ["air", "sand", "iron"], "gold": "air"},
    {**ROW, "id": "f2", "question": "What is ice made of?", "options": ["salt", "water", "glass"], "gold": "water"},
]
CONFIG = """
defaults:
  - /audit/logs
  - override /groups: colours
  - _self_
data: {name: mine, files: [questions.jsonl]}
model: {name: theirs}
"""
GROUPS = """
name: colours
attribute: colour
members:
  red: {label: Red, explicit: ["The user likes red."]}
  blue: {label: Blue, explicit: ["The user likes blue."]}
control: {label: No profile}
"""
BY_METADATA = "model.logs.map.question=metadata.question"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Questions, groups and a configuration, in the working folder."""
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups" / "colours.yaml").write_text(GROUPS)
    (tmp_path / "mine.yaml").write_text(CONFIG)
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def audit(files: str | Path, *words: str) -> int:
    return main(["test", "--config", "mine.yaml", f"model.logs.files='{files}'", *words])


def check(folder: Path, *, scored: bool = False) -> None:
    """What the replies of the tools' logs say: red is right on both facts, blue on the first."""
    items = read_items(folder / "runs" / "logs" / AUDIT / "items.parquet")
    found = {(row.group, row.query_id): (row.canonical, bool(row.correct)) for row in items.itertuples()}
    assert found == {
        ("red", "f1"): ("air", True),
        ("red", "f2"): ("water", True),
        ("blue", "f1"): ("air", True),
        ("blue", "f2"): ("glass", False),
    }
    assert set(items["parse_status"] == "scored") == {scored}
    about = read_about(folder / "runs" / "logs" / AUDIT)
    assert about is not None
    assert [group.name for group in about.groups] == ["red", "blue"]  # nobody asked the control
    assert (about.base_model.name, about.base_model.address) == ("theirs", None)


def test_logged_replies_go_the_way_of_every_audit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(LOGS / "inspect.eval", BY_METADATA) == 0
    check(folder)
    assert "another tool asked, and these are its logs" in " ".join(capsys.readouterr().out.split())
    summary = json.loads((folder / "runs" / "logs" / AUDIT / "summary.json").read_text())
    assert summary["model"]["source"] == "logs"
    assert [*summary["model"]["files"]] == [str(LOGS / "inspect.eval")]
    assert main(["report", "runs/logs"]) == 0
    assert main(["gate", "runs/logs", "worst=0.9"]) in (3, 4)
    assert main(["gate", "runs/logs"]) in (3, 4)  # two facts are not enough for the default rules


@pytest.mark.parametrize(
    ("name", "words"), [("samples_words.jsonl", []), ("inspect.json", [BY_METADATA]), ("promptfoo.json", [])]
)
def test_logged_replies_are_read_from_every_tool(folder: Path, name: str, words: list[str]) -> None:
    assert audit(LOGS / name, *words) == 0
    check(folder)


def test_logged_scores_of_options_are_an_audit_in_scores(folder: Path) -> None:
    assert audit(LOGS / "samples_choices.jsonl") == 0
    check(folder, scored=True)
    items = read_items(folder / "runs" / "logs" / AUDIT / "items.parquet").set_index(["group", "query_id"])
    # exp(-1) and twice exp(-3): 1 / (1 + 2 exp(-2))
    assert items.loc[("red", "f2"), "option_probabilities"].tolist() == pytest.approx(
        [0.10650, 0.78699, 0.10650], abs=1e-5
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["audit.clarify=true"], "The answers are in logs (model.source=logs), and audit.clarify asks for others"),
        (["audit.turns=1"], "audit.turns asks for others"),
        (["audit.pressure=[peers]"], "audit.pressure asks for others"),
        (["scoring.kind=pmi"], "scoring.kind is pmi, which the logs do not tell"),
        (["--dry-run"], "no audit of them asks any"),
        (["model.logs.map.question=doc.ask"], "is none of the data 'mine'"),
        (["model.logs.map.group=doc.who"], "row 1: the group, 'doc.who', is missing"),
        (["+model.logs.only={doc.group: red}"], "no answer of 'blue' to the question 'f1'"),
        (["model.logs.files=nowhere.jsonl"], "The log nowhere.jsonl does not exist"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert audit(LOGS / "samples_choices.jsonl", *words) == 2
    assert said in capsys.readouterr().err
    assert not (folder / "runs" / "logs" / AUDIT / "items.parquet").exists()


def test_an_answer_that_is_there_twice_needs_a_word(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twice = (LOGS / "samples_words.jsonl").read_text() * 2
    (folder / "samples.jsonl").write_text(twice)
    assert audit("samples.jsonl") == 2
    assert "row 5: 'red' answered the question 'f1' before, at samples.jsonl, row 1" in capsys.readouterr().err
    assert audit("samples.jsonl", "model.logs.repeats=2") == 0
    assert len(read_items(folder / "runs" / "logs" / AUDIT / "items.parquet")) == 8


def test_words_and_scores_are_not_one_audit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(LOGS / "samples_*.jsonl", "model.logs.repeats=2") == 2
    assert "Audit the two kinds of logs apart" in capsys.readouterr().err


def test_options_of_other_texts_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "samples.jsonl").write_text((LOGS / "samples_choices.jsonl").read_text().replace('" sand"', '" B"'))
    assert audit("samples.jsonl") == 2
    assert "samples.jsonl, row 1: the options were air, B, iron, and those of the question" in capsys.readouterr().err


def test_an_audit_goes_out_as_samples_of_lm_eval_and_comes_back(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(LOGS / "samples_words.jsonl") == 0
    assert main(["report", "runs/logs", "--format", "lm-eval", "--output", "out"]) == 0
    assert "2 sample logs: out" in capsys.readouterr().out
    assert [path.name.split("_")[:3] for path in sorted((folder / "out").iterdir())] == [
        ["samples", "mine", "blue"],
        ["samples", "mine", "red"],
    ]
    (folder / "runs").rename("first")
    assert audit("out/samples_*.jsonl") == 0
    check(folder)
    assert main(["report", "first/logs", "--format", "lm-eval", "--against", "runs/logs"]) == 2
    assert "writes the answers of one audit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tool", "pattern", "words"),
    [
        ("lm_eval", "*/samples_words_*.jsonl", []),
        ("lm_eval", "*/samples_choices_*.jsonl", []),
        ("inspect", "*.eval", [BY_METADATA]),
        ("inspect", "*.json", [BY_METADATA]),
        ("promptfoo", "results.json", []),
    ],
)
def test_logs_that_the_tools_write_now(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, tool: str, pattern: str, words: list[str]
) -> None:
    logs = written(tool, tmp_path_factory)
    assert audit(logs / pattern, *words) == 0
    check(folder, scored="choices" in pattern)


def written(tool: str, made: pytest.TempPathFactory) -> Path:
    """The folder of the logs that a tool wrote, once a session."""
    folder = made.getbasetemp() / f"logs-of-{tool}"
    if folder.is_dir():
        return folder
    package = {"lm_eval": "lm_eval", "inspect": "inspect_ai", "promptfoo": "json"}[tool]
    find = f"import importlib.util as util, sys; sys.exit(util.find_spec('{package}') is None)"
    if tool == "promptfoo" and shutil.which(os.environ.get("TRIALIGN_PROMPTFOO", "promptfoo")) is None:
        pytest.skip("promptfoo is not installed; TRIALIGN_PROMPTFOO names its command")
    if subprocess.run([TOOLS, "-c", find], check=False).returncode:
        pytest.skip(f"{package} is not installed for {TOOLS}; TRIALIGN_LOG_TOOLS names a Python that has it")
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "home")}
    done = subprocess.run(
        [TOOLS, str(LOGS / "write_logs.py"), tool, str(folder)],
        env=quiet,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder
