"""A training step by kernels that torch.compile makes of the decoder, and by the decoder's own code, side by side.

Random weights in the shape of six layers of the embedded model, three groups, two questions with four options each. The
first compiled step holds the making of the kernels, and is told apart.

    python benchmarks/compiled.py --rounds 5
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import partial

from side_by_side import one_thread, setting, table, take_turns
from windows import policy_of, questions, train

from trialign.policy.compiling import compiled


def main(words: Sequence[str] | None = None) -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args(words)
    one_thread()
    print(setting())
    rows, llama = questions(2, 100), ("LlamaConfig", {"sliding_window": None})
    own, made = policy_of(*llama, ""), policy_of(*llama, "")
    with compiled(made):
        begin = time.perf_counter()
        train(made, rows)
        print(f"the first compiled step: {time.perf_counter() - begin:.0f} s by the clock")
        measured = take_turns(
            {"as it is": partial(train, own, rows), "compiled": partial(train, made, rows)}, arguments.rounds
        )
    slow = measured["as it is"].median
    lines = [[name, f"{m.median:.2f}", m.spread, f"{slow / m.median:.2f}"] for name, m in measured.items()]
    print(table(["decoder", "median, CPU s", "range", "times as fast"], lines))


if __name__ == "__main__":
    main()
