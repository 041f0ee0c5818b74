"""The wheel carries every subpackage and data file, under the names by which they are imported."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import trialign

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[1]
# Folder in the repository -> folder in site-packages.
INSTALLED_AS = {"trialign": "trialign", "conf": "trialign/conf", "dashboard": "trialign/dashboard"}
BUILD_FILES = ("pyproject.toml", "setup.py", "LICENSE", "README.md")
NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


def copy_sources(destination: Path) -> None:
    """Copies what a build reads: it leaves nothing in the repository, and finds no stale ``build/`` there."""
    for name in BUILD_FILES:
        shutil.copy(ROOT / name, destination / name)
    for folder in INSTALLED_AS:
        shutil.copytree(ROOT / folder, destination / folder, ignore=NOT_SHIPPED)


def build_wheel(source: Path, destination: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    built = subprocess.run(
        [*command, "--wheel-dir", str(destination), str(source)], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = destination.glob("*.whl")
    return wheel


def shipped_files(source: Path) -> set[str]:
    """Every file below the three folders, by its name in site-packages."""
    return {
        f"{installed}/{file.relative_to(source / folder).as_posix()}"
        for folder, installed in INSTALLED_AS.items()
        for file in (source / folder).rglob("*")
        if file.is_file()
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources, and files of the kinds that are most easily forgotten."""
    folder = tmp_path_factory.mktemp("source")
    copy_sources(folder)
    probes = (
        "trialign/probe/__init__.py",
        "trialign/probe/deeper/__init__.py",
        "trialign/data/probe.jsonl",
        "conf/probe.yaml",
        "conf/probe/deeper/probe.yaml",
        "dashboard/probe/__init__.py",
    )
    for probe in probes:
        (folder / probe).parent.mkdir(parents=True, exist_ok=True)
        (folder / probe).touch()
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(build_wheel(source, tmp_path_factory.mktemp("wheel")))


def installed_files(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def read_metadata(wheel: zipfile.ZipFile, name: str) -> str:
    (path,) = (path for path in wheel.namelist() if path.endswith(f".dist-info/{name}"))
    return wheel.read(path).decode()


def test_the_wheel_has_every_file_and_no_other(source: Path, wheel: zipfile.ZipFile) -> None:
    assert installed_files(wheel) == shipped_files(source)


def test_the_wheel_occupies_one_name_in_site_packages(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0] for name in installed_files(wheel)} == {"trialign"}


def test_the_wheel_is_typed_and_licensed(wheel: zipfile.ZipFile) -> None:
    assert "trialign/py.typed" in wheel.namelist()
    assert any(name.endswith("/licenses/LICENSE") for name in wheel.namelist())


def test_the_wheel_states_version_and_python(wheel: zipfile.ZipFile) -> None:
    metadata = Parser().parsestr(read_metadata(wheel, "METADATA"))
    assert metadata["Name"] == "trialign"
    assert metadata["Version"] == trialign.__version__
    assert metadata["Requires-Python"] == "<3.14,>=3.11"


def test_the_wheel_brings_the_command(wheel: zipfile.ZipFile) -> None:
    assert "trialign = trialign.cli:entry" in read_metadata(wheel, "entry_points.txt").splitlines()


@pytest.mark.parametrize("folder", ["conf", "dashboard"])
def test_an_editable_install_maps_the_top_folders(folder: str) -> None:
    module = importlib.import_module(f"trialign.{folder}")
    assert module.__file__ is not None
    assert Path(module.__file__).parent == ROOT / folder
