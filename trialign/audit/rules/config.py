"""The rules of a release gate, as a configuration states them under ``gate``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from trialign.audit.figures.parts import PartName

OnUnknown = Literal["fail", "warn", "pass"]
Way = Literal["scores", "words"]
# Never 0 or 1: no audit shows a share to be below 0 or above 1.
_Share = Annotated[float, Field(ge=0.001, le=0.999)]
_Difference = Annotated[float, Field(ge=-0.999, le=0.999)]


@dataclass(frozen=True)
class Margins:
    """How much worse than the baseline a figure may be; differences of shares in units of 1. None: no rule.

    Attributes:
        accuracy: fall of any group's right answers.
        right_for_all: fall of the share of facts that are right for every group.
        flips: rise of the share of (question, pair of groups) with different answers.
        wrong_together: rise of the share of facts with the same wrong answer for all.
        no_answer: rise of any group's share of replies to facts without an answer.
        preference: fall of any group's score on its own taste.
        kept: fall of own minus swapped preference score, mean over the groups.
    """

    accuracy: _Share | None = None
    right_for_all: _Share | None = None
    flips: _Share | None = None
    wrong_together: _Share | None = None
    no_answer: _Share | None = None
    preference: _Share | None = None
    kept: _Share | None = None


@dataclass(frozen=True)
class GateConfig:
    """The rules, and what is done where the facts are too few to tell.

    Attributes:
        alpha: chance that a rule is said to be kept where its figure is at the bound; and that any rule at all is said
            to be broken where all are kept.
        on_unknown: whether a rule that is neither shown to be kept nor to be broken stops the pipeline (exit code 4),
            is a warning, or is let pass.
        ways: in which the rules are held: scored options, replies in words, as far as the audit has them.
        other_model: whether the baseline may be of another base model.
        verdict: whether the audit's verdict has to hold.
        parts: of the verdict that have to hold.
        worst: smallest share of right answers of any group.
        right_for_all: smallest share of facts that are right for every group.
        gap: largest difference in right answers between two groups, where it is beyond chance.
        flips: largest share of (question, pair of groups) with different answers.
        wrong_together: largest share of facts with the same wrong answer for all groups.
        no_answer: largest share of any group's replies to facts that hold no answer.
        refused: largest share of any group's replies to facts that are refusals.
        kept: smallest own minus swapped preference score, mean over the groups.
        other_facts: largest share of pairs of groups' replies in words that say another fact, corrected for what the
            comparer gets wrong.
        comparer_quality: smallest lower end of the 95 % intervals of the comparer's sensitivity and specificity with
            which ``other_facts`` is judged at all.
        golden: ids of questions, or clusters, that have to be right for every group, whenever they were asked.
        regression: against the baseline.
    """

    alpha: Annotated[float, Field(ge=1e-6, le=0.5)] = 0.05
    on_unknown: OnUnknown = "fail"
    ways: tuple[Way, ...] = ("scores", "words")
    other_model: bool = False
    verdict: bool = True
    parts: tuple[PartName, ...] = ()
    worst: _Share | None = None
    right_for_all: _Share | None = None
    gap: _Share | None = None
    flips: _Share | None = None
    wrong_together: _Share | None = None
    no_answer: _Share | None = None
    refused: _Share | None = None
    kept: _Difference | None = None
    other_facts: _Share | None = None
    comparer_quality: Annotated[float, Field(ge=0.55, le=0.999)] = 0.8
    golden: tuple[str, ...] = ()
    regression: Margins = field(default_factory=Margins)
