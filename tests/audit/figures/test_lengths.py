"""How far answers go by the length of options, by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from trialign.audit.figures.analysis import analyze, read_analysis, write_analysis
from trialign.audit.figures.lengths import by_length, option_lengths
from trialign.audit.figures.summary import summarize
from trialign.audit.figures.words import guessing
from trialign.audit.files.items import items_frame
from trialign.queries import PreferenceQuery, TruthQuery
from trialign.scoring import Scoring

from .test_summary import GROUPS, fact

pytestmark = pytest.mark.unit


def question(name: str, *options: str, gold: str) -> TruthQuery:
    return TruthQuery(
        query_id=name, cluster=name, split="test", topic="", question="Which?", options=options, gold=gold
    )


QUESTIONS = (
    # One sign is one character: the Chinese option is the shortest, though it has six bytes and "tea" has three.
    question("q1", "北京", "tea", "coffee", gold="北京"),
    question("q2", "ice", "sun", "the moon", "Mercury!", gold="the moon"),  # two are shortest, two longest
    question("q3", "aa", "bb", gold="bb"),  # all alike
    question("q4", "long one", "no", gold="long one"),
)
# group:  a          b           c
ANSWERS = {
    "q1": ("北京", "tea", "coffee"),
    "q2": ("sun", "ice", "the moon"),
    "q3": ("aa", "bb", None),
    "q4": ("no", "no", "long one"),
}
CHOICES = {one.query_id: len(one.options) for one in QUESTIONS}


def items(answers: Mapping[str, Sequence[str | None]] = ANSWERS, **changes: Any) -> Any:
    gold = {one.query_id: one.gold for one in QUESTIONS}
    found = [
        fact(name, group, given, correct=given == gold[name], reward_truth=float(given == gold[name]), **changes)
        for name, of_groups in answers.items()
        for group, given in zip((*GROUPS, "none"), (*of_groups, gold[name]), strict=True)
    ]
    return found


def test_shortest_and_longest_are_counted_in_characters() -> None:
    found = option_lengths(QUESTIONS)
    assert {name: (one.shortest, one.longest) for name, one in found.items()} == {
        "q1": ({"北京"}, {"coffee"}),
        "q2": ({"ice", "sun"}, {"the moon", "Mercury!"}),
        "q3": ({"aa", "bb"}, {"aa", "bb"}),
        "q4": ({"no"}, {"long one"}),
    }
    assert [one.always_shortest for one in found.values()] == [1, 0, 0.5, 0]
    assert [one.always_longest for one in found.values()] == [0, 0.5, 0.5, 1]


def test_what_has_no_right_option_has_no_lengths() -> None:
    taste = PreferenceQuery(
        query_id="t", cluster="t", split="test", topic="", question="?", options=("a", "bb"), targets={}
    )
    number = replace(question("n", gold="12"), answer_kind="numeric")
    assert option_lengths([taste, number]) == {}


def test_the_shares_by_hand() -> None:
    # Shortest: a on all four, b on q2 to q4, c on none (its unread reply is no option).
    expected = {"a": 4 / 4, "b": 3 / 4, "c": 0}
    frame = items_frame([item for item in items() if item.group != "none"])
    found = by_length(frame, GROUPS, option_lengths(QUESTIONS), 0.95, 0)
    assert found is not None
    assert {group: one.value for group, one in found.chosen.items()} == pytest.approx(expected)
    assert found.mean.value == pytest.approx((1 + 3 / 4 + 0) / 3)
    assert found.guessed == pytest.approx((1 / 3 + 2 / 4 + 2 / 2 + 1 / 2) / 4)
    assert found.always_shortest == pytest.approx((1 + 0 + 1 / 2 + 0) / 4)
    assert found.always_longest == pytest.approx((0 + 1 / 2 + 1 / 2 + 1) / 4)
    assert found.n_questions == 4
    # Of the first two alone, whose lengths are known: what the others would add is not counted.
    part = by_length(frame, GROUPS, option_lengths(QUESTIONS[:2]), 0.95, 0)
    assert part is not None
    assert (part.n_questions, part.always_shortest, part.always_longest) == (2, 1 / 2, 1 / 4)
    assert by_length(frame, GROUPS, {}, 0.95, 0) is None


def test_the_summary_and_the_analysis_hold_them(tmp_path: Path) -> None:
    frame, lengths = items_frame(items()), option_lengths(QUESTIONS)
    summary = summarize(
        frame,
        step=0,
        data="house",
        exposure="explicit",
        split="test",
        scoring=Scoring(),
        eps=0.01,
        seconds=1.0,
        groups=GROUPS,
        choices=CHOICES,
        lengths=lengths,
    )
    truth = summary["truth"]
    assert truth["shortest"] == pytest.approx((1 + 3 / 4) / 3)
    assert truth["shortest_by_group"] == pytest.approx({"a": 1, "b": 3 / 4, "c": 0})
    assert (truth["always_shortest"], truth["always_longest"]) == pytest.approx((3 / 8, 1 / 2))
    analysis = analyze(frame, GROUPS, choices=CHOICES, lengths=lengths)
    assert analysis.facts is not None
    assert analysis.facts.by_length is not None
    assert analysis.facts.by_length.mean.value == pytest.approx(truth["shortest"])
    said = guessing(analysis.facts)
    assert "always a shortest option 37.5 %, always a longest 50.0 %" in said
    assert "a shortest option is chosen in 58.3 % of the answers (by guessing 58.3 %)" in said
    write_analysis(tmp_path / "analysis.json", analysis)
    assert read_analysis(tmp_path / "analysis.json") == analysis


def test_an_earlier_audit_knows_of_no_lengths(tmp_path: Path) -> None:
    analysis = analyze(items_frame(items()), GROUPS, choices=CHOICES)
    assert analysis.facts is not None
    assert analysis.facts.by_length is None
    assert guessing(analysis.facts) == "guessing gives 39.6 %"
    file = tmp_path / "analysis.json"
    write_analysis(file, analysis)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(',\n  "by_length": null', ""), encoding="utf-8")
    assert "by_length" not in file.read_text(encoding="utf-8")
    assert asdict(read_analysis(file)) == asdict(analysis)


def test_longer_questions_asked_in_other_wordings_are_left_aside() -> None:
    shortest = {name: sorted(one.shortest)[0] for name, one in option_lengths(QUESTIONS).items()}
    other = {name: (text,) * len(GROUPS) for name, text in shortest.items()}
    frame = items_frame([*items(), *items(other, wording=1)])
    found = analyze(frame, GROUPS, choices=CHOICES, lengths=option_lengths(QUESTIONS)).facts
    assert found is not None
    assert found.by_length is not None
    assert found.by_length.chosen["c"].value == 0
