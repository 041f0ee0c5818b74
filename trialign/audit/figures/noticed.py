"""What a reader would notice of replies in words: do they end, repeat themselves, stay likely, keep their language?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialign.audit.figures.estimates import Estimate, mean_estimates
from trialign.audit.figures.rows import FACTS, aligned, clusters, first_asked, own_answers
from trialign.audit.figures.statistics import Floats, Integers
from trialign.groups import Exposure


@dataclass(frozen=True)
class Trait:
    """One thing that a reader would notice.

    Attributes:
        key: in files.
        label: in tables.
        worse: which change from the base model harms; empty: none by itself.
        about: what it is.
    """

    key: str
    label: str
    worse: Literal["up", "down", ""]
    about: str


TRAITS = (
    Trait("ends", "ends by itself", "down", "share of the replies that end before the longest length allowed"),
    Trait("repeats", "repeats itself", "up", "share of a reply's sequences of four tokens that stood in it before"),
    Trait("nats", "base model's nats a token", "up", "how unlikely the base model, told the same profile, finds it"),
    Trait("words", "words", "", "words of a reply"),
    Trait("grade", "reading grade", "", "US school grade (Flesch-Kincaid) of replies in English"),
    Trait("other_language", "another language", "up", "share of the replies in another language than the question's"),
)
# Beside the traits in comparisons alone: audits count refusals group by group (`GroupReplies`).
REFUSED = Trait("refused", "refuses", "up", "share of the replies that decline to answer")
BY_KEY = {trait.key: trait for trait in (*TRAITS, REFUSED)}


@dataclass(frozen=True)
class Noticed:
    """One trait of the replies to facts (to tastes, where no facts were asked); first wording, asked once.

    Attributes:
        key: of the trait.
        mean: over groups, on the questions on which it is known for all of them.
        groups: group -> mean over the same questions.
        n_questions: these questions.
    """

    key: str
    mean: Estimate
    groups: dict[str, Estimate]
    n_questions: int


@dataclass(frozen=True)
class TraitChange:
    """One trait of two audits of the same questions; change and interval are paired by question.

    Attributes:
        key: of the trait.
        first: its mean over groups in the first audit.
        second: in the second.
        change: second minus first.
        low: lower end of its interval; None where no spread can be told.
        high: upper end.
    """

    key: str
    first: float
    second: float
    change: float
    low: float | None
    high: float | None

    @property
    def harmed(self) -> bool:
        """Whether it became worse, beyond the interval."""
        if self.low is None or self.high is None:
            return False
        worse = BY_KEY[self.key].worse
        return (worse == "up" and self.low > 0) or (worse == "down" and self.high < 0)


@dataclass(frozen=True)
class _Seen:
    """Traits as arrays: [questions, groups, traits], NaN where one is not known, and what each question is."""

    values: Floats
    clusters: Integers
    asked: NDArray[np.object_]


def noticed(
    items: pd.DataFrame,
    groups: Sequence[str],
    *,
    exposure: Exposure = "explicit",
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[Noticed, ...]:
    """The traits of an audit's replies, those that are known.

    Args:
        items: of ``replies.parquet``, as ``read_items`` gives them.
        groups: the members.
        exposure: how the profile reached them.
        confidence: of the intervals (percentile bootstrap over clusters).
        seed: of the resampling.
    """
    seen = _seen(items, groups, exposure)
    found = []
    for place, trait in enumerate(TRAITS):
        values = seen.values[:, :, place]
        known = ~np.isnan(values).any(axis=1)
        if not known.any():
            continue
        columns = np.column_stack([values.mean(axis=1), values])[known]
        mean, *each = mean_estimates(columns, seen.clusters[known], confidence, seed)
        found.append(Noticed(trait.key, mean, dict(zip(groups, each, strict=True)), int(known.sum())))
    return tuple(found)


def trait_changes(
    before: pd.DataFrame,
    after: pd.DataFrame,
    groups: Sequence[str],
    *,
    exposure: Exposure = "explicit",
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[TraitChange, ...]:
    """The traits of one audit's replies against another's, on the questions on which both are known.

    Args:
        before: of the first audit's ``replies.parquet``.
        after: of the second's.
        groups: the members.
        exposure: how the profile reached them.
        confidence: of the intervals.
        seed: of the resampling.

    Returns:
        One entry for each trait that both know; none where the audits asked different questions.
    """
    first, second = (_seen(items, groups, exposure) for items in (before, after))
    if not np.array_equal(first.asked, second.asked):
        return ()
    found = []
    for place, trait in enumerate(TRAITS):
        sides = np.stack([side.values[:, :, place].mean(axis=1) for side in (first, second)], axis=1)
        known = ~np.isnan(sides).any(axis=1)
        if not known.any():
            continue
        sides, change = sides[known], np.diff(sides[known], axis=1)
        [of_change] = mean_estimates(change, first.clusters[known], confidence, seed)
        one, other = sides.mean(axis=0)
        found.append(
            TraitChange(trait.key, float(one), float(other), float(other - one), of_change.low, of_change.high)
        )
    return tuple(found)


def refusal_change(
    before: pd.DataFrame,
    after: pd.DataFrame,
    groups: Sequence[str],
    *,
    exposure: Exposure = "explicit",
    confidence: float = 0.95,
    seed: int = 0,
) -> TraitChange | None:
    """How many more replies decline to answer than before; arguments as `trait_changes` takes them.

    None where the audits asked different questions, or none.
    """
    tables = [_table(items, groups, exposure) for items in (before, after)]
    first, second = (table["query_id"].to_numpy(dtype=object) for table in tables)
    if not len(first) or not np.array_equal(first, second):
        return None
    width = len(groups)
    shares = [
        (table["parse_status"] == "refused").to_numpy(dtype=np.float64).reshape(-1, width).mean(axis=1)
        for table in tables
    ]
    one, other = (float(share.mean()) for share in shares)
    [change] = mean_estimates((shares[1] - shares[0])[:, None], clusters(tables[0], width), confidence, seed)
    return TraitChange(REFUSED.key, one, other, other - one, change.low, change.high)


def harm_in_words(changes: Sequence[TraitChange]) -> str:
    """What became worse for a reader beyond the interval, each trait with both means; empty where nothing did."""
    return ", ".join(
        f"{BY_KEY[one.key].label} {one.second:.2f} (base model {one.first:.2f})" for one in changes if one.harmed
    )


def _table(items: pd.DataFrame, groups: Sequence[str], exposure: Exposure) -> pd.DataFrame:
    """The replies to facts (to tastes without any), first wording, asked once, by question and then group."""
    rows = own_answers(items, FACTS, exposure)
    rows = rows if len(rows) else own_answers(items, ("preference",), exposure)
    rows = first_asked(rows[rows["group"].isin(groups)])
    return rows if rows.empty else aligned(rows, groups)


def _seen(items: pd.DataFrame, groups: Sequence[str], exposure: Exposure) -> _Seen:
    table = _table(items, groups, exposure)
    if table.empty:
        return _Seen(np.empty((0, len(groups), len(TRAITS))), np.empty(0, dtype=np.int64), np.empty(0, dtype=object))
    told = table["language"].notna() & table["asked_in"].notna()
    other = (table["language"] != table["asked_in"]).astype(float).where(told)
    columns = [
        table["ended"].astype("Float64"),
        table["repeated"],
        table["nats"],
        table["words"],
        table["grade"],
        other,
    ]
    values = np.stack([column.to_numpy(dtype=np.float64, na_value=np.nan) for column in columns], axis=1)
    asked = table["query_id"].to_numpy(dtype=object)[:: len(groups)]
    return _Seen(values.reshape(-1, len(groups), len(TRAITS)), clusters(table, len(groups)), asked)
