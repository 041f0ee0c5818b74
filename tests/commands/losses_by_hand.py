"""What a method's loss is, written down anew from its formulas, one number at a time.

Log-probabilities come from transformers and PEFT alone: each answer after its prompt, in a row of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch

from trialign.trajectories.records import Sample, Trajectory

EPSILON, PREFERENCE, BETA, RHO, DECAY = 0.01, 3.0, 0.1, 0.5, 0.9  # of conf/objective/trialign.yaml
Score = Callable[[str, tuple[int, ...], tuple[int, ...]], float]


@dataclass(frozen=True)
class Step:
    """All that a step trains on: observations in rows of one trajectory a group."""

    groups: tuple[str, ...]
    observations: tuple[tuple[Trajectory, ...], ...]
    score: Score


def log_probability(model: Any, prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
    """Of the answer's tokens after the prompt, summed, in nats."""
    with torch.inference_mode():
        logits = model(torch.tensor([[*prompt, *answer]])).logits[0].double().log_softmax(dim=-1)
    return sum(float(logits[len(prompt) + place - 1, token]) for place, token in enumerate(answer))


def shares(step: Step, row: Trajectory) -> list[float]:
    scores = [math.exp(step.score(row.group, row.prompt, option)) for option in row.options]
    return [score / sum(scores) for score in scores]


def utilities(step: Step) -> list[tuple[float, float]]:
    """Mean truth and preference reward of each group, over observations; NaN where there is none."""
    found = []
    for place, _ in enumerate(step.groups):
        truth, preference = [], []
        for row in (observation[place] for observation in step.observations):
            if row.gold is not None:
                truth.append(shares(step, row)[row.gold])
            elif row.target is not None:
                preference.append(1 - sum(abs(s - t) for s, t in zip(shares(step, row), row.target, strict=True)) / 2)
            else:
                # Whatever the weights of the samples: all that the tiny model says is wrong.
                assert {sample.reward_truth for sample in row.samples} == {0.0}
                truth.append(0.0)
        found.append((fmean(truth) if truth else math.nan, fmean(preference) if preference else math.nan))
    return found


