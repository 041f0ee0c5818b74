"""Which embedded facts classifiers tell from the options alone, and a data set without them (adversarial filtering).

After AFLite (Le Bras et al. 2020, arXiv 2002.04108): classifiers that never see a question are fitted to random shares
of the facts and asked the others; in each round the facts whose right option they find likeliest are dropped. Three
kinds of classifiers, all logistic regressions over the options of a question: their words, their character n-grams,
and their shape alone. No agent is asked, and no split is looked at. Where a right option ends up in one place
more often than in another, options change places.

    python benchmarks/options_filter.py --rounds 4 --drop 12           prints what it would drop, and how the rest does
    python benchmarks/options_filter.py --rounds 4 --drop 12 --write   and writes the file without them

The facts of trialign/data were filtered so once, from the 504 of commit d735974; run again it drops others.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from options_alone import FeaturesOf, Shares, manner, parts_of, words_of

from trialign.environment import stable_seed
from trialign.queries import TruthQuery
from trialign.queries.readers import read_query_files

INSIDE = 0.7  # share of the facts that a classifier is fitted to
PARTITIONS = 12
LINKING_WORDS = """
a an the of in on to for and or but by with from at as is are was were be it its they their than that this not no
never always only all any more most less few over under about one two just both neither
"""
LINKING = frozenset(LINKING_WORDS.split())


def grams_of(text: str) -> list[str]:
    """Runs of two to four characters."""
    padded = f" {text.lower()} "
    return [padded[place : place + size] for size in (2, 3, 4) for place in range(len(padded) - size + 1)]


def shape(options: Sequence[str]) -> list[list[float]]:
    """Of each option: its manner, articles, linking words, length of words, likeness to the others, signs."""
    words = [words_of(option) for option in options]
    rows = []
    for place, (own, option, known) in enumerate(zip(words, options, manner(options), strict=True)):
        others = [set(other) for number, other in enumerate(words) if number != place]
        alike = np.mean([len(set(own) & other) / max(1, len(set(own) | other)) for other in others])
        seen = [
            float(option[:1].isupper()),
            float(own[:1] in (["a"], ["an"], ["the"])),
            sum(word in LINKING for word in own) / max(1, len(own)),
            float(np.mean([len(word) for word in own])) if own else 0.0,
            4 * float(alike),
            float(any(sign in option for sign in "-'()")),
            float("%" in option),
            float(len(own) == 1),
        ]
        rows.append([*known, *seen])
    return rows


KINDS: dict[str, tuple[FeaturesOf, float]] = {
    "words": (FeaturesOf(words_of, manner, 2, 1.0), 10.0),
    "words, freer": (FeaturesOf(words_of, manner, 2, 1.0), 3.0),
    "characters": (FeaturesOf(grams_of, shape, 4, 0.3), 10.0),
    "characters, freer": (FeaturesOf(grams_of, shape, 4, 0.3), 3.0),
    "shape": (FeaturesOf(parts_of, shape, 2, 1.0), 10.0),
}


def told(facts: Sequence[TruthQuery], seed: int) -> np.ndarray:
    """Of each fact: the share of its right option over guessing's, by classifiers that were fitted to others."""
    chance = np.random.default_rng(seed)
    found, times = np.zeros(len(facts)), np.zeros(len(facts))
    for _ in range(PARTITIONS):
        inside = chance.random(len(facts)) < INSIDE
        known = [fact for fact, own in zip(facts, inside, strict=True) if own]
        for features, strength in KINDS.values():
            fitted = Shares(known, features).fit(known, strength)
            for place in np.flatnonzero(~inside):
                fact = facts[place]
                found[place] += float(fitted.shares(fact)[fact.gold_index]) * len(fact.options)
                times[place] += 1
    return found / times.clip(1)


def filtered(facts: Sequence[TruthQuery], rounds: int, drop: int) -> list[str]:
    """Clusters that are dropped, in order; ``facts`` holds one question of each."""
    left, dropped = list(facts), []
    for number in range(rounds):
        away = {left[place].cluster for place in np.argsort(-told(left, number), kind="stable")[:drop]}
        dropped += sorted(away)
        left = [fact for fact in left if fact.cluster not in away]
    return dropped


def balanced(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same questions, with the right option in each place equally often within a split and number of options."""
    rows = [dict(row) for row in rows]
    orders: dict[str, list[list[str]]] = defaultdict(list)
    parts: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: stable_seed(row["id"])):
        orders[row["cluster"]].append(row["options"])
        parts[row["split"], len(row["options"])].append(row)
    for (_, count), of_part in parts.items():
        while True:
            places = Counter(dict.fromkeys(range(count), 0))
            places.update(row["options"].index(row["gold"]) for row in of_part)
            (most, highest), (least, lowest) = places.most_common()[0], places.most_common()[-1]
            if highest - lowest <= 1:
                break
            _move(of_part, most, least, orders)
    return rows


def _move(rows: Sequence[dict[str, Any]], most: int, least: int, orders: dict[str, list[list[str]]]) -> None:
    """Exchanges two options of the first question with which no paraphrase has the same order afterwards."""
    for row in rows:
        options = list(row["options"])
        options[most], options[least] = options[least], options[most]
        others = [order for order in orders[row["cluster"]] if order != row["options"]]
        if row["options"].index(row["gold"]) == most and options not in others:
            orders[row["cluster"]] = [*others, options]
            row["options"] = options
            return
    raise SystemExit("No question is left whose options could change places.")


def report(facts: Sequence[TruthQuery]) -> None:
    """How often each kind, fitted to the training split, is right on the others."""
    training = [fact for fact in facts if fact.split == "train"]
    for name, (features, strength) in KINDS.items():
        right = partial(Shares(training, features).fit(training, strength).right)
        cells = []
        for split in ("validation", "test"):
            asked = [fact for fact in facts if fact.split == split]
            guess = np.mean([1 / len(fact.options) for fact in asked])
            cells.append(f"{split} {right(asked).mean():.3f} (guessing {guess:.3f})")
        print(f"{name}: {', '.join(cells)}")


def main() -> None:
    """Runs, prints, and writes where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=Path(str(files("trialign"))) / "data" / "facts.jsonl")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--drop", type=int, default=12, help="facts of a round")
    parser.add_argument("--write", action="store_true", help="the file without them")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    facts = [q for q in read_query_files([arguments.file]) if isinstance(q, TruthQuery) and q.options]
    each = list({fact.cluster: fact for fact in reversed(facts)}.values())[::-1]
    report(each)
    dropped = filtered(each, arguments.rounds, arguments.drop)
    print(f"\ndropped: {' '.join(dropped)}\n")
    report([fact for fact in each if fact.cluster not in dropped])
    if arguments.write:
        rows = [json.loads(line) for line in arguments.file.read_text(encoding="utf-8").splitlines()]
        kept = balanced([row for row in rows if row["cluster"] not in dropped])
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
        arguments.file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
