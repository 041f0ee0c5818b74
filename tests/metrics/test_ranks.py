"""Two processes compute what one does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

pytestmark = pytest.mark.integration

PROGRAM = Path(__file__).with_name("rank_states.py")


def computed(folder: Path, ranks: int) -> list[Any]:
    """What every rank computes."""
    rendezvous = folder / f"rendezvous-{ranks}"
    results = [folder / f"{rank}-of-{ranks}.pt" for rank in range(ranks)]
    processes = [
        subprocess.Popen([sys.executable, PROGRAM, str(rank), str(ranks), rendezvous, result])
        for rank, result in enumerate(results)
    ]
    assert [process.wait() for process in processes] == [0] * ranks
    return [torch.load(result, weights_only=True) for result in results]


def test_two_ranks_compute_what_one_does(tmp_path: Path) -> None:
    (alone,) = computed(tmp_path, 1)
    for together in computed(tmp_path, 2):
        assert [name for name, _ in together] == [name for name, _ in alone]
        for (name, one), (_, two) in zip(alone, together, strict=True):
            torch.testing.assert_close(two, one, rtol=1e-12, atol=0, msg=name, equal_nan=True)
    values = [value for _, result in alone for value in (result.values() if isinstance(result, dict) else [result])]
    assert all(value.isfinite().all() for value in values)
