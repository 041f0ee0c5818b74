"""What one GPU does with the embedded model: exactness, speed beside its limit, memory beside the plan's, strategies.

One table, within ten minutes. Every part stands alone: one that fails says so in its row, and the others go on; the
exit code is 1 then. ``--device cpu`` runs the same parts without a GPU, where they are tested.

    scripts/gpu_check.sh                        # makes the environment first
    python benchmarks/gpu_check.py --parts step replies
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers
from memory import batch_of, tree_row
from side_by_side import table
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode
from workloads import Prompted, prompted_options, session_of

from trialign.api.session import Session
from trialign.models import load_model
from trialign.policy import GroupPolicy
from trialign.policy.cpu import attention_kernel
from trialign.policy.group_policy import Sampling
from trialign.policy.tree import TreeBatch, build_tree_batch, pack_rows
from trialign.training.memory import Sharing, Strategy, Work, memory_of, size_of

ROOT_FOLDER = Path(__file__).resolve().parents[1]
TOLERANCE = 1e-4  # fp32 on another device adds in another order than the CPU
GIB = 2**30
Row = tuple[str, str, str]


@dataclass(frozen=True)
class Place:
    """Where the parts run.

    Attributes:
        device: cuda or cpu.
        queries: questions in one batch.
        tokens: of a reply.
        rounds: repeats of what is timed.
    """

    device: torch.device
    queries: int
    tokens: int
    rounds: int

    @property
    def on_gpu(self) -> bool:
        """Whether it is one."""
        return self.device.type == "cuda"

    def wait(self) -> None:
        """Until everything that was begun has ended."""
        if self.on_gpu:
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[], object]) -> list[float]:
        """Of each repeat, after one that is not counted."""
        found = []
        for _ in range(self.rounds + 1):
            self.wait()
            begin = time.perf_counter()
            work()
            self.wait()
            found.append(time.perf_counter() - begin)
        return found[1:]


def policy_of(session: Session, place: Place, dtype: torch.dtype) -> GroupPolicy:
    """The quick start's agents on the device, their adapters not zero."""
    model = load_model(session.files, session.config.model).to(dtype)
    torch.manual_seed(0)  # the same adapters on every device
    policy = GroupPolicy(model, session.groups.names, session.config.policy)
    for name, parameter in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    return policy.to(place.device)


def gradients(policy: GroupPolicy, batch: TreeBatch) -> torch.Tensor:
    """Of every trained weight, on the CPU."""
    policy.zero_grad(set_to_none=True)
    policy.score(batch).sum().backward()
    return torch.cat([p.grad.flatten().cpu() for p in policy.parameters() if p.grad is not None])


def exactness(session: Session, place: Place) -> Iterator[Row]:
    """The tree against one row an answer on this device, and this device against the CPU, in fp32."""
    prompted = prompted_options(session, 2)
    alone = [Prompted(one.group, one.prompt, (answer,)) for one in prompted for answer in one.answers]
    on_cpu = replace(place, device=torch.device("cpu"))
    here, cpu = (policy_of(session, at, torch.float32) for at in (place, on_cpu))
    found = {}
    for name, policy, rows, at in (
        ("tree", here, prompted, place),
        ("rows", here, alone, place),
        ("cpu", cpu, prompted, on_cpu),
    ):
        batch = batch_of(policy, rows).to(at.device)
        with torch.no_grad():
            scores = policy.score(batch).cpu()
        found[name] = (scores, gradients(policy, batch))
    for label, other in (("one row an answer", "rows"), ("the CPU", "cpu")):
        scores = float((found["tree"][0] - found[other][0]).abs().max())
        size = float(found[other][1].abs().max())
        slope = float((found["tree"][1] - found[other][1]).abs().max()) / size
        good = max(scores, slope) <= TOLERANCE * (1 if other == "rows" else 10)
        yield (
            f"tree against {label}, fp32",
            f"scores {scores:.1e}, gradients {slope:.1e}",
            "alike" if good else "DIFFERS",
        )


def step(session: Session, place: Place) -> Iterator[Row]:
    """A training step: tokens a second, share of the fastest product here, and memory beside the plan's."""
    for dtype in (torch.float32, torch.bfloat16):
        policy = policy_of(session, place, dtype).train()
        prompted = prompted_options(session, place.queries)
        batch = batch_of(policy, prompted).to(place.device)
        optimizer = torch.optim.AdamW([p for p in policy.parameters() if p.requires_grad])

        def once(
            policy: GroupPolicy = policy, batch: TreeBatch = batch, optimizer: torch.optim.AdamW = optimizer
        ) -> None:
            policy.score(batch).sum().backward()
            optimizer.step()
            policy.zero_grad(set_to_none=True)

        with FlopCounterMode(display=False) as counter:
            once()
        if place.on_gpu:
            torch.cuda.reset_peak_memory_stats()
        took = place.seconds(once)
        tokens, rate = batch.input_ids.numel(), counter.get_total_flops() / statistics.median(took)
        peak = product_peak(place, dtype)
        spread = f"{min(took):.3f} to {max(took):.3f} s"
        name = f"training step, {str(dtype).removeprefix('torch.')}, {len(prompted)} rows"
        figures = f"{tokens / statistics.median(took):,.0f} positions/s ({spread})"
        yield (
            name,
            figures,
            f"{rate / 1e12:.1f} TFLOP/s, {rate / peak:.0%} of the fastest product here ({peak / 1e12:.1f})",
        )
        if place.on_gpu:
            yield f"{name}, memory", *memory(session, policy, batch, dtype)
        del policy, optimizer, batch


def memory(session: Session, policy: GroupPolicy, batch: TreeBatch, dtype: torch.dtype) -> tuple[str, str]:
    """Most bytes that the allocator held, beside what `trialign plan` counts for the same step."""
    width = torch.finfo(dtype).bits // 8
    sharing = Sharing(1, Strategy(), 0, width, False, False, False, len(policy.adapters))
    work = Work(*batch.input_ids.shape, actions=len(batch.target))
    plan = memory_of(size_of(policy.base.config, session.config.policy), work, sharing).total
    took = torch.cuda.max_memory_allocated()
    return f"{took / GIB:.2f} GiB", f"plan {plan / GIB:.2f} GiB, {plan / took:.2f} of it"


def product_peak(place: Place, dtype: torch.dtype) -> float:
    """FLOP/s of the fastest of a few square products."""
    size = 8192 if place.on_gpu else 1024
    left, right = (torch.randn(size, size, device=place.device, dtype=dtype) for _ in range(2))
    return 2 * size**3 / min(place.seconds(lambda: left @ right))


