"""Resumable states: whole or left out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from trialign.errors import UserError
from trialign.training.states import SavedStates, ranks_of

pytestmark = pytest.mark.unit


def a_file(step: int) -> object:
    return lambda path: torch.save({"step": step}, path)


def a_folder(step: int) -> object:
    def save(path: Path) -> None:
        (path / "checkpoint").mkdir(parents=True)
        (path / "checkpoint" / "share.pt").write_text(f"step {step}")

    return save


@pytest.mark.parametrize("kind", [a_file, a_folder])
def test_a_torn_state_gives_way_to_the_one_before(tmp_path: Path, kind: object) -> None:
    states = SavedStates(tmp_path / "checkpoints" / "last.ckpt")
    assert states.newest() is None
    for step in (1, 2, 3):
        states.write(kind(step))  # type: ignore[operator]
    assert sorted(path.name for path in states.last.parent.iterdir()) == ["last.ckpt", "previous.ckpt"]
    assert states.newest() == states.last
    assert ranks_of(states.last) == (1 if kind is a_folder else None)
    torn = states.last if states.last.is_file() else states.last / "checkpoint" / "share.pt"
    content = torn.read_bytes()
    torn.write_bytes(content[:-1])
    assert states.newest() == states.previous
    torn.unlink()
    assert states.newest() == states.previous


@pytest.mark.parametrize("kind", [a_file, a_folder])
def test_what_a_cut_off_leaves_is_never_read_and_is_cleared_away(tmp_path: Path, kind: object) -> None:
    states = SavedStates(tmp_path / "last.ckpt")

    def cut(path: Path) -> None:
        kind(2)(path)  # type: ignore[operator]
        raise KeyboardInterrupt

    states.write(kind(1))  # type: ignore[operator]
    with pytest.raises(KeyboardInterrupt):
        states.write(cut)
    assert states.draft.exists()
    assert states.newest() == states.last
    states.write(kind(3))  # type: ignore[operator]
    assert not states.draft.exists()


def test_a_cut_between_the_two_renamings_leaves_the_one_before(tmp_path: Path) -> None:
    states = SavedStates(tmp_path / "last.ckpt")
    states.write(a_file(1))  # type: ignore[arg-type]
    states.last.rename(states.previous)
    assert states.newest() == states.previous


def test_no_whole_state_is_told(tmp_path: Path) -> None:
    states = SavedStates(tmp_path / "last.ckpt")
    states.last.write_bytes(b"torn")
    with pytest.raises(UserError, match=r"No state in .* is whole"):
        states.newest()
