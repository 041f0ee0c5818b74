"""Parts of an audit: topics, exposures, and groups that are composed of attributes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from trialign.audit.figures.analysis import Slice, analyze
from trialign.audit.figures.bounds import Bounds
from trialign.audit.files.items import items_frame

from .test_analysis import answers, composed, facts_of, taste

pytestmark = pytest.mark.unit


def test_topics_and_exposures_are_slices_with_their_counts() -> None:
    items = [
        *answers({"f1.1": ("yes", "no"), "f1.2": ("yes", "no"), "f2": ("yes", "yes")}, ("a", "b"), topic="health"),
        *answers({"f3": ("no", "no")}, ("a", "b"), topic="law"),
        taste("t1", "a", "a", 0.5, topic="law"),
        taste("t1", "b", "b", 0.7, topic="law"),
        *answers({"f2": ("no", "yes")}, ("a", "b"), topic="health", exposure="implicit"),
    ]
    analysis = analyze(items_frame(items), ("a", "b"))
    found = {(part.dimension, part.name): part for part in analysis.slices}
    assert list(found) == [
        ("exposure", "explicit"),
        ("exposure", "implicit"),
        ("topic", "health"),
        ("topic", "law"),
    ]
    health, law = facts_of(found["topic", "health"]), facts_of(found["topic", "law"])
    assert (health.n_questions, health.n_clusters, law.n_questions, law.n_clusters) == (3, 2, 1, 1)
    assert {group: entry.value for group, entry in health.accuracy.items()} == pytest.approx({"a": 1, "b": 1 / 3})
    assert found["topic", "health"].opinions is None
    opinions = found["topic", "law"].opinions
    assert opinions is not None
    assert opinions.mean.own.value == pytest.approx(0.6)
    assert facts_of(found["exposure", "explicit"]) == facts_of(analysis)
    implicit = facts_of(found["exposure", "implicit"])
    assert (implicit.n_questions, implicit.accuracy["a"].value, implicit.accuracy["b"].value) == (1, 0, 1)


def test_a_slices_verdict_goes_by_the_corrected_p_value() -> None:
    # 12 facts that a alone gets right: p is about 2 / 2^12; the other topics are silent.
    items = [
        row
        for topic in range(4)
        for fact in range(12)
        for row in answers(
            {f"f{topic}-{fact}": ("yes", "no" if topic == 0 else "yes")}, ("a", "b"), topic=f"topic {topic}"
        )
    ]
    analysis = analyze(items_frame(items), ("a", "b"))
    slices = analysis.slices
    first = facts_of(slices[0])
    assert first.gap is not None
    assert slices[0].p_holm == pytest.approx(4 * first.gap.p_value)
    assert [equally_right(part) for part in slices] == ["fails", *["unknown"] * 3]
    assert analysis.verdict is not None
    assert "topic 0" in analysis.verdict.sentence
    strict = analyze(items_frame(items), ("a", "b"), bounds=Bounds(alpha=2 * first.gap.p_value))
    assert equally_right(strict.slices[0]) == "unknown"  # alone it would be a difference; among four topics it is none


def equally_right(part: Slice) -> str:
    assert part.verdict is not None
    return part.verdict.parts["equally_right"].outcome


def test_the_parts_of_composed_groups_are_compared_all_else_equal() -> None:
    parts = composed(education=("low", "high"), country=("iran", "usa"))
    groups = tuple(parts)
    #        low-iran low-usa high-iran high-usa
    table: dict[str, Sequence[str | None]] = {
        "f1": ("yes", "yes", "yes", "yes"),
        "f2": ("no", "no", "yes", "yes"),  # education decides
        "f3": ("no", "no", "yes", "no"),  # only together
    }
    frame = items_frame(answers(table, groups))
    slices = analyze(frame, groups, parts=parts).slices
    assert [(part.dimension, part.name) for part in slices] == [("attribute", "education"), ("attribute", "country")]
    education, country = (facts_of(part) for part in slices)
    assert (education.n_questions, education.n_clusters) == (3, 3)
    assert {group: entry.value for group, entry in education.accuracy.items()} == {
        "low": pytest.approx(2 / 6),
        "high": pytest.approx(5 / 6),
    }
    # In Iran f2 and f3 change with education, in the USA f2; with country only f3, of the highly educated.
    assert education.pair_agreement is not None
    assert country.pair_agreement is not None
    assert education.pair_agreement.value == pytest.approx(1 - 3 / 6)
    assert country.pair_agreement.value == pytest.approx(1 - 1 / 6)
    turned = analyze(frame, groups[::-1], parts=parts).slices
    assert facts_of(turned[0]).accuracy == {name: education.accuracy[name] for name in ("high", "low")}


def test_intersections_are_slices_too() -> None:
    parts = composed(x="ab", y="cd", z="ef")
    groups = tuple(parts)
    frame = items_frame(answers({"q": ["yes"] * 7 + ["no"], "r": ["no"] * 8}, groups))
    slices = analyze(frame, groups, parts=parts).slices
    assert [(part.dimension, part.name) for part in slices] == [
        ("attribute", "x"),
        ("attribute", "y"),
        ("attribute", "z"),
        ("intersection", "x x y"),
        ("intersection", "x x z"),
        ("intersection", "y x z"),
    ]
    assert {group: entry.value for group, entry in facts_of(slices[3]).accuracy.items()} == {
        "a-c": 0.5,
        "a-d": 0.5,
        "b-c": 0.5,
        "b-d": 0.25,
    }


def test_names_with_hyphens_are_no_attributes_of_their_own() -> None:
    parts = composed(place=("new-york", "rome"), age=("over-65", "under-65"))
    frame = items_frame(answers({"f": ("yes", "yes", "no", "no")}, tuple(parts)))
    place, age = (facts_of(part) for part in analyze(frame, tuple(parts), parts=parts).slices)
    assert {group: entry.value for group, entry in place.accuracy.items()} == {"new-york": 1.0, "rome": 0.0}
    assert {group: entry.value for group, entry in age.accuracy.items()} == {"over-65": 0.5, "under-65": 0.5}


def test_groups_that_are_no_product_have_no_attributes() -> None:
    parts = composed(place=("north", "south"), age=("old", "young"))
    single = {group: (("place", group),) for group in ("us-north", "us-south", "eu-north", "eu-south")}
    for groups, told in ((tuple(parts)[:3], parts), (tuple(parts)[:2], parts), (tuple(single), single)):
        frame = items_frame(answers({"q": ["yes"] * len(groups)}, groups))
        assert analyze(frame, groups, parts=told).slices == ()
    # What the names look like says nothing.
    assert analyze(items_frame(answers({"q": ["yes"] * 4}, tuple(parts))), tuple(parts)).slices == ()
