"""Two adapters trained apart, and their weighted sum as one of the rank that all methods have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from trialign.config import RunConfig
from trialign.errors import UserError
from trialign.groups import FACTS
from trialign.objectives.config import MergeConfig


def merged(facts: Mapping[str, Tensor], tastes: Mapping[str, Tensor], weights: MergeConfig) -> dict[str, Tensor]:
    """The adapter whose update is facts * B_f A_f + tastes * B_t A_t in every layer, exactly: ranks are joined.

    Args:
        facts: A [rank, in] and B [out, rank] of every layer, under PEFT's names.
        tastes: the same layers, at the same scale alpha / rank.
        weights: of the two updates.
    """
    return {
        name: torch.cat([facts[name], tastes[name]])
        if ".lora_A." in name
        else torch.cat([weights.facts * facts[name], weights.tastes * tastes[name]], dim=1)
        for name in facts
    }


def check_parts(config: RunConfig, groups: Sequence[str]) -> None:
    """Refuses what cannot be trained in two parts.

    Raises:
        UserError: there is a group of the facts' name, the adapters act on profiles alone, there are too few steps, or
            the rank cannot be halved.
    """
    objective, policy = config.objective, config.policy
    if not objective.in_parts:
        return
    if FACTS in groups:
        raise UserError(f"objective={objective.name} has an adapter '{FACTS}', and so is a group", "Rename the group")
    if policy.activation == "profile":
        raise UserError(
            f"objective={objective.name} learns facts without profiles, where policy.activation=profile adapts nothing",
            "Set policy.activation=always",
        )
    if config.trainer.steps < 2:
        raise UserError(
            f"objective={objective.name} trains in two parts, and trainer.steps is {config.trainer.steps}",
            "Set it to 2 or more",
        )
    if objective.merge.facts and objective.apart:
        raise UserError(
            "objective.gate.facts is adapter, and objective.merge.facts is above 0: facts would be learned twice",
            "Choose one of them",
        )
    if objective.merge.facts and (policy.rank % 2 or policy.alpha % 2):
        raise UserError(
            f"objective={objective.name} gives each of two adapters half of policy.rank={policy.rank} and "
            f"policy.alpha={policy.alpha}",
            "Set both to even numbers",
        )
