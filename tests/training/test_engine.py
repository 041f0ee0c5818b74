"""What Lightning is given of strategy and precision."""

from __future__ import annotations

from typing import Any

import pytest
from lightning.pytorch.strategies import DeepSpeedStrategy, ModelParallelStrategy

from trialign.composition import compose
from trialign.config import load
from trialign.training.deepspeed import ZeroPrecision
from trialign.training.engine import engine_of

pytestmark = pytest.mark.unit


def engine(*words: str) -> dict[str, Any]:
    config = load(compose("conf/quickstart.yaml", [*words])).trainer
    return engine_of(config.strategy, config.precision, config.sharding, config.ranks, ["plugin"])


def test_each_strategy_has_its_own() -> None:
    assert engine() == {"strategy": "auto", "precision": "32-true", "plugins": ["plugin"]}
    assert engine("trainer=ddp")["strategy"] == "ddp"
    zero, shared = engine("trainer=deepspeed_zero2"), engine("trainer=fsdp2")
    assert isinstance(zero["strategy"], DeepSpeedStrategy)
    assert isinstance(zero["plugins"][0], ZeroPrecision)
    assert zero["plugins"][1:] == ["plugin"]
    assert "precision" not in zero
    assert isinstance(shared["strategy"], ModelParallelStrategy)
    assert (shared["precision"], shared["plugins"]) == ("bf16-mixed", ["plugin"])
