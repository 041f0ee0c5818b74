"""Compare: what does each agent say to this question?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from trialign.errors import UserError
from trialign.group_config import CONTROL
from trialign.groups import EXPOSURES, Exposure
from trialign.queries import Query
from trialign.runs import MANIFEST

from ..components import answers as drawn
from ..components import states
from ..components.markup import Markup, plain
from ..components.markup import show as draw
from ..live.asking import typed_query
from ..live.engine import Setting, read_setting
from ..live.queue import LiveQueue, Look, Ticket
from ..live.replies import Answers, Question, Source
from ..live.shared import live_queue
from ..reading import records
from ..reading.catalog import file_within
from ..reading.stored import stored_answers
from ..session import access, selection
from ..session.head import head
from ..session.integrity import check
from ..session.save import save_form
from ..session.selection import Selection

_TYPED, _PICKED = "Type a question", "Pick an audited question"
_NO_OTHER = "none"
_PROFILE = {"explicit": "Stated: the agent is told who asks", "implicit": "Revealed: by an earlier conversation"}


@dataclass(frozen=True)
class _Request:
    """What stands in the controls."""

    query: Query | None
    groups: tuple[str, ...]
    exposure: Exposure
    sources: tuple[Source, ...]
    item: str


def show() -> None:
    """Draws the page."""
    chosen = selection.current()
    person = access.enter()
    st.html(drawn.STYLE_SHEET)
    head(
        chosen,
        "What does each agent say to this question?",
        "Every group's agent gets the same question, and you see the answers side by side: facts should not depend on "
        "who asks.",
    )
    try:
        setting = read_setting(file_within(chosen.catalog.root, chosen.run.config_file))
    except UserError as error:
        states.fault(error, chosen.catalog.root)
        states.nothing("Live questions cannot be asked of this run. Its stored audits can be read on the other pages.")
        return
    if setting.only_recorded:
        states.nothing(
            f"{setting.only_recorded} What the audit recorded can be read here; live questions cannot be asked."
        )
    request, pressed = _controls(chosen, setting)
    queue = live_queue(chosen.catalog.root)
    if pressed:
        _ask(queue, request)
    ticket: Ticket | None = st.session_state.get("live_ticket")
    if ticket is not None and not queue.look(ticket).over:
        titles = [setting.everyone[name].label for name in ticket.question.groups if name in setting.everyone]
        _progress(queue, ticket, titles)
        return
    _result(chosen, setting, request, queue, ticket, person)


def _controls(chosen: Selection, setting: Setting) -> tuple[_Request, bool]:
    """The question and whom to ask; the second value: whether to ask now."""
    _open_finding(chosen)
    questions = records.questions(chosen.catalog, chosen.audit)
    live = not setting.only_recorded
    _start("way", _PICKED if st.query_params.get("question") in questions else _TYPED)
    query, item, text, options = None, "", "", list[str]()
    with st.container(border=True):
        if questions and live:
            st.segmented_control("Question", [_TYPED, _PICKED], key="way", label_visibility="collapsed", required=True)
        if questions and (not live or st.session_state["way"] == _PICKED):
            query, item = _picked(questions)
        elif live:
            text, options = _typed()
        groups = _groups(setting)
        exposure = _profile(setting)
        sources = _agents(chosen) if live else (_source(chosen, 0),)
        pressed = live and st.button("Ask all agents", type="primary", icon=":material/forum:", disabled=not groups)
        if not groups:
            st.caption("Choose at least one group, or the base model.")
    if query is None and pressed:
        try:
            query = typed_query(text, options)
        except UserError as error:
            states.fault(error, chosen.catalog.root)
            pressed = False
    _remember(item, groups, exposure, sources)
    return _Request(query, groups, exposure, sources, item), pressed


def _typed() -> tuple[str, list[str]]:
    text = st.text_area("Your question", key="typed", placeholder="Is the Earth older than ten thousand years?")
    options = st.text_area(
        "Answers to choose from, one a line (optional)",
        key="typed_options",
        height=90,
        help="With answers to choose from, you see how likely each agent is to choose each of them.",
    )
    return text or "", [line for line in (options or "").splitlines() if line.strip()]


def _picked(questions: Mapping[str, Query]) -> tuple[Query | None, str]:
    if st.query_params.get("question") in questions:
        _start("item", st.query_params["question"])
    item = st.selectbox(
        "Audited question", list(questions), key="item", format_func=lambda name: questions[name].question
    )
    return (questions[item], item) if item in questions else (None, "")


def _groups(setting: Setting) -> tuple[str, ...]:
    members = list(setting.groups.names)
    stated = [name for name in st.query_params.get("groups", "").split(",") if name in members]
    _start("groups", stated or members)
    _start("base", st.query_params.get("base") == "1")
    labels = {group.name: plain(group.label) for group in setting.groups.members}
    groups = st.pills("Groups", members, selection_mode="multi", key="groups", format_func=lambda name: labels[name])
    base = st.toggle("Ask the base model too, without any profile", key="base")
    return (*(name for name in members if name in groups), *([CONTROL] if base else []))


def _profile(setting: Setting) -> Exposure:
    """How the groups' profiles reach the agents; a choice only where all groups have both kinds."""
    available = [one for one in EXPOSURES if all(group.wordings(one) for group in setting.groups.members)]
    stated = st.query_params.get("profile")
    _start("profile", stated if stated in available else available[0])
    if len(available) == 1:
        return available[0]
    return st.radio(
        "How the agent learns who asks", available, key="profile", format_func=_PROFILE.__getitem__, horizontal=True
    )


