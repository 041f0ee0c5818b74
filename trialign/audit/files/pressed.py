"""What agents answer under pressure: ``pressure.parquet``, and the lines that are kept while an audit is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from trialign.audit.files.lines import KeptLines
from trialign.errors import UserError
from trialign.groups import Exposure
from trialign.queries.types import Split
from trialign.storage import atomic_write

PRESSED_SCHEMA_VERSION = 1
_VERSION_KEY = b"trialign.audit_pressure.schema_version"


@dataclass(frozen=True, kw_only=True)
class PressedItem:
    """One answer of one group's agent to one question, pushed or not.

    Attributes:
        query_id: the question; rows are joined by it, never by their order.
        cluster: the fact that the question's paraphrases share.
        split: that was audited.
        topic: what the question is about.
        group: whose agent answered.
        exposure: how the profile reached it.
        attack: the kind of pressure, by its name.
        arm: ``claim``, or ``twin``: as many words in the same place that claim nothing.
        target: the option that is claimed: a wrong one to an agent that was right alone, the right one to one that was
            wrong. In both arms, also where the words do not name it.
        before: what the agent answered alone, in turn 0.
        right_before: whether that was right.
        said: the words that pushed, one line for each who spoke.
        answer: the reply as it was given then.
        canonical: the reply read as an answer; None where it holds none.
        parse_status: how the reading went.
        correct: whether it is right.
        option_probabilities: S_g, aligned with the question's options; None where the model cannot give it.
        adapter_sha256: hash of the adapter that answered; None for the base weights.
    """

    query_id: str
    cluster: str
    split: Split
    topic: str
    group: str
    exposure: Exposure
    attack: str
    arm: Literal["claim", "twin"]
    target: str
    before: str
    right_before: bool
    said: str
    answer: str
    canonical: str | None
    parse_status: str
    correct: bool
    option_probabilities: tuple[float, ...] | None = None
    adapter_sha256: str | None = None


_TYPES = {
    "right_before": pa.bool_(),
    "correct": pa.bool_(),
    "option_probabilities": pa.list_(pa.field("element", pa.float64(), nullable=False)),
}
_NULLABLE = {"canonical", "option_probabilities", "adapter_sha256"}
_COLUMNS = tuple(field.name for field in fields(PressedItem))
PRESSED_SCHEMA = pa.schema(
    [pa.field(name, _TYPES.get(name, pa.string()), nullable=name in _NULLABLE) for name in _COLUMNS],
    metadata={_VERSION_KEY: str(PRESSED_SCHEMA_VERSION).encode()},
)


def pressed_frame(items: Iterable[PressedItem]) -> pd.DataFrame:
    """The items as `read_pressed` would give them back, without a file."""
    frame: pd.DataFrame = _table(items).to_pandas()
    return frame


def write_pressed(path: Path, items: Iterable[PressedItem]) -> None:
    """Writes the answers under pressure as Parquet, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    with atomic_write(path) as temporary:
        pq.write_table(_table(items), temporary, compression="zstd", write_page_checksum=True)


def read_pressed(path: Path) -> pd.DataFrame:
    """Reads and verifies a ``pressure.parquet``.

    Returns:
        One row per answer, one column per field of `PressedItem`.

    Raises:
        UserError: the file is missing, damaged, of another version or none of an audit.
    """
    if not path.is_file():
        raise _fault(path, "does not exist")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            schema, table = file.schema_arrow, file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _fault(path, "cannot be read: it is damaged, or no Parquet file") from error
    version = (schema.metadata or {}).get(_VERSION_KEY)
    if version != PRESSED_SCHEMA.metadata[_VERSION_KEY]:
        raise _fault(path, "was not written by this version of a TriAlign audit")
    if not schema.remove_metadata().equals(PRESSED_SCHEMA.remove_metadata()):
        raise _fault(path, "has other columns than it was written with")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _table(items: Iterable[PressedItem]) -> pa.Table:
    rows = list(items)
    return pa.Table.from_pydict(
        {name: [getattr(row, name) for row in rows] for name in _COLUMNS}, schema=PRESSED_SCHEMA
    )


def _fault(path: Path, what: str) -> UserError:
    return UserError(f"The audit file {path} {what}", "Run the audit again, or choose another audit folder")


class KeptPressed:
    """The answers to some questions under pressure, kept beside an audit while it is made, a line for each question.

    Args:
        folder: of the audit; it is made when the first line is kept.
        weights: what tells the model beneath the agents from others; lines of others are left aside.
        rank: of this process; every rank reads the lines of all.
    """

    def __init__(self, folder: Path, weights: str, rank: int = 0) -> None:
        self._lines = KeptLines(folder, "pressure", weights, rank)
        self._kept: dict[str, list[PressedItem]] = {}
        for stored in self._lines.stored():
            with suppress(ValueError, KeyError, TypeError):
                self._kept.setdefault(str(stored["key"]), [_item(row) for row in stored["items"]])

    def get(self, key: str) -> list[PressedItem] | None:
        """The answers that are kept under a key; None where none are."""
        return self._kept.get(key)

    def keep(self, items: Mapping[str, Sequence[PressedItem]]) -> None:
        """Writes answers down, by their keys.

        Raises:
            OSError: they cannot be written.
        """
        rows = [{"key": key, "items": [asdict(item) for item in of_key]} for key, of_key in items.items()]
        self._lines.append(rows)


def _item(row: Mapping[str, object]) -> PressedItem:
    shares = row["option_probabilities"]
    values = {**row, "option_probabilities": tuple(shares) if isinstance(shares, list) else None}
    return PressedItem(**values)  # type: ignore[arg-type]
