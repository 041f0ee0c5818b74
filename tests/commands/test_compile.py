"""Training by kernels that torch.compile makes, through the real command."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from trialign.policy import compiling

pytestmark = pytest.mark.integration

MEMBERS = ("north", "south", "island")


def weights(project: Any, name: str) -> dict[str, torch.Tensor]:
    folder = project.runs / name / "agents" / "step=000004"
    return {
        f"{group}.{key}": value
        for group in MEMBERS
        for key, value in load_file(folder / group / "adapter_model.safetensors").items()
    }


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler is installed")
def test_compiled_kernels_train_the_same_agents_and_answer_by_none(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, original = [], compiling.compiled

    def spied(policy: Any) -> Any:
        left.append(policy.base.get_decoder())
        return original(policy)

    monkeypatch.setattr("trialign.api.fitting.compiled", spied)
    # Float64 would hide what single precision does; Adam's steps are small where gradients are all rounding.
    words = ("optimizer.learning_rate=0.001", "audit.answers=[scored]")
    assert project.fit("name=plain", *words).code == 0
    assert not left
    assert project.fit("name=compiled", *words, "trainer.compile=true").code == 0
    one, other = weights(project, "plain"), weights(project, "compiled")
    assert max(float((one[key] - other[key]).abs().max()) for key in one) < 1e-5
    assert [decoder._compiled_call_impl for decoder in left] == [None]


def test_without_a_compiler_nothing_begins(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    before = project.files()
    outcome = project.fit("trainer.compile=true")
    assert outcome.code == 2
    assert "there is no C++ compiler here (no-such-compiler)" in outcome.err
    assert "apt-get install g++" in outcome.err
    assert project.files() == before
