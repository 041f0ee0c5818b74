"""Which way profiles move states, and how far they are moved back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from trialign.asking import LocalAgents
from trialign.environment import PromptConfig, first_turn
from trialign.errors import UserError
from trialign.gating import steering
from trialign.gating.states import Reader
from trialign.gating.steering import Tried, directions_of, fit_steering
from trialign.groups import GroupSet
from trialign.models import ChatRenderer, ModelConfig
from trialign.policy import GroupPolicy
from trialign.policy.steering import Steering, steer, steered
from trialign.queries import Query, TruthQuery
from trialign.scoring import Scoring

pytestmark = pytest.mark.unit

PROMPT = PromptConfig()
LAYERS = (0, 1)


@pytest.fixture
def agents(make_policy: Callable[..., GroupPolicy], renderer: ChatRenderer) -> LocalAgents:
    return LocalAgents(make_policy().eval(), renderer, Scoring(), 4, 4096)


@pytest.fixture
def facts(queries: tuple[Query, ...]) -> tuple[Query, ...]:
    return tuple(query for query in queries if isinstance(query, TruthQuery) and query.options)


def test_directions_are_what_the_profile_adds_to_the_states_of_the_base_model(
    facts: tuple[Query, ...], groups: GroupSet, agents: LocalAgents, tiny_config: ModelConfig
) -> None:
    base = AutoModelForCausalLM.from_pretrained(tiny_config.path).eval()
    assert groups.control is not None

    def states(query: Query, group: Any, wording: int) -> Tensor:
        prompt = agents.renderer.render(first_turn(query, group, "explicit", wording, PROMPT))
        seen: dict[int, Tensor] = {}
        for layer in LAYERS:
            base.model.layers[layer].register_forward_hook(
                lambda _m, _i, out, layer=layer: seen.update({layer: out[0] if isinstance(out, tuple) else out})
            )
        with torch.no_grad():
            base(torch.tensor([prompt]))
        return torch.stack([seen[layer].reshape(-1, 32)[-1] for layer in LAYERS])

    for batch_tokens in (50, 4096):
        reader = Reader(agents.policy, agents.renderer, batch_tokens)
        found = directions_of(reader, PROMPT, groups, ("explicit",), facts, LAYERS)
        assert found.shape == (2, len(groups.members), 32)
        for place, group in enumerate(groups.members):
            wordings = [number % len(group.explicit) for number in range(len(facts))]
            each = [
                states(query, group, wording) - states(query, groups.control, 0)
                for query, wording in zip(facts, wordings, strict=True)
            ]
            torch.testing.assert_close(found[:, place], torch.stack(each).mean(dim=0), atol=1e-4, rtol=1e-3)


def test_what_makes_most_facts_right_for_all_is_chosen_then_fewer_flips_then_less(
    facts: tuple[Query, ...], groups: GroupSet, agents: LocalAgents, monkeypatch: pytest.MonkeyPatch
) -> None:
    # (layer, strength) -> right for all, flips; without steering more is right than with any.
    known = {
        (None, 0.0): (0.9, 0.0),
        (0, 0.5): (0.6, 0.2),
        (0, 1.0): (0.5, 0.3),
        (0, 2.0): (0.4, 0.0),
        (1, 0.5): (0.6, 0.1),
        (1, 1.0): (0.6, 0.1),
        (1, 2.0): (0.2, 0.1),
    }

    def tried(_agents: LocalAgents, found: Steering | None, strength: float, *_: Any) -> Tried:
        return Tried(found, strength, *known[found.layer if found else None, strength])

    monkeypatch.setattr(steering, "_tried", tried)
    monkeypatch.setattr(steering, "DEPTHS", (0.0, 0.5))
    found = fit_steering(agents, PROMPT, groups, ("explicit",), facts, facts)
    reader = Reader(agents.policy, agents.renderer, 4096)
    directions = directions_of(reader, PROMPT, groups, ("explicit",), facts, (1,))
    assert found.layer == 1
    for place, group in enumerate(groups.members):
        torch.testing.assert_close(found.moves[group.name], -0.5 * directions[0, place])


def test_facts_are_tried_on_the_agents_as_they_are_steered(
    facts: tuple[Query, ...], groups: GroupSet, agents: LocalAgents
) -> None:
    asked = [steering._asked(query, group, "explicit", PROMPT) for query in facts for group in groups.members]
    far = {group.name: 50.0 * torch.randn(32, generator=torch.Generator().manual_seed(7)) for group in groups.members}
    pushed = Steering(1, far)
    found = steering._tried(agents, pushed, 1.0, asked, len(groups.members))
    assert found.flips == 0  # so far away that all groups' states are one
    north = groups.members[0].name
    alone = steering._tried(agents, replace(pushed, moves={**far, north: -far[north]}), 1.0, asked, len(groups.members))
    steer(agents.policy, replace(pushed, moves={**far, north: -far[north]}))
    answers = answers_of(agents, asked)
    differ = [len({row[0], other}) > 1 for row in answers for other in row[1:]]
    assert alone.flips == pytest.approx(sum(differ) / (3 * len(facts)))
    right = [all(answer == query.gold for answer in row) for row, query in zip(answers, facts, strict=True)]
    assert alone.right_for_all == pytest.approx(sum(right) / len(facts))
    assert alone.flips > 0


def answers_of(agents: LocalAgents, asked: Sequence[Any]) -> list[list[str]]:
    put = [replace(one, group=replace(one.group, name=steered(one.group.name))) for one in asked]
    given = [answer.text for answer in agents.answer(put)]
    return [given[place : place + 3] for place in range(0, len(given), 3)]


def test_without_facts_there_is_nothing_to_steer_by(
    facts: tuple[Query, ...], groups: GroupSet, agents: LocalAgents
) -> None:
    for training, validation in ((facts, ()), ((), facts)):
        with pytest.raises(UserError, match="training facts"):
            fit_steering(agents, PROMPT, groups, ("explicit",), training, validation)
