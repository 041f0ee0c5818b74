"""The inconsistency D between the groups' answer distributions on truth queries."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from trialign.objectives.config import InconsistencyConfig


def inconsistency(log_probabilities: Tensor, gold: Tensor, options: Tensor, config: InconsistencyConfig) -> Tensor:
    """D per query, 0 for equal answers (``anchor``: for equal right answers) and at most 1.

    With S_g the groups' distributions, M their mean, H the entropy, K the number of options and G of groups:

    - ``none``: [H(M) - mean_g H(S_g)] / log min(G, K), the normalised Jensen-Shannon divergence (Lin 1991).
    - ``wrong_only``: mean_g sg(1 - S_g(gold)) KL(S_g || sg M) / log min(G, K), so that a right agent is not
      pulled toward wrong ones; sg stops the gradient.
    - ``anchor``: the gold answer joins as an agent of weight rho: M' = rho 1[gold] + (1 - rho) M, and
      D = [H(M') - (1 - rho) mean_g H(S_g)] / min(log K, h(rho) + (1 - rho) log G), h the binary entropy.

    Args:
        log_probabilities: [queries, groups, K] log S_g; -inf at absent options.
        gold: [queries] index of the gold option.
        options: [queries] number of options of each query.
        config: gate and rho.

    Returns:
        [queries]; zeros when there is one group.
    """
    groups = log_probabilities.shape[1]
    if groups == 1:
        return log_probabilities.new_zeros(log_probabilities.shape[0])
    shares = log_probabilities.exp()
    mean = shares.mean(dim=1)
    log_options = options.to(shares.dtype).log()
    log_bound = log_options.clamp(max=math.log(groups))
    if config.gate == "wrong_only":
        return _wrong_only(log_probabilities, shares, mean, gold) / log_bound
    mean_entropy = _entropy(shares).mean(dim=1)
    if config.gate == "none":
        return (_entropy(mean) - mean_entropy) / log_bound
    rho = config.anchor
    anchored = (1 - rho) * mean
    anchored = anchored.scatter_add(1, gold.unsqueeze(1), torch.full_like(anchored[:, :1], rho))
    binary = -rho * math.log(rho) - (1 - rho) * math.log(1 - rho)
    bound = log_options.clamp(max=binary + (1 - rho) * math.log(groups))
    return (_entropy(anchored) - (1 - rho) * mean_entropy) / bound


def moved_penalty(penalty: Tensor, flips: Tensor, config: InconsistencyConfig) -> Tensor:
    """Lambda after a step: dual ascent on the constraint that flips are within the budget (Bertsekas 1999, chapter 6).

    lambda' = max(0, lambda + budget_rate (flips - budget)); D, which has a gradient, stands for flips in the loss.

    Args:
        penalty: lambda in the step.
        flips: share of the step's (fact, pair of groups) with different likeliest answers.
        config: with a budget.
    """
    assert config.budget is not None
    return (penalty + config.budget_rate * (flips.to(penalty) - config.budget)).clamp(min=0)


def _wrong_only(log_probabilities: Tensor, shares: Tensor, mean: Tensor, gold: Tensor) -> Tensor:
    index = gold.view(-1, 1, 1).expand(-1, shares.shape[1], 1)
    wrongness = 1 - shares.gather(2, index).squeeze(2).detach()
    log_mean = mean.detach().clamp(min=1e-30).log().unsqueeze(1)
    # Absent options have share 0 and log-share -inf: their term is 0.
    finite = log_probabilities.masked_fill(shares == 0, 0.0)
    divergence = (shares * (finite - log_mean)).sum(dim=2)
    return (wrongness * divergence).mean(dim=1)


def _entropy(shares: Tensor) -> Tensor:
    """-sum p log p over the last dimension, in nats, with gradient 0 at p = 0."""
    safe = torch.where(shares > 0, shares, torch.ones_like(shares))
    return -(shares * safe.log()).sum(dim=-1)
