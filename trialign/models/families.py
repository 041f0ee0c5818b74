"""Families of models by their configuration: which are refused, which need plain rows, and what becomes of logits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from trialign.errors import UserError

# Families whose layers all have the window that sliding_window states, and those that have a kind for each layer; each
# was held against its own forward pass (tests/policy/test_plain.py). Others with windows go by plain rows.
_ONE_WINDOW = frozenset({"mistral", "mixtral", "phi3", "phimoe", "qwen3_moe", "starcoder2"})
_BY_LAYER = frozenset(
    {"cohere2", "exaone4", "gemma2", "gemma3_text", "gpt_oss", "ministral", "olmo3", "qwen2", "qwen2_moe", "qwen3"}
)


@dataclass(frozen=True)
class Windows:
    """Sliding windows of a decoder's attention.

    Attributes:
        size: positions that a token sees, itself among them.
        by_layer: whether some layers see everything; otherwise all have the window.
    """

    size: int
    by_layer: bool


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
    """Refuses base models that no agents can be made of.

    Args:
        config: of the base model.
        name: of it; its own where none is given.

    Raises:
        UserError: names the reason.
    """
    name = name or config.name_or_path or config.model_type
    for fault in _faults(config):
        raise UserError(
            f"The base model {name} ({config.model_type}) has {fault}, which is not supported",
            "Choose a decoder of text alone (Llama, Qwen, Gemma, Mistral, Phi-3)",
        )


def plain_reason(config: PreTrainedConfig) -> str:
    """What a base model has on which a tree of branches in one row is not the same as rows of their own; else empty."""
    return next(_unlike_in_a_tree(config), "")


def windows_of(config: PreTrainedConfig) -> Windows | None:
    """The windows of a decoder that a prefix tree can have; None: there are none, or none that it can."""
    size = getattr(config, "sliding_window", None)
    if not _has_windows(config) or not size:
        return None
    if config.model_type in _BY_LAYER:
        return Windows(int(size), by_layer=True)
    return Windows(int(size), by_layer=False) if config.model_type in _ONE_WINDOW else None


def sees_all(config: PreTrainedConfig) -> bool:
    """Whether no layer of a decoder leaves earlier tokens out of sight, within a window or a chunk."""
    kinds = set(getattr(config, "layer_types", None) or ())
    return not getattr(config, "sliding_window", None) and not kinds & {"sliding_attention", "chunked_attention"}


def attention_of(config: PreTrainedConfig) -> str:
    """The attention that computes what the family's authors wrote: torch's kernels, or transformers' single steps."""
    return "sdpa" if getattr(_kind(config), "_supports_sdpa", True) else "eager"


def decoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """A decoder's layers, from the lowest on, whatever the family calls them.

    Raises:
        UserError: there are none by a known name.
    """
    decoder: Any = model.get_decoder()
    for name in ("layers", "h", "blocks"):
        if isinstance(layers := getattr(decoder, name, None), nn.ModuleList):
            return layers
    raise UserError(
        f"The base model {model.config.name_or_path or model.config.model_type} keeps its layers under no known name",
        "Choose another base model",
    )


def logits_shape(config: PreTrainedConfig) -> tuple[float, float | None]:
    """By what a family multiplies its output layer's results, and within which bounds tanh keeps them then."""
    scale = 1.0
    for key in ("logit_scale", "logits_scaling", "lm_head_multiplier"):
        if stated := getattr(config, key, None):
            scale = 1 / stated if config.model_type.startswith("granite") else float(stated)
    caps = (getattr(config, key, None) for key in ("final_logit_softcapping", "logits_soft_cap"))
    return scale, next((float(cap) for cap in caps if cap), None)


def _kind(config: Any) -> Any:
    """The class of a configuration's causal language model; None: there is none."""
    kind: Any = AutoModelForCausalLM._model_mapping.get(type(config), None)
    return kind[0] if isinstance(kind, tuple) else kind


def _faults(config: Any) -> Iterator[str]:
    if _kind(config) is None:
        yield "no causal language model in transformers"
    if config.get_text_config() is not config:
        yield "images or sound beside its text"
    if getattr(config, "is_encoder_decoder", False):
        yield "an encoder beside its decoder"


def _unlike_in_a_tree(config: Any) -> Iterator[str]:
    kind = _kind(config)
    if getattr(kind, "_is_stateful", False):
        yield "recurrent layers (state space or linear attention)"
    if _has_alibi(config):
        yield "positions by a bias of the attention (ALiBi)"
    if _has_windows(config) and windows_of(config) is None:
        yield "sliding-window or linear attention"
    if not any(getattr(config, key, None) for key in ("rope_parameters", "rope_theta", "rope_scaling")):
        yield "absolute position embeddings"
    if kind is not None and not kind._supports_sdpa and config.model_type not in _BY_LAYER:
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
