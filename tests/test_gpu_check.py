"""The check of one GPU, as far as a CPU can run it: what fails or differs is said, and the command ends badly."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import gpu_check  # noqa: E402


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--device", "cpu", *words])
    gpu_check.main()


@pytest.mark.integration
def test_the_engine_is_exact_on_this_device_and_a_difference_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--parts", "exactness")
    out = capsys.readouterr().out
    assert out.count("| alike |") == 2
    plain, calls = gpu_check.gradients, []

    def off(*arguments: Any) -> torch.Tensor:
        calls.append(1)
        found = plain(*arguments)
        return found if len(calls) != 2 else found * 1.01  # those of the rows alone

    monkeypatch.setattr(gpu_check, "gradients", off)
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "--parts", "exactness")
    assert stopped.value.code == 1
    out = capsys.readouterr().out
    assert (out.count("| DIFFERS |"), out.count("| alike |")) == (1, 1)


@pytest.mark.slow
def test_flex_attention_along_trees_is_that_of_the_engine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--parts", "attention", "--queries", "2")
    assert "; alike |" in capsys.readouterr().out
    made = gpu_check.create_block_mask
    monkeypatch.setattr(gpu_check, "create_block_mask", lambda _, *rest: made(lambda b, h, q, k: q >= k, *rest))
    with pytest.raises(SystemExit):
        run(monkeypatch, "--parts", "attention", "--queries", "2")
    assert "DIFFERS by" in capsys.readouterr().out


@pytest.mark.unit
def test_a_part_that_fails_says_so_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> Iterator[gpu_check.Row]:
        yield "first", "1.0", "fine"
        raise RuntimeError("no such\ndevice")

    monkeypatch.setattr(gpu_check, "session_of", lambda *_: None)
    monkeypatch.setitem(gpu_check.PARTS, "step", broken)
    monkeypatch.setitem(gpu_check.PARTS, "replies", lambda *_: iter([("second", "2.0", "fine")]))
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "--parts", "step", "replies")
    assert stopped.value.code == 1
    out = capsys.readouterr().out
    for row in (
        "| first | 1.0 | fine |",
        "| step | FAILED | RuntimeError: no such device |",
        "| second | 2.0 | fine |",
    ):
        assert row in out


@pytest.mark.unit
def test_without_a_gpu_it_says_what_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu_check.py"])
    with pytest.raises(SystemExit, match="There is no GPU that torch can use here"):
        gpu_check.main()
