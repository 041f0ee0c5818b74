"""Layers shared out over ranks: what is whole when, on a mesh of one rank; tests/commands/test_sharding.py has two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor

from trialign.errors import UserError
from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.training.fsdp import own_share, share_out, unshared, whole

pytestmark = pytest.mark.unit


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[DeviceMesh]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    dist.destroy_process_group()


def test_trained_weights_are_whole_inside_and_shared_again_after(
    make_policy: Callable[..., GroupPolicy], mesh: DeviceMesh
) -> None:
    policy, plain = make_policy(), make_policy()
    share_out(policy, mesh)
    trained = {name: one for name, one in policy.named_parameters() if one.requires_grad}
    assert trained
    assert all(isinstance(one, DTensor) for one in trained.values())
    assert not policy.keeps_lower_states
    with unshared(policy):
        inside = dict(policy.named_parameters())
        assert not any(isinstance(inside[name], DTensor) for name in trained)
        for name, one in plain.named_parameters():
            if one.requires_grad:
                torch.testing.assert_close(inside[name], one)
        state = policy.adapter_state("north")
        assert not any(isinstance(one, DTensor) for one in state.values())
    assert dict(policy.named_parameters()).keys() >= trained.keys()
    for name, one in policy.named_parameters():
        if name in trained:
            assert one is trained[name]
            torch.testing.assert_close(whole(one), own_share(one))
    row = TreeRow(0, (Segment((5, 6, 7), ROOT), Segment((8, 9), 0, action=True)))
    torch.testing.assert_close(policy.score(build_tree_batch([row])), plain.score(build_tree_batch([row])))


@pytest.mark.parametrize("layers", ["all", "upper"])
def test_layers_are_given_back_after_every_pass(
    make_policy: Callable[..., GroupPolicy], mesh: DeviceMesh, layers: str
) -> None:
    policy = make_policy(train_layers=layers)
    share_out(policy, mesh)
    batch = build_tree_batch([TreeRow(0, (Segment((5, 6, 7), ROOT), Segment((8, 9), 0, action=True)))])

    def whole_layers() -> list[str]:
        there = dict(policy.named_parameters())
        return [name for name, one in there.items() if ".layers." in name and not isinstance(one, DTensor)]

    with torch.no_grad():
        policy.score(batch)
    assert whole_layers() == []
    for _ in range(2):
        scores = policy.score(batch)
        assert whole_layers() == []
        scores.sum().backward()
        assert whole_layers() == []


def test_what_is_trained_outside_of_the_layers_is_refused(
    make_policy: Callable[..., GroupPolicy], mesh: DeviceMesh
) -> None:
    policy = make_policy()
    policy.base.get_input_embeddings().requires_grad_(True)
    with pytest.raises(UserError, match=r"embed_tokens\.weight is trained and lies outside of them"):
        share_out(policy, mesh)


def test_without_shares_nothing_happens(make_policy: Callable[..., GroupPolicy]) -> None:
    policy = make_policy()
    before = dict(policy.named_parameters())
    with unshared(policy):
        assert all(one is before[name] for name, one in policy.named_parameters())
    tensor = torch.ones(2)
    assert whole(tensor) is own_share(tensor) is tensor
