"""Writing a report: HTML, JSON with its schema, a CSV per table, and a model card."""

from __future__ import annotations

from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from trialign.audit.report.card import model_card
from trialign.audit.report.html import report_html
from trialign.audit.report.tables import report_tables
from trialign.audit.report.types import Report
from trialign.safe_output import csv_text, json_text
from trialign.storage import write_text_atomic

SCHEMA = "report.schema.json"


def write_report(report: Report, folder: Path) -> list[Path]:
    """Writes every form of the report; the same report always gives the same bytes.

    Args:
        report: as `build_report` makes it.
        folder: made if it is not there; files of the same names are replaced.

    Returns:
        The files.

    Raises:
        OSError: a file cannot be written.
    """
    texts = {
        "report.html": report_html(report),
        "README.md": model_card(report),
        "report.json": report_json(report),
        SCHEMA: files("trialign.audit.report").joinpath(SCHEMA).read_text(encoding="utf-8"),
    }
    for table in report_tables(report).values():
        texts[f"tables/{table.name}.csv"] = csv_text([column.key for column in table.columns], table.rows)
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_text_atomic(folder / name, text)
    return [folder / name for name in texts]


def report_json(report: Report) -> str:
    """The report as JSON, which ``report.schema.json`` describes."""
    return json_text(asdict(report), indent=1) + "\n"


def report_schema() -> dict[str, Any]:
    """The JSON schema of ``report.json``: every key is required, and no other allowed."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(Report).json_schema(mode="serialization")
    for part in (schema, *schema["$defs"].values()):
        if "properties" in part:
            part["required"], part["additionalProperties"] = sorted(part["properties"]), False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
