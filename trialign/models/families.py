"""Families of models that are not served, by their configuration: each with its reason, before weights are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig

from trialign.errors import UserError

_SERVED = "with full attention, rotary positions and a plain output layer (Llama, Qwen2/3, SmolLM2)"


def read_config(folder: Path, name: str) -> PreTrainedConfig:
    """The configuration of a model on disk.

    Args:
        folder: with a config.json.
        name: of the model, for faults.

    Raises:
        UserError: it is damaged, of a family that transformers does not know, or asks for code of its own.
    """
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # a configuration checks itself in any way
        said = " ".join(str(error).split())[:300]
        if "custom code" in said or "trust_remote_code" in said:
            raise UserError(
                f"The base model {name} brings program code of its own (trust_remote_code), which is never run",
                "Choose a base model of a family that transformers has itself",
            ) from error
        raise UserError(
            f"transformers cannot read the configuration of the base model {name} ({said or type(error).__name__})",
            "Restore its config.json, or choose another base model",
        ) from error
    return config


def refuse_unfit(config: PreTrainedConfig, name: str = "") -> None:
    """Refuses base models on which a tree of branches in one row is not the same as separate rows.

    Args:
        config: of the base model.
        name: of it; its own where none is given.

    Raises:
        UserError: names the reason.
    """
    name = name or config.name_or_path or config.model_type
    for fault in _faults(config):
        raise UserError(
            f"The base model {name} ({config.model_type}) has {fault}, which the prefix tree does not support",
            f"Choose a base model {_SERVED}",
        )


def _faults(config: Any) -> Iterator[str]:
    kind: Any = AutoModelForCausalLM._model_mapping.get(type(config), None)
    if isinstance(kind, tuple):
        kind = kind[0]
    if kind is None:
        yield "no causal language model in transformers"
    if getattr(config, "quantization_config", None):
        method = _value(config.quantization_config, "quant_method")
        yield f"quantised weights ({getattr(method, 'value', method) or 'of an unknown kind'})"
    if config.get_text_config() is not config:
        yield "images or sound beside its text"
    if getattr(kind, "_is_stateful", False):
        yield "recurrent layers (state space or linear attention)"
    if _has_alibi(config):
        yield "positions by a bias of the attention (ALiBi)"
    if _has_windows(config):
        yield "sliding-window or linear attention"
    if not any(getattr(config, key, None) for key in ("rope_parameters", "rope_theta", "rope_scaling")):
        yield "absolute position embeddings"
    if any(getattr(config, key, None) for key in ("final_logit_softcapping", "logit_scale", "logits_scaling")):
        yield "scaled or capped logits"
    if kind is not None and not kind._supports_sdpa:
        yield "an attention that torch has no kernel for (transformers computes it step by step)"


def _has_alibi(config: Any) -> bool:
    stated = getattr(config, "attn_config", None)
    return bool(
        config.model_type in ("bloom", "mpt")
        or getattr(config, "alibi", False)
        or getattr(config, "position_embedding_type", None) == "alibi"
        or _value(stated, "alibi")
    )


def _has_windows(config: Any) -> bool:
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    return bool(kinds - {"full_attention"}) or bool(window)


def _value(values: Any, key: str) -> Any:
    return values.get(key) if isinstance(values, dict) else getattr(values, key, None)
