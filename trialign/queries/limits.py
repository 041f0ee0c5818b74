"""The first facts and tastes of many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from trialign.queries.types import Query


def first_clusters(queries: Sequence[Query], limit: int | None) -> tuple[Query, ...]:
    """The questions of the first ``limit`` clusters of each kind and split; None: all."""
    seen: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for query in queries:
        clusters = seen[query.kind, query.split]
        clusters.setdefault(query.cluster, len(clusters))
    return tuple(query for query in queries if limit is None or seen[query.kind, query.split][query.cluster] < limit)
