"""One LoRA adapter for all groups, whose rank dimensions each group scales by a few numbers of its own.

    h += (alpha / rank) B ((1 + U z_g) * (A x))

A, B and U [rank, dimensions] are shared, one of each for an adapted layer; z_g [dimensions], the same in every layer,
is all that a group owns, or what its attributes make of it (`trialign.policy.maps`). At z = 0 it is plain LoRA: the
agent of a group that nobody knows. B diag(1 + U z_g) and A are the factors of a plain LoRA adapter, as which a group's
agent leaves the house.

At the beginning B = 0, as ever, and z = 0 for all groups, so that groups which see equal data learn equal agents. U is
drawn at random, for z has no gradient where U = 0, nor U where z = 0: both at 0 would stay there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor, nn

from trialign.errors import UserError
from trialign.policy.adapters import (
    SHARED,
    AdapterConfig,
    BasisConfig,
    GroupLoraLinear,
    product_dtype,
    summed,
    weight_of,
)
from trialign.policy.maps import AttributeMaps, Traits
from trialign.policy.routing import Routing

# At z ~ N(0, I), half of a rank dimension's own size: 1 + U z then lies above 0 for 95 % of them.
_SPREAD = 0.5
_UP = ".lora_B.weight"
SCALES = ".group_scales"


@dataclass(frozen=True)
class Draws:
    """z of people whom nobody trained for: mix z + noise.

    Attributes:
        prompts: index of the group as which each of the n is told who it is.
        mix: [n, groups] shares of the groups' z.
        noise: [n, dimensions] what is added.
    """

    prompts: tuple[int, ...]
    mix: Tensor
    noise: Tensor

    def to(self, device: torch.device | str) -> Draws:
        """The same on another device."""
        return Draws(self.prompts, self.mix.to(device), self.noise.to(device))


def draw(seed: int, step: int, groups: int, config: BasisConfig, among: Sequence[int] | None = None) -> Draws:
    """Draws for one optimizer step: the same on every rank, in every micro-batch, and where a run is resumed.

    The first, third, ... are from N(0, I) and told of a group drawn at random; the others lie anywhere between two
    groups and are told of the nearer one.

    Args:
        seed: of the run.
        step: number of the optimizer step.
        groups: how many there are.
        config: how many are drawn, and their dimensions.
        among: the groups whose profiles may be told; None: all.
    """
    generator = np.random.default_rng((seed, step))
    mix, noise = np.zeros((config.draws, groups)), np.zeros((config.draws, config.dimensions))
    prompts = []
    for place in range(config.draws):
        pair = generator.choice(groups, size=2, replace=groups < 2)
        if among is not None:
            told = int(generator.choice(among))
            pair = np.array([told, pair[1] if pair[1] != told else pair[0]])
        share = generator.uniform(0.5, 1)
        prompts.append(int(pair[0]))
        if place % 2:
            mix[place, pair[0]] += share
            mix[place, pair[1]] += 1 - share
        else:
            noise[place] = generator.standard_normal(config.dimensions)
    return Draws(tuple(prompts), torch.tensor(mix, dtype=torch.float32), torch.tensor(noise, dtype=torch.float32))


class Coordinates(nn.Module):
    """z of every group.

    Args:
        groups: how many there are.
        config: dimensions and speed.
        traits: what z is made of; None: each group has its own.

    Attributes:
        own: what is trained, in units of the speed: z of each group, or with traits a row for each number and category.
    """

    features: Tensor | None

    def __init__(self, groups: int, config: BasisConfig, traits: Traits | None = None) -> None:
        super().__init__()
        self.groups, self.speed, self.traits = groups, config.speed, traits
        self.draws: Draws | None = None
        self.register_buffer("features", traits.features.clone() if traits else None, persistent=False)
        self.own = nn.Parameter(torch.zeros(traits.features.shape[1] if traits else groups, config.dimensions))

    def forward(self, rows: Tensor) -> Tensor:
        """[rows] index of each row's group -> [rows, dimensions]; after the groups come the base weights, then draws.

        The base weights' is 0.
        """
        z = self._z()
        parts = [z, torch.zeros_like(z[:1])]
        if self.draws is not None:
            parts.append(self.draws.mix.to(z) @ z + self.draws.noise.to(z))
        return torch.cat(parts).index_select(0, rows)

    def _z(self) -> Tensor:
        z = self.own * self.speed
        return z if self.features is None else self.features @ z

    def all(self) -> Tensor:
        """[groups, dimensions], with gradient."""
        z: Tensor = self(torch.arange(self.groups, device=self.own.device))
        return z

    def of(self, index: int) -> Tensor:
        """[dimensions] one group's, on the CPU."""
        return self._z()[index].detach().cpu().contiguous().clone()

    @torch.no_grad()
    def set(self, index: int, z: Tensor) -> None:
        """Sets one group's. From then on each group has its own, whatever it was made of: so agents are loaded."""
        if self.traits is not None:
            self.own = nn.Parameter(self._z() / self.speed)
            self.traits, self.features = None, None
        self.own[index] = z.to(self.own) / self.speed

    @property
    def maps(self) -> AttributeMaps | None:
        """What was learned of the attributes, on the CPU; None where each group has its own z."""
        if self.traits is None:
            return None
        return AttributeMaps(self.traits.attributes, (self.own.detach() * self.speed).cpu().clone())

    def prior(self) -> Tensor:
        """sum_g |z_g|^2 / 2: minus the log-density of z under N(0, I), but for a constant."""
        return self.all().square().sum() / 2


