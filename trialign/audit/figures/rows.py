"""Rows of an audit, brought into one order: by question, then by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialign.audit.figures import statistics
from trialign.errors import UserError
from trialign.groups import Exposure
from trialign.queries.types import Kind

FACTS: tuple[Kind, ...] = ("truth", "mixed")
OPINIONS: tuple[Kind, ...] = ("preference",)


def own_answers(items: pd.DataFrame, kinds: Sequence[Kind], exposure: Exposure, turn: int = 0) -> pd.DataFrame:
    """Answers scored for the group that gave them, members and control, all wordings and repeats.

    Args:
        items: as ``read_items`` gives them.
        kinds: of questions.
        exposure: how the profile reached the agents.
        turn: 0 for answers given alone.
    """
    return items[
        items["kind"].isin(kinds)
        & (items["exposure"] == exposure)
        & (items["turn"] == turn)
        & (items["group"] == items["profile_group"])
    ]


def first_asked(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of each profile's first wording, asked for the first time."""
    return rows[(rows["wording"] == 0) & (rows["repeat"] == 0)]


def aligned(
    rows: pd.DataFrame,
    groups: Sequence[str],
    *,
    queries: pd.Series | None = None,
    wordings: int = 1,
    repeats: int = 1,
) -> pd.DataFrame:
    """The rows ordered by question, then as ``groups``, then by wording and repeat: each combination exactly once.

    Args:
        rows: rows that differ in question, group, wording and repeat only; those of other groups, and of
            further wordings and repeats, are left out.
        groups: the groups, in the order that is wanted.
        queries: ids of the questions that every group must have answered; default those of ``rows``.
        wordings: how many wordings every group must have been asked with, from 0 on.
        repeats: how often each must have been asked.

    Raises:
        UserError: an answer is missing, or is there twice.
    """
    names = np.unique((rows["query_id"] if queries is None else queries).to_numpy(dtype=object))
    shape = (len(names), len(groups), wordings, repeats)
    place = (
        pd.Index(names).get_indexer(pd.Index(rows["query_id"].to_numpy(dtype=object))),
        pd.Index(groups).get_indexer(pd.Index(rows["group"].to_numpy(dtype=object))),
        rows["wording"].to_numpy(),
        rows["repeat"].to_numpy(),
    )
    inside = np.all([(part >= 0) & (part < size) for part, size in zip(place, shape, strict=True)], axis=0)
    position = np.ravel_multi_index([part[inside] for part in place], shape)
    counts = np.bincount(position, minlength=int(np.prod(shape)))
    if (counts != 1).any():
        _refuse(counts.reshape(shape), names, groups)
    return rows[inside].iloc[np.argsort(position)]


def numbers(table: pd.DataFrame, column: str, width: int) -> NDArray[np.float64]:
    """A column of a table from `aligned`.

    Args:
        table: the rows in order.
        column: its name.
        width: answers to one question: groups x wordings x repeats.

    Returns:
        [questions, width].

    Raises:
        UserError: a value is missing.
    """
    absent = table.loc[table[column].isna().to_numpy(), ["query_id", "group"]]
    if len(absent):
        query, group = absent.iloc[0]
        raise UserError(
            f"The audit holds no {column!r} for query {query!r} and group {group!r}",
            "Check that the question has a gold answer or a target for this group, and run the audit again",
        )
    return table[column].to_numpy(dtype=np.float64).reshape(-1, width)


def codes(table: pd.DataFrame, width: int) -> statistics.Integers:
    """Canonical answers as ``statistics.answer_codes`` gives them: [questions, width], see `numbers`."""
    return statistics.answer_codes(table["canonical"].to_numpy(dtype=object)).reshape(-1, width)


def clusters(table: pd.DataFrame, width: int) -> statistics.Integers:
    """Each question's cluster ([questions]) as an integer, numbered in the order of the clusters' names."""
    labels = table["cluster"].to_numpy(dtype=object)[::width]
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def shared(rows: pd.DataFrame, part: str) -> int:
    """How many wordings or repeats (``part``) every group has, counted from 0."""
    return int((rows.groupby("group")[part].max() + 1).min())


def option_distributions(table: pd.DataFrame, groups: int) -> tuple[statistics.Floats, statistics.Integers]:
    """The groups' answer distributions S_g of a table from `aligned`.

    Returns:
        [questions, groups, options], zero beyond a question's own options, and K ([questions]); both are zero
        where a group's distribution is not known.
    """
    given = table["option_probabilities"].to_list()
    sizes = np.array([0 if part is None else len(part) for part in given]).reshape(-1, groups)
    counts = np.where((sizes == sizes[:, :1]).all(axis=1), sizes[:, 0], 0)
    padded = np.zeros((sizes.size, max(int(counts.max()), 1)))
    for count in np.unique(counts[counts > 0]):
        rows = np.flatnonzero((counts == count).repeat(groups))
        padded[rows, :count] = np.concatenate([given[row] for row in rows]).reshape(-1, count)
    if not np.isfinite(padded).all():
        query, group = table.iloc[int(np.argwhere(~np.isfinite(padded))[0, 0])][["query_id", "group"]]
        raise UserError(
            f"The audit holds a probability that is no number, for query {query!r} and group {group!r}",
            "Check the model's and the adapter's weights, and run the audit again",
        )
    return padded.reshape(len(sizes), groups, -1), counts


def option_numbers(table: pd.DataFrame, groups: int, known: Mapping[str, int] | None) -> statistics.Integers:
    """Options of each question ([questions]) of a table from `aligned`; 0 for a free answer, or where not known.

    Args:
        table: the rows in order.
        groups: answers to one question.
        known: query id -> options; None: as many as have probabilities.
    """
    if known is not None:
        return np.array([known.get(name, 0) for name in table["query_id"].to_numpy(dtype=object)[::groups]], dtype=int)
    sizes = [0 if given is None else len(given) for given in table["option_probabilities"]]
    most: statistics.Integers = np.array(sizes, dtype=np.int64).reshape(-1, groups).max(axis=1)
    return most


def _refuse(counts: NDArray[np.int64], names: NDArray[np.object_], groups: Sequence[str]) -> None:
    repeated, missing = np.argwhere(counts > 1), np.argwhere(counts == 0)
    query, group, wording, repeat = (repeated if len(repeated) else missing)[0]
    which = "" if counts.shape[2:] == (1, 1) else f" (wording {wording}, repeat {repeat})"
    if len(repeated):
        raise UserError(
            f"The audit holds query {names[query]!r} more than once for group {groups[group]!r}{which}",
            "Give every query its own query_id and run the audit again",
        )
    raise UserError(
        f"The audit has no answer of group {groups[group]!r} to query {names[query]!r}{which} "
        f"({len(missing)} are missing)",
        "Run the audit again, for all groups on the same questions",
    )
