"""What a training step over some of very many groups costs beside a step over as many groups that are all there are.

Both sides train the same basis on the same questions, and differ in how many groups share it: 8 of 1,000 are drawn
for each step, or all 8 are asked. A step is what the trainer does from the end of one to the end of the next: drawing,
building the batch, both passes, the optimizer's step, moving averages and the log. Nothing is collected: what the base
model would have answered is set to equal shares, and costs nothing in a step.

    python benchmarks/many_groups_step.py --groups 1000 --per-step 8 --rounds 5
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "30000")

from lightning.pytorch.callbacks import Callback
from side_by_side import Measured, one_thread, setting, table

from trialign.api.loop import make_data, make_module, make_trainer
from trialign.api.session import Session
from trialign.composition import compose
from trialign.config import load
from trialign.environment import first_turn, observe, option_actions
from trialign.queries import PreferenceQuery, Query, TruthQuery
from trialign.trajectories.episodes import Episode
from trialign.trajectories.records import Trajectory

WORDS = ("policy=basis", "groups=people", "objective.text.weight=0", "trainer.validate_every=0")
WORDS = (*WORDS, "trainer.micro_batches=1")


class Clock(Callback):
    """CPU seconds between the ends of two steps, and the rows of their batches."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.rows: list[int] = []

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Notes the time."""
        self.ends.append(time.process_time())
        self.rows.append(sum(len(units.branches.flatten(0, 1)) for units in batch.batch.units if units is not None))


def session_of(groups: int, per_step: int, queries: int, steps: int, runs: Path, words: Sequence[str]) -> Session:
    """A run of so many groups of the shipped population."""
    stated = [
        *WORDS,
        f"runs={runs}",
        f"name=groups-{groups}",
        f"groups.people.population.size={groups}",
        f"trainer.groups_per_step={per_step}",
        f"trainer.queries_per_step={queries}",
        f"trainer.steps={steps}",
        *words,
    ]
    composed = compose("conf/quickstart.yaml", stated)
    return Session(load(composed), composed)


def episodes(session: Session, count: int) -> list[Episode]:
    """The first questions with options, half of them of taste, asked once of every group."""
    chosen: list[Query] = []
    for kind, share in ((TruthQuery, count - count // 2), (PreferenceQuery, count // 2)):
        chosen += [one for one in session.split("train") if type(one) is kind and one.options][:share]
    return [_episode(session, query) for query in chosen]


def _episode(session: Session, query: Query) -> Episode:
    config, actions = session.config, option_actions(query, session.config.scoring, session.renderer)
    rows = []
    for group in session.groups.members:
        conversation = first_turn(query, group, "explicit", 0, config.prompt)
        rows.append(
            Trajectory(
                query_id=query.query_id,
                cluster=query.cluster,
                split=query.split,
                kind=query.kind,
                group=group.name,
                exposure="explicit",
                wording=0,
                turn=0,
                topology="full",
                prompt=observe(query, group, "explicit", 0, 0, conversation, session.renderer).prompt,
                options=actions,
                option_log_probabilities=(-1.0,) * len(actions),
                gold=query.gold_index if isinstance(query, TruthQuery) else None,
                target=query.targets[group.name] if isinstance(query, PreferenceQuery) else None,
                samples=(),
            )
        )
    return Episode(query.query_id, "explicit", query.split, query.kind, (tuple(rows),))


class Side:
    """One of the two, ready to train."""

    def __init__(self, session: Session, questions: int) -> None:
        self.session, self.asked = session, episodes(session, questions)
        self.module = make_module(session, self.asked)
        self.seconds: list[float] = []
        self.rows: list[int] = []

    def train(self) -> None:
        """A few steps, of which the first, which sets up, does not count."""
        trainer, clock = make_trainer(self.session, 0), Clock()
        trainer.callbacks.append(clock)  # type: ignore[attr-defined]
        trainer.fit(self.module, make_data(self.session, self.asked, [], []))
        self.seconds += [end - begin for begin, end in zip(clock.ends, clock.ends[1:], strict=False)]
        self.rows += clock.rows[1:]


def measure(sides: Sequence[Side], rounds: int) -> list[list[object]]:
    """Rows of a table: the sides take turns, after a round that does not count."""
    for side in sides:
        side.train()
        side.seconds, side.rows = [], []
    for _ in range(rounds):
        for side in sides:
            side.train()
    first = statistics.median(sides[0].seconds)
    found: list[list[object]] = []
    for side in sides:
        measured, groups = Measured(tuple(side.seconds)), len(side.session.groups.names)
        ratio = f"{measured.median / first:.2f}"
        rows = statistics.mean(side.rows)
        found.append([groups, len(side.seconds), f"{rows:g}", f"{measured.median:.3f}", measured.spread, ratio])
    return found


def main(stated: Sequence[str] | None = None) -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--per-step", type=int, default=8)
    parser.add_argument("--queries", type=int, default=2, help="in a step")
    parser.add_argument("--questions", type=int, default=8, help="in all")
    parser.add_argument("--steps", type=int, default=3, help="in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--words", nargs="*", default=[], help="of configuration, such as model=folder model.path=...")
    chosen = parser.parse_args(stated)
    one_thread()
    print(setting("lightning"))
    with tempfile.TemporaryDirectory() as folder:
        sides = [
            Side(
                session_of(groups, chosen.per_step, chosen.queries, chosen.steps + 1, Path(folder), chosen.words),
                chosen.questions,
            )
            for groups in (chosen.per_step, chosen.groups)
        ]
        print(f"\nA step over {chosen.per_step} groups, {chosen.queries} questions, with all that belongs to it\n")
        head = ("groups in all", "steps", "answers' rows", "median, CPU s", "range", f"time / all {chosen.per_step}")
        print(table(head, measure(sides, chosen.rounds)))


if __name__ == "__main__":
    main()
