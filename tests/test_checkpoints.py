from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from trialign import checkpoints
from trialign.checkpoints import (
    AgentCheckpoint,
    adapters_of,
    load_agents,
    read_agents,
    write_agents,
)
from trialign.composition import compose
from trialign.errors import UnfinishedError, UserError
from trialign.group_config import build_groups
from trialign.groups import GroupSet
from trialign.models import BaseModelFiles, ModelConfig, load_model
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.storage import sha256_of_file

pytestmark = pytest.mark.unit

MakePolicy = Callable[..., GroupPolicy]
PROMPT, ANSWERS = (5, 90, 41, 7), ((17, 200, 2), (3, 2))


def scores_of(policy: GroupPolicy) -> list[float]:
    """Two answers of every group."""
    rows = [
        TreeRow(
            policy.adapter_index(group),
            (Segment(PROMPT, ROOT), *(Segment(answer, 0, action=True) for answer in ANSWERS)),
        )
        for group in policy.groups
    ]
    with torch.no_grad():
        scores: list[float] = policy.score(build_tree_batch(rows)).tolist()
    return scores


@pytest.fixture(scope="module")
def policy(make_policy: MakePolicy) -> GroupPolicy:
    return make_policy()


@pytest.fixture
def written(tmp_path: Path, policy: GroupPolicy, base_files: BaseModelFiles) -> AgentCheckpoint:
    folder = tmp_path / "agents" / "step=000200"
    return write_agents(folder, policy, 200, base_files, {"scoring": "sum", "groups": ["größer"]})


def rewrite(checkpoint: AgentCheckpoint, change: Callable[[dict[str, Any]], object]) -> None:
    file = checkpoint.folder / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    change(manifest)
    file.write_text(json.dumps(manifest), encoding="utf-8")


def test_a_checkpoint_comes_back_as_it_was_written(
    written: AgentCheckpoint, policy: GroupPolicy, make_policy: MakePolicy, base_files: BaseModelFiles
) -> None:
    read = read_agents(written.folder)
    assert read.manifest == written.manifest
    assert read.step == 200
    assert written.folder.name == "step=000200"
    other = make_policy(untrained=True)
    assert scores_of(other) != pytest.approx(scores_of(policy), abs=1e-2)
    load_agents(other, read, base_files)
    assert scores_of(other) == scores_of(policy)


