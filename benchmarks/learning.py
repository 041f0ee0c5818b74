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

import numpy as np
from numpy.typing import NDArray

from trialign.audit.items import read_items

Matrix = NDArray[np.float64]
MEASURES = (
    ("flip rate", "down"),
    ("all groups agree", "up"),
    ("all agree on a wrong answer", "not up"),
    ("accuracy, mean over groups", "up"),
    ("accuracy, worst group", "up"),
    ("accuracy gap", "down"),
    ("preference score, mean", "up"),
    ("preference score, worst group", "up"),
    ("own minus swapped preference score", "up"),
)
RESAMPLES = 4000


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


class Audit:
    """One audit as arrays, the rows in the order of the query ids."""

    def __init__(self, folder: Path, groups: list[str]) -> None:
        items = read_items(folder / "items.parquet")
        own = items[items["group"] == items["profile_group"]]
        facts = own[(own["kind"] == "truth") & own["group"].isin(groups)]
        tastes = own[(own["kind"] == "preference") & own["group"].isin(groups)]
        swapped = items[items["group"] != items["profile_group"]]
        self.correct = _pivot(facts, "correct", groups)
        self.fact_clusters = facts.drop_duplicates("query_id").sort_values("query_id")["cluster"].to_numpy()
        answers = facts.pivot(index="query_id", columns="group", values="canonical").sort_index()[groups].to_numpy()
        pairs = [(i, j) for i in range(len(groups)) for j in range(i + 1, len(groups))]
        self.flips = np.stack([answers[:, i] != answers[:, j] for i, j in pairs], axis=1).mean(axis=1)
        self.wrong_together = (self.flips == 0) & (self.correct[:, 0] == 0)
        self.preference = _pivot(tastes, "reward_preference", groups)
        self.taste_clusters = tastes.drop_duplicates("query_id").sort_values("query_id")["cluster"].to_numpy()
        mean_swapped = swapped.groupby(["query_id", "profile_group"])["reward_preference"].mean().unstack()
        self.swapped = mean_swapped.sort_index()[groups].to_numpy(dtype=float)

    def measures(self, facts: Matrix, tastes: Matrix) -> Matrix:
        """All measures under weights of the questions: [resamples, questions] each -> [measures, resamples]."""
        facts = facts / facts.sum(axis=1, keepdims=True)
        tastes = tastes / tastes.sum(axis=1, keepdims=True)
        accuracy, preference = facts @ self.correct, tastes @ self.preference
        return np.stack(
            [
                facts @ self.flips,
                facts @ (self.flips == 0),
                facts @ self.wrong_together,
                accuracy.mean(axis=1),
                accuracy.min(axis=1),
                accuracy.max(axis=1) - accuracy.min(axis=1),
                preference.mean(axis=1),
                preference.min(axis=1),
                (preference - tastes @ self.swapped).mean(axis=1),
            ]
        )


def _pivot(rows, column: str, groups: list[str]) -> Matrix:  # type: ignore[no-untyped-def]
    return rows.pivot(index="query_id", columns="group", values=column).sort_index()[groups].to_numpy(dtype=float)


def cluster_weights(clusters: NDArray[np.object_], generator: np.random.Generator) -> Matrix:
    """How often each question is drawn when whole clusters are drawn with replacement: [resamples, questions]."""
    names, index = np.unique(clusters, return_inverse=True)
    drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    return drawn[:, index].astype(float)


def pooled(pairs: list[tuple[Audit, Audit]]) -> list[tuple[float, float, float, float, float]]:
    """Per measure: before, after, change, and the 95 % interval of the change.

    Measures are averaged over seeds within each resample of the clusters; all seeds answer the same questions.
    """
    first = pairs[0][0]
    generator = np.random.default_rng(0)
    facts = cluster_weights(first.fact_clusters, generator)
    tastes = cluster_weights(first.taste_clusters, generator)
    ones = np.ones((1, len(first.fact_clusters))), np.ones((1, len(first.taste_clusters)))
    point = [np.mean([pair[side].measures(*ones)[:, 0] for pair in pairs], axis=0) for side in (0, 1)]
    draws = np.mean([after.measures(facts, tastes) - before.measures(facts, tastes) for before, after in pairs], axis=0)
    low, high = np.quantile(draws, [0.025, 0.975], axis=1)
    return [(b, a, a - b, lo, hi) for b, a, lo, hi in zip(point[0], point[1], low, high, strict=True)]


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
            groups = json.loads((audits[0] / "summary.json").read_text())["groups"]
            pairs.append((Audit(audits[0], groups), Audit(audits[-1], groups)))
            summaries = [json.loads((audit / "summary.json").read_text())["truth"] for audit in (audits[0], audits[-1])]
            gaps = [f"{s['gap']:.3f} (noise alone {s['gap_noise']:.3f}, p {s['p_gap']:.2f})" for s in summaries]
            print(f"{run.name}: {took:.0f} s; accuracy gap {gaps[0]} -> {gaps[1]}")
        print(f"\n{method}, {len(pairs)} seeds, test split, 95 % intervals paired by cluster\n")
        print("| | before | after | change | interval | wanted |\n|---|---|---|---|---|---|")
        for (name, wanted), (b, a, change, low, high) in zip(MEASURES, pooled(pairs), strict=True):
            print(f"| {name} | {b:.3f} | {a:.3f} | {change:+.3f} | [{low:+.3f}, {high:+.3f}] | {wanted} |")
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        times = ", ".join(f"{value:.0f}" for value in seconds)
        print(f"\nseconds a run: {times}; largest process: {memory:.2f} GiB")


if __name__ == "__main__":
    main()
