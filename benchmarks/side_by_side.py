"""What the comparisons share: sides that take turns, their median and spread, their peak memory, one table."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

Work = Callable[[], object]


@dataclass(frozen=True)
class Measured:
    """CPU seconds of one side over the rounds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """In seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> str:
        """Fastest to slowest round, in seconds."""
        return f"{min(self.seconds):.2f} to {max(self.seconds):.2f}"


def take_turns(sides: Mapping[str, Work], rounds: int, *, warm_up: bool = True) -> dict[str, Measured]:
    """Runs every side once a round, in turn.

    Seconds of this process's CPU time, on one thread (see `one_thread`): on a machine that others use as well, wall
    time would measure them.

    Args:
        sides: what is compared.
        rounds: that count.
        warm_up: begin with a round that does not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + warm_up):
        for name, work in sides.items():
            begin = time.process_time()
            work()
            if number >= warm_up:
                seconds[name].append(time.process_time() - begin)
    return {name: Measured(tuple(times)) for name, times in seconds.items()}


def one_thread() -> None:
    """One thread for all products, so that CPU time is the time that an idle machine would take."""
    torch.set_num_threads(1)


def fastest(candidates: Mapping[int, Work]) -> int:
    """The setting under which a rival is fastest."""
    if len(candidates) == 1:
        return next(iter(candidates))
    measured = take_turns({str(setting): work for setting, work in candidates.items()}, 1, warm_up=False)
    return min(candidates, key=lambda setting: measured[str(setting)].median)


def peak_memory(work: Work) -> float:
    """Most memory that the work holds beyond what this process holds already.

    Returns:
        MB of resident memory, by the system's own high-water mark (Linux).
    """
    gc.collect()
    # What was freed goes back to the system, or the work would find its memory resident already.
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the mark falls to what is resident now
    before = _status("VmRSS")
    work()
    return max(_status("VmHWM") - before, 0.0)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def setting(*packages: str) -> str:
    """The machine and the versions, in one line."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "peft", *packages))
    load = os.getloadavg()[0]
    kind = torch.backends.cpu.get_cpu_capability()
    return (
        f"{versions}; Python {platform.python_version()}; {torch.get_num_threads()} threads of "
        f"{os.cpu_count()} cores, {kind}; load {load:.1f}"
    )


def _status(key: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) / 1e3 for line in lines if line.startswith(f"{key}:"))
