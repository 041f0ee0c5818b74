"""The objective's arguments are those of the shipped configuration."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from trialign.objectives.config import ObjectiveConfig

pytestmark = pytest.mark.unit


def words(config: Any) -> list[tuple[str, Any, tuple[Any, ...]]]:
    """Name, default and choices of every argument that is one word of several."""
    hints = get_type_hints(type(config))
    found = []
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            found += words(value)
        elif get_origin(hints[field.name]) is Literal:
            found.append((field.name, value, get_args(hints[field.name])))
    return found


def test_every_default_is_one_of_the_choices() -> None:
    found = words(ObjectiveConfig())
    assert {name for name, _, _ in found} == {"imitate", "kind", "gate"}
    for name, value, choices in found:
        assert value in choices, name
    assert set(ObjectiveConfig().kinds) == {"truth", "preference", "mixed"}


def test_plain_objectives_are_the_method_itself() -> None:
    config = ObjectiveConfig()
    assert (config.name, config.update, config.imitate, config.turns) == ("trialign", "auto", "best", None)
    assert (config.kl_weight, config.instruction, config.strip_profile) == (0.0, "", False)
    assert (config.welfare.kind, config.welfare.epsilon, config.welfare.decay) == ("nash", 0.01, 0.9)
    assert (config.welfare.smallest, config.welfare.largest) == (0.1, 10.0)
    assert (config.inconsistency.weight, config.inconsistency.gate) == (1.0, "anchor")
    assert (config.awr.temperature, config.awr.largest, config.awr.importance) == (1.0, 20.0, 5.0)
    assert (config.pairs.beta, config.pairs.group_step) == (0.1, 0.0)
