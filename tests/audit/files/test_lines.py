"""Lines beside an audit in the making: of every rank and of these weights alone, and gone when it is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trialign.audit.files.lines import KeptLines, forget_kept

pytestmark = pytest.mark.unit


def test_every_rank_reads_all_lines_of_its_weights_and_passes_torn_ones_over(tmp_path: Path) -> None:
    first, second, other = (KeptLines(tmp_path, "replies", name, rank) for name, rank in (("w", 0), ("w", 1), ("v", 1)))
    first.append([{"key": "a"}])
    second.append([{"key": "b"}])
    other.append([{"key": "c"}])
    with (tmp_path / ".replies-1.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"weights": "w", "ke')
    found = KeptLines(tmp_path, "replies", "w", 0).stored()
    assert sorted(line["key"] for line in found) == ["a", "b"]
    assert [line["key"] for line in KeptLines(tmp_path, "pressure", "w", 0).stored()] == []


def test_what_is_whole_keeps_no_lines_and_other_files_stay(tmp_path: Path) -> None:
    names = (".replies-0.jsonl", ".pressure-3.jsonl", ".others-0.jsonl", "replies.parquet")
    for name in names:
        (tmp_path / name).write_text("{}\n")
    forget_kept(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".others-0.jsonl", "replies.parquet"]


def test_an_audit_on_disk_is_read_without_the_models_libraries() -> None:
    """The dashboard draws before torch is there."""
    program = "import sys, trialign.audit.report, trialign.audit.files.pressed; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr
