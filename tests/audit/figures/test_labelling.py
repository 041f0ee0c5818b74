from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from trialign.audit.figures.compared_replies import SaidReplies
from trialign.audit.figures.labelling import (
    MOST_PAIRS,
    Queue,
    agreement,
    labelling_queue,
    settled_pairs,
    standing,
)
from trialign.audit.files.labels import GivenLabel
from trialign.comparing.pairs import Verdict, by_canonical
from trialign.queries import PreferenceQuery, Query, TruthQuery

pytestmark = pytest.mark.unit


def fact(number: int, cluster: int) -> TruthQuery:
    return TruthQuery(
        query_id=f"q{number}",
        cluster=f"c{cluster}",
        split="test",
        topic="",
        question=f"What is number {number}?",
        options=("Paris", "Rome"),
        gold="Paris",
    )


def replies(said: Sequence[Sequence[str]], paraphrases: int = 1, wordings: int = 1) -> SaidReplies:
    """Of as many groups as there are texts to a question, by the number of wordings."""
    width = len(said[0])
    return SaidReplies(
        query_ids=np.array([f"q{number}" for number in range(len(said))], dtype=object),
        clusters=np.arange(len(said)) // paraphrases,
        texts=np.array(said, dtype=object),
        groups=[place // wordings for place in range(width)],
        wordings=[place % wordings for place in range(width)],
    )


def queries(number: int, paraphrases: int = 1) -> dict[str, Query]:
    return {f"q{place}": fact(place, place // paraphrases) for place in range(number)}


# Of three facts, one is told the same in other words, one otherwise, one in the same words.
SAID = (
    ("Paris, of course.", "Paris is the answer."),
    ("Paris, of course.", "It must be Rome."),
    ("It is Paris.", "it is Paris"),
)


def queue(facts: int, seed: int = 0) -> Queue:
    return labelling_queue(queries(facts), replies([SAID[place % 3] for place in range(facts)]), seed)


def label(name: str, key: str, said: Verdict, settles: bool = False) -> GivenLabel:
    return GivenLabel("2026-01-01T00:00:00+00:00", "account", name, key, said, settles)


def test_both_sorts_are_asked_about_in_turn_and_the_same_words_not_at_all() -> None:
    found = queue(90)
    assert found.drawn == {True: 30, False: 30}
    assert [one.called_same for one in found.pairs] == [True, False] * 30
    assert [told.verdict for told in by_canonical([one.pair for one in found.pairs[:2]])] == ["same", "other"]
    assert len(found.alike) == 30
    assert all({one.first, one.second} == set(SAID[2]) for one in found.alike)


def test_no_more_are_asked_about_than_people_read_and_what_is_left_stands_for_itself() -> None:
    found = queue(900)
    assert len(found.pairs) == MOST_PAIRS
    assert found.drawn == {True: 300, False: 300}


def test_the_seed_draws_pairs_and_their_order() -> None:
    assert queue(90) == queue(90)
    assert [one.key for one in queue(90, 1).pairs] != [one.key for one in queue(90).pairs]
    first = [one.pair.first for one in queue(90).pairs if one.called_same]
    assert {*first} == {*SAID[0]}  # whose reply stands first is drawn, too
    assert 5 < first.count(SAID[0][0]) < 25


def test_a_pair_is_of_two_groups_and_another_fact() -> None:
    """Three groups in two wordings, two paraphrases of a fact: two groups in two wordings, of one of the two."""
    said = [[f"It is Rome, says {group} in {wording}." for group in "abc" for wording in "xy"]] * 60
    found = labelling_queue(queries(60, 2), replies(said, 2, 2), 3)
    assert len(found.pairs) == 30
    assert len({one.pair.query.cluster for one in found.pairs}) == 30
    drawn = {(one.pair.first[17:-1], one.pair.second[17:-1]) for one in found.pairs}
    assert all(one[0] != other[0] and one[-1] != other[-1] for one, other in drawn)
    assert len(drawn) > 8


def test_what_says_nothing_and_what_is_no_fact_is_not_asked_about() -> None:
    said = [
        ("", "It is Paris, I say."),
        ("It is Paris, I say.", "Rome, of course."),
        ("Tea is best.", "I like coffee."),
    ]
    taste = PreferenceQuery.asked("Tea or coffee?", ("tea", "coffee"))
    found = labelling_queue({"q0": fact(0, 0), "q1": fact(1, 1), "q2": taste}, replies(said), 0)
    assert [one.pair.query.query_id for one in found.pairs] == ["q1"]
    assert labelling_queue({}, replies(said), 0).pairs == ()


def test_two_who_say_the_same_settle_a_pair_and_where_they_differ_somebody_does() -> None:
    found = queue(30)
    first, second, third, fourth = (one.key for one in found.pairs[:4])
    given = [
        label("Ana", first, "other"),
        label("Ana", first, "same"),  # the last holds
        label("bo", first, "same"),
        label("Ana", second, "same"),
        label("bo", second, "cannot tell"),
        label("ANA", third, "other"),
        label("Ana", "of another queue", "other"),
    ]
    now = standing(found, given)
    assert list(now.said) == ["Ana", "bo"]
    assert now.said["Ana"] == {first: "same", second: "same", third: "other"}
    assert now.settled == {first: "same"}
    assert now.differing == (second,)
    assert now.once == 1
    settled = standing(found, [*given, label("bo", second, "other", True), label("Cy", second, "same")])
    assert settled.settled == {first: "same", second: "other"}
    assert settled.differing == ()
    # Alone nobody settles anything by labelling twice.
    assert standing(found, [label("Ana", fourth, "same"), label("ana ".strip(), fourth, "same")]).settled == {}


def test_kappa_by_hand() -> None:
    """Ten pairs: 5 both same, 2 both other, 1 and 2 apart. Chance: (6 x 7 + 4 x 3) / 100 = .54; (.7 - .54) / .46."""
    one = dict(enumerate(["same"] * 6 + ["other"] * 4))
    two = dict(enumerate(["same"] * 5 + ["other"] + ["other"] * 2 + ["same"] * 2))
    found = agreement(one, two)  # type: ignore[arg-type]
    assert found is not None
    assert (found.share.found, found.share.of) == (7, 10)
    assert found.kappa == pytest.approx(0.16 / 0.46)
    low, high = found.share.interval()
    assert found.low == pytest.approx((low - 0.54) / 0.46)
    assert found.high == pytest.approx((high - 0.54) / 0.46)


def test_where_kappa_is_undefined_nothing_is_said_and_perfect_agreement_has_its_doubt() -> None:
    all_same = agreement({"a": "same", "b": "same"}, {"a": "same", "b": "same"})
    assert all_same is not None
    assert (all_same.kappa, all_same.low) == (None, None)
    perfect = agreement({"a": "same", "b": "other"}, {"a": "same", "b": "other", "c": "same"})
    assert perfect is not None
    assert perfect.kappa == 1
    assert perfect.low is not None
    assert perfect.low < 0
    assert agreement({"a": "same"}, {"b": "same"}) is None


def test_the_pairs_stand_for_all_facts_that_were_drawn() -> None:
    found = queue(900)
    keys = [one.key for one in found.pairs[:40]]
    told: list[Verdict] = ["same" if one.called_same else "other" for one in found.pairs[:40]]
    given = [label(name, key, said) for name in ("Ana", "Bo") for key, said in zip(keys, told, strict=True)]
    given[1] = label("Ana", keys[1], "cannot tell")
    given += [label("Bo", keys[3], "cannot tell", True)]
    pairs = settled_pairs(found, standing(found, given))
    assert len(pairs) == 38 + 300
    assert math.isclose(sum(one.stands_for for one in pairs), 900)
    assert {(one.sort, one.stands_for) for one in pairs} == {
        ("canonical answers say the same", 300 / 20),
        ("canonical answers do not say the same", 300 / 18),
        ("the same words", 1.0),
    }
    assert all(one.language == "en" for one in pairs)


def test_as_long_as_one_sort_has_no_label_there_is_no_file() -> None:
    found = queue(90)
    alike = [label(name, found.pairs[0].key, "same") for name in ("Ana", "Bo")]
    assert settled_pairs(found, standing(found, [])) == []
    assert settled_pairs(found, standing(found, alike)) == []
    both = [*alike, *(label(name, found.pairs[1].key, "other") for name in ("Ana", "Bo"))]
    assert len(settled_pairs(found, standing(found, both))) == 2 + 30
