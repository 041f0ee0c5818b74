"""The faults that are put into the package to see which of them no test sees, and the run over a sample of them."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts" / "mutation"
SOURCE = '''"""A module."""
from typing import Literal

Kind = Literal["one", "two"]
SIZE: int = 3


def spread(values, most=None):
    """Says nothing."""
    if not values:
        raise ValueError(f"no values of {1 + 1}")
    log.info("seen %d", len(values))
    values.sort(key=len, reverse=True)
    low, high = min(values), max(values, -1)
    if most is not None and high > most:
        return low, most
    return low, high - low
'''


@pytest.fixture
def mutation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, as a module."""
    return script("run", monkeypatch)


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """One of its files; none of them stays imported."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    names = ("run", "mutants", "met")
    for each in names:
        monkeypatch.delitem(sys.modules, each, raising=False)
    module = importlib.import_module(name)
    for each in names:
        monkeypatch.delitem(sys.modules, each, raising=False)
    return module


def faults(mutation: Any, source: str = SOURCE) -> list[Any]:
    return list(mutation.mutants("trialign/spread.py", source))


@pytest.mark.unit
def test_every_fault_of_a_small_module_by_hand(mutation: Any) -> None:
    found = {(fault.scope, fault.kind, fault.before, fault.after) for fault in faults(mutation)}
    there = "spread"
    assert found == {
        ("", "constant", "3", "(4)"),
        (there, "not removed", "not values", "(values)"),
        (there, "call removed", "values.sort(key=len, reverse=True)", "pass"),
        (there, "keyword dropped", "values.sort(key=len, reverse=True)", "(values.sort(reverse=True))"),
        (there, "keyword dropped", "values.sort(key=len, reverse=True)", "(values.sort(key=len))"),
        (there, "constant", "True", "(False)"),
        (there, "twin", "min", "(max)"),
        (there, "twin", "max", "(min)"),
        (there, "sign", "-1", "(1)"),
        (there, "constant", "1", "(2)"),
        (there, "and/or", "most is not None and high > most", "(most is not None or high > most)"),
        (there, "negated", "most is not None and high > most", "(not (most is not None and high > most))"),
        (there, "comparison", "most is not None", "(most is None)"),
        (there, "comparison", "high > most", "(high >= most)"),
        (there, "comparison", "high > most", "(high < most)"),
        (there, "return swapped", "return (low, most)", "return (most, low)"),
        (there, "return swapped", "return (low, high - low)", "return (high - low, low)"),
        (there, "arithmetic", "high - low", "(high + low)"),
    }


@pytest.mark.unit
def test_a_fault_changes_its_place_and_nothing_else(mutation: Any) -> None:
    for fault in faults(mutation):
        changed = fault.put_into(SOURCE)
        ast.parse(changed)
        pairs = zip(SOURCE.splitlines(), changed.splitlines(), strict=True)
        (line,) = [number for number, (before, after) in enumerate(pairs, 1) if before != after]
        assert line == fault.start[0]
    # Columns are counted in bytes.
    (fault,) = faults(mutation, 'names = {"größer als": one + size}\n')
    assert fault.put_into('names = {"größer als": one + size}\n') == 'names = {"größer als": (one - size)}\n'


@pytest.mark.unit
def test_faults_keep_their_names_and_lots_when_code_elsewhere_changes(mutation: Any) -> None:
    before = {fault.key: fault.lot for fault in faults(mutation)}
    assert len(before) == len(faults(mutation))
    after = {fault.key: fault.lot for fault in faults(mutation, "import os\n\n\n" + SOURCE + "\n\nOTHER = 7\n")}
    assert before.items() < after.items()


@pytest.mark.unit
def test_the_sample_is_of_every_package_and_the_larger_holds_the_smaller(mutation: Any) -> None:
    packages = ("objectives", "checkpoints")
    small, large = (mutation.sample(packages, sites) for sites in (5, 30))
    assert {fault.key for fault in small} < {fault.key for fault in large}
    assert [fault.path.startswith("trialign/objectives/") for fault in large] == [True] * 30 + [False] * 30
    lots = [fault.lot for fault in large[:30]]
    assert lots == sorted(lots)


@pytest.mark.unit
def test_a_line_belongs_to_its_innermost_statement_without_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    met: Any = script("met", monkeypatch)

    def at(line: int) -> tuple[int, int, bool]:
        lines, at_import = met.statement(STATEMENTS, line)
        return lines.start, lines.stop - 1, at_import

    assert at(1) == (1, 4, True)  # the assignment in all its lines
    assert at(3) == (1, 4, True)
    assert at(7) == (7, 7, True)  # a class's body runs at import, and so do the defaults of its functions
    assert at(8) == (8, 9, True)
    assert at(10) == (10, 10, False)
    assert at(11) == (11, 11, False)
    assert at(12) == (12, 12, False)
    assert at(13) == (13, 15, False)


STATEMENTS = """SIZES = (
    3,
    5,
)

