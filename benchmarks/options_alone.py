"""What a classifier that never sees the questions makes of the embedded facts' options, beside guessing.

A logistic regression over the options of each question (their shares sum to one) on their words, lengths, hedges and
numbers. It is fitted to the training split; how strongly it is held back is chosen by cross-validation there, by fact:
no figure of the other splits has seen its own questions.

    python benchmarks/options_alone.py
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from side_by_side import table

from trialign.audit.figures.estimates import mean_estimates
from trialign.environment import stable_seed
from trialign.queries import TruthQuery
from trialign.queries.readers import read_query_files

HEDGES = {
    *("may", "might", "can", "could", "often", "usually", "mostly", "sometimes", "about", "around", "nearly", "some"),
    *("most", "many", "always", "never", "only", "all", "none", "every", "no", "not", "any", "just", "exactly"),
}
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
FOLDS = 5


def words_of(text: str) -> list[str]:
    """Lower-case words; numbers are one word."""
    return ["0" if word[0].isdigit() else word for word in re.findall(r"[^\W_]+", text.lower())]


def manner(options: Sequence[str]) -> list[list[float]]:
    """Of each option: length against the others', whether it is an end of them, hedges, numbers, capitals."""
    sizes = np.array([len(option) for option in options], dtype=float)
    lengths = np.array([len(words_of(option)) for option in options], dtype=float)
    apart = (sizes - sizes.mean()) / max(sizes.std(), 1.0)
    in_words = (lengths - lengths.mean()) / max(lengths.std(), 1.0)
    return [
        [
            apart[k],
            in_words[k],
            float(sizes[k] == sizes.max()),
            float(sizes[k] == sizes.min()),
            float(sum(word in HEDGES for word in words_of(option))),
            float(any(character.isdigit() for character in option)),
            float(sum(character.isupper() for character in option)),
            float("," in option),
        ]
        for k, option in enumerate(options)
    ]


def parts_of(text: str) -> list[str]:
    """No part of the text: for a classifier that sees its manner alone."""
    del text
    return []


@dataclass(frozen=True)
class FeaturesOf:
    """What a regression sees of an option.

    Attributes:
        parts: text -> its words or other parts, each a feature.
        manner: options -> numbers of each among the others.
        least: in how many options a part has to occur.
        size: of a part's feature.
    """

    parts: Callable[[str], list[str]]
    manner: Callable[[Sequence[str]], list[list[float]]]
    least: int
    size: float


WORDS = FeaturesOf(words_of, manner, 2, 1.0)


class Shares:
    """The regression: an option's share follows from its own parts and its manner among the others."""

    def __init__(self, facts: Sequence[TruthQuery], seen: FeaturesOf = WORDS) -> None:
        self.seen = seen
        counts = Counter(
            part for fact in facts for option in fact.options for part in dict.fromkeys(seen.parts(option))
        )
        self.places = {part: place for place, part in enumerate(part for part, n in counts.items() if n >= seen.least)}
        self.weights = torch.zeros(len(self.places) + len(seen.manner(("a", "b"))[0]))

    def features(self, fact: TruthQuery) -> torch.Tensor:
        """[options, features]."""
        rows = torch.zeros(len(fact.options), len(self.weights))
        for row, option in enumerate(fact.options):
            for part in set(self.seen.parts(option)) & self.places.keys():
                rows[row, self.places[part]] = self.seen.size
        rows[:, len(self.places) :] = torch.tensor(self.seen.manner(fact.options))
        return rows

    def shares(self, fact: TruthQuery) -> torch.Tensor:
        """[options], summing to one."""
        return torch.softmax(self.features(fact) @ self.weights, 0)

    def fit(self, facts: Sequence[TruthQuery], strength: float) -> Shares:
        """Least negative log-likelihood, summed over the questions, plus strength / 2 times the squared weights."""
        known = [(self.features(fact), fact.gold_index) for fact in facts]
        sizes = [len(rows) for rows, _ in known]
        stacked = torch.cat([rows for rows, _ in known])
        question = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        gold = torch.tensor(np.cumsum([0, *sizes[:-1]])) + torch.tensor([place for _, place in known])
        weights = torch.zeros_like(self.weights, requires_grad=True)
        optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            scores = stacked @ weights
            sums = torch.zeros(len(sizes)).index_add(0, question, scores.exp())
            value = (sums.log() - scores[gold]).sum() + strength / 2 * weights.square().sum()
            value.backward()
            return value

        optimizer.step(loss)  # type: ignore[no-untyped-call]
        self.weights = weights.detach()
        return self

    def right(self, facts: Sequence[TruthQuery]) -> np.ndarray:
        """Whether the likeliest option of each question is the right one."""
        found = [int((self.features(fact) @ self.weights).argmax()) == fact.gold_index for fact in facts]
        return np.array(found, dtype=float)


def chosen_strength(facts: Sequence[TruthQuery]) -> float:
    """That with which the most are right of facts that the regression was not fitted to."""
    fold = [stable_seed(fact.cluster) % FOLDS for fact in facts]
    gained = {}
    for strength in STRENGTHS:
        parts = []
        for number in range(FOLDS):
            inside = [fact for fact, own in zip(facts, fold, strict=True) if own != number]
            outside = [fact for fact, own in zip(facts, fold, strict=True) if own == number]
            parts.append(Shares(inside).fit(inside, strength).right(outside))
        gained[strength] = np.concatenate(parts).mean()
    return max(gained, key=gained.__getitem__)


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=Path(str(files("trialign"))) / "data" / "facts.jsonl")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    facts = [q for q in read_query_files([arguments.file]) if isinstance(q, TruthQuery) and q.options]
    training = [fact for fact in facts if fact.split == "train"]
    strength = chosen_strength(training)
    fitted = Shares(training).fit(training, strength)
    print(f"fitted to {len(training)} training questions, strength {strength:g}\n")
    rows = []
    for split in ("train", "validation", "test"):
        asked = [fact for fact in facts if fact.split == split]
        right, chance = fitted.right(asked), np.array([1 / len(fact.options) for fact in asked])
        clusters = np.unique([fact.cluster for fact in asked], return_inverse=True)[1]
        (above,) = mean_estimates((right - chance)[:, None], clusters, 0.95, 0)
        interval = f"{above.value:+.3f} [{above.low:+.3f}, {above.high:+.3f}]"
        rows.append([split, len(asked), f"{right.mean():.3f}", f"{chance.mean():.3f}", interval])
    print(table(["split", "questions", "right", "guessing", "above guessing"], rows))


if __name__ == "__main__":
    main()
