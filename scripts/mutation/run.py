"""Puts small faults into a copy of the package, one at a time, and tells which of them no test sees.

    python scripts/mutation/run.py                the fixed sample, going on where it was cut off
    python scripts/mutation/run.py --sites 60     a larger one, of each package; it holds the smaller
    python scripts/mutation/run.py --only policy  of one package

Each fault meets the tests that mirror its file first, then those of what imports it; the first that fails ends it.
Nothing is changed in the checkout: the faults go into a copy in a temporary folder. Results are added to
build/mutation.jsonl; what was caught once is not run again until its file changes, what was not is run again when a
test has changed. Faults that change nothing that can be seen are listed, with the reason, in equivalent.txt beside
this file.

Exit code 0 where at least 95 % of the others are caught, else 1.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutants import Mutant, mutants
from selection import LEFT_OUT, Selection

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGES = (
    "objectives",
    "updates",
    "policy",
    "trajectories",
    "training",
    "audit",
    "queries",
    "checkpoints",
    "endpoint",
)
SITES = 30  # of each package
WANTED = 0.95
_GREEN = "no fault"
# Imported before the tests start, so that each run begins where these are ready. None of the package itself.
_READY = ("torch", "lightning.pytorch", "transformers", "peft", "torchmetrics", "statsmodels.api", "scipy.stats")
_READY_TOO = ("pandas", "pyarrow.parquet", "hypothesis", "pytest", "rich.console", "datasets", "safetensors.torch")


@dataclass(frozen=True)
class Result:
    """What became of one fault.

    Attributes:
        key: of the fault.
        outcome: ``caught``, ``timeout`` (a fault that never ends is caught, too) or ``survived``.
        seconds: the tests took.
        source: hash of the file without the fault.
        tests: hash of all tests.
    """

    key: str
    outcome: str
    seconds: float
    source: str
    tests: str

    def holds(self, source: str, tests: str) -> bool:
        """Whether it is what would be found now: what one test caught, more tests catch too."""
        return self.source == source and (self.outcome != "survived" or self.tests == tests)


class Runner:
    """A copy of the repository in which tests run."""

    def __init__(self, copy: Path, results: Path, longest: float) -> None:
        self.copy, self.results, self.longest = copy, results, longest
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, copy / name)
        # Under these names they are installed.
        (copy / "trialign" / "conf").symlink_to(copy / "conf")
        (copy / "trialign" / "dashboard").symlink_to(copy / "dashboard")
        self.tests = _hash_of(sorted((copy / "tests").rglob("*.py")))
        self.selection = Selection.of_repository(ROOT, PACKAGES)

    def run(self, path: str) -> tuple[str, float]:
        """The tests of one file of the package: those that mirror it, then those of what imports it.

        Returns:
            ``green``, ``caught`` or ``timeout``, and the seconds.
        """
        begun = time.monotonic()
        for files, marker in self.selection.of(path):
            outcome = self._pytest(files, marker)
            if outcome != "green":
                return outcome, time.monotonic() - begun
        return "green", time.monotonic() - begun

    def run_all(self) -> str:
        """All tests that any fault may meet."""
        self.longest *= 10  # many files at once
        outcome = self._pytest([str(file) for file in self.selection.neighbouring], "not slow")
        outcome = self._pytest(["tests"], "unit and not slow") if outcome == "green" else outcome
        self.longest /= 10
        return outcome

    def _pytest(self, files: Sequence[str], marker: str) -> str:
        child = os.fork()
        if child == 0:
            _become_pytest(self.copy, [*files, "-m", marker])
        until = time.monotonic() + self.longest
        while time.monotonic() < until:
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                # 5: no tests of this kind. A fault may also keep the tests from being collected at all.
                return "green" if os.waitstatus_to_exitcode(status) in (0, 5) else "caught"
            time.sleep(0.05)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "timeout"

    def known(self) -> dict[str, Result]:
        """Key -> what was found before and still holds."""
        lines = self.results.read_text(encoding="utf-8").splitlines() if self.results.exists() else []
        return {result.key: result for result in (Result(**json.loads(line)) for line in lines)}

    def try_one(self, mutant: Mutant, source: str) -> Result:
        """Puts one fault in, runs the tests, takes it out."""
        file = self.copy / mutant.path
        file.write_text(mutant.put_into(source), encoding="utf-8")
        try:
            outcome, seconds = self.run(mutant.path)
        finally:
            file.write_text(source, encoding="utf-8")
        outcome = "survived" if outcome == "green" else outcome
        result = Result(mutant.key, outcome, round(seconds, 1), _hash(source), self.tests)
        self.note(result)
        return result

    def note(self, result: Result) -> None:
        """Adds a result to the file."""
        with self.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result.__dict__) + "\n")


def _become_pytest(copy: Path, arguments: Sequence[str]) -> None:
    """Never comes back: this process runs the tests in the copy and ends with their exit code."""
    os.setsid()
    log = os.open(copy / "pytest.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    os.environ["PYTHONPATH"] = str(copy)
    code = 1
    try:
        import pytest

        left_out = [f"--ignore={name}" for name in LEFT_OUT if "tests" in arguments]
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", f"--rootdir={copy}", *left_out, *arguments]))
        print("exit code", code)
    finally:
        sys.stdout.flush()
        os._exit(code)


def sample(packages: Sequence[str], sites: int) -> list[Mutant]:
    """The faults to try: of each package as many, those with the smallest lots."""
    chosen: list[Mutant] = []
    for package in packages:
        files = [(file, (ROOT / file).read_text(encoding="utf-8")) for file in _files(package)]
        found = [mutant for file, source in files for mutant in mutants(file, source)]
        chosen += sorted(found, key=lambda mutant: mutant.lot)[:sites]
    return chosen


def _files(package: str) -> Iterator[str]:
    place = ROOT / "trialign" / package
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    yield from (str(file.relative_to(ROOT)) for file in files)


def _equivalent() -> dict[str, str]:
    """Key -> why the fault changes nothing."""
    lines = (HERE / "equivalent.txt").read_text(encoding="utf-8").splitlines()
    entries = (line.rsplit("  |  ", 1) for line in lines if line.strip() and not line.startswith("#"))
    return {key.strip(): reason.strip() for key, reason in entries}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _hash_of(files: Sequence[Path]) -> str:
    return _hash("".join(file.read_text(encoding="utf-8") for file in files))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=SITES, help=f"how many faults of each package (default: {SITES})")
    parser.add_argument("--only", nargs="*", default=list(PACKAGES), metavar="PACKAGE", help="of these packages")
    parser.add_argument("--list", action="store_true", help="print the sample and what is known of it; run nothing")
    parser.add_argument("--longest", type=float, default=600, help="seconds after which a run is stopped")
    arguments = parser.parse_args()
    chosen, equivalent = sample(arguments.only, arguments.sites), _equivalent()
    results = ROOT / "build" / "mutation.jsonl"
    results.parent.mkdir(exist_ok=True)
    sys.dont_write_bytecode = True  # a file changed twice in a second would be read from the cache
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        runner = Runner(Path(folder), results, arguments.longest)
        if not arguments.list:
            for name in (*_READY, *_READY_TOO):
                importlib.import_module(name)
            _check_green(runner)
        return _report(_try_all(runner, chosen, equivalent, run=not arguments.list), equivalent)


def _check_green(runner: Runner) -> None:
    """Without a fault no test may fail, or every fault would seem to be caught."""
    state = _hash(runner.tests + _hash_of(sorted((runner.copy / "trialign").rglob("*.py"))))
    if runner.known().get(_GREEN, Result("", "", 0, "", "")).source == state:
        return
    begun = time.monotonic()
    outcome = runner.run_all()
    if outcome != "green":
        log = (runner.copy / "pytest.log").read_text(encoding="utf-8")
        raise SystemExit(f"Without a fault the tests are not green ({outcome}):\n{log[-3000:]}")
    seconds = round(time.monotonic() - begun, 1)
    runner.note(Result(_GREEN, "green", seconds, state, runner.tests))
    print(f"without a fault all is green ({seconds:.0f} s)", flush=True)


def _try_all(
    runner: Runner, chosen: Sequence[Mutant], equivalent: dict[str, str], *, run: bool
) -> dict[Mutant, str | None]:
    known = runner.known()
    found: dict[Mutant, str | None] = {}
    for number, mutant in enumerate(chosen, 1):
        source = (ROOT / mutant.path).read_text(encoding="utf-8")
        result = known.get(mutant.key)
        if result and not result.holds(_hash(source), runner.tests):
            result = None
        if result is None and run and mutant.key not in equivalent:
            result = runner.try_one(mutant, source)
            print(f"{number}/{len(chosen)} {result.outcome} {result.seconds:.0f} s  {mutant.key}", flush=True)
        found[mutant] = result.outcome if result else None
    return found


def _report(found: dict[Mutant, str | None], equivalent: dict[str, str]) -> int:
    counted = {mutant: outcome for mutant, outcome in found.items() if mutant.key not in equivalent}
    survivors = [mutant for mutant, outcome in counted.items() if outcome == "survived"]
    tried = sum(outcome is not None for outcome in counted.values())
    for mutant in sorted(survivors, key=lambda mutant: (mutant.path, mutant.start)):
        print(f"{mutant.path}:{mutant.start[0]}: survived: {mutant.key}")
    stale = set(equivalent) - {mutant.key for mutant in found}
    if stale and len(found) >= SITES * len(PACKAGES):
        print(f"{len(stale)} entries of equivalent.txt are of no fault in this sample")
    caught = tried - len(survivors)
    share = caught / max(tried, 1)
    print(
        f"{len(found)} faults: {len(found) - len(counted)} change nothing, {caught} of {tried} others caught "
        f"({100 * share:.1f} %), {len(counted) - tried} not tried"
    )
    return 0 if tried == len(counted) and share >= WANTED else 1


if __name__ == "__main__":
    raise SystemExit(main())
