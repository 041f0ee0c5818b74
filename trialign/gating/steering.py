"""How facts are steered: which way a profile moves the base model's states, and how far they are moved back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from trialign.asking import LocalAgents
from trialign.environment import PromptConfig, first_turn
from trialign.errors import UserError
from trialign.gating.serving import as_steered
from trialign.gating.states import Reader
from trialign.groups import Exposure, GroupSet, SocialGroup
from trialign.models.families import decoder_layers
from trialign.policy.steering import Steering, check_steerable, steer
from trialign.queries import Query, TruthQuery
from trialign.weighing import Asked

log = logging.getLogger("trialign")

DEPTHS = (0.25, 0.5, 0.75)  # of the decoder
STRENGTHS = (0.5, 1.0, 2.0)  # times the mean difference
READ, TRIED = 128, 60  # facts
_NOBODY = SocialGroup("nobody", "No profile", role="control")


@dataclass(frozen=True)
class Tried:
    """What some steering did to the validation facts.

    Attributes:
        steering: None: facts are asked as ever.
        strength: in units of the mean difference; 0 without steering.
        right_for_all: share of the facts that every group answers rightly.
        flips: share of (fact, pair of groups) whose answers differ.
    """

    steering: Steering | None
    strength: float
    right_for_all: float
    flips: float


def fit_steering(
    agents: LocalAgents,
    prompt: PromptConfig,
    groups: GroupSet,
    exposures: Sequence[Exposure],
    training: Sequence[Query],
    validation: Sequence[Query],
) -> Steering:
    """Moves against the direction in which each group's profile moves the states of facts.

        move_g = - strength * mean_q [h(q, profile g) - h(q, no profile)]

    h is the base model's state behind a layer, at the position from which the reply's first token is predicted, over
    training facts; move_g is added at every position. The layer (at a quarter, half or three quarters of the depth) and
    the strength are those with which most validation facts are right for all groups; of equals, those with the fewest
    flips.

    Args:
        agents: that answer for the groups; nobody stands before them.
        prompt: how questions are put.
        groups: whose members have profiles.
        exposures: how profiles reach the agents, in turn.
        training: of all kinds; facts are read.
        validation: the same; facts with options are tried.

    Raises:
        UserError: the agents cannot be steered, or there are no facts to read or to try.
    """
    policy = agents.policy
    check_steerable(policy.config, policy.plain)
    read = [query for query in training if isinstance(query, TruthQuery)][:READ]
    tried = [query for query in validation if isinstance(query, TruthQuery) and query.options][:TRIED]
    if not read or not tried:
        raise UserError(
            f"Steered facts are fitted on training facts ({len(read)} are there) and validation facts with options "
            f"({len(tried)})",
            "Give some facts of the data the splits train and validation",
        )
    first, *rest = _all_tried(agents, prompt, groups, exposures, read, tried)
    best = max(rest, key=lambda one: (one.right_for_all, -one.flips, -one.strength))
    assert best.steering is not None
    log.info(
        "Steered behind layer %d at strength %g: of %d validation facts %.1f %% are right for all groups (%.1f %% as "
        "ever), and flips are %.1f %% (%.1f %%)",
        best.steering.layer,
        best.strength,
        len(tried),
        *(100 * share for share in (best.right_for_all, first.right_for_all, best.flips, first.flips)),
    )
    return best.steering


def _all_tried(
    agents: LocalAgents,
    prompt: PromptConfig,
    groups: GroupSet,
    exposures: Sequence[Exposure],
    read: Sequence[Query],
    tried: Sequence[Query],
) -> list[Tried]:
    """What becomes of facts without steering, then behind each layer at each strength."""
    depth = len(decoder_layers(agents.policy.base))
    layers = sorted({int(depth * share) for share in DEPTHS})
    reader = Reader(agents.policy, agents.renderer, agents.batch_tokens)
    directions = directions_of(reader, prompt, groups, exposures, read, layers)
    asked = [_asked(query, group, exposures[0], prompt) for query in tried for group in groups.members]
    found = [_tried(agents, None, 0.0, asked, len(groups.members))]
    for layer, of_groups in zip(layers, directions, strict=True):
        for strength in STRENGTHS:
            moves = {group.name: -strength * own for group, own in zip(groups.members, of_groups, strict=True)}
            found.append(_tried(agents, Steering(layer, moves), strength, asked, len(groups.members)))
    steer(agents.policy, None)
    return found


def directions_of(
    reader: Reader,
    prompt: PromptConfig,
    groups: GroupSet,
    exposures: Sequence[Exposure],
    facts: Sequence[Query],
    layers: Sequence[int],
) -> Tensor:
    """[layers, groups, hidden] mean of what a group's profile adds to the base model's states, over facts.

    Exposures and wordings take turns.
    """

    def states(group: SocialGroup) -> Tensor:
        conversations = []
        for place, query in enumerate(facts):
            exposure = exposures[place % len(exposures)]
            conversations.append(first_turn(query, group, exposure, place % group.wordings(exposure), prompt))
        return reader.behind(layers, conversations)

    plain = states(_NOBODY)
    return torch.stack([(states(group) - plain).mean(dim=1) for group in groups.members], dim=1)


def _asked(query: Query, group: SocialGroup, exposure: Exposure, prompt: PromptConfig) -> Asked:
    """As an audit puts it, with the first wording of the profile."""
    return Asked(query, group, exposure, 0, 0, first_turn(query, group, exposure, 0, prompt))


def _tried(
    agents: LocalAgents, steering: Steering | None, strength: float, asked: Sequence[Asked], groups: int
) -> Tried:
    """Puts the facts, groups within questions, to agents that are steered in a way."""
    steer(agents.policy, steering)
    put: Callable[[Asked], Asked] = as_steered if steering else lambda one: one
    answers = [answer.text for answer in agents.answer([put(one) for one in asked])]
    given = np.array(answers).reshape(-1, groups)
    gold = np.array([str(one.query.gold) for one in asked if isinstance(one.query, TruthQuery)]).reshape(-1, groups)
    flips = [given[:, one] != given[:, other] for one, other in combinations(range(groups), 2)]
    right = (given == gold).all(axis=1).mean()
    return Tried(steering, strength, float(right), float(np.mean(flips)) if flips else 0.0)
