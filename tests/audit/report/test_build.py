"""A report's answers in words against those of an earlier audit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trialign.audit.figures.analysis import read_analysis
from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.comparison import paired
from trialign.audit.files.items import read_items
from trialign.audit.report.build import _words_changes
from trialign.runs import AuditFolder, audit_of

pytestmark = pytest.mark.unit


def in_words(folder: Path) -> AuditFolder:
    """An audit whose scored answers stand there as replies in words, too."""
    shutil.copy(folder / "items.parquet", folder / "replies.parquet")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    (folder / "summary.json").write_text(json.dumps({**summary, "replies": {"told": True}}), encoding="utf-8")
    found = audit_of(folder)
    assert found is not None
    return found


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_words_are_paired_at_the_confidence_of_the_audit(write_audit: Callable[..., Path], alpha: float) -> None:
    answers = ("rrr", "rwr", "wwr", "rrw", "rrr", "wrr")
    before = in_words(write_audit("before", answers=("rwr", "wwr", "wwr", "rrw", "rwr", "wrw")))
    now = in_words(write_audit("now", answers=answers))
    analysis = replace(read_analysis(now.path / "analysis.json"), bounds=Bounds(alpha=alpha))
    found, _ = _words_changes(now, before, analysis)
    frames = [read_items(one.path / "replies.parquet") for one in (before, now)]
    expected = paired(*frames, analysis.groups, analysis.exposure, confidence=1 - alpha)
    assert [(one.measure, one.change, one.low, one.high) for one in found] == [
        (one.measure, one.change, one.low, one.high) for one in expected
    ]
    assert any(one.low != one.high for one in found)
    assert _words_changes(now, None, analysis) == ((), ())
