"""What a gate promises, held against simulated audits whose truth lies at the bounds and margins."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from trialign.audit.figures.analysis import ANALYSIS_SCHEMA_VERSION, AuditAnalysis
from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.opinions import OpinionPanel
from trialign.audit.figures.panel import Panel
from trialign.audit.figures.replies import REPLIES
from trialign.audit.figures.statistics import Floats, Integers
from trialign.audit.rules.config import GateConfig, Margins
from trialign.audit.rules.judging import judged_rules
from trialign.audit.rules.result import RuleOutcome, outcome_of
from trialign.audit.rules.sides import Side

pytestmark = pytest.mark.unit

ALPHA = 0.05
GROUPS = ("a", "b", "c")
REFUSED = REPLIES.index("refused")


@dataclass(frozen=True)
class State:
    """How often which group is told what; each chance is drawn once a fact or once a question.

    Attributes:
        right: chance that the answer common to all groups is right.
        lost: chance that the first group is told something wrong instead of it.
        refused: chance that the first group's reply is a refusal instead.
        liking: mean score of each group's own taste; the others' tastes are met with .4 on average.
    """

    right: float = 1.0
    lost: float = 0.0
    refused: float = 0.0
    liking: float = 0.7


@dataclass(frozen=True)
class Drawn:
    """The numbers of one pair of audits: both are drawn from the same ones where ``shared`` says so."""

    generator: np.random.Generator
    facts: int
    paraphrases: int = 2

    def numbers(self, *shape: int) -> Floats:
        """[questions, ...]; half of the facts have one number for all paraphrases."""
        drawn = self.generator.random((self.facts, self.paraphrases, *shape))
        alike = self.generator.random((self.facts, 1, *(1 for _ in shape))) < 0.5
        return np.where(alike, drawn[:, :1], drawn).reshape(self.facts * self.paraphrases, *shape)

    def side(self, state: State, common: Floats) -> Side:
        """One audit; the difficulty of the questions (``common``) is that of its pair."""
        questions = len(common)
        answers = np.tile((common >= state.right).astype(np.int64)[:, None], (1, len(GROUPS)))
        lost, refused = self.numbers() < state.lost, self.numbers() < state.refused
        answers[lost & ~refused, 0] = 3
        answers[refused, 0] = -1
        return side_of(answers, refused, self.tastes(state.liking, questions), self.clusters)

    @property
    def clusters(self) -> Integers:
        """[questions]."""
        return np.repeat(np.arange(self.facts), self.paraphrases)

    def tastes(self, liking: float, questions: int) -> tuple[Floats, Floats]:
        """Own and swapped scores ([questions, groups]), far from normal: 0 or 1."""
        own = (self.numbers(len(GROUPS)) < liking).astype(float)
        return own, (self.numbers(len(GROUPS)) < 0.4).astype(float)


def side_of(answers: Integers, refused: np.ndarray, tastes: tuple[Floats, Floats], clusters: Integers) -> Side:
    """A side of free replies; 0 is the right answer, -1 none."""
    rows, groups = answers.shape
    replies = np.zeros((rows, groups, 1, 1), dtype=np.int8)
    replies[refused, 0] = REFUSED
    facts = Panel(
        groups=GROUPS,
        questions=np.arange(rows),
        clusters=clusters,
        topics=np.full(rows, "", dtype=object),
        answers=answers[:, :, None, None],
        correct=(answers == 0).astype(float),
        probabilities=np.zeros((rows, groups, 1)),
        option_counts=np.zeros(rows, dtype=np.int64),
        choices=np.zeros(rows, dtype=np.int64),
        replies=replies,
    )
    analysis = AuditAnalysis(ANALYSIS_SCHEMA_VERSION, "test", "explicit", GROUPS, Bounds(), 0, None, None, None, (), ())
    opinions = OpinionPanel(GROUPS, clusters, facts.topics, *tastes)
    return Side(analysis, facts, opinions, pd.DataFrame())


# A rule at its bound: the state in which its figure is exactly there.
AT_BOUND: dict[str, tuple[GateConfig, State]] = {
    "worst": (GateConfig(worst=0.81), State(right=0.9, lost=0.1)),
    "worst, seldom wrong": (GateConfig(worst=0.97), State(lost=0.03)),
    "right_for_all": (GateConfig(right_for_all=0.7), State(right=0.7)),
    "gap": (GateConfig(gap=0.09), State(right=0.9, lost=0.1)),
    "flips": (GateConfig(flips=0.1), State(lost=0.15)),
    "wrong_together": (GateConfig(wrong_together=0.2), State(right=0.8)),
    "no_answer": (GateConfig(no_answer=0.05), State(refused=0.05)),
    "refused": (GateConfig(refused=0.05), State(refused=0.05)),
    "kept": (GateConfig(kept=0.3), State(liking=0.7)),
}
# A margin that is lost exactly: how the second audit differs from the first.
AT_MARGIN: dict[str, tuple[Margins, State, State]] = {
    "accuracy": (Margins(accuracy=0.05), State(), State(lost=0.05)),
    "accuracy, hard questions": (Margins(accuracy=0.05), State(right=0.6), State(right=0.6, lost=0.05 / 0.6)),
    "right_for_all": (Margins(right_for_all=0.05), State(), State(lost=0.05)),
    "flips": (Margins(flips=0.05), State(), State(lost=0.075)),
    "wrong_together": (Margins(wrong_together=0.05), State(right=0.9), State(right=0.85)),
    "no_answer": (Margins(no_answer=0.05), State(), State(refused=0.05)),
    "preference": (Margins(preference=0.2), State(liking=0.9), State(liking=0.7)),
    "kept": (Margins(kept=0.2), State(liking=0.9), State(liking=0.7)),
}
ALL = Margins(
    accuracy=0.05,
    right_for_all=0.05,
    flips=0.05,
    wrong_together=0.05,
    no_answer=0.05,
    preference=0.2,
    kept=0.2,
)


def said(
    config: GateConfig, before: State | None, after: State, simulations: int, facts: int, seed: int = 0
) -> list[RuleOutcome]:
    """The gate's outcome on so many simulated audits."""
    found, generator = [], np.random.default_rng(seed)
    config = replace(config, verdict=False, alpha=ALPHA)
    for _ in range(simulations):
        drawn = Drawn(generator, facts)
        common = drawn.numbers()
        sides = {"scores": drawn.side(after, common)}
        baseline = {"scores": drawn.side(before, common)} if before else {}
        found.append(outcome_of(judged_rules(config, sides, baseline)))  # type: ignore[arg-type]
    return found


