"""Turns facts with a short free-text answer into the embedded mixed rows: a gold answer, and each group's form.

Reads mixed.jsonl and forms.yaml beside this file and writes trialign/data/mixed.jsonl. A source about a quantity lists
its `measures` (number and unit, in both systems, exact and as usually rounded) instead of gold and aliases; every usual
spelling of each becomes an alias, and the first is the gold answer.

    python scripts/questions/build_mixed.py
"""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

Row = dict[str, Any]

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "trialign" / "data"
# The first name is the one that the gold answer uses. Names in TIGHT also follow the number without a space ("50m").
UNITS: dict[str, tuple[str, ...]] = {
    "mile": ("miles", "mi"),
    "foot": ("feet", "ft", "foot"),
    "yard": ("yards", "yd"),
    "inch": ("inches", "in"),
    "km": ("kilometers", "kilometres", "km", "kms"),
    "meter": ("meters", "metres", "m", "meter", "metre"),
    "cm": ("centimeters", "centimetres", "cm"),
    "mile-per-second": ("miles per second", "miles a second", "miles/second", "miles/s", "mi/s"),
    "km-per-second": ("kilometers per second", "kilometres per second", "kilometers a second", "km per second", "km/s"),
    "meter-per-second": ("meters per second", "metres per second", "meters a second", "m per second", "m/s"),
    "foot-per-second": ("feet per second", "feet a second", "ft/s"),
    "mile-per-hour": ("miles per hour", "miles an hour", "mph"),
    "km-per-hour": ("kilometers per hour", "kilometres per hour", "kilometers an hour", "km per hour", "km/h", "kph"),
}
TIGHT = {"mi", "ft", "yd", "km", "m", "cm", "km/s", "m/s", "mph", "km/h", "kph"}
# "a 10-foot rim", "a 50-meter pool"
HYPHENATED = {
    "mile": ("mile",),
    "foot": ("foot",),
    "yard": ("yard",),
    "meter": ("meter", "metre"),
    "km": ("kilometer", "kilometre"),
}


def spellings(number: str, unit: str) -> list[str]:
    """Ways to write one measure, the gold one first; numbers with and without thousands commas."""
    numbers = list(dict.fromkeys([number, number.replace(",", "")]))
    loose = [f"{value} {name}" for value in numbers for name in UNITS[unit]]
    tight = [f"{value}{name}" for value in numbers for name in UNITS[unit] if name in TIGHT and value[-1].isdigit()]
    hyphenated = [f"{value}-{name}" for value in numbers for name in HYPHENATED.get(unit, ())]
    return loose + tight + hyphenated


def answers(source: Row) -> list[str]:
    """Texts that count as right, the gold answer first."""
    if "measures" not in source:
        return [source["gold"], *source["aliases"]]
    return list(dict.fromkeys(text for number, unit in source["measures"] for text in spellings(number, unit)))


def form_of(wish: Row, about: str) -> Row:
    """A group's form for one question; `units` and `spelling` only in the questions that are about them."""
    extra = {"quantity": "units", "spelling": "spelling"}.get(about)
    return wish["base"] | ({extra: wish[extra]} if extra else {})


def build_row(source: Row, wishes: Row) -> Row:
    """One row of the native schema."""
    gold, *aliases = answers(source)
    forms = {
        f"{set_name}:{group}": form_of(wish, source["about"])
        for set_name, groups in wishes.items()
        for group, wish in groups.items()
    }
    return {
        "id": source["id"],
        "cluster": source["id"],
        "split": source["split"],
        "kind": "mixed",
        "topic": source["topic"],
        "question": source["question"],
        "answer_kind": "text",
        "gold": gold,
        "aliases": aliases,
        "source": source["source"],
        "forms": forms,
    }


def built_rows() -> list[Row]:
    """The rows, from the files beside this one.

    Raises:
        ValueError: two groups of a set want the same form.
    """
    wishes = yaml.safe_load((HERE / "forms.yaml").read_text(encoding="utf-8"))
    sources = [json.loads(line) for line in (HERE / "mixed.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [build_row(source, wishes) for source in sources]
    for row in rows:
        for set_name, groups in wishes.items():
            for one, other in combinations(groups, 2):
                if row["forms"][f"{set_name}:{one}"] == row["forms"][f"{set_name}:{other}"]:
                    raise ValueError(f"{row['id']}: {one} and {other} want the same form")
    return rows


def main() -> None:
    """Builds, checks and writes."""
    rows = built_rows()
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (DATA / "mixed.jsonl").write_text(text, encoding="utf-8")
    print(f"{len(rows)} mixed questions")


if __name__ == "__main__":
    main()
