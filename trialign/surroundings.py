"""What libraries read from the environment before they are imported, for the command line and for programs alike."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path


def settle() -> None:
    """Sets what nobody has set; what is loaded already keeps what it read."""
    # GNU OpenMP's threads spin for milliseconds while they wait, which halts whatever else runs on these cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "30000")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("DS_ACCELERATOR", "cpu" if not Path("/dev/nvidia0").exists() else "cuda")


def quiet_libraries() -> None:
    """Keeps from the user what libraries say of themselves."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    for name in ("httpx", "httpx2", "huggingface_hub", "fsspec", "DeepSpeed", "deepspeed", "bitsandbytes"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # What one library tells another about its next version is not for the user.
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
