"""Ranks before any work: with several devices and no launcher, the command starts itself under torchrun."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping

import torch
import torch.distributed as dist

LAUNCHER_VARIABLES = ("TORCHELASTIC_RUN_ID", "SLURM_PROCID")


def launch_ranks(devices: int) -> None:
    """Sees to it that every rank exists; returns in each of them.

    Lightning's own relaunch would run the whole command once more in every process, collection and audit included.

    Raises:
        SystemExit: in the process that only launched the ranks, when they are done; with their exit code.
    """
    if devices == 1:
        return
    if not launched(os.environ):
        sys.stderr.flush()
        sys.exit(run_ranks(devices, sys.argv[1:]))
    if not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def leave_ranks() -> None:
    """Ends this process's part in the ranks; the threads of a process group that outlive the interpreter abort it."""
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def launched(environment: Mapping[str, str]) -> bool:
    """Whether a launcher started this process as one of several ranks."""
    return any(name in environment for name in LAUNCHER_VARIABLES)


def run_ranks(devices: int, command: list[str]) -> int:
    """Runs the command once per device under torchrun's agent.

    Returns:
        0, or the exit code of the rank that failed first: what was wrong is that rank's to say, and is said.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    try:
        run(parse_args(torchrun_arguments(devices, command)))
    except ChildFailedError as error:
        return max(error.get_first_failure()[1].exitcode, 1)
    except SignalException:
        return 1
    return 0


def torchrun_arguments(devices: int, command: list[str]) -> list[str]:
    """Arguments for torchrun that start the command once per device."""
    return ["--standalone", f"--nproc-per-node={devices}", "-m", "trialign.cli", *command]
