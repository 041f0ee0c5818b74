"""LoRA adapters of all groups in one forward pass: PEFT's parameters and names, one batched product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import Linear as LoraLinear
from peft.tuners.lora import LoraLayer
from pydantic import Field
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from trialign.errors import UserError
from trialign.models import refuse_unfit
from trialign.models.families import decoder_layers
from trialign.policy.routing import Routing

SHARED = "shared"
_LINEAR = (nn.Linear, Conv1D)  # GPT-2 keeps its weights turned


@dataclass(frozen=True)
class BasisConfig:
    """What a group owns with ``adapters: basis`` (`trialign.policy.basis`).

    Attributes:
        dimensions: of z_g; the numbers that a group owns.
        prior: weight of ``sum_g |z_g|^2 / 2``, minus the log-density of z_g under N(0, I), in the loss.
        speed: how many times as far as another weight z moves in a step. AdamW's steps are as long as the learning
            rate, whatever the gradient: at that of the adapters, z would stay near 0.
        draws: z of nobody in each step, at which the inconsistency penalty is taken too; 0: none.
        z: ``free``, where each group has a z of its own, or ``attributes``: a sum of maps of what the groups state
            (`trialign.policy.maps`), so that values which no group has have a z too.
        untold: share of the training questions with options that are asked once more without a profile in the prompt,
            so that z alone tells who asks.
    """

    dimensions: Annotated[int, Field(ge=1, le=4096)] = 8
    prior: Annotated[float, Field(ge=0, le=1e6)] = 0.01
    speed: Annotated[float, Field(ge=1e-3, le=1e6)] = 32.0
    draws: Annotated[int, Field(ge=0, le=1000)] = 2
    z: Literal["free", "attributes"] = "free"
    untold: Annotated[float, Field(ge=0, le=1)] = 0.0


@dataclass(frozen=True)
class AdapterConfig:
    """The trainable part of every agent.

    Attributes:
        adapters: ``per_group`` (one LoRA adapter a group), ``shared`` (one for all, told apart by the
            profile) or ``basis`` (one for all, whose rank dimensions each group scales by a few numbers of its own).
        rank: LoRA rank, equal for all groups.
        alpha: LoRA scale; the update is multiplied by alpha / rank (Hu et al. 2021, section 4.1).
        target_modules: names of the linear layers that are adapted, or ``all-linear``: all of them but the output
            layer; in a mixture of experts, those of the attention.
        train_layers: ``all``, or ``upper``: only the upper half of the decoder's layers has adapters. Nothing below
            them has a gradient, so that a step costs less and learns less.
        lower_cache_mb: with ``upper``, memory for the hidden states that enter it, in megabytes: a row that comes again
            begins there; 0: every row goes through all layers.
        activation: ``always``, or ``profile``: the adapters act from the profile on, which stands after the question
            (`trialign.policy.activated`). All groups then share what stands before it.
        basis: what a group owns with ``basis``.
        start: PEFT folders whose adapters are trained further, in place of new ones: one for all groups, or group ->
            folder. Smaller ranks are filled up, so that the agents are the same. Not with ``basis``.
    """

    adapters: Literal["per_group", "shared", "basis"] = "per_group"
    rank: Annotated[int, Field(ge=1, le=4096)] = 16
    alpha: Annotated[int, Field(ge=1, le=10**6)] = 32
    target_modules: str | tuple[str, ...] = "all-linear"
    train_layers: Literal["all", "upper"] = "all"
    lower_cache_mb: Annotated[int, Field(ge=0, le=10**9)] = 1024
    activation: Literal["always", "profile"] = "always"
    basis: BasisConfig = field(default_factory=BasisConfig)
    start: dict[str, str] | str | None = None

    @property
    def one_for_all(self) -> bool:
        """Whether all groups share one LoRA adapter."""
        return self.adapters in ("shared", "basis")


class GroupLoraLinear(LoraLinear):
    """A PEFT LoRA layer whose forward pass gives each row of the batch its own adapter.

    PEFT's own mixed-batch forward loops over the adapters; here the stacked weights are gathered by row and
    applied by two batched products, so that the time does not grow with the number of groups.
    """

    routing: Routing

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """[rows, length, in] -> [rows, length, out]: W x + (alpha / rank) B_g A_g x, g the row's group."""
        result: Tensor = self.base_layer(x, *args, **kwargs)
        rows = self.routing.rows
        if rows is None:
            return result
        # A shared expert sees all rows' positions one below the other, and latent attention gives heads a place.
        delta = self._delta(x.reshape(len(rows), -1, x.shape[-1]), rows)
        return result + delta.view_as(result).to(result.dtype)

    def _delta(self, x: Tensor, rows: Tensor) -> Tensor:
        """What the rows' adapters add: [rows, length, in] -> [rows, length, out]."""
        names = self.routing.adapters
        active = self.routing.active
        inner = x if active is None else x * active.unsqueeze(2).to(x.dtype)  # B A 0 = 0
        weights = [weight_of(layers, name) for layers in (self.lora_A, self.lora_B) for name in names]
        if len(names) == 1:
            alone: Tensor = _OneLora.apply(inner, self.routing.on, self.scaling[names[0]], *weights)  # type: ignore[no-untyped-call]
            return alone
        if self.routing.held is not None:
            return self._held_delta(inner, rows, weights)
        delta: Tensor = _GroupedLora.apply(inner, rows, self.scaling[names[0]], *weights)  # type: ignore[no-untyped-call]
        return delta

    def _held_delta(self, x: Tensor, rows: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """As `_GroupedLora`, without gradients: rows of one adapter are one block of the products."""
        held, dtype = self.routing.held, product_dtype(x, weights)
        assert held is not None
        if self not in held:
            down, up = _of_rows(weights, rows.unique_consecutive(), dtype)
            # Turned here: a product with a turned view copies it each time.
            held[self] = down.transpose(1, 2).contiguous(), up.transpose(1, 2).contiguous()
        down, up = held[self]
        blocks = x.to(dtype).reshape(len(down), -1, x.shape[-1])
        delta = torch.bmm(torch.bmm(blocks, down), up)
        result: Tensor = delta.reshape(*x.shape[:-1], -1) * self.scaling[self.routing.adapters[0]]
        return result


class _GroupedLora(torch.autograd.Function):
    """scale * B_g A_g x for every row's group g, as one node of the graph.

    DeepSpeed gives a layer's gathered weights away when the gradient of the layer's input is there. In a graph of
    single operations that is before the gradients of these weights; from one node they come together.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor, scale: float, *weights: Tensor) -> Tensor:
        """[rows, length, in] -> [rows, length, out]; ``weights`` are all A [rank, in], then all B [out, rank]."""
        ctx.dtype = product_dtype(x, weights)
        ctx.scale = scale
        ctx.save_for_backward(x, rows, *weights)
        down, up = _of_rows(weights, rows, ctx.dtype)
        low = torch.bmm(x.to(ctx.dtype), down.transpose(1, 2))
        return torch.bmm(low, up.transpose(1, 2)) * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x and of all weights; a group without a row has zeros."""
        x, rows, *weights = ctx.saved_tensors
        out = gradients[0].to(ctx.dtype) * ctx.scale
        down, up = _of_rows(weights, rows, ctx.dtype)
        inner = x.to(ctx.dtype)
        of_low = torch.bmm(out, up)
        of_x = torch.bmm(of_low, down).to(x.dtype) if ctx.needs_input_grad[0] else None
        of_down = _by_adapter(torch.bmm(of_low.transpose(1, 2), inner), rows, weights)
        low = torch.bmm(inner, down.transpose(1, 2))
        of_up = _by_adapter(torch.bmm(out.transpose(1, 2), low), rows, weights)
        return of_x, None, None, *of_down, *of_up


class _OneLora(torch.autograd.Function):
    """scale * B A x where there is one adapter, as one node of the graph (see `_GroupedLora`): nothing is gathered."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, on: Tensor, scale: float, down: Tensor, up: Tensor) -> Tensor:
        """[rows, length, in] -> [rows, length, out]; ``on`` is [rows], 0 for rows of the base weights."""
        ctx.dtype, ctx.scale = product_dtype(x, (down,)), scale
        ctx.save_for_backward(x, on, down, up)
        low = (x.to(ctx.dtype) @ down.to(ctx.dtype).T) * on.to(ctx.dtype)[:, None, None]
        return low @ up.to(ctx.dtype).T * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x and of both weights."""
        x, on, down, up = ctx.saved_tensors
        out, inner = gradients[0].to(ctx.dtype) * ctx.scale, x.to(ctx.dtype)
        mask = on.to(ctx.dtype)[:, None, None]
        low = (inner @ down.to(ctx.dtype).T) * mask
        of_low = (out @ up.to(ctx.dtype)) * mask
        of_x = (of_low @ down.to(ctx.dtype)).to(x.dtype) if ctx.needs_input_grad[0] else None
        return of_x, None, None, summed(of_low, inner, down), summed(out, low, up)


def summed(left: Tensor, right: Tensor, like: Tensor) -> Tensor:
    """Outer products of [rows, length, n] and [rows, length, m], summed over all positions: [n, m]."""
    return (left.flatten(0, 1).T @ right.flatten(0, 1)).to(like.dtype)


def product_dtype(x: Tensor, weights: Sequence[Tensor]) -> torch.dtype:
    """The number format of the adapters' products: that of autocast, else of their weights."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weights[0].dtype


def _of_rows(weights: Sequence[Tensor], rows: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """A and B of each row's adapter, [rows, rank, in] and [rows, out, rank]; zeros for the base weights."""
    count = len(weights) // 2
    stacks = [torch.stack([*part, torch.zeros_like(part[0])]) for part in (weights[:count], weights[count:])]
    down, up = (stack.to(dtype).index_select(0, rows) for stack in stacks)
    return down, up


def _by_adapter(values: Tensor, rows: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    """Sums over the rows of each adapter, in the weights' precision."""
    count, dtype = len(weights) // 2, weights[0].dtype
    sums = values.new_zeros(count + 1, *values.shape[1:], dtype=dtype).index_add(0, rows, values.to(dtype))
    return list(sums[:count].unbind())


def attach_adapters(
    model: PreTrainedModel, names: tuple[str, ...], config: AdapterConfig, invocation: Sequence[int] = ()
) -> tuple[PeftModel, Routing]:
    """Puts one LoRA adapter a name into the model, all with equal initial weights, and routes rows to them.

    Equal initial weights mean that groups which see equal data learn equal adapters: every later difference
    comes from the data.

    Args:
        model: the base model; it is changed in place.
        names: of the adapters.
        config: of the adapters.
        invocation: token ids from which on activated adapters act; PEFT finds them in the adapter's configuration.

    Raises:
        UserError: the base model cannot hold such adapters, or a name cannot name one.
    """
    refuse_unfit_base(model)
    _refuse_taken_names(model, names)
    lora = _lora_config(model, config, invocation)
    try:
        # PEFT warns of, then casts, half-precision adapters; fp32 adapters are wanted in any case.
        peft_model = get_peft_model(model, lora, adapter_name=names[0], autocast_adapter_dtype=True)
        for name in names[1:]:
            peft_model.add_adapter(name, lora, autocast_adapter_dtype=True)
    except ValueError as error:
        raise UserError(
            f"The adapters do not fit the base model ({error})",
            "Set policy.target_modules to its linear layers",
        ) from error
    assert isinstance(peft_model, PeftModel)
    routing = Routing(names)
    for module in peft_model.modules():
        # PEFT has a class of its own for the adapter of each kind of quantised layer.
        if isinstance(module, LoraLayer) and isinstance(module.get_base_layer(), _LINEAR):
            module.__class__ = GroupLoraLinear  # type: ignore[assignment]
            module.__dict__["routing"] = routing
            for name in names:
                weight_of(module.lora_A, name).data.copy_(weight_of(module.lora_A, names[0]).data)
                weight_of(module.lora_A, name).requires_grad_(True)
                weight_of(module.lora_B, name).requires_grad_(True)
    refuse_unrouted(peft_model)
    below = _modules_below(model, first_adapted(model, config))
    if any(isinstance(module, GroupLoraLinear) for module in below):
        # PEFT takes a whole path at its word, whatever layers are to be adapted.
        raise UserError(
            "With policy.train_layers=upper, policy.target_modules names layers of the lower half",
            "Name kinds of layers, such as [q_proj,v_proj], or set policy.train_layers=all",
        )
    return peft_model, routing


def refuse_unrouted(model: nn.Module) -> None:
    """Refuses a model that trains anything which is not chosen by a row's group.

    An expert does not see rows, but the positions that were sent to it: no layer inside one can tell them apart.

    Raises:
        UserError: names the parameter.
    """
    routed = {
        id(parameter)
        for name, module in model.named_modules()
        if isinstance(module, GroupLoraLinear) and "experts" not in name.split(".")
        for layers in (module.lora_A, module.lora_B)
        for parameter in layers.parameters()
    }
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and id(parameter) not in routed:
            raise UserError(
                f"The trained parameter {name} belongs to no layer that the groups' adapters are chosen in, so that "
                "every group would answer through it alike",
                "Set policy.target_modules to linear layers outside the experts, such as [q_proj,k_proj,v_proj,o_proj]",
            )


def _refuse_taken_names(model: PreTrainedModel, names: Sequence[str]) -> None:
    # PEFT tells adapters apart by a part of the parameter's name, so no adapter may be called like a layer.
    parts = {part for name, _ in model.named_parameters() for part in name.split(".")}
    for name in names:
        if hasattr(nn.ModuleDict(), name) or name in parts:
            raise UserError(
                f"'{name}' cannot name a group: a part of the model has this name already",
                "Rename the group",
            )


def _lora_config(model: PreTrainedModel, config: AdapterConfig, invocation: Sequence[int]) -> LoraConfig:
    targets = config.target_modules
    upper = config.train_layers == "upper"
    if isinstance(targets, str) and _has_experts(model):
        targets = _attention_paths(model, first_adapted(model, config))
    elif isinstance(targets, str) and (apart := _fused(model)):
        targets = _linear_paths(model, first_adapted(model, config), apart)
    elif upper and isinstance(targets, str):
        targets = _linear_names(model)  # PEFT takes no layers beside its shorthand
    layers = range(first_adapted(model, config), int(model.config.num_hidden_layers))
    return LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        target_modules=targets if isinstance(targets, str) else list(targets),
        layers_to_transform=list(layers) if upper else None,
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
        alora_invocation_tokens=list(invocation) or None,
    )


def first_adapted(model: PreTrainedModel, config: AdapterConfig) -> int:
    """Index of the lowest decoder layer with adapters."""
    return int(model.config.num_hidden_layers) // 2 if config.train_layers == "upper" else 0


def _linear_names(model: PreTrainedModel) -> tuple[str, ...]:
    """The last part of the name of every linear layer but the output layer."""
    head = model.get_output_embeddings()
    linear = {name for name, part in model.named_modules() if isinstance(part, _LINEAR) and part is not head}
    return tuple(sorted({name.rsplit(".", 1)[-1] for name in linear}))


def _has_experts(model: PreTrainedModel) -> bool:
    return any("experts" in name.split(".") for name, _ in model.named_modules())


def _attention_paths(model: PreTrainedModel, first: int) -> tuple[str, ...]:
    """The attention's linear layers from a decoder layer on: the experts, and who is sent where, stay the base's.

    Not the dense layers beside the experts either: where experts were once layers of such names, PEFT takes
    ``gate_proj`` for them, here and wherever the saved adapters are loaded.
    """
    below = _modules_below(model, first)
    return tuple(
        name
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear)
        and part not in below
        and "att" in name
        and not {"experts", "gate", "router"} & set(name.split("."))
    )


