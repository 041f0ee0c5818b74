"""What a table of a report is: named columns of one kind each, and rows of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trialign.audit.figures.estimates import Estimate
from trialign.safe_output import Cell

# share: of 1, shown in per cent; points: a difference of shares, signed; distance: one without a sign; code: a hash
# or an identifier.
Kind = Literal["text", "code", "share", "points", "distance", "number", "p_value", "count", "seconds"]


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        key: its name in CSV.
        label: its heading; empty where the table names its rows.
        kind: of its values.
    """

    key: str
    label: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: of its CSV file.
        title: what it shows.
        columns: at least one.
        rows: cells as ``columns``; None where a value is undefined.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def without_empty_columns(self) -> Table:
        """The columns in which there is something, for a page."""
        return self._with([n for n in range(len(self.columns)) if any(row[n] not in (None, "") for row in self.rows)])

    def without_zeros(self) -> Table:
        """The columns in which something is not zero, for a page."""
        return self._with([n for n in range(len(self.columns)) if any(row[n] != 0 for row in self.rows)])

    def without(self, key: str) -> Table:
        """All columns but one."""
        return self._with([n for n, column in enumerate(self.columns) if column.key != key])

    def _with(self, kept: Sequence[int]) -> Table:
        rows = (tuple(row[n] for n in kept) for row in self.rows)
        return Table(self.name, self.title, tuple(self.columns[n] for n in kept), tuple(rows))


def interval(kind: Kind, key: str = "") -> tuple[Column, Column]:
    """The two ends; ``key`` tells them from those of another value in the same table."""
    return Column(f"{key}low", "from", kind), Column(f"{key}high", "to", kind)


def cells(entry: Estimate | None) -> Sequence[Cell]:
    """A value and its two ends, None where there is none."""
    return (entry.value, entry.low, entry.high) if entry else (None, None, None)


P = Column("p_value", "p", "p_value")
P_HOLM = Column("p_holm", "p, Holm", "p_value")