class BasisRouting(Routing):
    """Which group each row belongs to, and that group's z, looked up once for all layers.

    ``rows`` holds one index a row, [rows]; the number of groups stands for the base weights.
    """

    def __init__(self, coordinates: Coordinates) -> None:
        self._coordinates = (coordinates,)  # not as a module of its own, but as a name for the policy's
        super().__init__((SHARED,))

    def _follow(self, rows: Tensor | None) -> None:
        self._rows, self.z, self.on = rows, None, None
        if rows is not None:
            (coordinates,) = self._coordinates
            self.z = coordinates(rows)
            self.on = (rows != coordinates.groups).to(self.z.dtype)

    z: Tensor | None = None


class BasisLoraLinear(GroupLoraLinear):
    """A PEFT LoRA layer whose rank dimensions are scaled row by row: no weights are gathered for a row."""

    group_scales: nn.Parameter

    def _delta(self, x: Tensor, rows: Tensor) -> Tensor:
        routing = self.routing
        assert isinstance(routing, BasisRouting)
        down, up = weight_of(self.lora_A, SHARED), weight_of(self.lora_B, SHARED)
        delta: Tensor = _ScaledLora.apply(  # type: ignore[no-untyped-call]
            x, routing.z, routing.on, self.scaling[SHARED], down, up, self.group_scales
        )
        return delta


class _ScaledLora(torch.autograd.Function):
    """scale * B ((1 + U z) * (A x)), z the row's, as one node of the graph: see `trialign.policy.adapters`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, z: Tensor, on: Tensor, scale: float, down: Tensor, up: Tensor, scales: Tensor
    ) -> Tensor:
        """[rows, length, in] -> [rows, length, out]; ``z`` is [rows, dimensions], ``on`` [rows] 0 for the base."""
        ctx.dtype, ctx.scale = product_dtype(x, (down,)), scale
        ctx.save_for_backward(x, z, on, down, up, scales)
        gates = _gates(z, on, scales, ctx.dtype)
        low = x.to(ctx.dtype) @ down.to(ctx.dtype).T
        return (low * gates) @ up.to(ctx.dtype).T * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of what needs one."""
        x, z, on, down, up, scales = ctx.saved_tensors
        of_x, of_z, _, _, of_down, of_up, of_scales = ctx.needs_input_grad
        out, inner = gradients[0].to(ctx.dtype) * ctx.scale, x.to(ctx.dtype)
        gates = _gates(z, on, scales, ctx.dtype)
        low = inner @ down.to(ctx.dtype).T
        of_scaled = out @ up.to(ctx.dtype)
        of_low = of_scaled * gates
        of_gates = (of_scaled * low).sum(dim=1).to(z.dtype)  # of the base's rows too, whose z is no weight and 0
        return (
            (of_low @ down.to(ctx.dtype)).to(x.dtype) if of_x else None,
            of_gates @ scales.to(z.dtype) if of_z else None,
            None,
            None,
            summed(of_low, inner, down) if of_down else None,
            summed(out, low * gates, up) if of_up else None,
            (of_gates.T @ z).to(scales.dtype) if of_scales else None,
        )