def _agents(chosen: Selection) -> tuple[Source, ...]:
    """The checkpoint that is asked, and perhaps another one beside it."""
    steps = [str(step) for step in sorted({0, *chosen.run.steps})]
    for key, default in (("step", str(chosen.audit.step)), ("against", _NO_OTHER)):
        asked = st.query_params.get(key)
        _start(key, asked if asked in (*steps, _NO_OTHER) else default)
        if st.session_state[key] not in (*steps, _NO_OTHER):
            st.session_state[key] = _NO_OTHER if key == "against" else steps[-1]
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


def _source(chosen: Selection, step: int) -> Source:
    checkpoint = chosen.run.agents(step) if step else None
    return Source(chosen.run.id, chosen.run.config_file, step, checkpoint)


def _ask(queue: LiveQueue, request: _Request) -> None:
    """Puts the question into the queue; one that this person asked before is taken back."""
    assert request.query is not None
    for source in request.sources:
        if source.checkpoint is not None:
            file_within(queue.root, source.checkpoint / MANIFEST)
    before: Ticket | None = st.session_state.get("live_ticket")
    if before is not None:
        queue.cancel(before)
    question = Question(request.query, request.exposure, request.groups)
    st.session_state["live_ticket"] = queue.ask(request.sources, question)
    st.session_state["live_run"] = request.sources[0].run


@st.fragment(run_every=0.5)
def _progress(queue: LiveQueue, ticket: Ticket, titles: list[str]) -> None:
    look = queue.look(ticket)
    if look.over:
        st.rerun()
    if look.state == "waiting":
        sentence = f"In the queue: {look.place} {'question is' if look.place == 1 else 'questions are'} before yours."
    else:
        sentence = "All agents are answering now. The first question after a start takes longest: the model is read."
    draw(drawn.progress(sentence, titles, look.partial))
    if st.button("Take the question back", icon=":material/close:"):
        queue.cancel(ticket)
        st.rerun()


def _result(
    chosen: Selection,
    setting: Setting,
    request: _Request,
    queue: LiveQueue,
    ticket: Ticket | None,
    person: access.Person,
) -> None:
    look = queue.look(ticket) if ticket is not None and st.session_state.get("live_run") == chosen.run.id else None
    if look is not None and look.state in ("refused", "late"):
        st.error(plain(look.reason), icon=":material/error:")
    elif look is not None and look.state == "cancelled":
        states.nothing("The question was taken back.")
    if ticket is not None and look is not None and _is_answer(look, ticket, request):
        _show_answers(ticket.question.query, look.answers, "answered now")
        asked = ticket.question
        item = request.item if asked.query == request.query else ""
        save_form(chosen, person, asked.query, item, look.answers, asked.exposure, setting.everyone)
    elif request.query is not None:
        _recorded(chosen, setting, request, person)
    _link(request)


