"""Agents of somebody whom no group stands for: their z is what a checkpoint's maps make of attributes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from safetensors.torch import save
from torch import Tensor

from trialign.attributes import Value
from trialign.checkpoints import BASIS, FORMAT, MAPS, AgentCheckpoint, torn
from trialign.policy.maps import AttributeMaps


@dataclass(frozen=True)
class AttributeAgent:
    """The agent of some values.

    Attributes:
        z: [dimensions].
        sha256: the hash that a group's agent of this z has.
        beyond: a sentence for each number outside those that were trained.
    """

    z: Tensor
    sha256: str
    beyond: tuple[str, ...]


def maps_of(checkpoint: AgentCheckpoint) -> AttributeMaps | None:
    """What a checkpoint's agents learned of the attributes; None where each has a z of its own.

    Raises:
        UserError: the file is no longer the one that was written.
    """
    name = f"{BASIS}/{MAPS}"
    if name not in checkpoint.manifest["files"]:
        return None
    try:
        maps = AttributeMaps.from_json(checkpoint.verified(name))
    except ValueError as error:
        raise torn(checkpoint.folder / name) from error
    if not torch.isfinite(maps.weights).all():
        raise torn(checkpoint.folder / name)
    return maps


def agent_of(checkpoint: AgentCheckpoint, maps: AttributeMaps, values: Mapping[str, Value]) -> AttributeAgent:
    """The agent of some values; see `trialign.policy.GroupPolicy.seat`.

    Raises:
        UserError: a value is missing, or is none of its attribute, such as a category that no group had.
    """
    z = maps.z(values)
    own = hashlib.sha256(save({"z": z.float()}, metadata=FORMAT)).hexdigest()
    return AttributeAgent(z, checkpoint.sha256_with(own), tuple(maps.beyond(values)))
