"""What may be decided about an audit, and how a decision is shown."""

from __future__ import annotations

from trialign.audit.report.types import Standing

# A decision as the dashboard offers it -> (its sign, how it is coloured): what is not to be used bears no tick.
DECISIONS = {
    "Consistent enough to use": ("✓", "good"),
    "To be used with the noted limits": ("!", "unsure"),
    "Not to be used": ("✗", "bad"),
}
STANDINGS: dict[Standing, str] = {
    "holds": "signed",
    "noted_since": "signed before what was noted since",
    "stale": "the signature is stale",
    "unbound": "signed without hashes",
}


def decided(decision: str, standing: Standing) -> tuple[str, str]:
    """The sign before a decision and how it is coloured: one that is not about these files bears no tick."""
    sign, style = DECISIONS.get(decision, ("•", "plain"))
    return (sign, style) if standing == "holds" or style == "bad" else ("!", "unsure")
