"""The first facts and tastes of many."""

from __future__ import annotations

from typing import Any

import pytest

from trialign.queries import PreferenceQuery, Query, TruthQuery
from trialign.queries.limits import first_clusters

pytestmark = pytest.mark.unit


def fact(name: str, cluster: str, **more: Any) -> Query:
    texts: dict[str, Any] = {"query_id": name, "cluster": cluster, "topic": "", "question": f"{name}?"}
    return TruthQuery(**texts, **more, gold="a", options=("a", "b"))


def test_the_first_clusters_of_each_kind_and_split_are_taken_whole() -> None:
    taste = PreferenceQuery.asked("Tea?", ("yes", "no"))
    queries = [
        fact("1a", "one", split="test"),
        fact("2a", "two", split="test"),
        taste,
        fact("3a", "three", split="test"),
        fact("1b", "one", split="test"),
        fact("3b", "three", split="train"),
        fact("2b", "two", split="test"),
    ]
    assert first_clusters(queries, None) == tuple(queries)
    assert first_clusters(queries, 2) == tuple(queries[place] for place in (0, 1, 2, 4, 5, 6))
    assert first_clusters(queries, 1) == tuple(queries[place] for place in (0, 2, 4, 5))
