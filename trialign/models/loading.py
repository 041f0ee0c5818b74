"""What is loaded of a base model: tokenizer, chat rendering, weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from trialign.errors import UserError
from trialign.finite import refuse_broken_base
from trialign.models.base import BaseModelFiles, ModelConfig
from trialign.models.chat import ChatRenderer
from trialign.models.template import FIXED_DAY


def load_tokenizer(files: BaseModelFiles) -> PreTrainedTokenizerBase:
    """Loads the tokenizer; one without a chat template is refused."""
    return _with_template(AutoTokenizer.from_pretrained(files.folder), files.name)


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
        return _with_template(AutoTokenizer.from_pretrained(name), name)
    except (OSError, ValueError) as error:
        raise UserError(
            f"There is no tokenizer '{name}' on the hub or in a folder ({' '.join(str(error).split())[:200]})",
            "Set model.endpoint.tokenizer to that of the served model",
        ) from error


def _with_template(tokenizer: PreTrainedTokenizerBase, name: str) -> PreTrainedTokenizerBase:
    if not tokenizer.chat_template:
        raise UserError(f"The base model {name} has no chat template", "Use the instruction-tuned version of the model")
    return tokenizer


def context_length(files: BaseModelFiles) -> int:
    """Longest sequence in tokens that the base model was made for, by its configuration."""
    return int(AutoConfig.from_pretrained(files.folder).max_position_embeddings)


def load_model(files: BaseModelFiles, config: ModelConfig) -> PreTrainedModel:
    """Loads the causal language model, frozen, in ``config.dtype``, in evaluation mode.

    Raises:
        UserError: weights of it are not numbers.
    """
    transformers_logging.disable_progress_bar()
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        files.folder, dtype=getattr(torch, config.dtype), attn_implementation="sdpa", use_safetensors=True
    )
    refuse_broken_base(model.named_parameters(), files.folder, config.dtype)
    model.eval().requires_grad_(False)
    return model


def tokenizer_sha256(tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash of the vocabulary, merges and chat template: equal hashes give equal token ids."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary = backend.to_str() if backend is not None else json.dumps(tokenizer.get_vocab(), sort_keys=True)
    return hashlib.sha256(f"{vocabulary}\n{tokenizer.chat_template}".encode()).hexdigest()
