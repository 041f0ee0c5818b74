"""What an audit did not examine is said in its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from trialign.audit.report import build_report

pytestmark = pytest.mark.unit


def test_what_was_not_examined_is_said(write_audit: Callable[..., Path]) -> None:
    said = "\n".join(build_report(write_audit()).limitations)
    assert "Every agent answered alone. What a conversation does to the answers was not audited." in said
    assert "The report as a whole is not" in said