def _recorded(chosen: Selection, setting: Setting, request: _Request, person: access.Person) -> None:
    assert request.query is not None
    check(chosen.catalog, chosen.audit)
    again = "" if setting.only_recorded else " Ask all agents to see what they say now."
    stored = stored_answers(chosen.catalog, chosen.run, chosen.audit, setting, request.query, request.exposure)
    if stored is None:
        states.nothing(f"The audit recorded no answers to this question with profiles of this kind.{again}")
        return
    if again:
        states.nothing(f"These answers were recorded by the audit.{again}")
    _show_answers(request.query, (stored,), "recorded", setting.model.source == "endpoint")
    audited = {group.name: group for group in records.groups(chosen.catalog, chosen.run, chosen.audit)}
    save_form(chosen, person, request.query, request.item, (stored,), request.exposure, audited, recorded=True)


def _is_answer(look: Look, ticket: Ticket, request: _Request) -> bool:
    """Whether there is a live answer, and not to another question than the one that was picked since."""
    return look.state == "answered" and (not request.item or request.query == ticket.question.query)


def _show_answers(
    query: Query, sources: tuple[Answers, ...], when: Literal["answered now", "recorded"], elsewhere: bool = False
) -> None:
    several = len(sources) > 1
    origin = "A model behind an address: its weights are not known" if elsewhere else "Base weights, no adapter"
    shown = [
        drawn.Card(reply, _agents_label(one.step) if several else "", origin)
        for replies in zip(*(one.replies for one in sources), strict=True)
        for one, reply in zip(sources, replies, strict=True)
    ]
    st.header(f"The answers, {when}", anchor=False)
    draw(Markup('<p class="ta-question" dir="auto">{}</p>').format(query.question))
    st.markdown(plain(drawn.summary(query, shown)))
    titles = [card.title for card in shown]
    reference = 0
    if len(shown) > 1:
        if st.session_state.get("reference") not in titles:
            st.session_state.pop("reference", None)
        marked = st.selectbox("Mark what differs from", titles, key="reference", format_func=plain)
        reference = titles.index(marked)
        if not query.options:
            st.caption("Words with + are not in that answer; words with − are missing from this one.")
    draw(drawn.cards(query, shown, reference, len(sources) if several else 0))
    if query.options:
        st.caption("Bars: how likely each agent is to choose each answer.")
    for one in sources:
        if len(one.replies) > 1 and one.likelihood:
            _likelihood(query, one, several)


def _likelihood(query: Query, source: Answers, several: bool) -> None:
    of = f", {_agents_label(source.step)}" if several else ""
    st.header(f"What each agent thinks of the others' answers{of}", anchor=False)
    meaning = (
        "how likely the agent in the row is to give the answer of the agent in the column."
        if query.options
        else "how likely the agent in the row finds the words of the agent in the column, on average a word piece."
    )
    st.markdown(f"Each number says {meaning} Rows that look alike belong to agents that think alike.")
    draw(drawn.likelihoods([reply.label for reply in source.replies], source.likelihood))


def _agents_label(step: int) -> str:
    return f"step {step}" if step else "before training"


def _open_finding(chosen: Selection) -> None:
    """Puts the question of a saved finding into the controls, once, when a link names it."""
    from trialign.audit.files.findings import FindingStore

    number = st.query_params.get("finding")
    if not number or st.session_state.get("opened_finding") == number:
        return
    st.session_state["opened_finding"] = number
    for finding in FindingStore(chosen.catalog.root).findings(chosen.run.id):
        if str(finding.id) == number and finding.question:
            st.session_state["way"] = _TYPED
            st.session_state["typed"] = finding.question
            st.session_state["typed_options"] = "\n".join(finding.options)


def _remember(item: str, groups: tuple[str, ...], exposure: Exposure, sources: tuple[Source, ...]) -> None:
    """Writes the state into the address; never a typed question."""
    state = {
        "question": item,
        "groups": ",".join(name for name in groups if name != CONTROL),
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


def _link(request: _Request) -> None:
    from urllib.parse import urlencode

    with st.popover("Copy link", icon=":material/link:"):
        address = (st.context.url or "").partition("?")[0]
        st.code(f"{address}?{urlencode(st.query_params.to_dict())}", language=None, wrap_lines=True)
        if not request.item:
            st.caption(
                "The link holds the settings, not your question: that is kept nowhere unless you save a finding."
            )


def _start(key: str, value: object) -> None:
    """The value with which a control begins."""
    if key not in st.session_state:
        st.session_state[key] = value
