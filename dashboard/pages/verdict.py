"""Verdict: do all groups get the same facts?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from trialign.audit.figures import measures
from trialign.audit.figures.analysis import AuditAnalysis, Slice
from trialign.audit.figures.facts import FactAnalysis
from trialign.audit.figures.flips import ExcessFlips
from trialign.audit.figures.opinions import OpinionAnalysis
from trialign.audit.figures.pairs import MOST_GROUPS
from trialign.audit.figures.parts import Gap
from trialign.audit.figures.ranking import FIVE
from trialign.audit.figures.ways import way_of_answering
from trialign.audit.figures.words import guessing
from trialign.audit.report.worst import worst_items

from .. import navigation
from ..components import charts, states
from ..components.banner import banner
from ..components.in_words import in_words, replies_table
from ..components.item import worst_item
from ..components.markup import Markup, plain
from ..components.markup import show as draw
from ..components.pressure import pressure_card
from ..components.tables import table
from ..components.words import estimate, p_value, percent, point_interval, points, short_verdict, span
from ..reading import records
from ..session import note, selection
from ..session.head import head
from ..session.integrity import check

_LOWEST = 30  # groups that are drawn of very many
_LEAD = (
    "The agent of every group answered the same questions. What counts is whether the groups differ by more than "
    "chance alone would make them."
)
_DIMENSIONS = {
    "exposure": "How the profile reached the model",
    "topic": "Topic",
    "language": "Language of the question",
    "attribute": "Attribute, all else equal",
    "intersection": "Combination of attributes",
}


_OPEN_PARTS = 6


def show() -> None:
    """Draws the page."""
    chosen = selection.current()
    head(chosen, "Do all groups get the same facts?", _LEAD)
    check(chosen.catalog, chosen.audit)
    analysis = records.analysis(chosen.catalog, chosen.audit)
    labels = records.labels(chosen.catalog, chosen.run, chosen.audit)
    facts = analysis.facts
    if facts is None:
        states.nothing("This audit asked no facts: there is nothing to be right or wrong about.")
    else:
        _facts(facts, analysis, labels)
        if analysis.replies is not None:
            in_words(analysis.replies, labels)
        if analysis.pressure is not None:
            pressure_card(analysis.pressure, labels)
        _worst(chosen, analysis, labels)
    if analysis.opinions is not None:
        _opinions(analysis.opinions, labels)
    _slices(analysis)
    st.caption(plain(f"Answer to a choice: {way_of_answering(records.summary(chosen.catalog, chosen.audit))}."))
    _explanations(analysis)


def _facts(facts: FactAnalysis, analysis: AuditAnalysis, labels: Mapping[str, str]) -> None:
    if analysis.verdict is not None:
        banner(analysis.verdict, facts, analysis, labels)
    if any(one.unread for one in facts.replies.values()):
        replies_table(facts.replies, labels)
    _tiles(facts)
    if navigation.exists("items"):
        with st.container(horizontal=True, gap="medium"):
            navigation.link(
                "items", "See the questions on which groups disagree", icon=":material/grid_on:", show="Groups disagree"
            )
            if navigation.exists("groups"):
                navigation.link("groups", "See which groups differ", icon=":material/groups:")
    left, right = st.columns([3, 2], gap="large")
    with left:
        _accuracy(facts, labels)
    if facts.gap is not None:
        with right:
            _gap(facts.gap)
    if facts.excess_flips is not None:
        _wording(facts.excess_flips)


def _worst(chosen: selection.Selection, analysis: AuditAnalysis, labels: Mapping[str, str]) -> None:
    """The questions to read first, each a click away from all its answers."""
    items, asked = records.items(chosen.catalog, chosen.audit), records.questions(chosen.catalog, chosen.audit)
    worst = worst_items(items, analysis.groups, analysis.exposure, asked)[:FIVE]
    if not worst:
        return
    st.header("The worst answers", anchor=False)
    st.caption(
        "One question of each fact that some group got wrong: first what is right for some and wrong for others, the "
        "surest wrong answers before the rest. The report begins with the same ones."
    )
    for one in worst:
        with st.container(border=True):
            draw(worst_item(one, labels))
            with st.container(horizontal=True, gap="medium"):
                if navigation.exists("items"):
                    navigation.link("items", "All about this question", icon=":material/search:", question=one.query_id)
                if navigation.exists("compare"):
                    navigation.link("compare", "Ask the agents again", icon=":material/forum:", question=one.query_id)
            note.recorded(chosen, one.query_id, asked.get(one.query_id))


def _tiles(facts: FactAnalysis) -> None:
    """The figures of the page, each with what it means."""
    known, gap = measures.by_key(), facts.gap
    mean, apart = known["mean"], known["gap"]
    beside = f"; {guessing(facts)}" if facts.chance is not None else ""
    shown = [(mean.words, facts.mean, f"{mean.about}{beside}")]
    for measure in measures.ALL:
        value = getattr(facts, measure.key, None)
        if measure.question and measure.wanted and value is not None:
            shown.append((measure.words, value, measure.about))
    cells = [(words, percent(value.value), point(value.low, value.high), about) for words, value, about in shown]
    if gap is not None:
        cells.insert(1, (apart.words, points(gap.value), f"chance alone: {points(gap.noise)}", apart.about))
    body = Markup("").join(
        Markup(
            '<div class="ta-tile"><dt>{}</dt><dd><span class="ta-figure">{}</span><span class="ta-range">{}</span>'
            '<span class="ta-about">{}</span></dd></div>'
        ).format(*cell)
        for cell in cells
    )
    draw(Markup('<dl class="ta-tiles">{}</dl>').format(body))


def point(low: float | None, high: float | None) -> str:
    """The interval of a tile."""
    return "" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f} %"


def _accuracy(facts: FactAnalysis, labels: Mapping[str, str]) -> None:
    st.header("How often each group gets the right answer", anchor=False)
    names = {group: labels.get(group, group) for group in facts.accuracy}
    lowest = dict(sorted(facts.accuracy.items(), key=lambda one: one[1].value or 0.0)[:_LOWEST])
    shown = facts.accuracy if len(names) <= MOST_GROUPS else lowest
    frame = pd.DataFrame(
        [{"name": names[group], "value": one.value, "low": one.low, "high": one.high} for group, one in shown.items()]
    )
    seen = {names[group]: one.value for group, one in facts.accuracy.items()}
    description = (
        f"Share of right answers{span(seen)}; bars are intervals, the dashed line is the mean"
        f"{f'; {guessing(facts)}' if facts.chance is not None else ''}."
    )
    if len(shown) < len(names):
        description += f" The lowest {len(shown)} of {len(names):,} groups are drawn."
    charts.draw(
        charts.intervals(frame, "right answers", marked=[facts.mean.value or 0.0]),
        description,
        ("Group", "Right answers (interval)"),
        [(names[group], estimate(one)) for group, one in shown.items()],
    )


def _gap(gap: Gap) -> None:
    st.header("Is the gap more than chance?", anchor=False)
    scale = max(gap.value, gap.noise) or 1.0
    bars = Markup("").join(
        Markup(
            '<div class="ta-bar-row"><span>{}</span><span class="ta-track"><span class="ta-bar ta-bar-{}" '
            'style="width:{:.1f}%"></span></span><strong>{}</strong></div>'
        ).format(name, style, 100 * value / scale, points(value))
        for name, style, value in (("seen", "seen", gap.value), ("chance alone", "noise", gap.noise))
    )
    draw(Markup('<div class="ta-bars">{}</div>').format(bars))
    st.markdown(
        "If group names were dealt out at random, the best and the worst group would still be some way apart: that is "
        f"what chance alone gives. A gap as large as the one seen comes up by chance with {p_value(gap.p_value)}."
    )


def _wording(flips: ExcessFlips) -> None:
    st.header("Is it the group, or the wording?", anchor=False)
    if flips.excess is None:
        st.markdown(f"Two groups answer differently on {percent(flips.across)} of the questions. {flips.note}")
        return
    if flips.wordings is not None:
        other, share = "two wordings of the same group's profile", flips.wordings
    else:
        other, share = "the same agent asked twice", flips.repeats or 0.0
    st.markdown(
        f"Two groups answer differently on **{percent(flips.across)}** of the questions, {other} on "
        f"**{percent(share)}**. What the group itself adds is **{points(flips.excess, signed=True)}** "
        f"({point_interval(flips.low, flips.high)}; {p_value(flips.p_value)}). {flips.note}"
    )


def _opinions(opinions: OpinionAnalysis, labels: Mapping[str, str]) -> None:
    st.header("Where groups should differ: questions of taste", anchor=False)
    st.markdown(
        "Taste is not fact: here different answers are wanted. The score says how well an agent meets its group's "
        "taste; beside it stands the score of the same answers for the other groups. The rest is what is personal."
    )
    worst = sorted(opinions.groups, key=lambda name: opinions.groups[name].own.value or 0.0)[:_LOWEST]
    named = opinions.groups if len(opinions.groups) <= MOST_GROUPS else worst
    rows = {"all groups, mean": opinions.mean, **{labels.get(name, name): opinions.groups[name] for name in named}}
    table(
        f"Scores on {opinions.n_questions:,} questions of taste",
        ("Group", "For its own taste", "For the others' tastes", "What is personal (interval)"),
        [
            (
                name,
                percent(one.own.value),
                percent(one.swapped.value if one.swapped else None),
                f"{points(one.kept.value, signed=True)} ({point_interval(one.kept.low, one.kept.high)})"
                if one.kept
                else "–",
            )
            for name, one in rows.items()
        ],
    )


def _slices(analysis: AuditAnalysis) -> None:
    """The verdict on parts of the questions, where there are several."""
    parts = [part for part in analysis.slices if part.facts is not None]
    if not parts:
        return
    st.header("The same question, part by part", anchor=False)
    st.markdown(
        "Small parts are judged on few questions: most of them cannot tell. P-values are corrected for their number."
    )
    for dimension in dict.fromkeys(part.dimension for part in parts):
        title = _DIMENSIONS[dimension]
        alike = [part for part in parts if part.dimension == dimension]
        with st.expander(f"{title}: {len(alike)}", expanded=len(alike) <= _OPEN_PARTS):
            _parts(f"Verdict by {title.lower()}", alike)


def _parts(caption: str, parts: Sequence[Slice]) -> None:
    table(
        caption,
        ("Part", "Verdict", "Facts", "Right answers", "Gap (chance alone)", "p, corrected"),
        [
            (
                part.name,
                short_verdict(part.verdict),
                f"{part.facts.n_clusters:,}",
                percent(part.facts.mean.value),
                f"{points(part.facts.gap.value)} ({points(part.facts.gap.noise)})" if part.facts.gap else "–",
                p_value(part.p_holm),
            )
            for part in parts
            if part.facts is not None
        ],
    )


def _explanations(analysis: AuditAnalysis) -> None:
    bounds = analysis.bounds
    with st.expander("How to read these figures", icon=":material/help:"):
        st.markdown(
            f"""
- **Equally right**: for every pair of groups, the interval of the difference lies within ±{points(bounds.delta)}.
- **The same answers**: on at most {percent(bounds.most_different)} of the facts not all groups get one answer, beyond
  what another wording of one profile changes, where several were asked.
- **Right at all**: at least {percent(bounds.least_right)} of the facts are right for every group, at most
  {percent(bounds.most_wrong_together)} have the same wrong answer for all, and every group beats guessing.
- **Answered**: at most {percent(bounds.most_unread)} of each group's replies hold no answer, alike over the groups.
- A part **holds** where its whole interval is on the right side of its bound, **fails** where it is beyond it, and is
  **not known yet** otherwise. The bounds were set before the audit; each is wrong in at most
  {percent(bounds.alpha)} of audits.
- **Cannot be judged**: too many replies hold no answer, or not alike over the groups, or the verdict hangs on them.
- **Intervals** have a confidence of {percent(1 - bounds.alpha)}, those of the verdict's parts
  {percent(1 - 2 * bounds.alpha)}.
  Paraphrases of one fact are counted as one.
"""
        )
