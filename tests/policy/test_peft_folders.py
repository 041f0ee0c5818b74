"""Adapters that PEFT trained and saved answer here as they do under PEFT."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AdaLoraConfig, IA3Config, LoraConfig, PeftConfig, PeftModel
from safetensors.torch import load_file, save_file

from trialign.errors import UserError
from trialign.models import BaseModelFiles, ChatRenderer, ModelConfig, load_model
from trialign.policy import ROOT, Segment, TreeRow, peft_folders
from trialign.policy.peft_folders import WEIGHTS, policy_of_folders, read_peft_folder, read_peft_folders
from trialign.policy.scoring import score_rows
from trialign.storage import sha256_of_file

pytestmark = pytest.mark.integration

GROUPS = ("north", "south", "island")
CONFIGS: dict[str, dict[str, Any]] = {
    "north": {"r": 2, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]},
    "south": {"r": 5, "lora_alpha": 3, "target_modules": "all-linear", "use_rslora": True, "lora_dropout": 0.1},
    "island": {
        "r": 3,
        "lora_alpha": 6,
        "target_modules": ["gate_proj", "q_proj"],
        "layers_to_transform": [1],
        "rank_pattern": {"q_proj": 4},
        "alpha_pattern": {"gate_proj": 24},
    },
}
Save = Callable[..., Path]


def lora(**values: Any) -> LoraConfig:
    return LoraConfig(task_type="CAUSAL_LM", **{"target_modules": ["q_proj"], "r": 2, **values})


def under_peft(
    folder: Path | None, files: BaseModelFiles, config: ModelConfig, prompt: tuple[int, ...], action: tuple[int, ...]
) -> float:
    """Log-probability of a reply by PEFT's own forward pass."""
    model: Any = load_model(files, config)
    if folder:
        model = PeftModel.from_pretrained(model, folder).eval()
    ids = torch.tensor([[*prompt, *action]])
    with torch.no_grad():
        steps = model(input_ids=ids).logits[0].log_softmax(-1)
    return sum(float(steps[len(prompt) + place - 1, token]) for place, token in enumerate(action))


def test_every_group_answers_as_its_folder_does(
    save: Save, base_files: BaseModelFiles, tiny_config: ModelConfig, renderer: ChatRenderer
) -> None:
    folders = {group: save(group, lora(**CONFIGS[group])) for group in GROUPS}
    read = read_peft_folders({group: str(path) for group, path in folders.items()}, GROUPS, "house/tiny-llama")
    policy = policy_of_folders(load_model(base_files, tiny_config), GROUPS, read).eval()
    prompt = renderer.render([("user", "Which planet is largest?")])
    actions = [renderer.reply(text) for text in ("Jupiter", "Mars")]
    rows = [
        TreeRow(
            policy.adapter_index(group),
            (Segment(prompt, ROOT), *(Segment(action, 0, action=True) for action in actions)),
        )
        for group in (*GROUPS, "control")
    ]
    found = score_rows(policy, rows)
    for group, scores in zip((*GROUPS, "control"), found, strict=True):
        expected = [under_peft(folders.get(group), base_files, tiny_config, prompt, action) for action in actions]
        assert scores == pytest.approx(expected, abs=1e-4), group
    assert len({round(scores[0], 2) for scores in found}) == 4  # or the adapters would be told apart by nothing


