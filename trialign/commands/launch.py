"""Ranks before any work: with several devices and no launcher, the command starts itself under torchrun."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Mapping

import torch
import torch.distributed as dist

from trialign.commands.heartbeat import Heartbeat
from trialign.config import TrainerConfig
from trialign.errors import UserError

# torchrun's and DeepSpeed's names for them; what Slurm calls them is said in these names too.
RANK, LOCAL_RANK, NODE, WORLD = "RANK", "LOCAL_RANK", "GROUP_RANK", "WORLD_SIZE"
_heartbeat: Heartbeat | None = None


def launch_ranks(devices: int, nodes: int = 1) -> None:
    """Sees to it that every rank exists; returns in each of them.

    Lightning's own relaunch would run the whole command once more in every process, collection and audit included.

    Raises:
        UserError: several machines without a launcher, or a launcher that started another number of ranks.
        SystemExit: in the process that only launched the ranks, when they are done; with their exit code.
    """
    ranks = devices * nodes
    if ranks == 1:
        return
    if not launched(os.environ):
        if nodes > 1:
            raise UserError(
                f"trainer.nodes is {nodes}, and no launcher started this process as one of the ranks",
                "Start it on every machine with torchrun, deepspeed or srun (docs/clusters.md), or set trainer.nodes=1",
            )
        sys.stderr.flush()
        sys.exit(run_ranks(devices, sys.argv[1:]))
    os.environ.update(rank_names(os.environ))
    if int(os.environ[WORLD]) != ranks:
        raise UserError(
            f"The launcher started {os.environ[WORLD]} ranks, and trainer.devices x trainer.nodes is {ranks}",
            "Set trainer.devices to the ranks of each machine and trainer.nodes to the number of machines",
        )
    join_ranks()


def launch_for_audit(trainer: TrainerConfig) -> None:
    """As `launch_ranks`, but on what is there: an audit may be made on fewer devices than the training was.

    Raises:
        SystemExit: see `launch_ranks`.
    """
    if launched(os.environ):
        os.environ.update(rank_names(os.environ))
        join_ranks()
        return
    there = trainer.devices if trainer.accelerator == "cpu" else torch.cuda.device_count()
    launch_ranks(max(1, min(trainer.devices, there)))


def join_ranks() -> None:
    """Makes this process one of the ranks."""
    if not dist.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ[LOCAL_RANK]))
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        if int(os.environ[WORLD]) > int(os.environ.get("LOCAL_WORLD_SIZE", 1)):
            _begin_heartbeat()


def _begin_heartbeat() -> None:
    """Within one machine the launcher sees at once that a rank is gone; between machines the ranks watch each other."""
    global _heartbeat
    _heartbeat = Heartbeat(
        dist.get_rank(), dist.get_world_size(), os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    )
    _heartbeat.start()


def leave_ranks() -> None:
    """Ends this process's part in the ranks; the threads of a process group that outlive the interpreter abort it."""
    if dist.is_initialized():
        dist.barrier()
        if _heartbeat:
            _heartbeat.stop()
        dist.destroy_process_group()


def launched(environment: Mapping[str, str]) -> bool:
    """Whether torchrun, DeepSpeed or Slurm's srun started this process as one of several ranks."""
    return WORLD in environment or int(environment.get("SLURM_STEP_NUM_TASKS", 1)) > 1


def rank_names(environment: Mapping[str, str]) -> dict[str, str]:
    """What Slurm and DeepSpeed say of this rank, in torchrun's names; empty where they are set already."""
    if WORLD in environment:
        return {} if NODE in environment else {NODE: environment.get("CROSS_RANK", "0")}
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

    return {
        WORLD: environment["SLURM_STEP_NUM_TASKS"],
        RANK: environment["SLURM_PROCID"],
        LOCAL_RANK: environment["SLURM_LOCALID"],
        NODE: environment["SLURM_NODEID"],
        "MASTER_ADDR": SLURMEnvironment.resolve_root_node_address(environment["SLURM_STEP_NODELIST"]),
        # Every rank of a job finds the same one, and two jobs on one machine hardly ever do.
        "MASTER_PORT": str(20000 + int(environment["SLURM_JOB_ID"]) % 20000),
    }


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
        arguments = parse_args(["--standalone", f"--nproc-per-node={devices}", "-m", "trialign.cli"])
        # Not parsed there: torchrun takes --run for one of its own options.
        arguments.training_script_args = command
        run(arguments)
    except ChildFailedError as error:
        # Of ranks that failed at once, one that found the input wrong (2) is the cause: the agent then ends the others.
        # Else it is the one that was killed, which could not say so itself.
        rank, failure = min(
            error.failures.items(),
            key=lambda pair: (pair[1].exitcode != 2, pair[1].exitcode >= 0, pair[1].timestamp),
        )
        if failure.exitcode < 0:
            name = signal.Signals(-failure.exitcode).name
            print(f"Rank {rank} was ended by {name}, and the others were stopped.", file=sys.stderr)
        return max(failure.exitcode, 1)
    except SignalException:
        return 1
    return 0
