"""The verdict on scores and words together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trialign.audit.figures.analysis import AuditAnalysis, analyze, read_analysis, write_analysis
from trialign.audit.figures.verdict import VerdictOutcome
from trialign.audit.figures.whole import in_scores, whole_lead, whole_parts, whole_record, with_replies
from trialign.audit.files.items import AuditItem, items_frame

pytestmark = pytest.mark.unit

GROUPS = ("north", "south")


def analysis(outcome: VerdictOutcome = "holds") -> AuditAnalysis:
    """An analysis whose verdict has this outcome, whatever its figures."""
    items = [
        AuditItem(
            query_id=f"q{n}",
            cluster=f"q{n}",
            kind="truth",
            split="test",
            topic="",
            group=group,
            role="member",
            exposure="explicit",
            profile_group=group,
            answer="a",
            canonical="a",
            parse_status="exact",
            correct=True,
            reward_truth=1.0,
        )
        for n in range(20)
        for group in GROUPS
    ]
    made = analyze(items_frame(items), GROUPS)
    assert made.verdict is not None
    reasons = ("unread",) if outcome == "cannot_be_judged" else ()
    return replace(made, verdict=replace(made.verdict, outcome=outcome, reasons=reasons))  # type: ignore[arg-type]


F, C, U, H = "fails", "cannot_be_judged", "unknown", "holds"


@pytest.mark.parametrize(
    ("scores", "words", "both"),
    [
        (H, H, H),
        (H, U, U),
        (U, H, U),
        (H, C, C),
        (C, H, C),
        (U, C, C),
        (C, C, C),
        (F, H, F),
        (H, F, F),
        (F, C, F),
        (C, F, F),
        (U, U, U),
    ],
)
def test_the_whole_is_never_better_than_either(
    scores: VerdictOutcome, words: VerdictOutcome, both: VerdictOutcome
) -> None:
    first, second = analysis(scores), analysis(words)
    # What decides an outcome is not the matter here; a failing part is needed for the sentence alone.
    for one in (first, second):
        if one.verdict and one.verdict.outcome == "fails":
            one.verdict.parts["same_answers"] = replace(one.verdict.parts["same_answers"], outcome="fails")
    whole = with_replies(first, second, ())
    assert whole.verdict is not None
    assert whole.verdict.outcome == both
    assert whole.verdict.scores == scores
    assert in_scores(whole).outcome == scores  # type: ignore[union-attr]
    assert whole.replies is not None
    assert whole.replies.verdict is not None
    assert whole.replies.verdict.outcome == words
    found = whole_record(whole)
    assert found is not None
    assert (found["outcome"], found["scores"], found["words"]["outcome"]) == (both, scores, words)  # type: ignore[index]
    assert "In scores: " in whole.verdict.sentence
    assert "In words: " in whole.verdict.sentence
    assert [name for name, *_ in whole_parts(whole)] == [
        f"in {way}, {part}"
        for way in ("scores", "words")
        for part in ("equally right", "the same answers", "right at all", "answered")
    ]


def test_parts_are_told_by_their_own_side() -> None:
    """What cannot be judged in words does not leave the scores' parts unjudged."""
    whole = with_replies(analysis("holds"), analysis("cannot_be_judged"), ())
    words = {name: word for name, _, word, _ in whole_parts(whole)}
    assert words["in scores, the same answers"] != "not judged"
    assert words["in words, the same answers"] == "not judged"


def test_without_replies_nothing_is_said_of_words() -> None:
    alone = analysis("holds")
    assert alone.verdict is not None
    assert whole_parts(alone)[0][0] == "equally right"
    assert "words" not in whole_lead(alone)
    assert set(whole_record(alone) or ()) == {"outcome", "sentence", "parts"}


def test_both_sides_come_back_from_the_file(tmp_path: Path) -> None:
    whole = with_replies(analysis("holds"), analysis("cannot_be_judged"), ())
    write_analysis(tmp_path / "analysis.json", whole)
    assert read_analysis(tmp_path / "analysis.json") == whole
