"""The house stays one that can be taken in: small rooms, few on a floor, and each of them in the import contracts."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
FOLDERS = ("trialign", "dashboard", "conf", "tests", "benchmarks", "scripts", "examples")
LONGEST_FILE = 400  # lines
LONGEST_FUNCTION = 60
MOST_ROOMS = 6


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    """Path -> text of every Python file of the repository."""
    files = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in files}


def test_every_file_can_be_taken_in(sources: dict[str, str]) -> None:
    assert len(sources) > 300
    assert [name for name, text in sources.items() if len(text.splitlines()) > LONGEST_FILE] == []


def test_every_function_can_be_taken_in(sources: dict[str, str]) -> None:
    longer = [
        f"{name}: {node.name}"
        for name, text in sources.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
    assert longer == []


@pytest.mark.parametrize("floor", ["trialign/audit", "dashboard"])
def test_a_floor_has_few_rooms(sources: dict[str, str], floor: str) -> None:
    depth = floor.count("/") + 1
    inside = [Path(name).parts for name in sources if name.startswith(f"{floor}/")]
    rooms = {parts[depth] for parts in inside if len(parts) > depth + 1}
    assert 2 <= len(rooms) <= MOST_ROOMS, rooms


def contracts() -> list[dict[str, object]]:
    found: list[dict[str, object]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
    return [contract for contract in found if contract["type"] == "layers"]


def named(contract: dict[str, object]) -> set[str]:
    """The modules that stand in the layers of a contract."""
    layers = contract["layers"]
    assert isinstance(layers, list)
    return {module.strip(" ()") for layer in layers for part in layer.split("|") for module in part.split(":")}


def test_every_room_stands_in_the_import_contracts(sources: dict[str, str]) -> None:
    """A module that no layer names may import from anywhere, and be imported."""
    downwards, audit, dashboard = contracts()[:3]
    for folder, contract, prefix in (
        ("trialign", downwards, "trialign."),
        ("trialign/audit", audit, ""),
        ("dashboard", dashboard, ""),
    ):
        depth = folder.count("/") + 1
        inside = [Path(name).parts for name in sources if name.startswith(f"{folder}/")]
        rooms = {parts[depth].removesuffix(".py") for parts in inside} - {"__init__"}
        assert {f"{prefix}{room}" for room in rooms} - named(contract) == set()
