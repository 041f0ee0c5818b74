"""Every metric on one of several ranks: a program that ``test_ranks.py`` starts.

python rank_states.py RANK RANKS RENDEZVOUS_FILE RESULT_FILE
"""

from __future__ import annotations

import sys

import torch
import torch.distributed as dist
from torch import Tensor
from torchmetrics import Metric

from trialign.metrics import (
    AgreementKappa,
    AnswerDivergence,
    ExcessFlips,
    PreferenceAlignment,
    TruthDisparity,
    TurnFlips,
)

QUERIES, GROUPS, OPTIONS = 23, 3, 4


def batches() -> list[tuple[Metric, tuple[Tensor, ...]]]:
    """Metrics with the same random answers on every rank."""
    draw = torch.Generator().manual_seed(0)
    shares = torch.rand((QUERIES, GROUPS, OPTIONS), generator=draw, dtype=torch.float64).softmax(dim=-1)
    targets = shares.roll(1, dims=0)
    texts = torch.randint(-1, OPTIONS, (QUERIES, GROUPS, 2, 2), generator=draw)
    gold = torch.randint(OPTIONS, (QUERIES,), generator=draw)
    right = torch.rand((2, QUERIES, GROUPS), generator=draw) < 0.5
    return [
        (TruthDisparity(GROUPS), (texts[:, :, 0, 0], gold)),
        (AnswerDivergence(GROUPS), (shares, torch.ones(QUERIES, OPTIONS, dtype=torch.bool))),
        (PreferenceAlignment(GROUPS), (shares, targets)),
        (ExcessFlips(GROUPS, 2, 2), (texts,)),
        (TurnFlips(GROUPS), (right[0], right[1])),
        (AgreementKappa(GROUPS, OPTIONS), (texts[:, :, 0, 0],)),
    ]


def main(rank: int, ranks: int, rendezvous: str, result: str) -> None:
    """Updates every metric with this rank's share of the queries, in two steps, and stores what it computes."""
    if ranks > 1:
        dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=ranks)
    computed = []
    for metric, batch in batches():
        mine = [part[rank::ranks] for part in batch]
        metric.update(*(part[:5] for part in mine))
        metric.update(*(part[5:] for part in mine))
        computed.append((type(metric).__name__, metric.compute()))
    torch.save(computed, result)
    if ranks > 1:
        dist.destroy_process_group()  # its threads must not outlive the interpreter


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
