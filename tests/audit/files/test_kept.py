"""Replies that are kept while an audit is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialign.audit.files.kept import KeptBaseScores, KeptReplies
from trialign.audit.files.lines import forget_kept
from trialign.keeping import UNADAPTED, Reply

pytestmark = pytest.mark.unit

REPLY = Reply((5, 6, 2), 0.25)


def test_what_is_kept_is_there_for_the_next_process_and_every_rank(tmp_path: Path) -> None:
    KeptReplies(tmp_path / "audit", "w").keep({"a": REPLY, "b": Reply((7,))})
    KeptReplies(tmp_path / "audit", "w", rank=1).keep({"c": Reply((8,))})
    again = KeptReplies(tmp_path / "audit", "w")
    assert [again.get(key) for key in "abcd"] == [REPLY, Reply((7,)), Reply((8,)), None]
    assert len(again) == 3


def test_replies_of_other_weights_are_left_aside(tmp_path: Path) -> None:
    KeptReplies(tmp_path, "w").keep({"a": REPLY})
    assert KeptReplies(tmp_path, "other").get("a") is None


def test_a_torn_line_costs_its_reply_alone(tmp_path: Path) -> None:
    KeptReplies(tmp_path, "w").keep({"a": REPLY, "b": REPLY})
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    again = KeptReplies(tmp_path, "w")
    assert again.get("a") == REPLY
    assert again.get("b") is None
    again.keep({"b": REPLY})
    whole = KeptReplies(tmp_path, "w")
    assert whole.get("b") == REPLY


@pytest.mark.parametrize(
    "line", ["", "null", "[]", '{"key": "a"}', '{"weights": "w", "key": "a", "token_ids": [], "nats": null}']
)
def test_a_line_that_holds_no_reply_is_passed_over(tmp_path: Path, line: str) -> None:
    (tmp_path / ".replies-0.jsonl").write_text(line + "\n", encoding="utf-8")
    assert len(KeptReplies(tmp_path, "w")) == 0


def test_a_whole_audit_needs_them_no_longer(tmp_path: Path) -> None:
    KeptReplies(tmp_path, "w").keep({"a": REPLY})
    KeptReplies(tmp_path, "w", rank=3).keep({"b": REPLY})
    forget_kept(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_the_base_weights_said_alone_is_there_for_other_audits(tmp_path: Path) -> None:
    base, shared = f"{UNADAPTED}a", tmp_path / "base.jsonl"
    KeptReplies(tmp_path / "one", "w", unadapted=shared).keep({base: REPLY, "b": Reply((7,))})
    forget_kept(tmp_path / "one")
    other = KeptReplies(tmp_path / "two", "w", unadapted=shared)
    assert [other.get(key) for key in (base, "b")] == [REPLY, None]
    assert KeptReplies(tmp_path / "two", "other", unadapted=shared).get(base) is None
    assert KeptReplies(tmp_path / "two", "w").get(base) is None


def test_scores_of_the_base_weights_are_there_for_the_next_run_and_no_other_weights(tmp_path: Path) -> None:
    file = tmp_path / "answers" / "scores.jsonl"
    KeptBaseScores(file, "w").keep({"a": (-1.5, -2.25), "b": (-0.125,)})
    again = KeptBaseScores(file, "w")
    assert [again.get(key) for key in "abc"] == [(-1.5, -2.25), (-0.125,), None]
    assert KeptBaseScores(file, "other").get("a") is None


@pytest.mark.parametrize("scores", ["[]", "[NaN]", "[-1, Infinity]", "null", '["x"]', "7"])
def test_a_line_that_holds_no_scores_is_passed_over(tmp_path: Path, scores: str) -> None:
    file = tmp_path / "scores.jsonl"
    file.write_text(f'{{"weights": "w", "key": "a", "scores": {scores}}}\n', encoding="utf-8")
    kept = KeptBaseScores(file, "w")
    assert kept.get("a") is None
    kept.keep({"b": (-1.0,)})
    assert KeptBaseScores(file, "w").get("b") == (-1.0,)
