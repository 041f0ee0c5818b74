"""Rivals that stand before the agents: what a gate takes for a fact goes another way, in every command alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from trialign.audit.files.items import read_items
from trialign.checkpoints import read_agents
from trialign.dashboard.live.engine import Engine
from trialign.dashboard.live.replies import Question, Source
from trialign.gating.gate import GATE, read_gate
from trialign.queries import PreferenceQuery
from trialign.runs import RunFolder

pytestmark = pytest.mark.integration

MEMBERS = ("north", "south", "island")
EVERYONE = (*MEMBERS, "control")
QUESTION, OPTIONS = "What is the capital of France?", ("Lyon", "Paris")
MORE = [f"Which {thing} is best?" for thing in ("hat", "song", "game", "chair", "lamp", "bread", "film", "book")]
HEAVY = [f"Which metal weighs {amount}?" for amount in ("most", "least", "ten grams", "a ton", "little", "an ounce")]


@pytest.fixture(scope="module")
def house(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A project with enough questions of both kinds for a classifier, and its runs of the gated methods."""
    project = make_project(tmp_path_factory.mktemp("gate") / "project")
    drink = next(row for row in project.rows if row["id"] == "drink")
    metal = next(row for row in project.rows if row["id"] == "metal-0")
    tastes = [{**drink, "id": f"taste-{n}", "question": text} for n, text in enumerate(MORE)]
    facts = [{**metal, "id": f"fact-{n}", "cluster": f"fact-{n}", "question": text} for n, text in enumerate(HEAVY)]
    project.write_rows([*project.rows, *tastes, *facts])
    project.set(trainer__steps=3, trainer__validate_every=0)
    for method in ("gate", "strip", "steer"):
        assert project.fit(f"name={method}", f"objective={method}").code == 0
    return project


def items_of(house: Any, method: str, step: int) -> Any:
    frame = read_items(house.runs / method / "audits" / f"step={step:06d}.house.test" / "items.parquet")
    return frame[frame["group"] == frame["profile_group"]]


def summary_of(house: Any, method: str, step: int) -> Any:
    folder = house.runs / method / "audits" / f"step={step:06d}.house.test"
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def decisions(house: Any, method: str) -> dict[str, bool]:
    """Test question -> whether its groups were asked without adapters of their own, by the audit's rows."""
    items = items_of(house, method, 3)
    members = items[items["group"] != "control"]
    return {query: bool(rows["adapter_sha256"].isna().all()) for query, rows in members.groupby("query_id")}


def test_the_audit_counts_the_gates_errors(house: Any) -> None:
    taken = decisions(house, "gate")
    kinds = items_of(house, "gate", 3).groupby("query_id")["kind"].first()
    facts, tastes = ([query for query in taken if kinds[query] == kind] for kind in ("truth", "preference"))
    assert (len(facts), len(tastes)) == (4, 1)
    found = summary_of(house, "gate", 3)["gate"]
    assert found == {
        "facts": "base",
        "truth": {"questions": 4, "taken_for_tastes": sum(not taken[query] for query in facts)},
        "preference": {"questions": 1, "taken_for_facts": sum(taken[query] for query in tastes)},
        "mixed": {"questions": 0, "taken_for_facts": 0},
    }
    assert any(taken.values())
    assert "gate" not in summary_of(house, "gate", 0)


def test_what_the_gate_takes_for_a_fact_is_the_base_models_answer_for_all(house: Any) -> None:
    taken = decisions(house, "gate")
    for query, rows in items_of(house, "gate", 3).groupby("query_id"):
        shares = {row.group: list(row.option_probabilities) for row in rows.itertuples()}
        alike = all(shares[group] == pytest.approx(shares["control"], abs=1e-5) for group in MEMBERS)
        assert alike == taken[query]


def test_the_agents_behind_a_strip_are_the_base_model(house: Any) -> None:
    folder = house.runs / "strip" / "agents" / "step=000003"
    for group in MEMBERS:
        weights = load_file(folder / group / "adapter_model.safetensors")
        assert all(not tensor.any() for name, tensor in weights.items() if "lora_B" in name)
    before, after = (items_of(house, "strip", step) for step in (0, 3))
    assert before["query_id"].tolist() == after["query_id"].tolist()
    gate = read_gate(read_agents(folder))
    assert gate is not None
    assert gate.facts == "neutral"
    found = summary_of(house, "strip", 3)["gate"]
    of_gate = summary_of(house, "gate", 3)["gate"]
    assert found == {**of_gate, "facts": "neutral"}  # the same classifier
    taken = decisions(house, "gate")
    for query, rows in after.groupby("query_id"):
        earlier = before[before["query_id"] == query]
        for group in MEMBERS:
            old, new = (
                list(frame[frame["group"] == group]["option_probabilities"].iloc[0]) for frame in (earlier, rows)
            )
            assert (old != pytest.approx(new, rel=1e-3)) == taken[query]