def attention(session: Session, place: Place) -> Iterator[Row]:
    """One layer's attention along the trees of a batch: the engine's, beside flex_attention with a block mask.

    With a backward pass on a GPU; on a CPU flex_attention has none.
    """
    config, adapters = session.policy.base.config, session.policy.adapter_index
    rows = [tree_row(one, adapters(one.group)) for one in prompted_options(session, place.queries)]
    mask = build_tree_batch([one.row for one in pack_rows(rows)]).attention_mask.to(place.device)
    heads = config.num_attention_heads
    shape = (mask.shape[0], heads, mask.shape[2], config.hidden_size // heads)
    begin = time.perf_counter()
    blocks = create_block_mask(lambda b, h, q, k: mask[b, 0, q, k], mask.shape[0], None, *mask.shape[2:], place.device)
    made = time.perf_counter() - begin
    flex: Any = torch.compile(flex_attention)
    for dtype in (torch.float32, torch.bfloat16) if place.on_gpu else (torch.float32,):
        torch.manual_seed(0)
        given = [torch.randn(shape, device=place.device, dtype=dtype, requires_grad=place.on_gpu) for _ in range(3)]

        def once(attend: Callable[..., torch.Tensor], given: Sequence[torch.Tensor] = given) -> torch.Tensor:
            out = attend(*given)
            if place.on_gpu:
                out.sum().backward()
            return out.detach()

        def of_engine(*parts: torch.Tensor) -> torch.Tensor:
            with attention_kernel(place.device, mask.shape[3]):
                return scaled_dot_product_attention(*parts, attn_mask=mask)

        def of_flex(*parts: torch.Tensor) -> torch.Tensor:
            return flex(*parts, block_mask=blocks)

        apart = float((once(of_engine) - once(of_flex)).abs().max())
        ours, theirs = (place.seconds(lambda attend=attend: once(attend)) for attend in (of_engine, of_flex))
        ratio = statistics.median(ours) / statistics.median(theirs)
        good = apart <= (TOLERANCE if dtype == torch.float32 else 0.05)
        yield (
            f"attention of trees, {str(dtype).removeprefix('torch.')}, {shape[0]} x {shape[2]}",
            f"{1e3 * statistics.median(ours):.2f} ms, flex {1e3 * statistics.median(theirs):.2f} ms ({ratio:.2f})",
            f"{max(blocks.sparsity(), 0):.0f} % of the blocks left out, their mask made in {1e3 * made:.0f} ms; "
            + ("alike" if good else f"DIFFERS by {apart:.1e}"),
        )


def replies(session: Session, place: Place) -> Iterator[Row]:
    """Greedy replies: how many a second together, and whether they are those that are given alone."""
    policy = policy_of(session, place, torch.float32).eval()
    asked = prompted_options(session, place.queries)
    prompts, groups = [one.prompt for one in asked], [one.group for one in asked]
    sampling = Sampling(max_new_tokens=place.tokens)

    def write(chosen: slice) -> list[tuple[int, ...]]:
        return policy.generate(prompts[chosen], groups[chosen], session.renderer.end_ids, sampling)

    took = place.seconds(lambda: write(slice(None)))
    together, few = write(slice(None)), range(min(4, len(prompts)))
    alone = [write(slice(n, n + 1))[0] for n in few]
    alike = sum(together[n] == alone[n] for n in few)
    rate = len(prompts) / statistics.median(took)
    yield (
        f"replies of {place.tokens} tokens, fp32",
        f"{rate:.1f} a second ({len(prompts)} together)",
        (f"{alike} of {len(few)} as they are alone" + ("" if alike == len(few) else ": DIFFERS")),
    )


def strategies(session: Session, place: Place) -> Iterator[Row]:
    """The whole path, a few steps each, by each strategy that one device can run."""
    suffix = "" if place.on_gpu else "_cpu"
    one = ["trainer.devices=1"]
    for name, words in {
        "one process": [f"trainer={'gpu' if place.on_gpu else 'cpu'}"],
        "ZeRO-2": [f"trainer=deepspeed_zero2{suffix}", *one],
        "ZeRO-3": [f"trainer=deepspeed_zero3{suffix}", *one],
    }.items():
        yield smoke(f"smoke fit, {name}", words)


def quantised(session: Session, place: Place) -> Iterator[Row]:
    """The same with a base of 4 bits, where the library for it is there."""
    if importlib.util.find_spec("bitsandbytes") is None:
        yield "smoke fit, nf4 base", "not run", "bitsandbytes is not installed"
        return
    yield smoke("smoke fit, nf4 base", [f"trainer={'gpu' if place.on_gpu else 'cpu'}", "model.quantization=nf4"])


def smoke(label: str, words: list[str]) -> Row:
    """One run of conf/smoke.yaml; a row of how it ended."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "trialign.cli", "fit", "--config", str(ROOT_FOLDER / "conf" / "smoke.yaml")]
        begin = time.monotonic()
        steps = ["trainer.steps=2", "trainer.validate_every=0", "audit.answers=[scored]"]
        done = subprocess.run([*command, *words, *steps], cwd=folder, capture_output=True, text=True, check=False)
    last = (done.stderr.strip().splitlines() or [""])[-1]
    return (
        label,
        f"{time.monotonic() - begin:.0f} s",
        "to the end" if done.returncode == 0 else f"FAILED ({last[:150]})",
    )


PARTS: dict[str, Callable[[Session, Place], Iterator[Row]]] = {
    "exactness": exactness,
    "step": step,
    "attention": attention,
    "replies": replies,
    "strategies": strategies,
    "quantised": quantised,
}


def heading(place: Place) -> str:
    """What was measured, on what."""
    name = torch.cuda.get_device_name() if place.on_gpu else platform.processor() or platform.machine()
    size = f", {torch.cuda.get_device_properties(0).total_memory / GIB:.0f} GiB" if place.on_gpu else ""
    cuda = f", CUDA {torch.version.cuda}" if place.on_gpu else ""
    return f"{name}{size}; torch {torch.__version__}{cuda}, transformers {transformers.__version__}"


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--queries", type=int, help="questions in a batch (default: 16; on the CPU 1)")
    parser.add_argument("--tokens", type=int, help="of a reply (default: 48; on the CPU 4)")
    parser.add_argument("--rounds", type=int, help="repeats (default: 5; on the CPU 1)")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("There is no GPU that torch can use here: mend the driver or torch's build, or try --device cpu")
    # Exactness first: products in fp32 are not to be rounded to TF32.
    torch.backends.cuda.matmul.allow_tf32 = False
    on_gpu = arguments.device == "cuda"
    place = Place(
        torch.device(arguments.device),
        arguments.queries or (16 if on_gpu else 1),
        arguments.tokens or (48 if on_gpu else 4),
        arguments.rounds or (5 if on_gpu else 1),
    )
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    session = session_of("options", "trainer=gpu" if on_gpu else "trainer=cpu")
    rows: list[Row] = []
    for part in arguments.parts:
        print(f"{part} ...", file=sys.stderr, flush=True)
        try:
            rows.extend(PARTS[part](session, place))
        except Exception as error:  # a part that fails is what this is to find
            rows.append((part, "FAILED", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"))
    print(f"{heading(place)}\n\n{table(['what', 'figure', 'beside it'], [list(row) for row in rows])}")
    if any("FAILED" in cell or "DIFFERS" in cell for row in rows for cell in row):
        sys.exit(1)


if __name__ == "__main__":
    main()
