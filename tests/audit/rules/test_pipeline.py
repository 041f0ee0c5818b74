"""The shell of pipelines: what action.yml runs, what the docs tell GitLab to run, and a test's own assertion."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
import yaml

import trialign
from trialign.errors import UserError

if TYPE_CHECKING:
    from trialign.models import ModelConfig

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
DOCS = (ROOT / "docs/gate.md").read_text(encoding="utf-8")


def fenced(title: str) -> str:
    """The code block below the line of the docs that begins so."""
    _, found, below = DOCS.partition(f"\n{title}")
    assert found, title
    block = re.search(r"```\w+\n(.*?)```", below, re.DOTALL)
    assert block
    return block[1]


def shim(folder: Path, more: Mapping[str, Sequence[str]] | None = None) -> Path:
    """A folder for PATH in which ``trialign`` is this one, with more words behind some verbs."""
    folder.mkdir()
    cases = "".join(f'{verb}) set -- "$@" {shlex.join(words)};;\n' for verb, words in (more or {}).items())
    script = folder / "trialign"
    script.write_text(
        f'#!/usr/bin/env bash\ncase "$1" in\n{cases}*) ;;\nesac\nexec {sys.executable} -m trialign.cli "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    return folder


def bash(command: str, folder: Path, programs: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{programs}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def run_action(folder: Path, programs: Path, **given: str) -> tuple[subprocess.CompletedProcess[str], str, str]:
    """Both steps of the action as GitHub runs them: its result, the step's summary, its outputs."""
    inputs = {name: given.pop(name.replace("-", "_"), one.get("default", "")) for name, one in ACTION["inputs"].items()}
    assert not given
    summary, outputs = folder / "summary.md", folder / "outputs.txt"
    places = {"GITHUB_ACTION_PATH": str(ROOT), "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(outputs)}
    assert ACTION["runs"]["using"] == "composite"
    install, step = ACTION["runs"]["steps"]
    assert bash(install["run"], folder, programs, **places).returncode == 0

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: inputs[match[1]], text)

    environment = {name: filled(text) for name, text in step["env"].items()}
    done = bash(step["run"], folder, programs, **places, **environment)
    told = [path.read_text(encoding="utf-8") if path.exists() else "" for path in (summary, outputs)]
    return done, told[0], told[1]


def test_the_action_annotates_sums_up_and_fails(audits: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "gate.yaml").write_text("verdict: false\nworst: 0.98\n", encoding="utf-8")
    # A rule with the shell's own characters stays a word.
    rules = "golden=['fact-0', 'fact-1']\n\nalpha=0.05\n"
    done, summary, outputs = run_action(
        tmp_path, shim(tmp_path / "bin"), run=str(audits["worse"]), config="gate.yaml", rules=rules
    )
    assert done.returncode == 3, done.stderr
    assert "::error file=gate.yaml,line=2,title=trialign gate%3A worst::" in done.stdout
    assert "### ✗ The gate is not passed: 3 of 3 rules fail." in summary
    assert outputs == "exit-code=3\n"
    assert (tmp_path / "gate" / "gate.sarif").is_file()
    assert ACTION["outputs"]["exit-code"]["value"] == "${{ steps.gate.outputs.exit-code }}"


def test_text_of_a_user_is_no_shell_of_the_action(tmp_path: Path) -> None:
    done, summary, outputs = run_action(
        tmp_path, shim(tmp_path / "bin"), run="$(touch owned)", rules="worst=`touch owned`;touch owned"
    )
    assert done.returncode == 2, done.stderr
    assert "has no finished audit" in done.stderr
    assert not (tmp_path / "owned").exists()
    assert (summary, outputs) == ("", "exit-code=2\n")


def test_the_job_of_gitlab_writes_what_it_reports(audits: dict[str, Path], tmp_path: Path) -> None:
    job = yaml.safe_load(fenced("`.gitlab-ci.yml`"))["gate"]
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mine").symlink_to(audits["few"])
    (tmp_path / "gate.yaml").write_text("worst: 0.8\n", encoding="utf-8")
    [*others, command] = job["script"]
    assert all(words.startswith(("pip install", "trialign test")) for words in others)
    done = bash(command, tmp_path, shim(tmp_path / "bin"))
    assert done.returncode == 4, done.stderr
    assert job["allow_failure"] == {"exit_codes": [4]}
    report = tmp_path / job["artifacts"]["reports"]["junit"]
    assert ElementTree.parse(report).getroot().get("failures") == "2"


def test_an_assertion_names_every_rule_that_is_not_kept(audits: dict[str, Path]) -> None:
    found = trialign.assert_gate(audits["many"], audits["worse"], worst=0.8, regression={"accuracy": 0.05})
    assert found.passed
    with pytest.raises(AssertionError) as broken:
        trialign.assert_gate(audits["worse"], verdict=False, worst=0.98, golden=["fact-0", "fact-100"], flips=0.5)
    lines = str(broken.value).splitlines()
    assert lines[0] == "worse/audits/step=000004.house.test: The gate is not passed: 2 of 4 rules fail."
    assert [line.split(":")[:2] for line in lines[1:]] == [["  fails", " worst"], ["  fails", " golden fact-0"]]
    with pytest.raises(AssertionError, match="Not enough evidence"):
        trialign.assert_gate(audits["few"])
    assert trialign.assert_gate(audits["few"], on_unknown="warn").outcome == "unknown"
    with pytest.raises(UserError, match=r"Did you mean gate\.worst"):
        trialign.assert_gate(audits["few"], wurst=0.9)


def test_from_an_empty_repository_to_a_red_check(tiny_config: ModelConfig, tmp_path: Path) -> None:
    """The docs' own shell, files and workflow; a random model of two layers stands for the embedded one."""
    small = ["model=folder", f"model.path={tiny_config.path}", f"model.name={tiny_config.name}"]
    programs = shim(tmp_path / "bin", {"test": [*small, "audit.max_new_tokens=4"]})
    made = bash(f"set -e\n{fenced('Begin in an empty folder')}", tmp_path, programs)
    assert made.returncode == 0, made.stderr
    home = tmp_path / "advice"
    (home / "audit" / "gate.yaml").write_text(fenced("`audit/gate.yaml`"), encoding="utf-8")
    [job] = yaml.safe_load(fenced("`.github/workflows/gate.yml`"))["jobs"].values()
    steps: list[dict[str, Any]] = job["steps"]
    asked = next(step for step in steps if "trialign test" in step.get("run", ""))
    done = bash(asked["run"], home / asked.get("working-directory", "."), programs)
    assert done.returncode == 0, done.stderr
    [used] = [step for step in steps if step.get("uses", "").endswith("trialign@REVISION")]
    outcome, summary, _ = run_action(home, programs, **used["with"])
    assert outcome.returncode == 3, outcome.stdout + outcome.stderr
    assert "::error file=audit/gate.yaml,line=2,title=trialign gate%3A golden " in outcome.stdout
    assert "The gate is not passed" in summary