def averaged(before: list[tuple[float, float]], seen: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The moving averages after a step."""
    return [
        (DECAY * a + (1 - DECAY) * b, DECAY * p + (1 - DECAY) * q) for (a, p), (b, q) in zip(before, seen, strict=True)
    ]


def weights(method: str, level: list[tuple[float, float]]) -> list[list[float]]:
    """w_gT and w_gP: the welfare's slopes over their common mean, between 0.1 and 10."""
    shared = (0.0 if method == "preference_only" else 1.0, PREFERENCE)
    columns = [[utility[column] for utility in level] for column in (0, 1)]

    def slope(column: int, utility: float) -> float:
        values = sorted(columns[column])
        if method in ("trialign", "preference_only"):
            return 1 / (EPSILON + utility)
        if method == "p_mean":
            return (EPSILON + utility) ** -2
        if method == "egalitarian":
            return float(utility == values[0])
        if method == "generalized_gini":
            return (5 / 9, 3 / 9, 1 / 9)[values.index(utility)]
        return 1.0

    present = [(g, c) for g, _ in enumerate(level) for c in (0, 1) if shared[c] and not math.isnan(level[g][c])]
    raw = {place: shared[place[1]] * slope(place[1], level[place[0]][place[1]]) for place in present}
    mean = fmean(raw.values())
    return [
        [min(max(raw[g, c] / mean, 0.1), 10.0) if (g, c) in raw else 0.0 for c in (0, 1)] for g, _ in enumerate(level)
    ]


def welfare_loss(method: str, step: Step, level: list[tuple[float, float]]) -> float:
    """Of enumerated answers and of sampled ones."""
    penalty = 1.0 if method == "trialign" else 0.0
    weight = weights(method, level)
    facts = [o for o in step.observations if o[0].gold is not None]
    tastes = [o for o in step.observations if o[0].target is not None]
    numbers = [o for o in step.observations if not o[0].options]
    n_truth = max(len(facts) + len(numbers), 1)
    loss = 0.0
    for observation in facts:
        answers = [shares(step, row) for row in observation]
        gold = observation[0].gold
        assert gold is not None
        loss -= sum(weight[g][0] * answer[gold] for g, answer in enumerate(answers)) / n_truth
        loss += penalty * anchored_divergence(answers, gold) / n_truth
    for observation in tastes:
        for g, row in enumerate(observation):
            assert row.target is not None
            variation = sum(abs(s - t) for s, t in zip(shares(step, row), row.target, strict=True)) / 2
            loss -= weight[g][1] * (1 - variation) / len(tastes)
    return loss + regression_loss(step, numbers, [pair[0] for pair in weight], penalty)


def anchored_divergence(answers: list[list[float]], gold: int) -> float:
    mean = [fmean(column) for column in zip(*answers, strict=True)]
    anchored = [RHO * (k == gold) + (1 - RHO) * share for k, share in enumerate(mean)]
    # h(1/2) = log 2.
    bound = min(math.log(len(mean)), math.log(2) + (1 - RHO) * math.log(len(answers)))
    return (entropy(anchored) - (1 - RHO) * fmean(map(entropy, answers))) / bound


def entropy(values: Sequence[float]) -> float:
    return -sum(value * math.log(value) for value in values if value > 0)


def regression_loss(step: Step, numbers: list[tuple[Trajectory, ...]], weight: list[float], penalty: float) -> float:
    """Advantage-weighted regression over the sets of samples that do not all earn the same."""
    total, tokens = 0.0, 0
    for observation in numbers:
        for g, row in enumerate(observation):
            parts = [(s.reward_truth or 0.0, (s.disagreement or 0.0) if penalty else 0.0) for s in row.samples]
            if len(set(parts)) == 1:
                continue
            means = [fmean(column) for column in zip(*parts, strict=True)]
            for sample, (truth, disagreement) in zip(row.samples, parts, strict=True):
                advantage = weight[g] * (truth - means[0]) - penalty * (disagreement - means[1])
                score = step.score(row.group, row.prompt, sample.token_ids)
                total -= min(math.exp(advantage), 20.0) * score
                tokens += len(sample.token_ids)
    return total / max(tokens, 1)


def likelihood_loss(step: Step, answer: Callable[[Trajectory], tuple[int, ...] | None]) -> float:
    """Per token, of the answer that each observation is to be learned by."""
    learned = [(row, answer(row)) for observation in step.observations for row in observation]
    pairs = [(row, tokens) for row, tokens in learned if tokens is not None]
    total = sum(step.score(row.group, row.prompt, tokens) for row, tokens in pairs)
    return -total / sum(len(tokens) for _, tokens in pairs)


def best(row: Trajectory) -> int | None:
    """The right option or the favourite one; None for numbers, all of whose samples are wrong."""
    if row.gold is not None:
        return row.gold
    return None if row.target is None else row.target.index(max(row.target))


def pair_losses(step: Step, reference: Score) -> list[float]:
    """Mean loss of each group's pairs: the best option against each other one, less what the reference says."""
    found = []
    for place, _ in enumerate(step.groups):
        losses = []
        for row in (observation[place] for observation in step.observations):
            chosen = best(row)
            for other, option in enumerate(row.options if chosen is not None else ()):
                if chosen is not None and other != chosen:
                    margin = sum(
                        sign * (step.score(row.group, row.prompt, tokens) - reference(row.group, row.prompt, tokens))
                        for sign, tokens in ((1, row.options[chosen]), (-1, option))
                    )
                    losses.append(math.log(1 + math.exp(-BETA * margin)))
        found.append(fmean(losses))
    return found


def chosen_likelihood(step: Step) -> float:
    """Mean over all pairs of the best option's negative log-probability a token; one pair for each other option."""
    found = []
    for row in (row for observation in step.observations for row in observation):
        chosen = best(row)
        if chosen is not None:
            tokens = row.options[chosen]
            found += [-step.score(row.group, row.prompt, tokens) / len(tokens)] * (len(row.options) - 1)
    return fmean(found)


def first_sample(rows: Sequence[Trajectory]) -> dict[str, Sample]:
    """By question."""
    return {row.query_id: row.samples[0] for row in rows}
