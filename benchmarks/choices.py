"""What the choices that change a step's result bring: fewer trained layers, bf16 products.

Both are off by default. ``upper``: adapters in the upper half of the layers only; ``known``: the same, on rows that
came before, whose states below the adapters are kept (the same result as ``upper``). ``bf16``: products in bfloat16
under autocast (`trainer.precision=bf16-mixed`), faster where the CPU has such instructions. Each with how far
its gradients are from those of the float32 step, over the weights that both train.

    python benchmarks/choices.py --rounds 3
"""

from __future__ import annotations

import argparse
import os
from functools import partial

os.environ.setdefault("GOMP_SPINCOUNT", "30000")

import torch
from side_by_side import one_thread, peak_memory, setting, table, take_turns
from torch import Tensor
from workloads import prompted_options, session_of

from trialign.policy import ROOT, GroupPolicy, Segment, TreeBatch, TreeRow, build_tree_batch


def train(policy: GroupPolicy, batch: TreeBatch, low: bool) -> None:
    """Forward and backward pass."""
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        loss = policy.score(batch).sum()
    loss.backward()


def gradients(policy: GroupPolicy, batch: TreeBatch, low: bool) -> dict[str, Tensor]:
    """Of every trained weight, by its name."""
    policy.zero_grad()
    train(policy, batch, low)
    return {name: p.grad.clone() for name, p in policy.named_parameters() if p.grad is not None}


def difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Relative distance over the weights of ``one``."""
    apart = sum(float((one[name] - other[name]).square().sum()) for name in one)
    return (apart / sum(float(other[name].square().sum()) for name in one)) ** 0.5


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    one_thread()
    whole = session_of("options")
    upper = session_of("options", "policy.train_layers=upper", "policy.lower_cache_mb=0")
    known = session_of("options", "policy.train_layers=upper")
    state = whole.policy.adapter_state("shared")
    for one in (upper, known):
        kept = one.policy.adapter_state("shared")
        one.policy.load_adapter_state("shared", {name: state[name] for name in kept})
    batch = build_tree_batch(
        [
            TreeRow(0, (Segment(one.prompt, ROOT), *(Segment(answer, 0, action=True) for answer in one.answers)))
            for one in prompted_options(whole, arguments.questions)
        ]
    )
    policies = {
        "all layers, float32": (whole.policy, False),
        "upper layers, float32": (upper.policy, False),
        "upper layers, float32, rows known": (known.policy, False),
        "all layers, bf16 products": (whole.policy, True),
        "upper layers, bf16 products": (upper.policy, True),
        "upper layers, bf16 products, rows known": (known.policy, True),
    }
    exact = {id(one.policy): gradients(one.policy, batch, False) for one in (whole, upper)}
    exact[id(known.policy)] = exact[id(upper.policy)]
    apart = {name: difference(gradients(p, batch, low), exact[id(p)]) for name, (p, low) in policies.items()}
    measured = take_turns(
        {name: partial(train, p, batch, low) for name, (p, low) in policies.items()}, arguments.rounds
    )
    first = measured["all layers, float32"].median
    rows = [
        [
            name,
            f"{m.median:.2f}",
            m.spread,
            f"{first / m.median:.2f}",
            f"{peak_memory(partial(train, policies[name][0], batch, policies[name][1])):.0f}",
            f"{apart[name]:.0e}",
        ]
        for name, m in measured.items()
    ]
    print(setting())
    print(
        table(["step", "median, CPU s", "range", "times as fast", "peak MB", "gradients differ from float32 by"], rows)
    )


if __name__ == "__main__":
    main()
