"""Turns preference questions whose options carry tastes into the embedded rows, with a target for each group.

Reads preferences.jsonl and tastes.yaml beside this file, writes trialign/data/preferences.jsonl and prints how far the
groups' targets differ. To give a group of your own targets, add it to tastes.yaml and run

    python scripts/questions/build_preferences.py
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

Row = dict[str, Any]

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "trialign" / "data"
# Chosen among 300 so that each taste is spread evenly over the positions.
SALT = "190"


def shuffled(options: list[list[str]], query_id: str) -> list[list[str]]:
    """The options in an order that depends on the id alone (and not on Python's hash seed)."""
    seed = int.from_bytes(hashlib.sha256(f"{SALT}:{query_id}".encode()).digest()[:8], "big")
    return random.Random(seed).sample(options, len(options))


def rounded_softmax(logits: list[float]) -> list[float]:
    """Softmax rounded to hundredths that sum to exactly one hundred; the largest remainders are rounded up."""
    powers = [math.exp(logit) for logit in logits]
    hundredths = [100 * power / sum(powers) for power in powers]
    floors = [math.floor(value) for value in hundredths]
    by_remainder = sorted(range(len(logits)), key=lambda index: floors[index] - hundredths[index])
    for index in by_remainder[: 100 - sum(floors)]:
        floors[index] += 1
    return [value / 100 for value in floors]


def taste_weights(entry: dict[str, list[str]], tastes: list[str]) -> dict[str, float]:
    """Weight of each taste for one group: 1 loved, -1 disliked, 0 neither."""
    unknown = {*entry["loves"], *entry["dislikes"]} - set(tastes)
    if unknown or set(entry["loves"]) & set(entry["dislikes"]):
        raise ValueError(f"unknown or contradictory tastes in {entry}")
    return {taste: float((taste in entry["loves"]) - (taste in entry["dislikes"])) for taste in tastes}


def build_rows(sources: list[Row], settings: Row) -> list[Row]:
    """Rows of the native schema, in the order of the sources."""
    weights = {
        f"{set_name}:{group}": taste_weights(entry, list(settings["tastes"]))
        for set_name, groups in settings["groups"].items()
        for group, entry in groups.items()
    }
    rows = []
    for source in sources:
        options = shuffled(source["options"], source["id"])
        targets = {
            group: rounded_softmax([settings["strength"] * weight[taste] for _, taste in options])
            for group, weight in weights.items()
        }
        rows.append(
            {
                "id": source["id"],
                "cluster": source["id"],
                "split": source["split"],
                "kind": "preference",
                "topic": source["topic"],
                "question": source["question"],
                "answer_kind": "choice",
                "options": [text for text, _ in options],
                "targets": targets,
                "source": "synthetic, written for TriAlign",
            }
        )
    return rows


def total_variation(rows: list[Row], first: str, second: str) -> float:
    """Mean over the rows of half the summed absolute difference of two groups' targets."""
    distances = [
        sum(abs(p - q) for p, q in zip(row["targets"][first], row["targets"][second], strict=True)) / 2 for row in rows
    ]
    return sum(distances) / len(distances)


def read_settings() -> Row:
    """What tastes.yaml says."""
    settings: Row = yaml.safe_load((HERE / "tastes.yaml").read_text(encoding="utf-8"))
    return settings


def built_rows() -> list[Row]:
    """The rows, from the files beside this one."""
    sources = [json.loads(line) for line in (HERE / "preferences.jsonl").read_text(encoding="utf-8").splitlines()]
    return build_rows(sources, read_settings())


def main() -> None:
    """Builds, writes and prints."""
    settings, rows = read_settings(), built_rows()
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (DATA / "preferences.jsonl").write_text(text, encoding="utf-8")
    print(f"{len(rows)} questions, strength {settings['strength']}\n{'set':12} mean TV  least  most")
    for set_name, groups in settings["groups"].items():
        distances = {
            f"{a}/{b}": total_variation(rows, f"{set_name}:{a}", f"{set_name}:{b}") for a, b in combinations(groups, 2)
        }
        least, most = min(distances, key=distances.__getitem__), max(distances, key=distances.__getitem__)
        mean = sum(distances.values()) / len(distances)
        print(f"{set_name:12} {mean:.3f}   {distances[least]:.3f} {least}   {distances[most]:.3f} {most}")


if __name__ == "__main__":
    main()
