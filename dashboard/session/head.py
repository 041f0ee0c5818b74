"""The head of a page on one audit: what it asks, what is shown, and that the run is still being trained."""

from __future__ import annotations

from trialign.audit.report.format import moment
from trialign.errors import UserError

from ..components.heading import heading
from ..components.markup import isolated
from ..reading import records
from .selection import Selection
from .under_way import on_the_page


def head(chosen: Selection, question: str, lead: str) -> None:
    """Draws it.

    Args:
        chosen: the run and the audit that the page shows.
        question: what the page answers.
        lead: one or two plain sentences on how to read the page.
    """
    heading(question, f"{isolated(chosen.run.id)} · {chosen.audit.sentence}{_when(chosen)}", lead)
    on_the_page(chosen.catalog, chosen.run)


def _when(chosen: Selection) -> str:
    """When that was; nothing where a file that says so is damaged, which the page says itself."""
    try:
        return f" · audited {moment(records.finished(chosen.catalog, chosen.audit))}"
    except UserError:
        return ""
