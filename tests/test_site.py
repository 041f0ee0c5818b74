"""The docs build as a site, strictly: what is broken in them fails the build."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

pytest.importorskip("mkdocs", reason="MkDocs is not installed (pip install 'trialign[docs]')")

ROOT = Path(__file__).parents[1]
FILES = ("mkdocs.yml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE")
LINKED = ("trialign", "dashboard", "conf", "tests", "examples", "benchmarks")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What a site is made of; the docs may be changed."""
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    for name in LINKED:
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/site.py", tmp_path / "scripts/site.py")
    return tmp_path


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_site_builds_with_the_roots_files_and_the_docstrings(repository: Path) -> None:
    done = build(repository)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    site = repository / "build/site"
    reference = (site / "reference/api.html").read_text(encoding="utf-8")
    for name in ("compose", "open_run", "fit", "audit", "ask", "gate", "assert_gate"):
        assert f'id="trialign.api.{name}"' in reference
    assert "Collects what data is missing" in reference
    home = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="method.html"' in home
    assert 'src="pictures/method.svg"' in home
    assert "docs/" not in "".join(part.split('"')[0] for part in home.split('href="')[1:])
    # What lies outside the site is named, and is no link.
    assert 'href="outside:' not in "".join(page.read_text(encoding="utf-8") for page in site.rglob("*.html"))
    assert "examples/custom_objective.py" in (site / "method.html").read_text(encoding="utf-8")
    # A reader's browser fetches nothing from elsewhere.
    assert "fonts.googleapis" not in home


def test_what_is_broken_fails_the_build_by_name(repository: Path) -> None:
    faults = {
        "audit.md": "[page](no-such-page.md)",
        "data.md": "[heading](audit.md#no-such-heading)",
        "report.md": "[file](../examples/no_such_file.py)",
        "results.md": "![picture](pictures/no-such-picture.png)",
    }
    for page, fault in faults.items():
        with (repository / "docs" / page).open("a", encoding="utf-8") as file:
            file.write(f"\n{fault}\n")
    (repository / "docs/orphan.md").write_text("# In no menu\n", encoding="utf-8")
    done = build(repository)
    assert done.returncode != 0
    told = ("no-such-page.md", "no-such-heading", "no_such_file.py", "no-such-picture.png", "orphan.md")
    assert [name for name in told if name not in done.stderr] == []


def test_a_name_of_the_reference_that_is_gone_fails_the_build(repository: Path) -> None:
    page = repository / "docs/reference/api.md"
    page.write_text(page.read_text(encoding="utf-8").replace("trialign.api.results.Audit", "trialign.api.results.Gone"))
    done = build(repository)
    assert done.returncode != 0
    assert "trialign.api.results.Gone" in done.stderr
