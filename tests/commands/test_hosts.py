"""Two machines: network namespaces with addresses of their own, torchrun on each, and a link that can be cut."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

pytestmark = [pytest.mark.integration, pytest.mark.slow]

STEPS = 60
GROUPS = ("north", "south", "island")
WORDS = (
    "trainer=deepspeed_zero3_cpu",
    "optimizer.learning_rate=0.001",
    f"trainer.steps={STEPS}",
    "trainer.queries_per_step=2",
    "trainer.validate_every=0",
    "trainer.resume_every=5",
)
ADDRESSES = ("10.99.7.1", "10.99.7.2")


def ip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Hosts:
    """Two network namespaces, joined by a pair of interfaces."""

    names: tuple[str, str]

    def set_link(self, state: str) -> None:
        for name in self.names:
            assert ip("-n", name, "link", "set", name, state).returncode == 0

    def start(self, host: int, rendezvous: list[str], command: list[str], log: Path) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": self.names[host]}
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", *rendezvous]
        with log.open("wb") as out:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.names[host], *torchrun, "-m", "trialign.cli", *command],
                cwd=log.parent,
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    if shutil.which("ip") is None:
        pytest.skip("there is no command 'ip' here to make network namespaces with")
    names = (f"ta{os.getpid()}", f"tb{os.getpid()}")
    try:
        for name in names:
            made = ip("netns", "add", name)
            if made.returncode:
                pytest.skip(f"network namespaces are not permitted here: {made.stderr.strip()}")
        made = ip("link", "add", names[0], "netns", names[0], "type", "veth", "peer", names[1], "netns", names[1])
        if made.returncode:
            pytest.skip(f"virtual links are not permitted here: {made.stderr.strip()}")
        for name, address in zip(names, ADDRESSES, strict=True):
            assert ip("-n", name, "address", "add", f"{address}/24", "dev", name).returncode == 0
            assert ip("-n", name, "link", "set", "lo", "up").returncode == 0
        hosts = Hosts(names)
        hosts.set_link("up")
        yield hosts
    finally:
        for name in names:
            ip("netns", "delete", name)


def weights(project: Any, name: str) -> dict[str, torch.Tensor]:
    folder = project.runs / name / "agents" / f"step={STEPS:06d}"
    return {
        f"{group}.{key}": value
        for group in GROUPS
        for key, value in load_file(folder / group / "adapter_model.safetensors").items()
    }


def wait_for_state(project: Any, name: str, processes: list[subprocess.Popen[bytes]], logs: list[Path]) -> None:
    deadline = time.monotonic() + 600
    while not (project.runs / name / "checkpoints" / "previous.ckpt").exists():
        for process, log in zip(processes, logs, strict=True):
            assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_both_sides_of_a_cut_link_stop_and_the_run_goes_on(
    hosts: Hosts, make_project: Callable[[Path], Any], tmp_path: Path
) -> None:
    project = make_project(tmp_path / "project")
    logs = [tmp_path / "first.log", tmp_path / "second.log"]

    def fit(name: str) -> list[str]:
        return ["fit", "--config", str(project.folder / "mine.yaml"), f"name={name}", *WORDS, "--resume"]

    def start(rendezvous: Callable[[int], list[str]]) -> list[subprocess.Popen[bytes]]:
        command = [*fit("cut"), "trainer.nodes=2", "trainer.devices=1"]
        return [hosts.start(host, rendezvous(host), command, logs[host]) for host in (0, 1)]

    processes = start(
        lambda host: [
            "--rdzv-backend=c10d",
            f"--rdzv-endpoint={ADDRESSES[0]}:29400",
            "--rdzv-id=cut",
            f"--rdzv-conf=is_host={int(host == 0)}",
            f"--local-addr={ADDRESSES[host]}",
        ]
    )
    try:
        wait_for_state(project, "cut", processes, logs)
        hosts.set_link("down")
        deadline = time.monotonic() + 60
        codes = [process.wait(timeout=max(0.0, deadline - time.monotonic())) for process in processes]
    finally:
        for process in processes:
            process.kill()
    said = [log.read_text(encoding="utf-8") for log in logs]
    assert all(codes), said
    assert "Rank 1 on" in said[0]
    assert "has not been heard for 40 s. This rank stops; go on with --resume." in said[0]
    assert f"The machine {ADDRESSES[0]}, where the ranks meet, has not answered for 40 s." in said[1]
    assert not (project.runs / "cut" / "agents").exists()

    hosts.set_link("up")
    processes = start(lambda host: [f"--node-rank={host}", f"--master-addr={ADDRESSES[0]}", "--master-port=29500"])
    codes = [process.wait(timeout=900) for process in processes]
    assert codes == [0, 0], [log.read_text(encoding="utf-8") for log in logs]

    command = [sys.executable, "-m", "trialign.cli", *fit("whole"), "trainer.devices=2"]
    whole = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False)
    assert whole.returncode == 0, whole.stderr
    one, other = weights(project, "whole"), weights(project, "cut")
    assert max(float((one[key] - other[key]).abs().max()) for key in one) < 1e-6
