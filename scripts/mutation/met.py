"""Which tests a fault meets: those that execute the statement it stands in, as one run of all of them told."""

from __future__ import annotations

import ast
import json
import signal
import time
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from coverage import Coverage, CoverageData

_FIXTURE = "fixture "


@dataclass(frozen=True)
class Met:
    """What the tests execute where no fault is in.

    Attributes:
        seconds: test -> how long it takes.
        lines: file of the package -> line -> tests that execute it; none where it runs at import only.
    """

    seconds: Mapping[str, float]
    lines: Mapping[str, Mapping[int, frozenset[str]]]

    @classmethod
    def read(cls, file: Path) -> Met:
        """As ``write`` left it."""
        record = json.loads(file.read_text(encoding="utf-8"))
        names = list(record["seconds"])
        lines = {
            path: {int(line): frozenset(names[test] for test in tests) for line, tests in found.items()}
            for path, found in record["lines"].items()
        }
        return cls(record["seconds"], lines)

    def write(self, file: Path) -> None:
        """To a file."""
        places = {name: place for place, name in enumerate(self.seconds)}
        lines = {
            path: {line: [places[test] for test in tests] for line, tests in found.items()}
            for path, found in self.lines.items()
        }
        file.write_text(json.dumps({"seconds": dict(self.seconds), "lines": lines}), encoding="utf-8")

    def of_files(self, files: Container[str]) -> Met:
        """Of the tests in these files alone."""
        lines = {
            path: {line: frozenset(test for test in tests if file_of(test) in files) for line, tests in found.items()}
            for path, found in self.lines.items()
        }
        return Met({test: took for test, took in self.seconds.items() if file_of(test) in files}, lines)

    def with_others(self, others: Met) -> Met:
        """With other tests."""
        lines: dict[str, dict[int, frozenset[str]]] = {}
        for one in (self, others):
            for path, found in one.lines.items():
                known = lines.setdefault(path, {})
                known |= {line: known.get(line, frozenset()) | tests for line, tests in found.items()}
        return Met({**self.seconds, **others.seconds}, lines)

    def of(self, path: str, source: str, line: int) -> list[str]:
        """The tests for a fault in this line, in the order in which they run.

        Those that execute its statement; of a statement that runs at import, those that execute anything in the file,
        or else, where it holds nothing but such statements, those of its package. Then the tests that mirror the file,
        which may execute it in a process of their own. Files of tests stay together: that of the mirror first, then
        the fastest, and in each the fastest test first.
        """
        found = self.lines.get(path, {})
        own, at_import = statement(source, line)
        tests = frozenset[str]().union(*(found.get(each, frozenset()) for each in (found if at_import else own)))
        folder = _folder_of_tests(path)
        mirror = f"{folder}/test_{Path(path).stem}.py"
        mirrored = {test for test in self.seconds if file_of(test) == mirror}
        if at_import and not tests:
            tests = frozenset(test for test in self.seconds if test.startswith(f"{folder}/"))
        takes: defaultdict[str, float] = defaultdict(float)
        for test in tests:
            takes[file_of(test)] += self.seconds[test]
        order = {
            test: (
                test not in tests,
                file_of(test) != mirror,
                takes[file_of(test)],
                file_of(test),
                self.seconds[test],
                test,
            )
            for test in tests | mirrored
        }
        return sorted(order, key=order.__getitem__)


def statement(source: str, line: int) -> tuple[range, bool]:
    """Lines of the innermost statement around a line, without its body, and whether it runs at import."""
    inner: ast.stmt | None = None
    at_import = True
    nodes: list[ast.AST] = [ast.parse(source)]
    while nodes:
        node = nodes.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                continue
            if isinstance(child, ast.stmt) and not child.lineno <= line <= (child.end_lineno or 0):
                continue
            if isinstance(child, ast.stmt):
                inner = child
                at_import = at_import and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            nodes.append(child)
    if inner is None:
        return range(line, line + 1), True
    parts = [child.lineno for child in ast.walk(inner) if isinstance(child, ast.stmt) and child is not inner]
    end = min([*parts, (inner.end_lineno or inner.lineno) + 1])
    return range(inner.lineno, max(end, inner.lineno + 1)), at_import


def _folder_of_tests(path: str) -> str:
    return str(Path("tests", *Path(path).parts[1:-1]))


def file_of(test: str) -> str:
    """The file that a test is in."""
    return test.partition("::")[0]


@dataclass(eq=False)
class Recorder:
    """A plugin of pytest: tells coverage which test runs, and how long each takes.

    What a fixture of more than one test executes belongs to all of these tests.
    """

    coverage: Coverage
    seconds: dict[str, float] = field(default_factory=dict)
    users: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    running: list[str] = field(default_factory=lambda: [""])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """One test, with all that it sets up."""
        for name in getattr(item, "fixturenames", ()):
            self.users[name].add(item.nodeid)
        begun = time.monotonic()
        with self._within(item.nodeid):
            result = yield
        self.seconds[item.nodeid] = round(time.monotonic() - begun, 3)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        """One fixture."""
        if fixturedef.scope == "function":
            return (yield)
        with self._within(f"{_FIXTURE}{fixturedef.baseid}\n{fixturedef.argname}"):
            return (yield)

    def met(self, package: Path) -> Met:
        """What was executed of the package in this folder, by whom."""
        data: CoverageData = self.coverage.get_data()
        lines = {}
        for file in data.measured_files():
            path = str(Path(file).relative_to(package.parent))
            found = data.contexts_by_lineno(file).items()
            lines[path] = {line: frozenset(self._tests(contexts)) for line, contexts in found}
        return Met(self.seconds, lines)

    @contextmanager
    def _within(self, context: str) -> Iterator[None]:
        self.running.append(context)
        self.coverage.switch_context(context)
        try:
            yield
        finally:
            self.running.pop()
            self.coverage.switch_context(self.running[-1])

    def _tests(self, contexts: Iterable[str]) -> Iterator[str]:
        for context in contexts:
            if context.startswith(_FIXTURE):
                base, _, name = context.removeprefix(_FIXTURE).partition("\n")
                yield from (test for test in self.users[name] if test.startswith(base))
            elif context:
                yield context


@dataclass(eq=False)
class Chosen:
    """A plugin of pytest: these tests alone, in this order, and an end to each that takes far longer than it should.

    Attributes:
        seconds: test -> how long it takes without a fault.
    """

    seconds: Mapping[str, float]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leaves out the others."""
        found = {item.nodeid: item for item in items}
        items[:] = [found[test] for test in self.seconds if test in found]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Sets the time limit, which ends the process."""
        signal.alarm(60 + round(10 * self.seconds[nodeid]))
