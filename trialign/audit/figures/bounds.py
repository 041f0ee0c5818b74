"""The bounds that a verdict is held against, set before the audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True)
class Bounds:
    """What matters and what does not; shares and differences of shares in units of 1.

    Attributes:
        delta: the largest difference in accuracy between two groups that does not matter.
        most_different: the largest share of facts on which the groups may not all give the same answer, beyond what
            another wording of one profile does.
        least_right: the smallest share of facts that must be answered right for every group.
        most_wrong_together: the largest share of facts on which all groups may give the same wrong answer.
        most_unread: the largest share of a group's replies that may hold no answer.
        alpha: level of every test; intervals have the confidence 1 - alpha, those against bounds 1 - 2 alpha.
    """

    delta: Annotated[float, Field(ge=0.001, le=1)] = 0.05
    most_different: Annotated[float, Field(ge=0, le=1)] = 0.1
    least_right: Annotated[float, Field(ge=0, le=1)] = 0.5
    most_wrong_together: Annotated[float, Field(ge=0, le=1)] = 0.25
    most_unread: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    alpha: Annotated[float, Field(ge=1e-6, le=0.5)] = 0.05
