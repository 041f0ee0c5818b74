"""Two groups whose agents answer from a table, and the module around them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trialign.objectives.config import InconsistencyConfig, ObjectiveConfig, WelfareConfig
from trialign.scoring import Scoring, ScoringKind
from trialign.training.module import OptimizerConfig, TriAlignModule
from trialign.trajectories.episodes import Episode
from trialign.trajectories.records import Sample, Trajectory
from trialign.updates import updates_of

AUTO = updates_of(ObjectiveConfig(), Scoring())
# Scores of the options of north, then of south: S_north = (.8, .2), S_south = (.5, .5).
SCORES = (math.log(0.8), math.log(0.2), math.log(0.5), math.log(0.5))


class Table(nn.Module):
    """Agents whose branches' scores stand in a table, the same for every query."""

    groups = ("north", "south")

    def __init__(self, scores: tuple[float, ...] = SCORES) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.tensor(scores))
        self.coordinates: Any = None
        self.config: Any = None

    def score(self, tree: Any) -> Tensor:
        return self.scores.repeat(len(tree.branch_lengths) // len(self.scores))


def fact(
    name: str,
    gold: int,
    options: tuple[tuple[int, ...], ...] = ((3,), (4,)),
    reference: tuple[tuple[float, float], ...] = ((0.5, 0.5), (0.5, 0.5)),
    sizes: tuple[int, ...] = (),
) -> Episode:
    """A fact of two options; ``reference`` holds each group's shares of them under the reference."""
    turn = tuple(
        Trajectory(
            query_id=name,
            cluster=name,
            split="train",
            kind="truth",
            group=group,
            exposure="explicit",
            wording=0,
            turn=0,
            topology="full",
            prompt=(1, 2),
            options=options,
            option_log_probabilities=tuple(math.log(share) for share in shares),
            gold=gold,
            target=None,
            samples=(Sample((3,), -0.7, "a", "a", "scored", 1.0, None, 0.0),),
            option_sizes=sizes,
        )
        for group, shares in zip(Table.groups, reference, strict=True)
    )
    return Episode(name, "explicit", "train", "truth", (turn,))


@pytest.fixture
def make_module() -> Callable[..., TriAlignModule]:
    """A module over a table; epsilon and lambda are 0, so that hand and paper suffice."""

    def make(
        policy: Table | None = None,
        micro_batches: int = 1,
        penalty: float = 0.0,
        temperature: float = 1.0,
        kind: ScoringKind = "sum",
        **objective: Any,
    ) -> TriAlignModule:
        stated = {
            "welfare": WelfareConfig(epsilon=0.0, decay=0.5),
            "inconsistency": InconsistencyConfig(weight=penalty, gate="none"),
        }
        config, scoring = ObjectiveConfig(**{**stated, **objective}), Scoring(kind, temperature)
        utilities = torch.tensor([[0.5, math.nan], [0.25, math.nan]])
        agents: Any = policy or Table()
        updates = updates_of(config, scoring)
        return TriAlignModule(agents, config, updates, OptimizerConfig(), scoring, utilities, 10, micro_batches)

    return make
