"""Verdict: do all groups get the same facts?"""

from __future__ import annotations

from trialign.audit.verdict import Verdict

from .. import records, selection
from ..components import states
from ..components.heading import heading
from ..components.markup import Markup
from ..components.markup import show as draw


def show() -> None:
    """Draws the page."""
    chosen = selection.current()
    heading(
        "Do all groups get the same facts?",
        f"{chosen.run.id} · {chosen.audit.label}",
        "Every group's agent answered the same questions. A difference counts only where chance does not explain it.",
    )
    analysis = records.analysis(chosen.catalog, chosen.audit)
    if analysis.facts is None or analysis.facts.verdict is None:
        states.nothing("This audit asked no facts of several groups, so that there is nothing to compare.")
        return
    _verdict(analysis.facts.verdict)


def _verdict(verdict: Verdict) -> None:
    draw(Markup("<p>{}</p>").format(verdict.sentence))
