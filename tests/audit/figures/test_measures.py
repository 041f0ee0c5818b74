"""One record of what is measured, and everything that reads it."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from trialign.audit.figures import measures
from trialign.audit.figures.comparison import Difference, differences, intervals, measure_audit, reading
from trialign.audit.figures.measures import Measure, fact_values, question_measures
from trialign.audit.figures.summary import summarize
from trialign.audit.report.terminal import audit_table, change_table
from trialign.metrics import AnswerDivergence, PreferenceAlignment, TruthDisparity
from trialign.scoring import Scoring

from .test_comparison import AFTER, BEFORE, GROUPS

pytestmark = pytest.mark.unit

DOCS = Path(__file__).parents[3] / "docs" / "audit.md"
# Four facts, three groups: all right, all wrong alike, one differs, two without an answer.
ANSWERS = np.array([[0, 0, 0], [1, 1, 1], [0, 0, 1], [-1, -1, 0]])


def test_measures_of_each_question_by_hand() -> None:
    answers = np.array([[0, 0, 0], [1, 1, 1], [0, 0, 1], [-1, -1, 0]])
    measures = question_measures(answers, answers == 0)
    assert {name: values.tolist() for name, values in measures.items()} == {
        "unanimous": [1, 1, 0, 0],
        "pair_agreement": pytest.approx([1, 1, 1 / 3, 0]),
        "right_for_all": [1, 0, 0, 0],
        "consistent_wrong": [0, 1, 0, 0],
        "no_answer": pytest.approx([0, 0, 0, 2 / 3]),
    }


def test_values_of_facts_by_hand() -> None:
    found = fact_values(ANSWERS, (ANSWERS == 0).astype(float))
    assert found == pytest.approx(
        {
            "flip_rate": (0 + 0 + 2 + 3) / 12,
            "unanimous": 2 / 4,
            "consistent_wrong": 1 / 4,
            "mean": (2 + 2 + 2) / 12,
            "worst": 2 / 4,
            "gap": 0,
            "no_answer": 2 / 12,
        }
    )


def test_absent_answers_agree_with_nothing() -> None:
    found = fact_values(np.full((2, 3), -1), np.zeros((2, 3)))
    assert (found["unanimous"], found["flip_rate"], found["consistent_wrong"], found["no_answer"]) == (0, 1, 0, 1)


def test_a_single_group_is_compared_with_nobody() -> None:
    found = fact_values(ANSWERS[:, :1], (ANSWERS[:, :1] == 0).astype(float))
    compared = ("flip_rate", "unanimous", "consistent_wrong", "gap")
    assert all(math.isnan(found[key]) for key in compared)
    assert (found["mean"], found["worst"], found["no_answer"]) == (2 / 4, 2 / 4, 1 / 4)


def test_keys_names_and_places_are_each_of_one_measure() -> None:
    for name in ("key", "path", "label", "words"):
        found = [value for measure in measures.ALL if (value := getattr(measure, name))]
        assert len(found) == len(set(found)), name
    assert all(measure.wanted for measure in measures.compared())


def test_metrics_have_the_keys_of_the_record() -> None:
    """What validation logs is below the path under which the summary has it."""
    truth, distances, tastes = TruthDisparity(2), AnswerDivergence(2), PreferenceAlignment(2)
    truth.update(torch.tensor([[0, 1]]), torch.tensor([0]))
    distances.update(torch.full((1, 2, 2), 0.5), torch.ones(1, 2, dtype=torch.bool))
    tastes.update(torch.full((1, 2, 2), 0.5), torch.full((1, 2, 2), 0.5))
    paths = {measure.path for measure in measures.ALL}
    assert {f"truth/{name}" for name in truth.compute()} <= paths
    assert {f"preference/{name}" for name in tastes.compute()} <= paths
    assert float(distances.compute()) == 0
    of_facts = {path.removeprefix("truth/") for path in paths if path.startswith("truth/")}
    of_options = {"chance", "always_shortest", "always_longest", "shortest", "shortest_guessed"}
    assert of_facts - set(truth.compute()) == {*of_options, "gap_noise", "jsd"}


def test_the_summary_holds_every_measure_of_facts_that_is_compared() -> None:
    summary = summary_of(AFTER)
    found = {
        one.measure: one.second for one in differences(measure_audit(BEFORE, GROUPS), measure_audit(AFTER, GROUPS))
    }
    of_facts = [measure for measure in measures.compared() if measure.path.startswith("truth/")]
    assert len(of_facts) == 7
    for measure in of_facts:
        assert measures.in_summary(measure, summary) == pytest.approx(found[measure.key])


def summary_of(items: object) -> dict[str, object]:
    about = {"step": 7, "data": "mine", "exposure": "explicit", "split": "test", "scoring": Scoring(), "eps": 0.01}
    return summarize(items, **about, seconds=1.0, groups=GROUPS)  # type: ignore[arg-type]


def test_the_table_of_the_documentation_is_the_record() -> None:
    head = "| key | in tables | in the dashboard | wanted | in | what it is |\n|---|---|---|---|---|---|\n"
    rows = [
        f"| `{m.key}` | {m.label.strip()} | {m.words} | {m.wanted or 'told beside'} | {m.unit} | {m.about} |"
        for m in measures.ALL
    ]
    assert head + "\n".join(rows) + "\n" in DOCS.read_text(encoding="utf-8")


def test_a_new_measure_is_one_record(monkeypatch: pytest.MonkeyPatch, example: Measure) -> None:
    """The example of CONTRIBUTING.md, in its place: everything that shows measures shows it."""
    monkeypatch.setattr(measures, "ALL", (*measures.ALL, example))
    found = differences(measure_audit(BEFORE, GROUPS), measure_audit(AFTER, GROUPS))
    best = found[-1]
    summary = summary_of(AFTER)
    accuracy = summary["truth"]["accuracy"]  # type: ignore[index]
    assert best.measure == "best"
    assert best.second == pytest.approx(max(accuracy.values()))
    assert best.p_holm is not None
    assert summary["truth"]["best"] == pytest.approx(best.second)  # type: ignore[index]
    assert set(intervals(found)) >= {"best"}
    text = io.StringIO()
    for table in (audit_table("run", summary), change_table("run", summary, found, 0.95)):
        Console(file=text, width=160).print(table)
    assert text.getvalue().count("accuracy, best group") == 2


@pytest.fixture
def example() -> Measure:
    text = (DOCS.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = text.partition("**A measure**")[2].partition("```python\n")[2].partition("```")[0]
    made = eval(block, {"Measure": Measure})
    assert isinstance(made, Measure)
    return made


CHANGE = Difference("unanimous", 0.5, 0.6, 0.1, 0.02, 0.18, 0.01)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (CHANGE, "as wanted"),
        (replace(CHANGE, low=-0.18, high=-0.02), "not as wanted"),
        (replace(CHANGE, low=-0.01), "within chance"),
        (replace(CHANGE, p_value=0.488), "within chance"),
        (replace(CHANGE, low=-0.18, high=-0.02, p_value=0.488), "within chance"),
        (replace(CHANGE, low=None, high=None), "not known"),
        (replace(CHANGE, unread_decide=True), "cannot be judged"),
        (replace(CHANGE, measure="consistent_wrong"), "not as wanted"),
        (replace(CHANGE, measure="consistent_wrong", low=-0.18, high=-0.02), "as wanted"),
        (replace(CHANGE, measure="gap"), "not as wanted"),
    ],
)
def test_a_change_is_as_wanted_where_interval_and_test_agree(change: Difference, said: str) -> None:
    assert reading(change, 0.05) == said
    if said == "as wanted":
        assert reading(change, 0.005) == "within chance"
