"""What libraries read from the environment before they are imported, for the command line and for programs alike."""

from __future__ import annotations

import os
from pathlib import Path


def settle() -> None:
    """Sets what nobody has set; what is loaded already keeps what it read."""
    # GNU OpenMP's threads spin for milliseconds while they wait, which halts whatever else runs on these cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "30000")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("DS_ACCELERATOR", "cpu" if not Path("/dev/nvidia0").exists() else "cuda")