def _fused(model: PreTrainedModel) -> set[nn.Module]:
    """The linear layers of state spaces (Mamba) whose weights their kernels read, past any adapter around them.

    PEFT refuses adapters there by the family's name.
    """
    names = ("out_proj", "x_proj", "dt_proj")
    spaces = [part for part in model.modules() if hasattr(part, "A_log") and hasattr(part, "D")]
    return {layer for space in spaces for name, layer in space.named_children() if name in names}


def _linear_paths(model: PreTrainedModel, first: int, apart: set[nn.Module]) -> tuple[str, ...]:
    """Every linear layer from a decoder layer on but the output layer and those ``apart``."""
    left = {*_modules_below(model, first), *apart, model.get_output_embeddings()}
    return tuple(name for name, part in model.named_modules() if isinstance(part, _LINEAR) and part not in left)


def _modules_below(model: PreTrainedModel, first: int) -> set[nn.Module]:
    layers: Any = decoder_layers(model) if first else ()
    return {part for layer in layers[:first] for part in layer.modules()}


def weight_of(layers: nn.ModuleDict, name: str) -> nn.Parameter:
    """The weight of one adapter among a layer's As, or Bs."""
    weight = layers[name].weight
    assert isinstance(weight, nn.Parameter)
    return weight


def refuse_unfit_base(model: PreTrainedModel) -> None:
    """Refuses base models that no agents can be made of.

    Raises:
        UserError: see `refuse_unfit`.
    """
    refuse_unfit(model.config)
