from __future__ import annotations

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trialign.errors import UserError
from trialign.trajectories import records
from trialign.trajectories.records import SCHEMA, Sample, Trajectory, read_part, write_part

pytestmark = pytest.mark.unit

SCORED = Sample((17, 2), -1.2345678901234567, "Paris", "Paris", "scored", 1.0, None, 2 / 3, -0.3)
GENERATED = Sample((300,), -0.1, "größer – 東\n", None, "none", 0.0, 0.5, 1.0, -0.2)
FACT = Trajectory(
    query_id="capital",
    cluster="capital cluster",
    split="train",
    kind="truth",
    group="north",
    exposure="explicit",
    wording=1,
    turn=0,
    topology="ring",
    prompt=(1, 2, 3),
    options=((17, 2), (3, 4, 2)),
    option_log_probabilities=(-1.2345678901234567, -7.0),
    gold=0,
    target=None,
    samples=(SCORED, SCORED),
    option_sizes=(5, 9),
    unasked=(1, 3),
    unasked_log_probabilities=(-2.25, -1 / 3),
    adversary="confident",
    asserted="Lyon",
)
THIRD: dict[str, Any] = {"adversary": "", "asserted": ""}
LATER: dict[str, Any] = {"option_sizes": (), "unasked": (), "unasked_log_probabilities": (), **THIRD}
TASTE = replace(
    FACT,
    query_id="drink",
    kind="preference",
    exposure="implicit",
    gold=None,
    target=(0.1, 0.9),
    samples=(Sample((17, 2), -1.5, "Tea", "Tea", "scored", None, 0.25, None),),
)
NUMBER = replace(FACT, query_id="sum", turn=1, options=(), option_log_probabilities=(), gold=None, samples=(GENERATED,))


def test_a_part_comes_back_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "part.parquet"
    write_part(file, [FACT, TASTE, NUMBER])
    # Equality of floats here is equality of every bit.
    assert read_part(file) == (FACT, TASTE, NUMBER)
    assert [path.name for path in tmp_path.iterdir()] == ["part.parquet"]


def test_only_what_some_questions_lack_may_be_left_out() -> None:
    assert [one.name for one in SCHEMA if one.nullable] == ["gold", "target"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "name",
    [
        "option_log_probabilities",
        "unasked_log_probabilities",
        "target",
        "log_probability",
        "reward_truth",
        "reward_preference",
        "disagreement",
        "behaviour",
    ],
)
def test_a_number_that_is_none_is_named(tmp_path: Path, name: str, value: float) -> None:
    if hasattr(FACT, name):
        row = replace(TASTE, **{name: (0.5, value)})
    else:
        row = replace(TASTE, samples=(SCORED, replace(SCORED, **{name: value})))
    write_part(tmp_path / "part.parquet", [FACT, row])
    with pytest.raises(UserError, match=rf"part\.parquet .* in {name} of 'drink', group 'north', turn 0"):
        read_part(tmp_path / "part.parquet")


def test_only_what_may_be_unknown_may_be_missing() -> None:
    sample = SCHEMA.field("samples").type.value_type
    assert {field.name for field in SCHEMA if field.nullable} == {"gold", "target"}
    assert {field.name for field in SCHEMA} == {field.name for field in fields(Trajectory)}
    assert {field.name for field in sample} == {field.name for field in fields(Sample)}


def test_equal_rows_give_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_part(tmp_path / name, [FACT, NUMBER])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_part_may_be_empty(tmp_path: Path) -> None:
    write_part(tmp_path / "part.parquet", [])
    assert read_part(tmp_path / "part.parquet") == ()


@pytest.mark.parametrize("spoil", ["cut", "garbage", "empty", "absent"])
def test_a_torn_part_is_named(tmp_path: Path, spoil: str) -> None:
    file = tmp_path / "part-00003.parquet"
    write_part(file, [FACT])
    whole = file.read_bytes()
    if spoil == "absent":
        file.unlink()
    else:
        file.write_bytes({"cut": whole[:-20], "garbage": b"x" * 200, "empty": b""}[spoil])
    with pytest.raises(UserError, match=r"part-00003\.parquet cannot be read"):
        read_part(file)


