"""What the command line promises whatever the verb: help, exit codes, one sentence on stderr."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from trialign.cli import VERBS, main, parse
from trialign.errors import UnfinishedError, UserError

pytestmark = pytest.mark.unit

VERB_NAMES = (
    "init",
    "data",
    "plan",
    "collect",
    "fit",
    "validate",
    "test",
    "predict",
    "ask",
    "adapt",
    "export",
    "compare",
    "calibrate",
    "gate",
    "report",
    "dashboard",
)


@pytest.mark.parametrize("verb", VERB_NAMES)
def test_help_shows_an_example_that_parses(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    example = VERBS[verb].example
    assert f"example: {example}" in shown
    import shlex

    arguments = parse(shlex.split(example)[1:])
    assert arguments.verb == verb


def test_the_programs_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(re.search(rf"\n    {verb}\s", shown) for verb in VERB_NAMES)
    assert set(VERBS) == set(VERB_NAMES)
    assert "example: trialign fit" in shown


def test_help_and_version_answer_without_heavy_imports() -> None:
    code = (
        "import sys; from trialign.cli import main; codes = [main(['--help']), main(['fit', '--help']), "
        "main(['init', '--help']), main(['--version'])]; "
        "heavy = {'torch', 'transformers', 'lightning', 'pandas', 'hydra'} & set(sys.modules); "
        "sys.exit(f'{codes} {heavy}' if heavy or any(codes) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["train"],
        ["fit"],
        ["fit", "--config", "x.yaml", "--resume", "--overwrite"],
        ["fit", "--config", "x.yaml", "--fast"],
        ["test", "--config", "x.yaml", "--run", "runs/x"],
        ["test"],
        ["ask", "--run", "runs/x"],
        ["ask", "Why?", "--run", "runs/x", "--exposure", "loud"],
        ["ask", "Why?", "how?", "--run", "runs/x"],
    ],
)
def test_wrong_usage_exits_2_and_says_how_it_goes(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    said = capsys.readouterr().err
    assert "usage: trialign" in said
    assert "Traceback" not in said


def test_overrides_may_stand_on_both_sides_of_an_option() -> None:
    arguments = parse(["fit", "a=1", "--config", "x.yaml", "b=2", "--resume", "c=3"])
    assert arguments.overrides == ["a=1", "b=2", "c=3"]
    assert arguments.resume


def test_cfg_prints_yaml_that_composes_to_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["objective=utilitarian", "trainer.steps=7", "name=other"]
    assert main(["fit", "--config", "conf/quickstart.yaml", "--cfg", *words]) == 0
    printed = capsys.readouterr().out
    composed = yaml.safe_load(printed)
    assert (composed["trainer"]["steps"], composed["name"]) == (7, "other")
    assert composed["objective"]["welfare"]["kind"] == "utilitarian"
    assert "$" not in printed
    (tmp_path / "again.yaml").write_text(printed, encoding="utf-8")
    assert main(["fit", "--config", str(tmp_path / "again.yaml"), "--cfg"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == composed
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("verb", ["data", "collect", "fit", "validate", "test"])
def test_every_composing_verb_has_cfg(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--config", "conf/smoke.yaml", "--cfg", "trainer.steps=5"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["trainer"]["steps"] == 5


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> list[str]:
    """Makes ``trialign ask`` fail in a certain way."""
    from trialign import cli

    def fail(arguments: object) -> None:
        raise error

    monkeypatch.setitem(cli.VERBS, "ask", cli.Verb("help", "example", fail))
    return ["ask", "Why?", "--run", "runs/x"]


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UserError("The file x has no rows.", "Write one"), 2, "The file x has no rows. Write one."),
        (UnfinishedError("The server is gone.", "Start it"), 1, "The server is gone. Start it."),
        (RuntimeError("it broke"), 1, "RuntimeError: it broke"),
        (OSError(13, "Permission denied", "/x/y"), 1, "PermissionError: [Errno 13] Permission denied: '/x/y'"),
        (
            OSError(28, "No space left on device", "/x/y"),
            2,
            "No space is left on the device for /x/y. Free some; nothing that was written is lost.",
        ),
        (
            OSError(28, "No space left on device", "/tmp/from", None, "/x/to"),
            2,
            "No space is left on the device for /x/to. Free some; nothing that was written is lost.",
        ),
        (KeyboardInterrupt(), 1, "Stopped. What is done is kept."),
    ],
)
def test_a_fault_is_one_line_and_its_exit_code(
    error: BaseException,
    code: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(raising(monkeypatch, error)) == code
    shown = capsys.readouterr()
    assert shown.err == f"trialign ask: {text}\n"
    assert shown.out == ""


def test_debug_shows_the_traceback_as_well(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    argv = raising(monkeypatch, UserError("The file x has no rows", "Write one"))
    assert main([*argv, "--debug"]) == 2
    said = capsys.readouterr().err
    assert "Traceback (most recent call last)" in said
    assert said.endswith("trialign ask: The file x has no rows. Write one.\n")


def test_the_console_script_returns_the_code() -> None:
    script = Path(sys.executable).with_name("trialign")
    command = [str(script)] if script.is_file() else [sys.executable, "-m", "trialign.cli"]
    done = subprocess.run([*command, "train"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "invalid choice: 'train'" in done.stderr
