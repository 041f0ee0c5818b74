"""What the command line tells the app: ``trialign dashboard`` sets it, the app reads it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

RUNS_VARIABLE = "TRIALIGN_DASHBOARD_RUNS"
ROLES_VARIABLE = "TRIALIGN_DASHBOARD_ROLES"
INSECURE_VARIABLE = "TRIALIGN_DASHBOARD_INSECURE"
SECONDS_VARIABLE = "TRIALIGN_DASHBOARD_SECONDS"


@dataclass(frozen=True)
class Settings:
    """The app's surroundings.

    Attributes:
        runs: folder of all runs; everything that is shown lies below it.
        roles: file of the people who may log in; None where nobody has to.
        insecure: whether others may read and ask without being known.
        seconds: how long the words of one live answer may take; those that are there by then are kept.
    """

    runs: Path
    roles: Path | None = None
    insecure: bool = False
    seconds: float = 120

    @classmethod
    def from_environment(cls) -> Settings:
        """The settings of this process."""
        roles = os.environ.get(ROLES_VARIABLE)
        return cls(
            runs=Path(os.environ.get(RUNS_VARIABLE, "runs")),
            roles=Path(roles) if roles else None,
            insecure=os.environ.get(INSECURE_VARIABLE) == "1",
            seconds=float(os.environ.get(SECONDS_VARIABLE) or cls.seconds),
        )

    def as_environment(self) -> dict[str, str]:
        """Environment variables from which `from_environment` makes the same settings."""
        return {
            RUNS_VARIABLE: str(self.runs.absolute()),
            ROLES_VARIABLE: str(self.roles.absolute()) if self.roles else "",
            INSECURE_VARIABLE: "1" if self.insecure else "",
            SECONDS_VARIABLE: f"{self.seconds:g}",
        }
