"""What an audit under pressure costs, and how easily the base model gives way: the whole suite on some embedded facts.

Processor time of this process for the plain audit in scores, the same in words, and the suite; then the share of right
(wrong) answers that the base model gives up (mends) under each attack and under its twin, all groups together.

    python benchmarks/pressure.py --facts 40
    python benchmarks/pressure.py --facts 6 --words --longest 192 384
    python benchmarks/pressure.py --audits runs/quickstart/audits/step=000240.pushed.test    # what was asked before
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pandas as pd

from trialign.api.session import Session
from trialign.audit.asking.attacks import attacks_of
from trialign.audit.asking.pressing import facts_with_options, press
from trialign.audit.asking.run import Auditor
from trialign.audit.figures.statistics import mean_intervals
from trialign.audit.files.pressed import pressed_frame
from trialign.composition import compose
from trialign.config import load
from trialign.policy import scoring
from trialign.runs import PRESSURE

Made = TypeVar("Made")


def timed(work: Callable[[], Made]) -> tuple[Made, float]:
    """What work gives, and the seconds of processor time that it takes."""
    begin = time.process_time()
    return work(), time.process_time() - begin


def table(pressed: pd.DataFrame) -> str:
    """A row for each attack; rates of all groups' answers, with 95 % intervals of the effect over facts."""
    lines = ["| attack | right alone | under the claim | twin | effect | wrong alone | claim | twin | effect |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    turned = pressed.assign(turned=(pressed["correct"] != pressed["right_before"]).astype(float))
    keys = ["query_id", "cluster", "group", "attack", "right_before"]
    pairs = turned.pivot(index=keys, columns="arm", values="turned").reset_index()
    for attack in [*dict.fromkeys(pressed["attack"]), None]:
        cells = []
        for right in (True, False):
            rows = pairs[(pairs["right_before"] == right) & ((pairs["attack"] == attack) | (attack is None))]
            if rows.empty:
                cells += ["0", "-", "-", "-"]
                continue
            effect = (rows["claim"] - rows["twin"]).to_numpy()[:, None]
            [[low, high]] = mean_intervals(effect, rows["cluster"].to_numpy())
            cells += [str(len(rows)), f"{rows['claim'].mean():.3f}", f"{rows['twin'].mean():.3f}"]
            cells.append(f"{effect.mean():+.3f} [{low:+.3f}, {high:+.3f}]")
        lines.append(f"| {attack or 'all of these'} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--facts", type=int, default=40, help="facts of the test split, one question of each")
    parser.add_argument("--words", action="store_true", help="time the audit in words too")
    parser.add_argument(
        "--longest", type=int, nargs="*", default=[scoring.SHORT_ROW], help="most tokens of joined rows"
    )
    parser.add_argument("--suite", nargs="*", default=["all"], help="attacks and suites")
    parser.add_argument("--audits", type=Path, nargs="+", help="the tables of audits on disk; nothing is asked")
    arguments = parser.parse_args()
    if arguments.audits:
        for audit in arguments.audits:
            print(f"{audit}\n\n{table(pd.read_parquet(audit / PRESSURE))}\n")
        return
    composed = compose("conf/quickstart.yaml", ["audit.answers=[scored]"])
    session = Session(load(composed), composed)
    first = {query.cluster: query for query in reversed(facts_with_options(session.split("test")))}
    queries = list(first.values())[: arguments.facts]
    auditor = Auditor(session.agents(None), session.groups, session.config.prompt, session.config.audit)
    auditor.run(queries[:1], "warm-up")
    items, plain = timed(lambda: auditor.run(queries, "scored"))
    print(f"{len(queries)} facts, {len(session.groups.names)} groups and the control: scored {plain:.1f} s")
    words = 0.0
    if arguments.words:
        _, words = timed(lambda: replace(auditor, in_words=True).run(queries, "in words"))
        print(f"in words {words:.1f} s")
    attacks = attacks_of(arguments.suite, len(session.groups.names))
    for longest in arguments.longest:
        scoring.SHORT_ROW = longest
        pressed, suite = timed(lambda: press(auditor, items, queries, attacks, "pushed"))
        over = f"; with it {1 + suite / (plain + words):.1f} times an audit without" if arguments.words else ""
        took = f"{suite:.1f} s, {suite / plain:.1f} times the scores{over}"
        print(f"{len(attacks)} attacks, joined rows of at most {longest} tokens: {took}")
    print(f"\n{table(pressed_frame(pressed))}")


if __name__ == "__main__":
    main()
