"""What training changes on the held-out questions: several seeds, pooled, with paired intervals, beside the baselines.

Runs ``trialign fit`` once a seed and method (finished runs are taken as they are), then compares the audits
before and after by cluster, each seed alone, and the first method with every other. Prints Markdown.

    python benchmarks/learning.py --seeds 0 1 2 --methods trialign utilitarian independent
    python benchmarks/learning.py --seeds 0 1 2 --methods trialign upper activated
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trialign.audit.figures.analysis import read_analysis
from trialign.audit.figures.comparison import AuditMeasures, Difference, differences, measure_audit, pooled
from trialign.audit.figures.measures import compared
from trialign.audit.files.items import read_items
from trialign.runs import ANALYSIS, ITEMS, SUMMARY, RunFolder

# What a method needs beside its own name, and choices of the engine that change what trialign learns.
OVERRIDES = {
    "independent": ["objective=independent", "policy=per_group"],
    "upper": ["policy.train_layers=upper"],
    "activated": ["prompt.profile=last", "policy.activation=profile"],
    "bf16": ["trainer.precision=bf16-mixed"],
}


@dataclass(frozen=True)
class Run:
    """A finished run's audits on the test split, first and last.

    Attributes:
        before: measures before training.
        after: measures after it.
        gaps: accuracy gap, the gap that noise alone gives, and p, before and after.
        seconds: that the command took now (little, where the run was there).
    """

    before: AuditMeasures
    after: AuditMeasures
    gaps: tuple[str, str]
    seconds: float


def fit(config: str, method: str, seed: int, overrides: Sequence[str]) -> Run:
    """Runs one fit as a user would. The run of ``make fit`` is trialign's seed 0."""
    stem = Path(config).stem
    name = stem if (method, seed) == ("trialign", 0) else f"{stem}-{method}-seed{seed}"
    command = [sys.executable, "-m", "trialign.cli", "fit", "--config", config]
    command += [*OVERRIDES.get(method, [f"objective={method}"]), f"seed={seed}", f"name={name}", *overrides]
    run = RunFolder(Path("runs") / name)
    if run.config_file.exists():
        command.append("--resume")  # a finished run prints its table
    begin = time.monotonic()
    subprocess.run(command, check=True)
    seconds = time.monotonic() - begin
    audits = [audit.path for audit in run.audits() if audit.split == "test"]
    return Run(measured(audits[0]), measured(audits[-1]), (gap(audits[0]), gap(audits[-1])), seconds)


def measured(folder: Path) -> AuditMeasures:
    """One audit, question by question."""
    analysis = read_analysis(folder / ANALYSIS)
    return measure_audit(read_items(folder / ITEMS), analysis.groups, analysis.exposure)


def gap(folder: Path) -> str:
    """The accuracy gap of one audit beside what noise alone gives."""
    truth = json.loads((folder / SUMMARY).read_text())["truth"]
    return f"{truth['gap']:.3f} ({truth['gap_noise']:.3f}; {truth['p_gap']:.3f})"


def change(found: Difference) -> str:
    """A change with its interval."""
    return f"{found.change:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def print_pooled(title: str, heads: tuple[str, str], found: Sequence[Difference]) -> None:
    """One row a measure."""
    print(f"\n{title}\n\n| | {heads[0]} | {heads[1]} | change | interval | wanted |\n|---|---|---|---|---|---|")
    for measure, one in zip(compared(), found, strict=True):
        values = f"{one.first:.3f} | {one.second:.3f} | {one.change:+.3f} | [{one.low:+.3f}, {one.high:+.3f}]"
        print(f"| {measure.label} | {values} | {measure.wanted} |")


def print_each(runs: dict[int, Run]) -> None:
    """One column a seed."""
    print("\n| change | " + " | ".join(f"seed {seed}" for seed in runs) + " |\n|---" + "|---" * len(runs) + "|")
    columns = [differences(run.before, run.after) for run in runs.values()]
    for index, measure in enumerate(compared()):
        print(f"| {measure.label} | " + " | ".join(change(column[index]) for column in columns) + " |")
    for side, moment in enumerate(("before", "after")):
        cells = " | ".join(run.gaps[side] for run in runs.values())
        print(f"| accuracy gap {moment} (noise alone; p) | {cells} |")


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="conf/quickstart.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", default=["trialign"])
    parser.add_argument("overrides", nargs="*", default=[])
    arguments = parser.parse_args()
    seeds = f"{len(arguments.seeds)} seeds, test split, 95 % intervals paired by cluster"
    results = {
        method: {seed: fit(arguments.config, method, seed, arguments.overrides) for seed in arguments.seeds}
        for method in arguments.methods
    }
    after = {method: pooled([run.after for run in runs.values()]) for method, runs in results.items()}
    for method, runs in results.items():
        before = pooled([run.before for run in runs.values()])
        print_pooled(f"## {method}, {seeds}", ("before", "after"), differences(before, after[method]))
        print_each(runs)
        print("\nseconds: " + ", ".join(f"{run.seconds:.0f}" for run in runs.values()))
    first, *others = arguments.methods
    for other in others:
        title = f"## {first} against {other}, both after training, {seeds}"
        print_pooled(title, (other, first), differences(after[other], after[first]))
    print(f"\nlargest process: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
