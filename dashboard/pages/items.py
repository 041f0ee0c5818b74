"""Items: on which questions do the groups disagree, and what exactly did each of them say?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from trialign.audit.figures.pairs import MOST_GROUPS
from trialign.audit.figures.statistics import Integers
from trialign.groups import Exposure

from .. import navigation
from ..components import item, states
from ..components.grid import grid
from ..components.markup import plain
from ..components.rows import opened
from ..reading import records
from ..reading.answers import KINDS, ORDERS, SHOWS, AnswerTable, Filters, Way, answer_table, chosen
from ..reading.episodes import episodes
from ..session import note, selection
from ..session.head import head
from ..session.integrity import check
from ..session.way import way

_LEAD = "Every question of the audit, and what each group's agent answered. Open one to see how sure the agents were."
_ON_A_PAGE = 25
_ANY = "Any"
_BESIDE = 4  # groups in a grid that has half of the page
_MORE = ("kind", "topic", "wrong", "first", "second")


def show() -> None:
    """Draws the page."""
    picked = selection.current()
    head(picked, "Where do they disagree?", _LEAD)
    check(picked.catalog, picked.audit)
    summary = records.summary(picked.catalog, picked.audit)
    labels = records.labels(picked.catalog, picked.run, picked.audit)
    shown = way(picked)
    of = _columns(summary, labels)
    table = answer_table(picked.catalog, picked.audit, of, summary["exposure"], shown)
    places = chosen(table, _filters(table, labels))
    if not len(places):
        states.nothing("No question passes these filters. Set one of them back to see more.")
        return
    on_page = _turned(table, places)
    ids = table.ids.tolist()
    asked_for = st.query_params.get("question", "")
    place = ids.index(asked_for) if asked_for in ids else int(on_page[0])
    # More columns than this leave no room for a detail beside them: it stands below.
    left, right = st.columns([1, 1], gap="medium") if len(table.groups) <= _BESIDE else (st.container(), st.container())
    with left:
        _grid(picked, table, on_page, place, labels)
    with right, st.container(key="detail"):
        _one(picked, table, places, place, labels, summary["exposure"], shown)
    opened(ids[place], _open)


def _columns(summary: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """The groups that are looked at: all; of very many those that are picked, the lowest and the highest at first."""
    groups: list[str] = summary["groups"]
    if len(groups) <= MOST_GROUPS:
        return groups
    accuracy = summary["truth"]["accuracy"]
    ordered = sorted(groups, key=lambda group: accuracy[group] or 0.0)
    first = [*ordered[:2], *ordered[-2:]]
    picked = st.multiselect(
        f"Groups, of {len(groups):,}",
        groups,
        first,
        key="items_groups",
        format_func=lambda name: labels.get(name, name),
    )
    st.caption("The two lowest and the two highest are there at first. What follows is of the groups picked alone.")
    return [group for group in groups if group in picked] or first


def _filters(table: AnswerTable, labels: Mapping[str, str]) -> Filters:
    """The filters, which stand in the URL."""
    names = {labels.get(group, group): group for group in table.groups}
    topics = sorted(set(table.topics.tolist()) - {""})
    left, middle, right = st.columns([1, 1, 2])
    show_only = _choice(left, "Show", "show", list(SHOWS))
    order = _choice(middle, "Order", "order", list(ORDERS))
    words = right.text_input("Words in the question", key="words", bind="query-params", max_chars=200)
    set_already = any(key in st.query_params for key in _MORE)
    with st.expander("More filters", expanded=set_already, icon=":material/filter_alt:"):
        first, second = st.columns(2)
        kind = _choice(first, "Kind of question", "kind", ["All", *KINDS])
        topic = _choice(second, "Topic", "topic", [_ANY, *topics])
        first, second, third = st.columns(3)
        wrong = _choice(first, "Wrong for", "wrong", [_ANY, *names])
        one = _choice(second, "Differs between", "first", [_ANY, *names])
        other = _choice(third, "and", "second", [_ANY, *names])
    pair = (names[one], names[other]) if one in names and other in names and one != other else ()
    return Filters(
        kind=kind,
        topic="" if topic == _ANY else topic,
        show=show_only,  # type: ignore[arg-type]
        wrong_for=names.get(wrong, ""),
        pair=pair,
        words=words or "",
        order=order,  # type: ignore[arg-type]
    )


def _choice(place: Any, label: str, key: str, options: list[str]) -> str:
    return str(place.selectbox(label, options, key=key, bind="query-params") or options[0])


def _turned(table: AnswerTable, places: Integers) -> Integers:
    """How many questions pass, and those of them that are on this page of the grid."""
    pages = -(-len(places) // _ON_A_PAGE)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    agreeing = int(table.agree[places].sum())
    left.markdown(
        f"**{len(places):,} of {len(table.ids):,} questions**; the groups disagree on {len(places) - agreeing:,}."
    )
    page = 1
    if pages > 1:
        page = int(right.number_input(f"Page (of {pages:,})", 1, pages, 1, key="page", bind="query-params"))
    return places[(page - 1) * _ON_A_PAGE : page * _ON_A_PAGE]


def _grid(
    picked: selection.Selection, table: AnswerTable, on_page: Integers, marked: int, labels: Mapping[str, str]
) -> None:
    """The grid; a click on a row opens its detail beside it."""
    here = dict(st.query_params)
    addresses = [f"items?{urlencode({**here, 'question': table.ids[place]})}" for place in on_page]
    grid(table, on_page.tolist(), records.questions(picked.catalog, picked.audit), labels, addresses, marked)


def _one(
    picked: selection.Selection,
    table: AnswerTable,
    places: Integers,
    place: int,
    labels: Mapping[str, str],
    exposure: Exposure,
    shown: Way,
) -> None:
    """One question, chosen by its row in the grid or here."""
    ids = table.ids.tolist()
    st.header("One question in detail", anchor=False)
    previous, following = _beside(places.tolist(), place)
    with st.container(horizontal=True):
        for name, other, key in (("Previous question", previous, "P"), ("Next question", following, "N")):
            st.button(
                name,
                disabled=other is None,
                key=name,
                shortcut=key,
                on_click=_open,
                args=() if other is None else (ids[other], places.tolist().index(other)),
            )
    query = records.questions(picked.catalog, picked.audit).get(ids[place])
    item.question_card(ids[place], query, table.kinds[place], table.topics[place])
    scored = _first_rows(records.items(picked.catalog, picked.audit), ids[place], exposure, table.groups)
    replies = records.replies(picked.catalog, picked.audit)
    said = None if replies is None else _first_rows(replies, ids[place], exposure, table.groups)
    if shown == "In words" and said is not None:
        item.replies_of(said, scored, labels)
    item.answers_of(scored, query, labels)
    if shown == "Scored" and said is not None:
        if len(said):
            item.replies_of(said, scored, labels)
        else:
            st.caption("This question was not asked in words: the audit asked a part of them.")
    if navigation.exists("compare"):
        asked = {"question": ids[place], **({"in_words": "1"} if shown == "In words" else {})}
        navigation.link("compare", "Ask the agents this question", icon=":material/forum:", **asked)
    note.recorded(picked, ids[place], query, shown)
    _turns(picked, ids[place], labels)


def _first_rows(rows: pd.DataFrame, query_id: str, exposure: Exposure, groups: Sequence[str]) -> pd.DataFrame:
    """The answers of all groups and of the control to one question: given alone, first wording, asked once."""
    rows = rows[
        (rows["query_id"] == query_id)
        & (rows["exposure"] == exposure)
        & (rows["turn"] == 0)
        & (rows["wording"] == 0)
        & (rows["repeat"] == 0)
        & ((rows["group"] == rows["profile_group"]) & (rows["group"].isin(groups) | (rows["role"] == "control")))
    ]
    order = {name: number for number, name in enumerate(groups)}
    return rows.sort_values("group", key=lambda names: names.map(order).fillna(len(order)))


def _beside(places: list[int], place: int) -> tuple[int | None, int | None]:
    """What stands before and after a question; beside one that the filters leave out stands the first that passes."""
    if place not in places:
        return None, places[0]
    here = places.index(place)
    return (places[here - 1] if here else None), (places[here + 1] if here + 1 < len(places) else None)


def _open(query_id: str, number: int | None = None) -> None:
    """Opens a question; given its number among those that pass, on the page of the grid where its row is."""
    st.query_params["question"] = query_id
    if number is not None and "page" in st.session_state:
        st.session_state["page"] = number // _ON_A_PAGE + 1


def _turns(picked: selection.Selection, query_id: str, labels: Mapping[str, str]) -> None:
    if picked.audit.split == "test":
        st.caption(
            "No turns: the agents never talked about held-out questions. Those of training are on the page Training."
        )
        return
    found = episodes(picked.catalog, picked.run)
    turns = found.turns.get(query_id, ()) if found else ()
    if not turns:
        st.caption(f"No turns of {plain(query_id)} are stored with this run.")
        return
    with st.expander("The turns behind it: what the agents said to each other", icon=":material/forum:"):
        item.turns_of(turns, labels)
