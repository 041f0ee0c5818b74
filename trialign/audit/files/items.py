"""The rows of an audit and their files: ``items.parquet``, and ``replies.parquet`` for answers in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trialign.errors import UserError
from trialign.groups import Exposure
from trialign.queries.types import Kind, Split
from trialign.storage import atomic_write

ITEMS_SCHEMA_VERSION = 1
_VERSION_KEY = b"trialign.audit_items.schema_version"


@dataclass(frozen=True, kw_only=True)
class AuditItem:
    """One answer of one agent to one query.

    In an ordinary row ``group`` and ``profile_group`` are the same. In a swapped row, which only preference
    queries have, ``profile_group`` is the agent (its profile and adapter) that gave the answer, and ``group``
    the group whose target scores it.

    Attributes:
        query_id: the query; rows are joined by it, never by their order.
        cluster: the fact or taste that the query's paraphrases share.
        kind: ``truth``, ``preference`` or ``mixed``.
        split: the split that was audited.
        topic: what the query is about.
        group: the group for which the answer is scored.
        role: ``member``, or ``control`` for answers of the base weights without a profile.
        exposure: how the profile reached the model.
        wording: which wording of the profile, from 0.
        turn: 0 for an answer given alone, later ones after seeing the neighbours'.
        repeat: which asking of the same agent, from 0.
        profile_group: the group whose profile and adapter answered.
        answer: the reply as it was given.
        canonical: the reply read as an answer; None where it holds none.
        parse_status: how the reading went.
        correct: whether the answer is right; None for a preference query.
        reward_truth: in [0, 1]; None for a preference query.
        reward_preference: in [0, 1]; None for a truth query and for the control, which has no target.
        option_probabilities: S_g, aligned with the query's options; None where the model cannot give it.
        adapter_sha256: hash of the adapter that answered; None for the base weights.
        clarification: the reply to the question which option was meant; None where that was not asked.
        clarification_options: the options in the order in which that question lettered them.
        ended: whether a reply in words came to its end by itself. This and what follows is None but in rows of
            ``replies.parquet``.
        repeated: share of the reply's sequences of four tokens that stood in it before.
        nats: how unlikely the base model, told the same profile, finds a token of the reply, on average; None but for
            the first wording, asked for the first time.
        words: of the reply.
        grade: reading level of an English reply, as a US school grade; None for other languages.
        language: of the reply, where it can be told.
        asked_in: language of the question, where it can be told.
        options_shown: how the question showed its options: ``hidden`` where it was asked without them.
    """

    query_id: str
    cluster: str
    kind: Kind
    split: Split
    topic: str
    group: str
    role: Literal["member", "control"]
    exposure: Exposure
    wording: int = 0
    turn: int = 0
    repeat: int = 0
    profile_group: str
    answer: str
    canonical: str | None
    parse_status: str
    correct: bool | None = None
    reward_truth: float | None = None
    reward_preference: float | None = None
    option_probabilities: tuple[float, ...] | None = None
    adapter_sha256: str | None = None
    clarification: str | None = None
    clarification_options: tuple[str, ...] | None = None
    ended: bool | None = None
    repeated: float | None = None
    nats: float | None = None
    words: int | None = None
    grade: float | None = None
    language: str | None = None
    asked_in: str | None = None
    options_shown: str | None = None


_PROBABILITIES = pa.list_(pa.field("element", pa.float64(), nullable=False))
_TYPES = {
    "wording": pa.int32(),
    "turn": pa.int32(),
    "repeat": pa.int32(),
    "correct": pa.bool_(),
    "ended": pa.bool_(),
    "repeated": pa.float64(),
    "nats": pa.float64(),
    "words": pa.int32(),
    "grade": pa.float64(),
    "reward_truth": pa.float64(),
    "reward_preference": pa.float64(),
    "option_probabilities": _PROBABILITIES,
    "clarification_options": pa.list_(pa.field("element", pa.string(), nullable=False)),
}
# Columns that files written before there were any do not have; nothing stands in them.
_OF_REPLIES = ("ended", "repeated", "nats", "words", "grade", "language", "asked_in", "options_shown")
_LATER = ("clarification", "clarification_options", *_OF_REPLIES)
_NULLABLE = {
    "canonical",
    "correct",
    "reward_truth",
    "reward_preference",
    "option_probabilities",
    "adapter_sha256",
    *_LATER,
}
_NAMES = tuple(field.name for field in fields(AuditItem))
ITEMS_SCHEMA = pa.schema(
    [pa.field(name, _TYPES.get(name, pa.string()), nullable=name in _NULLABLE) for name in _NAMES],
    metadata={_VERSION_KEY: str(ITEMS_SCHEMA_VERSION).encode()},
)


def items_frame(items: Iterable[AuditItem]) -> pd.DataFrame:
    """The items as `read_items` would give them back, without a file.

    Returns:
        One row per item, one column per field of `AuditItem`. Absent values are missing in the sense of
        ``pandas.isna``; ``correct`` is a nullable boolean, ``option_probabilities`` an array or None.
    """
    return _to_frame(_to_table(items))


def write_items(path: Path, items: Iterable[AuditItem]) -> None:
    """Write an audit's items as Parquet, whole or not at all.

    Raises:
        UserError: there are no items, or a number of one is not finite.
        OSError: the file cannot be written.
    """
    table = _to_table(items)
    if table.num_rows == 0:
        raise UserError(
            f"There is nothing to write to {path}: the audit asked no question",
            "Choose a split and kinds of query that the question files contain",
        )
    with atomic_write(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read_items(path: Path) -> pd.DataFrame:
    """Read and verify an ``items.parquet``.

    Returns:
        One row per item, as `items_frame` describes.

    Raises:
        UserError: the file is missing, empty, damaged, of another version or no audit file at all.
    """
    if not path.is_file():
        raise _fault(path, "does not exist")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            _verify_schema(path, file.schema_arrow)
            table = _with_later_columns(file.read())
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _fault(path, "cannot be read: it is damaged, or no Parquet file") from error
    if table.num_rows == 0:
        raise _fault(path, "holds no rows")
    where = _not_finite(table)
    if where:
        raise _fault(path, f"holds {where}")
    return _to_frame(table)


def _verify_schema(path: Path, schema: pa.Schema) -> None:
    version = (schema.metadata or {}).get(_VERSION_KEY)
    if version is None:
        raise _fault(path, "was not written by a TriAlign audit: it carries no schema version")
    if version != ITEMS_SCHEMA.metadata[_VERSION_KEY]:
        found = version.decode(errors="replace")
        raise _fault(path, f"has schema version {found}, and this program reads {ITEMS_SCHEMA_VERSION}")
    wanted = [field for field in ITEMS_SCHEMA if field.name in schema.names or field.name not in _LATER]
    for field in wanted:
        if field.name not in schema.names:
            raise _fault(path, f"lacks the column {field.name!r}")
        if not schema.field(field.name).equals(field):
            found = schema.field(field.name).type
            raise _fault(path, f"has the column {field.name!r} as {found} instead of {field.type}")
    if len(schema) != len(wanted):
        raise _fault(path, f"has unknown columns: {sorted(set(schema.names) - set(_NAMES))}")


def _with_later_columns(table: pa.Table) -> pa.Table:
    for name in _LATER:
        if name not in table.column_names:
            field = ITEMS_SCHEMA.field(name)
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table


def _fault(path: Path, what: str) -> UserError:
    return UserError(f"The audit file {path} {what}", "Run the audit again, or choose another audit folder")


def _to_table(items: Iterable[AuditItem]) -> pa.Table:
    rows = list(items)
    columns = {name: [getattr(row, name) for row in rows] for name in _NAMES}
    table = pa.Table.from_pydict(columns, schema=ITEMS_SCHEMA)
    where = _not_finite(table)
    if where:
        raise UserError(f"The audit has {where}", "Check the weights of the model and of the adapter for such values")
    return table


def _not_finite(table: pa.Table) -> str:
    """Which number of which answer is none, in words; empty where all are finite: NaN would pass for an answer."""
    for name in ("option_probabilities", "reward_truth", "reward_preference", "repeated", "nats", "grade"):
        column = table[name].combine_chunks()
        values = column.flatten() if name == "option_probabilities" else column
        wrong = pc.fill_null(pc.invert(pc.is_finite(values)), False)
        if pc.any(wrong).as_py():
            place = pc.index(wrong, True).as_py()
            row = column.value_parent_indices()[place].as_py() if name == "option_probabilities" else place
            query, group = (table[key][row].as_py() for key in ("query_id", "profile_group"))
            what = name.replace("_", " ")
            return f"a number that is not finite among the {what} of group {group!r} for question {query!r}"
    return ""


def _to_frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
    return frame
