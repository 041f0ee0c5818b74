"""Adapters as their authors save them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftConfig, get_peft_model

from trialign.models import BaseModelFiles, ModelConfig, load_model

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path, base_files: BaseModelFiles, tiny_config: ModelConfig) -> Save:
    """Saves an adapter as its author would, with random weights."""

    def save(name: str, config: PeftConfig) -> Path:
        torch.manual_seed(sum(name.encode()))
        model = get_peft_model(load_model(base_files, tiny_config), config)
        for key, parameter in model.named_parameters():
            if "lora_B" in key:
                torch.nn.init.normal_(parameter, std=0.2)
        model.peft_config["default"].base_model_name_or_path = "house/tiny-llama"
        model.save_pretrained(tmp_path / name)
        return tmp_path / name

    return save