def test_one_folder_serves_all_groups(save: Save, base_files: BaseModelFiles, tiny_config: ModelConfig) -> None:
    folder = save("shared", lora())
    read = read_peft_folders(str(folder), GROUPS, "house/tiny-llama")
    policy = policy_of_folders(load_model(base_files, tiny_config), GROUPS, read)
    assert len(policy.adapters) == 1
    assert {adapter.sha256 for adapter in read.values()} == {sha256_of_file(folder / WEIGHTS)}


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path, save: Save) -> None:
    with pytest.raises(UserError, match=r"no PEFT adapter in .*nowhere: it has no adapter_config\.json"):
        read_peft_folder(tmp_path / "nowhere")
    folder = save("torn", lora())
    weights = folder / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be read"):
        read_peft_folder(folder)
    weights.unlink()
    with pytest.raises(UserError, match=rf"it has no {WEIGHTS}"):
        read_peft_folder(folder)
    (folder / "adapter_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match="as a pickle"):
        read_peft_folder(folder)


def test_a_folder_of_several_adapters_names_one(tmp_path: Path, save: Save) -> None:
    save("several/first", lora())
    with pytest.raises(UserError) as refusal:
        read_peft_folder(tmp_path / "several")
    assert str(tmp_path / "several" / "first") in refusal.value.remedy


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (IA3Config(task_type="CAUSAL_LM", target_modules=["q_proj"], feedforward_modules=[]), "is of the kind IA3"),
        (AdaLoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj"], total_step=9), "is of the kind ADALORA"),
        (lora(use_dora=True), "sets use_dora"),
        (lora(lora_bias=True), "sets lora_bias"),
        (lora(alora_invocation_tokens=[5, 6]), "sets alora_invocation_tokens"),
        (lora(layer_replication=[(0, 2), (1, 2)]), "sets layer_replication"),
        (lora(target_parameters=["mlp.gate_proj.weight"]), "sets target_parameters"),
        (lora(trainable_token_indices=[4]), "sets trainable_token_indices"),
        (lora(use_qalora=True), "sets use_qalora"),
        (lora(bias="lora_only"), "sets bias"),
        (lora(modules_to_save=["lm_head"]), "sets modules_to_save"),
    ],
)
def test_an_adapter_that_is_no_plain_lora_is_refused(save: Save, config: PeftConfig, problem: str) -> None:
    with pytest.raises(UserError) as raised:
        read_peft_folder(save("special", config))
    assert problem in raised.value.problem
    assert "Merge it into its base model" in raised.value.remedy


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_16", "olora", "loftq", "corda", "lora_ga", "of tomorrow"])
def test_a_start_that_changes_the_base_weights_is_refused(save: Save, start: str) -> None:
    with pytest.raises(UserError, match=f"was begun with {start}"):
        read_peft_folder(restated(save("started", lora()), init_lora_weights=start))


@pytest.mark.parametrize("start", [True, False, None, "gaussian", "eva", "orthogonal"])
def test_a_start_of_the_factors_alone_is_none(save: Save, start: Any) -> None:
    assert read_peft_folder(restated(save("started", lora()), init_lora_weights=start)).rank == 2


def test_every_setting_of_peft_is_read_or_refused_when_it_is_on(save: Save) -> None:
    """A field that a later PEFT adds is refused by itself; none of today's passes unseen."""
    harmless = {"peft_type", "peft_version", "auto_mapping", "inference_mode", "lora_dropout", "task_type", "revision"}
    harmless |= {"base_model_name_or_path", "loftq_config", "eva_config", "runtime_config"}
    harmless |= {"megatron_core", "qalora_group_size"}  # with megatron_config and use_qalora, which are refused
    read = {"r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "init_lora_weights"}
    read |= {"target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"}
    folder = save("all", lora())
    before = (folder / "adapter_config.json").read_bytes()
    for field in fields(LoraConfig):
        if field.name in harmless | read:
            continue
        (folder / "adapter_config.json").write_bytes(before)
        with pytest.raises(UserError, match=f"sets {field.name}"):
            read_peft_folder(restated(folder, **{field.name: {"on": 1}}))


@pytest.mark.parametrize("value", [None, False, [], {}])
def test_settings_that_are_off_are_none(save: Save, value: Any) -> None:
    """As other trainers write them: an empty list of modules to save is none."""
    names = ("modules_to_save", "trainable_token_indices", "target_parameters", "layer_replication", "lora_bias")
    assert read_peft_folder(restated(save("off", lora()), **dict.fromkeys(names, value))).rank == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_settings_are_read_in_any_unicode(save: Save, encoding: str) -> None:
    folder = save("marked", lora())
    file = folder / "adapter_config.json"
    file.write_text(file.read_text(encoding="utf-8"), encoding=encoding)
    assert read_peft_folder(folder).rank == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"r": 2}', '{"peft_type": 3}', "[" * 100_000, "\xff\xfe\x00"])