def test_the_manifest_says_what_the_agents_are(
    written: AgentCheckpoint, groups: GroupSet, base_files: BaseModelFiles
) -> None:
    manifest = json.loads((written.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["schema_version"] == 1
    assert manifest["base_model"] == {"name": "house/tiny-llama", "revision": None, "sha256": base_files.sha256}
    assert manifest["adapters"] == {"mode": "per_group", "rank": 4, "alpha": 8}
    assert (manifest["scoring"], manifest["groups"]) == ("sum", ["größer"])
    for group in groups.names:
        name = f"{group}/adapter_model.safetensors"
        assert manifest["files"][name] == sha256_of_file(written.folder / name) == written.adapter_sha256(group)
    assert written.adapter_sha256("control") is None
    on_disk = {path.relative_to(written.folder).as_posix() for path in written.folder.rglob("*") if path.is_file()}
    assert on_disk == {*manifest["files"], "manifest.json"}
    assert len({written.adapter_sha256(group) for group in groups.names}) == 3


def test_combined_groups_name_adapters_and_folders(
    tmp_path: Path, make_policy: MakePolicy, base_files: BaseModelFiles, tiny_config: ModelConfig
) -> None:
    names = build_groups(compose("conf/quickstart.yaml", ["groups=[education,english,country]"])["groups"]).names
    assert len(names) == 27
    write_agents(tmp_path / "step=000001", make_policy(groups=names, rank=1), 1, base_files, {})
    read = read_agents(tmp_path / "step=000001")
    assert {path.name for path in read.folder.iterdir() if path.is_dir()} == set(names)
    assert all(read.adapter_sha256(name) for name in names)
    PeftModel.from_pretrained(load_model(base_files, tiny_config), str(read.folder / "no_high_school-beginner-iran"))


@pytest.mark.parametrize("mode", ["per_group", "shared"])
def test_every_groups_folder_is_a_peft_adapter(
    tmp_path: Path, make_policy: MakePolicy, base_files: BaseModelFiles, tiny_config: ModelConfig, mode: str
) -> None:
    policy = make_policy(adapters=mode)
    write_agents(tmp_path / "step=000001", policy, 1, base_files, {})
    ids = torch.tensor([[*PROMPT, *ANSWERS[0]]])
    seen = []
    for group in policy.groups:
        folder = tmp_path / "step=000001" / group
        plain = PeftModel.from_pretrained(load_model(base_files, tiny_config), str(folder)).eval()
        policy.routing.rows = torch.tensor([policy.adapter_index(group)])
        with torch.no_grad():
            expected = policy.base(ids).logits
            torch.testing.assert_close(plain(ids).logits, expected, atol=1e-4, rtol=1e-5)
        seen.append(expected)
        config = json.loads((folder / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == "house/tiny-llama"
        assert config["inference_mode"]
    assert torch.equal(seen[0], seen[1]) == (mode == "shared")


def test_the_revision_of_the_base_is_kept(tmp_path: Path, policy: GroupPolicy, base_files: BaseModelFiles) -> None:
    base = replace(base_files, revision="abc123")
    written = write_agents(tmp_path / "step=000001", policy, 1, base, {})
    assert written.manifest["base_model"]["revision"] == "abc123"
    config = json.loads((written.folder / "north" / "adapter_config.json").read_text())
    assert config["revision"] == "abc123"


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_tampered_byte_is_found(written: AgentCheckpoint, name: str) -> None:
    file = written.folder / "south" / name
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(UserError, match=rf"south/{name}.* is not the one that was written"):
        read_agents(written.folder)


def test_a_missing_file_is_found(written: AgentCheckpoint) -> None:
    (written.folder / "north" / "adapter_model.safetensors").unlink()
    with pytest.raises(UserError, match=r"north/adapter_model\.safetensors is missing"):
        read_agents(written.folder)


@pytest.mark.parametrize("text", ["", '{"schema_version": 1', "[]", "{}", '{"schema_version": 1, "files": 3}', "\xff"])
def test_a_torn_manifest_is_refused(written: AgentCheckpoint, text: str) -> None:
    (written.folder / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"manifest\.json"):
        read_agents(written.folder)


@pytest.mark.parametrize("key", ["step", "base_model", "adapters", "files"])
def test_a_manifest_without_a_key_is_refused(written: AgentCheckpoint, key: str) -> None:
    rewrite(written, lambda manifest: manifest.pop(key))
    with pytest.raises(UserError, match=r"manifest\.json"):
        read_agents(written.folder)


def test_another_schema_version_is_refused(written: AgentCheckpoint) -> None:
    rewrite(written, lambda manifest: manifest.update(schema_version=2))
    with pytest.raises(UserError, match="schema version 2, and this version reads 1"):
        read_agents(written.folder)


def test_no_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no agent checkpoint in .*step=000007"):
        read_agents(tmp_path / "step=000007")


@pytest.mark.parametrize("outside", ["../secret.txt", "north/../../secret.txt", "link.txt", "absolute"])
def test_a_manifest_cannot_point_outside_its_folder(written: AgentCheckpoint, outside: str) -> None:
    secret = written.folder.parent / "secret.txt"
    secret.write_text("secret")
    if outside == "link.txt":
        (written.folder / outside).symlink_to(secret)
    name = str(secret) if outside == "absolute" else outside
    # The hash is right: only the place is not.
    rewrite(written, lambda manifest: manifest["files"].update({name: sha256_of_file(secret)}))
    with pytest.raises(UserError, match="is not the one that was written"):
        read_agents(written.folder)


def test_a_checkpoint_has_its_name_once_its_manifest_is_durable(
    tmp_path: Path, policy: GroupPolicy, base_files: BaseModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "agents" / "step=000200"
    synced: list[tuple[list[str], bool]] = []

    def fsync(descriptor: int) -> None:
        synced.append((Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.split(".")[1:2], folder.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_agents(folder, policy, 200, base_files, {})
    # The manifest under its temporary name, the draft's folder, then the folder of all agents.
    assert synced == [(["manifest"], False), (["step=000200"], False), ([], True)]


def test_another_base_model_is_refused(
    written: AgentCheckpoint, policy: GroupPolicy, base_files: BaseModelFiles
) -> None:
    other = replace(base_files, name="house/other", sha256="f" * 64)
    with pytest.raises(UserError, match=f"house/other.*house/tiny-llama.*{base_files.sha256[:12]}.*ffffffffffff"):
        load_agents(policy, written, other)


def test_another_group_is_refused(
    written: AgentCheckpoint, make_policy: MakePolicy, base_files: BaseModelFiles
) -> None:
    with pytest.raises(UserError, match="no adapter for group 'west'"):
        load_agents(make_policy(("north", "west")), written, base_files)


@pytest.mark.parametrize("change", [{"rank": 2}, {"alpha": 16}, {"adapters": "shared"}], ids=["rank", "alpha", "mode"])
def test_other_adapters_are_refused(
    written: AgentCheckpoint, make_policy: MakePolicy, base_files: BaseModelFiles, change: dict[str, Any]
) -> None:
    # The weights alone would fit another alpha, and a shared adapter would be the last group's.
    with pytest.raises(UserError, match=r"have the adapters .*'rank': 4, 'alpha': 8.* are asked for"):
        load_agents(make_policy(**change), written, base_files)


def test_some_of_the_groups_can_be_loaded(
    written: AgentCheckpoint, policy: GroupPolicy, make_policy: MakePolicy, base_files: BaseModelFiles
) -> None:
    some = make_policy(("island", "north"), untrained=True)
    load_agents(some, written, base_files)
    scores = scores_of(policy)
    assert scores_of(some) == pytest.approx([*scores[4:], *scores[:2]], abs=1e-5)


def test_a_checkpoint_is_replaced_whole(
    written: AgentCheckpoint, make_policy: MakePolicy, base_files: BaseModelFiles
) -> None:
    (written.folder / "left-over.txt").write_text("x")
    again = write_agents(written.folder, make_policy(untrained=True), 201, base_files, {})
    read = read_agents(written.folder)
    assert read.step == again.step == 201
    assert read.adapter_sha256("north") != written.adapter_sha256("north")
    assert not (written.folder / "left-over.txt").exists()
    assert [path.name for path in written.folder.parent.iterdir()] == ["step=000200"]


@pytest.mark.parametrize("fails_at", [0, 2])
def test_a_failed_write_leaves_the_older_checkpoint(
    written: AgentCheckpoint,
    policy: GroupPolicy,
    base_files: BaseModelFiles,
    monkeypatch: pytest.MonkeyPatch,
    fails_at: int,
) -> None:
    saved: list[Path] = []
    save_file = checkpoints.save_file

    def full_disk(tensors: dict[str, torch.Tensor], file: Path, **options: Any) -> None:
        if len(saved) == fails_at:
            raise OSError("No space left on device")
        saved.append(file)
        save_file(tensors, file, **options)

    monkeypatch.setattr(checkpoints, "save_file", full_disk)
    for step in (200, 300):
        saved.clear()
        with pytest.raises(OSError, match="No space left"):
            write_agents(written.folder.with_name(f"step={step:06d}"), policy, step, base_files, {})
        assert len(saved) == fails_at
    assert [path.name for path in written.folder.parent.iterdir()] == ["step=000200"]
    assert read_agents(written.folder).manifest == written.manifest


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_agents_that_are_not_numbers_are_not_written(
    written: AgentCheckpoint, make_policy: MakePolicy, base_files: BaseModelFiles, value: str
) -> None:
    policy = make_policy()
    with torch.no_grad():
        policy.base.model.layers[1].mlp.up_proj.lora_A["south"].weight[0, 1] = float(value)
    for folder in (written.folder, written.folder.with_name("step=000300")):  # in place of an older one, and new
        with pytest.raises(UnfinishedError, match=r"group 'south' .* in .*layers\.1\.mlp\.up_proj.*not written"):
            write_agents(folder, policy, 300, base_files, {})
    assert read_agents(written.folder).manifest == written.manifest
    assert [path.name for path in written.folder.parent.iterdir()] == ["step=000200"]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_agents_that_are_not_numbers_are_not_loaded(
    written: AgentCheckpoint, make_policy: MakePolicy, base_files: BaseModelFiles, value: str
) -> None:
    file = written.folder / "south" / checkpoints.WEIGHTS
    state = load_file(file)
    name = sorted(state)[3]
    state[name][0, 0] = float(value)
    save_file(state, file)
    rewrite(written, lambda manifest: manifest["files"].update({f"south/{checkpoints.WEIGHTS}": sha256_of_file(file)}))
    with pytest.raises(UserError) as refusal:
        load_agents(make_policy(), read_agents(written.folder), base_files)
    assert str(file) in refusal.value.problem
    assert name in refusal.value.problem


def test_agents_that_act_from_the_profile_on_are_not_loaded_as_such_that_always_act(
    tmp_path: Path, make_policy: MakePolicy, base_files: BaseModelFiles
) -> None:
    always, activated = make_policy(), make_policy(activation="profile", invocation=(11, 12))
    for place, (written_by, read_by) in enumerate(((always, activated), (activated, always))):
        checkpoint = write_agents(tmp_path / f"step={place:06d}", written_by, place, base_files, {})
        load_agents(written_by, checkpoint, base_files)
        with pytest.raises(UserError, match=r"policy\.activation"):
            load_agents(read_by, checkpoint, base_files)


def test_the_bytes_that_are_loaded_are_those_that_were_hashed(
    written: AgentCheckpoint, policy: GroupPolicy, make_policy: MakePolicy, base_files: BaseModelFiles
) -> None:
    read = read_agents(written.folder)
    for group in ("north", "south"):  # a valid file of the same names and shapes, put there after the check
        other = {name: tensor + 1 for name, tensor in load_file(written.folder / group / checkpoints.WEIGHTS).items()}
        save_file(other, written.folder / group / checkpoints.WEIGHTS)
    with pytest.raises(UserError, match="not the one that was written"):
        load_agents(make_policy(), read, base_files)


def test_weights_on_disk_are_named_as_peft_names_them(written: AgentCheckpoint) -> None:
    names = set(load_file(written.folder / "north" / "adapter_model.safetensors"))
    assert "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" in names
    assert not any("north" in name for name in names)


def test_people_and_other_programs_can_read_what_is_written(written: AgentCheckpoint) -> None:
    manifest = (written.folder / "manifest.json").read_text(encoding="utf-8")
    assert '\n  "groups": [\n    "größer"\n  ]' in manifest  # a line an entry, letters as they are
    weights = next(written.folder.glob("*/adapter_model.safetensors"))
    with safe_open(weights, "pt") as file:
        assert file.metadata() == {"format": "pt"}  # transformers refuses files that do not say so


def test_the_manifest_says_when_adapters_are_active_where_they_are_not_always() -> None:
    made = {
        activation: adapters_of(SimpleNamespace(config=AdapterConfig(rank=4, alpha=9, activation=activation)))  # type: ignore[arg-type]
        for activation in ("always", "profile")
    }
    stated = {"mode": "per_group", "rank": 4, "alpha": 9}
    assert made == {"always": stated, "profile": {**stated, "activation": "profile"}}
