"""Agents whose answers were logged: looked up by group, question and repeat."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from trialign.asking import Answer
from trialign.audit.asking.logged import LoggedAgents
from trialign.errors import UserError
from trialign.groups import SocialGroup
from trialign.queries import TruthQuery
from trialign.queries.logs import LogConfig
from trialign.scoring import Scoring
from trialign.storage import sha256_of_file
from trialign.weighing import Asked

pytestmark = pytest.mark.unit

QUERY = TruthQuery(
    query_id="f1",
    cluster="f1",
    split="test",
    topic="t",
    question="What is ice?",
    options=("salt", "water"),
    gold="water",
)


def sample(reply: str = "water", **scores: float) -> dict[str, Any]:
    """One line of lm-evaluation-harness: a reply, or options with their log-probabilities."""
    doc = {"id": "f1", "group": "red"}
    if not scores:
        return {"doc": doc, "arguments": {"gen_args_0": {"arg_1": {}}}, "resps": [[reply]], "filtered_resps": [reply]}
    asked = {f"gen_args_{place}": {"arg_1": f" {option}"} for place, option in enumerate(scores)}
    replies = [[str(score), "False"] for score in scores.values()]
    return {"doc": doc, "arguments": asked, "resps": [[one] for one in replies], "filtered_resps": replies}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "samples.jsonl"


def agents(log: Path, *samples: dict[str, Any], scoring: Scoring | None = None, repeats: int = 1) -> LoggedAgents:
    log.write_text("".join(json.dumps(one) + "\n" for one in samples))
    config = LogConfig(str(log), repeats=repeats)
    return LoggedAgents.of("m", config, ("red", "blue"), {"f1": QUERY}, scoring or Scoring(), "mine")


def answer(made: LoggedAgents, group: str = "red", repeat: int = 0) -> Answer:
    (found,) = made.answer([Asked(QUERY, SocialGroup(group, group), "explicit", 0, repeat, ())])
    return found


def test_replies_are_told_apart_by_their_repeat(log: Path) -> None:
    made = agents(log, sample("water"), sample("salt"), repeats=2)
    assert made.scoring is None
    assert [answer(made, repeat=place).text for place in (0, 1)] == ["water", "salt"]
    with pytest.raises(UserError, match=r"samples.jsonl, row 2: 'red' answered .* before, at .*, row 1"):
        agents(log, sample("water"), sample("salt"))


def test_what_is_not_there_is_said(log: Path) -> None:
    made = agents(log, sample())
    assert made.has("red")
    assert not made.has("blue")
    with pytest.raises(UserError, match="no answer of 'blue' to the question 'f1'"):
        answer(made, "blue")
    with pytest.raises(UserError, match="no answer of 'red' to the question 'f1' 2 times"):
        answer(agents(log, sample(), repeats=2), repeat=1)


def test_scores_are_put_in_the_order_of_the_questions_options(log: Path) -> None:
    made = agents(log, sample(water=-1.0, salt=-3.0))
    found = answer(made)
    assert found.text == "water"
    assert found.option_probabilities == pytest.approx((1 / (1 + math.exp(2)), 1 / (1 + math.exp(-2))))


def test_scores_by_bytes(log: Path) -> None:
    """-4 / 4 bytes of salt, -6 / 5 bytes of water: the shares are as 1 to exp(-0.2), though the sums differ by 2."""
    found = answer(agents(log, sample(water=-6.0, salt=-4.0), scoring=Scoring("bytes")))
    assert found.option_probabilities == pytest.approx((1 / (1 + math.exp(-0.2)), 1 / (1 + math.exp(0.2))))


def test_scores_that_a_log_does_not_tell_are_refused(log: Path) -> None:
    with pytest.raises(UserError, match=r"scoring\.kind is mean"):
        agents(log, sample(salt=-4.0, water=-6.0), scoring=Scoring("mean"))


def test_other_options_are_refused(log: Path) -> None:
    with pytest.raises(UserError, match="the options were A, B, and those of the question 'f1' are salt, water"):
        answer(agents(log, sample(A=-4.0, B=-6.0)))


def test_the_files_are_known_by_their_bytes(log: Path) -> None:
    made = agents(log, sample())
    assert made.about() == {"source": "logs", "name": "m", "files": {str(log): sha256_of_file(log)}, "repeats": 1}
