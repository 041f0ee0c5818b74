"""Benchmarks are run by hand: that what they take from the package is still there is held here."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

FILES = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_a_benchmark_imports_is_there(file: Path) -> None:
    siblings = {other.stem: other for other in FILES}
    for node in _imports(file):
        names = {alias.name for alias in node.names}
        if node.module in siblings:
            assert names <= _names(siblings[node.module]), node.module
        elif str(node.module).startswith("trialign"):
            module = importlib.import_module(str(node.module))
            missing = {name for name in names if not hasattr(module, name)}
            assert all(importlib.util.find_spec(f"{node.module}.{name}") for name in missing), missing


def _imports(file: Path) -> list[ast.ImportFrom]:
    return [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]


def _names(file: Path) -> set[str]:
    """What stands at a file's top: defined, assigned or imported."""
    names = {alias.name for node in _imports(file) for alias in node.names}
    for one in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(one, ast.FunctionDef | ast.ClassDef):
            names.add(one.name)
        elif isinstance(one, ast.Assign | ast.AnnAssign):
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names
