"""The faults that are put into the package to see which of them no test sees, and the run over a sample of them."""

from __future__ import annotations

import ast
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
    monkeypatch.syspath_prepend(str(SCRIPTS))
    names = ("run", "mutants", "selection")
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    import run  # type: ignore[import-not-found]

    for name in names:
        monkeypatch.delitem(sys.modules, name)
    module: ModuleType = run
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
def test_a_file_meets_its_mirror_first_and_then_what_imports_it(mutation: Any) -> None:
    selection = mutation.Selection.of_repository(ROOT, mutation.PACKAGES)
    (own, _), (beside, _), *elsewhere = selection.of("trialign/audit/figures/pairs.py")
    assert own == ["tests/audit/figures/test_pairs.py"]
    assert {"tests/audit/figures/test_analysis.py", "tests/audit/figures/test_verdict.py"} <= set(beside)
    assert "tests/metrics/test_against_analysis.py" in elsewhere[0][0]
    # What a package hands on is imported under the package's name.
    met = {file for files, _ in selection.of("trialign/policy/group_policy.py") for file in files}
    assert {"tests/policy/test_group_policy.py", "tests/trajectories/test_collection.py"} <= met
    for package in mutation.PACKAGES:
        for file in mutation._files(package):
            assert list(selection.of(file)), file


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
