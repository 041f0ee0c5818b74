"""The wheel alone, in an environment of its own: init, data, fit on the smoke configuration, and the dashboard."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from .commands.conftest import free_port
from .test_packaging import build_wheel, copy_sources

if TYPE_CHECKING:
    from trialign.models import ModelConfig

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment's ``bin``. What TriAlign depends on is borrowed from here; its editable install is not.

    A folder that a ``.pth`` file adds has its own ``.pth`` files left alone, and an editable install is one.
    """
    source, folder = tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("environment")
    copy_sources(source)
    wheel = build_wheel(source, folder)
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    place = next((folder / "venv/lib").glob("python*/site-packages"))
    borrowed = [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    (place / "borrowed.pth").write_text("\n".join(borrowed) + "\n", encoding="utf-8")
    python = folder / "venv/bin/python"
    command = [python, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--ignore-installed", wheel]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return python.parent


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}


def run(command: list[str | Path], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_alone_does_what_the_readme_shows(installed: Path, tiny_config: ModelConfig, tmp_path: Path) -> None:
    trialign = installed / "trialign"
    where = run([installed / "python", "-c", "import trialign; print(trialign.__file__)"], tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    model = ["model=folder", f"model.path={tiny_config.path}", f"model.name={tiny_config.name}"]

    run([trialign, "init", "mine"], tmp_path)
    assert "No questions" not in run([trialign, "data", "--config", "mine.yaml", *model], tmp_path / "mine")

    brief = ["trainer.steps=2", "data.limit=2", "collect.max_new_tokens=4", "audit.max_new_tokens=4"]
    run([trialign, "fit", "--config", "conf/smoke.yaml", *model, *brief], tmp_path / "mine")
    agents = tmp_path / "mine/runs/smoke/agents/step=000002"
    assert len(list(agents.glob("*/adapter_model.safetensors"))) == 3

    _serves(trialign, tmp_path / "mine")


def _serves(trialign: Path, folder: Path) -> None:
    """The dashboard answers over the runs of a folder."""
    port = free_port()
    log = folder / "dashboard.log"
    with log.open("wb") as out:
        command = [trialign, "dashboard", "runs", "--port", str(port)]
        server = subprocess.Popen(command, cwd=folder, env=environment(), stdout=out, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 300
        while True:
            assert server.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < until, log.read_text(encoding="utf-8")
            try:
                health = httpx2.get(f"http://127.0.0.1:{port}/_stcore/health")
                if health.status_code == 200:
                    break
            except httpx2.HTTPError:
                pass
            time.sleep(0.3)
        assert "<title>" in httpx2.get(f"http://127.0.0.1:{port}/").text
    finally:
        server.terminate()
        server.wait(timeout=60)
