"""The verdict on the facts: its sign, its sentence and its parts."""

from __future__ import annotations

from collections.abc import Mapping

from trialign.audit.figures.analysis import AuditAnalysis
from trialign.audit.figures.facts import FactAnalysis
from trialign.audit.figures.verdict import Verdict
from trialign.audit.figures.whole import whole_lead, whole_parts, whole_title

from .markup import Markup, isolated, unbroken
from .markup import show as draw
from .words import OUTCOMES


def banner(verdict: Verdict, facts: FactAnalysis, analysis: AuditAnalysis, labels: Mapping[str, str]) -> None:
    """Draws it; green only where all parts hold, and no slice contradicts."""
    outcome = OUTCOMES[verdict.outcome]
    names = {group: isolated(label) for group, label in labels.items()}
    style = "unsure" if verdict.exceptions and verdict.outcome == "holds" else outcome.style
    asked = (
        f"{facts.n_questions:,} questions on {facts.n_clusters:,} facts, {len(analysis.groups)} groups, "
        f"{analysis.exposure} profiles"
    )
    head = whole_title(analysis)
    said = whole_lead(analysis, names).removeprefix(head).lstrip(":. ")
    parts = Markup("").join(
        Markup(
            '<li class="ta-part"><span aria-hidden="true">{}</span><span><strong>{}, {}:</strong> {}</span></li>'
        ).format(sign, name, word, unbroken(sentence))
        for name, sign, word, sentence in whole_parts(analysis, names)
    )
    draw(
        Markup(
            '<section class="ta-banner ta-{}"><div class="ta-sign" aria-hidden="true">{}</div><div>'
            '<h2 class="ta-banner-title">{}</h2><p>{}</p><ul class="ta-parts">{}</ul><p class="ta-eyebrow">{}</p></div>'
            "</section>"
        ).format(style, outcome.symbol, head, unbroken(f"{said[:1].upper()}{said[1:]}"), parts, asked)
    )
