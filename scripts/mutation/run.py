"""Puts small faults into a copy of the package, one at a time, and tells which of them no test sees.

    python scripts/mutation/run.py                the fixed sample, going on where it was cut off
    python scripts/mutation/run.py --sites 60     a larger one, of each package; it holds the smaller
    python scripts/mutation/run.py --only policy  of one package

One run of all tests without a fault tells which of them execute which lines. Each fault meets the tests that execute
its statement, those that mirror its file first; the first that fails ends it. Nothing is changed in the checkout: the
faults go into a copy in a temporary folder. Results are added to build/mutation.jsonl; what was caught once is not run
again until its file changes, what was not is run again when a test has changed. Faults that change nothing that can be
seen are listed, with the reason, in equivalent.txt beside this file.

Exit code 0 where at least 95 % of the others are caught, else 1.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest
from coverage import Coverage
from met import Chosen, Met, Recorder, file_of
from mutants import Mutant, mutants

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
_GREEN = (0, 5)  # 5: no test of this name is left, since the fault changes the names
TESTS = "not slow"
# Of packages that no fault is put into, or about files that are not code, or in need of git or of what is installed.
LEFT_OUT = (
    *(f"tests/{folder}" for folder in ("api", "commands", "comparing", "dashboard", "metrics", "models")),
    *(f"tests/test_{name}.py" for name in ("cli", "composition", "contributing", "door", "house", "mutation_run")),
    *(f"tests/test_{name}.py" for name in ("notebooks", "packaging", "private_interfaces", "readme", "site", "smoke")),
    "tests/test_wheel.py",
)
TIMED = ("tests/queries/test_answers.py::test_a_hostile_reply_is_read_in_linear_time",)  # which coverage makes slower
_OVER_RANKS = {"trialign/training/deepspeed.py": "tests/commands/test_sharding.py"}  # only several processes run it
# Imported before the tests start, so that each run begins where these are ready. None of the package itself.
_READY = (
    *("torch", "lightning.pytorch", "transformers", "peft", "torchmetrics", "statsmodels.api", "scipy.stats"),
    *("pandas", "pyarrow.parquet", "hypothesis", "rich.console", "datasets", "safetensors.torch"),
)


@dataclass(frozen=True)
class Result:
    """What became of one fault.

    Attributes:
        key: of the fault.
        outcome: ``caught``, ``timeout`` (a fault that never ends is caught, too) or ``survived``.
        met: how many tests it was to meet.
        by: the test that caught it.
        seconds: they took, until the first that failed.
        source: hash of the file without the fault.
        tests: hash of all tests.
    """

    key: str
    outcome: str
    met: int
    by: str | None
    seconds: float
    source: str
    tests: str

    def holds(self, source: str, tests: str) -> bool:
        """Whether it is what would be found now: what one test caught, more tests catch too."""
        return self.source == source and (self.outcome != "survived" or self.tests == tests)


class Runner:
    """A copy of the repository in which tests run."""

    def __init__(self, copy: Path, build: Path) -> None:
        self.copy, self.build, self.results = copy, build, build / "mutation.jsonl"
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
        tests = sorted((copy / "tests").rglob("*.py"))
        self.tests = _hash_of(tests)
        files = {str(file.relative_to(copy)): file for file in tests if file.name.startswith("test_")}
        self.files = {name: _hash_of([file]) for name, file in files.items() if not name.startswith(LEFT_OUT)}
        package = sorted((copy / "trialign").rglob("*.py"))
        self.package = _hash_of([*package, *(file for file in tests if not file.name.startswith("test_"))])

    def met(self) -> Met:
        """What the tests execute, from one run of all of them; one that fails without a fault ends it here.

        It is kept, folder by folder. Where only files of tests change, only these run again.
        """
        kept, about = self.build / "mutation-met.json", self.build / "mutation-met-of.json"
        known, met = {"package": "", "files": {}}, Met({}, {})
        if kept.exists() and about.exists():
            known, met = json.loads(about.read_text(encoding="utf-8")), Met.read(kept)
        files = known["files"] if known["package"] == self.package else {}
        files = {name: digest for name, digest in files.items() if self.files.get(name) == digest}
        met = met.of_files(files)
        for folder, run in groupby(sorted(self.files.keys() - files), lambda name: Path(name).parts[1:-1][:1]):
            begun, new = time.monotonic(), self.copy / "met.json"
            names = list(run)
            code = self._pytest([*names, "-m", TESTS, *(f"--deselect={name}" for name in TIMED)], new)
            if code not in _GREEN:
                log = (self.copy / "pytest.log").read_text(encoding="utf-8")
                raise SystemExit(f"Without a fault the tests are not green ({code}):\n{log[-3000:]}")
            said = f"{'/'.join(('tests', *folder))}: {len(names)} files are green without a fault"
            print(f"{said} ({time.monotonic() - begun:.0f} s)", flush=True)
            met = met.with_others(Met.read(new))
            files |= {name: self.files[name] for name in names}
            met.write(kept)
            about.write_text(json.dumps({"package": self.package, "files": files}), encoding="utf-8")
        return met

    def try_one(self, mutant: Mutant, source: str, met: Met) -> Result:
        """Puts one fault in, runs the tests that meet it, takes it out."""
        tests = {test: met.seconds[test] for test in met.of(mutant.path, source, mutant.start[0])}
        files = list(dict.fromkeys(map(file_of, tests)))
        begun, code = time.monotonic(), 0
        self._change(mutant.path, mutant.put_into(source))
        try:
            # Most are caught by the first file, and collecting the others takes longer than its tests.
            for some in filter(None, (files[:1], files[1:])):
                code = self._pytest([*some, "-m", TESTS], Chosen(tests)) if code in _GREEN else code
            if code in _GREEN and mutant.path in _OVER_RANKS:
                code = self._pytest([_OVER_RANKS[mutant.path], "-m", "not slow"])
        finally:
            self._change(mutant.path, source)
        outcome = "survived" if code in _GREEN else "timeout" if code == -signal.SIGALRM else "caught"
        seconds = round(time.monotonic() - begun, 1)
        by = self._failed() if outcome == "caught" else None
        result = Result(mutant.key, outcome, len(tests), by, seconds, _hash(source), self.tests)
        with self.results.open("a", encoding="utf-8") as kept:
            kept.write(json.dumps(result.__dict__) + "\n")
        return result

    def _failed(self) -> str | None:
        """The test, or the file of tests, that failed last."""
        log = (self.copy / "pytest.log").read_text(encoding="utf-8", errors="replace")
        found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", log, re.MULTILINE)
        return found[1] if found else None

    def _change(self, path: str, source: str) -> None:
        file = self.copy / path
        file.write_text(source, encoding="utf-8")
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            compiled.unlink()  # a file changed twice in a second would be read from here

    def _pytest(self, arguments: Sequence[str], use: Path | Chosen | None = None) -> int:
        """Exit code of the tests; the number of the signal, below 0, that ended them."""
        child = os.fork()
        if child == 0:
            _become_pytest(self.copy, arguments, use)
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what it started
        return os.waitstatus_to_exitcode(status)

    def known(self) -> dict[str, Result]:
        """Key -> what was found before."""
        lines = self.results.read_text(encoding="utf-8").splitlines() if self.results.exists() else []
        return {result.key: result for result in (Result(**json.loads(line)) for line in lines)}


def _become_pytest(copy: Path, arguments: Sequence[str], use: Path | Chosen | None) -> None:
    """Never comes back: this process runs the tests in the copy and ends with their exit code.

    Args:
        copy: of the repository.
        arguments: for pytest.
        use: the tests to run, or the file for what they execute.
    """
    os.setsid()
    log = os.open(copy / "pytest.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    os.environ["PYTHONPATH"] = str(copy)
    code = 1
    try:
        options = ["-x", "-q", "-p", "no:cacheprovider", f"--rootdir={copy}", f"--basetemp={copy}/temporary"]
        if isinstance(use, Path):
            code = _record([*options, *arguments], copy, use)
        else:
            signal.alarm(600)  # an import, too, may never end
            code = int(pytest.main([*options, *arguments], plugins=[use] if use else []))
        print("exit code", code)
    finally:
        sys.stdout.flush()
        os._exit(code)


def _record(arguments: Sequence[str], copy: Path, kept: Path) -> int:
    """Runs the tests and writes what they execute. Returns their exit code."""
    coverage = Coverage(data_file=None, config_file=False, include=[f"{copy}/trialign/*"])
    coverage.start()
    recorder = Recorder(coverage)
    code = int(pytest.main(list(arguments), plugins=[recorder]))
    coverage.stop()
    if code in _GREEN:
        recorder.met(copy / "trialign").write(kept)
    return code


def sample(packages: Sequence[str], sites: int, root: Path = ROOT) -> list[Mutant]:
    """The faults to try: of each package as many, those with the smallest lots."""
    chosen: list[Mutant] = []
    for package in packages:
        files = [(file, (root / file).read_text(encoding="utf-8")) for file in _files(package, root)]
        found = [mutant for file, source in files for mutant in mutants(file, source)]
        chosen += sorted(found, key=lambda mutant: mutant.lot)[:sites]
    return chosen


def _files(package: str, root: Path) -> Iterator[str]:
    place = root / "trialign" / package
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    yield from (str(file.relative_to(root)) for file in files)


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
    arguments = parser.parse_args()
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        runner, equivalent = Runner(Path(folder), build), _equivalent()
        chosen = sample(arguments.only, arguments.sites, runner.copy)
        return _report(_try_all(runner, chosen, equivalent, run=not arguments.list), equivalent)


def _try_all(
    runner: Runner, chosen: Sequence[Mutant], equivalent: dict[str, str], *, run: bool
) -> dict[Mutant, str | None]:
    if run:
        for name in _READY:
            importlib.import_module(name)
        met = runner.met()
    known = runner.known()
    found: dict[Mutant, str | None] = {}
    for number, mutant in enumerate(chosen, 1):
        source = (runner.copy / mutant.path).read_text(encoding="utf-8")
        result = known.get(mutant.key)
        if result and not result.holds(_hash(source), runner.tests):
            result = None
        if result is None and run and mutant.key not in equivalent:
            result = runner.try_one(mutant, source, met)
            said = f"{result.outcome} by {result.by} (of {result.met}, {result.seconds:.0f} s)"
            print(f"{number}/{len(chosen)} {said}  {mutant.key}", flush=True)
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
