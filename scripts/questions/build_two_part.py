"""Turns questions that ask for a fact and a taste at once into the embedded rows: two for each question, one a part.

Reads two_part.jsonl beside this file and the tastes of tastes.yaml, and writes trialign/data/two_part.jsonl. Both rows
have the same text, so that nothing in what an agent reads tells which part will be looked at; the one offers answers to
the fact, the other those of taste, with a target for each group.

    python scripts/questions/build_two_part.py
"""

from __future__ import annotations

import json
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

Row = dict[str, Any]

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "trialign" / "data"
# How tastes become targets, and in which order options stand, is as in the other file.
PREFERENCES = runpy.run_path(str(HERE / "build_preferences.py"))


def fact_row(source: Row, place: int) -> Row:
    """The row that looks at the fact; the first of the source's options is the gold answer, and comes to a place."""
    name = f"two-part-{source['id']}"
    gold, *wrong = source["facts"]
    options = PREFERENCES["shuffled"](wrong, f"{name}-fact")
    options.insert(place % len(source["facts"]), gold)
    return {
        "id": f"{name}-fact",
        "cluster": name,
        "split": source["split"],
        "kind": "truth",
        "topic": source["topic"],
        "question": source["question"],
        "answer_kind": "choice",
        "options": options,
        "gold": gold,
        "source": source["source"],
    }


def taste_row(source: Row, settings: Row) -> Row:
    """The row that looks at the taste; targets as in the embedded preference questions."""
    name = f"two-part-{source['id']}"
    [row] = PREFERENCES["build_rows"]([{**source, "id": f"{name}-taste", "options": source["tastes"]}], settings)
    return {**row, "cluster": name}


def built_rows() -> list[Row]:
    """The rows, from the files beside this one."""
    sources = [json.loads(line) for line in (HERE / "two_part.jsonl").read_text(encoding="utf-8").splitlines()]
    settings: Row = PREFERENCES["read_settings"]()
    before: Counter[str] = Counter()
    rows: list[Row] = []
    for source in sources:
        rows += [fact_row(source, before[source["split"]]), taste_row(source, settings)]
        before[source["split"]] += 1  # so that the gold answers of a split stand everywhere alike
    return rows


def main() -> None:
    """Builds and writes."""
    rows = built_rows()
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (DATA / "two_part.jsonl").write_text(text, encoding="utf-8")
    print(f"{len(rows)} rows of {len(rows) // 2} questions")


if __name__ == "__main__":
    main()
