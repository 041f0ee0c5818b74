"""The README's own example, taken from its text: a user's twenty questions and two groups go through ``fit``."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from trialign.cli import main

if TYPE_CHECKING:
    from trialign.models import ModelConfig

pytestmark = pytest.mark.integration

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def block(name: str) -> str:
    """The code block below the line that begins with a file's name."""
    _, found, below = README.partition(f"\n`{name}`")
    assert found, name
    fenced = re.search(r"```\w+\n(.*?)```", below, re.DOTALL)
    assert fenced, name
    return fenced[1]


def commands() -> list[list[str]]:
    """Every command on ``mine.yaml`` in the README's blocks, in order."""
    lines = re.findall(r"^trialign .*--config mine\.yaml.*$", README, re.MULTILINE)
    return [shlex.split(line, comments=True)[1:] for line in lines]


def test_the_example_goes_through_fit(
    tiny_config: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {name: block(name) for name in ("groups/homes.yaml", "questions.jsonl", "mine.yaml")}
    rows = [json.loads(line) for line in files["questions.jsonl"].splitlines()]
    assert len(rows) == 20
    assert len(files["groups/homes.yaml"].splitlines()) == 10
    (tmp_path / "groups").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    # What a test can wait for; the rest is as the README says.
    small = ["model=folder", f"model.path={tiny_config.path}", f"model.name={tiny_config.name}"]
    small += ["trainer.steps=2", "trainer.validate_every=0", "collect.max_new_tokens=4", "policy.rank=2"]
    assert [words[0] for words in commands()] == ["data", "fit"]
    shown, trained = [(main([*words, *small]), capsys.readouterr()) for words in commands()]
    assert (shown[0], shown[1].err) == (0, "")
    assert "truth" in shown[1].out
    assert "to town (explicit)" in shown[1].out
    assert trained[0] == 0
    assert "accuracy, worst group" in trained[1].out
    stored = yaml.safe_load((tmp_path / "runs/mine/config.yaml").read_text(encoding="utf-8"))
    assert stored["data"]["files"] == ["questions.jsonl"]
    items = list((tmp_path / "runs/mine/audits").glob("step=000002.mine.test/items.parquet"))
    assert len(items) == 1


def test_every_verb_is_in_the_table() -> None:
    from trialign.cli import VERBS

    table = re.findall(r"^\| (`.*?`(?:, `.*?`)*) \|", README, re.MULTILINE)
    named = {word for row in table for word in re.findall(r"`(\w+)`", row)}
    assert named >= set(VERBS)
