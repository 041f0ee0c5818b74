"""What the studies of newcomers print of an audit: some groups held against others, by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from trialign.audit.files.items import AuditItem, items_frame

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import parted  # noqa: E402

pytestmark = pytest.mark.unit

# Three facts, two of them paraphrases of one; "yes" is right.
ANSWERS = {
    "river.a": {"new": "no", "old": "yes", "elder": "yes"},
    "river.b": {"new": "no", "old": "no", "elder": "yes"},
    "star": {"new": "yes", "old": "yes", "elder": "yes"},
}
# Two tastes: each agent's score on its own group's target, and on the others'.
SCORES = {
    "tea": {("new", "new"): 0.5, ("new", "old"): 0.75, ("new", "elder"): 0.25, ("old", "old"): 0.75},
    "sport": {("new", "new"): 0.75, ("new", "old"): 0.25, ("new", "elder"): 0.25, ("old", "old"): 0.25},
}


def item(query: str, group: str, **changes: Any) -> AuditItem:
    values: dict[str, Any] = {
        "query_id": query,
        "cluster": query.split(".")[0],
        "split": "test",
        "topic": "",
        "group": group,
        "profile_group": group,
        "role": "member",
        "exposure": "explicit",
        "answer": "",
        "parse_status": "",
    }
    return AuditItem(**values | changes)


@pytest.fixture(autouse=True)
def audit(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = [
        item(query, group, kind="truth", canonical=answer, correct=answer == "yes", reward_truth=float(answer == "yes"))
        for query, row in ANSWERS.items()
        for group, answer in row.items()
    ]
    tastes = [
        item(
            query, target, profile_group=agent, kind="preference", canonical="x", correct=None, reward_preference=score
        )
        for query, known in SCORES.items()
        for agent in ("new", "old", "elder")
        for target in ("new", "old", "elder")
        for score in [known.get((agent, target), 0.0)]
    ]
    frame = items_frame([*facts, *tastes])
    monkeypatch.setattr(parted, "read_items", lambda file: pd.DataFrame(frame))


def test_a_newcomer_against_those_that_were_trained() -> None:
    found = parted.figures(Path("any"), ["new"], ["old", "elder"])
    # Against old: differs on river.a; against elder: on both paraphrases of the river.
    assert found["flips"].values.tolist() == [1.0, 0.5, 0.0]
    assert found["accuracy"].values.tolist() == [0.0, 0.0, 1.0]
    assert sorted(found["own"].values.tolist()) == [0.5, 0.75]
    # Own minus the mean of the two others': .5 - .5 and .75 - .25.
    assert sorted(found["kept"].values.tolist()) == [0.0, 0.5]
    assert found["accuracy"].clusters.tolist()[0] == found["accuracy"].clusters.tolist()[1]


def test_pairs_within_the_groups_count_once() -> None:
    found = parted.figures(Path("any"), ["old", "elder"], ["old", "elder"])
    assert found["flips"].values.tolist() == [0.0, 1.0, 0.0]
    assert found["accuracy"].mean == pytest.approx(5 / 6)


def test_nobody_to_compare_with() -> None:
    found = parted.figures(Path("any"), ["new"], [])
    assert set(found) == {"accuracy", "own"}


def test_the_difference_is_paired_and_its_interval_is_of_clusters() -> None:
    fresh, seen = (parted.figures(Path("any"), [name], ["elder"]) for name in ("new", "old"))
    difference = fresh["flips"].minus(seen["flips"])
    assert difference.values.tolist() == [1.0, 0.0, 0.0]
    # Two facts: resampled, the mean lies between that of the star alone and that of the river alone.
    assert difference.interval == pytest.approx((0.0, 0.5))


def test_seeds_are_averaged_question_by_question() -> None:
    fresh, seen = (parted.figures(Path("any"), [name], ["elder"]) for name in ("new", "old"))
    assert parted.averaged([fresh["flips"], seen["flips"]]).values.tolist() == [0.5, 1.0, 0.0]
    table = parted.table("who", {"both": [fresh, seen], "alone": [parted.figures(Path("any"), ["new"], [])]})
    assert table.splitlines()[2].startswith("| both | 0.500 [")
    assert "| 0.500 [0.000, 0.750] |" in table.splitlines()[2]
    assert table.splitlines()[3].split(" | ")[2] == "-"