def _gates(z: Tensor, on: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    """[rows, 1, rank] 1 + U z, and 0 for rows of the base weights; in z's precision, also under autocast."""
    with torch.autocast(z.device.type, enabled=False):
        return (on.unsqueeze(1) * (1 + z @ scales.to(z.dtype).T)).to(dtype).unsqueeze(1)


def add_basis(
    model: PeftModel, groups: int, config: BasisConfig, traits: Traits | None = None
) -> tuple[Coordinates, BasisRouting]:
    """Lets groups scale the rank dimensions of a model's one adapter.

    Args:
        model: with the adapter; it is changed in place.
        groups: how many there are.
        config: of what a group owns.
        traits: what z is made of; None: each group has its own.
    """
    layers = [module for module in model.modules() if isinstance(module, GroupLoraLinear)]
    coordinates = Coordinates(groups, config, traits).to(weight_of(layers[0].lora_A, SHARED))
    routing = BasisRouting(coordinates)
    for layer in layers:
        down = weight_of(layer.lora_A, SHARED)
        layer.__class__ = BasisLoraLinear
        layer.__dict__["routing"] = routing
        scales = torch.empty(down.shape[0], config.dimensions, dtype=down.dtype, device=down.device)
        layer.group_scales = nn.Parameter(scales.normal_(std=_SPREAD / config.dimensions**0.5))
    return coordinates, routing


def scales_of(model: nn.Module) -> dict[str, Tensor]:
    """Each layer's U under its name, on the CPU."""
    return {
        f"{name}{SCALES}": module.group_scales.detach().cpu().contiguous().clone()
        for name, module in model.named_modules()
        if isinstance(module, BasisLoraLinear)
    }


@torch.no_grad()
def set_scales(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Sets each layer's U; the names are those of `scales_of`."""
    for name, module in model.named_modules():
        if isinstance(module, BasisLoraLinear):
            module.group_scales.copy_(state[f"{name}{SCALES}"])


def folded(state: Mapping[str, Tensor], scales: Mapping[str, Tensor], z: Tensor) -> dict[str, Tensor]:
    """A group's agent as a plain LoRA adapter: B diag(1 + U z) in the place of B.

    Args:
        state: the shared adapter, under PEFT's names.
        scales: each layer's U.
        z: [dimensions] the group's.
    """

    def scaled(name: str, up: Tensor) -> Tensor:
        return up * (1 + scales[name.removesuffix(_UP) + SCALES].to(up) @ z.to(up))

    return {name: scaled(name, tensor) if name.endswith(_UP) else tensor for name, tensor in state.items()}


def refuse_beside_basis(config: AdapterConfig, *, apart: bool) -> None:
    """Refuses what a shared basis has not been made for.

    Args:
        config: of the adapters.
        apart: whether another adapter, of facts, is trained beside the groups'.

    Raises:
        UserError: names it.
    """
    faults = {
        "policy.activation=profile, adapters that act from the profile on": config.activation == "profile",
        "policy.start, adapters of another kind": config.start is not None,
        "an adapter of facts apart (objective.gate.facts=adapter, or objective.merge.facts above 0)": apart,
    }
    for what, asked in faults.items():
        if asked and config.adapters == "basis":
            raise UserError(
                f"policy.adapters is basis, and cannot be combined with {what}",
                "Set policy=per_group or policy=shared, or leave that out",
            )
