"""What is said of a field that is not there."""

from __future__ import annotations

import pytest

from trialign.queries.json_files import parsed
from trialign.queries.survey import absent_fault

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("count", "cut"), [(3, False), (30, False), (31, True), (200, True)])
def test_the_columns_that_there_are_are_named_as_far_as_they_can_be_read(count: int, cut: bool) -> None:
    said = absent_fault("The table", "gold", "anser", [f"column {n}" for n in range(count - 1)] + ["answer"]).problem
    assert ("..." in said) is cut
    assert said.count("column ") == min(count - (not cut), 30)


def test_what_pandas_writes_for_a_missing_cell_is_null_and_an_infinite_one_is_none() -> None:
    assert parsed('[NaN, 1.5, {"a": NaN}]') == [None, 1.5, {"a": None}]
    assert parsed("[Infinity, -Infinity]") == [float("inf"), float("-inf")]