def most(simulations: int) -> float:
    """Exceeded with a chance of one in two thousand where the promise is just kept."""
    return float(binom.ppf(0.9995, simulations, ALPHA))


def keep_at_the_bound(name: str, simulations: int, facts: int) -> None:
    config, state = AT_BOUND[name]
    found = said(config, None, state, simulations, facts)
    assert found.count("passes") <= most(simulations)
    assert found.count("fails") <= most(simulations)


def keep_at_the_margin(name: str, simulations: int, facts: int) -> None:
    margins, before, after = AT_MARGIN[name]
    found = said(GateConfig(regression=margins), before, after, simulations, facts)
    assert found.count("passes") <= most(simulations)
    assert found.count("fails") <= most(simulations)


def keep_on_equal_audits(simulations: int, facts: int) -> list[RuleOutcome]:
    """All margins, and many rules at their very bounds at once."""
    equal = State(right=0.85, lost=0.05, refused=0.02)
    found = said(GateConfig(regression=ALL), equal, equal, simulations, facts)
    assert found.count("fails") <= most(simulations)
    state = State(right=0.8, lost=0.1, refused=0.05)
    right = 0.8 * 0.9 * 0.95
    bounds = GateConfig(
        worst=right,
        right_for_all=right,
        gap=0.8 - right,
        flips=1 - 0.9 * 0.95 - (1 - 0.9 * 0.95) / 3,
        wrong_together=0.2 * 0.9 * 0.95,
        no_answer=0.05,
        refused=0.05,
        kept=0.3,
    )
    at_all_bounds = said(bounds, None, state, simulations, facts)
    assert at_all_bounds.count("fails") <= most(simulations)
    assert at_all_bounds.count("passes") <= most(simulations)
    return found


