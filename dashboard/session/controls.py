"""The controls of Compare: what is asked, and of whom; they keep what was set while other pages are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from trialign.audit.files.findings import FindingStore
from trialign.errors import UserError
from trialign.group_config import CONTROL
from trialign.groups import EXPOSURES, Exposure
from trialign.queries import Query

from ..components.asked import KINDS
from ..components.markup import plain
from ..live.asking import typed_query
from ..live.engine import Setting
from ..live.replies import Push, Question, Source
from ..reading import records
from . import pushing, values
from .kept import keep, start
from .pushing import push_of
from .selection import Selection
from .values import with_values

_TYPED, _PICKED = "Type a question", "Pick an audited question"
_NO_OTHER = "none"
_PILLS = 20  # groups from which on they are searched for
_FIRST = 3  # groups of so many with which Compare begins
_SEARCH = "There are many groups: write a part of a name to find one."


@dataclass(frozen=True)
class Request:
    """What stands in the controls.

    Attributes:
        query: None where there is none; ``refused`` says why.
        groups: names, the base model last.
        item: id of the audited question; empty for a typed one.
        refused: what is wrong with the question.
        in_words: whether a question with options is answered in words.
        push: who pushes after the answers; None: nobody.
    """

    query: Query | None
    groups: tuple[str, ...]
    exposure: Exposure
    sources: tuple[Source, ...]
    item: str
    refused: UserError | None = None
    in_words: bool = False
    push: Push | None = None

    def changed(self, sources: tuple[Source, ...], asked: Question) -> tuple[str, ...]:
        """What differs from a question that was asked, in words; empty where the controls stand as they did."""
        query = self.query
        told = {
            "the question": query is None or query.question != asked.query.question,
            "the answers to choose from": query is not None and query.options != asked.query.options,
            "the way of answering": query is not None and self.in_words != asked.in_words,
            "who pushes": self.push != asked.push,
            "the groups": self.groups != asked.groups,
            "the kind of profile": self.exposure != asked.exposure,
            "the agents": self.sources != sources,
        }
        found = tuple(words for words, differs in told.items() if differs)
        return found or (("the question",) if query != asked.query else ())


def controls(chosen: Selection, setting: Setting) -> tuple[Request, bool]:
    """Draws them; the second value: whether to ask now."""
    _open_finding(chosen)
    questions = records.questions(chosen.catalog, chosen.audit)
    live = not setting.only_recorded
    named = _PICKED if st.query_params.get("question") in questions else None
    start("way", _TYPED, (_TYPED, _PICKED).__contains__, named)
    query, item, refused = None, "", None
    with st.container(border=True):
        if questions and live:
            st.segmented_control("Question", [_TYPED, _PICKED], key="way", label_visibility="collapsed", required=True)
        if questions and (not live or st.session_state["way"] == _PICKED):
            query, item = _picked(questions)
        elif live:
            query, refused = _typed()
        in_words = _in_words(chosen, live) if query is not None and query.options else False
        groups = _groups(setting)
        if live:
            groups = with_values(setting, groups)
        exposure = _profile(setting)
        sources = _agents(chosen) if live else (_source(chosen, chosen.audit.step, whole=False),)
        push = push_of(query, len(setting.groups.members)) if live and query is not None else None
        pressed = live and st.button("Ask all agents", type="primary", icon=":material/forum:", disabled=not groups)
        if not groups:
            st.caption("Choose at least one group, or the base model.")
    _remember(item, in_words, groups, exposure, sources)
    return Request(query, groups, exposure, sources, item, refused, in_words, push), pressed


def _typed() -> tuple[Query | None, UserError | None]:
    for key in ("typed", "typed_options"):
        start(key, "", lambda value: isinstance(value, str))
    text = st.text_area("Your question", key="typed", placeholder="Is the Earth older than ten thousand years?")
    options = st.text_area(
        "Answers to choose from, one a line (optional)",
        key="typed_options",
        height=120,
        help="With answers to choose from, you see how likely each agent is to choose each of them.",
    )
    try:
        return typed_query(text or "", [line for line in (options or "").splitlines() if line.strip()]), None
    except UserError as error:
        return None, error


def _picked(questions: Mapping[str, Query]) -> tuple[Query | None, str]:
    start("item", next(iter(questions)), questions.__contains__, st.query_params.get("question"))
    item = st.selectbox(
        "Audited question", list(questions), key="item", format_func=lambda name: questions[name].question
    )
    return (questions[item], item) if item in questions else (None, "")


def _in_words(chosen: Selection, live: bool) -> bool:
    """Whether they answer in words; no choice where nobody can be asked and nothing of the kind was recorded."""
    if not live and records.replies(chosen.catalog, chosen.audit) is None:
        return False
    start("in_words", False, lambda value: isinstance(value, bool), st.query_params.get("in_words") == "1" or None)
    return st.toggle(
        "Answer in words, as people get it",
        key="in_words",
        help="The question is asked without the answers to choose from, but where it makes no sense without them; each "
        "reply is read as one of them.",
    )


def _groups(setting: Setting) -> tuple[str, ...]:
    members = list(setting.groups.names)
    stated = [name for name in st.query_params.get("groups", "").split(",") if name in members]
    first = members if len(members) <= _PILLS else members[:_FIRST]
    start("groups", first, lambda value: set(value) <= set(members), stated or None)
    start("base", False, lambda value: isinstance(value, bool), st.query_params.get("base") == "1" or None)
    labels = {group.name: plain(group.label) for group in setting.groups.members}
    if len(members) > _PILLS:
        groups = st.multiselect("Groups", members, key="groups", format_func=lambda name: labels[name], help=_SEARCH)
    else:
        groups = st.pills(
            "Groups", members, selection_mode="multi", key="groups", format_func=lambda name: labels[name]
        )
    base = st.toggle("Ask the base model too, without any profile", key="base")
    return (*(name for name in members if name in groups), *([CONTROL] if base else []))


def _profile(setting: Setting) -> Exposure:
    """How the groups' profiles reach the agents; a choice only where all groups have both kinds."""
    available = [one for one in EXPOSURES if all(group.wordings(one) for group in setting.groups.members)]
    start("profile", available[0], available.__contains__, st.query_params.get("profile"))
    if len(available) == 1:
        return available[0]
    return st.radio(
        "How the agent learns who asks", available, key="profile", format_func=KINDS.__getitem__, horizontal=True
    )


