"""Frozen weights in 4 or 8 bits: the layers are bitsandbytes', and compute in evaluation what they do in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedConfig, PreTrainedModel
from transformers.utils.import_utils import is_bitsandbytes_available

from trialign.errors import UserError
from trialign.models.base import ModelConfig

_INSTALL = "Install it: pip install 'trialign[quantized]'"


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
