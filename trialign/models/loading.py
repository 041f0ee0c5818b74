"""What is loaded of a base model: tokenizer, chat rendering, weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from trialign.errors import UserError
from trialign.finite import refuse_broken_base, stored_weights
from trialign.models.base import BaseModelFiles, ModelConfig
from trialign.models.chat import ChatRenderer
from trialign.models.families import attention_of, read_config, refuse_unfit
from trialign.models.quantized import loading_options, make_exact, refuse_quantized
from trialign.models.template import FIXED_DAY
from trialign.shortage import lacks_memory


def load_tokenizer(files: BaseModelFiles) -> PreTrainedTokenizerBase:
    """Loads the tokenizer.

    Raises:
        UserError: it is missing or damaged, needs code of its own, or has no chat template.
    """
    remedy = "Restore its tokenizer files (tokenizer.json, tokenizer_config.json)"
    return _with_template(tokenizer_in(files.folder, f"The base model {files.name}", remedy), files.name)


def tokenizer_in(folder: Path, called: str, remedy: str) -> PreTrainedTokenizerBase:
    """The tokenizer in a folder, with a chat template or without.

    Args:
        folder: of the model.
        called: the model, as the sentence begins with it.
        remedy: what is to be done.

    Raises:
        UserError: it is missing or damaged, or needs code of its own.
    """
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # the parts of a tokenizer fail in any way
        raise UserError(
            f"{called} has no tokenizer that transformers can load "
            f"({' '.join(str(error).split())[:200] or type(error).__name__})",
            remedy,
        ) from error


def load_renderer(files: BaseModelFiles, date: str = FIXED_DAY) -> ChatRenderer:
    """Chat rendering with the base model's tokenizer, its end tokens and a fixed day.

    Raises:
        UserError: the tokenizer has no chat template, or one that cannot be served.
    """
    return ChatRenderer(load_tokenizer(files), declared_ends(files), date)


def declared_ends(files: BaseModelFiles) -> tuple[int, ...]:
    """The token ids that a model itself names as its ends: in generation_config.json, else in config.json."""
    for name in ("generation_config.json", "config.json"):
        stated = _values_of(files.folder / name).get("eos_token_id")
        ends = tuple(token for token in (stated if isinstance(stated, list) else [stated]) if isinstance(token, int))
        if ends:
            return ends
    return ()


def _values_of(file: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def tokenizer_of_hub_or_folder(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a model whose weights are elsewhere.

    Args:
        name: a hub id or a folder.

    Raises:
        UserError: there is none, or it has no chat template.
    """
    try:
        return _with_template(AutoTokenizer.from_pretrained(name, trust_remote_code=False), name)
    except (OSError, ValueError) as error:
        raise UserError(
            f"There is no tokenizer '{name}' on the hub or in a folder ({' '.join(str(error).split())[:200]})",
            "Set model.endpoint.tokenizer to that of the served model",
        ) from error


def _with_template(tokenizer: PreTrainedTokenizerBase, name: str) -> PreTrainedTokenizerBase:
    if not tokenizer.chat_template:
        raise UserError(f"The base model {name} has no chat template", "Use the instruction-tuned version of the model")
    return tokenizer


def context_length(files: BaseModelFiles) -> int | None:
    """Longest sequence in tokens that the base model was made for, by its configuration; None: it does not say."""
    return stated_context(read_config(files.folder, files.name))


def stated_context(config: PreTrainedConfig) -> int | None:
    """Longest sequence in tokens that a configuration, or the part of it that is about text, states.

    With LongRoPE (Ding et al. 2024, arXiv 2402.13753), the length before it was extended: where any row of a batch is
    longer, transformers turns all of them by the factors for long texts, and a score would depend on its neighbours.
    """
    for part in (config, config.get_text_config()):
        length = getattr(part, "max_position_embeddings", None)
        if isinstance(length, int) and length > 0:
            return min([length, *_lengths_before_longrope(part)])
    return None


def _lengths_before_longrope(config: Any) -> list[int]:
    stated = getattr(config, "rope_parameters", None) or {}
    # Models whose layers differ in this have one set of parameters a kind of layer.
    sets = [stated, *(value for value in stated.values() if isinstance(value, dict))]
    return [int(one["original_max_position_embeddings"]) for one in sets if one.get("rope_type") == "longrope"]


def check_kind(files: BaseModelFiles, config: ModelConfig) -> PreTrainedConfig:
    """The configuration on disk of a base model that agents can be made of; no weight is read.

    Raises:
        UserError: it is of a family that is not served, or its weights are, or are to be, quantised as they cannot.
    """
    stated = read_config(files.folder, files.name)
    refuse_unfit(stated, files.name)
    refuse_quantized(stated, config, files.name)
    return stated


def load_model(files: BaseModelFiles, config: ModelConfig, device: torch.device | str = "cpu") -> PreTrainedModel:
    """Loads the causal language model, frozen, in ``config.dtype``, in evaluation mode.

    Args:
        files: of the model.
        config: its number format, and in how many bits its linear layers are kept.
        device: on which weights are quantised, and then are; others are on the CPU.

    Raises:
        UserError: it is of a family that is not served, its files are damaged, not whole or not numbers, or weights in
            few bits cannot be computed with here.
    """
    stated = check_kind(files, config)
    dtype = getattr(torch, config.dtype)
    quantised = loading_options(stated, config, device)
    if quantised:  # rounding hides what is no number
        refuse_broken_base(stored_weights(files.folder, dtype), files.folder, config.dtype)
    transformers_logging.disable_progress_bar()
    # The grouped products of a mixture of experts are made for float32 and less.
    experts = {"experts_implementation": "eager"} if config.dtype == "float64" else {}
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            files.folder,
            dtype=dtype,
            attn_implementation=attention_of(stated),
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are named below
            **experts,
            **quantised,
        )
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"The files of the base model {files.name} are damaged, or are no safetensors",
            "Restore them; stored audits can still be read",
        ) from error
    except Exception as error:  # a configuration and a family's code fail in any way
        if lacks_memory(error):
            raise
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"transformers cannot load the base model {files.name} ({said})", "Choose another one"
        ) from error
    model, found = loaded
    refuse_absent(
        found,
        f"the base model {files.name}",
        "Restore its safetensors files and its config.json, which belong together",
    )
    base: PreTrainedModel = model
    make_exact(base, dtype)
    refuse_broken_base(base.named_parameters(), files.folder, config.dtype)
    base.eval().requires_grad_(False)
    return base


def refuse_absent(found: Mapping[str, Any], called: str, remedy: str) -> None:
    """Refuses weights that are missing or of another shape.

    transformers would go on with random numbers in their place.

    Args:
        found: the loading report of ``from_pretrained(..., output_loading_info=True, ignore_mismatched_sizes=True)``.
        called: the model, as the sentence calls it.
        remedy: what is to be done.

    Raises:
        UserError: names the first of them.
    """
    absent = sorted({*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])})
    if absent:
        raise UserError(
            f"The weights of {called} are not whole: {len(absent)} tensors are missing or of another shape, the first "
            f"is {absent[0]}",
            remedy,
        )


def tokenizer_sha256(tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash of the vocabulary, merges and chat template: equal hashes give equal token ids."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary = backend.to_str() if backend is not None else json.dumps(tokenizer.get_vocab(), sort_keys=True)
    return hashlib.sha256(f"{vocabulary}\n{tokenizer.chat_template}".encode()).hexdigest()
