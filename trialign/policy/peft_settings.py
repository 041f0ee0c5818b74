"""A PEFT folder's settings: read as PEFT reads them, and refused where they ask for more than plain LoRA."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from peft import LoraConfig
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils.other import get_pattern_key

from trialign.errors import UserError

SETTINGS = "adapter_config.json"
# What a plain LoRA may set: it is read here, is stated by the tensors themselves, or matters in training only.
_READ = {
    *("task_type", "base_model_name_or_path", "revision", "target_modules", "exclude_modules"),
    *("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "init_lora_weights"),
    *("layers_to_transform", "layers_pattern"),
}
_OF_NO_EFFECT = {
    *("peft_type", "peft_version", "auto_mapping", "inference_mode", "lora_dropout"),
    *("loftq_config", "eva_config", "runtime_config", "megatron_core", "qalora_group_size"),
}
# These initialise the factors only; others change the base weights, which a folder does not hold.
_PLAIN_STARTS = (True, False, None, "gaussian", "eva", "orthogonal")
_LARGEST_SCALE = 1e12  # beyond it no product is a number


def read_settings(folder: Path) -> LoraConfig:
    """The settings of a LoRA adapter.

    Raises:
        UserError: the file cannot be read, or something is switched on that is more than the product of two factors.
    """
    try:
        # From bytes: json finds out by itself whether they are UTF-8, UTF-16 or UTF-32, with a mark or without.
        stated = json.loads((folder / SETTINGS).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"The PEFT adapter in {folder} cannot be read ({error})", "Save it again") from error
    if not isinstance(stated, dict) or not isinstance(stated.get("peft_type"), str):
        raise UserError(f"The PEFT adapter in {folder} cannot be read: {SETTINGS} names no peft_type", "Save it again")
    if stated["peft_type"] != "LORA":
        raise refused(folder, f"is of the kind {stated['peft_type']}")
    _refuse_more_than_lora(folder, stated)
    try:
        return LoraConfig(**{name: value for name, value in stated.items() if name in _READ})
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        raise UserError(f"The PEFT adapter in {folder} cannot be read ({error})", "Save it again") from error


def scale_of(folder: Path, config: LoraConfig, module: str, rank: int) -> float:
    """What the product of a module's factors is multiplied by.

    Args:
        folder: of the adapter, for faults.
        config: its settings.
        module: name of the layer in the base model.
        rank: of its factors.

    Raises:
        UserError: the settings do not speak of this layer, state another rank, or no scale.
    """
    if config.target_modules not in (None, "all-linear") and not check_target_module_exists(config, module):
        raise damaged(folder, f"has factors of {module}, which its settings leave out")
    stated_rank = _of(config.rank_pattern, module, config.r)
    if stated_rank != rank or not rank:
        raise damaged(folder, f"states the rank {stated_rank!r} for {module}, whose factors are of rank {rank}")
    alpha = _of(config.alpha_pattern, module, config.lora_alpha)
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < _LARGEST_SCALE:
        raise damaged(folder, f"has the scale lora_alpha={alpha!r} in {module}")
    # Rank-stabilised LoRA (Kalajdzievski 2023) divides by the root of the rank.
    return alpha / (rank**0.5 if config.use_rslora else rank)


def refused(folder: Path, what: str) -> UserError:
    """An adapter that is not added to the base weights as products alone."""
    return UserError(
        f"The PEFT adapter in {folder} {what}, which cannot be audited as an adapter",
        "Merge it into its base model, save that, and audit the whole model with model=folder",
    )


def damaged(folder: Path, what: str) -> UserError:
    """An adapter whose settings and weights do not belong together."""
    return UserError(
        f"The PEFT adapter in {folder} {what}", "Put both of its files back as PEFT wrote them, or save it again"
    )


def _of(patterns: Any, module: str, otherwise: Any) -> Any:
    patterns = patterns or {}
    return patterns.get(get_pattern_key(list(patterns), module), otherwise)


def _refuse_more_than_lora(folder: Path, stated: dict[str, Any]) -> None:
    """PEFT leaves out what it does not know, and so would audit another adapter; what is off may be there."""
    plain = {field.name: getattr(LoraConfig(), field.name) for field in fields(LoraConfig)}
    on = [
        name
        for name, value in stated.items()
        if name not in _READ | _OF_NO_EFFECT and value and value != plain.get(name, False)
    ]
    unknown = [name for name in on if name not in plain]
    if unknown:
        raise refused(folder, f"sets {', '.join(unknown)}, which the installed PEFT does not know")
    if on:
        raise refused(folder, f"sets {', '.join(on)}")
    start = stated.get("init_lora_weights", True)
    if start not in _PLAIN_STARTS:
        raise refused(folder, f"was begun with {start}, which changes the base weights")
