"""Served agents are held against a run's: a name that answers as another agent stops the command."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM

from tests.echo_server import EchoServer
from trialign.checkpoints import read_agents
from trialign.models import ModelConfig

pytestmark = pytest.mark.integration
NAMES = ("north", "south", "island")


@pytest.fixture
def serve(tiny_config: ModelConfig) -> Iterator[Callable[..., EchoServer]]:
    """Starts a server of the tiny model with adapters."""
    servers: list[EchoServer] = []

    def start(adapters: dict[str, Path | None], folder: Path | None = None) -> EchoServer:
        servers.append(EchoServer(folder or Path(str(tiny_config.path)), "base", adapters))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def audit(trained_copy: Any) -> Callable[..., Any]:
    """Calls ``trialign test`` of what a server serves, as the copied run's agents."""

    def call(server: EchoServer, *words: str, run: str = "runs/mine") -> Any:
        names = ", ".join(f"{name}: {name}-1" for name in NAMES)
        model = ("model=endpoint", "model.name=base", f"model.base_url={server.url}", f"model.endpoint.canary={run}")
        plain = (
            "name=served",
            "data.limit=1",
            "prompt.options=lettered",
            f"model.endpoint.names={{{names}}}",
            "model.endpoint.attempts=1",
        )
        return trained_copy.call("test", "--config", "mine.yaml", *plain, *model, *words)

    return call


def agents_of(project: Any) -> Path:
    return Path(project.runs) / "mine" / "agents" / "step=000004"


def adapters(folder: Path) -> dict[str, Path | None]:
    return {f"{name}-1": folder / name for name in NAMES}


def test_agents_that_are_the_runs_are_audited_and_named(trained_copy: Any, serve: Any, audit: Any) -> None:
    folder = agents_of(trained_copy)
    outcome = audit(serve(adapters(folder)))
    assert outcome.code == 0, outcome.err
    [file] = (trained_copy.runs / "served").rglob("summary.json")
    found = json.loads(file.read_text())["model"]["canary"]
    checkpoint = read_agents(folder)
    assert found == {"run": "mine", "step": 4, "adapters": {name: checkpoint.adapter_sha256(name) for name in NAMES}}


@pytest.mark.parametrize(
    ("name", "in_its_place", "said"),
    [("south-1", "north", "the agent of 'north'"), ("island-1", None, "the base model")],
)
def test_another_agent_under_a_name_stops_the_command(
    trained_copy: Any, serve: Any, audit: Any, name: str, in_its_place: str | None, said: str
) -> None:
    folder = agents_of(trained_copy)
    outcome = audit(serve({**adapters(folder), name: folder / in_its_place if in_its_place else None}))
    assert outcome.code == 2
    assert f"does not answer as the agent of '{name.removesuffix('-1')}'" in outcome.err
    assert f"under the name '{name}'" in outcome.err
    assert f"from {said}" in outcome.err
    assert not (trained_copy.runs / "served").exists()


def test_prefixes_that_were_kept_of_another_agent_stop_the_command(trained_copy: Any, serve: Any, audit: Any) -> None:
    server = serve(adapters(agents_of(trained_copy)))
    server.kept = {"south-1": "north-1"}  # its prompts come back as south's: they are computed anew
    outcome = audit(server)
    assert outcome.code == 2
    assert "goes on from prefixes of other weights under the name 'south-1'" in outcome.err
    assert not (trained_copy.runs / "served").exists()


def test_other_weights_beneath_stop_the_command(
    trained_copy: Any, serve: Any, audit: Any, tiny_config: ModelConfig, tmp_path: Path
) -> None:
    shutil.copytree(str(tiny_config.path), tmp_path / "other")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "other")
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(tmp_path / "other")
    server = serve(adapters(agents_of(trained_copy)), tmp_path / "other")
    outcome = audit(server)
    assert outcome.code == 2
    assert re.search(r"does not answer as the base model of .* under the name 'base': .* nats a token", outcome.err)
    assert not (trained_copy.runs / "served").exists()


def test_what_cannot_tell_is_refused(trained_copy: Any, serve: Any, audit: Any) -> None:
    server = serve(adapters(agents_of(trained_copy)))
    assert "There is no run" in (outcome := audit(server, run="runs/none")).err
    assert outcome.code == 2
    server.echoes = False
    outcome = audit(server)
    assert outcome.code == 2
    assert "gives no log-probabilities of prompts under the name 'base'" in outcome.err
    config = trained_copy.runs / "mine" / "config.yaml"
    stated = yaml.safe_load(config.read_text(encoding="utf-8"))
    del stated["groups"]["members"]["island"]
    config.write_text(yaml.safe_dump(stated), encoding="utf-8")
    outcome = audit(server)
    assert outcome.code == 2
    assert "has no group 'island' of model.endpoint.names" in outcome.err
