"""The arguments of the objective."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Welfare = Literal["nash", "utilitarian"]
Gate = Literal["none", "wrong_only", "anchor"]
Update = Literal["auto", "expected", "awr"]


@dataclass(frozen=True)
class WelfareConfig:
    """How the groups' utilities are joined.

    Attributes:
        kind: ``nash`` (sum of logarithms) or ``utilitarian`` (sum).
        truth: a_T, the share of truth accuracy.
        preference: a_P, the share of personalization.
        epsilon: added to a utility before its logarithm.
        decay: of the moving averages of the utilities, per optimizer step.
        smallest: lower clip of a weight, after all are divided by their common mean.
        largest: upper clip.
    """

    kind: Welfare = "nash"
    truth: float = 1.0
    preference: float = 1.0
    epsilon: float = 0.01
    decay: float = 0.9
    smallest: float = 0.1
    largest: float = 10.0


@dataclass(frozen=True)
class InconsistencyConfig:
    """The penalty on unequal answers to truth queries.

    Attributes:
        weight: lambda, in units of the mean welfare weight; 0 turns the penalty off.
        gate: whom the penalty pulls where: ``none``, ``wrong_only`` or ``anchor``.
        anchor: rho, the weight of the gold answer as one more agent (``anchor`` only), in (0, 1).
    """

    weight: float = 1.0
    gate: Gate = "anchor"
    anchor: float = 0.25


@dataclass(frozen=True)
class AwrConfig:
    """Advantage-weighted regression, for sampled answers.

    Attributes:
        temperature: the advantage is divided by it before the exponential.
        largest: w_max, clip of exp(advantage / temperature).
        importance: truncation of the importance weights that estimate the utilities.
    """

    temperature: float = 1.0
    largest: float = 20.0
    importance: float = 5.0


@dataclass(frozen=True)
class ObjectiveConfig:
    """What is optimised.

    Attributes:
        update: ``expected`` (enumerated answers), ``awr`` (sampled answers), or ``auto``: each by its kind.
        kl_weight: weight of the exact KL to the reference over the options (``expected`` only).
        kinds: kinds of query that are trained on.
        turns: how many turns of each episode are trained on; None: all.
    """

    name: str = "trialign"
    kinds: tuple[Literal["truth", "preference", "mixed"], ...] = ("truth", "preference", "mixed")
    turns: int | None = None
    update: Update = "auto"
    kl_weight: float = 0.0
    welfare: WelfareConfig = field(default_factory=WelfareConfig)
    inconsistency: InconsistencyConfig = field(default_factory=InconsistencyConfig)
    awr: AwrConfig = field(default_factory=AwrConfig)
