"""What the options alone give away to the embedded model."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pytest

from trialign.api.session import Session
from trialign.composition import compose
from trialign.config import load
from trialign.policy import ROOT, Segment, TreeRow
from trialign.policy.scoring import score_rows
from trialign.queries import SPLITS, TruthQuery
from trialign.queries.readers import read_query_files
from trialign.scoring import Scoring, ScoringKind, option_values

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def facts() -> list[TruthQuery]:
    queries = read_query_files([Path(str(files("trialign"))) / "data" / "facts.jsonl"])
    return [query for query in queries if isinstance(query, TruthQuery)]


@pytest.fixture(scope="module")
def scores(facts: Sequence[TruthQuery]) -> list[tuple[tuple[float, ...], list[int]]]:
    """Of every fact's options: log-probability sums after a request for an answer, and token counts."""
    composed = compose("conf/quickstart.yaml", [])
    session = Session(load(composed), composed)
    prompt = session.renderer.render((("system", session.config.prompt.system), ("user", "Give the right answer.")))
    options = [[session.renderer.reply(option) for option in query.options] for query in facts]
    rows = [
        TreeRow(0, (Segment(prompt, ROOT), *(Segment(action, 0, action=True) for action in actions)))
        for actions in options
    ]
    found = score_rows(session.policy, rows, reference=True)
    return [(values, [len(action) for action in actions]) for values, actions in zip(found, options, strict=True)]


@pytest.mark.parametrize("kind", ["sum", "mean"])
@pytest.mark.parametrize("split", SPLITS)
def test_without_the_question_the_model_is_at_chance(
    facts: Sequence[TruthQuery], scores: list[tuple[tuple[float, ...], list[int]]], split: str, kind: ScoringKind
) -> None:
    gained = []
    for query, (values, lengths) in zip(facts, scores, strict=True):
        if query.split == split:
            shares = Scoring(kind).distribution(
                option_values(values, lengths if kind == "mean" else [1] * len(lengths))
            )
            gained.append((shares.index(max(shares)) == query.gold_index) - 1 / len(query.options))
    assert sum(gained) / len(gained) <= 0.05
