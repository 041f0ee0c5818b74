"""Logistic regression of two classes, fitted to the optimum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from trialign.errors import UserError

# Of the penalty 0.5 * strength * |w|^2; what fits the validation questions best is taken.
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_WITHOUT_VALIDATION = 1e-1


@dataclass(frozen=True)
class Classifier:
    """A line between two classes: above 0 lies the first.

    Attributes:
        weights: [features] float64, of features as they come.
        bias: of the line.
    """

    weights: Tensor
    bias: float

    def logits(self, features: Tensor) -> Tensor:
        """[N, features] -> [N] float64: logarithm of the odds of the first class."""
        return features.double() @ self.weights + self.bias


def fit(features: Tensor, first: Tensor, strength: float) -> Classifier:
    """The minimum of the mean log loss, both classes counting alike, plus 0.5 * strength * |w|^2.

    w are the weights of standardised features (mean 0, population variance 1 over all rows); a feature that never
    changes has none.

    Args:
        features: [N, features].
        first: [N] bool, whether a row is of the first class.
        strength: above 0.

    Raises:
        UserError: all rows are of one class.
    """
    rows, truth = features.double(), first.double()
    if first.all() or not first.any():
        raise UserError(
            "A gate has to tell facts from tastes, and all training questions are of one of the two kinds",
            "Train with questions of both, or choose another objective",
        )
    mean, spread = rows.mean(dim=0), rows.std(dim=0, correction=0)
    scaled = (rows - mean) / torch.where(spread > 0, spread, torch.inf)
    line = torch.zeros(rows.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS(
        [line], max_iter=500, tolerance_grad=1e-9, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        search.zero_grad()
        loss = balanced_loss(scaled @ line[:-1] + line[-1], truth) + 0.5 * strength * line[:-1].square().sum()
        loss.backward()
        return loss

    search.step(closure)
    found = line.detach()
    weights = torch.where(spread > 0, found[:-1] / spread, 0.0)
    return Classifier(weights, float(found[-1] - weights @ mean))


def fit_validated(training: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor]) -> Classifier:
    """The fit to the training rows whose strength gives the smallest loss on the validation rows.

    Args:
        training: [N, features] and [N] bool, as `fit` takes them.
        validation: the same; where a class has no row, a middle strength is taken.

    Raises:
        UserError: all training rows are of one class.
    """
    features, first = validation
    if not len(first) or first.all() or not first.any():
        return fit(*training, _WITHOUT_VALIDATION)
    tried = [fit(*training, strength) for strength in STRENGTHS]
    return min(tried, key=lambda one: float(balanced_loss(one.logits(features), first.double())))


def balanced_loss(logits: Tensor, first: Tensor) -> Tensor:
    """Mean of the two classes' mean log losses, in nats; [N] logits and [N] classes as 0 and 1, both there."""
    losses = binary_cross_entropy_with_logits(logits, first, reduction="none")
    return 0.5 * ((losses * first).sum() / first.sum() + (losses * (1 - first)).sum() / (1 - first).sum())
