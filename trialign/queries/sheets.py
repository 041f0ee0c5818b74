"""Workbooks of spreadsheet programs: the records of one sheet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from trialign.errors import UserError
from trialign.queries.tables import Record

SHEET_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
# A stray cell far below the rest would fill the memory with empty ones.
_MOST_CELLS = 50_000_000


def sheet_records(path: Path, name: str | None) -> tuple[Iterator[Record], str | None]:
    """The records of a sheet, and its name where there are several and none was named.

    Args:
        path: a workbook of Excel or LibreOffice.
        name: of the sheet; None: the first one that is not hidden.

    Raises:
        UserError: the workbook cannot be read, or has no such sheet.
    """
    # Imported here: few sources need it.
    import python_calamine as calamine

    try:
        workbook = calamine.load_workbook(path)
        visible = [one.name for one in workbook.sheets_metadata if one.visible is calamine.SheetVisibleEnum.Visible]
        names = visible or workbook.sheet_names
        if name is not None and name not in workbook.sheet_names:
            raise UserError(
                f"{path} has no sheet '{name}'", f"Name one of these under 'rows': {', '.join(workbook.sheet_names)}"
            )
        sheet = workbook.get_sheet_by_name(name or names[0])
        if sheet.total_height * sheet.total_width > _MOST_CELLS:
            raise UserError(
                f"{path} has {sheet.total_height} rows and {sheet.total_width} columns", "Delete what is empty of them"
            )
        cells = sheet.to_python(skip_empty_area=False)
    except (UserError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # what the reader's own code panics with is no Exception
        raise UserError(f"{path} cannot be read ({error})", "Save the sheet as CSV (UTF-8)") from error
    only = name is not None or len(names) == 1
    return (
        (number, [_cell(cell) for cell in record]) for number, record in enumerate(cells, 1)
    ), None if only else names[0]


def _cell(cell: Any) -> Any:
    """A cell as text or number; a date as a text that says so, as no sheet tells what was typed."""
    if isinstance(cell, datetime) and not (cell.hour or cell.minute or cell.second):
        cell = cell.date()
    if isinstance(cell, date | time | timedelta):
        return cell
    return None if cell == "" else cell
