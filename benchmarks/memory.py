"""What `trialign plan` estimates beside what a step takes: forward, backward and AdamW on the embedded model.

The profiler of torch counts every tensor that is allocated, so that neither the allocator nor other processes are
measured. What is there before the step, base model and adapters, is counted from the tensors themselves.

    python benchmarks/memory.py
    python benchmarks/memory.py --loading  # a process's own memory, and that of the model's files, as Linux counts it
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile
from transformers import AutoConfig
from workloads import Prompted, prompted_options, session_of

from trialign.api.session import Session
from trialign.composition import compose
from trialign.config import load
from trialign.models import load_model
from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.tree import TreeBatch
from trialign.training.deepspeed import MOMENTS
from trialign.training.memory import Memory, Sharing, Strategy, Work, memory_of, size_of

MIB = 2**20


def batch_of(policy: GroupPolicy, prompted: list[Prompted]) -> TreeBatch:
    """A row a prompt, with all answers as branches."""
    return build_tree_batch([tree_row(one, policy.adapter_index(one.group)) for one in prompted])


def tree_row(one: Prompted, adapter: int) -> TreeRow:
    """A prompt, with all answers as branches."""
    return TreeRow(adapter, (Segment(one.prompt, ROOT), *(Segment(answer, 0, action=True) for answer in one.answers)))


def measured(policy: GroupPolicy, batch: TreeBatch) -> int:
    """Most bytes of tensors at once: those that were there, and the peak of those that a step makes."""
    trained = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained)
    step(policy, batch, optimizer)  # the first one makes the moments, which stay
    there = [*policy.parameters(), *(state[key] for state in optimizer.state.values() for key in MOMENTS)]
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        step(policy, batch, optimizer)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.json"
        recorded.export_chrome_trace(str(file))
        events = json.loads(file.read_text(encoding="utf-8"))["traceEvents"]
    held = peak = 0
    for event in sorted((event for event in events if event.get("name") == "[memory]"), key=lambda event: event["ts"]):
        held += event["args"]["Bytes"]
        peak = max(peak, held)
    return peak + sum(tensor.numel() * tensor.element_size() for tensor in there)


def step(policy: GroupPolicy, batch: TreeBatch, optimizer: torch.optim.Optimizer) -> None:
    """One optimizer step; no gradient is left behind."""
    policy.score(batch).sum().backward()
    optimizer.step()
    policy.zero_grad(set_to_none=True)


def estimated(policy: GroupPolicy, batch: TreeBatch, again: bool) -> Memory:
    """What the plan says of the same step."""
    work = Work(*batch.input_ids.shape, actions=len(batch.target))
    sharing = Sharing(
        ranks=1,
        strategy=Strategy(),
        bucket=0,
        weight_bytes=4,
        mixed=False,
        on_cpu=True,
        checkpointing=again,
        adapters=len(policy.adapters),
    )
    return memory_of(size_of(AutoConfig.from_pretrained(policy.base.config.name_or_path), policy.config), work, sharing)


def print_loading() -> None:
    """What a process takes for the embedded model's weights: pages of its own, and pages of the files."""

    def pages(kind: str) -> int:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(kind)) * 1024

    composed = compose("conf/quickstart.yaml", [])
    session = Session(load(composed), composed)
    before = {kind: pages(kind) for kind in ("RssAnon", "RssFile")}
    model = load_model(session.files, session.config.model)
    weights = sum(one.numel() * one.element_size() for one in model.parameters())
    own, shared = (pages(kind) - held for kind, held in before.items())
    print(f"{weights / MIB:.0f} MiB of weights: {own / MIB:.0f} MiB of the process's own, {shared / MIB:.0f} of files")


def main() -> None:
    """Measures and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, nargs="+", default=[1, 2, 4], help="in one micro-batch")
    parser.add_argument("--loading", action="store_true", help="what loading the weights takes, and nothing else")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.loading:
        print_loading()
        return
    print("| adapters | rows x positions | layers | estimate, MiB | measured, MiB | estimate / measured |")
    print("|---|---|---|---:|---:|---:|", flush=True)
    for adapters in ("shared", "per_group"):
        session = session_of("choices", f"policy={adapters}")
        for again in (False, True):
            if again:
                session.policy.checkpoint_activations()
            for count in arguments.queries:
                batch = batch_of(session.policy, prompted_options(session, count))
                plan, took = estimated(session.policy, batch, again).total, measured(session.policy.train(), batch)
                shape = " x ".join(str(length) for length in batch.input_ids.shape)
                print(
                    f"| {adapters} | {shape} | {'computed again' if again else 'kept'} | {plan / MIB:.0f} "
                    f"| {took / MIB:.0f} | {plan / took:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
