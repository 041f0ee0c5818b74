"""What a gate does to what the agents are asked, with classifiers that are right, wrong and blind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from trialign.asking import LocalAgents
from trialign.audit.asking.run import AuditConfig, Auditor
from trialign.checkpoints import read_agents, write_agents
from trialign.environment import PromptConfig, first_turn
from trialign.errors import UserError
from trialign.gating.classifier import Classifier
from trialign.gating.gate import GATE, Gate, adapter_hashes, fit_gate, read_gate
from trialign.gating.neutral import neutralised
from trialign.gating.serving import Gatekeeper, gatekeeper
from trialign.gating.states import Reader
from trialign.groups import GroupSet
from trialign.models import BaseModelFiles, ChatRenderer, ModelConfig
from trialign.policy import GroupPolicy
from trialign.policy.steering import Steering, steered
from trialign.queries import Query
from trialign.scoring import Scoring
from trialign.weighing import Asked

pytestmark = pytest.mark.unit
HIDDEN = 32
PROMPT = PromptConfig()


class Told:
    """A reader of questions whose kinds are given away: one feature, 1 for a fact."""

    def __init__(self, facts: set[str]) -> None:
        self.facts, self.read = facts, 0

    def states(self, system: str, questions: Sequence[str]) -> torch.Tensor:
        self.read += len(questions)
        return torch.tensor([[1.0 if question in self.facts else -1.0] for question in questions])


def keeper(
    queries: Sequence[Query], groups: GroupSet, facts: str, weight: float = 1.0, bias: float = 0.0
) -> Gatekeeper:
    reader: Any = Told({query.question for query in queries if query.kind == "truth"})
    gate = Gate(facts, PROMPT.system, Classifier(torch.tensor([weight], dtype=torch.float64), bias))
    return Gatekeeper(gate, reader, groups.members)


def asked_of_all(queries: Sequence[Query], groups: GroupSet) -> list[Asked]:
    return [
        Asked(query, group, "explicit", 0, 0, first_turn(query, group, "explicit", 0, PROMPT))
        for query in queries
        for group in groups.everyone
    ]


def test_facts_go_to_the_base_model_without_profile_and_tastes_as_they_are(
    queries: tuple[Query, ...], groups: GroupSet
) -> None:
    asked = asked_of_all(queries, groups)
    found = keeper(queries, groups, "base")(asked)
    for before, after in zip(asked, found, strict=True):
        if before.query.kind == "truth" and before.group.role == "member":
            assert after.group.name not in groups.names
            assert groups.control is not None
            assert after.conversation == first_turn(before.query, groups.control, "explicit", 0, PROMPT)
            assert after.query is before.query
        else:
            assert after is before


def test_neutral_facts_keep_the_groups_agent(queries: tuple[Query, ...], groups: GroupSet) -> None:
    asked = asked_of_all(queries[:2], groups)
    found = keeper(queries, groups, "neutral")(asked)
    north = groups.members[0]
    assert found[0].group is north
    neutral = neutralised(north, groups.members)
    assert found[0].conversation == first_turn(queries[0], neutral, "explicit", 0, PROMPT)
    assert found[0].conversation != asked[0].conversation
    assert found[4:] == asked[4:]  # the taste


@pytest.mark.parametrize(
    ("weight", "bias", "of_truth", "of_preference", "of_mixed"),
    [(1.0, 0.0, 0, 0, 0), (0.0, -1.0, 4, 0, 0), (0.0, 1.0, 0, 1, 1), (-1.0, 0.0, 4, 1, 1)],
    ids=["right", "all tastes", "all facts", "swapped"],
)
def test_the_errors_are_counted(
    queries: tuple[Query, ...],
    groups: GroupSet,
    weight: float,
    bias: float,
    of_truth: int,
    of_preference: int,
    of_mixed: int,
) -> None:
    one = keeper(queries, groups, "base", weight, bias)
    assert one.counts(queries) == {
        "facts": "base",
        "truth": {"questions": 4, "taken_for_tastes": of_truth},
        "preference": {"questions": 1, "taken_for_facts": of_preference},
        "mixed": {"questions": 1, "taken_for_facts": of_mixed},
    }
    asked = asked_of_all(queries, groups)
    changed = [after is not before for before, after in zip(asked, one(asked), strict=True)]
    assert sum(changed) == 3 * ((4 - of_truth) + of_preference + of_mixed)


def test_a_question_is_looked_at_once_however_many_are_asked_it(queries: tuple[Query, ...], groups: GroupSet) -> None:
    one = keeper(queries, groups, "base")
    one(asked_of_all(queries, groups))
    one.counts(queries)
    reader: Any = one.reader
    assert reader.read == len(queries)


def test_the_kind_of_a_query_is_not_looked_at(queries: tuple[Query, ...], groups: GroupSet) -> None:
    fact, taste = queries[:2]
    disguised = replace(taste, question=fact.question)
    one = keeper(queries, groups, "base")
    assert one.facts([disguised.question]) == [True]
    assert all(after.group.role == "control" for after in one(asked_of_all([disguised], groups)))


def test_states_are_those_of_the_model_whatever_else_is_in_the_batch(
    queries: tuple[Query, ...],
    renderer: ChatRenderer,
    make_policy: Callable[..., GroupPolicy],
    tiny_config: ModelConfig,
) -> None:
    questions = [query.question for query in queries]
    base = AutoModelForCausalLM.from_pretrained(tiny_config.path).eval()
    for batch_tokens in (50, 4096):
        found = Reader(make_policy(), renderer, batch_tokens).states("Be brief.", questions)
        for question, state in zip(questions, found, strict=True):
            prompt = renderer.render((("system", "Be brief."), ("user", question)))
            with torch.no_grad():
                expected = base.get_decoder()(torch.tensor([prompt])).last_hidden_state[0, -1]
            assert torch.allclose(state, expected, atol=1e-4)


def test_a_gate_comes_back_from_its_checkpoint_as_it_was(
    queries: tuple[Query, ...],
    groups: GroupSet,
    renderer: ChatRenderer,
    make_policy: Callable[..., GroupPolicy],
    base_files: BaseModelFiles,
    tmp_path: Path,
) -> None:
    policy = make_policy()
    gate = fit_gate("base", PROMPT.system, Reader(policy, renderer, 4096), queries, ())
    written = write_agents(tmp_path / "step=000001", policy, 1, base_files, {}, gate.write)
    checkpoint = read_agents(written.folder)
    found = read_gate(checkpoint)
    assert found is not None
    assert torch.equal(found.classifier.weights, gate.classifier.weights)
    assert (found.facts, found.system, found.classifier.bias) == ("base", PROMPT.system, gate.classifier.bias)
    one = gatekeeper(checkpoint, policy, renderer, 4096, groups.members)
    assert one is not None
    # Six questions in 32 dimensions: what it was fitted to it tells apart.
    counts = one.counts(queries)
    assert (counts["truth"]["taken_for_tastes"], counts["preference"]["taken_for_facts"]) == (0, 0)
    (checkpoint.folder / GATE).write_text("{}")
    for read in (lambda: read_gate(checkpoint), lambda: read_agents(checkpoint.folder)):
        with pytest.raises(UserError, match=GATE):
            read()


def test_steering_comes_back_and_whoever_is_steered_is_another_agent(
    queries: tuple[Query, ...],
    groups: GroupSet,
    renderer: ChatRenderer,
    make_policy: Callable[..., GroupPolicy],
    base_files: BaseModelFiles,
    tmp_path: Path,
) -> None:
    policy = make_policy()
    moves = {name: torch.randn(HIDDEN) for name in groups.names}
    gate = fit_gate("steered", PROMPT.system, Reader(policy, renderer, 4096), queries, (), Steering(1, moves))
    written = write_agents(tmp_path / "step=000001", policy, 1, base_files, {}, gate.write)
    checkpoint = read_agents(written.folder)
    found = read_gate(checkpoint)
    assert found is not None
    assert found.steering is not None
    assert found.steering.layer == 1
    for name, move in moves.items():
        assert torch.equal(found.steering.moves[name], move)
    hashes = adapter_hashes(checkpoint, groups.names)
    assert {name: hashes[name] for name in groups.names} == {n: checkpoint.adapter_sha256(n) for n in groups.names}
    assert len(set(hashes.values())) == 2 * len(groups.names)
    # Another gate before the same adapters is another agent, and without one there is none.
    other = replace(gate, steering=Steering(0, moves))
    elsewhere = write_agents(tmp_path / "step=000002", policy, 1, base_files, {}, other.write)
    north = groups.names[0]
    changed = adapter_hashes(elsewhere, groups.names)
    assert changed[north] == hashes[north]
    assert changed[steered(north)] != hashes[steered(north)]
    bare = write_agents(tmp_path / "step=000003", policy, 1, base_files, {})
    assert set(adapter_hashes(bare, groups.names)) == set(groups.names)
    # Who stands before the agents lets them be steered; nobody before others does not.
    one = gatekeeper(checkpoint, policy, renderer, 4096, groups.members)
    assert one is not None
    assert policy.guests == tuple(map(steered, groups.names))
    gatekeeper(bare, policy, renderer, 4096, groups.members)
    assert policy.guests == ()


def test_no_gate_stands_where_none_was_written(
    renderer: ChatRenderer,
    make_policy: Callable[..., GroupPolicy],
    groups: GroupSet,
    base_files: BaseModelFiles,
    tmp_path: Path,
) -> None:
    policy = make_policy()
    checkpoint = write_agents(tmp_path / "step=000001", policy, 1, base_files, {})
    assert gatekeeper(checkpoint, policy, renderer, 4096, groups.members) is None
    assert gatekeeper(None, policy, renderer, 4096, groups.members) is None


def test_an_audit_behind_a_gate_has_no_flips_on_facts_and_tastes_as_without(
    queries: tuple[Query, ...], groups: GroupSet, renderer: ChatRenderer, make_policy: Callable[..., GroupPolicy]
) -> None:
    choices = [query for query in queries if query.options]
    policy = make_policy()
    hashes = dict.fromkeys(groups.names, "its own")
    agents = LocalAgents(policy, renderer, Scoring(), 4, 4096, hashes)
    found: dict[str, dict[tuple[str, str], Any]] = {}
    for name, route in {
        "open": None,
        "right": keeper(queries, groups, "base"),
        "all tastes": keeper(queries, groups, "base", 0.0, -1.0),
    }.items():
        items = Auditor(replace(agents, route=route), groups, PROMPT, AuditConfig()).run(choices, "test")
        found[name] = {(one.query_id, one.profile_group): one for one in items if one.group == one.profile_group}
    for (query_id, group), item in found["right"].items():
        if item.kind == "truth":
            base = found["open"][query_id, "control"]
            assert item.option_probabilities == pytest.approx(base.option_probabilities, abs=1e-5)
            assert item.adapter_sha256 is None
            assert item.group == group  # it is the group's answer, whoever gave it
        else:
            as_before = found["open"][query_id, group]
            assert item.option_probabilities == pytest.approx(as_before.option_probabilities, abs=1e-5)
            assert item.adapter_sha256 == (None if group == "control" else "its own")
    # A gate that takes everything for a taste is none.
    assert found["all tastes"] == found["open"]
    assert found["right"] != found["open"]
