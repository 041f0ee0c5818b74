"""Resumable states: whole or left out."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from trialign.errors import UserError
from trialign.training.states import SavedStates

pytestmark = pytest.mark.unit


def a_state(step: int) -> Callable[[Path], None]:
    return lambda path: torch.save({"step": step}, path)


def test_a_torn_state_gives_way_to_the_one_before(tmp_path: Path) -> None:
    states = SavedStates(tmp_path / "checkpoints" / "last.ckpt")
    assert states.newest() is None
    for step in (1, 2, 3):
        states.write(a_state(step))
    assert sorted(path.name for path in states.last.parent.iterdir()) == ["last.ckpt", "previous.ckpt"]
    assert states.newest() == states.last
    content = states.last.read_bytes()
    states.last.write_bytes(content[:-1])
    assert states.newest() == states.previous
    # A byte of a tensor or of a name in the middle: the length is right, the checksum is not.
    states.last.write_bytes(content[: len(content) // 2] + b"\xff\x00" + content[len(content) // 2 + 2 :])
    assert states.newest() == states.previous
    states.last.unlink()
    assert states.newest() == states.previous
    assert torch.load(states.previous) == {"step": 2}


def test_what_a_cut_off_leaves_is_never_read_and_is_cleared_away(tmp_path: Path) -> None:
    states = SavedStates(tmp_path / "last.ckpt")

    def cut(path: Path) -> None:
        a_state(2)(path)
        raise KeyboardInterrupt

    states.write(a_state(1))
    with pytest.raises(KeyboardInterrupt):
        states.write(cut)
    assert states.draft.exists()
    assert states.newest() == states.last
    states.write(a_state(3))
    assert not states.draft.exists()


def test_a_full_disk_gets_its_room_back_and_keeps_the_last_state(tmp_path: Path) -> None:
    states = SavedStates(tmp_path / "last.ckpt")

    def full(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "full", str(path))

    states.write(a_state(1))
    with pytest.raises(OSError, match="full"):
        states.write(full)
    assert not states.draft.exists()
    assert states.newest() == states.last


def test_a_cut_between_the_two_renamings_leaves_the_one_before(tmp_path: Path) -> None:
    states = SavedStates(tmp_path / "last.ckpt")
    states.write(a_state(1))
    states.last.rename(states.previous)
    assert states.newest() == states.previous


def test_a_state_is_durable_before_the_last_one_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = SavedStates(tmp_path / "checkpoints" / "last.ckpt")
    states.write(a_state(1))
    synced: list[tuple[str, int]] = []

    def fsync(descriptor: int) -> None:
        target = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced.append((target.name, torch.load(states.last)["step"]))

    monkeypatch.setattr(os, "fsync", fsync)
    states.write(a_state(2))
    assert synced == [(".last.ckpt.tmp", 1), ("checkpoints", 2)]


def test_no_whole_state_is_told(tmp_path: Path) -> None:
    states = SavedStates(tmp_path / "last.ckpt")
    states.last.write_bytes(b"torn")
    with pytest.raises(UserError, match=r"No state in .* is whole"):
        states.newest()
