"""The reader held against authored replies, sort by sort (`replies/README.md`)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from trialign.queries.answers import parse_answer
from trialign.queries.statuses import READ_STATUSES, UNREAD_STATUSES

pytestmark = pytest.mark.unit

_FILE = Path(__file__).parents[2] / "benchmarks" / "reading.py"
_SPEC = importlib.util.spec_from_file_location("reading_benchmark", _FILE)
assert _SPEC
assert _SPEC.loader
reading = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = reading  # dataclasses look their module up
_SPEC.loader.exec_module(reading)

CORPUS = {name: reading.cases(reading.FOLDER / f"{name}.jsonl") for name in reading.SETS}
TUNED = CORPUS["tuned"]
EVERY = [case for cases in CORPUS.values() for case in cases]


def test_the_corpus_is_large_and_varied() -> None:
    assert len(EVERY) >= 400
    assert len({case["sort"] for case in EVERY}) >= 20
    assert len({case["language"] for case in EVERY}) >= 8
    assert len({case["id"] for case in EVERY}) == len(EVERY)


@pytest.mark.parametrize("name", reading.SETS)
def test_every_case_is_well_formed(name: str) -> None:
    for case in CORPUS[name]:
        assert (case["reading"] is None) == (case["status"] in UNREAD_STATUSES), case["id"]
        if case["kind"] == "choice":
            assert case["gold"] in case["options"], case["id"]
            assert case["reading"] in (None, *case["options"]), case["id"]


@pytest.mark.parametrize(("name", "right", "misread"), [(name, *bounds) for name, bounds in reading.SETS.items()])
def test_the_reader_meets_its_goals(name: str, right: float, misread: float) -> None:
    scores = reading.scores(reading.trialign, CORPUS[name])
    everything = scores.pop("all")  # by sort: python benchmarks/reading.py
    assert everything.right / everything.cases >= right
    assert everything.misread / everything.cases <= misread


def test_no_sort_is_read_badly_in_what_is_tuned_on() -> None:
    everything = [case for name, (right, _) in reading.SETS.items() if right >= 0.98 for case in CORPUS[name]]
    scores = reading.scores(reading.trialign, everything)
    assert {sort: score.right / score.cases for sort, score in scores.items() if score.right < 0.9 * score.cases} == {}


def test_the_documents_show_the_figures_that_are_measured() -> None:
    made = reading.figures()
    for path in (reading.FOLDER / "README.md", reading.ROOT / "docs" / "audit.md"):
        assert made in path.read_text(encoding="utf-8"), "run: python benchmarks/reading.py --write"


def test_why_a_reply_is_unread_is_right_nearly_always() -> None:
    unread = [case for case in TUNED if case["reading"] is None and case["kind"] != "text"]
    parsed = [parse_answer(reading.query(case), case["reply"], case.get("prompt")) for case in unread]
    wrong = [case["id"] for case, one in zip(unread, parsed, strict=True) if one.status != case["status"]]
    assert len(wrong) <= 0.05 * len(unread), wrong
    assert all(one.status in (*READ_STATUSES, *UNREAD_STATUSES) for one in parsed)
