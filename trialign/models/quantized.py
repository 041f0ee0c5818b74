"""Frozen weights in 4 or 8 bits: the layers are bitsandbytes', and compute in evaluation what they do in training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D
from transformers.quantizers.base import HfQuantizer
from transformers.quantizers.quantizers_utils import should_convert_module
from transformers.utils.import_utils import is_bitsandbytes_available

from trialign.errors import UserError
from trialign.models.base import ModelConfig

_INSTALL = "Install it: pip install 'trialign[quantized]'"
# Of 4-bit weights: how many share a factor, and how many factors share one in turn (Dettmers et al. 2023, section 3).
_BLOCK, _FACTORS = 64, 256
_FACTOR = 4  # bytes of a factor in float32


@dataclass(frozen=True)
class FewBits:
    """The weights of a base model that are kept in few bits.

    Attributes:
        elements: how many numbers they are.
        packed: bytes that they take, with their factors.
        largest: numbers of the largest layer, which is made whole for each of its products.
    """

    elements: int = 0
    packed: int = 0
    largest: int = 0

    def total(self, parameters: int, each: int) -> int:
        """Bytes of all ``parameters`` of the model, where the others take ``each``."""
        return (parameters - self.elements) * each + self.packed


def refuse_quantized(stated: PreTrainedConfig, config: ModelConfig, name: str) -> None:
    """Refuses weights in few bits that cannot be computed with; no weight is read.

    Args:
        stated: the configuration on disk.
        config: how the weights are asked for.
        name: of the model.

    Raises:
        UserError: the files hold weights that were quantised by another method than bitsandbytes', or are to be
            quantised once more; or bitsandbytes is not there.
    """
    there = quantised_by(stated)
    if there and there != "bitsandbytes":
        raise UserError(
            f"The base model {name} ({stated.model_type}) has quantised weights ({there}), which are not trained or "
            "audited here",
            "Choose the model that it was made from, with model.quantization=nf4 where memory is short, or a copy in "
            "bitsandbytes' format",
        )
    if there and config.quantization != "none":
        raise UserError(
            f"The weights of the base model {name} are quantised already ({there}), and model.quantization is "
            f"{config.quantization}",
            "Set model.quantization=none: they are taken as they are",
        )
    if (there or config.quantization != "none") and not is_bitsandbytes_available():
        asked = f"has weights in the format of {there}" if there else f"is asked for in {config.quantization}"
        raise UserError(f"The base model {name} {asked}, and the package bitsandbytes is not installed", _INSTALL)


def quantised_by(stated: Any) -> str:
    """By what the weights on disk were quantised; empty where they were not.

    Args:
        stated: the configuration on disk.
    """
    said = getattr(stated, "quantization_config", None)
    if not said:
        return ""
    method = said.get("quant_method") if isinstance(said, Mapping) else getattr(said, "quant_method", None)
    if method is None and isinstance(said, Mapping) and (said.get("load_in_4bit") or said.get("load_in_8bit")):
        return "bitsandbytes"
    return str(getattr(method, "value", method) or "of an unknown kind")


def loading_options(stated: PreTrainedConfig, config: ModelConfig, device: torch.device | str) -> dict[str, Any]:
    """What ``from_pretrained`` is told so that weights are quantised one by one as they are read, on ``device``.

    Nothing where they are to be as they are and the files hold none in few bits.

    NF4 with factors that are quantised too, as in QLoRA (Dettmers et al. 2023, arXiv 2305.14314), which is also what
    vLLM makes of a model with ``--quantization bitsandbytes``. The output layer stays whole.
    """
    bits = bits_of(stated, config)
    if bits is None:
        return {}
    placed = {"device_map": {"": device}}
    return placed if quantised_by(stated) else {"quantization_config": bits, **placed}


def bits_of(stated: PreTrainedConfig, config: ModelConfig) -> BitsAndBytesConfig | None:
    """In which bits bitsandbytes keeps the linear layers once they are loaded; None: they are whole.

    Args:
        stated: the configuration on disk, which `refuse_quantized` let pass.
        config: how the weights are asked for.
    """
    if quantised_by(stated):
        said = stated.quantization_config
        return said if isinstance(said, BitsAndBytesConfig) else BitsAndBytesConfig.from_dict(dict(said))
    if config.quantization == "nf4":
        return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    return BitsAndBytesConfig(load_in_8bit=True) if config.quantization == "int8" else None


def make_exact(model: PreTrainedModel, dtype: torch.dtype) -> None:
    """Lets quantised layers compute in ``dtype``, always in the same way; without any, nothing happens.

    bitsandbytes' layers take other kernels in evaluation than in training: on CPUs with AVX-512, 4-bit weights in
    bfloat16 without a gradient, whatever was asked for; 8-bit weights with rounded activations.

    Raises:
        UserError: a weight is too large for 8 bits, whose factors come from float16.
    """
    if not is_quantized(model):
        return
    from bitsandbytes.nn import Linear4bit, Linear8bitLt

    from trialign.models.int8 import WeightsInInt8

    for name, layer in model.named_modules():
        if isinstance(layer, Linear4bit):
            layer.support_avx512bf16_for_cpu = False
            layer.compute_dtype, layer.compute_type_is_set = dtype, True
        elif isinstance(layer, Linear8bitLt):
            WeightsInInt8.take(layer)
            if not bool(torch.isfinite(layer.state.SCB).all()):
                raise UserError(
                    f"The weights {name} of the base model are too large for 8 bits (their factors are in float16)",
                    "Set model.quantization to nf4 or none",
                )


def is_quantized(model: nn.Module) -> bool:
    """Whether transformers put layers of fewer bits into a model."""
    return bool(getattr(model, "is_loaded_in_4bit", False) or getattr(model, "is_loaded_in_8bit", False))


def made_whole(model: PreTrainedModel, dtype: torch.dtype) -> PreTrainedModel:
    """A model of plain layers with the very weights that layers in few bits compute with; others are as they are.

    Raises:
        UserError: its layers hold their weights the other way round, which bitsandbytes does not keep.
    """
    if not is_quantized(model):
        return model
    if any(getattr(layer, "source_cls", None) is Conv1D for layer in model.modules()):
        raise UserError(
            f"The weights in few bits of this family ({model.config.model_type}) cannot be made whole",
            "Export without --merged",
        )
    whole: Any = model.dequantize(dtype)
    whole.is_loaded_in_4bit = whole.is_loaded_in_8bit = False
    return cast(PreTrainedModel, whole)


def weight_bytes(stated: PreTrainedConfig, config: ModelConfig) -> int:
    """What a base model's weights take once they are loaded, in bytes; no weight is read, buffers are not counted.

    Args:
        stated: the configuration on disk, which `check_kind` let pass.
        config: number format, and in how many bits the linear layers are kept.
    """
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(stated)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return in_few_bits(model, bits_of(stated, config)).total(parameters, getattr(torch, config.dtype).itemsize)


def in_few_bits(model: PreTrainedModel, bits: BitsAndBytesConfig | None) -> FewBits:
    """What transformers would keep in few bits of a model that is whole, or without weights (``meta``)."""
    if bits is None:
        return FewBits()
    # Rows are what comes out: the layers of GPT-2 hold theirs the other way round.
    weights = [
        layer.weight.T if isinstance(layer, Conv1D) else layer.weight
        for _, layer in quantized_layers(model, bits.llm_int8_skip_modules)
    ]
    sizes = [weight.numel() for weight in weights]
    return FewBits(sum(sizes), sum(_packed(weight, bits) for weight in weights), max(sizes, default=0))


def quantized_layers(
    model: PreTrainedModel, skipped: list[str] | None = None
) -> Iterator[tuple[str, nn.Linear | Conv1D]]:
    """The linear layers, by name, that transformers quantises of a model that is whole.

    Args:
        model: with weights or without.
        skipped: names that stay whole; None: those that transformers leaves, such as the output layer.
    """
    kept = HfQuantizer.get_modules_to_not_convert(model, skipped, list(model._keep_in_fp32_modules or ()))
    for name, layer in model.named_modules():
        if (type(layer) is nn.Linear or isinstance(layer, Conv1D)) and should_convert_module(name, kept):
            yield name, layer


def _packed(weight: torch.Tensor, bits: BitsAndBytesConfig) -> int:
    """Bytes of a layer's weights with their factors; the tables of 1.1 kB that each layer of 4 bits has are left out.

    Args:
        weight: [out, in], of which the shape alone is looked at.
        bits: 8, or 4 with a factor for each block in float32, or in 8 bits with factors of their own.
    """
    if bits.load_in_8bit:
        return weight.numel() + _FACTOR * weight.shape[0]
    blocks = math.ceil(weight.numel() / _BLOCK)
    factors = blocks + _FACTOR * math.ceil(blocks / _FACTORS) if bits.bnb_4bit_use_double_quant else _FACTOR * blocks
    return math.ceil(weight.numel() / 2) + factors


@torch.no_grad()
def distance(quantized: PreTrainedModel, whole: PreTrainedModel) -> float:
    """How far weights in few bits are from those that they were made of: ||Q - W|| / ||W||, Frobenius norms.

    Q and W are all linear layers that are in few bits, as one vector each; Q made whole as its products are computed.

    Args:
        quantized: with bitsandbytes' layers.
        whole: the same model, with plain ones of the same names.
    """
    from transformers.integrations.bitsandbytes import dequantize_bnb_weight

    apart, size = 0.0, 0.0
    for name, layer in quantized_layers(whole):
        rounded: Any = quantized.get_submodule(name)
        made = dequantize_bnb_weight(rounded.weight, getattr(rounded, "state", None)).double()
        exact = layer.weight.double().T if isinstance(layer, Conv1D) else layer.weight.double()
        apart += float((made - exact).square().sum())
        size += float(exact.square().sum())
    return math.sqrt(apart / size) if size else 0.0