class One:
    size = 4
    def longest(self, most=7,
                least=2):
        if self.size > most:
            return most
        elif least:
            return max(
                least, 1
            )
"""


@pytest.mark.unit
def test_a_fault_meets_what_executes_it_the_mirror_first_and_the_fastest_first(mutation: Any) -> None:
    own, aside, far = "tests/a/test_one.py::{}", "tests/a/test_two.py::{}", "tests/b/test_three.py::{}"
    seconds = {own.format("slow"): 5.0, own.format("quick"): 0.1, own.format("else"): 0.01}
    seconds |= {aside.format("x"): 4.0, far.format("y"): 1.0, far.format("z"): 0.5, far.format("w"): 0.2}
    of_ten = frozenset({own.format("slow"), own.format("quick"), aside.format("x"), far.format("y"), far.format("z")})
    lines = {"trialign/a/one.py": {10: of_ten, 12: frozenset[str](), 1: frozenset[str]()}}
    met = mutation.Met(seconds, lines)

    def of(line: int, path: str = "trialign/a/one.py") -> list[str]:
        return [test.rpartition("::")[2] for test in met.of(path, STATEMENTS, line)]

    # "else" is of the mirror and may run the line elsewhere; it comes last.
    assert of(10) == ["quick", "slow", "z", "y", "x", "else"]
    assert of(12) == ["else", "quick", "slow"]
    # What runs at import meets whatever executes the file; where nothing does, the tests of its package.
    assert of(1) == ["quick", "slow", "z", "y", "x", "else"]
    assert of(1, "trialign/b/four.py") == ["w", "z", "y"]
    assert of(10, "trialign/b/four.py") == []


RANGE = """LOWEST = 1

def spread(values):
    if not values:
        return 0
    low = min(values)
    return max(values) - low
"""
TESTS = """
import pytest
from trialign.spread import LOWEST, spread

@pytest.fixture(scope="module")
def wide():
    return spread([2, 9])

def test_empty():
    assert spread([]) == 0

def test_first(wide):
    assert wide == 7

def test_second(wide):
    assert LOWEST == 1

def test_neither():
    assert LOWEST == 1
"""


@pytest.mark.integration
def test_each_line_is_told_with_the_tests_that_execute_it_also_by_a_fixture(mutation: Any, tmp_path: Path) -> None:
    for file, text in (("trialign/spread.py", RANGE), ("trialign/__init__.py", ""), ("tests/test_spread.py", TESTS)):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    code = f"""
import pathlib, sys
sys.path[:0] = [{str(SCRIPTS)!r}, {str(tmp_path)!r}]
import run
place = pathlib.Path({str(tmp_path)!r})
sys.exit(run._record(["--rootdir=.", "-pno:cacheprovider", "tests"], place, place / "met.json"))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    met = mutation.Met.read(tmp_path / "met.json")
    empty, first, second, neither = (f"tests/test_spread.py::test_{n}" for n in ("empty", "first", "second", "neither"))
    assert list(met.seconds) == [empty, first, second, neither]
    both = {first, second}
    found = {line: set(tests) for line, tests in met.lines["trialign/spread.py"].items()}
    assert found == {1: set(), 3: set(), 4: {empty, *both}, 5: {empty}, 6: both, 7: both}


@pytest.mark.unit
def test_what_is_said_to_change_nothing_is_a_fault_with_a_reason(mutation: Any) -> None:
    sampled = {fault.key for fault in mutation.sample(mutation.PACKAGES, mutation.SITES)}
    equivalent = mutation._equivalent()
    assert all(reason for reason in equivalent.values())
    # Code that has changed since leaves entries behind; most are of the present sample.
    assert len(sampled & equivalent.keys()) >= len(equivalent) / 2


@pytest.mark.slow
def test_of_a_random_sample_of_faults_the_tests_see_95_percent() -> None:
    command = [sys.executable, str(SCRIPTS / "run.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
