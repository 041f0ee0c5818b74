"""Whether the base model tells the shipped groups different facts: one audit a set of groups, on one split.

For every set: the largest difference between two groups' accuracies beside the one that noise alone gives, and the
flips between groups beyond those between two wordings of one group's own profile, with its interval over facts. Prints
a Markdown table; docs/audit.md explains each figure. Audits that are there already are taken as they are.

    python benchmarks/groups.py --sets politics education english country age religion --split test
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import torch

from trialign.api.session import Session
from trialign.audit.asking.run import Auditor
from trialign.audit.figures.flips import ExcessFlips, excess_flips
from trialign.audit.figures.summary import summarize
from trialign.audit.files.items import read_items, write_items
from trialign.composition import compose
from trialign.config import load


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sets = ["politics", "education", "english", "country", "age", "religion"]
    parser.add_argument("--sets", nargs="+", default=sets)
    parser.add_argument("--split", default="test", choices=["train", "validation", "test"])
    parser.add_argument("--wordings", type=int, default=2)
    parser.add_argument("--exposure", default="explicit", choices=["explicit", "implicit"])
    arguments = parser.parse_args()
    print(
        "| groups | facts | accuracy, lowest to highest | gap | noise alone | p | flips | wordings | excess flips | s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for name in arguments.sets:
        words = [f"groups={name}", "data.files=[embedded:facts.jsonl]", f"audit.wordings={arguments.wordings}"]
        composed = compose("conf/quickstart.yaml", [*words, f"audit.exposures=[{arguments.exposure}]"])
        session = Session(load(composed), composed)
        groups = session.groups
        file = session.runs / ".groups" / f"{name}.{arguments.exposure}.{arguments.wordings}.{arguments.split}.parquet"
        begin = time.monotonic()
        if not file.is_file():
            auditor = Auditor.of_checkpoint(
                session.policy.eval(),
                session.renderer,
                replace(groups, control=None),
                session.config.prompt,
                session.config.scoring,
                session.config.audit,
                None,
            )
            items = auditor.run(session.require_split(arguments.split), f"Auditing {name}")
            file.parent.mkdir(parents=True, exist_ok=True)
            write_items(file, items)
        seconds = time.monotonic() - begin
        answers = read_items(file)
        summary = summarize(
            answers,
            step=0,
            data=session.config.data.name,
            exposure=arguments.exposure,
            split=arguments.split,
            scoring=session.config.scoring,
            eps=session.config.objective.welfare.epsilon,
            seconds=round(seconds, 1),
            groups=groups.names,
        )
        print(
            table_row(name, summary, excess_flips(answers, groups.names, exposure=arguments.exposure), seconds),
            flush=True,
        )


def table_row(name: str, summary: dict[str, Any], flips: ExcessFlips, seconds: float) -> str:
    """One set's row of the table."""
    truth = summary["truth"]
    accuracy = sorted(truth["accuracy"].items(), key=lambda pair: pair[1])
    cells = [
        f"`{name}`",
        str(summary["n_clusters"]),
        ", ".join(f"{group} {value:.3f}" for group, value in accuracy),
        f"{truth['gap']:.3f}",
        f"{truth['gap_noise']:.3f}",
        f"{truth['p_gap']:.4f}",
        f"{flips.across:.3f}",
        f"{flips.wordings:.3f}",
        f"{flips.excess:+.3f} [{flips.low:+.3f}, {flips.high:+.3f}]",
        f"{seconds:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
