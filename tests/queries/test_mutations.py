"""Ten thousand damaged rows: each is read as it says, or refused with its file and row; none crashes the reading.

What a damaged row says is worked out here anew, by plain lookups. Sound rows stand between the damaged ones, and must
all be read.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trialign.groups import GroupSet, SocialGroup
from trialign.queries import PreferenceQuery, Query, TruthQuery
from trialign.queries.readers import read_data
from trialign.queries.sources import SourceConfig

pytestmark = pytest.mark.unit

Shipped = Callable[..., list[SourceConfig]]
# (question, options, gold or the target of each option)
Said = tuple[str, frozenset[str], Any]
Oracle = Callable[[Any], Said | None]

ODD = [None, "", "  ", 0, 3, -1, 2.5, True, [], {}, ["x"], "E", "é ∞", "x" * 3000, "\ud800", "<|im_end|>", {"a": [{}]}]
TYPED = [None, "", "  ", "E", "A", "3", "é ∞", "x" * 3000, "<|im_end|>"]
GROUPS = GroupSet("sides", "side", (SocialGroup("left", "Left"), SocialGroup("right", "Right")))


def text(value: Any) -> str:
    """What a value says as a text; numbers do, other values do not."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    said = value.strip() if isinstance(value, str) else f"{value:g}"
    said.encode()
    if not said:
        raise ValueError
    return said


def choice(question: Any, texts: list[Any], labels: list[Any], key: Any) -> Said:
    options, wanted = [text(one) for one in texts], text(key)
    # A label that says nothing does no harm as long as another one is the right one's.
    names = [label if isinstance(label, bool | list | dict | None) else str(label).strip() for label in labels]
    right = [option for option, name in zip(options, names, strict=True) if name == wanted]
    if len(right) != 1 or not 2 <= len(set(options)) == len(options):
        raise ValueError
    return text(question), frozenset(options), right[0]


def guarded(oracle: Callable[[Any], Said]) -> Oracle:
    def guard(row: Any) -> Said | None:
        try:
            return oracle(row)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            return None

    return guard


@guarded
def arc_file(row: Any) -> Said:
    choices = row["question"]["choices"]
    labels = [one.get("label") for one in choices]
    return choice(row["question"]["stem"], [one["text"] for one in choices], labels, row["answerKey"])


@guarded
def arc_hub(row: Any) -> Said:
    return choice(row["question"], row["choices"]["text"], row["choices"]["label"], row["answerKey"])


@guarded
def mmlu(cells: Any) -> Said:
    question, *texts, key = cells
    while texts and not texts[-1].strip():
        texts.pop()
    return choice(question, texts, list("ABCD")[: len(texts)], key.strip().upper())


@guarded
def truthfulqa(cells: Any) -> Said:
    question, best = text(cells[2]), text(cells[3])
    right = {answer.strip() for answer in cells[5].split(";")} | {best}
    wrong = {answer.strip() for answer in cells[6].split(";")} - {""} - right
    if not wrong or not cells[5].strip():
        raise ValueError
    return question, frozenset({best, *wrong}), best


@guarded
def stereoset(row: Any) -> Said:
    texts = [text(one) for one in row["sentences"]["sentence"]]
    labels = row["sentences"]["gold_label"]
    if sorted(labels) != [0, 1, 2] or len(set(texts)) != 3:
        raise ValueError
    text(row["target"])
    shares = {option: (0.0 if label == 2 else 0.5) for option, label in zip(texts, labels, strict=True)}
    return f"{text(row['context'])}\nWhich sentence comes next?", frozenset(texts), shares


@guarded
def native(row: Any) -> Said:
    if not all(isinstance(one, str) for one in (row["question"], row["gold"], *row["options"])):
        raise TypeError
    if row["gold"] not in row["options"] or len({one.strip() for one in row["options"]}) != len(row["options"]):
        raise ValueError
    return row["question"], frozenset(row["options"]), row["gold"]


def told(query: Query) -> Said:
    if isinstance(query, PreferenceQuery):
        assert query.targets["left"] == query.targets["right"]
        shares = dict(zip(query.options, query.targets["left"], strict=True))
        return query.question, frozenset(query.options), shares
    assert isinstance(query, TruthQuery)
    return query.question, frozenset(query.options), query.gold


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a nested value, the outermost but for the whole."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield (*path, key)
        yield from places(inner, (*path, key))


def damaged(chance: random.Random, row: Any, values: list[Any]) -> Any:
    """A copy in which one place is dropped, doubled, replaced by an odd value or swapped with another."""
    copied = copy.deepcopy(row)
    *path, last = chance.choice(list(places(copied)))
    holder = copied
    for key in path:
        holder = holder[key]
    how = chance.randrange(4)
    if how == 0:
        del holder[last]
    elif how == 1 and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[last]))
    elif how == 2:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        other = chance.choice(keys)
        holder[last], holder[other] = holder[other], holder[last]
    else:
        holder[last] = chance.choice(values)
    return copied


