"""Decoders with sliding windows: a prefix tree with windows along its branches, and plain rows, side by side.

Random weights in the shape of six layers of the embedded model as Mistral, all of whose layers have the window, as
Gemma 3, five of six of whose layers have it, and as gpt-oss (with four small experts), whose attention is computed step
by step. Three groups are asked questions with four options each: scores as an audit takes them, and a training step of
two questions. Both paths give the same scores (tests/policy/test_plain.py), and are held against each other here.

    python benchmarks/windows.py --rounds 3
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import transformers
from side_by_side import one_thread, setting, table, take_turns
from transformers import AutoModelForCausalLM

from trialign.models.families import attention_of
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.scoring import score_rows

GROUPS = ("north", "south", "island")
SHAPE = {
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 6,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "max_position_embeddings": 2048,
    "sliding_window": 64,
}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "Mistral": ("MistralConfig", {}),
    "Gemma 3": ("Gemma3TextConfig", {}),
    "gpt-oss": ("GptOssConfig", {"num_local_experts": 4, "num_experts_per_tok": 2, "intermediate_size": 384}),
}


def policy_of(kind: str, values: dict[str, Any], plain: str) -> GroupPolicy:
    """Agents of random weights; the same ones for every ``plain``."""
    torch.manual_seed(0)
    config = getattr(transformers, kind)(**{**SHAPE, **values})
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention_of(config))
    policy = GroupPolicy(model.eval().requires_grad_(False), GROUPS, AdapterConfig("shared", rank=8)).eval()
    policy.plain = plain
    return policy


def questions(count: int, tokens: int) -> list[TreeRow]:
    """For every group, told a profile of 30 tokens, so many questions with four options of five tokens."""
    generator = torch.Generator().manual_seed(1)

    def words(size: int) -> tuple[int, ...]:
        return tuple(torch.randint(5, SHAPE["vocab_size"], (size,), generator=generator).tolist())

    profiles, rows = [words(30) for _ in GROUPS], []
    for _ in range(count):
        asked, options = words(tokens - 30), [words(5) for _ in range(4)]
        for profile in profiles:
            rows.append(
                TreeRow(0, (Segment(profile + asked, ROOT), *(Segment(one, 0, action=True) for one in options)))
            )
    return rows


def train(policy: GroupPolicy, rows: Sequence[TreeRow]) -> None:
    """Forward and backward pass of one batch."""
    policy.score(build_tree_batch(rows)).sum().backward()


@torch.inference_mode()
def score(policy: GroupPolicy, rows: Sequence[TreeRow]) -> list[float]:
    """As an audit asks."""
    return [value for row in score_rows(policy, rows) for value in row]


def parsed(about: str, words: Sequence[str] | None) -> argparse.Namespace:
    """How often, and of which length prompts are."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=100, help="of a prompt")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Runs and prints."""
    arguments = parsed(__doc__, words)
    one_thread()
    print(setting())
    rows = []
    asked, step = questions(4, arguments.tokens), questions(2, arguments.tokens)
    for name, (kind, values) in FAMILIES.items():
        sides = {path: policy_of(kind, values, why) for path, why in (("plain rows", "no tree"), ("tree", ""))}
        apart = [abs(a - b) for a, b in zip(*(score(policy, asked) for policy in sides.values()), strict=True)]
        for what, work in (("scores", partial(score, rows=asked)), ("step", partial(train, rows=step))):
            measured = take_turns({path: partial(work, policy) for path, policy in sides.items()}, arguments.rounds)
            slow = measured["plain rows"].median
            rows += [
                [name, what, path, f"{m.median:.2f}", m.spread, f"{slow / m.median:.2f}", f"{max(apart):.0e}"]
                for path, m in measured.items()
            ]
    print(table(["family", "what", "path", "median, CPU s", "range", "times as fast", "scores apart, nats"], rows))


if __name__ == "__main__":
    main()
