"""``trialign fit -m``: a run for every combination of values, each a process that one of Hydra's launchers starts."""

from __future__ import annotations

import functools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import yaml

from trialign.composition import hydra_of, resolved
from trialign.config import load
from trialign.errors import UnfinishedError, UserError
from trialign.runs import SWEEPS, RunFolder

# Hydra writes nothing of its own: every run has its config.yaml and its logs.
SETTINGS = (
    f"hydra.sweep.dir=${{runs}}/{SWEEPS}/${{now:%Y-%m-%d_%H-%M-%S}}",
    "hydra.sweep.subdir=${hydra.job.num}",
    "hydra.output_subdir=null",
    "hydra.job.chdir=false",
    "hydra/hydra_logging=none",
    "hydra/job_logging=none",
)


def sweep(config: str, overrides: Sequence[str], flag: str) -> None:
    """Runs ``trialign fit`` for every combination of the values that overrides list with commas.

    Args:
        config: the config file.
        overrides: in Hydra's grammar, its own (``hydra/launcher=submitit_slurm``) included.
        flag: ``--resume`` or ``--overwrite``, for every run.

    Raises:
        UserError: a fault in the configuration, or no key has several values.
        UnfinishedError: runs failed; names them.
    """
    from hydra.core.global_hydra import GlobalHydra

    with hydra_of(config, overrides) as (name, values):
        keys = check_sweep(name, values)
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        job = functools.partial(fit_in_a_process, keys, flag)
        batches = hydra.multirun(name, job, [*SETTINGS, *values], with_log_configuration=False)
        ended = [job.return_value for batch in batches for job in batch]
    failed = [f"{run} (exit code {code})" for run, code in ended if code]
    if failed:
        raise UnfinishedError(
            f"{len(failed)} of {len(ended)} runs failed: {', '.join(failed)}",
            "The others are whole; correct what these said, and run the same command again",
        )


def check_sweep(name: str, overrides: Sequence[str]) -> tuple[str, ...]:
    """Composes every combination, before the first run begins.

    Args:
        name: of the config file, inside `trialign.composition.hydra_of`.
        overrides: of it.

    Returns:
        The keys that have several values.

    Raises:
        UserError: no key has, two runs would have one name, or a value is at fault.
    """
    from hydra import compose
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(list(overrides))
    keys = tuple(override.key_or_group for override in parsed if override.is_sweep_override())
    if not keys:
        raise UserError(
            "-m was given, and no key has several values", "List them with commas, such as seed=0,1,2, or leave out -m"
        )
    names: set[str] = set()
    for combination in BasicSweeper.split_arguments(parsed, None)[0]:
        values = resolved(compose(name, combination))
        load(values)
        run = run_name(values["name"], keys, combination)
        if run in names:
            raise UserError(
                f"Two runs of the sweep have the name {run}", "Leave out name=..., or give each one its own"
            )
        names.add(run)
    return keys


def fit_in_a_process(keys: Sequence[str], flag: str, composed: Any) -> tuple[str, int]:
    """One job: writes its resolved configuration and starts ``trialign fit`` on it.

    Args:
        keys: those that the sweep varies; they and their values name the run, unless ``name`` is one of them.
        flag: for the command.
        composed: this job's configuration.

    Returns:
        The run's name and the exit code.
    """
    from hydra.core.hydra_config import HydraConfig

    job = HydraConfig.get()
    values = resolved(composed)
    values["name"] = run_name(values["name"], keys, job.overrides.task)
    file = RunFolder(Path(job.runtime.output_dir)).config_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110), encoding="utf-8")
    # A job that Slurm put back into its queue goes on, whatever the sweep was begun with.
    flag = "--resume" if "SLURM_RESTART_COUNT" in os.environ else flag
    return values["name"], run_until_told([sys.executable, "-m", "trialign.cli", "fit", "--config", str(file), flag])


class _TimeIsOver(BaseException):
    """A job's time is nearly over, or its place is wanted."""


def run_until_told(command: list[str]) -> int:
    """Runs a command that saves its state on SIGTERM; it has done so before submitit puts a job back into the queue.

    submitit learns from SIGUSR2 that a job's time is nearly over, requeues the job at once and leaves. Slurm gives that
    signal to all processes of a job, or to the first one alone, by its ``ProctrackType``: the command must outlive it.

    Returns:
        The command's exit code.
    """
    submitit = signal.getsignal(signal.SIGUSR2)
    # A blocked signal stays blocked in a new process.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    process = subprocess.Popen(command)
    try:
        if callable(submitit):
            signal.signal(signal.SIGUSR2, _raise_time_is_over)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR2])
        return process.wait()
    except (KeyboardInterrupt, _TimeIsOver) as stop:
        process.terminate()  # it saves its state at the end of the step
        code = process.wait()
        if isinstance(stop, KeyboardInterrupt):
            raise
        if code and callable(submitit):
            submitit(signal.SIGUSR2, None)
        return code
    finally:
        signal.signal(signal.SIGUSR2, submitit)


def _raise_time_is_over(number: int, frame: FrameType | None) -> NoReturn:
    raise _TimeIsOver


def run_name(name: str, keys: Sequence[str], overrides: Sequence[str]) -> str:
    """The name of a job's run.

    Args:
        name: that of its configuration.
        keys: those that the sweep varies.
        overrides: ``key=value``, one value each.

    Returns:
        The name, and the last word of each swept key with its value; the name alone where the sweep varies it.
    """
    if "name" in keys:
        return name
    pairs = [override.split("=", 1) for override in overrides]
    values = {key: re.sub(r"[^\w.=+-]+", "-", value).strip("-") for key, value in pairs if key in keys}
    return ".".join([name, *(f"{key.rsplit('.', 1)[-1]}={value}" for key, value in values.items())])
