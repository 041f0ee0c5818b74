"""What the command line tells the app: ``trialign dashboard`` sets it, the app reads it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

RUNS_VARIABLE = "TRIALIGN_DASHBOARD_RUNS"


@dataclass(frozen=True)
class Settings:
    """The app's surroundings.

    Attributes:
        runs: folder of all runs; everything that is shown lies below it.
    """

    runs: Path

    @classmethod
    def from_environment(cls) -> Settings:
        """The settings of this process."""
        return cls(runs=Path(os.environ.get(RUNS_VARIABLE, "runs")))

    def as_environment(self) -> dict[str, str]:
        """Environment variables from which `from_environment` makes the same settings."""
        return {RUNS_VARIABLE: str(self.runs.absolute())}
