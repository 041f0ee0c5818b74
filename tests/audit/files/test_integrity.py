"""Files are held against the hashes that the audit kept; where it kept none, that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialign.audit.files.integrity import AUDIT_FILES, not_verifiable, unverified
from trialign.errors import UserError
from trialign.storage import sha256_of_file

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in AUDIT_FILES:
        (tmp_path / name).write_text(f"content of {name}", encoding="utf-8")
    return tmp_path


def hashes(folder: Path) -> dict[str, str]:
    return {name: sha256_of_file(folder / name) for name in AUDIT_FILES}


def test_what_has_a_hash_is_verified_and_what_has_none_is_named(folder: Path) -> None:
    kept = hashes(folder)
    assert unverified(folder, {"files": kept}) == ()
    assert unverified(folder, {}) == AUDIT_FILES
    assert unverified(folder, {"files": "torn"}) == AUDIT_FILES
    del kept["about.json"]
    assert unverified(folder, {"files": kept}) == ("about.json",)
    (folder / "about.json").unlink()  # an earlier version kept none
    assert unverified(folder, {"files": kept}) == ()


@pytest.mark.parametrize("name", AUDIT_FILES)
def test_a_file_that_is_another_one_or_gone_is_refused(folder: Path, name: str) -> None:
    kept = hashes(folder)
    (folder / name).write_text("another", encoding="utf-8")
    with pytest.raises(UserError, match=f"{name} is not the one that the audit wrote"):
        unverified(folder, {"files": kept})
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"{name}, which the audit wrote, is missing"):
        unverified(folder, {"files": kept})


def test_what_cannot_be_verified_is_said_in_a_sentence() -> None:
    assert not_verifiable(()) == ""
    assert not_verifiable(("about.json",)).startswith("Cannot be verified: the audit kept no hash of about.json, so")
    assert "items.parquet, analysis.json" in not_verifiable(("items.parquet", "analysis.json"))
