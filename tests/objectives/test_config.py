"""The objective's arguments are those of the shipped configuration."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from trialign.composition import compose
from trialign.config import load
from trialign.errors import UserError
from trialign.groups import FACTS
from trialign.objectives.config import GateConfig, ObjectiveConfig, TextConfig, apart_of

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
    assert {name for name, _, _ in found} == {"imitate", "truth", "gate", "facts"}
    for name, value, choices in found:
        assert value in choices, name
    assert set(ObjectiveConfig().kinds) == {"truth", "preference", "mixed"}


def test_the_class_is_the_shipped_objective() -> None:
    assert load(compose("conf/base.yaml", ["objective=trialign"])).objective == ObjectiveConfig()
    quick = load(compose("conf/quickstart.yaml", ["objective=trialign"])).objective
    assert quick == ObjectiveConfig(text=TextConfig(weight=1.0))


def test_facts_have_an_adapter_of_their_own_only_where_one_is_trained_for_them() -> None:
    assert ObjectiveConfig().apart == () == apart_of({})
    assert ObjectiveConfig(gate=GateConfig("base")).apart == () == apart_of({"gate": {"facts": "base"}})
    assert ObjectiveConfig(gate=GateConfig("adapter")).apart == (FACTS,) == apart_of({"gate": {"facts": "adapter"}})


@pytest.mark.parametrize("key", ["awr.temperature", "awr.largest", "awr.importance", "pairs.beta", "welfare.largest"])
@pytest.mark.parametrize("value", ["1e-7", "1.1e6"])
def test_what_has_to_be_above_zero_and_within_reason_is(key: str, value: str) -> None:
    with pytest.raises(UserError, match=key.split(".")[-1]):
        load(compose("conf/base.yaml", [f"objective.{key}={value}"]))