def scarred(chance: random.Random, line: bytes) -> bytes:
    """Bytes with one changed, cut out, put in, or with the rest cut off; never a new line."""
    at, byte = chance.randrange(1, len(line)), bytes([chance.choice([*range(10), *range(11, 256)])])
    how = chance.randrange(4)
    return (line[:at] + byte + line[at + 1 :], line[:at] + line[at + 1 :], line[:at] + byte + line[at:], line[:at])[how]


def check(source: SourceConfig | Path, place: str, expected: dict[int, Said | None], sound: dict[int, Said]) -> None:
    """Reads a source and holds every row number to what was expected of it."""
    reading = read_data([source], GROUPS, most_faults=10**6)
    refused = set()
    for fault in reading.faults:
        found = re.match(rf"{re.escape(place)}, row (\d+)\b", fault.problem)
        assert found, fault.problem
        assert fault.remedy
        refused.add(int(found[1]))
    read = {}
    for query in reading.queries:
        number = int(query.query_id) if isinstance(source, Path) else int(re.findall(r", row (\d+)", query.source)[-1])
        read[number] = told(query)
    assert not reading.left_out
    for number, said in sound.items():
        assert read[number] == said
    for number, said in expected.items():
        assert (number in read) != (number in refused), number
        if number in read:
            assert read[number] == said, number
    # Refusing everything would be no reading: damage that leaves a row sound is read past.
    assert any(number in read for number in expected)
    assert refused


def mixed(chance: random.Random, count: int, make_sound: Callable[[int], Any], damage: Callable[[Any], Any]) -> Any:
    """(rows, numbers of the damaged ones): a sound row before each ten damaged ones; every question is another."""
    rows, numbers = [], []
    while len(numbers) < count:
        row = make_sound(len(rows) + 1)
        if len(rows) % 11:
            row = damage(row)
            numbers.append(len(rows) + 1)
        rows.append(row)
    return rows, numbers


def split_up(rows: list[Any], numbers: list[int], oracle: Oracle) -> tuple[dict[int, Said | None], dict[int, Said]]:
    chosen = set(numbers)
    expected = {number: oracle(rows[number - 1]) for number in numbers}
    sound = {n: said for n, row in enumerate(rows, 1) if n not in chosen and (said := oracle(row))}
    assert len(sound) == len(rows) - len(numbers)
    return expected, sound


def arc_row(number: int) -> dict[str, Any]:
    choices = [{"text": f"thing {n} of {number}", "label": label} for n, label in enumerate("ABCD")]
    return {"id": f"r{number}", "question": {"stem": f"Which is it, {number}?", "choices": choices}, "answerKey": "C"}


def arc_hub_row(number: int) -> dict[str, Any]:
    row = arc_row(number)
    choices = {key: [one[key] for one in row["question"]["choices"]] for key in ("text", "label")}
    return {**row, "question": row["question"]["stem"], "choices": choices}


def test_3000_damaged_lines_of_jsonl(shipped: Shipped, tmp_path: Path) -> None:
    chance, file = random.Random(0), tmp_path / "ARC-Easy-Train.jsonl"

    def damage(row: Any) -> bytes:
        if chance.random() < 0.5:
            return scarred(chance, json.dumps(row, ensure_ascii=False).encode())
        return json.dumps(damaged(chance, row, ODD)).encode()

    def parsed(line: Any) -> Said | None:
        try:
            return arc_file(json.loads(line.decode("utf-8-sig")))
        except ValueError:
            return None

    rows, numbers = mixed(chance, 3000, arc_row, damage)
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    file.write_bytes(b"\n".join(lines))
    # Without the ids, which damage can make equal.
    (source, *_) = shipped("arc_easy_files", tmp_path)
    assert source.map is not None
    check(replace(source, map=replace(source.map, id=None)), str(file), *split_up(lines, numbers, parsed))


def test_2000_damaged_rows_of_csv_without_a_header(shipped: Shipped, tmp_path: Path) -> None:
    chance, file = random.Random(1), tmp_path / "dev" / "house_dev.csv"

    def sound(number: int) -> list[str]:
        return [f'Which "one" is it, {number}?', *[f"thing {n}, of {number}" for n in range(4)], "C"]

    def damage(cells: Any) -> Any:
        return [str(cell) for cell in damaged(chance, cells, ["", " ", "E", "a", "\n", '"', "3", "é", "x" * 3000])]

    rows, numbers = mixed(chance, 2000, sound, damage)
    file.parent.mkdir()
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    source = replace(shipped("mmlu_files", tmp_path)[0], allowed_faults=0)
    expected, whole = split_up(rows, numbers, lambda cells: mmlu(cells) if len(cells) == 6 else None)
    check(source, str(file), expected, whole)


