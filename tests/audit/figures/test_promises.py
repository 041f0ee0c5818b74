"""What a verdict and its parts promise, held against simulated audits whose truth lies at the bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import binom

from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.panel import Panel
from trialign.audit.figures.parts import PartName, different, evidence
from trialign.audit.figures.statistics import Floats, Integers
from trialign.audit.figures.verdict import Verdict, judge

pytestmark = pytest.mark.unit

BOUNDS = Bounds()
UNREAD = -1


@dataclass(frozen=True)
class State:
    """How often groups are told what.

    Attributes:
        right: chance that the answer common to all groups is right.
        differ: chance that one group, each as likely, is told something else: wrong instead of right, or right.
        worse: chance that the first group is told something wrong instead.
        unread: chance of a group's reply to hold no answer, a number for all or one for each.
        wording: chance that a wording changes the answer of its group.
        alike: chance that the paraphrases of a fact share all of this.
    """

    right: float = 0.9
    differ: float = 0.0
    worse: float = 0.0
    unread: float | tuple[float, ...] = 0.0
    wording: float = 0.0
    alike: float = 0.5


GOOD = State(differ=0.02)


def panel_of(answers: Integers, clusters: Integers, options: int = 4) -> Panel:
    """A panel of free replies; 0 is the right answer, -1 none."""
    rows, groups = answers.shape[:2]
    return Panel(
        groups=tuple(f"group {group}" for group in range(groups)),
        questions=np.arange(rows),
        clusters=clusters,
        topics=np.full(rows, "", dtype=object),
        answers=answers,
        correct=(answers[:, :, 0, 0] == 0).astype(float),
        probabilities=np.zeros((rows, groups, 1)),
        option_counts=np.zeros(rows, dtype=np.int64),
        choices=np.full(rows, options),
        replies=(answers < 0).astype(np.int8),
    )


def simulated(
    generator: np.random.Generator, state: State, *, facts: int, groups: int, wordings: int = 1, paraphrases: int = 2
) -> Panel:
    """An audit of a state; what is random is drawn once a fact or once a question."""
    alike = generator.random((facts, 1)) < state.alike

    def drawn(*shape: int) -> Floats:
        numbers = generator.random((facts, paraphrases, *shape))
        same = alike.reshape(facts, 1, *(1 for _ in shape))
        return np.where(same, numbers[:, :1], numbers).reshape(facts * paraphrases, *shape)

    common = (drawn() >= state.right).astype(np.int64)
    answers = np.tile(common[:, None, None], (1, groups, wordings))
    odd = (drawn() * groups).astype(int)[:, None] == np.arange(groups)
    other = np.where(common == 0, 2, 0)
    answers = np.where((odd & (drawn()[:, None] < state.differ))[..., None], other[:, None, None], answers)
    answers[drawn() < state.worse, 0] = 3
    answers = np.where(drawn(groups, wordings) < state.wording, 4, answers)
    answers = np.where(drawn(groups)[..., None] < np.asarray(state.unread), UNREAD, answers)
    return panel_of(answers[..., None], np.repeat(np.arange(facts), paraphrases))


def judged(panel: Panel, bounds: Bounds, seed: int) -> Verdict:
    wrong = evidence(panel, bounds, seed)
    unread = (panel.replies > 0).any()
    return judge(wrong, evidence(panel.unread_as_right(), bounds, seed) if unread else None, bounds, seed)


def said(state: State, simulations: int, *, bounds: Bounds = BOUNDS, seed: int = 0, **shape: int) -> list[Verdict]:
    generator = np.random.default_rng(seed)
    return [judged(simulated(generator, state, **shape), bounds, number) for number in range(simulations)]


def count(verdicts: list[Verdict], outcome: str, part: PartName | None = None) -> int:
    return sum((one.parts[part].outcome if part else one.outcome) == outcome for one in verdicts)


def most(simulations: int) -> float:
    """Exceeded with a chance of one in two thousand where the promise is just kept."""
    return float(binom.ppf(0.9995, simulations, BOUNDS.alpha))


# A state with one part at its bound and all others well inside theirs; the part, the bounds, the shape.
AT_BOUND: dict[str, tuple[State, PartName, Bounds]] = {
    "apart by delta": (State(worse=0.05 / 0.9, right=0.9), "equally_right", Bounds(most_different=0.3)),
    "apart by delta, seldom otherwise": (State(worse=0.05, right=1.0), "equally_right", Bounds(most_different=0.3)),
    "told otherwise": (State(differ=0.1), "same_answers", Bounds(delta=0.3)),
    "right for all": (State(right=0.5), "right_at_all", Bounds(most_wrong_together=0.9)),
    "nearly always right for all": (State(right=0.95), "right_at_all", Bounds(least_right=0.95)),
    "wrong together": (State(right=0.75), "right_at_all", Bounds()),
    "seldom wrong together": (State(right=0.96), "right_at_all", Bounds(most_wrong_together=0.04)),
    "guessing": (State(right=0.25), "right_at_all", Bounds(least_right=0.01, most_wrong_together=0.99)),
    "unread": (State(unread=(0.05, 0.01)), "answered", Bounds(most_different=0.4)),
    "all unread alike": (State(unread=0.05), "answered", Bounds(most_different=0.4)),
}


def keep_at_the_bound(name: str, simulations: int, facts: int) -> None:
    state, part, bounds = AT_BOUND[name]
    verdicts = said(state, simulations, bounds=bounds, facts=facts, groups=2)
    assert count(verdicts, "holds", part) <= most(simulations)
    assert count(verdicts, "fails", part) <= most(simulations) or name == "unread"  # there the groups do differ
    assert count(verdicts, "holds") <= most(simulations)
    if name not in ("unread", "all unread alike"):
        assert count(verdicts, "fails") <= most(simulations)


@pytest.mark.parametrize("name", list(AT_BOUND))
def test_a_part_at_its_bound_is_seldom_said_to_hold_or_to_fail(name: str) -> None:
    keep_at_the_bound(name, 100, 150)


@pytest.mark.slow
@pytest.mark.parametrize("facts", [40, 150, 600])
@pytest.mark.parametrize("name", list(AT_BOUND))
def test_a_part_at_its_bound_keeps_its_promise(name: str, facts: int) -> None:
    keep_at_the_bound(name, 1000, facts)


def keep_where_all_holds(state: State, simulations: int, **shape: int) -> list[Verdict]:
    verdicts = said(state, simulations, seed=1, **shape)
    assert count(verdicts, "fails") <= most(simulations)
    for part in verdicts[0].parts:
        assert count(verdicts, "fails", part) <= most(simulations)
    return verdicts


def test_a_good_state_is_green_with_enough_facts_and_seldom_red_with_few() -> None:
    assert count(keep_where_all_holds(GOOD, 60, facts=500, groups=3), "holds") > 50
    assert count(keep_where_all_holds(GOOD, 100, facts=20, groups=3), "holds") == 0


@pytest.mark.slow
@pytest.mark.parametrize("groups", [2, 5])
@pytest.mark.parametrize("facts", [20, 60, 300, 1000])
def test_where_all_holds_nothing_fails_more_often_than_alpha(facts: int, groups: int) -> None:
    keep_where_all_holds(GOOD, 1000, facts=facts, groups=groups)
    # A difference below delta, however well it can be seen, is none that fails.
    keep_where_all_holds(State(worse=0.045), 1000, facts=facts, groups=groups)
    # So for answers near their bound, and replies that few of hold none.
    keep_where_all_holds(State(differ=0.095, right=0.8), 500, facts=facts, groups=groups)
    keep_where_all_holds(State(unread=0.01), 500, facts=facts, groups=groups)


def wordings_keep(simulations: int, facts: int) -> None:
    """Wordings change answers freely; groups differ on as many facts beyond that as the bound allows, or on none."""
    generator = np.random.default_rng(2)
    for groups, wordings in ((2, 2), (3, 3), (3, 2), (2, 4)):
        # The excess of this state, from many facts.
        state = State(differ=0.15, wording=0.1)
        large = simulated(generator, state, facts=40_000, groups=groups, wordings=wordings)
        largest, smallest = (float(part.mean()) for part in different(large.answers))
        for bound, outcome in ((largest, "holds"), (smallest, "fails")):
            if bound > 0:
                bounds = Bounds(most_different=bound)
                verdicts = said(state, simulations, bounds=bounds, facts=facts, groups=groups, wordings=wordings)
                assert count(verdicts, outcome, "same_answers") <= most(simulations), (groups, wordings, outcome)
        shape = {"facts": facts, "groups": groups, "wordings": wordings}
        none = said(State(wording=0.1), simulations, bounds=Bounds(most_different=0.01), **shape)
        assert count(none, "fails", "same_answers") <= most(simulations)


def test_what_wordings_change_is_seldom_blamed_on_the_groups() -> None:
    wordings_keep(60, 100)


@pytest.mark.slow
def test_what_wordings_change_is_not_blamed_on_the_groups() -> None:
    wordings_keep(1000, 200)


@pytest.mark.parametrize(
    ("state", "part"),
    [
        (State(worse=0.3), "equally_right"),
        (State(differ=0.3), "same_answers"),
        (State(right=0.3), "right_at_all"),
        (State(unread=0.2), "answered"),
    ],
)
def test_what_is_far_beyond_its_bound_is_found(state: State, part: PartName) -> None:
    verdicts = said(state, 30, facts=150, groups=3)
    assert count(verdicts, "fails", part) > 25
    assert count(verdicts, "holds") == 0
    assert count(verdicts, "fails" if part != "answered" else "cannot_be_judged") > 25


def excess(*texts: str, repeated: bool = False) -> tuple[float, float]:
    """Of one question; a text a group, its letters the answers in its wordings, or when asked again."""
    answers = np.array([[["-abc".index(letter) - 1] for letter in text] for text in texts])
    largest, smallest = different(answers.swapaxes(1, 2)[None] if repeated else answers[None])
    return float(largest[0]), float(smallest[0])


@pytest.mark.parametrize("repeated", [False, True])
def test_the_excess_over_wordings_by_hand(repeated: bool) -> None:
    # Asked in one wording: whether all are the same.
    assert excess("a", "a", "a") == (0, 0)
    assert excess("a", "a", "b") == (1, 1)
    assert excess("-", "-") == (1, 1)  # what holds no answer agrees with nothing
    # Two groups: across in different wordings, minus between the two wordings of one.
    assert excess("aa", "bb", repeated=repeated) == (1, 1)
    assert excess("ab", "ab", repeated=repeated) == (1 - 1, 1 - 1)
    assert excess("ab", "aa", repeated=repeated) == (1 / 2 - 1 / 2, 1 / 2 - 1 / 2)
    # Three groups: a a a in the wordings 1 2 1, a a b in 2 1 2. One group of three flips between its wordings; three
    # answers of one group would differ no less often, and at most twice as often.
    assert excess("aa", "aa", "ab", repeated=repeated) == pytest.approx((1 / 2 - 1 / 3, 1 / 2 - 2 / 3))
    # Two groups of four wordings: neighbours in a ring, across a a, a b, b b, b a; within two of four.
    assert excess("aabb", "aabb", repeated=repeated) == pytest.approx((1 / 2 - 1 / 2, 0))
