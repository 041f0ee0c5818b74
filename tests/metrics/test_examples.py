"""The examples of metrics that are for use alone run, and give what they say."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from trialign.metrics import agreement, flips

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("module", "examples"), [(agreement, 3), (flips, 7)])
def test_examples_give_what_they_say(module: ModuleType, examples: int) -> None:
    found = doctest.testmod(module)
    assert (found.failed, found.attempted) == (0, examples)
