"""Families that are not served are refused by name, before weights are read, and never by a library's error."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers import LlamaConfig

from trialign.errors import UserError
from trialign.models import BaseModelFiles, ModelConfig, context_length, load_model, read_config, refuse_unfit
from trialign.models.families import Windows, logits_shape, plain_reason, windows_of

pytestmark = pytest.mark.unit

WINDOWS, ABSOLUTE = "sliding-window or linear attention", "absolute position embeddings"
RECURRENT = "recurrent layers"
PLAIN: list[tuple[str, dict[str, Any], str]] = [
    ("AfmoeConfig", {}, WINDOWS),
    ("Llama4TextConfig", {}, WINDOWS),
    ("BloomConfig", {}, "ALiBi"),
    ("MptConfig", {}, "ALiBi"),
    ("FalconConfig", {"alibi": True}, "ALiBi"),
    ("MambaConfig", {}, RECURRENT),
    ("Mamba2Config", {}, RECURRENT),
    ("FalconMambaConfig", {}, RECURRENT),
    ("RwkvConfig", {}, RECURRENT),
    ("JambaConfig", {}, RECURRENT),
    ("Qwen3NextConfig", {}, RECURRENT),
    ("GPT2Config", {}, ABSOLUTE),
    ("OPTConfig", {}, ABSOLUTE),
    ("GPTNeoConfig", {}, ABSOLUTE),
    ("GPTNeoXJapaneseConfig", {}, "no kernel"),
]
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("Gemma3Config", {}, "images or sound"),
    ("BartConfig", {"is_encoder_decoder": True}, "an encoder beside its decoder"),
    ("T5Config", {}, "no causal language model"),
    ("CLIPConfig", {}, "no causal language model"),
    ("Mistral3Config", {}, "no causal language model"),
]
SERVED = ("LlamaConfig", "Qwen2Config", "Qwen3Config", "GemmaConfig", "Phi3Config", "Olmo2Config", "SmolLM3Config")


@pytest.mark.parametrize(("kind", "values", "fault"), REFUSED, ids=lambda part: part if isinstance(part, str) else "")
def test_a_family_that_is_not_served_is_refused_with_its_reason(kind: str, values: dict[str, Any], fault: str) -> None:
    config = getattr(transformers, kind)(**values)
    with pytest.raises(UserError, match=fault) as refusal:
        refuse_unfit(config, "house/odd")
    assert f"house/odd ({config.model_type})" in refusal.value.problem
    assert "Llama" in refusal.value.remedy


@pytest.mark.parametrize(("kind", "values", "reason"), PLAIN, ids=lambda part: part if isinstance(part, str) else "")
def test_a_family_that_a_tree_does_not_serve_is_served_in_plain_rows(
    kind: str, values: dict[str, Any], reason: str
) -> None:
    config = getattr(transformers, kind)(**values)
    refuse_unfit(config)
    assert reason in plain_reason(config)


@pytest.mark.parametrize(
    ("kind", "values", "windows"),
    [
        ("MistralConfig", {"sliding_window": 64}, Windows(64, by_layer=False)),
        ("Gemma3TextConfig", {"sliding_window": 512}, Windows(512, by_layer=True)),
        ("GptOssConfig", {}, Windows(128, by_layer=True)),
        ("Qwen2Config", {"use_sliding_window": True, "sliding_window": 64, "max_window_layers": 0}, Windows(64, True)),
        ("Qwen2Config", {"use_sliding_window": False, "sliding_window": 64}, None),
        ("AfmoeConfig", {"sliding_window": 64}, None),
        ("LlamaConfig", {}, None),
    ],
)
def test_windows_stand_in_the_tree_where_a_family_was_seen_to_take_them(
    kind: str, values: dict[str, Any], windows: Windows | None
) -> None:
    config = getattr(transformers, kind)(**values)
    assert windows_of(config) == windows
    assert (plain_reason(config) == "") == (kind != "AfmoeConfig")


@pytest.mark.parametrize("kind", SERVED)
def test_a_family_that_is_served_passes(kind: str) -> None:
    values = {"sliding_window": None} if kind in ("Phi3Config",) else {}
    config = getattr(transformers, kind)(**values)
    refuse_unfit(config)
    assert plain_reason(config) == ""


@pytest.mark.parametrize(
    ("kind", "values", "shape"),
    [
        ("LlamaConfig", {}, (1.0, None)),
        ("Gemma2Config", {"final_logit_softcapping": 30.0}, (1.0, 30.0)),
        ("GraniteConfig", {"logits_scaling": 8.0}, (0.125, None)),
        ("CohereConfig", {"logit_scale": 0.0625}, (0.0625, None)),
    ],
)
def test_what_becomes_of_the_output_layers_results(
    kind: str, values: dict[str, Any], shape: tuple[float, float | None]
) -> None:
    assert logits_shape(getattr(transformers, kind)(**values)) == shape


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ({"quant_method": "gptq", "bits": 4}, "gptq"),
        ({"quant_method": "awq", "bits": 4}, "awq"),
        ({"quant_method": "fp8"}, "fp8"),
        ({"bits": 4}, "of an unknown kind"),
    ],
)
def test_quantised_weights_are_refused_by_their_method(
    base_files: BaseModelFiles, tiny_config: ModelConfig, tmp_path: Path, stated: dict[str, Any], name: str
) -> None:
    files = changed(base_files, tmp_path, quantization_config=stated)
    with pytest.raises(UserError, match=rf"quantised weights \({name}\)"):
        load_model(files, tiny_config)


def changed(files: BaseModelFiles, folder: Path, **values: Any) -> BaseModelFiles:
    """A copy of a model with other values in its config.json; those that are None are taken out."""
    shutil.copytree(files.folder, folder / "model")
    file = folder / "model" / "config.json"
    stated = {**json.loads(file.read_text(encoding="utf-8")), **values}
    file.write_text(json.dumps({key: value for key, value in stated.items() if value is not None}), encoding="utf-8")
    return replace(files, folder=folder / "model")


def test_a_model_with_code_of_its_own_is_refused_and_its_code_not_run(
    base_files: BaseModelFiles, tiny_config: ModelConfig, tmp_path: Path
) -> None:
    auto = {"AutoConfig": "odd.OddConfig", "AutoModelForCausalLM": "odd.OddModel"}
    files = changed(base_files, tmp_path, model_type="odd", auto_map=auto)
    (files.folder / "odd.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", encoding="utf-8")
    for call in (lambda: load_model(files, tiny_config), lambda: context_length(files)):
        with pytest.raises(UserError, match=r"program code of its own \(trust_remote_code\), which is never run"):
            call()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("values", [{"model_type": "of-tomorrow"}, {"model_type": None, "architectures": None}])
def test_an_unknown_family_is_a_sentence(
    base_files: BaseModelFiles, tiny_config: ModelConfig, tmp_path: Path, values: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=r"cannot read the configuration of the base model house/tiny-llama") as refusal:
        load_model(changed(base_files, tmp_path, **values), tiny_config)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"model_type": 3}', '{"model_type": "llama", "num_attention_heads": "many"}']
)
def test_a_damaged_configuration_is_a_sentence(base_files: BaseModelFiles, tmp_path: Path, text: str) -> None:
    files = changed(base_files, tmp_path)
    (files.folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"the base model house/tiny-llama"):
        read_config(files.folder, files.name)


@pytest.mark.parametrize(
    "values",
    [
        {"hidden_act": "nope"},  # KeyError
        {"vocab_size": -5},  # RuntimeError
        {"pad_token_id": 10**9},  # AssertionError
    ],
)
def test_a_model_that_cannot_be_made_is_a_sentence(
    base_files: BaseModelFiles, tiny_config: ModelConfig, tmp_path: Path, values: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=r"transformers cannot load the base model house/tiny-llama"):
        load_model(changed(base_files, tmp_path, **values), tiny_config)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")]
)
def test_a_lack_of_memory_is_not_the_files_fault(
    base_files: BaseModelFiles, tiny_config: ModelConfig, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*inputs: Any, **values: Any) -> Any:
        raise error

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fails)
    with pytest.raises(type(error)):
        load_model(base_files, tiny_config)


@pytest.mark.parametrize("values", [{"num_hidden_layers": 3}, {"intermediate_size": 96}, {"vocab_size": 500}])
def test_weights_that_are_not_all_there_are_refused(
    base_files: BaseModelFiles, tiny_config: ModelConfig, tmp_path: Path, values: dict[str, Any]
) -> None:
    # transformers would put random numbers in their place, and go on.
    with pytest.raises(UserError, match="are not whole"):
        load_model(changed(base_files, tmp_path, **values), tiny_config)


def test_the_context_is_that_of_the_text_or_unknown(base_files: BaseModelFiles, tmp_path: Path) -> None:
    assert context_length(base_files) == 1024
    nested = transformers.Gemma3Config()
    nested.text_config.max_position_embeddings = 777
    nested.save_pretrained(tmp_path / "nested")
    assert context_length(replace(base_files, folder=tmp_path / "nested")) == 777
    for number, kind in enumerate((transformers.BloomConfig, transformers.MambaConfig)):
        kind().save_pretrained(tmp_path / f"{number}")
        assert context_length(replace(base_files, folder=tmp_path / f"{number}")) is None
    assert LlamaConfig().max_position_embeddings
