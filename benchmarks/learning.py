"""What training changes on the held-out questions: several seeds, pooled, with paired intervals, beside the baselines.

Runs ``trialign fit`` once a seed and method (finished runs are taken as they are), then compares the audits
before and after by cluster, in scores and in words, each seed alone, and the first method with every other. Prints
Markdown.

    python benchmarks/learning.py --seeds 0 1 2 --methods trialign utilitarian independent
    python benchmarks/learning.py --seeds 0 1 2 --methods trialign upper activated
    python benchmarks/learning.py --seeds 0 1 2 --sets FOLDER
    python benchmarks/learning.py --study [--tables rivals penalty] [--sets FOLDER] [--seeds 0] [--quick]

``--sets`` names a folder with the files of ARC-Easy, MMLU and TruthfulQA, which the agents are asked then, too.
``--study`` makes every table of study.yaml, with the rows' differences from trialign, in scores and words.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from study import OWN, TRAITS, Fitted, Study, ask, fit, measured, over_seeds, run, seen

from trialign.audit.figures.analysis import read_analysis
from trialign.audit.figures.comparison import AuditMeasures, Difference, differences, pooled
from trialign.audit.figures.measures import compared
from trialign.audit.figures.noticed import BY_KEY, TraitChange, trait_changes
from trialign.audit.files.items import read_items
from trialign.runs import ANALYSIS, REPLIES, SUMMARY

STUDY = Path(__file__).with_name("study.yaml")


@dataclass(frozen=True)
class Run:
    """A finished run's audits on the test split, first and last.

    Attributes:
        before: measures before training.
        after: measures after it.
        gaps: accuracy gap, the gap that noise alone gives, and p, before and after.
        audits: their folders.
    """

    before: AuditMeasures
    after: AuditMeasures
    gaps: tuple[str, str]
    audits: tuple[Path, Path]


def audited(fitted: Fitted, name: str) -> Run:
    """What a run's audits say of one set of questions."""
    audits = fitted.audits(name)
    assert audits is not None, "a finished run has two audits of what it was asked"
    before, after = (measured(audit) for audit in audits)
    assert before is not None
    assert after is not None
    return Run(before, after, (gap(audits[0]), gap(audits[1])), audits)


def gap(folder: Path) -> str:
    """The accuracy gap of one audit beside what noise alone gives."""
    truth = json.loads((folder / SUMMARY).read_text())["truth"]
    return f"{truth['gap']:.3f} ({truth['gap_noise']:.3f}; {truth['p_gap']:.3f})"


def change(found: Difference | TraitChange) -> str:
    """A change with its interval."""
    return f"{found.change:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def print_pooled(title: str, heads: tuple[str, str], found: Sequence[Difference]) -> None:
    """One row a measure."""
    print(f"\n{title}\n\n| | {heads[0]} | {heads[1]} | change | interval | wanted |\n|---|---|---|---|---|---|")
    for measure, one in zip(compared(), found, strict=True):
        if one.change is None:  # such as of tastes, where none were asked
            continue
        values = f"{one.first:.3f} | {one.second:.3f} | {one.change:+.3f} | [{one.low:+.3f}, {one.high:+.3f}]"
        print(f"| {measure.label} | {values} | {measure.wanted} |")


def print_seeds(seeds: Sequence[int], columns: Sequence[Sequence[Difference]]) -> None:
    """One column a seed."""
    print("\n| change | " + " | ".join(f"seed {seed}" for seed in seeds) + " |\n|---" + "|---" * len(seeds) + "|")
    for index, measure in enumerate(compared()):
        if any(column[index].change is None for column in columns):
            continue
        print(f"| {measure.label} | " + " | ".join(change(column[index]) for column in columns) + " |")


def print_each(runs: dict[int, Run]) -> None:
    """Each seed's changes in scores, and its accuracy gaps."""
    print_seeds(list(runs), [differences(run.before, run.after) for run in runs.values()])
    for side, moment in enumerate(("before", "after")):
        cells = " | ".join(run.gaps[side] for run in runs.values())
        print(f"| accuracy gap {moment} (noise alone; p) | {cells} |")


