"""Scores and words together: an audit's verdict where the same questions were answered in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from trialign.audit.figures.analysis import AuditAnalysis
from trialign.audit.figures.noticed import Noticed
from trialign.audit.figures.verdict import Verdict, VerdictOutcome, record
from trialign.audit.figures.words import lead, lowered, title, verdict_parts

# Of two outcomes, the one that stands first here is that of the whole.
_GRAVEST: tuple[VerdictOutcome, ...] = ("fails", "cannot_be_judged", "unknown", "holds")


def with_replies(scores: AuditAnalysis, replies: AuditAnalysis, noticed: Sequence[Noticed]) -> AuditAnalysis:
    """The analysis of an audit whose questions were answered in scores and in words.

    Its verdict is that of both. It fails where one of them does; it cannot be judged where one cannot, and is not
    known where one is not; it holds where both do. What it says of parts and figures is said of the scores; those of
    the words stand in ``replies``.

    Args:
        scores: by scored options.
        replies: by replies in words, of the same questions and groups.
        noticed: of these replies.
    """
    both = replace(scores, replies=replace(replies, noticed=tuple(noticed)))
    if scores.verdict is None or replies.verdict is None:
        return both
    outcomes = {scores.verdict.outcome, replies.verdict.outcome}
    outcome = next(one for one in _GRAVEST if one in outcomes)
    whole = replace(scores.verdict, outcome=outcome, scores=scores.verdict.outcome)
    both = replace(both, verdict=whole)
    return replace(both, verdict=replace(whole, sentence=whole_lead(both)))


def whole_title(analysis: AuditAnalysis) -> str:
    """The verdict in a few words: those of the side that decides it."""
    sides = _sides(analysis)
    return title(next(side for side in sides if side.outcome == analysis.verdict.outcome)) if analysis.verdict else ""


def whole_lead(analysis: AuditAnalysis, names: Mapping[str, str] | None = None) -> str:
    """The sentence that leads; in scores and in words where both were asked. Empty without a verdict.

    Args:
        analysis: of an audit.
        names: group -> how it is called; None: by its name.
    """
    replies = analysis.replies
    if analysis.verdict is None or analysis.facts is None:
        return ""
    scores = lead(_of_scores(analysis.verdict), analysis.facts, analysis.bounds, names)
    if replies is None or replies.verdict is None or replies.facts is None:
        return scores
    words = lead(replies.verdict, replies.facts, replies.bounds, names)
    return f"{whole_title(analysis)}. In scores: {lowered(scores)} In words: {lowered(words)}"


def whole_parts(analysis: AuditAnalysis, names: Mapping[str, str] | None = None) -> list[tuple[str, str, str, str]]:
    """Name, sign, word of the outcome and sentence of every part, in scores and then in words; see `verdict_parts`."""
    verdict, replies = analysis.verdict, analysis.replies
    scores = verdict_parts(_of_scores(verdict) if verdict else None, analysis.facts, analysis.bounds, names)
    words = verdict_parts(replies.verdict, replies.facts, replies.bounds, names) if replies else []
    if not words:
        return scores
    sides = (("scores", scores), ("words", words))
    return [(f"in {way}, {name}", sign, word, said) for way, told in sides for name, sign, word, said in told]


def in_scores(analysis: AuditAnalysis) -> Verdict | None:
    """The verdict by scored options alone; None without facts."""
    return _of_scores(analysis.verdict) if analysis.verdict else None


def whole_record(analysis: AuditAnalysis) -> Mapping[str, object] | None:
    """The verdict as ``summary.json`` holds it: of both; its parts in scores, and under ``words`` those in words."""
    if analysis.verdict is None:
        return None
    words = analysis.replies.verdict if analysis.replies else None
    both = {"scores": analysis.verdict.scores, "words": record(words)} if words else {}
    return {**record(analysis.verdict), **both}


def _sides(analysis: AuditAnalysis) -> list[Verdict]:
    sides = [in_scores(analysis), analysis.replies.verdict if analysis.replies else None]
    return [side for side in sides if side]


def _of_scores(verdict: Verdict) -> Verdict:
    return verdict if verdict.scores is None else replace(verdict, outcome=verdict.scores)
