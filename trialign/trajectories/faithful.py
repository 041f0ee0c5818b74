"""Whether a server samples the policy that is scored: found out from the replies themselves.

A server may cut off or reweigh the model's distribution and say nothing of it (a generation_config.json with ``top_k``
or a repetition penalty; a cache that answers all samples alike). Its replies are held against the model here: under the
policy that is scored, the product of likelihood ratios q/p of any other policy q is a nonnegative martingale that
begins at 1, so it ever reaches 1/a with probability at most a (Ville's inequality; Ramdas et al. 2023, "Game-theoretic
statistics and safe anytime-valid inference"). That holds however long it is watched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

#: A server that samples as it should is stopped with at most this probability.
FALSE_ALARMS = 1e-6
#: Below it, the server's number format decides among tokens, and nothing is sampled that could be held against.
COLDEST = 0.3
_KEPT = 0.95  # weight of q; the rest is p's, so that one token that q excludes does not end the comparison
_COPIES = 0.5  # weight of "all samples are one" under the server that copies
_FEWEST_TOKENS = 16

_Weigh = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Written:
    """A reply, and what its server says of it.

    Attributes:
        ids: of its tokens, with the end that was put to them.
        log_probabilities: of the first tokens, in nats, as the server reports them; None: it does not.
    """

    ids: tuple[int, ...]
    log_probabilities: tuple[float, ...] | None = None


@dataclass
class Faithful:
    """Holds a server's replies against the policy that is scored.

    Attributes:
        temperature: at which the replies are asked for.
        tolerance: largest mean difference between reported and own log-probabilities, in nats a token.
        against: whose log-probabilities the reported ones are held against.
        evidence: log likelihood ratio of each other way to sample against the policy.
        seen: observations.
        observations: of these, those with two samples or more.
        alike: of these, those whose samples are all one.
        tokens: with a reported log-probability.
        differences: sums over these of the absolute difference to the model's own log-probability, and to that at
            the temperature: servers report either.
    """

    temperature: float
    tolerance: float
    against: str = "the model's here"
    evidence: dict[str, float] = field(default_factory=dict)
    seen: int = 0
    observations: int = 0
    alike: int = 0
    tokens: int = 0
    differences: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def see(self, logits: Tensor, prompt: Sequence[int], samples: Sequence[Written]) -> None:
        """Takes in the replies to one observation.

        Args:
            logits: [reply, vocabulary] of the model here before each token of the first sample.
            prompt: token ids.
            samples: all of them.
        """
        first = samples[0]
        self.seen += 1
        ids = torch.tensor(first.ids, device=logits.device)
        tempered = (logits / self.temperature).log_softmax(dim=1)
        own = _of(tempered, ids)
        before = _before(prompt, ids, logits.shape[1])
        for name, weigh in _others(self.temperature).items():
            ratio = _of(weigh(logits, before), ids) - own
            gain = torch.log(_KEPT * ratio.exp() + (1 - _KEPT)).sum().item()
            self.evidence[name] = self.evidence.get(name, 0.0) + gain
        if len(samples) > 1:
            self._see_copies(own.sum().item(), samples)
        self._see_reported(first, _of(logits.log_softmax(dim=1), ids), own)

    def see_scored(self, log_probabilities: Tensor, samples: Sequence[Written]) -> None:
        """Takes in the replies to one observation at temperature 1 where the other ways to sample cannot be told.

        Args:
            log_probabilities: [reply] of the first sample's tokens under the policy that is scored.
            samples: all of them.
        """
        self.seen += 1
        if len(samples) > 1:
            self._see_copies(log_probabilities.sum().item(), samples)
        self._see_reported(samples[0], log_probabilities, log_probabilities)

    def _see_copies(self, log_probability: float, samples: Sequence[Written]) -> None:
        self.observations += 1
        chance = (len(samples) - 1) * log_probability  # log of that of drawing the first one again each time
        if all(sample.ids == samples[0].ids for sample in samples):
            self.alike += 1
            gain = math.log(_COPIES + (1 - _COPIES) * math.exp(chance)) - chance
        else:
            gain = math.log(1 - _COPIES)
        self.evidence["one sample for all"] = self.evidence.get("one sample for all", 0.0) + gain

    def _see_reported(self, sample: Written, plain: Tensor, tempered: Tensor) -> None:
        if sample.log_probabilities is None:
            return
        reported = torch.tensor(sample.log_probabilities, dtype=plain.dtype, device=plain.device)
        self.tokens += len(reported)
        for place, own in enumerate((plain, tempered)):
            self.differences[place] += (reported - own[: len(reported)]).abs().sum().item()

    @property
    def fault(self) -> str | None:
        """Why the server does not sample this policy, in a sentence; None where nothing speaks against it."""
        if self.tokens >= _FEWEST_TOKENS:
            difference = min(self.differences) / self.tokens
            if not difference <= self.tolerance:  # one that is no number is no small one
                return (
                    f"the log-probabilities that it reports for its own replies differ from {self.against} by "
                    f"{difference:.2f} nats a token, where rollouts.tolerance is {self.tolerance:g}"
                )
        if not self.evidence:
            return None
        best = max(self.evidence, key=self.evidence.__getitem__)
        total = math.log(sum(math.exp(v - self.evidence[best]) for v in self.evidence.values()) / len(self.evidence))
        if self.evidence[best] + total < -math.log(FALSE_ALARMS):
            return None
        counted = f"{self.alike} of {self.observations} observations had samples that are all alike, and " * bool(
            self.alike
        )
        return f"{counted}its replies are as of {best}, by odds of 10 to the {self.evidence[best] / math.log(10):.0f}"


def _of(log_probabilities: Tensor, ids: Tensor) -> Tensor:
    return log_probabilities.gather(1, ids.unsqueeze(1)).squeeze(1)


def _before(prompt: Sequence[int], ids: Tensor, vocabulary: int) -> Tensor:
    """[reply, vocabulary]: whether a token stands in the prompt or in the reply so far."""
    seen = torch.zeros(len(ids), vocabulary, dtype=torch.bool, device=ids.device)
    seen[:, torch.tensor(prompt, device=ids.device)] = True
    for place in range(1, len(ids)):
        seen[place:, ids[place - 1]] = True
    return seen


def _others(temperature: float) -> dict[str, _Weigh]:
    """Other ways to sample, by what one would set for them: each gives log-probabilities, [reply, vocabulary]."""

    def tempered(factor: float) -> _Weigh:
        return lambda logits, seen: (logits / (temperature * factor)).log_softmax(dim=1)

    def likeliest(count: int) -> _Weigh:
        def weigh(logits: Tensor, seen: Tensor) -> Tensor:
            kept = logits.topk(min(count, logits.shape[1]), dim=1)
            cut = torch.full_like(logits, -torch.inf).scatter(1, kept.indices, kept.values / temperature)
            return cut.log_softmax(dim=1)

        return weigh

    def nucleus(share: float) -> _Weigh:
        def weigh(logits: Tensor, seen: Tensor) -> Tensor:
            values, indices = (logits / temperature).sort(dim=1, descending=True)
            before = values.softmax(dim=1).cumsum(dim=1) - values.softmax(dim=1)
            cut = values.masked_fill(before >= share, -torch.inf)
            return torch.full_like(logits, -torch.inf).scatter(1, indices, cut).log_softmax(dim=1)

        return weigh

    def penalized(penalty: float) -> _Weigh:
        def weigh(logits: Tensor, seen: Tensor) -> Tensor:
            lowered = torch.where(logits > 0, logits / penalty, logits * penalty)
            return (torch.where(seen, lowered, logits) / temperature).log_softmax(dim=1)

        return weigh

    return {
        "top_k=1": likeliest(1),
        "top_k=20": likeliest(20),
        "top_p=0.9": nucleus(0.9),
        f"temperature={0.7 * temperature:g}": tempered(0.7),
        f"temperature={1.4 * temperature:g}": tempered(1.4),
        "repetition_penalty=1.1": penalized(1.1),
        "repetition_penalty=1.3": penalized(1.3),
    }
