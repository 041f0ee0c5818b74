"""The part of Compare that asks: controls, the queue, and answers that never stand under another setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import streamlit as st

from trialign.audit.files.findings import LIVE, RECORDED
from trialign.audit.report.format import moment
from trialign.errors import UserError
from trialign.group_config import CONTROL
from trialign.groups import Exposure, SocialGroup
from trialign.queries import Query
from trialign.runs import MANIFEST

from ..components import answers as drawn
from ..components import states
from ..components.asked import asked
from ..components.markup import plain
from ..components.markup import show as draw
from ..components.pushed import pushed
from ..live.engine import Setting, read_setting
from ..live.facts import same_facts
from ..live.queue import LiveQueue, Look, Ticket
from ..live.replies import Answers, Push, Question
from ..live.shared import live_queue
from ..live.twice import Told
from ..reading import records
from ..reading.answers import Way
from ..reading.catalog import AuditEntry, file_within
from ..reading.stored import stored_answers
from ..session import access
from ..session.controls import Request, controls
from ..session.integrity import check
from ..session.leaving import RUN, TICKET, this_page_is_gone
from ..session.save import evidence, save_form
from ..session.selection import Selection
from ..session.settings import Settings
from ..session.told import both_ways, how_told, warn_of_suffering

_ITEM, _TOLD = "live_item", "live_told"
_REMEMBERED = 20  # questions of a session, to be held against the same one asked the other way


@dataclass(frozen=True)
class _Shown:
    """Answers with all that stands above and below them.

    Attributes:
        groups: names of those that were asked.
        profiles: the groups by name, as they were told.
        when: they were given.
        free: whether they are replies in words.
        recorded: whether an audit asked.
        elsewhere: whether the model stood behind an address, or another tool asked it.
        push: who pushed after the answers; None: nobody.
    """

    query: Query
    item: str
    exposure: Exposure
    groups: tuple[str, ...]
    profiles: Mapping[str, SocialGroup]
    answers: tuple[Answers, ...]
    when: str
    audit: AuditEntry
    free: bool
    recorded: bool = False
    elsewhere: bool = False
    push: Push | None = None

    @property
    def told(self) -> Told:
        return Told(self.query, self.exposure, self.answers, self.when, self.free)


def show(chosen: Selection, person: access.Person) -> None:
    """Draws it."""
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
    request, pressed = controls(chosen, setting)
    queue = live_queue(chosen.catalog.root)
    if pressed or st.session_state.pop("ask_again", False):
        _ask(chosen, queue, request)
    ticket: Ticket | None = st.session_state.get(TICKET)
    if st.session_state.get(RUN) != chosen.run.id:
        ticket = None
    if ticket is not None and not queue.look(ticket).over:
        profiles = setting.profiles(ticket.question.groups)
        titles = [profiles[name].label for name in ticket.question.groups if name in profiles]
        _progress(queue, ticket, titles)
        return
    _result(chosen, setting, request, ticket, queue.look(ticket) if ticket is not None else None, person)
    _link(request)


def _ask(chosen: Selection, queue: LiveQueue, request: Request) -> None:
    """Puts the question into the queue; one that this person asked before goes, whatever becomes of this one."""
    before: Ticket | None = st.session_state.pop(TICKET, None)
    if before is not None:
        queue.cancel(before)
    try:
        if request.refused is not None:
            raise request.refused
        if request.query is None or not request.groups:
            return
        for source in request.sources:
            if source.checkpoint is not None:
                file_within(queue.root, source.checkpoint / MANIFEST)
        question = Question(request.query, request.exposure, request.groups, request.in_words, request.push)
        seconds = Settings.from_environment().seconds
        st.session_state[TICKET] = queue.ask(request.sources, question, seconds=seconds, gone=this_page_is_gone())
        st.session_state[RUN], st.session_state[_ITEM] = chosen.run.id, request.item
    except UserError as error:
        states.fault(error, chosen.catalog.root)


@st.fragment(run_every=0.5)
def _progress(queue: LiveQueue, ticket: Ticket, titles: list[str]) -> None:
    look = queue.look(ticket)
    if look.over:
        st.rerun()
    draw(drawn.progress(_how_far(look), titles, look.partial))
    if st.button("Take the question back", icon=":material/close:"):
        queue.cancel(ticket)
        st.rerun()


def _how_far(look: Look) -> str:
    if look.state != "waiting":
        return (
            f"All agents are answering now, for {look.seconds or 0:.0f} s; words end after {look.limit:.0f} s. "
            "The first question after a start takes longest: the model is read."
        )
    before = f"In the queue: {look.place} {'question is' if look.place == 1 else 'questions are'} before yours"
    if look.seconds is None:
        return f"{before}. How many seconds they take is known once the first one is answered."
    return f"{before}, about {max(look.seconds, 1):.0f} s."


def _result(
    chosen: Selection,
    setting: Setting,
    request: Request,
    ticket: Ticket | None,
    look: Look | None,
    person: access.Person,
) -> None:
    if look is not None and look.state == "refused":
        st.error(plain(look.reason), icon=":material/error:")
    elif look is not None and look.state == "cancelled":
        states.nothing(look.reason or "The question was taken back.")
    if ticket is None or look is None or look.state != "answered" or _replaced(request, ticket):
        if request.query is not None and request.item:
            _recorded(chosen, setting, request, person)
        return
    question = ticket.question
    when = f"asked live, answered {moment(look.time.isoformat()) if look.time else ''}"
    shown = _Shown(
        question.query,
        st.session_state.get(_ITEM, ""),
        question.exposure,
        question.groups,
        setting.profiles(question.groups),
        look.answers,
        when,
        chosen.audit,
        question.free,
        push=question.push,
    )
    _keep(shown.told)
    changed = request.changed(ticket.sources, question)
    if changed:
        _outdated(changed, request)
    with st.container(key="ta-outdated" if changed else "ta-current"):
        _show_answers(chosen, setting, shown, len(ticket.sources))
    _save(chosen, person, shown)


def _replaced(request: Request, ticket: Ticket) -> bool:
    """Whether another audited question was picked since: what the audit recorded of it stands there instead."""
    return bool(request.item) and request.query != ticket.question.query


def _outdated(changed: Sequence[str], request: Request) -> None:
    words = " and ".join((", ".join(changed[:-1]), changed[-1]) if len(changed) > 1 else changed)
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**Not the answers to what the controls say now**: {words} changed. They belong to what stands above them."
        )
        can = request.query is not None and bool(request.groups)
        st.button("Ask again", icon=":material/refresh:", disabled=not can, on_click=_again, key="again")


def _again() -> None:
    st.session_state["ask_again"] = True


def _recorded(chosen: Selection, setting: Setting, request: Request, person: access.Person) -> None:
    """What audits of this run recorded, as far as they did so for what stands in the controls."""
    again = "" if setting.only_recorded else " Ask all agents to see what they say now."
    known = replace(request, groups=tuple(name for name in request.groups if name in setting.everyone))
    found = [_of_audit(chosen, known, audit) for audit in _audits(chosen, request)]
    kept = [(audit, answers) for audit, answers in found if answers is not None]
    if not kept:
        states.nothing(f"The audits recorded no answers to this question for what the controls say.{again}")
        return
    check(chosen.catalog, *(audit for audit, _ in kept))
    steps = [answers.step for _, answers in kept]
    missing = [drawn.agents_label(source.step) for source in request.sources if source.step not in steps]
    profiles = setting.profiles(request.groups)
    heard = {reply.group for _, answers in kept for reply in answers.replies}
    missing += [
        "the base model" if name == CONTROL else f"the group {profiles[name].label}"
        for name in request.groups
        if name not in heard
    ]
    lacks = f" The audit did not record {', '.join(missing)}, and nothing of that stands here." if missing else ""
    states.nothing(f"These answers were recorded by the audit.{lacks}{again}")
    first = kept[0][0]
    assert request.query is not None
    shown = _Shown(
        request.query,
        request.item,
        request.exposure,
        tuple(name for name in request.groups if name in heard),
        {group.name: group for group in records.groups(chosen.catalog, chosen.run, first)},
        tuple(answers for _, answers in kept),
        f"recorded by the audit, {moment(records.finished(chosen.catalog, first))}",
        first,
        request.in_words or not request.query.options,
        recorded=True,
        elsewhere=not setting.model.has_weights,
    )
    _show_answers(chosen, setting, shown, len(kept))
    _save(chosen, person, shown)


def _audits(chosen: Selection, request: Request) -> list[AuditEntry]:
    """The audits of the same questions whose agents the controls name, the chosen one before its like."""
    alike = [
        audit
        for audit in (chosen.audit, *chosen.run.audits)
        if (audit.data, audit.split) == (chosen.audit.data, chosen.audit.split)
    ]
    found = [next((audit for audit in alike if audit.step == source.step), None) for source in request.sources]
    return [audit for audit in found if audit is not None]


def _of_audit(chosen: Selection, request: Request, audit: AuditEntry) -> tuple[AuditEntry, Answers | None]:
    if records.questions(chosen.catalog, audit).get(request.item) != request.query:
        return audit, None
    first = audit.step == request.sources[0].step
    groups = request.groups if first else tuple(name for name in request.groups if name != CONTROL)
    labels = records.labels(chosen.catalog, chosen.run, audit)
    way: Way = "In words" if request.in_words else "Scored"
    found = stored_answers(chosen.catalog, chosen.run, audit, labels, request.item, request.exposure, groups, way)
    return audit, found


def _show_answers(chosen: Selection, setting: Setting, shown: _Shown, asked_of: int) -> None:
    st.header("The answers, recorded" if shown.recorded else "The answers, answered now", anchor=False)
    agents = " and ".join(drawn.agents_label(one.step) for one in shown.answers)
    draw(asked(shown.query, shown.groups, shown.profiles, shown.exposure, agents, shown.when, free=shown.free))
    if shown.free:
        for one in shown.answers:
            warn_of_suffering(chosen, one.step)
    if len(shown.answers) < asked_of:
        st.warning("The time was up before the second checkpoint's turn.", icon=":material/timer_off:")
    cards = drawn.cards_of(shown.answers, shown.elsewhere)
    st.markdown(plain(drawn.summary(shown.query, cards)))
    both_ways(chosen, shown.told, shown.groups, shown.audit, st.session_state.get(_TOLD, []))
    titles = [card.title for card in cards]
    reference = 0
    if len(cards) > 1:
        if st.session_state.get("reference") not in titles:
            st.session_state.pop("reference", None)
        marked = st.selectbox("Mark what differs from", titles, key="reference", format_func=plain)
        reference = titles.index(marked)
        if shown.free:
            st.caption("Words with + are not in that answer; words with − are missing from this one.")
    columns, replies = len(shown.answers) if len(shown.answers) > 1 else 0, [card.reply for card in cards]
    facts = same_facts(shown.query, replies, reference, setting.comparing) if shown.free else None
    draw(drawn.cards(shown.query, cards, reference, columns, facts.told if facts else None))
    if facts and len(cards) > 1:
        st.caption(plain(how_told(chosen)))
    if facts and facts.note:
        st.warning(plain(facts.note), icon=":material/info:")
    if not shown.free:
        st.caption("Bars: how likely each agent is to choose each answer.")
    if shown.push is not None and any(one.pushed for one in shown.answers):
        st.header("And now somebody pushes", anchor=False)
        for one in shown.answers:
            if len(shown.answers) > 1:
                st.subheader(drawn.agents_label(one.step), anchor=False)
            pushed(one, shown.push, shown.query.options)
    for one in shown.answers:
        if len(one.replies) > 1 and one.likelihood:
            _likelihood(shown, one)


def _likelihood(shown: _Shown, source: Answers) -> None:
    of = f", {drawn.agents_label(source.step)}" if len(shown.answers) > 1 else ""
    st.header(f"What each agent thinks of the others' answers{of}", anchor=False)
    meaning = (
        "how likely the agent in the row is to give the answer of the agent in the column."
        if not shown.free
        else "how likely the agent in the row finds the words of the agent in the column, on average a word piece."
    )
    st.markdown(f"Each number says {meaning} Rows that look alike belong to agents that think alike.")
    draw(drawn.likelihoods([reply.label for reply in source.replies], source.likelihood))


def _save(chosen: Selection, person: access.Person, shown: _Shown) -> None:
    st.header("Keep this as a finding", anchor=False)
    source = RECORDED if shown.recorded else LIVE
    save_form(
        chosen,
        person,
        evidence(shown.query, shown.item, shown.answers, shown.exposure, shown.profiles, source, shown.audit.id),
    )


def _keep(told: Told) -> None:
    """Remembers what was answered, for this session alone."""
    before: list[Told] = st.session_state.setdefault(_TOLD, [])
    if told not in before:
        before.append(told)
        del before[:-_REMEMBERED]


def _link(request: Request) -> None:
    with st.popover("Copy link", icon=":material/link:"):
        address = (st.context.url or "").partition("?")[0]
        st.code(f"{address}?{urlencode(st.query_params.to_dict())}", language=None, wrap_lines=True)
        if not request.item:
            st.caption(
                "The link holds the settings, not your question: that is kept nowhere unless you save a finding."
            )
