from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from trialign.errors import UserError
from trialign.models import (
    BaseModelFiles,
    ModelConfig,
    load_model,
    load_renderer,
    load_tokenizer,
    locate_base_model,
    tokenizer_sha256,
)

pytestmark = pytest.mark.unit


def test_the_model_is_frozen_in_evaluation_mode(tiny_config: ModelConfig, base_files: BaseModelFiles) -> None:
    model = load_model(base_files, replace(tiny_config, dtype="bfloat16"))
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}


def test_a_tokenizer_without_a_chat_template_is_refused(tiny_config: ModelConfig, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(str(tiny_config.path), copy)
    (copy / "chat_template.jinja").unlink()
    files = locate_base_model(replace(tiny_config, path=str(copy)))
    with pytest.raises(UserError, match="house/tiny-llama has no chat template"):
        load_tokenizer(files)


def test_the_tokenizers_hash_follows_vocabulary_and_template(base_files: BaseModelFiles) -> None:
    first = tokenizer_sha256(load_tokenizer(base_files))
    assert tokenizer_sha256(load_tokenizer(base_files)) == first
    template = load_tokenizer(base_files)
    template.chat_template = str(template.chat_template) + " "
    vocabulary = load_tokenizer(base_files)
    vocabulary.add_tokens(["new-token"])
    assert len({first, tokenizer_sha256(template), tokenizer_sha256(vocabulary)}) == 3


def test_the_saved_tokenizer_is_the_one_that_was_built(base_files: BaseModelFiles) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base_files.folder)
    controls = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    assert [tokenizer.convert_tokens_to_ids(token) for token in controls] == [0, 1, 2]


@pytest.mark.parametrize(
    ("generation", "config", "ends"),
    [
        ({"eos_token_id": [7, 9]}, {"eos_token_id": 5}, (2, 7, 9)),
        ({"eos_token_id": 7}, {}, (2, 7)),
        ({}, {"eos_token_id": 5}, (2, 5)),
        (None, {"eos_token_id": [5, 2]}, (2, 5)),
        (None, {"eos_token_id": None}, (2,)),
    ],
)
def test_a_reply_may_end_with_any_end_token_that_the_model_names(
    base_files: BaseModelFiles,
    tmp_path: Path,
    generation: dict[str, object] | None,
    config: dict[str, object],
    ends: tuple[int, ...],
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(base_files.folder, folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    stated = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**stated, **config}))
    renderer = load_renderer(replace(base_files, folder=folder))
    # 2 is the template's own, <|im_end|>.
    assert renderer.end_id == 2
    assert renderer.end_ids == ends
