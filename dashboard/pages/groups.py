"""Groups: which of them differ, by how much, and is that beyond chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import streamlit as st

from trialign.audit.figures.analysis import AuditAnalysis
from trialign.audit.figures.facts import FactAnalysis
from trialign.audit.figures.pairs import MOST_GROUPS, PairComparison
from trialign.audit.figures.statistics import Floats
from trialign.audit.figures.whole import in_scores
from trialign.audit.figures.words import lead

from .. import navigation
from ..components import charts, states
from ..components.along import along, many
from ..components.markup import Markup, isolated, plain, unbroken
from ..components.markup import show as draw
from ..components.tables import heads, row, table
from ..components.words import interval, p_value, percent, point_interval, points
from ..reading import records
from ..reading.answers import Way, answer_table
from ..session import selection
from ..session.head import head
from ..session.integrity import check
from ..session.way import way

_LEAD = (
    "Two questions, pair by pair: do the groups give the same answers, and are they right equally often? Both count: "
    "groups that err equally often on different questions still get different facts."
)
_SAME = Markup('<td class="ta-same">same group</td>')


def show() -> None:
    """Draws the page."""
    picked = selection.current()
    head(picked, "Which groups differ, beyond chance?", _LEAD)
    check(picked.catalog, picked.audit)
    analysis, shown = records.analysis(picked.catalog, picked.audit), way(picked)
    scores = in_scores(analysis)
    if shown == "In words" and analysis.replies is not None:
        analysis = analysis.replies
        scores = analysis.verdict
    if analysis.facts is None or not analysis.facts.pairs:
        states.nothing("This audit holds no facts that several groups were asked, so that no two can be compared.")
        return
    labels = records.labels(picked.catalog, picked.run, picked.audit)
    if scores is not None and scores.outcome == "cannot_be_judged":
        st.warning(unbroken(plain(lead(scores, analysis.facts, analysis.bounds, labels))), icon=":material/error:")
    many(analysis, labels)
    if len(analysis.groups) <= MOST_GROUPS:
        names = [labels.get(group, group) for group in analysis.groups]
        _matrix(_alike(picked, analysis, shown), names, shown)
    _pairs(analysis.facts, labels, 1 - analysis.bounds.alpha)
    along(analysis)
    _forest(analysis.facts, analysis.bounds.delta, analysis.bounds.alpha, labels)
    _kappas(analysis.facts)


def _alike(picked: selection.Selection, analysis: AuditAnalysis, shown: Way) -> Floats:
    """[groups, groups], share of the facts that two groups answer alike; counted here for older analyses alone."""
    same = np.eye(len(analysis.groups))
    for pair in analysis.facts.pairs if analysis.facts else ():
        if pair.differ is None or pair.differ.value is None:
            return answer_table(picked.catalog, picked.audit, analysis.groups, analysis.exposure, shown).agreement()
        i, j = (analysis.groups.index(group) for group in (pair.first, pair.second))
        same[i, j] = same[j, i] = 1 - pair.differ.value
    return same


def _matrix(same: Floats, names: Sequence[str], shown: Way) -> None:
    st.header("Do they give the same answers?", anchor=False)
    unread = " A reply that holds no answer is like no other." if shown == "In words" else ""
    st.markdown(
        "Share of the facts on which two groups give the same answer, right or wrong. A cell leads to the questions on "
        f"which they do not.{unread}"
    )
    lowest = same.min()
    body = Markup("").join(
        row(
            name,
            Markup("").join(
                _cell(same[i, j], lowest, name, other, shown)
                if i != j
                else Markup('<td class="ta-same">same group</td>')
                for j, other in enumerate(names)
            ),
        )
        for i, name in enumerate(names)
    )
    draw(
        Markup(
            '<div class="ta-scroll" tabindex="0" role="region" aria-label="Agreement of pairs of groups">'
            '<table class="ta-table ta-matrix"><caption>Share of facts answered alike: the stronger the wash, the more '
            "they differ</caption><thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table></div>"
        ).format(heads(names), body)
    )


def _cell(share: float, lowest: float, one: str, other: str, shown: Way) -> Markup:
    """A cell with a link; its wash is the stronger, the less the two agree."""
    strength = 0.0 if lowest >= 1 else 42 * (1 - share) / (1 - lowest)
    here = {key: value for key, value in st.query_params.items() if key in ("run", "audit")}
    words = {"answers": shown} if shown == "In words" else {}
    address = f"items?{urlencode({**here, **words, 'kind': 'Facts', 'first': one, 'second': other})}"
    if not navigation.exists("items"):
        return Markup('<td style="--wash-strength:{:.0f}%">{}</td>').format(strength, percent(share))
    return Markup(
        '<td style="--wash-strength:{:.0f}%"><a href="{}" target="_self" aria-label="{}: the questions on which {} and '
        '{} differ">{}</a></td>'
    ).format(strength, address, percent(share), one, other, percent(share))


def _pairs(facts: FactAnalysis, labels: Mapping[str, str], confidence: float) -> None:
    """The same the other way round, with intervals."""
    known = [(pair, pair.differ) for pair in facts.pairs if pair.differ is not None]
    if not known:
        return
    known.sort(key=lambda one: -(one[1].value or 0.0))
    with st.expander("How often each pair gets different answers, with intervals", icon=":material/table_rows:"):
        table(
            f"Share of facts that two groups answer differently, with {100 * confidence:g} % intervals",
            ("Pair", "Different answers", "Interval"),
            [
                (
                    _named(pair, "–", labels),
                    percent(one.value),
                    interval(one.low, one.high),
                )
                for pair, one in known
            ],
        )


def _forest(facts: FactAnalysis, delta: float, alpha: float, labels: Mapping[str, str]) -> None:
    st.header("Are they right equally often?", anchor=False)
    if len(facts.pairs) < facts.n_pairs:
        st.markdown(
            f"Of {facts.n_pairs:,} pairs these are the {len(facts.pairs)} with the largest differences as seen; their "
            "p-values are corrected for all pairs."
        )
    st.markdown(
        f"Each row is a pair: how many points more the first one gets right. An interval that lies between the dashed "
        f"lines (±{100 * delta:g} points, set before the audit) says *alike*; one that stays clear of "
        f"zero says *different*. Intervals have a confidence of {100 * (1 - 2 * alpha):g} %."
    )
    pairs = sorted(facts.pairs, key=lambda pair: -abs(pair.difference))
    names = [_named(pair, "−", labels) for pair in pairs]
    frame = pd.DataFrame(
        [
            {"name": name, "value": pair.difference, "low": pair.low, "high": pair.high}
            for name, pair in zip(names, pairs, strict=True)
        ]
    )
    differing = sum(pair.p_holm <= alpha for pair in pairs)
    alike = sum(pair.equivalent for pair in pairs)
    description = (
        f"{len(pairs)} pairs: {alike} shown to be alike within {100 * delta:g} points, {differing} shown to differ. "
        f"The largest difference seen is {points(abs(pairs[0].difference))} ({names[0]})."
    )
    charts.draw(
        charts.intervals(frame, "difference in right answers, points", marked=[-delta, 0, delta], percent=False),
        description,
        ("Pair", "Difference", "Interval", "Reading", "p, corrected"),
        [
            (
                name,
                points(pair.difference, signed=True),
                point_interval(pair.low, pair.high),
                reading(pair, alpha),
                p_value(pair.p_holm),
            )
            for name, pair in zip(names, pairs, strict=True)
        ],
    )


def _named(pair: PairComparison, between: str, labels: Mapping[str, str]) -> str:
    """Both names in their order, whatever their scripts."""
    first, second = (isolated(labels.get(group, group)) for group in (pair.first, pair.second))
    return f"{first} {between} {second}"


def reading(pair: PairComparison, alpha: float) -> str:
    """What a pair's interval and test say together, with a sign."""
    if pair.p_holm <= alpha:
        return "≠ different, by less than matters" if pair.equivalent else "≠ different"
    return "= alike" if pair.equivalent else "? not enough evidence"


def _kappas(facts: FactAnalysis) -> None:
    with st.expander("Agreement beyond chance (kappa)", icon=":material/functions:"):
        st.markdown(
            "Raw agreement first, above. Kappa asks how much of it chance would have given: 1 is full agreement, 0 is "
            "what chance gives. Fleiss takes chance from how often each position was chosen, Randolph from the number "
            "of options."
        )
        table(
            "Kappa by number of options",
            ("Options", "Questions", "Fleiss", "Randolph", "Note"),
            [
                (
                    "free answers" if kappa.options is None else kappa.options,
                    f"{kappa.n_questions:,}",
                    _value(kappa.fleiss),
                    _value(kappa.randolph),
                    kappa.note,
                )
                for kappa in facts.kappas
            ],
        )


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