def print_words(title: str, runs: dict[int, Run]) -> None:
    """The same in words, where replies were asked for: by the audit's reader, and what one notices of them."""
    befores, afters = ([run.audits[side] for run in runs.values()] for side in (0, 1))
    before, after = over_seeds(befores, words=True), over_seeds(afters, words=True)
    if before is None or after is None:
        return
    print_pooled(title, ("before", "after"), differences(before, after))
    for noticed_before, noticed_after in zip(seen(befores).items(), seen(afters).items(), strict=True):
        (label, one), (_, other) = noticed_before, noticed_after
        print(f"| {label} | {one:.3f} | {other:.3f} | {other - one:+.3f} | | |")
    asked = [[measured(audit, words=True) for audit in run.audits] for run in runs.values()]
    print_seeds(list(runs), [differences(one, other) for one, other in asked if one and other])
    changes = [noticed_changes(*run.audits) for run in runs.values()]
    for key in TRAITS:
        print(f"| {BY_KEY[key].label} | " + " | ".join(change(column[key]) for column in changes) + " |")


def noticed_changes(before: Path, after: Path) -> dict[str, TraitChange]:
    """Key -> how a trait of the replies changed from one audit to another."""
    analysis = read_analysis(after / ANALYSIS)
    one, other = (read_items(audit / REPLIES) for audit in (before, after))
    return {found.key: found for found in trait_changes(one, other, analysis.groups, exposure=analysis.exposure)}


def print_set(name: str, results: dict[str, dict[int, Run]]) -> None:
    """Everything on one set: each method before and after, and the first one with every other."""
    (first, runs), *_ = results.items()
    seeds = f"on {name}, {len(runs)} seeds, 95 % intervals paired by cluster"
    after = {method: pooled([run.after for run in runs.values()]) for method, runs in results.items()}
    for method, runs in results.items():
        before = pooled([run.before for run in runs.values()])
        print_pooled(f"## {method} {seeds}", ("before", "after"), differences(before, after[method]))
        print_each(runs)
        print_words(f"## {method} in words, {seeds}", runs)
    for other in list(results)[1:]:
        title = f"## {first} against {other}, both after training, {seeds}"
        print_pooled(title, (other, first), differences(after[other], after[first]))


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="conf/quickstart.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", help="in the place of study.yaml's")
    parser.add_argument("--methods", nargs="+", default=["trialign"])
    parser.add_argument("--study", action="store_true", help="every table of study.yaml")
    parser.add_argument("--tables", nargs="+", help="with --study: these alone")
    parser.add_argument("--sets", type=Path, help="folder of sets that nobody here wrote")
    parser.add_argument("--quick", action="store_true", help="with --study: two methods and one seed of a tiny run")
    parser.add_argument("overrides", nargs="*", default=[])
    arguments = parser.parse_args()
    study = replace(Study.read(STUDY), config=arguments.config)
    study = replace(study, seeds=tuple(arguments.seeds or study.seeds))
    if arguments.study:
        study = study.quick() if arguments.quick else study
        for line in run(study, arguments.tables or list(study.tables), arguments.sets, arguments.overrides):
            print(line, flush=True)
        return
    begin = time.monotonic()
    fitted = {
        method: {seed: fit(study, method, seed, arguments.overrides) for seed in study.seeds}
        for method in arguments.methods
    }
    for name in [OWN, *(study.foreign() if arguments.sets else [])]:
        if name != OWN:
            for one in (one for runs in fitted.values() for one in runs.values()):
                ask(one, name, study.sets[name], arguments.sets)
        print_set(
            name, {method: {seed: audited(one, name) for seed, one in runs.items()} for method, runs in fitted.items()}
        )
    print(f"\nseconds: {time.monotonic() - begin:.0f} (little, where the runs were there)")
    print(f"\nlargest process: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
