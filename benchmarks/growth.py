"""How a training step grows with the number of groups, and how far its products are from this machine's limit.

The same rows go through 1 to 32 adapters (``equal rows``: what the groups themselves cost), and each further group
brings rows of its own (``rows per group``). Executed floating-point operations are counted by torch and divided by the
time of the step and by the peak of one 1024 x 576 x 1536 product, the shape of the embedded model's MLP.

    python benchmarks/growth.py --rounds 3
"""

from __future__ import annotations

import argparse
import os
import time
from functools import partial

os.environ.setdefault("GOMP_SPINCOUNT", "30000")

import torch
from side_by_side import one_thread, setting, table, take_turns
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from workloads import prompted_options, session_of

from trialign.models import load_model
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeBatch, TreeRow, build_tree_batch

COUNTS = (1, 4, 16, 32)


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


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=32, help="rows where all counts have equal rows")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    one_thread()
    session = session_of("options")
    rows = [
        (Segment(one.prompt, ROOT), *(Segment(answer, 0, action=True) for answer in one.answers))
        for one in prompted_options(session, 11)
    ][: arguments.rows]
    policies, equal, each = {}, {}, {}
    for count in COUNTS:
        base = load_model(session.files, session.config.model)
        policies[count] = GroupPolicy(base, [f"group{i}" for i in range(count)], AdapterConfig())
    for count, policy in policies.items():
        shared = build_tree_batch([TreeRow(i % count, row) for i, row in enumerate(rows)])
        equal[str(count)] = partial(train, policy, shared)
        each[str(count)] = partial(train, policy, build_tree_batch([TreeRow(i, rows[0]) for i in range(count)]))
    print(setting())
    for title, sides in ((f"{len(rows)} rows in all", equal), ("one row a group", each)):
        measured = take_turns(sides, arguments.rounds)
        cells = [
            [n, f"{m.median:.2f}", m.spread, f"{m.median / measured['1'].median:.2f}"] for n, m in measured.items()
        ]
        print(f"\n{title}\n\n{table(['groups', 'median, CPU s', 'range', 'time / one group'], cells)}", flush=True)
    limit(policies[1], build_tree_batch([TreeRow(0, row) for row in rows]), arguments.rounds)


def limit(policy: GroupPolicy, batch: TreeBatch, rounds: int) -> None:
    """Prints the share of the peak, and where the time of a step goes."""
    with FlopCounterMode(display=False) as counter:
        train(policy, batch)
    peak = product_peak()
    seconds = take_turns({"": partial(train, policy, batch)}, rounds)[""].median
    peak = max(peak, product_peak())
    rate = counter.get_total_flops() / seconds
    print(f"\n{counter.get_total_flops() / 1e9:.0f} GFLOP in {seconds:.2f} CPU s: {rate / 1e9:.1f} GFLOP/s, ", end="")
    print(f"{rate / peak:.0%} of {peak / 1e9:.1f} GFLOP/s (one product 1024 x 576 x 1536)\n")
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        train(policy, batch)
    events = sorted(profiled.key_averages(), key=lambda event: -event.self_cpu_time_total)
    whole = sum(event.self_cpu_time_total for event in events)
    cells = [[e.key, e.count, f"{e.self_cpu_time_total / whole:.0%}"] for e in events[:12]]
    print(table(["operation", "calls", "share of a step"], cells), flush=True)


if __name__ == "__main__":
    main()
