"""A teacher's replies on disk."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trialign.errors import UserError
from trialign.trajectories import texts
from trialign.trajectories.texts import EVERYONE, Text, TextStore, counts

pytestmark = pytest.mark.unit

# Floats that 32 bits hold.
STATED = Text(
    "capital",
    "north",
    "Paris",
    True,
    "größer – 東\n",
    (300, 2),
    ((300, 7), (2, 9)),
    ((-0.25, -2.0), (-0.5, -3)),
    (0.125, 0),
)
UNSTATED = Text("capital", EVERYONE, None, False, "Lyon", (5,), ((5, 6),), ((-0.5, -1.5),), (0.25,))


def test_replies_come_back_as_they_were_written(tmp_path: Path) -> None:
    store, file = TextStore(tmp_path, {}), tmp_path / "part.parquet"
    store._write_rows(file, [STATED, UNSTATED])
    assert store._read_rows(file) == (STATED, UNSTATED)
    assert [path.name for path in tmp_path.iterdir()] == ["part.parquet"]


def test_replies_that_do_not_state_the_answer_are_counted_as_left_out() -> None:
    assert counts([STATED, UNSTATED, STATED]) == {"replies": 3, "left_out": 1, "tokens": 4}


def test_files_of_another_version_or_of_none_are_refused(tmp_path: Path) -> None:
    store, file = TextStore(tmp_path, {}), tmp_path / "part.parquet"
    store._write_rows(file, [STATED])
    table = pq.read_table(file)
    for other in (table.replace_schema_metadata({"trialign_texts": "9"}), table.drop_columns(["rest"])):
        pq.write_table(other, file)
        with pytest.raises(UserError, match="is of another version of TriAlign, and this one reads version 1"):
            store._read_rows(file)
    file.write_bytes(b"PAR1 torn")
    with pytest.raises(UserError, match=r"part\.parquet cannot be read .*collect writes it again"):
        store._read_rows(file)


def test_only_what_a_teacher_was_not_given_may_be_left_out() -> None:
    assert [one.name for one in texts._SCHEMA if one.nullable] == ["answer"]
    assert texts._SCHEMA.field("stated").type == pa.bool_()
