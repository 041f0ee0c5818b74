"""What one adapter for all groups costs: its products over all rows at once, and copies of it for every row.

The first is how rows go where there is one adapter (``policy=shared``, the quick start); the second how they go where
there are several. For replies, too, how short rows attend: by plain products, and by torch's fused kernel. Options of
embedded questions are scored and learned, and replies written by the base model's agents, three groups and the control.

    python benchmarks/one_adapter.py --questions 2 --replies 6 --tokens 24 --rounds 3
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from unittest.mock import patch

os.environ.setdefault("GOMP_SPINCOUNT", "30000")

import torch
from side_by_side import one_thread, setting, table, take_turns
from torch import Tensor
from workloads import prompted_options, session_of

from trialign.api.session import Session
from trialign.policy import ROOT, GroupPolicy, Segment, TreeBatch, TreeRow, adapters, build_tree_batch, group_policy
from trialign.policy.adapters import GroupLoraLinear, weight_of
from trialign.policy.group_policy import Sampling


def gathered(layer: GroupLoraLinear, x: Tensor, rows: Tensor) -> Tensor:
    """What the rows' adapter adds, by a copy of it for each row."""
    names = layer.routing.adapters
    weights = [weight_of(layers, name) for layers in (layer.lora_A, layer.lora_B) for name in names]
    delta: Tensor = adapters._GroupedLora.apply(x, rows, layer.scaling[names[0]], *weights)
    return delta


@contextmanager
def copies(attention: bool = False) -> Iterator[None]:
    """Rows gather the adapter; with ``attention`` short rows attend by the fused kernel, too."""
    fused = patch.object(group_policy, "attention_kernel", lambda *_: nullcontext()) if attention else nullcontext()
    with patch.object(GroupLoraLinear, "_delta", gathered), fused:
        yield


def train(policy: GroupPolicy, batch: TreeBatch) -> None:
    """Forward and backward pass."""
    policy.score(batch).sum().backward()


def write(policy: GroupPolicy, prompts: list[tuple[int, ...]], groups: list[str], end: int, tokens: int) -> list[int]:
    """Replies as one batch, none of which ends early."""
    found = policy.generate(prompts, groups, end, Sampling(max_new_tokens=tokens))
    return [token for reply in found for token in reply]


def workloads(
    session: Session, questions: int, replies: int, tokens: int
) -> tuple[Callable[[], None], Callable[[], list[int]]]:
    """A training step on some questions' options, and replies to some by every group and the control."""
    policy = session.policy
    for parameter in policy.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.02)
    asked = prompted_options(session, questions)
    batch = build_tree_batch(
        [TreeRow(0, (Segment(o.prompt, ROOT), *(Segment(a, 0, action=True) for a in o.answers))) for o in asked]
    )
    prompts = [one.prompt for one in prompted_options(session, replies)][:: len(session.groups.names)]
    told = [prompt for prompt in prompts for _ in session.groups.everyone]
    groups = [group.name for _ in prompts for group in session.groups.everyone]
    return partial(train, policy, batch), partial(write, policy, told, groups, -1, tokens)


def gradients(policy: GroupPolicy, step: Callable[[], None]) -> list[Tensor]:
    """Of every trained weight, after one step."""
    policy.zero_grad()
    step()
    return [one.grad.clone() for one in policy.parameters() if one.grad is not None]


def by_copies(work: Callable[[], object], attention: bool) -> Callable[[], None]:
    """The same work as it was done before."""

    def run() -> None:
        with copies(attention):
            work()

    return run


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=2)
    parser.add_argument("--replies", type=int, default=6, help="questions that are replied to, by four each")
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    one_thread()
    session = session_of("options")
    step, reply = workloads(session, arguments.questions, arguments.replies, arguments.tokens)
    at_once = gradients(session.policy, step)
    one_by_one = gradients(session.policy, by_copies(step, attention=False))
    furthest = max(float((a - b).norm() / b.norm()) for a, b in zip(at_once, one_by_one, strict=True))
    measured = take_turns({"step": step, "step, copies": by_copies(step, attention=False)}, arguments.rounds)
    with torch.inference_mode():
        with copies(attention=True):
            expected = reply()
        same = reply() == expected
        measured |= take_turns(
            {"replies": reply, "replies, copies": by_copies(reply, attention=True)}, arguments.rounds
        )
    rows = []
    for work, equal in (("step", f"gradients to {furthest:.0e}"), ("replies", f"tokens: {'yes' if same else 'no'}")):
        first, second = measured[work], measured[f"{work}, copies"]
        ratio = f"{second.median / first.median:.2f}"
        rows.append([work, f"{first.median:.2f}", first.spread, f"{second.median:.2f}", second.spread, ratio, equal])
    print(setting())
    heads = ["work", "all rows at once, CPU s", "range", "copies (replies: and fused attention), CPU s", "range"]
    print(table([*heads, "times as fast", "same"], rows))


if __name__ == "__main__":
    main()