def _agents(chosen: Selection) -> tuple[Source, ...]:
    """The checkpoint that is asked, and perhaps another one beside it."""
    steps = [str(step) for step in sorted({0, *chosen.run.steps})]
    audited = str(chosen.audit.step)
    start("step", audited if audited in steps else steps[-1], steps.__contains__, st.query_params.get("step"))
    start("against", _NO_OTHER, [_NO_OTHER, *steps].__contains__, st.query_params.get("against"))
    with st.expander("Other agents, or two beside each other"):
        first = st.selectbox("Agents", steps, key="step", format_func=_step_label)
        second = st.selectbox("Beside them", [_NO_OTHER, *steps], key="against", format_func=_step_label)
    stated_steps = [first] if second in (_NO_OTHER, first) else [first, second]
    return tuple(_source(chosen, int(step)) for step in stated_steps)


def _step_label(step: str) -> str:
    if step == _NO_OTHER:
        return "No other checkpoint"
    return (
        "Before training (the base model with the groups' profiles)" if step == "0" else f"After training, step {step}"
    )


def _source(chosen: Selection, step: int, whole: bool = True) -> Source:
    checkpoint = chosen.run.agents(step) if step and whole else None
    return Source(chosen.run.id, chosen.run.config_file, step, checkpoint)


def _open_finding(chosen: Selection) -> None:
    """Puts the question of a saved finding into the controls, once, when a link names it."""
    number = st.query_params.get("finding")
    if not number or st.session_state.get("opened_finding") == number:
        return
    st.session_state["opened_finding"] = number
    for finding in FindingStore(chosen.catalog.root).findings(chosen.run.id):
        if str(finding.id) == number and finding.question:
            st.session_state["way"] = _TYPED
            st.session_state["typed"] = finding.question
            st.session_state["typed_options"] = "\n".join(finding.options)


def _remember(
    item: str, in_words: bool, groups: tuple[str, ...], exposure: Exposure, sources: tuple[Source, ...]
) -> None:
    """Writes the state into the address, but never a typed question; that the session alone keeps."""
    state = {
        "question": item,
        "in_words": "1" if in_words else "",
        "groups": ",".join(name for name in groups if name != CONTROL and "@" not in name),
        "base": "1" if CONTROL in groups else "",
        "profile": exposure,
        "step": str(sources[0].step),
        "against": str(sources[1].step) if len(sources) > 1 else "",
    }
    for key, value in state.items():
        if value:
            st.query_params[key] = value
        elif key in st.query_params:
            del st.query_params[key]
    drawn = ("way", "typed", "typed_options", "item", "in_words", "groups", "base", "profile", "step", "against")
    keep((*drawn, *pushing.KEYS, *values.KEYS))
