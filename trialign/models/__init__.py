"""Base models (hub id, folder, GGUF file or installed package) and chat rendering in token space."""

from trialign.models.base import BaseModelFiles, ModelConfig, cache_folder, locate_base_model
from trialign.models.chat import ChatRenderer
from trialign.models.families import read_config, refuse_unfit
from trialign.models.loading import (
    check_kind,
    context_length,
    load_model,
    load_renderer,
    load_tokenizer,
    tokenizer_of_hub_or_folder,
    tokenizer_sha256,
)
from trialign.models.quantized import quantised_by, weight_bytes
from trialign.models.template import FIXED_DAY, Content, check_date

__all__ = [
    "FIXED_DAY",
    "BaseModelFiles",
    "ChatRenderer",
    "Content",
    "ModelConfig",
    "cache_folder",
    "check_date",
    "check_kind",
    "context_length",
    "load_model",
    "load_renderer",
    "load_tokenizer",
    "locate_base_model",
    "quantised_by",
    "read_config",
    "refuse_unfit",
    "tokenizer_of_hub_or_folder",
    "tokenizer_sha256",
    "weight_bytes",
]
