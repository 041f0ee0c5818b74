"""Which tests a fault in a file of the package meets."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Only several processes run it.
_OVER_RANKS = {"trialign/training/deepspeed.py": "tests/commands/test_sharding.py"}
# About commands, or about files that are not code, and slower than all others together.
LEFT_OUT = (
    "tests/test_composition.py",
    "tests/commands",
    "tests/test_cli.py",
    "tests/test_packaging.py",
    "tests/test_contributing.py",  # asks git, which a copy does not have
    "tests/test_notebooks.py",
    "tests/test_site.py",
    "tests/test_wheel.py",
)


@dataclass(frozen=True)
class Selection:
    """Test files by what they import.

    Attributes:
        importers: module -> modules of the package that import it.
        tests: test file -> modules of the package that it imports.
        neighbouring: test files in the folders of the packages that faults are put into, of any kind but slow.
    """

    importers: Mapping[str, frozenset[str]]
    tests: Mapping[Path, frozenset[str]]
    neighbouring: tuple[Path, ...]

    @classmethod
    def of_repository(cls, root: Path, packages: Sequence[str]) -> Selection:
        """By the imports in all its files."""
        importers: defaultdict[str, set[str]] = defaultdict(set)
        modules = {_name(file.relative_to(root)): file for file in sorted((root / "trialign").rglob("*.py"))}
        modules |= {_name("trialign" / file.relative_to(root)): file for file in (root / "dashboard").rglob("*.py")}
        for name, file in modules.items():
            for imported in _imported(file, name):
                importers[imported].add(name)
        files = [file.relative_to(root) for file in sorted((root / "tests").rglob("test_*.py"))]
        files = [file for file in files if not str(file).startswith(LEFT_OUT)]
        return cls(
            {name: frozenset(who) for name, who in importers.items()},
            {file: frozenset(_imported(root / file, "")) for file in files},
            tuple(file for file in files if _package(file) in packages),
        )

    def of(self, path: str) -> Iterator[tuple[list[str], str]]:
        """The test files for a fault in this file, in the order in which they run, and of which kind.

        First those that mirror it, such as ``tests/audit/test_pairs.py`` of ``trialign/audit/pairs.py``; then others
        of its package, and unit tests elsewhere, that import it or something that imports it; then the rest of its
        package.
        """
        file = Path(path)
        name = _name(file)
        near = self._handed_on({name})
        near = self._handed_on(near.union(*(self.importers.get(one, frozenset()) for one in near)))
        mirror = f"test_{file.stem}"
        concerned = [test for test, imported in self.tests.items() if imported & near]
        own = [test for test in self.tests if test.stem == mirror and _package(test) == _package(file)]
        beside = [test for test in concerned if test in self.neighbouring and _package(test) == _package(file)]
        if not own and not beside:  # what uses it is further away
            beside = [test for test in self.neighbouring if _package(test) == _package(file)]
        elsewhere = [test for test in concerned if test not in beside]
        # Further away, yet of the same package: a report's test draws charts without importing what draws them.
        rest = [test for test in self.tests if _package(test) == _package(file) and test not in beside]
        whole, units = "not slow", "unit and not slow"
        for files, marker in ((own, whole), (beside, whole), (elsewhere, units), (rest, whole)):
            left = [str(test) for test in files if files is own or marker == units or test not in own]
            if left:
                yield left, marker
        if path in _OVER_RANKS:
            yield [_OVER_RANKS[path]], "not slow"

    def _handed_on(self, names: set[str]) -> set[str]:
        """These modules and the packages whose ``__init__`` hands on what is in them."""
        return names | {who for name in names for who in self.importers.get(name, ()) if name.startswith(f"{who}.")}


def _package(file: Path) -> str:
    """Of a file of the package or of its tests; of a module at the top its own name."""
    return file.parts[1] if len(file.parts) > 2 else file.stem.removeprefix("test_")


def _name(file: Path) -> str:
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


def _imported(file: Path, name: str) -> Iterator[str]:
    """Modules of the package that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("trialign"))
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                base = name.split(".")
                depth = node.level - (file.name == "__init__.py")
                module = ".".join([*base[: len(base) - depth], *filter(None, [module])])
            if module.startswith("trialign"):
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)
