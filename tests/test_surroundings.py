"""What is set before libraries are imported, and what is left as it is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from trialign.surroundings import settle


@pytest.mark.unit
def test_what_is_set_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    settle()
    assert (os.environ["GOMP_SPINCOUNT"], os.environ["TOKENIZERS_PARALLELISM"]) == ("7", "false")


@pytest.mark.integration
def test_a_program_has_it_before_torch_is_imported() -> None:
    code = (
        "import sys, trialign; import trialign.surroundings as s; "
        "seen = []; s.settle = lambda: seen.append('torch' in sys.modules); trialign.compose; assert seen == [False]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
