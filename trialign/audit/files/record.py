"""What an audit asked, and of whom: ``questions.jsonl`` and ``about.json``, beside its items."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trialign.errors import UserError
from trialign.groups import SocialGroup
from trialign.queries.readers import read_queries
from trialign.queries.types import Query
from trialign.runs import ABOUT, QUESTIONS
from trialign.storage import write_text_atomic

ABOUT_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class BaseModel:
    """The model beneath all agents.

    Attributes:
        name: of the hub, of the folder or of the service that answers.
        revision: where there are several.
        sha256: of its weights; None where they are not here.
        address: of the service that answers; None where the weights are here.
        quantization: in which bits its linear layers were kept (``nf4``, ``int8``); None where they were as in the
            files, or are not here.
    """

    name: str
    revision: str | None
    sha256: str | None
    address: str | None = None
    quantization: str | None = None

    @property
    def called(self) -> str:
        """The name, and the bits where it was asked in others than the files have: such a model answers otherwise."""
        return f"{self.name} ({self.quantization})" if self.quantization else self.name


@dataclass(frozen=True)
class AuditAbout:
    """The system under audit.

    Attributes:
        schema_version: of ``about.json``.
        finished: when the last answer was given, ISO 8601, UTC.
        trialign: version of the program.
        run: name of the run.
        base_model: beneath all agents.
        adapters: how they were made (``mode``, ``rank``, ``alpha``); None for the base model without any.
        objective: what they were trained with; None for the base model.
        seed: of the run.
        attribute: what tells the groups apart, in words.
        groups: members, then the control, with their profiles.
        prompt: how a question is put; under ``chat`` how the chat template was served, None behind an address.
    """

    schema_version: int
    finished: str
    trialign: str
    run: str
    base_model: BaseModel
    adapters: dict[str, str | int] | None
    objective: str | None
    seed: int
    attribute: str
    groups: tuple[SocialGroup, ...]
    prompt: dict[str, Any]


def write_about(folder: Path, about: AuditAbout) -> None:
    """Writes ``about.json``, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    write_text_atomic(folder / ABOUT, json.dumps(asdict(about), indent=1, ensure_ascii=False) + "\n")


def read_about(folder: Path) -> AuditAbout | None:
    """The system under audit; None where the audit holds no record of it.

    Raises:
        UserError: the file is not as it was written.
    """
    from pydantic import TypeAdapter, ValidationError

    path = folder / ABOUT
    if not path.is_file():
        return None
    try:
        about = TypeAdapter(AuditAbout).validate_json(path.read_bytes())
    except ValidationError as error:
        raise UserError(
            f"The record {path} is not as it was written: {error.errors()[0]['msg']}", "Run the audit again"
        ) from error
    if about.schema_version != ABOUT_SCHEMA_VERSION:
        raise UserError(
            f"The record {path} has schema version {about.schema_version}, and this program reads "
            f"{ABOUT_SCHEMA_VERSION}",
            "Run the audit again",
        )
    return about


def read_asked(folder: Path) -> dict[str, Query]:
    """Query id -> query of every question asked; empty where the audit holds no record of them.

    Raises:
        UserError: the file is not as it was written.
    """
    path = folder / QUESTIONS
    return {query.query_id: query for query in read_queries(path)} if path.is_file() else {}