def test_1000_scarred_rows_of_csv_with_a_header(shipped: Shipped, benchmarks: Path, tmp_path: Path) -> None:
    """A stray quote can swallow what follows it, so each scarred row is the last of its own file."""
    chance, file = random.Random(2), tmp_path / "TruthfulQA.csv"
    sound = (benchmarks / "files/truthfulqa/TruthfulQA.csv").read_bytes().rstrip()
    line = sound.splitlines()[1].replace(b"indoors", b"outdoors")
    (source,) = shipped("truthfulqa_files", tmp_path)
    for _ in range(1000):
        file.write_bytes(sound + b"\n" + scarred(chance, line))
        reading = read_data([source], GROUPS, most_faults=9)
        first, *rest = reading.queries
        assert first.question == "What happens if you whistle indoors?"
        if rest:
            # A single byte beyond ASCII may be a letter of Windows-1252; the reading says that it took it for one.
            other = next(
                (re.search(r"is read as (\S+);", note) for note in reading.notes if "is read as" in note), None
            )
            text = file.read_bytes().decode(other[1] if other else "utf-8", "surrogateescape")
            records = io.StringIO(text, newline="")
            assert [told(query) for query in rest] == [truthfulqa(list(csv.reader(records))[2])]
            assert not reading.faults
        for fault in reading.faults:
            assert re.match(rf"{re.escape(str(file))}, row [345]\b", fault.problem), fault.problem


def test_1500_damaged_rows_of_parquet(shipped: Shipped, tmp_path: Path) -> None:
    chance, file = random.Random(3), tmp_path / "train.parquet"
    rows, numbers = mixed(chance, 1500, arc_hub_row, lambda row: damaged(chance, row, TYPED))
    rows = write_parquet(file, rows, ARC_SCHEMA)
    (source, *_) = shipped("arc_easy")
    assert source.map is not None
    local = replace(source, hub=None, subset=None, part=None, path=str(file), map=replace(source.map, id=None))
    check(local, str(file), *split_up(rows, numbers, arc_hub))


def test_1000_damaged_rows_of_a_hub_data_set(shipped: Shipped, tmp_path: Path) -> None:
    chance = random.Random(4)

    def sound(number: int) -> dict[str, Any]:
        sentences = {"sentence": [f"{word} of {number}" for word in ("Flour", "Sleep", "Whales")]}
        context = f"The baker rose, {number}."
        return {"target": "baker", "context": context, "sentences": {**sentences, "gold_label": [1, 0, 2]}}

    odd = [None, "", "é", 0, 3, -1]
    rows, numbers = mixed(chance, 1000, sound, lambda row: damaged(chance, row, odd))
    rows = write_parquet(tmp_path / "validation.parquet", rows, STEREOSET_SCHEMA)
    source = replace(shipped("stereoset")[0], hub=str(tmp_path), subset=None)
    check(source, f"{tmp_path}, validation", *split_up(rows, numbers, stereoset))


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_1500_damaged_rows_of_the_native_schema(tmp_path: Path, suffix: str) -> None:
    chance, file = random.Random(5), tmp_path / f"rows.{suffix}"
    count = 900 if suffix == "jsonl" else 600

    def sound(number: int) -> dict[str, Any]:
        options = [f"thing {n} of {number}" for n in range(3)]
        question = {"question": f"Which is it, {number}?", "options": options, "gold": options[1]}
        return {"id": str(number), "split": "train", "kind": "truth", **question}

    def damage(row: Any) -> Any:
        rest = {key: row[key] for key in row if key != "id"}
        return {"id": row["id"], **damaged(chance, rest, ODD if suffix == "jsonl" else TYPED)}

    rows, numbers = mixed(chance, count, sound, damage)
    if suffix == "jsonl":
        file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    else:
        rows = write_parquet(file, rows, NATIVE_SCHEMA)
    check(file, str(file), *split_up(rows, numbers, native))


ARC_SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "question": pa.string(),
        "choices": pa.struct({"text": pa.list_(pa.string()), "label": pa.list_(pa.string())}),
        "answerKey": pa.string(),
    }
)


STEREOSET_SCHEMA = pa.schema(
    {
        "target": pa.string(),
        "context": pa.string(),
        "sentences": pa.struct({"sentence": pa.list_(pa.string()), "gold_label": pa.list_(pa.int64())}),
    }
)
NATIVE_SCHEMA = pa.schema(
    {
        **dict.fromkeys(("id", "split", "kind", "question", "gold"), pa.string()),
        "options": pa.list_(pa.string()),
    }
)


def held(value: Any, kind: pa.DataType) -> Any:
    """What a column of this type can hold of a value; null for the rest."""
    if pa.types.is_struct(kind):
        return {f.name: held(value.get(f.name), f.type) for f in kind} if isinstance(value, dict) else None
    if pa.types.is_list(kind):
        return [held(one, kind.value_type) for one in value] if isinstance(value, list) else None
    return value if type(value) is (str if pa.types.is_string(kind) else int) else None


def write_parquet(path: Path, rows: list[Any], schema: pa.Schema) -> list[Any]:
    """Writes rows as far as the schema can hold them, and gives back what was written."""
    fitting = [held(row, pa.struct(list(schema))) for row in rows]
    pq.write_table(pa.Table.from_pylist(fitting, schema), path, row_group_size=100)
    return fitting
