"""Groups: which of them differ, by how much, and is that beyond chance?"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from trialign.audit.figures.facts import FactAnalysis
from trialign.audit.figures.pairs import PairComparison
from trialign.audit.figures.whole import in_scores
from trialign.audit.figures.words import lead

from .. import navigation
from ..components import charts, states
from ..components.markup import Markup, plain
from ..components.markup import show as draw
from ..components.tables import heads, row, table
from ..components.words import p_value, percent, point_interval, points
from ..reading import records
from ..reading.answers import AnswerTable, answer_table
from ..session import selection
from ..session.head import head
from ..session.integrity import check

_LEAD = (
    "Two questions, pair by pair: do the groups give the same answers, and are they right equally often? Both count: "
    "groups that err equally often on different questions still get different facts."
)


def show() -> None:
    """Draws the page."""
    picked = selection.current()
    head(picked, "Which groups differ, beyond chance?", _LEAD)
    check(picked.catalog, picked.audit)
    analysis = records.analysis(picked.catalog, picked.audit)
    if analysis.facts is None or not analysis.facts.pairs:
        states.nothing("This audit holds no facts that several groups were asked, so that no two can be compared.")
        return
    labels = records.labels(picked.catalog, picked.run, picked.audit)
    scores = in_scores(analysis)
    if scores is not None and scores.outcome == "cannot_be_judged":
        st.warning(plain(lead(scores, analysis.facts, analysis.bounds, labels)), icon=":material/error:")
    answers = answer_table(picked.catalog, picked.audit, analysis.groups, analysis.exposure)
    _matrix(answers, labels)
    _forest(analysis.facts, analysis.bounds.delta, analysis.bounds.alpha, labels)
    _kappas(analysis.facts)


def _matrix(answers: AnswerTable, labels: Mapping[str, str]) -> None:
    st.header("Do they give the same answers?", anchor=False)
    st.markdown(
        "Share of the facts on which two groups give the same answer, right or wrong. A cell leads to the questions on "
        "which they do not."
    )
    same = answers.agreement()
    names = [labels.get(group, group) for group in answers.groups]
    lowest = same.min()
    body = Markup("").join(
        row(
            name,
            Markup("").join(
                _cell(same[i, j], lowest, name, other) if i != j else Markup('<td class="ta-same">same group</td>')
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


def _cell(share: float, lowest: float, one: str, other: str) -> Markup:
    """A cell with a link; its wash is the stronger, the less the two agree."""
    strength = 0.0 if lowest >= 1 else 42 * (1 - share) / (1 - lowest)
    here = {key: value for key, value in st.query_params.items() if key in ("run", "audit")}
    address = f"items?{urlencode({**here, 'kind': 'Facts', 'first': one, 'second': other})}"
    if not navigation.exists("items"):
        return Markup('<td style="--wash-strength:{:.0f}%">{}</td>').format(strength, percent(share))
    return Markup(
        '<td style="--wash-strength:{:.0f}%"><a href="{}" target="_self" aria-label="{}: the questions on which {} and '
        '{} differ">{}</a></td>'
    ).format(strength, address, percent(share), one, other, percent(share))


def _forest(facts: FactAnalysis, delta: float, alpha: float, labels: Mapping[str, str]) -> None:
    st.header("Are they right equally often?", anchor=False)
    st.markdown(
        f"Each row is a pair: how many points more the first one gets right. An interval that lies between the dashed "
        f"lines (±{100 * delta:g} points, set before the audit) says *alike*; one that stays clear of "
        f"zero says *different*. Intervals have a confidence of {100 * (1 - 2 * alpha):g} %."
    )
    pairs = sorted(facts.pairs, key=lambda pair: -abs(pair.difference))
    names = [f"{labels.get(pair.first, pair.first)} − {labels.get(pair.second, pair.second)}" for pair in pairs]
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
