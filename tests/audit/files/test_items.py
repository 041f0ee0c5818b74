from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trialign.audit.files.items import ITEMS_SCHEMA, AuditItem, items_frame, read_items, write_items
from trialign.errors import UserError

pytestmark = pytest.mark.unit

FACT = AuditItem(
    query_id="q1",
    cluster="c1",
    kind="truth",
    split="test",
    topic="physics",
    group="nurses",
    role="member",
    exposure="explicit",
    profile_group="nurses",
    answer="It is 100 °C.",
    canonical="100",
    parse_status="ok",
    correct=True,
    reward_truth=1.0,
    option_probabilities=(0.25, 0.75),
    adapter_sha256="ab" * 32,
    clarification="B",
    clarification_options=("90", "100"),
)
TASTE = replace(
    FACT,
    query_id="q2",
    kind="preference",
    exposure="implicit",
    wording=1,
    turn=2,
    repeat=3,
    profile_group="farmers",
    canonical=None,
    parse_status="none",
    correct=None,
    reward_truth=None,
    reward_preference=0.5,
    option_probabilities=None,
    adapter_sha256=None,
    clarification=None,
    clarification_options=None,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "items.parquet"


def test_items_come_back_as_they_were_written(path: Path) -> None:
    write_items(path, [FACT, TASTE])
    frame = read_items(path)
    assert list(frame.columns) == list(asdict(FACT))
    for row, item in zip(frame.to_dict("records"), (FACT, TASTE), strict=True):
        for name, expected in asdict(item).items():
            value = row[str(name)]
            if expected is None:
                assert value is None or pd.isna(value), name
            elif name in ("option_probabilities", "clarification_options"):
                assert tuple(value) == expected
            else:
                assert value == expected, name
    assert [entry.name for entry in path.parent.iterdir()] == ["items.parquet"]


def test_a_file_written_before_there_were_clarifications_is_read(path: Path, tmp_path: Path) -> None:
    later = ["clarification", "clarification_options"]
    write_items(path, [FACT, TASTE])
    table = pq.read_table(path)
    old = tmp_path / "old.parquet"
    pq.write_table(table.drop_columns(later), old, write_page_checksum=True)
    assert read_items(old)[later].isna().all().all()
    pd.testing.assert_frame_equal(read_items(old).drop(columns=later), read_items(path).drop(columns=later))
    pq.write_table(table.drop_columns(["answer"]), old, write_page_checksum=True)
    with pytest.raises(UserError, match="lacks the column 'answer'"):
        read_items(old)


def test_a_frame_in_memory_equals_the_one_read(path: Path) -> None:
    write_items(path, [FACT, TASTE])
    pd.testing.assert_frame_equal(items_frame([FACT, TASTE]), read_items(path))


def test_nothing_to_write_is_refused(path: Path) -> None:
    with pytest.raises(UserError, match="asked no question"):
        write_items(path, [])
    assert not path.exists()


def _missing(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)


def _footer(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"query_id", b"\xff\xffery_id"))


def _text(path: Path) -> None:
    path.write_text("query_id,answer\n")


def _foreign(path: Path) -> None:
    pq.write_table(pa.table({"query_id": ["q1"]}), path)


def _version(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata(dict.fromkeys(table.schema.metadata, b"7")), path)


def _column(path: Path) -> None:
    pq.write_table(pq.read_table(path).drop_columns(["turn"]), path)


def _type(path: Path) -> None:
    table = pq.read_table(path)
    position = table.schema.get_field_index("correct")
    words = pa.array(["yes"] * len(table))
    pq.write_table(table.set_column(position, "correct", words), path)


def _extra(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.append_column("mood", pa.array(["fine"] * len(table))), path)


def _no_rows(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(0, 0), path)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_missing, "does not exist"),
        (_empty, "cannot be read"),
        (_torn, "cannot be read"),
        (_flipped, "cannot be read"),
        (_footer, "cannot be read"),
        (_text, "cannot be read"),
        (_foreign, "no schema version"),
        (_version, "schema version 7"),
        (_column, "lacks the column 'turn'"),
        (_type, "column 'correct' as string instead of bool"),
        (_extra, "unknown columns: ['mood']"),
        (_no_rows, "holds no rows"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(path: Path, damage: Callable[[Path], None], said: str) -> None:
    write_items(path, [FACT, TASTE])
    damage(path)
    with pytest.raises(UserError) as caught:
        read_items(path)
    assert str(path) in caught.value.problem
    assert said in caught.value.problem


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("row", "words"),
    [
        (FACT, "the option probabilities of group 'nurses' for question 'q1'"),
        (replace(FACT, option_probabilities=None), "the reward truth of group 'nurses' for question 'q1'"),
        (TASTE, "the reward preference of group 'farmers' for question 'q2'"),
    ],
)
def test_numbers_that_are_none_are_refused_by_name(path: Path, row: AuditItem, words: str, number: float) -> None:
    if row.option_probabilities is not None:
        wrong = replace(row, option_probabilities=(0.5, number))
    elif row.reward_truth is not None:
        wrong = replace(row, reward_truth=number)
    else:
        wrong = replace(row, reward_preference=number)
    with pytest.raises(UserError, match=words):
        items_frame([TASTE, FACT, wrong])
    with pytest.raises(UserError, match=words):
        write_items(path, [wrong])
    assert not path.exists()
    # A file of an earlier version may hold them.
    columns = {name: [value] for name, value in asdict(wrong).items()}
    pq.write_table(pa.Table.from_pydict(columns, schema=ITEMS_SCHEMA), path)
    with pytest.raises(UserError, match=words) as caught:
        read_items(path)
    assert str(path) in caught.value.problem
