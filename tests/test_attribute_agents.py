"""Agents of values that no group has, on disk: `trialign.attribute_agents`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from trialign.attribute_agents import agent_of, maps_of
from trialign.checkpoints import BASIS, AgentCheckpoint, coordinates_of, load_agents, read_agents, write_agents
from trialign.errors import UnfinishedError, UserError
from trialign.models import BaseModelFiles, ModelConfig
from trialign.policy import GroupPolicy
from trialign.policy.maps import AttributeMaps
from trialign.storage import sha256_of_file

from .policy.test_basis import NAMES
from .policy.test_maps import groups, mapped
from .test_checkpoints import scores_of

pytestmark = pytest.mark.unit


@pytest.fixture
def policy(base_files: BaseModelFiles, tiny_config: ModelConfig) -> GroupPolicy:
    return mapped(base_files, tiny_config)


@pytest.fixture
def written(tmp_path: Path, policy: GroupPolicy, base_files: BaseModelFiles) -> AgentCheckpoint:
    return write_agents(tmp_path / "agents" / "step=000200", policy, 200, base_files, {})


def maps_in(checkpoint: AgentCheckpoint) -> AttributeMaps:
    maps = maps_of(checkpoint)
    assert maps is not None
    return maps


def test_maps_stand_beside_the_groups_z_and_give_them(written: AgentCheckpoint, policy: GroupPolicy) -> None:
    checkpoint = read_agents(written.folder)
    assert f"{BASIS}/maps.json" in checkpoint.manifest["files"]
    assert policy.coordinates is not None
    assert policy.coordinates.maps is not None
    maps = maps_in(checkpoint)
    torch.testing.assert_close(maps.weights, policy.coordinates.maps.weights.float(), atol=0, rtol=0)
    for name in NAMES:
        own = coordinates_of(checkpoint, name)
        torch.testing.assert_close(maps.z(groups().values(name)), own, atol=1e-6, rtol=1e-6)
        assert own.abs().max() > 0.1


def test_agents_are_loaded_without_their_maps(
    written: AgentCheckpoint, policy: GroupPolicy, base_files: BaseModelFiles, tiny_config: ModelConfig
) -> None:
    before = scores_of(policy)
    other = mapped(base_files, tiny_config)
    with torch.no_grad():
        for parameter in other.parameters():
            if parameter.requires_grad:
                parameter.zero_()
    load_agents(other, read_agents(written.folder), base_files)
    assert scores_of(other) == pytest.approx(before, abs=1e-4)
    assert other.coordinates is not None
    assert other.coordinates.maps is None


def test_an_agent_of_values_has_the_hash_that_a_groups_would_have(written: AgentCheckpoint) -> None:
    maps = maps_in(written)
    values = {"age": 60.0, "land": "sand"}
    agent = agent_of(written, maps, values)
    assert agent.z.equal(maps.z(values))
    assert agent.beyond == ("The age 60 is outside the groups that were trained, 20 to 50",)
    assert agent.sha256 not in {written.adapter_sha256(name) for name in NAMES}
    assert agent_of(written, maps, {"age": 30.0, "land": "ice"}).beyond == ()
    # One row a value, so that z is the north's to the bit.
    north = coordinates_of(written, "north")
    values = groups().values("north")
    exact = AttributeMaps(maps.attributes, torch.stack([north * 0, north, north * 0]))
    assert agent_of(written, exact, values).sha256 == written.adapter_sha256("north")


def test_a_category_that_no_group_had_is_refused(written: AgentCheckpoint) -> None:
    with pytest.raises(UserError, match="'land' is 'wood', a category that no group was told of"):
        agent_of(written, maps_in(written), {"age": 30.0, "land": "wood"})


@pytest.mark.parametrize("damage", ["byte", "missing", "no maps", "not a number"])
def test_damaged_maps_are_refused(written: AgentCheckpoint, damage: str) -> None:
    file = written.folder / BASIS / "maps.json"
    if damage == "byte":
        file.write_text(file.read_text(encoding="utf-8").replace("0", "1", 1), encoding="utf-8")
    elif damage == "missing":
        file.unlink()
    else:
        stated = json.loads(file.read_text(encoding="utf-8"))
        if damage == "no maps":
            del stated["attributes"]
        else:
            stated["attributes"][0]["map"][0][0] = float("nan")
        file.write_text(json.dumps(stated), encoding="utf-8")
        files = {**written.manifest["files"], f"{BASIS}/maps.json": sha256_of_file(file)}
        written = AgentCheckpoint(written.folder, {**written.manifest, "files": files})
    with pytest.raises(UserError, match=r"maps\.json is missing or is not the one that was written"):
        maps_of(written)


def test_maps_that_are_not_numbers_are_not_written(
    written: AgentCheckpoint, policy: GroupPolicy, base_files: BaseModelFiles
) -> None:
    assert policy.coordinates is not None
    with torch.no_grad():
        policy.coordinates.own[0, 0] = float("inf")
    with pytest.raises(UnfinishedError, match="basis of all agents has weights that are not numbers"):
        write_agents(written.folder.with_name("step=000300"), policy, 300, base_files, {})


def test_groups_with_a_z_of_their_own_have_no_maps(
    tmp_path: Path, policy: GroupPolicy, base_files: BaseModelFiles
) -> None:
    assert policy.coordinates is not None
    policy.coordinates.set(0, torch.zeros(8))
    free = write_agents(tmp_path / "step=000001", policy, 1, base_files, {})
    assert maps_of(free) is None
    assert f"{BASIS}/maps.json" not in free.manifest["files"]
