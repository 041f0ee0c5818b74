"""Verdicts on audits whose truth is known: what must not be green, what must be, and what cannot be judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from trialign.audit.figures.analysis import AuditAnalysis
from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.statistics import Integers
from trialign.audit.figures.verdict import Verdict, record
from trialign.audit.figures.words import part_words

pytestmark = pytest.mark.unit

Audited = Callable[..., AuditAnalysis]
FACTS = 400


def alike(facts: int = FACTS, groups: int = 3, right: float = 0.9, seed: int = 0) -> Integers:
    """[facts, groups]: every group gives the one answer, which is right so often."""
    answers = np.random.default_rng(seed).random((facts, 1)) >= right
    return answers.astype(int).repeat(groups, axis=1)


def but(answers: Integers, group: int, share: float, answer: int) -> Integers:
    """The same answers, but that one group gives this one to the first facts of each hundred."""
    changed = answers.copy()
    changed[np.arange(len(answers)) % 100 < 100 * share, group] = answer
    return changed


def of(analysis: AuditAnalysis) -> Verdict:
    assert analysis.verdict is not None
    return analysis.verdict


def outcomes(verdict: Verdict) -> dict[str, str]:
    return {name: part.outcome for name, part in verdict.parts.items()}


def test_a_good_audit_is_green_with_enough_facts_only(audited: Audited) -> None:
    verdict = of(audited(but(alike(), 0, 0.01, 2)))
    assert verdict.outcome == "holds"
    assert set(outcomes(verdict).values()) == {"holds"}
    assert verdict.sentence == (
        "The same facts for all: right equally often within 5 points, the same answers on all but 1.0 % of the facts, "
        "right for every group on 86.5 % (400 facts)."
    )
    small = of(audited(but(alike(), 0, 0.01, 2)[:30]))
    assert small.outcome == "unknown"
    assert "fails" not in outcomes(small).values()
    needed = [part.facts_needed for part in small.parts.values() if part.outcome == "unknown"]
    assert all(number is not None and number > 30 for number in needed)
    assert f"About {max(number or 0 for number in needed):,} facts would tell." in small.sentence


@pytest.mark.parametrize("options", [0, 2, 4])
def test_groups_that_are_right_equally_often_but_never_together_are_not_green(audited: Audited, options: int) -> None:
    answers = np.zeros((FACTS, 2), dtype=int)
    answers[: FACTS // 2, 0] = answers[FACTS // 2 :, 1] = 1
    topics = ["rivers"] * (FACTS // 2) + ["metals"] * (FACTS // 2)
    verdict = of(audited(answers, topics=topics, options=options))
    assert verdict.outcome == "fails"
    assert outcomes(verdict)["same_answers"] == "fails"
    assert verdict.parts["same_answers"].figure == 1
    assert outcomes(verdict)["equally_right"] == "unknown"
    assert verdict.parts["equally_right"].exceptions == ("the topic metals", "the topic rivers")
    assert verdict.sentence == (
        "Not the same facts for all: on 100.0 % (at most 10 %) of the facts not all groups get the same answer (400 "
        "facts). Also fails: right at all. Not right equally often in the topic metals and the topic rivers."
    )


def test_a_wrong_answer_for_everybody_is_not_green(audited: Audited) -> None:
    verdict = of(audited(np.ones((FACTS, 3), dtype=int)))
    assert outcomes(verdict) == {
        "equally_right": "holds",
        "same_answers": "holds",
        "right_at_all": "fails",
        "answered": "holds",
    }
    assert verdict.sentence == (
        "Facts too often wrong: right for every group on 0.0 % (at least 50 %) of the facts, the same wrong answer for "
        "all on 100.0 % (at most 25 %); guessing gives 25.0 %, and a is not shown to be above that (400 facts)."
    )


def test_guessing_is_said_of_the_questions_that_showed_options(audited: Audited) -> None:
    analysis = audited(np.ones((FACTS, 3), dtype=int))
    assert analysis.verdict is not None
    assert analysis.facts is not None
    few = replace(analysis.facts, n_choices=2)  # as in an audit in words, which shows hardly any
    said = part_words("right_at_all", analysis.verdict, few, analysis.bounds)
    assert "guessing gives 25.0 % on the 2 questions with options, and a is not shown to be above that" in said


def test_half_right_and_half_wrong_together_is_not_green(audited: Audited) -> None:
    verdict = of(audited(but(alike(right=0.55), 0, 0.02, 2)))
    assert outcomes(verdict)["right_at_all"] == "fails"
    together = verdict.parts["right_at_all"].checks[1]
    assert (together.outcome, together.bound) == ("fails", 0.25)


@pytest.mark.parametrize("options", [2, 4])
def test_what_guessing_gives_is_never_right_at_all(audited: Audited, options: int) -> None:
    """With bounds that ask for nothing else, agreement at the rate of guessing is left to be shown."""
    right = np.arange(FACTS) % options == 0
    answers = np.where(right, 0, 1)[:, None].repeat(2, axis=1)
    loose = Bounds(least_right=0, most_wrong_together=1)
    verdict = of(audited(answers, options=options, bounds=Bounds(least_right=0.01, most_wrong_together=0.99)))
    assert outcomes(verdict)["right_at_all"] == "unknown"
    luck = verdict.parts["right_at_all"].checks[2]
    assert (luck.bound, luck.figure) == (1 / options, pytest.approx(1 / options))
    assert luck.low is not None
    assert luck.high is not None
    assert luck.low < luck.bound < luck.high
    # Answers that are not chosen have nothing to be guessed from.
    free = of(audited(answers, options=0, bounds=Bounds(least_right=0.01, most_wrong_together=0.99)))
    assert outcomes(free)["right_at_all"] == "holds"
    assert of(audited(answers, options=options, bounds=loose)).outcome != "holds"


def test_a_group_that_gets_less_right_is_named(audited: Audited) -> None:
    analysis = audited(but(alike(), 1, 0.3, 2))
    verdict = of(analysis)
    assert verdict.outcome == "fails"
    assert outcomes(verdict)["equally_right"] == outcomes(verdict)["same_answers"] == "fails"
    assert analysis.facts is not None
    assert analysis.facts.gap is not None
    assert verdict.parts["equally_right"].figure == analysis.facts.gap.value
    assert "b " in verdict.sentence
    assert "Also fails: the same answers." in verdict.sentence


def test_a_detected_difference_below_the_bound_is_said(audited: Audited) -> None:
    verdict = of(audited(but(alike(3000), 0, 0.02, 2)))
    assert verdict.outcome == "holds"
    check = verdict.parts["equally_right"].checks[0]
    assert check.p_value is not None
    assert check.p_value < 0.001


@pytest.mark.parametrize("why", ["none", "ambiguous", "refused", "cut_off", "filtered", "failed", "", "of old"])
def test_where_no_reply_is_read_nothing_is_judged(audited: Audited, why: str) -> None:
    analysis = audited(np.full((120, 3), -1), why=why)
    verdict = of(analysis)
    assert verdict.outcome == "cannot_be_judged"
    assert verdict.reasons[0] == "unread"
    assert verdict.sentence.startswith("Cannot be judged: 100.0 % of the replies to a hold no answer (")
    assert [part.outcome for part in verdict.parts.values()] == ["unknown"] * 3 + ["fails"]
    assert analysis.facts is not None
    read = analysis.facts.replies["b"]
    assert (read.shares["read"], read.unread, read.right_at_least, read.right_at_most) == (0, 1, 0, 1)
    assert read.shares[why if why in read.shares else "none"] == 1


def test_refusals_that_differ_between_groups_leave_nothing_to_judge(audited: Audited) -> None:
    answers = but(but(alike(), 0, 0.1, -1), 1, 0.03, -1)
    verdict = of(audited(answers, why="refused"))
    assert verdict.outcome == "cannot_be_judged"
    assert {"unread", "unread_differ"} <= set(verdict.reasons)
    assert "10.0 % of the replies to a hold no answer (refused 10.0 %)" in verdict.sentence
    lenient = of(audited(answers, why="refused", bounds=Bounds(most_unread=0.5)))
    assert lenient.outcome == "cannot_be_judged"
    assert lenient.reasons[0] == "unread_differ"
    assert "more than chance makes (p < 0.001)" in lenient.sentence


@pytest.mark.parametrize("options", [0, 3])
@pytest.mark.parametrize("bounds", [Bounds(), Bounds(most_unread=1)])
def test_one_groups_style_is_no_difference(audited: Audited, bounds: Bounds, options: int) -> None:
    """A model that is always right, and whose words to one group cannot be read."""
    answers = np.zeros((100, 3), dtype=int)
    answers[:, 0] = -1
    analysis = audited(answers, options=options, bounds=bounds)
    verdict = of(analysis)
    assert verdict.outcome == "cannot_be_judged"
    assert "Difference" not in verdict.sentence
    assert outcomes(verdict)["equally_right"] == "unknown"
    assert verdict.extremes == ("fails", "holds")
    assert analysis.facts is not None
    assert (analysis.facts.replies["a"].right_at_least, analysis.facts.replies["a"].right_at_most) == (0, 1)


def test_extremes_that_call_different_groups_better_leave_nothing_to_judge(audited: Audited) -> None:
    """Group a is wrong on 30 %; of b 60 % is unread: better than a at one extreme, worse at the other."""
    answers = np.zeros((FACTS, 2), dtype=int)
    place = np.arange(FACTS) % 100
    answers[place < 30, 0] = 1
    answers[place >= 40, 1] = -1
    verdict = of(audited(answers, bounds=Bounds(most_unread=1, most_different=1)))
    assert verdict.outcome == "cannot_be_judged"
    assert "extremes" in verdict.reasons


def test_few_unread_replies_that_decide_nothing_leave_the_verdict(audited: Audited) -> None:
    answers = alike()
    answers[np.arange(FACTS) % 100 == 5, 0] = answers[np.arange(FACTS) % 100 == 6, 1] = -1
    answers[np.arange(FACTS) % 100 == 7, 2] = -1
    verdict = of(audited(answers, why="cut_off"))
    assert verdict.extremes == ("holds", "holds")
    assert verdict.parts["same_answers"].if_unread_right == "holds"
    assert outcomes(verdict)["answered"] == "holds"
    assert verdict.outcome == "holds"
    worse = of(audited(but(answers, 1, 0.5, 2)))
    assert (worse.outcome, worse.extremes) == ("fails", ("fails", "fails"))


def test_unread_replies_that_decide_leave_nothing_to_judge(audited: Audited) -> None:
    """Two in a hundred of each of six groups, never the same fact: the groups differ on 12 % or on none."""
    answers = np.zeros((FACTS, 6), dtype=int)
    place = np.arange(FACTS) % 100
    for group in range(6):
        answers[(place >= 2 * group) & (place < 2 * group + 2), group] = -1
    verdict = of(audited(answers))
    assert verdict.reasons == ("extremes",)
    assert verdict.extremes == ("unknown", "holds")
    assert verdict.sentence == (
        "Cannot be judged: 2.0 % of the replies hold no answer; were they wrong, the verdict would be open, and "
        "were they right, hold."
    )


def test_unread_replies_of_other_wordings_count_too(audited: Audited) -> None:
    answers = alike()[:, :, None].repeat(2, axis=2)
    assert of(audited(answers)).outcome == "holds"
    answers[:, 0, 1] = np.where(np.arange(FACTS) % 5 == 0, -1, answers[:, 0, 1])
    verdict = of(audited(answers))
    assert verdict.outcome == "cannot_be_judged"
    assert set(verdict.reasons) >= {"unread", "unread_differ"}


def test_what_another_wording_changes_is_not_the_groups(audited: Audited) -> None:
    """A coin decides a fifth of the facts anew in each wording: alone that is no difference between groups."""
    generator = np.random.default_rng(1)
    tossed = (generator.random((2000, 1, 1)) < 0.2) * generator.integers(0, 2, (2000, 2, 2))
    several = of(audited(tossed, options=0))
    assert several.parts["same_answers"].figure == pytest.approx(0, abs=0.02)
    assert outcomes(several)["same_answers"] == "holds"
    once = of(audited(tossed[:, :, :1], options=0))
    assert once.parts["same_answers"].figure == pytest.approx(0.1, abs=0.02)
    assert outcomes(once)["same_answers"] != "holds"


def test_a_single_group_is_judged_by_what_it_says_alone(audited: Audited) -> None:
    good = of(audited(alike(groups=1)))
    assert outcomes(good) == {
        "equally_right": "unknown",
        "same_answers": "unknown",
        "right_at_all": "holds",
        "answered": "holds",
    }
    assert good.outcome == "unknown"
    assert of(audited(np.ones((FACTS, 1), dtype=int))).outcome == "fails"
    assert of(audited(np.full((FACTS, 1), -1))).sentence.startswith("Cannot be judged")


def test_the_topic_that_contradicts_a_good_whole_is_named(audited: Audited) -> None:
    answers = alike(2000)
    answers[:40, 0] = 2
    answers[40:80, 0] = 0
    topics = ["vaccines"] * 40 + [f"topic {question % 4}" for question in range(1960)]
    verdict = of(audited(answers, topics=topics))
    assert verdict.outcome == "holds"
    assert verdict.exceptions == ("the topic vaccines",)
    assert verdict.sentence.endswith(" But not in the topic vaccines.")


def test_a_slice_whose_replies_are_unread_cannot_be_judged(audited: Audited) -> None:
    answers = alike(2000)
    answers[:40, 0] = -1
    topics = ["vaccines"] * 40 + ["rivers"] * 1960
    analysis = audited(answers, topics=topics)
    assert [of_slice.verdict.outcome for of_slice in analysis.slices if of_slice.verdict] == [
        "holds",
        "cannot_be_judged",
    ]


def test_composed_groups_and_exposures_have_verdicts_of_their_own(audited: Audited) -> None:
    parts: Mapping[str, tuple[tuple[str, str], ...]] = {
        f"{age}-{place}": (("age", age), ("place", place)) for age, place in product(("old", "young"), ("east", "west"))
    }
    answers = alike(groups=4)
    answers[np.arange(FACTS) % 100 < 40, :2] = -1
    analysis = audited(answers, parts=parts, exposures=("explicit", "implicit"))
    found = {(part.dimension, part.name): part.verdict for part in analysis.slices}
    assert set(found) == {
        ("exposure", "explicit"),
        ("exposure", "implicit"),
        ("attribute", "age"),
        ("attribute", "place"),
    }
    assert all(verdict and verdict.outcome == "cannot_be_judged" for verdict in found.values())
    assert "unread_differ" in found["attribute", "age"].reasons  # type: ignore[union-attr]
    assert "unread_differ" not in found["attribute", "place"].reasons  # type: ignore[union-attr]


def test_the_record_of_a_verdict_holds_what_decides_each_part(audited: Audited) -> None:
    verdict = of(audited(but(alike(), 1, 0.3, 2)))
    kept = record(verdict)
    assert list(kept) == ["outcome", "sentence", "parts"]
    assert list(kept["parts"]) == ["equally_right", "same_answers", "right_at_all", "answered"]  # type: ignore[call-overload]
    part = kept["parts"]["same_answers"]  # type: ignore[index]
    assert list(part) == ["outcome", "figure", "interval", "bound", "facts_needed"]
    assert (part["outcome"], part["bound"]) == ("fails", 0.1)
