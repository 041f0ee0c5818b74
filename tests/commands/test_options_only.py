"""The control that has the options alone: by one word, in training and in every audit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trialign.audit.files.items import read_items
from trialign.audit.files.record import read_about
from trialign.composition import compose
from trialign.config import load
from trialign.models import ChatRenderer, load_tokenizer, locate_base_model
from trialign.trajectories.records import read_part

pytestmark = pytest.mark.integration


def test_no_question_reaches_the_agents(project: Any) -> None:
    fitted = project.fit("objective=options_only", "trainer.steps=1", "audit.answers=[scored,replies]")
    assert fitted.code == 0, fitted.err
    config = load(compose(str(project.folder / "mine.yaml"), ["objective=options_only"]))
    assert (config.objective.question, config.prompt.question) == (False, False)
    renderer = ChatRenderer(load_tokenizer(locate_base_model(config.model)))
    words = {row["question"] for row in project.rows}
    (collection,) = project.collections()
    rows = [row for part in sorted(collection.glob("*.parquet")) for row in read_part(part)]
    seen = {renderer.tokenizer.decode(row.prompt) for row in rows}
    assert not [text for text in seen for question in words if question in text]
    # One prompt a group, and what was heard at the second turn: nothing else can differ.
    first = {row.prompt for row in rows if row.turn == 0}
    assert len(first) == 3
    for audit in sorted(project.runs.glob("mine/audits/*")):
        summary = json.loads((audit / "summary.json").read_text(encoding="utf-8"))
        assert summary["question"] is False
        assert "replies" not in summary  # nobody replies to no question
        about = read_about(audit)
        assert about is not None
        assert about.prompt["question"] is False
        items = read_items(audit / "items.parquet")
        own = items[(items["group"] == items["profile_group"]) & items["query_id"].str.startswith("sea")]
        for _, of_group in own.groupby("group"):
            shares = [list(one) for one in of_group["option_probabilities"]]
            assert shares[0] == pytest.approx(shares[1], abs=1e-6)  # two paraphrases, one list of options


def test_other_methods_put_their_questions(project: Any) -> None:
    config = load(compose(str(project.folder / "mine.yaml"), []))
    assert (config.objective.question, config.prompt.question) == (True, True)


def test_what_needs_a_question_is_refused(project: Any) -> None:
    for words, said in (
        (["objective=options_only", "scoring.kind=pmi"], "scoring.kind=pmi takes away the score without the question"),
        (["prompt.question=false", "objective.text.weight=1"], "no question that a teacher could answer"),
    ):
        refused = project.fit(*words)
        assert refused.code == 2
        assert said in refused.err
