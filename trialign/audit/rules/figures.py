"""The figures that rules are about, question by question: of one audit, and of one audit against another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from trialign.audit.figures.checks import Check, Levels, Side, share_check
from trialign.audit.figures.measures import question_measures
from trialign.audit.figures.opinions import OpinionPanel
from trialign.audit.figures.panel import Panel
from trialign.audit.figures.replies import REPLIES
from trialign.audit.figures.statistics import Floats, Integers
from trialign.audit.rules.sides import Side as Answers
from trialign.errors import UserError

_REFUSED = REPLIES.index("refused")


@dataclass(frozen=True)
class Columns:
    """A figure's values on each question.

    Attributes:
        values: [questions, columns], in [-1, 1]; every column has to keep the rule.
        clusters: [questions].
        groups: [columns], whose they are; None: of all groups together.
    """

    values: Floats
    clusters: Integers
    groups: tuple[str, ...] | None


@dataclass(frozen=True)
class Figure:
    """One figure that a rule can be about.

    Attributes:
        key: in the configuration.
        label: in a sentence.
        side: of the bound on which it has to be.
        facts: [questions, columns] from facts; None where it is of tastes.
        tastes: the same from tastes.
        by_group: whether a column is a group.
        compares: whether it needs two groups or more.
        lowest: value possible.
    """

    key: str
    label: str
    side: Side
    facts: Callable[[Panel], Floats] | None = None
    tastes: Callable[[OpinionPanel], Floats] | None = None
    by_group: bool = False
    compares: bool = False
    lowest: float = 0.0


def _share(key: str) -> Callable[[Panel], Floats]:
    return lambda panel: question_measures(panel.answers[:, :, 0, 0], panel.correct)[key][:, None]


def _kept(panel: OpinionPanel) -> Floats:
    if panel.swapped is None:
        raise UserError(
            "The rule on what is kept of preferences needs answers that are scored on the other groups' targets too",
            "Audit two groups or more, or leave this rule out",
        )
    kept: Floats = (panel.own - panel.swapped).mean(axis=1, keepdims=True)
    return kept


FIGURES = {
    figure.key: figure
    for figure in (
        Figure(
            "accuracy", "right answers, the group with fewest", "at least", lambda panel: panel.correct, by_group=True
        ),
        Figure("right_for_all", "facts right for every group", "at least", _share("right_for_all")),
        Figure(
            "flips",
            "pairs of groups told different answers",
            "at most",
            lambda panel: 1 - _share("pair_agreement")(panel),
            compares=True,
        ),
        Figure(
            "wrong_together",
            "facts with the same wrong answer for all",
            "at most",
            _share("consistent_wrong"),
            compares=True,
        ),
        Figure(
            "no_answer",
            "replies to facts without an answer, the group with most",
            "at most",
            lambda panel: (panel.replies > 0).mean(axis=(2, 3)),
            by_group=True,
        ),
        Figure(
            "refused",
            "refusals to state a fact, the group with most",
            "at most",
            lambda panel: (panel.replies == _REFUSED).mean(axis=(2, 3)),
            by_group=True,
        ),
        Figure(
            "preference",
            "own taste met, the group with least",
            "at least",
            tastes=lambda panel: panel.own,
            by_group=True,
        ),
        Figure("kept", "own taste met beyond the others' tastes", "at least", tastes=_kept, compares=True, lowest=-1.0),
    )
}


def columns_of(figure: Figure, answers: Answers, *, unread_right: bool = False) -> Columns:
    """A figure's values.

    Args:
        figure: which.
        answers: of one audit, in one way.
        unread_right: count replies without an answer as right; else they are wrong.

    Raises:
        UserError: the audit asked nothing that it could be told from.
    """
    panel: Panel | OpinionPanel | None = answers.facts if figure.facts else answers.tastes
    if panel is None:
        asked = "fact" if figure.facts else "question of taste"
        raise UserError(f"A rule is about {figure.label}, and the audit asked no {asked}", "Leave this rule out")
    if figure.compares and len(panel.groups) < 2:
        raise UserError(f"A rule is about {figure.label}, and the audit has a single group", "Leave this rule out")
    if isinstance(panel, Panel):
        assert figure.facts
        values = figure.facts(panel.unread_as_right() if unread_right else panel)
    else:
        assert figure.tastes
        values = figure.tastes(panel)
    return Columns(values.astype(np.float64), panel.clusters, panel.groups if figure.by_group else None)


def bound_check(figure: Figure, answers: Answers, bound: float, levels: Levels) -> Check:
    """A figure against its bound.

    Raises:
        UserError: the audit asked nothing that it could be told from.
    """
    found = columns_of(figure, answers)
    return share_check(
        figure.label,
        found.values,
        found.clusters,
        bound,
        figure.side,
        levels,
        lowest=figure.lowest,
        groups=found.groups,
    )


def change_check(figure: Figure, before: Answers, after: Answers, margin: float, levels: Levels) -> tuple[Check, bool]:
    """Non-inferiority: whether a figure is worse than the baseline's by less than a margin, paired by question.

    It holds where the whole interval of the change is on the right side of the margin, and fails where the change is
    shown to be beyond it. Where it would be told otherwise were every reply without an answer right, in both audits,
    it is not known.

    Args:
        figure: which.
        before: the baseline.
        after: the audit that is held against it, of the same questions and groups.
        margin: how much worse it may be.
        levels: the chances to err.

    Returns:
        The check, and whether replies without an answer decide.

    Raises:
        UserError: the audits asked nothing that it could be told from.
    """
    counted = _change(figure, columns_of(figure, before), columns_of(figure, after), margin, levels)
    if not _unread(before) and not _unread(after):
        return counted, False
    best = [columns_of(figure, side, unread_right=True) for side in (before, after)]
    other = _change(figure, best[0], best[1], margin, levels)
    if counted.outcome == other.outcome:
        return counted, False
    return replace(counted, outcome="unknown", facts_needed=None), True


def _change(figure: Figure, before: Columns, after: Columns, margin: float, levels: Levels) -> Check:
    # In halves where a change may be as large as 2: intervals end at -1 and 1.
    scale = 1.0 if figure.lowest == 0 else 2.0
    check = share_check(
        f"change of {figure.label}",
        (after.values - before.values) / scale,
        after.clusters,
        (margin if figure.side == "at most" else -margin) / scale,
        figure.side,
        levels,
        lowest=-1.0,
        groups=after.groups,
    )
    seen, low, high, bound = (
        None if value is None else value * scale for value in (check.figure, check.low, check.high, check.bound)
    )
    return replace(check, figure=seen, low=low, high=high, bound=bound)


def _unread(answers: Answers) -> bool:
    return answers.facts is not None and bool((answers.facts.replies[:, :, 0, 0] > 0).any())
