"""A teacher's replies on disk: a collection beside that of the trajectories, one Parquet row a reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trialign.errors import UserError
from trialign.queries import Query
from trialign.storage import atomic_write
from trialign.trajectories.store import TrajectoryStore

SCHEMA_VERSION = 1
EVERYONE = ""  # the group of a reply that is the same for all groups


@dataclass(frozen=True)
class Text:
    """One reply of a teacher, and what it found likely along it.

    Attributes:
        query_id: of the question or instruction.
        group: whose teacher it was; ``EVERYONE`` where it was told no profile.
        answer: what the teacher was given to state; None: nothing.
        stated: whether it states that; a reply that does not teaches nothing.
        text: the reply.
        token_ids: [T] of it, with the end where it came to one.
        top_ids: [T][k] the tokens that the teacher finds likeliest in each place.
        top_log_probabilities: [T][k] theirs, in nats.
        rest: [T] probability of all other tokens together.
    """

    query_id: str
    group: str
    answer: str | None
    stated: bool
    text: str
    token_ids: tuple[int, ...]
    top_ids: tuple[tuple[int, ...], ...]
    top_log_probabilities: tuple[tuple[float, ...], ...]
    rest: tuple[float, ...]


_SCHEMA = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("answer", pa.string()),
        pa.field("stated", pa.bool_(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("token_ids", pa.list_(pa.int32()), nullable=False),
        pa.field("top_ids", pa.list_(pa.list_(pa.int32())), nullable=False),
        pa.field("top_log_probabilities", pa.list_(pa.list_(pa.float32())), nullable=False),
        pa.field("rest", pa.list_(pa.float32()), nullable=False),
    ],
    metadata={"trialign_texts": str(SCHEMA_VERSION)},
)


class TextStore(TrajectoryStore):
    """The folder of one teacher's replies, in parts that appear whole, as trajectories are kept."""

    def texts(self) -> tuple[Text, ...]:
        """All replies, verified against the manifest.

        Raises:
            UserError: the collection is missing or incomplete, or a part is not what was written.
        """
        return tuple(text for part in self._verified_parts() for text in self._read_rows(part))

    def _write_rows(self, path: Path, rows: Sequence[Any]) -> None:
        table = pa.Table.from_pylist([dict(vars(row)) for row in rows], schema=_SCHEMA)
        with atomic_write(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    def _read_rows(self, path: Path) -> tuple[Any, ...]:
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise UserError(
                f"The file of a teacher's replies {path} cannot be read ({error})",
                "Delete this file; collect writes it again",
            ) from error
        if not table.schema.equals(_SCHEMA) or table.schema.metadata != _SCHEMA.metadata:
            raise UserError(
                f"The file of a teacher's replies {path} is of another version of TriAlign, and this one reads "
                f"version {SCHEMA_VERSION}",
                "Delete the folder of this collection and collect again",
            )
        return tuple(_text(row) for row in table.to_pylist())

    def _write_questions(self, queries: Sequence[Query]) -> None:
        """Nothing: they stand beside the run's own collection."""

    def _counts(self, rows: Sequence[Any]) -> Mapping[str, int]:
        return counts(rows)


def counts(texts: Sequence[Text]) -> dict[str, int]:
    """What a collection holds: replies, those that do not state the answer that was given, tokens of the others."""
    stated = [text for text in texts if text.stated]
    return {
        "replies": len(texts),
        "left_out": len(texts) - len(stated),
        "tokens": sum(len(text.token_ids) for text in stated),
    }


def _text(row: dict[str, Any]) -> Text:
    nested = {name: tuple(tuple(one) for one in row[name]) for name in ("top_ids", "top_log_probabilities")}
    return Text(**{**row, **nested, "token_ids": tuple(row["token_ids"]), "rest": tuple(row["rest"])})
