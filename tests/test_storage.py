from __future__ import annotations

import os
from pathlib import Path

import pytest

from trialign.storage import atomic_write, sha256_of_file, write_text_atomic

pytestmark = pytest.mark.unit


def test_a_written_file_has_its_text_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_text_atomic(tmp_path / "note.txt", "first\n")
    write_text_atomic(tmp_path / "note.txt", "größer\n")
    assert (tmp_path / "note.txt").read_bytes() == "größer\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_a_failed_write_keeps_the_old_file_and_removes_its_own(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("old")

    def interrupted() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_has_its_name_only_after_the_block(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "note.txt") as temporary:
        temporary.write_text("text")
        assert [path for path in tmp_path.iterdir() if path != temporary] == []
    assert (tmp_path / "note.txt").exists()


def test_the_file_is_durable_before_it_has_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "note.txt"
    path.write_text("old")
    synced: list[tuple[str, str, str]] = []

    def fsync(descriptor: int) -> None:
        target = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced.append((target.name, "" if target.is_dir() else target.read_text(), path.read_text()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_text_atomic(path, "new")
    (temporary, content, before), folder = synced
    assert temporary.startswith(".note.txt.")
    assert (content, before) == ("new", "old")
    assert folder == (tmp_path.name, "", "new")


def test_a_missing_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_text_atomic(tmp_path / "absent" / "note.txt", "text")


def test_sha256_is_the_published_one(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    # The one-block example of FIPS 180-2, appendix B.1.
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of_file(tmp_path / "abc") == expected
