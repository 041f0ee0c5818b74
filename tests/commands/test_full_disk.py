"""A full disk loses nothing that is there."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from safetensors import SafetensorError

from .test_bad_input import refused

pytestmark = pytest.mark.integration


# A full disk

DISK_WORDS = ("collect.queries_per_part=3", "trainer.agents_every=2")


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], AbstractContextManager[None]]:
    """A context in which the n-th file whose path holds a text is torn for lack of space, as the libraries tell it."""
    from contextlib import contextmanager

    from lightning.fabric.plugins.io import torch_io

    from trialign import checkpoints

    @contextmanager
    def filling(part: str, nth: int) -> Any:
        seen: list[Path] = []

        def guarded(write: Callable[..., Any], path_at: int, error: Exception) -> Callable[..., Any]:
            def writing(*args: Any, **kwargs: Any) -> Any:
                path = Path(args[path_at])
                if part in str(path):
                    seen.append(path)
                if part in str(path) and len(seen) == nth:
                    path.write_bytes(b"torn")
                    raise error
                return write(*args, **kwargs)

            return writing

        system = OSError(errno.ENOSPC, "No space left on device")
        rust = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        with monkeypatch.context() as patch:
            patch.setattr(pq, "write_table", guarded(pq.write_table, 1, system))
            patch.setattr(checkpoints, "save_file", guarded(checkpoints.save_file, 1, rust))
            patch.setattr(torch_io, "_atomic_save", guarded(torch_io._atomic_save, 1, system))
            yield
        assert len(seen) >= nth

    return filling


@pytest.fixture(scope="module")
def undisturbed(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The run as it is with room on the disk."""
    project = make_project(tmp_path_factory.mktemp("roomy") / "project")
    assert project.fit(*DISK_WORDS).code == 0
    return project


@pytest.mark.parametrize(
    ("part", "nth"),
    [
        pytest.param(".trajectories", 1, id="first part of the collection"),
        pytest.param(".trajectories", 3, id="third part of the collection"),
        pytest.param("step=000000", 1, id="audit before"),
        pytest.param("agents", 2, id="agents of step 2"),
        pytest.param("agents", 5, id="agents of step 4"),
        pytest.param("last.ckpt", 1, id="first resumable state"),
        pytest.param("last.ckpt", 2, id="second resumable state"),
        pytest.param("step=000004.", 1, id="audit after"),
    ],
)
def test_a_full_disk_loses_nothing_and_resume_finishes(
    project: Any,
    undisturbed: Any,
    full_disk: Callable[[str, int], AbstractContextManager[None]],
    part: str,
    nth: int,
) -> None:
    command = ("fit", "--config", "mine.yaml", *DISK_WORDS)
    with full_disk(part, nth):
        said = refused(project, *command, names=("No space is left on the device", "--resume"), changes_nothing=False)
    assert f"trialign {' '.join(command)} --resume" in said
    left = project.files()
    assert list(project.folder.rglob("*.tmp")) == []

    assert project.call(*command, "--resume").code == 0
    whole = project.files()
    states = [f"runs/mine/checkpoints/{name}.ckpt" for name in ("last", "previous")]
    grown = ("runs/mine/logs/metrics.csv", "runs/mine/config.yaml", *states)
    assert {name for name in left if whole[name] != left[name]} <= set(grown)
    agents = {name: digest for name, digest in whole.items() if "step=000004" in name and "adapter_model" in name}
    assert agents == {name: undisturbed.files()[name] for name in agents}
    assert len(agents) == 3


def test_a_full_disk_keeps_an_older_prediction(trained_copy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from trialign import storage

    (trained_copy.folder / "answers.jsonl").write_text("older answers\n")

    def failing(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage.os, "fsync", failing)
    refused(trained_copy, "predict", "questions.jsonl", "--run", "runs/mine", "--output", "answers.jsonl")
