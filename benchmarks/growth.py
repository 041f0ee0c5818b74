"""How a training step grows, and how far its products are from this machine's limit.

``groups``: the same rows through 1 to 32 adapters (what the groups themselves cost). ``rows``: each further group
brings a row of its own. ``length``, ``samples``, ``turns``: one row of one group with longer prompts, more samples of
16 tokens, more turns of 60 tokens; beside the tokens of its trajectories, each with its prompt, those that the step
computes. ``limit``: floating-point operations, counted by torch, over the time and over the peak of one product
1024 x 576 x 1536, the shape of the embedded model's MLP; for the forward pass, the output layer and the backward
pass, and where the time goes.

    python benchmarks/growth.py --parts groups rows length samples turns limit --rounds 3
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from functools import partial

os.environ.setdefault("GOMP_SPINCOUNT", "30000")

import torch
from side_by_side import Work, one_thread, setting, table, take_turns
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from workloads import prompted_options, session_of

from trialign.api.session import Session
from trialign.models import load_model
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeBatch, TreeRow, build_tree_batch

GROUPS = (1, 4, 16, 32)
LENGTHS = (64, 128, 256, 512)
SAMPLES = (1, 2, 4, 8)
TURNS = (0, 1, 2, 3)
SAMPLE_TOKENS, HEARD_TOKENS, PROMPT_TOKENS = 16, 60, 128


def train(policy: GroupPolicy, batch: TreeBatch) -> None:
    """Forward and backward pass."""
    policy.score(batch).sum().backward()


def product_peak() -> float:
    """FLOP/s of the fastest of 50 products 1024 x 576 x 1536 in float32."""
    left, right = torch.randn(1024, 576), torch.randn(576, 1536)
    fastest = float("inf")
    for _ in range(50):
        begin = time.process_time()
        left @ right
        fastest = min(fastest, time.process_time() - begin)
    return 2 * 1024 * 576 * 1536 / fastest


def option_rows(session: Session, count: int) -> list[tuple[Segment, ...]]:
    """The first rows of questions with four options."""
    return [
        (Segment(one.prompt, ROOT), *(Segment(answer, 0, action=True) for answer in one.answers))
        for one in prompted_options(session, -(-count // 3))
    ][:count]


def random_row(prompt: int, samples: int, turns: int) -> tuple[TreeRow, int]:
    """One row of random tokens, and the tokens of its trajectories, each with its whole prompt."""
    generator = torch.Generator().manual_seed(0)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(100, 40_000, (count,), generator=generator).tolist())

    segments: list[Segment] = []
    parent, length, whole = ROOT, 0, 0
    for turn in range(turns + 1):
        added = HEARD_TOKENS if turn else prompt
        segments.append(Segment(tokens(added), parent))
        parent, length = len(segments) - 1, length + added
        segments.extend(Segment(tokens(SAMPLE_TOKENS), parent, action=True) for _ in range(samples))
        whole += samples * (length + SAMPLE_TOKENS)
    return TreeRow(0, tuple(segments)), whole


def adapters(session: Session) -> dict[int, GroupPolicy]:
    """Policies with different numbers of adapters."""
    return {
        count: GroupPolicy(
            load_model(session.files, session.config.model), [f"group{i}" for i in range(count)], AdapterConfig()
        )
        for count in GROUPS
    }


def show(title: str, name: str, works: dict[str, Work], rounds: int, notes: dict[str, list[object]]) -> None:
    """Measures and prints one table."""
    measured = take_turns(works, rounds)
    first = next(iter(measured.values())).median
    rows = [[key, *notes[key], f"{m.median:.2f}", m.spread, f"{m.median / first:.2f}"] for key, m in measured.items()]
    extra = ["tokens of the trajectories", "tokens computed"] if any(notes.values()) else []
    print(f"\n{title}\n\n{table([name, *extra, 'median, CPU s', 'range', 'time / first'], rows)}", flush=True)


def over_groups(session: Session, rows: int, rounds: int) -> None:
    """Equal rows in all, through more and more adapters."""
    made = option_rows(session, rows)
    works: dict[str, Work] = {
        str(count): partial(train, policy, build_tree_batch([TreeRow(i % count, row) for i, row in enumerate(made)]))
        for count, policy in adapters(session).items()
    }
    show(f"{rows} rows in all", "groups", works, rounds, {key: [] for key in works})


def over_rows(session: Session, rounds: int) -> None:
    """One row a group."""
    row = option_rows(session, 1)[0]
    works: dict[str, Work] = {
        str(count): partial(train, policy, build_tree_batch([TreeRow(i, row) for i in range(count)]))
        for count, policy in adapters(session).items()
    }
    show("one row a group", "groups", works, rounds, {key: [] for key in works})


def over(
    session: Session, name: str, values: Sequence[int], make: Callable[[int], tuple[TreeRow, int]], rounds: int
) -> None:
    """One row of one group that grows."""
    policy = session.policy
    rows = {str(value): make(value) for value in values}
    works: dict[str, Work] = {key: partial(train, policy, build_tree_batch([row])) for key, (row, _) in rows.items()}
    show(f"one row, {name}", name, works, rounds, {key: [whole, row.tokens] for key, (row, whole) in rows.items()})


def limit(session: Session, rows: int, rounds: int) -> None:
    """Prints the share of the peak by part, and where the time of a step goes."""
    policy = session.policy
    batch = build_tree_batch([TreeRow(0, row) for row in option_rows(session, rows)])
    states = torch.randn(len(batch.source), policy.base.config.hidden_size)

    @torch.no_grad()
    def forward() -> None:
        policy.score(batch)

    @torch.no_grad()
    def output() -> None:
        policy.base.get_output_embeddings()(states, batch.target)

    parts: dict[str, Work] = {"whole step": partial(train, policy, batch), "forward": forward, "output layer": output}
    operations = {}
    for name, work in parts.items():
        with FlopCounterMode(display=False) as counter:
            work()
        operations[name] = counter.get_total_flops()
    before = product_peak()
    seconds = {name: m.median for name, m in take_turns(parts, rounds).items()}
    peak = max(before, product_peak())
    seconds["backward"] = seconds["whole step"] - seconds["forward"]
    operations["backward"] = operations["whole step"] - operations["forward"]
    cells = [
        [name, f"{operations[name] / 1e9:.0f}", f"{took:.2f}", f"{operations[name] / took / peak:.0%}"]
        for name, took in seconds.items()
    ]
    print(f"\n{rows} rows of {batch.input_ids.shape[1]} positions; the peak is {peak / 1e9:.1f} GFLOP/s\n")
    print(table(["part", "GFLOP", "CPU s", "share of the peak"], cells))
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        train(policy, batch)
    events = sorted(profiled.key_averages(), key=lambda event: -event.self_cpu_time_total)
    whole = sum(event.self_cpu_time_total for event in events)
    cells = [[e.key, str(e.count), f"{e.self_cpu_time_total / whole:.0%}"] for e in events[:12]]
    print(f"\n{table(['operation', 'calls', 'share of a step'], cells)}", flush=True)


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ["groups", "rows", "length", "samples", "turns", "limit"]
    parser.add_argument("--parts", nargs="+", default=parts, choices=parts)
    parser.add_argument("--rows", type=int, default=12, help="rows in all")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    one_thread()
    session = session_of("options")
    print(setting())
    works: dict[str, Work] = {
        "groups": partial(over_groups, session, arguments.rows, arguments.rounds),
        "rows": partial(over_rows, session, arguments.rounds),
        "length": partial(
            over, session, "prompt tokens", LENGTHS, lambda value: random_row(value, 4, 0), arguments.rounds
        ),
        "samples": partial(
            over, session, "samples", SAMPLES, lambda value: random_row(PROMPT_TOKENS, value, 0), arguments.rounds
        ),
        "turns": partial(
            over, session, "further turns", TURNS, lambda value: random_row(PROMPT_TOKENS, 4, value), arguments.rounds
        ),
        "limit": partial(limit, session, arguments.rows, arguments.rounds),
    }
    for part in arguments.parts:
        works[part]()


if __name__ == "__main__":
    main()
