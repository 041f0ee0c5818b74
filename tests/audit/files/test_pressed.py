"""The answers under pressure on disk."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from trialign.audit.files.items import AuditItem, write_items
from trialign.audit.files.lines import forget_kept
from trialign.audit.files.pressed import (
    KeptPressed,
    PressedItem,
    pressed_frame,
    read_pressed,
    write_pressed,
)
from trialign.errors import UserError

pytestmark = pytest.mark.unit


def item(**values: object) -> PressedItem:
    usual: dict[str, object] = {
        "query_id": "q",
        "cluster": "c",
        "split": "test",
        "topic": "",
        "group": "north",
        "exposure": "explicit",
        "attack": "premise",
        "arm": "claim",
        "target": "Lyon",
        "before": "Paris",
        "right_before": True,
        "said": "Knowing that it is Lyon, tell me:",
        "answer": "Lyon",
        "canonical": "Lyon",
        "parse_status": "scored",
        "correct": False,
        "option_probabilities": (0.75, 0.25),
    }
    return PressedItem(**{**usual, **values})  # type: ignore[arg-type]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    items = [item(), item(arm="twin", canonical=None, option_probabilities=None, correct=True)]
    write_pressed(tmp_path / "pressure.parquet", items)
    read = read_pressed(tmp_path / "pressure.parquet")
    pd.testing.assert_frame_equal(read, pressed_frame(items))
    assert read["option_probabilities"][0].tolist() == [0.75, 0.25]
    assert read["option_probabilities"][1] is None


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_pressed(tmp_path / "pressure.parquet")
    (tmp_path / "torn").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match="damaged, or no Parquet"):
        read_pressed(tmp_path / "torn")
    usual = AuditItem(
        query_id="q",
        cluster="c",
        kind="truth",
        split="test",
        topic="",
        group="north",
        role="member",
        exposure="explicit",
        profile_group="north",
        answer="Paris",
        canonical="Paris",
        parse_status="scored",
    )
    write_items(tmp_path / "items.parquet", [usual])
    with pytest.raises(UserError, match="was not written by this version"):
        read_pressed(tmp_path / "items.parquet")


def test_lines_are_kept_until_the_audit_is_whole(tmp_path: Path) -> None:
    kept = KeptPressed(tmp_path, "weights", rank=1)
    kept.keep({"key": [item(), item(option_probabilities=None)]})
    other = KeptPressed(tmp_path, "weights", rank=0)  # every rank reads the lines of all
    assert other.get("key") == [item(), item(option_probabilities=None)]
    assert KeptPressed(tmp_path, "others").get("key") is None
    forget_kept(tmp_path)
    assert KeptPressed(tmp_path, "weights").get("key") is None