def test_settings_that_are_none_are_refused(save: Save, text: str) -> None:
    folder = save("damaged", lora())
    (folder / "adapter_config.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match="cannot be read"):
        read_peft_folder(folder)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"r": 3}, "states the rank 3 for .*q_proj, whose factors are of rank 2"),
        ({"r": None}, "states the rank None"),
        ({"r": "2"}, "states the rank '2'"),
        ({"rank_pattern": {"layers.1.self_attn.q_proj": 4}}, r"states the rank 4 for model\.layers\.1"),
        ({"alpha_pattern": {"layers.1.self_attn.q_proj": 0}}, r"the scale lora_alpha=0 in model\.layers\.1"),
        ({"lora_alpha": float("nan")}, "the scale lora_alpha=nan"),
        ({"lora_alpha": 10**400}, "the scale lora_alpha=1000"),
        ({"target_modules": ["v_proj"]}, "factors of .*q_proj, which its settings leave out"),
        ({"target_modules": r".*\.v_proj"}, "factors of .*q_proj, which its settings leave out"),
        ({"exclude_modules": ["layers.0.self_attn.q_proj"]}, r"factors of model\.layers\.0\..*leave out"),
        ({"layers_to_transform": [1]}, r"factors of model\.layers\.0\..*leave out"),
    ],
)
def test_settings_that_speak_of_other_factors_are_refused(save: Save, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        read_peft_folder(restated(save("other", lora()), **changes))


def test_quantised_factors_and_factors_that_are_no_matrices_are_refused(save: Save) -> None:
    with pytest.raises(UserError, match=r"quantised \(torch\.int8"):
        read_peft_folder(retensored(save("int8", lora()), lambda name, tensor: tensor.to(torch.int8)))
    for size in ((), (1,), (2, 0, 32)):
        with pytest.raises(UserError, match="factors of different rank"):
            read_peft_folder(
                retensored(save("flat", lora()), lambda name, tensor, size=size: torch.zeros(size))  # type: ignore[misc]
            )


def test_the_hash_is_that_of_the_bytes_that_were_read(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save("replaced", lora())
    file = folder / WEIGHTS
    before, read = sha256_of_file(file), peft_folders.load

    def replaced(content: bytes) -> Any:
        file.write_bytes(b"another's")  # between reading and hashing
        return read(content)

    monkeypatch.setattr(peft_folders, "load", replaced)
    assert read_peft_folder(folder).sha256 == before


def test_a_folder_that_two_groups_share_is_one_adapter(
    save: Save, base_files: BaseModelFiles, tiny_config: ModelConfig
) -> None:
    first, second = save("one", lora()), save("two", lora())
    places = {"north": str(first), "south": f"{second}/../one", "island": str(second)}
    read = read_peft_folders(places, GROUPS, "house/tiny-llama")
    assert read["north"] is read["south"]
    policy = policy_of_folders(load_model(base_files, tiny_config), GROUPS, read).eval()
    rows = [
        TreeRow(policy.adapter_index(group), (Segment((5, 6, 7), ROOT), Segment((8, 2), 0, action=True)))
        for group in GROUPS
    ]
    north, south, island = score_rows(policy, rows)
    assert north == pytest.approx(south, abs=1e-5)
    assert north != pytest.approx(island, abs=1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e300])
@pytest.mark.parametrize("part", ["lora_A", "lora_B"])
def test_weights_that_are_not_numbers_are_refused(save: Save, value: float, part: str) -> None:
    folder = save("diverged", lora())
    file = folder / WEIGHTS
    tensors = load_file(file)
    [name, *_] = sorted(key for key in tensors if part in key)
    tensors[name] = tensors[name].double()  # 1e300 is a number in the file, and none in float32
    tensors[name][1, 0] = value
    save_file(tensors, file)
    with pytest.raises(UserError) as refusal:
        read_peft_folder(folder)
    assert name.removeprefix("base_model.model.") in refusal.value.problem
    assert str(folder) in refusal.value.problem


def test_an_adapter_that_changes_nothing_is_one(save: Save) -> None:
    folder = save("begun", lora())
    tensors = {key: tensor * ("lora_A" in key) for key, tensor in load_file(folder / WEIGHTS).items()}
    save_file(tensors, folder / WEIGHTS)
    assert read_peft_folder(folder).rank == 2


def restated(folder: Path, **changes: Any) -> Path:
    """The folder with other settings in its configuration."""
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
    return folder


def retensored(folder: Path, change: Callable[[str, torch.Tensor], torch.Tensor]) -> Path:
    """The folder with other weights."""
    tensors = load_file(folder / WEIGHTS)
    save_file({name: change(name, tensor).contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)
    return folder


@pytest.mark.parametrize("value", [True, 3.0, {"a": 1}, "on"])
def test_a_setting_of_a_newer_peft_that_is_switched_on_is_refused(save: Save, value: Any) -> None:
    with pytest.raises(UserError, match="sets use_magic, which the installed PEFT does not know"):
        read_peft_folder(restated(save("newer", lora()), use_magic=value))


@pytest.mark.parametrize("value", [None, False, {}, [], ""])
def test_a_setting_of_a_newer_peft_that_is_off_is_none(save: Save, value: Any) -> None:
    assert read_peft_folder(restated(save("newer", lora()), use_magic=value)).rank == 2


@pytest.mark.parametrize("alpha", [None, 0, -4, True, "8"])
def test_a_scale_that_is_none_is_refused(save: Save, alpha: Any) -> None:
    with pytest.raises(UserError, match="the scale lora_alpha="):
        read_peft_folder(restated(save("scale", lora()), lora_alpha=alpha))


@pytest.mark.parametrize("alpha", [1, 0.5])
def test_a_small_scale_is_one(save: Save, alpha: float) -> None:
    folder = save("small", lora())
    whole = {name: up for name, (_, up) in read_peft_folder(restated(folder, lora_alpha=2)).factors.items()}
    found = {name: up for name, (_, up) in read_peft_folder(restated(folder, lora_alpha=alpha)).factors.items()}
    for name, up in whole.items():
        assert torch.allclose(found[name], up * (alpha / 2))


def test_an_adapter_of_single_experts_is_refused(
    save: Save, base_files: BaseModelFiles, tiny_config: ModelConfig
) -> None:
    read = read_peft_folder(save("expert", lora()))
    module, factors = next(iter(read.factors.items()))
    model = load_model(base_files, tiny_config)
    parent, layer = module.rpartition(".")[0], model.get_submodule(module)
    experts = torch.nn.ModuleList([torch.nn.Linear(layer.in_features, layer.out_features, bias=False)])
    model.get_submodule(parent).add_module("experts", experts)
    of_expert = replace(read, factors={f"{parent}.experts.0": factors})
    with pytest.raises(UserError, match=r"changes .*experts\.0, .*not as a plain linear layer"):
        policy_of_folders(model, GROUPS, dict.fromkeys(GROUPS, of_expert))


def test_factors_of_different_rank_are_refused(save: Save) -> None:
    folder = retensored(save("half", lora()), lambda name, tensor: tensor[:1] if "lora_A" in name else tensor)
    with pytest.raises(UserError, match=r"factors of different rank in .*q_proj: \(1, 32\), \(32, 2\)"):
        read_peft_folder(folder)


@pytest.mark.parametrize("module", ["lm_head", "embed_tokens"])
def test_an_adapter_of_the_embeddings_is_refused_by_what_it_is(save: Save, module: str) -> None:
    with pytest.raises(UserError, match="changes the input or output embeddings"):
        read_peft_folder(save("head", lora(target_modules=["q_proj", module])))


@pytest.mark.parametrize("stated", ["./llama", "/data/llama", "models/llama", "someone/tiny-llama-bnb-4bit", None, ""])
def test_a_path_or_a_quantised_copy_says_nothing_of_another_base(save: Save, stated: str | None) -> None:
    folder = restated(save("elsewhere", lora()), base_model_name_or_path=stated)
    assert set(read_peft_folders(str(folder), GROUPS, "house/tiny-llama")) == set(GROUPS)


def test_a_folder_beside_the_adapter_is_no_hub_id(save: Save) -> None:
    folder = restated(save("beside", lora()), base_model_name_or_path="own/llama")
    with pytest.raises(UserError, match="was trained on own/llama"):
        read_peft_folders(str(folder), GROUPS, "house/tiny-llama")
    (folder.parent / "own" / "llama").mkdir(parents=True)
    assert set(read_peft_folders(str(folder), GROUPS, "house/tiny-llama")) == set(GROUPS)


def test_an_adapter_may_lie_at_home(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save("mine", lora())
    monkeypatch.setenv("HOME", str(folder.parent))
    assert set(read_peft_folders("~/mine", GROUPS, "house/tiny-llama")) == set(GROUPS)


def wider(tensors: dict[str, Any], key: str) -> None:
    tensors[key] = torch.zeros(2, 48)


def renamed(tensors: dict[str, Any], key: str) -> None:
    for name in list(tensors):
        tensors[name.replace("layers.1", "layers.7")] = tensors.pop(name)


@pytest.mark.parametrize(("change", "problem"), [(wider, "has it as (32, 32)"), (renamed, "has no such layer")])
def test_an_adapter_of_another_base_model_is_refused(
    save: Save, base_files: BaseModelFiles, tiny_config: ModelConfig, change: Callable[..., None], problem: str
) -> None:
    folder = save("foreign", lora())
    tensors = load_file(folder / WEIGHTS)
    change(tensors, next(name for name in sorted(tensors) if "lora_A" in name))
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(UserError) as raised:
        policy_of_folders(load_model(base_files, tiny_config), ("north",), {"north": read_peft_folder(folder)})
    assert problem in raised.value.problem
    assert "house/tiny-llama" in raised.value.remedy


def test_an_adapter_that_names_another_base_model_is_refused(save: Save) -> None:
    folder = str(save("named", lora()))
    with pytest.raises(UserError, match=r"was trained on house/tiny-llama, and the base model is house/other"):
        read_peft_folders(folder, GROUPS, "house/other")


def test_every_group_needs_a_folder(save: Save) -> None:
    folder = str(save("some", lora()))
    with pytest.raises(UserError, match=r"one folder for each group \(see island, west\)"):
        read_peft_folders({"north": folder, "south": folder, "west": folder}, GROUPS, "house/tiny-llama")
