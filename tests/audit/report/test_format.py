"""Numbers and times as people read them."""

from __future__ import annotations

import pytest

from trialign.audit.report.format import moment

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("iso", "said"),
    [
        ("2026-11-26T18:45:41+00:00", "26 November 2026, 18:45 UTC"),
        ("2026-05-04T03:02:01Z", "4 May 2026, 03:02 UTC"),
        ("2026-01-01T00:30:00+01:00", "31 December 2025, 23:30 UTC"),
        ("2026-03-02T10:00:00", "2 March 2026, 10:00 UTC"),
        ("some day", "some day"),
        ("", ""),
    ],
)
def test_a_time_is_written_for_people(iso: str, said: str) -> None:
    assert moment(iso) == said
