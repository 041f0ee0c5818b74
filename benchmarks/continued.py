"""Scores of a model with recurrent layers: answers from copies of their prompt's state beside plain rows.

Random weights in the shape of six layers of the embedded model as Granite 4's hybrid (five Mamba 2 layers, one of
attention) and as Qwen3-Next (every fourth of attention); three groups, four questions with four options each, as an
audit asks them. Both give the same scores (tests/policy/test_plain.py), and are held against each other here.

    python benchmarks/continued.py --rounds 3
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from side_by_side import one_thread, setting, table, take_turns
from windows import parsed, policy_of, questions, score

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "Granite 4 hybrid": (
        "GraniteMoeHybridConfig",
        {
            "layer_types": ["mamba"] * 5 + ["attention"],
            "num_local_experts": 0,
            "shared_intermediate_size": 1536,
            "mamba_n_heads": 18,
            "mamba_d_head": 64,
            "mamba_d_state": 64,
            "sliding_window": None,
        },
    ),
    "Qwen3-Next": (
        "Qwen3NextConfig",
        {
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 384,
            "shared_expert_intermediate_size": 384,
            "linear_num_value_heads": 9,
            "linear_num_key_heads": 9,
            "linear_key_head_dim": 64,
            "linear_value_head_dim": 64,
            "sliding_window": None,
        },
    ),
}


def main(words: Sequence[str] | None = None) -> None:
    """Runs and prints."""
    arguments = parsed(__doc__, words)
    one_thread()
    print(setting())
    rows, asked = [], questions(4, arguments.tokens)
    for name, (kind, values) in FAMILIES.items():
        sides = {}
        for path in ("plain rows", "copies of the prompt's state"):
            sides[path] = policy_of(kind, values, "recurrent layers")
            sides[path].continues = path != "plain rows"
        apart = [abs(a - b) for a, b in zip(*(score(policy, asked) for policy in sides.values()), strict=True)]
        measured = take_turns({path: partial(score, policy, asked) for path, policy in sides.items()}, arguments.rounds)
        slow = measured["plain rows"].median
        for path, m in measured.items():
            rows.append([name, path, f"{m.median:.2f}", m.spread, f"{slow / m.median:.2f}", f"{max(apart):.0e}"])
    print(table(["family", "answers", "median, CPU s", "range", "times as fast", "scores apart, nats"], rows))


if __name__ == "__main__":
    main()
