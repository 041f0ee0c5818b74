"""How much memory training takes on each rank, worked out from shapes alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from trialign.models.families import decoder_layers
from trialign.models.quantized import FewBits, in_few_bits
from trialign.policy.adapters import SHARED, AdapterConfig, attach_adapters
from trialign.policy.basis import add_basis
from trialign.policy.cpu import SHORT_ROW

# Llama 2 as published (Touvron et al. 2023, table 1; its configuration files): what people mean by these sizes.
PUBLISHED = {
    "7B": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32},
    "13B": {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40, "num_attention_heads": 40},
    "70B": {
        "hidden_size": 8192,
        "intermediate_size": 28672,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
    },
}
FLOAT32 = 4


@dataclass(frozen=True)
class ModelSize:
    """What of a base model its memory depends on.

    Attributes:
        parameters: of the base model; tied ones once.
        layer: parameters of one decoder layer.
        largest: elements of the largest weight, mostly the vocabulary's.
        adapter: parameters of one adapter.
        layers: decoder layers.
        hidden: width between the layers.
        intermediate: width inside a layer's second half.
        heads: of attention.
        keys: width of the keys, and of the values.
        vocabulary: tokens.
        few: which of the parameters are kept in few bits.
    """

    parameters: int
    layer: int
    largest: int
    adapter: int
    layers: int
    hidden: int
    intermediate: int
    heads: int
    keys: int
    vocabulary: int
    few: FewBits = field(default_factory=FewBits)

    def kept(self, each: int) -> int:
        """Bytes of the base model's parameters, where those that are whole take ``each``."""
        return self.few.total(self.parameters, each)


@dataclass(frozen=True)
class Work:
    """One micro-batch of one rank.

    Attributes:
        rows: one a query and group.
        length: positions of the longest row.
        actions: tokens whose log-probabilities are needed.
    """

    rows: int
    length: int
    actions: int


@dataclass(frozen=True)
class Strategy:
    """What the ranks share.

    Attributes:
        stage: of DeepSpeed's ZeRO; 0 without it.
        offload: shares of the optimizer's state, and at stage 3 of the weights, wait in the CPU's memory.
        layers: decoder layers are shared, with what is trained in them, and all else is whole: FSDP2, at stage 0.
    """

    stage: int = 0
    offload: bool = False
    layers: bool = False

    @property
    def shares_weights(self) -> bool:
        """Whether more ranks hold less of the weights each."""
        return self.stage == 3 or self.layers


@dataclass(frozen=True)
class Sharing:
    """How the ranks share, and in what numbers they compute.

    Attributes:
        ranks: processes on all machines.
        strategy: what they share.
        bucket: elements that stage 3 gathers ahead.
        weight_bytes: of one element of the frozen weights that are whole, as they are loaded.
        mixed: the forward pass is in 16 bits.
        on_cpu: short rows attend by plain products there (`trialign.policy.cpu`).
        checkpointing: layers are computed again in the backward pass.
        adapters: how many are trained.
    """

    ranks: int
    strategy: Strategy
    bucket: int
    weight_bytes: int
    mixed: bool
    on_cpu: bool
    checkpointing: bool
    adapters: int


@dataclass(frozen=True)
class Memory:
    """Bytes on one rank at the height of a step.

    Attributes:
        weights: of the frozen base model: this rank's share, and what is gathered, or one layer in few bits is made
            whole, at a time.
        trained: adapters, their gradients, and the optimizer's state.
        activations: what the backward pass needs of the layers.
        output: the vocabulary's scores of the action tokens, and their gradients.
        host: shares that wait in the CPU's memory; no part of the total.
    """

    weights: int
    trained: int
    activations: int
    output: int
    host: int

    @property
    def total(self) -> int:
        """On the device that computes."""
        return self.weights + self.trained + self.activations + self.output


