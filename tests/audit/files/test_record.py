"""The record of what an audit is of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from trialign.audit.files.record import AuditAbout, BaseModel, read_about, write_about
from trialign.errors import UserError
from trialign.groups import SocialGroup

pytestmark = pytest.mark.unit

RECORD = AuditAbout(
    schema_version=1,
    finished="2026-01-02T03:04:05+00:00",
    trialign="0.1",
    run="house",
    base_model=BaseModel("house/tiny", "main", "ab" * 32),
    adapters={"north": "c" * 64},
    objective="trialign",
    seed=7,
    attribute="where people live",
    groups=(SocialGroup("north", "North", explicit=("The user lives in the north.",)),),
    prompt={"system": "Be kind.", "chat": None},
)


def test_records_of_the_first_version_are_on_peoples_disks_and_are_read(tmp_path: Path) -> None:
    write_about(tmp_path, RECORD)
    assert json.loads((tmp_path / "about.json").read_text())["schema_version"] == 1
    assert read_about(tmp_path) == RECORD
    assert read_about(tmp_path / "nothing") is None


def test_bits_are_part_of_what_a_model_is_called(tmp_path: Path) -> None:
    few = replace(RECORD, base_model=replace(RECORD.base_model, quantization="nf4"))
    write_about(tmp_path, few)
    assert read_about(tmp_path) == few
    assert [one.base_model.called for one in (RECORD, few)] == ["house/tiny", "house/tiny (nf4)"]
    stated = json.loads((tmp_path / "about.json").read_text())
    del stated["base_model"]["quantization"]  # of an earlier version
    (tmp_path / "about.json").write_text(json.dumps(stated))
    assert read_about(tmp_path) == RECORD


def test_a_record_of_another_version_is_refused(tmp_path: Path) -> None:
    write_about(tmp_path, replace(RECORD, schema_version=2))
    with pytest.raises(UserError, match="has schema version 2, and this program reads 1"):
        read_about(tmp_path)