def test_steered_facts_are_the_base_models_with_other_states(house: Any) -> None:
    gate = read_gate(read_agents(house.runs / "steer" / "agents" / "step=000003"))
    assert gate is not None
    assert gate.steering is not None
    assert set(gate.steering.moves) == set(MEMBERS)
    before, after = (items_of(house, "steer", step) for step in (0, 3))
    taken = decisions(house, "gate")  # the same classifier
    own = read_agents(house.runs / "steer" / "agents" / "step=000003")
    for query, rows in after.groupby("query_id"):
        earlier = before[before["query_id"] == query]
        for group in EVERYONE:
            old, new = (
                list(frame[frame["group"] == group]["option_probabilities"].iloc[0]) for frame in (earlier, rows)
            )
            moved = taken[query] and group != "control"
            assert (old != pytest.approx(new, rel=1e-3)) == moved
            # Who is steered is another agent than the one whose adapter it goes through.
            digest = rows[rows["group"] == group]["adapter_sha256"].iloc[0]
            assert (digest == own.adapter_sha256(group)) == (not moved and group != "control")


@pytest.mark.parametrize("method", ["gate", "strip", "steer"])
def test_every_command_asks_through_the_gate(house: Any, method: str, capsys: pytest.CaptureFixture[str]) -> None:
    audited = items_of(house, method, 3)
    audited = audited[audited["query_id"] == "capital-0"].set_index("group")
    expected = {group: list(audited.loc[group, "option_probabilities"]) for group in EVERYONE}
    run = house.runs / method
    words = [word for option in OPTIONS for word in ("--option", option)]
    assert house.call("ask", QUESTION, *words, "--run", run, "--json").code == 0
    asked = {one["group"]: one["option_probabilities"] for one in json.loads(capsys.readouterr().out)}
    lines = house.write_rows([{"id": "q", "question": QUESTION, "options": list(OPTIONS)}], "unanswered.jsonl")
    assert house.call("predict", lines, "--run", run, "--output", house.folder / "answers.jsonl").code == 0
    line = json.loads((house.folder / "answers.jsonl").read_text(encoding="utf-8"))
    predicted = {group: one["option_probabilities"] for group, one in line["answers"].items()}
    source = Source(method, run / "config.yaml", 3, RunFolder(run).agents_at(3))
    typed = PreferenceQuery.asked(QUESTION, OPTIONS)
    live = Engine().answer(source, Question(typed, "explicit", EVERYONE), lambda _: False)
    shown = {reply.group: reply.probabilities for reply in live.replies}
    for group in EVERYONE:
        for found in (asked, predicted, shown):
            assert found[group] == pytest.approx(expected[group], abs=1e-5), group
    assert house.call("test", "--run", run).code == 0
    again = items_of(house, method, 3)
    again = again[again["query_id"] == "capital-0"].set_index("group")
    for group in EVERYONE:
        assert list(again.loc[group, "option_probabilities"]) == pytest.approx(expected[group], abs=1e-6)


def test_a_gate_that_was_changed_is_refused(house: Any, tmp_path: Path) -> None:
    file = house.runs / "gate" / "agents" / "step=000003" / GATE
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole.replace('"base"', '"neutral"'), encoding="utf-8")
    try:
        assert house.call("ask", QUESTION, "--run", house.runs / "gate").code == 2
    finally:
        file.write_text(whole, encoding="utf-8")


def test_steering_that_cannot_be_is_refused_before_anything_is_asked(project: Any) -> None:
    for words, what in (
        (("policy=basis",), "policy.adapters=basis"),
        (("policy.activation=profile", "prompt.profile=last"), "policy.activation=profile"),
    ):
        outcome = project.fit("objective=steer", *words)
        assert outcome.code == 2
        assert what in outcome.err
        assert not project.runs.exists()


def test_questions_of_one_kind_are_refused(make_project: Callable[[Path], Any], tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    project.write_rows([row for row in project.rows if row["kind"] == "preference"])
    assert project.fit("objective=gate").code == 2


def test_an_exported_folder_has_the_gate_and_says_so(house: Any) -> None:
    run, target = house.runs / "gate", house.folder / "exported"
    assert house.call("export", "--run", run, "--output", target).code == 0
    kept = run / "agents" / "step=000003" / GATE
    assert (target / GATE).read_bytes() == kept.read_bytes()
    assert GATE in (target / "README.md").read_text(encoding="utf-8")
    read_agents(target)  # every file of its manifest is there
