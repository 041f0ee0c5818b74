"""Frozen weights in 4 or 8 bits: the layers are bitsandbytes', and compute in evaluation what they do in training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D
from transformers.quantizers.base import HfQuantizer
from transformers.quantizers.quantizers_utils import should_convert_module
from transformers.utils import is_bitsandbytes_available

from trialign.errors import UserError
from trialign.models.base import ModelConfig

_INSTALL = "Install it: pip install 'trialign[quantized]'"
# Of an NF4 weight: numbers that share a factor, and factors that share one in turn (Dettmers et al. 2023, section 3).
_BLOCK, _FACTORS = 64, 256


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
    there = _method(stated)
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


def _method(stated: Any) -> str:
    """By what the weights on disk were quantised; empty where they were not."""
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
    if config.quantization == "none":
        return {"device_map": {"": device}} if _method(stated) else {}
    asked = BitsAndBytesConfig(load_in_8bit=True)
    if config.quantization == "nf4":
        asked = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    return {"quantization_config": asked, "device_map": {"": device}}


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


def quantized_layers(model: PreTrainedModel) -> Iterator[tuple[str, nn.Linear | Conv1D]]:
    """The linear layers, by name, that transformers quantises of a model that is whole."""
    kept = HfQuantizer.get_modules_to_not_convert(model, None, list(model._keep_in_fp32_modules or ()))
    for name, layer in model.named_modules():
        if (type(layer) is nn.Linear or isinstance(layer, Conv1D)) and should_convert_module(name, kept):
            yield name, layer


def quantized_bytes(weight: torch.Tensor, quantization: str) -> int:
    """What a layer's weights take in fewer bits, with their factors; the tables of 1.1 kB a layer left out.

    Args:
        weight: [out, in], of which the shape alone is looked at.
        quantization: ``nf4`` or ``int8``.
    """
    if quantization == "int8":
        return weight.numel() + 4 * weight.shape[0]
    blocks = math.ceil(weight.numel() / _BLOCK)
    return math.ceil(weight.numel() / 2) + blocks + 4 * math.ceil(blocks / _FACTORS)


@torch.no_grad()
def distance(quantized: PreTrainedModel, whole: PreTrainedModel) -> float:
    """How far quantised weights are from those they were made of: the Frobenius norm of the difference, relative.

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