@pytest.mark.parametrize("name", list(AT_BOUND))
def test_a_rule_at_its_bound_seldom_passes_or_fails(name: str) -> None:
    keep_at_the_bound(name, 20 if name == "gap" else 60, 100)


@pytest.mark.parametrize("name", list(AT_MARGIN))
def test_a_loss_of_the_margin_seldom_passes_or_fails(name: str) -> None:
    keep_at_the_margin(name, 60, 100)


def test_equal_audits_seldom_fail() -> None:
    keep_on_equal_audits(20, 60)


def test_what_is_promised_is_not_kept_by_saying_nothing() -> None:
    """With enough facts good audits pass, and those far beyond their bounds fail."""
    good = said(GateConfig(worst=0.8, regression=ALL), State(0.95), State(0.95), 20, 1000)
    assert good.count("passes") == 20
    assert said(GateConfig(worst=0.9), None, State(right=0.7), 20, 200).count("fails") == 20
    lost = said(GateConfig(regression=Margins(accuracy=0.02)), State(), State(lost=0.15), 20, 200)
    assert lost.count("fails") == 20


def test_a_change_as_large_as_can_be_lies_within_its_interval() -> None:
    """Own tastes met and the others' not, and then the other way round: what is kept falls from 1 to -1."""
    sides = [
        side_of(np.zeros((80, 3), dtype=np.int64), np.zeros(80, dtype=bool), tastes, np.arange(80))
        for tastes in ((np.ones((80, 3)), np.zeros((80, 3))), (np.zeros((80, 3)), np.ones((80, 3))))
    ]
    config = GateConfig(verdict=False, regression=Margins(kept=0.2))
    [found] = judged_rules(config, {"scores": sides[1]}, {"scores": sides[0]})
    assert (found.outcome, found.figure, found.low, found.bound) == ("fails", -2.0, -2.0, -0.2)


def test_where_replies_without_an_answer_decide_nothing_is_known() -> None:
    """A tenth of one group's replies are refusals: a fall by ten points were they wrong, and none were they right."""
    drawn = Drawn(np.random.default_rng(3), 400)
    common = drawn.numbers()
    before, after = drawn.side(State(), common), drawn.side(State(refused=0.1), common)
    config = GateConfig(verdict=False, regression=Margins(accuracy=0.03, no_answer=0.03))
    accuracy, unread = judged_rules(config, {"scores": after}, {"scores": before})
    assert accuracy.outcome == "unknown"
    assert accuracy.facts_needed is None
    assert accuracy.sentence.endswith("not known, replies that hold no answer decide.")
    assert unread.outcome == "fails"


@pytest.mark.slow
@pytest.mark.parametrize("facts", [30, 150, 600])
@pytest.mark.parametrize("name", list(AT_BOUND))
def test_a_rule_at_its_bound_keeps_its_promise(name: str, facts: int) -> None:
    keep_at_the_bound(name, 1000, facts)


@pytest.mark.slow
@pytest.mark.parametrize("facts", [30, 150, 600])
@pytest.mark.parametrize("name", list(AT_MARGIN))
def test_a_loss_of_the_margin_keeps_its_promise(name: str, facts: int) -> None:
    keep_at_the_margin(name, 1000, facts)


@pytest.mark.slow
@pytest.mark.parametrize("facts", [30, 150, 600])
def test_equal_audits_keep_their_promise(facts: int) -> None:
    keep_on_equal_audits(1000, facts)
