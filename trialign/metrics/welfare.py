"""Welfare of the groups as one number."""

from __future__ import annotations

from torch import Tensor


def nash(utilities: Tensor, eps: float) -> Tensor:
    """Nash welfare as exp of the mean of log(eps + utility).

    Args:
        utilities: in [0, 1], usually the 2G of truth and preference; any shape.
        eps: above 0; keeps a utility of zero from deciding alone.

    Returns:
        A scalar.
    """
    return (eps + utilities).log().mean().exp()
