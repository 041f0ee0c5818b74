"""An audit's answers, scored or in words, as a table of questions by groups, and the filters by which it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from trialign.audit.figures.ranking import ranked
from trialign.audit.figures.rows import FACTS, OPINIONS, aligned, codes, first_asked
from trialign.audit.figures.statistics import Floats, Integers, agreed
from trialign.errors import UserError
from trialign.groups import Exposure
from trialign.queries import Query
from trialign.runs import ITEMS, REPLIES

from . import records
from .catalog import AuditEntry, Catalog

Show = Literal["All", "Groups disagree", "Wrong for some", "Same wrong answer for all", "Right for all"]
SHOWS: tuple[Show, ...] = ("All", "Groups disagree", "Wrong for some", "Same wrong answer for all", "Right for all")
Order = Literal["Worst first", "As asked"]
ORDERS: tuple[Order, ...] = ("Worst first", "As asked")
KINDS = {"Facts": FACTS, "Tastes": OPINIONS}
Way = Literal["Scored", "In words"]
WAYS: tuple[Way, ...] = ("Scored", "In words")


@dataclass(frozen=True)
class AnswerTable:
    """Every group's answer to every question: given alone, first wording, asked once.

    Attributes:
        groups: names of the columns.
        ids: [questions], query ids in their order.
        kinds: [questions].
        topics: [questions].
        texts: [questions], the question; its id where an older audit kept no text.
        answers: [questions, groups], as they were read; None where a reply held none.
        codes: [questions, groups], equal where answers are; -1 where a reply held none.
        correct: [questions, groups], 1 or 0; NaN for questions of taste.
        worst: [questions], positions: facts that some group got wrong first, as `ranked` orders them, then what was
            right for all, then tastes.
    """

    groups: tuple[str, ...]
    ids: NDArray[np.object_]
    kinds: NDArray[np.object_]
    topics: NDArray[np.object_]
    texts: NDArray[np.object_]
    answers: NDArray[np.object_]
    codes: Integers
    correct: Floats
    worst: Integers

    @property
    def agree(self) -> NDArray[np.bool_]:
        """[questions], whether all groups give the same answer."""
        return agreed(self.codes)

    def differ(self, first: str, second: str) -> NDArray[np.bool_]:
        """[questions], whether two groups answer differently; an answer that cannot be read differs from all."""
        one, other = (self.codes[:, self.groups.index(name)] for name in (first, second))
        differing: NDArray[np.bool_] = (one != other) | (one < 0)
        return differing

    def agreement(self) -> Floats:
        """[groups, groups], share of the facts on which two groups give the same answer; 1 on the diagonal."""
        asked = self.codes[np.isin(self.kinds, KINDS["Facts"])]
        same = np.eye(len(self.groups))
        for i in range(len(self.groups)):
            for j in range(i):
                same[i, j] = same[j, i] = ((asked[:, i] == asked[:, j]) & (asked[:, i] >= 0)).mean()
        return same


@dataclass(frozen=True)
class Filters:
    """What is to be seen; the defaults leave out nothing.

    Attributes:
        kind: a key of ``KINDS``, or ``All``.
        topic: a topic, or empty.
        show: by how the answers fell out.
        wrong_for: a group that got it wrong, or empty.
        pair: two groups that answer differently, or empty.
        words: that the question or its id contains, in any case.
        order: which come first.
    """

    kind: str = "All"
    topic: str = ""
    show: Show = "All"
    wrong_for: str = ""
    pair: tuple[str, ...] = ()
    words: str = ""
    order: Order = "Worst first"


def given(catalog: Catalog, audit: AuditEntry, way: Way) -> pd.DataFrame | None:
    """The rows of an audit's answers: options that were scored, or replies in words; None where it has none of these.

    Raises:
        UserError: the audit is damaged.
    """
    return records.replies(catalog, audit) if way == "In words" else records.items(catalog, audit)


def answer_table(
    catalog: Catalog, audit: AuditEntry, groups: Sequence[str], exposure: Exposure, way: Way = "Scored"
) -> AnswerTable:
    """The table of an audit; made once for each version of its file.

    Args:
        catalog: all runs.
        audit: one of them.
        groups: the members.
        exposure: how the profile reached them.
        way: how the questions were answered.

    Raises:
        UserError: the audit is damaged, lacks an answer of a group, or asked nothing in this way.
    """
    items, asked = given(catalog, audit, way), records.questions(catalog, audit)
    if items is None:
        raise UserError("This audit asked nothing in words", "Look at its scored answers, or choose another audit")
    file = audit.folder / (REPLIES if way == "In words" else ITEMS)
    table: AnswerTable = _table(str(file), records.version(file), tuple(groups), exposure, items, asked)
    return table


@st.cache_resource(max_entries=16, show_spinner="Sorting the answers …")
def _table(
    file: str,
    version: tuple[int, ...],
    groups: tuple[str, ...],
    exposure: Exposure,
    _items: pd.DataFrame,
    _asked: Mapping[str, Query],
) -> AnswerTable:
    own = _items[
        (_items["exposure"] == exposure) & (_items["turn"] == 0) & (_items["group"] == _items["profile_group"])
    ]
    rows = aligned(first_asked(own[own["group"].isin(groups)]), groups)
    width = len(groups)
    ids = rows["query_id"].to_numpy(dtype=object)[::width]
    facts = rows[rows["kind"].isin(FACTS)]
    first = {name: place for place, name in enumerate(ranked(facts, _asked).index)} if len(facts) else {}
    is_fact = np.isin(rows["kind"].to_numpy(dtype=object)[::width], FACTS)
    order = [(first.get(name, len(first)), not fact) for name, fact in zip(ids, is_fact, strict=True)]
    return AnswerTable(
        groups=groups,
        ids=ids,
        kinds=rows["kind"].to_numpy(dtype=object)[::width],
        topics=rows["topic"].to_numpy(dtype=object)[::width],
        texts=np.array([_asked[name].question if name in _asked else name for name in ids], dtype=object),
        answers=rows["canonical"].astype(object).where(rows["canonical"].notna(), None).to_numpy().reshape(-1, width),
        codes=codes(rows, width),
        correct=rows["correct"].to_numpy(dtype=float, na_value=np.nan).reshape(-1, width),
        worst=np.array(sorted(range(len(ids)), key=order.__getitem__), dtype=np.int64),
    )


def chosen(table: AnswerTable, filters: Filters) -> Integers:
    """Positions of the questions that pass all filters, in the order that is asked for."""
    passing = np.ones(len(table.ids), dtype=bool)
    if filters.kind in KINDS:
        passing &= np.isin(table.kinds, KINDS[filters.kind])
    if filters.topic:
        passing &= table.topics == filters.topic
    if filters.wrong_for:
        passing &= table.correct[:, table.groups.index(filters.wrong_for)] == 0
    if filters.pair:
        passing &= table.differ(*filters.pair)
    if filters.words.strip():
        wanted = filters.words.strip().casefold()
        places = zip(table.texts, table.ids, strict=True)
        passing &= np.array([wanted in f"{text}\n{name}".casefold() for text, name in places], dtype=bool)
    passing &= _shown(table, filters.show)
    return table.worst[passing[table.worst]] if filters.order == "Worst first" else np.flatnonzero(passing)


def _shown(table: AnswerTable, show: Show) -> NDArray[np.bool_]:
    wrong, right = table.correct == 0, table.correct == 1
    passing: dict[Show, NDArray[np.bool_]] = {
        "All": np.ones(len(table.ids), dtype=bool),
        "Groups disagree": ~table.agree,
        "Wrong for some": wrong.any(axis=1) & right.any(axis=1),
        "Same wrong answer for all": table.agree & wrong.all(axis=1),
        "Right for all": right.all(axis=1),
    }
    return passing[show]
