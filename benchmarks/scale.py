"""How far an adapter is applied: a run's agents with their adapters' effect scaled, in scores and in free replies.

``uniform``: every layer's effect times S. ``by depth``: the layer at depth d (0 to 1, the middle of layer l of L is
(l + .5) / L) times d^(1/S - 1), which is S on average, little at the bottom and 1 at the top. Scale 0 is the base
model, and scale 1 the agents as they were trained. Flips, accuracy and preference are those of an audit of the
held-out questions, the replies those of ``replies.py``. Nothing is written. ``trialign export --scale S``
exports the first kind.

    python benchmarks/scale.py --run runs/quickstart --scales 0 .25 .5 .75 1
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

import torch
from replies import measured
from torch import Tensor

from trialign.api.session import Session, open_run
from trialign.audit.asking.run import Auditor
from trialign.audit.figures.comparison import measure_audit, values
from trialign.audit.files.items import items_frame
from trialign.policy.adapters import GroupLoraLinear

LAYER = re.compile(r"\blayers\.(\d+)\.")
SHOWN = ("flip_rate", "mean", "preference", "kept")


def uniform(scale: float, depth: float) -> float:
    """The same for every layer."""
    return scale


def by_depth(scale: float, depth: float) -> float:
    """Growing with depth, ``scale`` on average over it."""
    return depth ** (1 / scale - 1) if scale > 0 else 0.0


def up_projections(session: Session) -> list[tuple[float, Tensor, Tensor]]:
    """(depth, the weights B of an adapted layer, a copy of them as they were trained)."""
    layers = int(session.policy.base.config.num_hidden_layers)
    found = []
    for name, module in session.policy.named_modules():
        match = LAYER.search(f"{name}.")
        if isinstance(module, GroupLoraLinear) and match:
            for part in module.lora_B.parameters():
                found.append(((int(match[1]) + 0.5) / layers, part.data, part.data.clone()))
    return found


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/quickstart"))
    parser.add_argument("--scales", type=float, nargs="+", default=[0, 0.25, 0.5, 0.75, 1])
    parser.add_argument("--questions", type=int, default=40, help="facts that are asked for replies")
    parser.add_argument("--tokens", type=int, default=64, help="longest reply")
    parser.add_argument("--limit", type=int, help="every n-th held-out question alone is scored; for trying out")
    arguments = parser.parse_args()
    session = open_run(arguments.run)
    checkpoint = session.load_agents(None)
    weights = up_projections(session)
    audit, queries = session.config.audit, session.split("test")[:: arguments.limit or 1]
    auditor = Auditor(session.agents(checkpoint), session.groups, session.config.prompt, audit)
    asked = {query.cluster: query.question for query in reversed(session.split("test")) if query.kind == "truth"}
    questions = list(asked.values())[: arguments.questions]
    print(f"{len(queries)} questions scored, {len(questions)} asked for replies of at most {arguments.tokens} tokens")
    print("\n| scale | flips | accuracy | preference | own minus swapped | ends | repeats | nats a token |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    ways: dict[str, Callable[[float, float], float]] = {"uniform": uniform, "by depth": by_depth}
    for way, growth in ways.items():
        # Both ways meet at the ends.
        for scale in [s for s in arguments.scales if way == "uniform" or 0 < s < 1]:
            for depth, now, trained in weights:
                now.copy_(trained * growth(scale, depth))
            with torch.inference_mode():
                frame = items_frame(auditor.run(queries, f"{way} {scale:g}"))
                replies = measured(session, questions, arguments.tokens, reference=False).mean(axis=0)
            found = values(measure_audit(frame, session.groups.names, audit.exposures[0]))
            cells = [f"{value:.3f}" for value in (*(found[name] for name in SHOWN), *replies)]
            print(f"| {way} {scale:g} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
