"""The readers against real benchmark files, where a development machine has them; nothing of them is kept here."""

from __future__ import annotations

import csv
import glob
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trialign.groups import GroupSet, SocialGroup
from trialign.queries import TruthQuery
from trialign.queries.readers import Reading, read_data
from trialign.queries.sources import SourceConfig

pytestmark = pytest.mark.unit

GROUPS = GroupSet("sides", "side", (SocialGroup("left", "Left"), SocialGroup("right", "Right")))

SHARED = Path(__file__).parents[3] / "shared" / "data"


Shipped = Callable[..., list[SourceConfig]]


def folder(name: str) -> Path:
    if not (SHARED / name).is_dir():
        pytest.skip(f"needs ../shared/data/{name}, which is not on this machine")
    return SHARED / name


def read(sources: list[SourceConfig]) -> Reading:
    """Reads the files that are there: of some benchmarks a part is missing."""
    return read_data([source for source in sources if glob.glob(str(source.path))], GROUPS, 50)


def facts(reading: Reading) -> list[TruthQuery]:
    assert not reading.faults
    found = [query for query in reading.queries if isinstance(query, TruthQuery)]
    assert len(found) == len(reading.queries)
    return found


def test_arc_easy(shipped: Shipped) -> None:
    queries = {query.query_id: query for query in facts(read(shipped("arc_easy_files", folder("arc_easy"))))}
    assert Counter(query.split for query in queries.values()) == {"train": 2251, "validation": 570}
    for line in (SHARED / "arc_easy" / "ARC-Easy-Dev.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        query = queries[f"arc_easy/{row['id']}"]
        (right,) = [one["text"] for one in row["question"]["choices"] if one["label"] == row["answerKey"]]
        assert query.gold == right.strip()
        assert Counter(query.options) == Counter(one["text"].strip() for one in row["question"]["choices"])
    # A seed, not the data, says where the right answer stands.
    first = sum(query.options.index(query.gold) == 0 for query in queries.values())
    assert 0.2 < first / len(queries) < 0.3


def test_mmlu(shipped: Shipped) -> None:
    reading = read(shipped("mmlu_files", folder("mmlu")))
    queries = facts(reading)
    # Four rows have two equal options, and one of the validation questions is a training question as well.
    assert len(reading.left_out) == 5
    assert Counter(query.split for query in queries) == {"train": 284, "validation": 1527}
    assert len({query.topic for query in queries}) == 57
    with (SHARED / "mmlu" / "val" / "virology_val.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    golds = [query.gold for query in queries if query.topic == "virology" and query.split == "validation"]
    assert golds == [row["ABCD".index(row[5]) + 1].strip() for row in rows]


def test_truthfulqa(shipped: Shipped) -> None:
    (source,) = shipped("truthfulqa_files", folder("truthfulqa"))
    queries = facts(read([source]))
    assert Counter(query.split for query in queries) == {"test": 790}
    with (SHARED / "truthfulqa" / "TruthfulQA.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, query in zip(rows, queries, strict=True):
        assert query.gold == row["Best Answer"].strip()
        assert all(option == query.gold or option in row["Incorrect Answers"] for option in query.options)
    # The best answer is first in the file, and in any place here.
    assert sum(query.options.index(query.gold) == 0 for query in queries) < 300
    (fault,) = read([replace(source, split="train")]).faults
    assert "is for evaluation only" in fault.problem


def test_gsm8k(shipped: Shipped) -> None:
    source = shipped("gsm8k_files", folder("gsm8k"))[0]
    queries = facts(read([replace(source, path=str(SHARED / "gsm8k" / "train_2000.jsonl"))]))
    counts = Counter(query.split for query in queries)
    assert counts["train"] + counts["validation"] == 2000
    # Nine of ten by the seed, and four standard deviations.
    assert abs(counts["train"] / 2000 - 0.9) < 0.03
    lines = (SHARED / "gsm8k" / "train_2000.jsonl").read_text(encoding="utf-8").splitlines()
    for line, query in zip(lines, queries, strict=True):
        assert query.gold == json.loads(line)["answer"].split("#### ")[1].replace(",", "").strip()