def test_a_failed_write_keeps_the_old_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "part.parquet"
    write_part(file, [FACT])

    def full_disk(table: pa.Table, where: Path, **options: object) -> None:
        Path(where).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(records.pq, "write_table", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_part(file, [NUMBER])
    assert read_part(file) == (FACT,)
    assert list(tmp_path.iterdir()) == [file]


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "part.parquet"
    schema = SCHEMA.with_metadata({"trialign_trajectories": "99"})
    pq.write_table(pa.Table.from_pylist([], schema=schema), file)
    with pytest.raises(UserError, match="schema version 99"):
        read_part(file)


def test_another_table_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "part.parquet"
    pq.write_table(pa.table({"query_id": ["capital"]}), file)
    with pytest.raises(UserError, match="schema version none"):
        read_part(file)
    pq.write_table(pa.Table.from_pylist([], schema=SCHEMA.remove(SCHEMA.get_field_index("gold"))), file)
    with pytest.raises(UserError, match="schema version 4, and this version reads 1 to 4"):
        read_part(file)


SECOND = pa.schema([field for field in SCHEMA if field.name not in LATER])


def test_a_part_of_the_third_version_is_read(tmp_path: Path) -> None:
    """As versions before wrote it: nobody asserted anything."""
    schema = pa.schema([field for field in SCHEMA if field.name not in THIRD])
    rows = [{name: value for name, value in asdict(row).items() if name not in THIRD} for row in (FACT, TASTE, NUMBER)]
    table = pa.Table.from_pylist(rows, schema=schema.with_metadata({"trialign_trajectories": "3"}))
    pq.write_table(table, tmp_path / "part.parquet")
    assert list(read_part(tmp_path / "part.parquet")) == [replace(row, **THIRD) for row in (FACT, TASTE, NUMBER)]


def as_before(row: Trajectory) -> dict[str, object]:
    """A row without what the third version keeps."""
    return {name: value for name, value in asdict(row).items() if name not in LATER}


def test_a_part_of_the_second_version_is_read(tmp_path: Path) -> None:
    """As versions before wrote it: without what options' scores are divided by and held against."""
    table = pa.Table.from_pylist(
        [as_before(row) for row in (FACT, TASTE, NUMBER)],
        schema=SECOND.with_metadata({"trialign_trajectories": "2"}),
    )
    pq.write_table(table, tmp_path / "part.parquet")
    assert list(read_part(tmp_path / "part.parquet")) == [replace(row, **LATER) for row in (FACT, TASTE, NUMBER)]


def test_what_options_count_by() -> None:
    assert FACT.option_values == pytest.approx(((-1.2345678901234567 + 2.25) / 5, (-7 + 1 / 3) / 9))
    assert replace(FACT, **LATER).option_values == FACT.option_log_probabilities


def test_a_part_of_the_first_version_is_read(tmp_path: Path) -> None:
    """As versions before wrote it: without how probable the samples were under the behaviour policy."""
    names = [field.name for field in fields(Sample) if field.name != "behaviour"]
    types = SCHEMA.field("samples").type.value_type
    samples = pa.field("samples", pa.list_(pa.struct([types.field(name) for name in names])), nullable=False)
    schema = SECOND.set(SECOND.get_field_index("samples"), samples)
    rows = [
        {**as_before(row), "samples": [{name: asdict(one)[name] for name in names} for one in row.samples]}
        for row in (FACT, TASTE, NUMBER)
    ]
    first = schema.with_metadata({"trialign_trajectories": "1"})
    pq.write_table(pa.Table.from_pylist(rows, schema=first), tmp_path / "part.parquet")
    expected = [
        replace(row, samples=tuple(replace(one, behaviour=None) for one in row.samples), **LATER)
        for row in (FACT, TASTE, NUMBER)
    ]
    assert list(read_part(tmp_path / "part.parquet")) == expected
    # The first version's table under the second's name, and the other way round, is neither.
    for table, version in ((schema, "2"), (schema, "3"), (SECOND, "1"), (SECOND, "3"), (SCHEMA, "1"), (SCHEMA, "2")):
        named = table.with_metadata({"trialign_trajectories": version})
        pq.write_table(pa.Table.from_pylist([], schema=named), tmp_path / "part.parquet")
        with pytest.raises(UserError, match=f"schema version {version}"):
            read_part(tmp_path / "part.parquet")
