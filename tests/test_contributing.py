"""What CONTRIBUTING.md, the citation and the files for contributors say is so."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import trialign
from trialign.queries import benchmarks
from trialign.queries.benchmarks import LAYOUTS
from trialign.queries.readers import read_data
from trialign.queries.sources import SourceConfig

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def mapped() -> list[str]:
    """The folders and files of the map, in its order."""
    return re.findall(r"^\| `([\w/.]+)` \|", TEXT.partition("## The map")[2].partition("\n## ")[0], re.MULTILINE)


def test_the_map_has_every_folder_and_no_other() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = {f"{line.split('/')[0]}/" for line in tracked.splitlines() if "/" in line and not line.startswith(".")}
    inner = {f"trialign/{line.split('/')[1]}/" for line in tracked.splitlines() if re.match(r"trialign/\w+/", line)}
    rooms = {match[0] for line in tracked.splitlines() if (match := re.match(r"trialign/audit/\w+/", line))}
    inner = inner - {"trialign/audit/"} | rooms  # the largest folder is mapped room by room
    # Single modules may stand among them; that they exist, another test says.
    assert {name for name in mapped() if name.endswith("/")} == (folders - {"trialign/"}) | inner


def test_the_map_lists_folders_as_the_contract_does() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = [re.findall(r"[\w.]+", layer) for layer in contracts[0]["layers"]]
    height = {name.replace(".", "/") + "/": n for n, layer in enumerate(layers) for name in layer}
    height |= {"trialign/cli.py": height["trialign/cli/"]}
    heights = [height[name] for name in mapped() if name in height]
    assert len(heights) >= 12
    assert heights == sorted(heights)


def test_every_path_that_is_named_exists() -> None:
    named = re.findall(r"`((?:trialign|dashboard|tests|docs|conf|scripts|examples|benchmarks)/[\w/.-]*)`", TEXT)
    missing = [name for name in named if "NAME" not in name and not (ROOT / name).exists()]
    assert missing == []


def test_a_question_format_is_one_function(tmp_path: Path) -> None:
    [code] = [block for block in blocks("python") if "LAYOUTS" in block]
    # In the file in which it would stand, but for what that file is left with.
    exec(code, {**vars(benchmarks), "Sequence": Sequence, "Any": Any})
    file = tmp_path / "cards.jsonl"
    file.write_text('{"card": "How many legs has a spider? | eight | six | ten"}\n{"text": "?"}\n', encoding="utf-8")
    layout: Any = "cards"
    try:
        source = SourceConfig(name="cards", path=str(file), layout=layout, split="train", allowed_faults=1)
        reading = read_data([source], None, 5)
    finally:
        LAYOUTS.pop(layout, None)
    [query] = reading.usable
    assert len(reading.left_out) == 1
    assert (query.question, query.gold) == ("How many legs has a spider?", "eight")
    assert sorted(query.options) == ["eight", "six", "ten"]


def test_the_words_of_the_field_are_explained() -> None:
    words = TEXT.partition("## The words")[2].partition("\n## ")[0]
    for word in ("cluster", "exposure", "control", "mixed", "swapped", "wording"):
        assert f"\n| {word} |" in words


def test_citation_and_changes_name_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == trialign.__version__
    assert {"cff-version", "title", "message", "authors", "license"} <= set(cited)
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changes, re.MULTILINE)[:2] == ["Unreleased", trialign.__version__]
    kinds = set(re.findall(r"^### (\w+)", changes, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_hooks_run_what_lint_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    entries = " ".join(hook["entry"] for hook in hooks)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe
    for command in re.findall(r"\$\(BIN\)/([\w-]+(?: check| format --check)?)", recipe[1]):
        assert command in entries, command
    assert "make site" in entries
    assert "make unit" in entries


def test_the_workflows_run_ci_and_build_wheel_and_docs() -> None:
    folder = ROOT / ".github/workflows"
    runs = {
        file.name: [
            step.get("run", "")
            for job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].values()
            for step in job["steps"]
        ]
        for file in folder.glob("*.yml")
    }
    assert ".ci/run" in runs["ci.yml"]
    assert {"python -m build", "python -m mkdocs build"} <= set(runs["release.yml"])
    # What the workflow installs for the docs is what the extra says.
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    [installs] = [run for run in runs["release.yml"] if "mkdocs>" in run]
    assert re.findall(r'"([^"]+)"', installs) == extra["docs"]


def test_templates_are_read_by_github() -> None:
    for file in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(file.read_text(encoding="utf-8"))
        if file.name != "config.yml":
            assert {"name", "description", "body"} <= set(form)
            assert all(part["attributes"]["label"] for part in form["body"])
    assert json.dumps(yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/config.yml").read_text(encoding="utf-8")))
