"""What is not a number is found, and a base model with such weights is refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from trialign.errors import UserError
from trialign.finite import not_finite
from trialign.models import ModelConfig, load_model, locate_base_model

pytestmark = pytest.mark.unit

NAME = "model.layers.1.mlp.up_proj.weight"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.float8_e5m2])
@pytest.mark.parametrize(
    ("value", "words"), [("nan", "NaN in b"), ("inf", "an infinity in b"), ("-inf", "an infinity in b")]
)
def test_one_number_that_is_none_is_found(dtype: torch.dtype, value: str, words: str) -> None:
    whole, broken = torch.ones(4, 3, dtype=dtype), torch.ones(4, 3)
    broken[2, 1] = float(value)
    assert not_finite([("a", whole)]) is None
    assert not_finite([("a", whole), ("b", broken.to(dtype)), ("c", whole)]) == words


def test_nothing_and_whole_numbers_are_finite() -> None:
    assert not_finite([]) is None
    assert not_finite([("empty", torch.zeros(0, 3)), ("ids", torch.tensor([1, 2])), ("zero", torch.zeros(2))]) is None


def changed(config: ModelConfig, folder: Path, value: float) -> ModelConfig:
    """The tiny model with one weight of this value."""
    assert config.path
    shutil.copytree(config.path, folder)
    tensors = load_file(folder / "model.safetensors")
    tensors[NAME][3, 2] = value
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return replace(config, path=str(folder))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_base_model_with_a_broken_weight_is_refused(tiny_config: ModelConfig, tmp_path: Path, value: str) -> None:
    config = changed(tiny_config, tmp_path / "model", float(value))
    with pytest.raises(UserError) as refusal:
        load_model(locate_base_model(config), config)
    assert f"in {NAME}" in refusal.value.problem
    assert str(tmp_path / "model" / "model.safetensors") in refusal.value.problem


def test_a_weight_too_large_for_the_format_is_the_formats_fault(tiny_config: ModelConfig, tmp_path: Path) -> None:
    config = changed(tiny_config, tmp_path / "model", 1e6)
    for dtype in ("float32", "bfloat16"):
        load_model(locate_base_model(config), replace(config, dtype=dtype))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=rf"{NAME} .* too large for model\.dtype=float16.*bfloat16"):
        load_model(locate_base_model(config), replace(config, dtype="float16"))
