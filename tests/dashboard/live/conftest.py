"""Runs of the tiny model on disk, as ``trialign fit`` leaves them, each with agents of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ..conftest import SyntheticRun

if TYPE_CHECKING:
    from trialign.dashboard.live.replies import Source
    from trialign.groups import GroupSet
    from trialign.models import BaseModelFiles, ModelConfig
    from trialign.policy import GroupPolicy


def group_section(groups: GroupSet) -> dict[str, Any]:
    """A set of groups as a configuration states it."""
    members = {
        group.name: {
            "label": group.label,
            "explicit": list(group.explicit),
            "implicit": [[asdict(message) for message in dialogue] for dialogue in group.implicit],
        }
        for group in groups.members
    }
    return {
        "name": groups.name,
        "attribute": groups.attribute,
        "members": members,
        "control": {"label": groups.control.label} if groups.control else None,
    }


@pytest.fixture(scope="session")
def write_run(
    base_files: BaseModelFiles, tiny_config: ModelConfig, make_policy: Callable[..., GroupPolicy], groups: GroupSet
) -> Callable[..., list[Source]]:
    """Writes a run with one checkpoint a seed, each with adapters of its own; returns how to ask them."""
    import torch

    from trialign.checkpoints import write_agents
    from trialign.dashboard.live.replies import Source
    from trialign.runs import RunFolder

    def write(root: Path, name: str, *, seeds: tuple[int, ...] = (1,), rank: int = 4) -> list[Source]:
        run = RunFolder(root / name)
        run.folder.mkdir(parents=True)
        config = {
            "model": asdict(tiny_config),
            "groups": group_section(groups),
            "prompt": {"system": "You are a helpful assistant.", "options": "listed"},
            "scoring": {"kind": "sum", "temperature": 1.0},
            "policy": {"adapters": "per_group", "rank": rank, "alpha": 8, "target_modules": "all-linear"},
        }
        run.config_file.write_text(yaml.safe_dump(config), encoding="utf-8")
        sources = []
        for step, seed in enumerate(seeds, start=1):
            policy = make_policy(rank=rank)
            torch.manual_seed(seed)
            for parameter_name, parameter in policy.named_parameters():
                if "lora_B" in parameter_name:
                    torch.nn.init.normal_(parameter, std=0.3)
            folder = run.agents_at(step)
            about = {"groups": [asdict(group) for group in groups.everyone]}
            write_agents(folder, policy, step, base_files, about)
            sources.append(Source(name, run.config_file, step, folder))
        return sources

    return write


@pytest.fixture(scope="session")
def stored_runs(write_run: Callable[..., list[Source]], tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    """Checkpoints of two runs, two in the one and one of another rank in the other. Tests change nothing in them."""
    root = tmp_path_factory.mktemp("stored")
    return [*write_run(root, "first", seeds=(1, 2)), *write_run(root, "second", seeds=(3,), rank=2)]


@pytest.fixture
def live_run(runs: Path, write_run: Callable[..., list[Source]]) -> list[Source]:
    """A run of the tiny model with two checkpoints, audited before and after training."""
    sources = write_run(runs, "house", seeds=(1, 2))
    SyntheticRun(runs / "house").audit(0)
    SyntheticRun(runs / "house").audit(2)
    return sources
