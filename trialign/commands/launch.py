"""Ranks before any work: with several devices and no launcher, the command starts itself under torchrun."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import torch
import torch.distributed as dist

LAUNCHER_VARIABLES = ("TORCHELASTIC_RUN_ID", "SLURM_PROCID")


def launch_ranks(devices: int) -> None:
    """Sees to it that every rank exists; returns in each of them.

    Lightning's own relaunch would run the whole command once more in every process, collection and audit included.
    """
    if devices == 1:
        return
    if not launched(os.environ):
        sys.stderr.flush()
        os.execv(sys.executable, [sys.executable, *torchrun_arguments(devices, sys.argv[1:])])
    if not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def launched(environment: Mapping[str, str]) -> bool:
    """Whether a launcher started this process as one of several ranks."""
    return any(name in environment for name in LAUNCHER_VARIABLES)


def torchrun_arguments(devices: int, command: list[str]) -> list[str]:
    """Arguments for the Python interpreter that start the command once per device."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={devices}"]
    return [*launcher, "-m", "trialign.cli", *command]
