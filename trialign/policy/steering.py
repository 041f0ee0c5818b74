"""Steered agents: their hidden states are moved behind one layer of the decoder, and nothing else of them is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trialign.errors import UserError
from trialign.models.families import decoder_layers
from trialign.policy.routing import Movers

if TYPE_CHECKING:
    from trialign.policy.adapters import AdapterConfig
    from trialign.policy.group_policy import GroupPolicy


@dataclass(frozen=True)
class Steering:
    """What is added to whose states.

    Attributes:
        layer: index of the decoder layer behind which states are moved, at every position.
        moves: group -> [hidden] what is added.
    """

    layer: int
    moves: Mapping[str, Tensor]


def steered(group: str) -> str:
    """The name under which a group's agent answers with its states moved; no group has a name with a dot."""
    return f"{group}.steered"


def check_steerable(config: AdapterConfig, plain: str) -> None:
    """Refuses agents whose states cannot be moved row by row.

    Args:
        config: of the adapters.
        plain: why the base model computes its branches in plain rows; empty: it does not.

    Raises:
        UserError: names what stands against it.
    """
    faults = {
        "policy.adapters=basis": config.adapters == "basis",
        "policy.activation=profile": config.activation == "profile",
        f"a base model with {plain}": bool(plain),
    }
    for what, found in faults.items():
        if found:
            raise UserError(
                f"Steered facts (objective.gate.facts=steered) cannot be combined with {what}",
                "Set objective.gate.facts=neutral or base, or choose another",
            )


def steer(policy: GroupPolicy, steering: Steering | None) -> None:
    """Lets every group's agent answer under `steered`'s name, too, in the place of those who could before.

    Args:
        policy: of the agents; the base model's layers are its own.
        steering: None: nobody is steered any more.
    """
    if policy.routing.hook is not None:
        policy.routing.hook.remove()
        policy.routing.hook, policy.routing.movers, policy.guests = None, None, ()
    if steering is None:
        return
    check_steerable(policy.config, policy.plain)
    names = tuple(steering.moves)
    policy.guests = tuple(map(steered, names))
    adapters = torch.tensor([policy.adapter_index(name) for name in names])
    policy.routing.movers = Movers(adapters, torch.stack([steering.moves[name].float() for name in names]))
    layer: nn.Module = decoder_layers(policy.base)[steering.layer]

    def move(_layer: nn.Module, _inputs: Any, output: Any) -> Any:
        moves = policy.routing.moves
        if moves is None:
            return None
        if isinstance(output, tuple):
            return (output[0] + moves.unsqueeze(1).to(output[0]), *output[1:])
        return output + moves.unsqueeze(1).to(output)

    policy.routing.hook = layer.register_forward_hook(move)
