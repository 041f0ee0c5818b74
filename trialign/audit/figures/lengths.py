"""How far answers go by the length of options: what an agent would get right that knows nothing and reads lengths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialign.audit.figures.estimates import Estimate, share_estimates
from trialign.audit.figures.rows import aligned, clusters
from trialign.audit.figures.statistics import Floats
from trialign.queries.types import Query, TruthQuery


@dataclass(frozen=True)
class OptionLengths:
    """The shortest and the longest options of one fact, by characters; several where they are equally long.

    Attributes:
        options: how many there are.
        shortest: their texts.
        longest: likewise.
        gold: text of the right one.
    """

    options: int
    shortest: frozenset[str]
    longest: frozenset[str]
    gold: str

    @property
    def always_shortest(self) -> float:
        """Probability to be right by choosing a shortest option at random."""
        return (self.gold in self.shortest) / len(self.shortest)

    @property
    def always_longest(self) -> float:
        """Probability to be right by choosing a longest option at random."""
        return (self.gold in self.longest) / len(self.longest)


def option_lengths(queries: Iterable[Query]) -> dict[str, OptionLengths]:
    """Query id -> the lengths of its options, of the facts that have some."""
    found = {}
    for query in queries:
        if isinstance(query, TruthQuery) and query.options:
            sizes = [len(option.strip()) for option in query.options]
            shortest, longest = (
                frozenset(option for option, size in zip(query.options, sizes, strict=True) if size == end)
                for end in (min(sizes), max(sizes))
            )
            found[query.query_id] = OptionLengths(len(sizes), shortest, longest, query.gold)
    return found


@dataclass(frozen=True)
class ByLength:
    """How far answers to choices go by length; accuracies stand beside that of guessing.

    Attributes:
        n_questions: facts with options.
        chosen: group -> share of its answers that are a shortest option; one without an answer is none.
        mean: the same, mean over groups.
        guessed: share that guessing would give.
        always_shortest: accuracy of always choosing a shortest option.
        always_longest: accuracy of always choosing a longest one.
    """

    n_questions: int
    chosen: dict[str, Estimate]
    mean: Estimate
    guessed: float
    always_shortest: float
    always_longest: float


def by_length(
    rows: pd.DataFrame, groups: Sequence[str], lengths: Mapping[str, OptionLengths], confidence: float, seed: int
) -> ByLength | None:
    """How far answers go by length, on the questions whose lengths are known; None without any.

    Args:
        rows: answers to facts, asked once, with each profile's first wording.
        groups: the members.
        lengths: of the questions that showed or scored their options.
        confidence: of the intervals.
        seed: of resampling.
    """
    table = aligned(rows[rows["query_id"].isin(list(lengths))], groups)
    if table.empty:
        return None
    known = [lengths[name] for name in table["query_id"].to_numpy(dtype=object)[:: len(groups)]]
    given = table["canonical"].to_numpy(dtype=object).reshape(-1, len(groups))
    chosen: Floats = np.array([[text in one.shortest for text in own] for own, one in zip(given, known, strict=True)])
    columns = np.column_stack([chosen, chosen.mean(axis=1)]).astype(float)
    estimates = share_estimates(columns, clusters(table, len(groups)), confidence, seed)
    return ByLength(
        n_questions=len(known),
        chosen=dict(zip(groups, estimates, strict=False)),
        mean=estimates[-1],
        guessed=float(np.mean([len(one.shortest) / one.options for one in known])),
        always_shortest=float(np.mean([one.always_shortest for one in known])),
        always_longest=float(np.mean([one.always_longest for one in known])),
    )
