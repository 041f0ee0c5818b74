"""Agents of one shared basis on disk: `trialign.checkpoints` with ``policy.adapters=basis``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from trialign.checkpoints import (
    BASIS,
    AgentCheckpoint,
    copy_adapter,
    load_agents,
    read_agents,
    write_agents,
)
from trialign.errors import UnfinishedError, UserError
from trialign.models import BaseModelFiles, ModelConfig, load_model
from trialign.policy import GroupPolicy

from .test_checkpoints import ANSWERS, PROMPT, scores_of

pytestmark = pytest.mark.unit

MakePolicy = Callable[..., GroupPolicy]


@pytest.fixture(scope="module")
def policy(make_policy: MakePolicy) -> GroupPolicy:
    return make_policy(adapters="basis")


@pytest.fixture
def written(tmp_path: Path, policy: GroupPolicy, base_files: BaseModelFiles) -> AgentCheckpoint:
    return write_agents(tmp_path / "agents" / "step=000200", policy, 200, base_files, {})


def test_agents_of_a_basis_come_back_as_they_were_written(
    written: AgentCheckpoint, policy: GroupPolicy, make_policy: MakePolicy, base_files: BaseModelFiles
) -> None:
    other = make_policy(adapters="basis", untrained=True)
    assert scores_of(other) != pytest.approx(scores_of(policy), abs=1e-2)
    load_agents(other, read_agents(written.folder), base_files)
    assert scores_of(other) == scores_of(policy)
    again = write_agents(written.folder.with_name("step=000201"), other, 201, base_files, {})
    assert again.manifest["files"] == written.manifest["files"]


def test_a_group_owns_a_few_bytes_beside_the_basis(written: AgentCheckpoint) -> None:
    assert written.manifest["adapters"] == {"mode": "basis", "rank": 4, "alpha": 8, "dimensions": 8}
    sizes = {path.relative_to(written.folder).as_posix(): path.stat().st_size for path in written.folder.rglob("*.*")}
    own = {name: size for name, size in sizes.items() if not name.startswith((BASIS, "manifest"))}
    assert set(own) == {f"{group}/coordinates.safetensors" for group in ("north", "south", "island")}
    assert max(own.values()) < 256
    hashes = {written.adapter_sha256(group) for group in ("north", "south", "island")}
    assert len(hashes) == 3
    assert None not in hashes
    assert written.adapter_sha256("control") is None


def test_a_hash_stands_for_the_basis_too(
    written: AgentCheckpoint, make_policy: MakePolicy, base_files: BaseModelFiles
) -> None:
    other = make_policy(adapters="basis")
    with torch.no_grad():
        other.base.model.layers[0].mlp.up_proj.group_scales[0, 0] += 1
    changed = write_agents(written.folder.with_name("step=000300"), other, 300, base_files, {})
    name = "north/coordinates.safetensors"
    assert changed.manifest["files"][name] == written.manifest["files"][name]
    assert changed.adapter_sha256("north") != written.adapter_sha256("north")


def test_an_exported_agent_is_a_plain_peft_adapter(
    written: AgentCheckpoint,
    policy: GroupPolicy,
    base_files: BaseModelFiles,
    tiny_config: ModelConfig,
    tmp_path: Path,
) -> None:
    ids = torch.tensor([[*PROMPT, *ANSWERS[0]]])
    for name, index in (("north", 0), ("south", 1), ("island", 2)):
        copy_adapter(written, name, tmp_path / "out" / name)
        plain = PeftModel.from_pretrained(load_model(base_files, tiny_config), str(tmp_path / "out" / name)).eval()
        policy.routing.rows = torch.tensor([index])
        with torch.no_grad():
            torch.testing.assert_close(plain(ids).logits, policy.base(ids).logits, atol=1e-4, rtol=1e-5)


def test_the_basis_alone_is_the_agent_of_an_unknown_group(
    written: AgentCheckpoint, make_policy: MakePolicy, base_files: BaseModelFiles, tiny_config: ModelConfig
) -> None:
    unknown = make_policy(("somebody",), adapters="basis")
    assert unknown.coordinates is not None
    unknown.coordinates.set(0, torch.zeros(8))
    ids = torch.tensor([[*PROMPT, *ANSWERS[0]]])
    plain = PeftModel.from_pretrained(load_model(base_files, tiny_config), str(written.folder / BASIS)).eval()
    unknown.routing.rows = torch.tensor([0])
    with torch.no_grad():
        torch.testing.assert_close(plain(ids).logits, unknown.base(ids).logits, atol=1e-4, rtol=1e-5)


def test_some_of_the_groups_can_be_loaded(
    written: AgentCheckpoint, policy: GroupPolicy, make_policy: MakePolicy, base_files: BaseModelFiles
) -> None:
    some = make_policy(("island", "north"), adapters="basis", untrained=True)
    load_agents(some, written, base_files)
    scores = scores_of(policy)
    assert scores_of(some) == pytest.approx([*scores[4:], *scores[:2]], abs=1e-5)
    with pytest.raises(UserError, match="no adapter for group 'west'"):
        load_agents(make_policy(("north", "west"), adapters="basis"), written, base_files)


@pytest.mark.parametrize("change", [{"basis": 4}, {"adapters": "shared"}])
def test_another_basis_is_refused(
    written: AgentCheckpoint, make_policy: MakePolicy, base_files: BaseModelFiles, change: dict[str, object]
) -> None:
    from trialign.policy.adapters import BasisConfig

    stated: dict[str, object] = {"adapters": "basis", **change}
    if "basis" in change:
        stated["basis"] = BasisConfig(dimensions=4)
    with pytest.raises(UserError, match=r"have the adapters .*'mode': 'basis'.* are asked for"):
        load_agents(make_policy(**stated), written, base_files)


@pytest.mark.parametrize("name", [f"{BASIS}/scales.safetensors", "south/coordinates.safetensors"])
def test_a_tampered_byte_is_found(written: AgentCheckpoint, name: str) -> None:
    content = bytearray((written.folder / name).read_bytes())
    content[-3] ^= 1
    (written.folder / name).write_bytes(bytes(content))
    with pytest.raises(UserError, match=rf"{name}.* is not the one that was written"):
        read_agents(written.folder)


@pytest.mark.parametrize("which", ["z", "U", "A"])
def test_a_basis_that_is_not_numbers_is_not_written(
    written: AgentCheckpoint, make_policy: MakePolicy, base_files: BaseModelFiles, which: str
) -> None:
    policy = make_policy(adapters="basis")
    layer, coordinates = policy.base.model.layers[1].mlp.up_proj, policy.coordinates
    assert coordinates is not None
    broken = {"z": coordinates.own, "U": layer.group_scales, "A": layer.lora_A["shared"].weight}[which]
    with torch.no_grad():
        broken[1, 1] = float("nan")
    whose = "agent of group 'south'" if which == "z" else "basis of all agents"
    with pytest.raises(UnfinishedError, match=f"{whose} has weights that are not numbers"):
        write_agents(written.folder.with_name("step=000300"), policy, 300, base_files, {})
    assert [path.name for path in written.folder.parent.iterdir()] == ["step=000200"]
