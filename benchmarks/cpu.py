"""What the engine's CPU paths bring: one training step and one audit, each path switched on after the other.

Every variant runs once a round, in turn, on the same rows; the table shows the median and the range of the rounds, and
the ratio of medians to the first variant.

    python benchmarks/cpu.py --rounds 5
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from unittest.mock import patch

os.environ.setdefault("GOMP_SPINCOUNT", "30000")

import torch

from trialign.api.session import Session
from trialign.composition import compose
from trialign.config import load
from trialign.environment import first_turn, observe, option_actions
from trialign.policy import ROOT, Segment, TreeRow, build_tree_batch
from trialign.policy.cpu import use_fast_exact_products
from trialign.policy.scoring import score_rows
from trialign.policy.tree import JoinedRow
from trialign.queries import Query

VARIANTS = ("plain", "+ oneDNN products", "+ attention by products", "+ shared profiles")


def apart(rows: Sequence[TreeRow], longest: int) -> list[JoinedRow]:
    """Every row for itself."""
    return [JoinedRow(row, (index,)) for index, row in enumerate(rows)]


@contextmanager
def variant(index: int) -> Iterator[None]:
    """Switches the paths beyond ``index`` off."""
    torch.set_float32_matmul_precision("highest")
    if index >= 1:
        use_fast_exact_products()
    kernel = "trialign.policy.group_policy.attention_kernel"
    fused: AbstractContextManager[object] = patch(kernel, lambda device, length: nullcontext())
    unshared: AbstractContextManager[object] = patch("trialign.policy.scoring.share_prefixes", apart)
    with fused if index < 2 else nullcontext(), unshared if index < 3 else nullcontext():
        yield


def rows_of(session: Session, queries: Sequence[Query]) -> list[TreeRow]:
    """One row a query and group: the prompt and its options."""
    rows = []
    for query in queries:
        for group in session.groups.members:
            conversation = first_turn(query, group, "explicit", 0, session.config.prompt)
            prompt = observe(query, group, "explicit", 0, 0, conversation, session.renderer).prompt
            options = option_actions(query, session.config.scoring, session.renderer)
            segments = (Segment(prompt, ROOT), *(Segment(option, 0, action=True) for option in options))
            rows.append(TreeRow(session.policy.adapter_index(group.name), segments))
    return rows


def measure(name: str, work: Callable[[], object], variants: Sequence[int], tokens: int, rounds: int) -> None:
    """Times every variant in turn and prints its rows of the table."""
    seconds: dict[int, list[float]] = {index: [] for index in variants}
    for _ in range(rounds + 1):
        for index in variants:
            with variant(index):
                begin = time.perf_counter()
                work()
                seconds[index].append(time.perf_counter() - begin)
    middle = {index: statistics.median(times[1:]) for index, times in seconds.items()}
    for index, times in seconds.items():
        cells = [
            name,
            VARIANTS[index],
            f"{middle[index]:.2f}",
            f"{min(times[1:]):.2f} to {max(times[1:]):.2f}",
            f"{tokens / middle[index]:.0f}",
            f"{middle[variants[0]] / middle[index]:.2f}",
        ]
        print(f"| {' | '.join(cells)} |")


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    composed = compose("conf/quickstart.yaml", [])
    session = Session(load(composed), composed)
    policy = session.policy
    questions = session.split("train")
    step = rows_of(session, questions[:4])
    batch = build_tree_batch(step)
    audit = rows_of(session, questions[:32])
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}\n")
    print("| work | paths | median, s | range, s | tokens/s | ratio |\n|---|---|---|---|---|---|")
    measure(
        "training step, 12 rows",
        lambda: policy.score(batch).sum().backward(),
        (0, 1, 2),
        sum(row.tokens for row in step),
        rounds,
    )
    measure(
        "scoring, 96 rows", lambda: score_rows(policy, audit), (0, 1, 2, 3), sum(row.tokens for row in audit), rounds
    )


if __name__ == "__main__":
    main()
