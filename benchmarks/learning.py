"""What training changes on the held-out questions: several seeds, pooled, with paired intervals.

Runs ``trialign fit`` once a seed and method (finished runs are taken as they are), then compares the audits
before and after by cluster. Prints a Markdown table, times and peak memory.

    python benchmarks/learning.py --seeds 0 1 2 --methods trialign utilitarian
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from trialign.audit.analysis import read_analysis
from trialign.audit.comparison import MEASURES, AuditMeasures, differences, measure_audit, pooled
from trialign.audit.items import read_items


def fit(config: str, method: str, seed: int, overrides: list[str]) -> tuple[Path, float]:
    """Runs one fit as a user would; returns its folder and seconds. The run of ``make fit`` is seed 0."""
    stem = Path(config).stem
    name = stem if (method, seed) == ("trialign", 0) else f"{stem}-{method}-seed{seed}"
    command = [sys.executable, "-m", "trialign.cli", "fit", "--config", config, f"objective={method}"]
    command += [f"seed={seed}", f"name={name}", *overrides]
    if (Path("runs") / name / "config.yaml").exists():
        command.append("--resume")  # a finished run prints its table
    begin = time.monotonic()
    subprocess.run(command, check=True)
    return Path("runs") / name, time.monotonic() - begin


def measured(folder: Path) -> AuditMeasures:
    """One audit, question by question."""
    analysis = read_analysis(folder / "analysis.json")
    return measure_audit(read_items(folder / "items.parquet"), analysis.groups, analysis.exposure)


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="conf/quickstart.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", default=["trialign"])
    parser.add_argument("overrides", nargs="*", default=[])
    arguments = parser.parse_args()
    for method in arguments.methods:
        pairs, seconds = [], []
        for seed in arguments.seeds:
            run, took = fit(arguments.config, method, seed, arguments.overrides)
            seconds.append(took)
            audits = sorted((run / "audits").glob("step=*.test"))
            pairs.append((measured(audits[0]), measured(audits[-1])))
            summaries = [json.loads((audit / "summary.json").read_text())["truth"] for audit in (audits[0], audits[-1])]
            gaps = [f"{s['gap']:.3f} (noise alone {s['gap_noise']:.3f}, p {s['p_gap']:.2f})" for s in summaries]
            print(f"{run.name}: {took:.0f} s; accuracy gap {gaps[0]} -> {gaps[1]}")
        print(f"\n{method}, {len(pairs)} seeds, test split, 95 % intervals paired by cluster\n")
        print("| | before | after | change | interval | wanted |\n|---|---|---|---|---|---|")
        before, after = (pooled(side) for side in zip(*pairs, strict=True))
        for measure, found in zip(MEASURES, differences(before, after), strict=True):
            values = (
                f"{found.first:.3f} | {found.second:.3f} | {found.change:+.3f} | [{found.low:+.3f}, {found.high:+.3f}]"
            )
            print(f"| {measure.label} | {values} | {measure.wanted} |")
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        times = ", ".join(f"{value:.0f}" for value in seconds)
        print(f"\nseconds a run: {times}; largest process: {memory:.2f} GiB")


if __name__ == "__main__":
    main()
