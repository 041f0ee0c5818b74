"""The README's own example, by its own commands: a user's twenty questions and two groups go through ``fit``."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from trialign.cli import main
from trialign.commands.init import example_files

if TYPE_CHECKING:
    from trialign.models import ModelConfig

pytestmark = pytest.mark.integration

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


NAMES = ("groups/homes.yaml", "mine.yaml", "questions.jsonl")


def block(name: str) -> list[str]:
    """The lines of the code block below the line that begins with a file's name."""
    _, found, below = README.partition(f"\n`{name}`")
    assert found, name
    fenced = re.search(r"```\w+\n(.*?)```", below, re.DOTALL)
    assert fenced, name
    return fenced[1].splitlines()


def commands() -> list[list[str]]:
    """Every command of the README's example, in order."""
    example = re.search(r"```bash\n(trialign init .*?)```", README, re.DOTALL)
    assert example
    lines = example[1].replace(" && ", "\n").splitlines()
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_of_a_file_is_in_it(name: str) -> None:
    lines = dict(example_files())[Path(name)].splitlines()
    shown = block(name)
    begin = lines.index(shown[0])
    if name == "questions.jsonl":
        assert set(shown) <= set(lines)
    else:
        assert lines[begin : begin + len(shown)] == shown


def test_the_example_goes_through_fit(
    tiny_config: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # What a test can wait for; the rest is as the README says.
    small = ["model=folder", f"model.path={tiny_config.path}", f"model.name={tiny_config.name}"]
    small += ["trainer.steps=2", "trainer.validate_every=0", "collect.max_new_tokens=4", "policy.rank=2"]
    begin, enter, show, train = commands()
    assert [words[:2] for words in (begin, show, train)] == [["trialign", verb] for verb in ("init", "data", "fit")]
    assert main(begin[1:]) == 0
    assert enter == ["cd", begin[2]]
    assert f"  {shlex.join(enter)}\n  {shlex.join(show)}\n  {shlex.join(train)}\n" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path / begin[2])
    shown, trained = [(main([*words[1:], *small]), capsys.readouterr()) for words in (show, train)]
    assert (shown[0], shown[1].err) == (0, "")
    assert "truth" in shown[1].out
    assert "to town (explicit)" in shown[1].out
    assert trained[0] == 0
    assert "accuracy, worst group" in trained[1].out
    stored = yaml.safe_load(Path("runs/mine/config.yaml").read_text(encoding="utf-8"))
    assert stored["data"]["files"] == ["questions.jsonl"]
    items = list(Path("runs/mine/audits").glob("step=000002.mine.test/items.parquet"))
    assert len(items) == 1


def test_every_verb_is_in_the_table() -> None:
    from trialign.cli import VERBS

    table = re.findall(r"^\| (`.*?`(?:, `.*?`)*) \|", README, re.MULTILINE)
    named = {word for row in table for word in re.findall(r"`(\w+)`", row)}
    assert named >= set(VERBS)
