"""What Lightning's trainer is given of strategy and precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from trialign.training.deepspeed import STAGES, ShardingConfig, Strategy, ZeroPrecision, ZeroStrategy
from trialign.training.fsdp import FsdpStrategy

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


def engine_of(
    strategy: Strategy, precision: Precision, sharding: ShardingConfig, ranks: int, plugins: Sequence[Any]
) -> dict[str, Any]:
    """The trainer's arguments for a strategy.

    Args:
        strategy: by its name in the configuration.
        precision: as Lightning names it.
        sharding: of DeepSpeed's strategies.
        ranks: processes on all machines.
        plugins: others than the precision.
    """
    if strategy in STAGES:
        sharded = ZeroStrategy(STAGES[strategy], sharding)
        return {"strategy": sharded, "plugins": [ZeroPrecision(precision), *plugins]}
    engine: Any = "ddp" if ranks > 1 else "auto"
    if strategy == "fsdp2":
        engine = FsdpStrategy()
    return {"strategy": engine, "precision": precision, "plugins": [*plugins]}
