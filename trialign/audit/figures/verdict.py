"""Do all groups get the same facts: four parts against their bounds, and whether the answers carry a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.checks import Levels, Outcome
from trialign.audit.figures.parts import (
    PARTS,
    Evidence,
    Part,
    PartName,
    Signed,
    answered,
    equally_right,
    right_at_all,
    same_answers,
)

VerdictOutcome = Literal["holds", "fails", "unknown", "cannot_be_judged"]
Reason = Literal["unread", "unread_differ", "extremes"]
_ON_ANSWERS = 3  # parts that rest on answers: the first three


@dataclass(frozen=True)
class Verdict:
    """Whether all groups get the same facts.

    ``holds`` where every part holds; said where one is at its bound with a chance of at most alpha. ``fails`` where a
    part fails; said where all hold with a chance of at most alpha. ``unknown``: neither. ``cannot_be_judged``: the
    replies without an answer are too many in some group, or not alike, or decide the outcome; ``reasons`` says which.

    Attributes:
        outcome: see above.
        sentence: the verdict in plain words.
        parts: ``equally_right``, ``same_answers``, ``right_at_all`` and ``answered``. Where the verdict cannot be
            judged, no part but the last has an outcome.
        reasons: why it cannot be judged, ``unread``, ``unread_differ``, ``extremes``; empty where it can.
        exceptions: slices whose verdict contradicts this one, by name.
        extremes: the outcome by answers were every unread reply wrong, and were it right; None where all were read.
        scores: the outcome by scored options alone, where this is the verdict on scores and replies in words together
            (``whole``): the parts are those of the scores then. None: the outcome is of one of them.
    """

    outcome: VerdictOutcome
    sentence: str
    parts: dict[PartName, Part]
    reasons: tuple[Reason, ...]
    exceptions: tuple[str, ...] = ()
    extremes: tuple[Outcome, Outcome] | None = None
    scores: VerdictOutcome | None = None


def judge(wrong: Evidence, right: Evidence | None, bounds: Bounds, seed: int, slices: int = 1) -> Verdict:
    """The verdict on a panel, without its sentence.

    Args:
        wrong: the panel with unread replies counted wrong.
        right: with all of them counted right; None where every reply was read.
        bounds: set before the audit.
        seed: of the permutation.
        slices: how many panels are judged beside each other; what fails is corrected for them (Bonferroni; p-values of
            the gaps come corrected).
    """
    level = bounds.alpha / slices
    parts, better = _on_answers(wrong, bounds, level)
    outcome = combined(part.outcome for part in parts.values())
    reasons, extremes = _unread(wrong, bounds, level, seed), None
    if right is not None:
        others, other_better = _on_answers(right, bounds, level)
        contradict = _contradict(better, other_better)
        parts = {name: _merged(part, others[name]) for name, part in parts.items()}
        if contradict and parts["equally_right"].outcome == "fails":
            parts["equally_right"] = _open(parts["equally_right"])
        merged = combined(part.outcome for part in parts.values())
        extremes = (outcome, combined(part.outcome for part in others.values()))
        if extremes != (merged, merged):
            reasons = (*reasons, "extremes")
    if reasons:
        parts = {name: _open(part) for name, part in parts.items()}
    parts["answered"] = answered(wrong.panel, bounds, Levels(bounds.alpha, level), seed)
    whole = combined([outcome, parts["answered"].outcome])
    return Verdict("cannot_be_judged" if reasons else whole, "", parts, reasons, extremes=extremes)


def combined(outcomes: Iterable[Outcome]) -> Outcome:
    """Fails where one does, holds where all do."""
    found = set(outcomes)
    return "fails" if "fails" in found else "unknown" if "unknown" in found else "holds"


def _on_answers(found: Evidence, bounds: Bounds, level: float) -> tuple[dict[PartName, Part], Signed]:
    """The parts that rest on answers, and which groups are better than which."""
    levels = Levels(bounds.alpha, level / _ON_ANSWERS)
    equal, better = equally_right(found, bounds, levels)
    return {
        "equally_right": equal,
        "same_answers": same_answers(found.panel, bounds, levels),
        "right_at_all": right_at_all(found.panel, bounds, levels),
    }, better


def _unread(found: Evidence, bounds: Bounds, level: float, seed: int) -> tuple[Reason, ...]:
    """Why replies without an answer leave nothing to judge by; by what was seen, without waiting for proof."""
    reasons: list[Reason] = []
    unread = found.panel.replies > 0
    if not unread.any():
        return ()
    first, every = unread[:, :, 0, 0].mean(axis=0), unread.mean(axis=(0, 2, 3))
    if max(first.max(), every.max()) > bounds.most_unread:
        reasons.append("unread")
    checks = answered(found.panel, bounds, Levels(bounds.alpha, level), seed).checks
    if any(check.p_value is not None and check.p_value <= level for check in checks):
        reasons.append("unread_differ")
    return tuple(reasons)


def _contradict(one: Signed, other: Signed) -> bool:
    """Whether the two extremes call different groups better: no pair in common, or one the other way round."""
    turned = {(worse, better) for better, worse in other}
    return bool(one & turned) or (bool(one and other) and not one & other)


def _merged(one: Part, other: Part) -> Part:
    """A part as both extremes have it; open where they differ."""
    merged = one if one.outcome == other.outcome else _open(one)
    return replace(merged, if_unread_right=other.outcome)


def _open(part: Part) -> Part:
    return replace(part, outcome="unknown", facts_needed=None)


def record(verdict: Verdict) -> Mapping[str, object]:
    """The verdict as ``summary.json`` holds it: outcome, sentence, and of each part what decides it."""
    names = ("outcome", "figure", "interval", "bound", "facts_needed")
    parts = {name: {key: getattr(verdict.parts[name], key) for key in names} for name in PARTS}
    return {"outcome": verdict.outcome, "sentence": verdict.sentence, "parts": parts}
