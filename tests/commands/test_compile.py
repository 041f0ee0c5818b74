"""Training by kernels that torch.compile makes, through the real command."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from safetensors.torch import load_file

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
    seen: list[bool] = []
    fit = Trainer.fit

    def spied(self: Trainer, module: Any, *inputs: Any, **given: Any) -> None:
        fit(self, module, *inputs, **given)
        seen.append(module.policy.base.get_decoder()._compiled_call_impl is not None)

    monkeypatch.setattr(Trainer, "fit", spied)
    torch._dynamo.utils.counters.clear()
    # Float64 would hide what single precision does; Adam's steps are small where gradients are all rounding.
    words = ("optimizer.learning_rate=0.001", "audit.answers=[scored]")
    assert project.fit("name=plain", *words).code == 0
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 0
    assert project.fit("name=compiled", *words, "trainer.compile=true").code == 0
    one, other = weights(project, "plain"), weights(project, "compiled")
    assert max(float((one[key] - other[key]).abs().max()) for key in one) < 1e-5
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    assert seen == [False, True]


def test_without_a_compiler_nothing_begins(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    before = project.files()
    outcome = project.fit("trainer.compile=true")
    assert outcome.code == 2
    assert "there is no C++ compiler here (no-such-compiler)" in outcome.err
    assert "apt-get install g++" in outcome.err
    assert project.files() == before
