"""What a checkpoint's own audit says against its replies in words."""

from __future__ import annotations

from collections.abc import Sequence

from trialign.audit.figures.analysis import AuditAnalysis
from trialign.audit.figures.noticed import TraitChange, harm_in_words


def suffering(words: AuditAnalysis, base: AuditAnalysis | None, changes: Sequence[TraitChange]) -> str:
    """What became worse for a reader beyond the interval, and how many replies hold no answer where that is too many.

    Args:
        words: of the replies, as ``AuditAnalysis.replies`` has them.
        base: the same of the base model, told the same profiles; None where it was not asked.
        changes: from the base model's replies to these.

    Returns:
        The figures in words, without a full stop; empty where nothing speaks against the replies.
    """
    harm = harm_in_words(changes)
    said = [harm] if harm else []
    if words.facts is not None and words.verdict is not None and words.verdict.parts["answered"].outcome == "fails":
        beside = _share(base.facts.no_answer.value) if base is not None and base.facts is not None else ""
        unread = f"{_share(words.facts.no_answer.value)} of the replies to facts hold no answer"
        said.append(f"{unread} (base model {beside})" if beside else unread)
    return "; ".join(said)


def _share(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"