def size_of(config: Any, adapters: AdapterConfig, bits: BitsAndBytesConfig | None = None) -> ModelSize:
    """Counts a model's parameters, and those of one adapter, without its weights.

    Args:
        config: of transformers.
        adapters: rank and layers that are adapted.
        bits: in which the linear layers are kept; None: they are whole.

    Raises:
        UserError: the model cannot carry such adapters.
    """
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        frozen = list(model.parameters())
        few = in_few_bits(model, bits)
        layer = list(decoder_layers(model)[0].parameters())
        carrying, _ = attach_adapters(model, (SHARED,), adapters)
        if adapters.adapters == "basis":
            add_basis(carrying, 0, adapters.basis)
    heads = getattr(config, "num_attention_heads", None) or 1
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return ModelSize(
        parameters=sum(parameter.numel() for parameter in frozen),
        layer=sum(parameter.numel() for parameter in layer),
        largest=max(parameter.numel() for parameter in frozen),
        adapter=sum(parameter.numel() for parameter in carrying.parameters() if parameter.requires_grad),
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        # Families that do not state them have four times the hidden size, and keys and values for every head.
        intermediate=getattr(config, "intermediate_size", None) or 4 * config.hidden_size,
        heads=heads,
        keys=(getattr(config, "num_key_value_heads", None) or heads) * width,
        vocabulary=config.vocab_size,
        few=few,
    )


def memory_of(size: ModelSize, work: Work, sharing: Sharing) -> Memory:
    """What one rank needs at the height of a step."""
    computed = 2 if sharing.mixed else FLOAT32
    weights, frozen_host = _weights(size, sharing)
    trained, trained_host = _trained(size, sharing)
    return Memory(
        weights=weights,
        trained=trained,
        activations=_activations(size, work, sharing, computed),
        # The scores, the gradient of their normaliser and that of the scores are there at once.
        output=3 * work.actions * size.vocabulary * FLOAT32,
        host=frozen_host + trained_host,
    )


def _weights(size: ModelSize, sharing: Sharing) -> tuple[int, int]:
    """Bytes of the frozen weights on the device, and on the host."""
    # DeepSpeed casts the model; else torch casts each weight when it is used, and keeps both for the backward pass.
    wide, stage = sharing.mixed and sharing.weight_bytes > 2, sharing.strategy.stage
    if sharing.strategy.layers:
        layers = size.layer * size.layers
        # What lies outside of the layers; the layer that computes and the next one; and what torch casts.
        held = size.parameters - layers + layers // sharing.ranks + min(2 * size.layer, layers)
        return held * sharing.weight_bytes + 2 * wide * size.parameters, 0
    bytes_each = 2 if sharing.mixed and stage else sharing.weight_bytes + 2 * wide * (stage == 0)
    whole = size.kept(bytes_each)
    if stage < 3:
        return whole + size.few.largest * sharing.weight_bytes, 0
    share = whole // sharing.ranks
    # The layer that computes, the next one, and what is fetched ahead; or the vocabulary.
    gathered = min(max(2 * size.layer + sharing.bucket, size.largest) * bytes_each, whole)
    return (gathered, share) if sharing.strategy.offload else (share + gathered, 0)


def _trained(size: ModelSize, sharing: Sharing) -> tuple[int, int]:
    """Bytes of adapters, gradients and AdamW's state on the device, and on the host."""
    parameters, stage, layers = size.adapter * sharing.adapters, sharing.strategy.stage, sharing.strategy.layers
    parts = sharing.ranks
    weights = parameters * (2 if sharing.mixed and stage else FLOAT32)
    if sharing.strategy.shares_weights:
        weights //= parts
    gradients = parameters * FLOAT32 // (parts if stage >= 2 or layers else 1)
    # Two moments; DeepSpeed keeps its own copy of what it steps, in float32.
    optimizer = parameters * FLOAT32 * (3 if stage else 2) // (parts if stage or layers else 1)
    if sharing.strategy.offload and stage:
        return weights + gradients, optimizer
    return weights + gradients + optimizer, 0


def _activations(size: ModelSize, work: Work, sharing: Sharing, computed: int) -> int:
    """Bytes of what a Llama-like layer keeps, times the layers; or of their inputs and of one layer.

    A layer keeps, a position: for each of its two norms a float32 input, the normed and the scaled values; queries,
    expanded keys and values, the attention's result twice, keys and values before they are expanded; and of its second
    half gate, its activation, up and their product. Frozen linear layers keep nothing, and LoRA's input is among these.
    """
    norms = 2 * size.hidden * (FLOAT32 + 2 * computed)
    attention = computed * (5 * size.hidden + 2 * size.keys)
    second_half = computed * 4 * size.intermediate
    plain = sharing.on_cpu and work.length <= SHORT_ROW
    scores = computed * size.heads * work.length if plain else 0
    positions = work.rows * work.length
    layer = positions * (norms + attention + second_half + scores)
    # Gradients on their way through one layer.
    passing = positions * computed * (2 * size.hidden + 3 * size.intermediate)
    kept = positions * size.hidden * computed * size.layers + layer if sharing.checkpointing else layer * size.layers
    return kept + passing
