"""Which audit of a run is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialign.audit.files.folders import audit_folder, find_audit
from trialign.errors import UserError

pytestmark = pytest.mark.unit


def make(run: Path, name: str, *, whole: bool = True) -> Path:
    folder = run / "audits" / name
    folder.mkdir(parents=True)
    if whole:
        (folder / "summary.json").write_text("{}")
    return folder


def test_the_last_audit_on_held_out_questions_is_meant(tmp_path: Path) -> None:
    for name in ("step=000000.a.b.test", "step=000120.a.b.test", "step=000200.a.b.validation"):
        make(tmp_path, name)
    make(tmp_path, "step=000300.a.b.test", whole=False)
    found = find_audit(tmp_path)
    assert (found.step, found.data, found.split, found.run) == (120, "a.b", "test", tmp_path)
    assert find_audit(tmp_path, step=200).split == "validation"
    base = found.at_step(0)
    assert base is not None
    assert base.path.name == "step=000000.a.b.test"
    assert found.at_step(7) is None


def test_an_audit_names_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path, "step=000004.x.test")
    assert find_audit(folder) == find_audit(folder, step=4) == audit_folder(folder)
    with pytest.raises(UserError, match="step 4, and step 0 is asked for"):
        find_audit(folder, step=0)
    monkeypatch.chdir(folder)
    assert audit_folder(Path()).run == tmp_path.resolve()


def test_what_is_not_there_or_not_clear_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no finished audit.*Audit first: trialign test --run"):
        find_audit(tmp_path)
    make(tmp_path, "step=000004.one.test")
    with pytest.raises(UserError, match=r"at step 9; there are step=000004.one.test.*--step 9"):
        find_audit(tmp_path, step=9)
    make(tmp_path, "step=000004.two.test")
    with pytest.raises(UserError, match=r"several question sets.*Name one of these folders"):
        find_audit(tmp_path)
    like = audit_folder(tmp_path / "audits" / "step=000004.two.test")
    assert find_audit(tmp_path, like=like) == like
