"""Files that are either whole or absent."""

from __future__ import annotations

import errno
import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LineFile:
    """A file that grows line by line; a line is on the disk when `append` returns.

    A line that is torn (the process or the machine went down) stays, and the next one begins on a line of its own. Not
    for several threads at once: who has them, holds a lock. Several processes may append to one file.

    Args:
        path: of the file; its folder is made when the first line is appended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._torn = False

    def lines(self) -> list[bytes]:
        """The lines that are there; the last one may be torn."""
        content = self.path.read_bytes() if self.path.is_file() else b""
        self._torn = bool(content) and not content.endswith(b"\n")
        return content.split(b"\n")

    def append(self, text: str) -> None:
        """Writes lines, each with its end.

        Raises:
            OSError: they cannot be written.
        """
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()
            sync(self.path.parent)
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            begun, self._torn = self._torn, True
            content = (b"\n" if begun else b"") + text.encode()
            # In one call, so that lines of two processes do not mix.
            if os.write(file, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            os.fsync(file)
            self._torn = False
        finally:
            os.close(file)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name; it takes its own name only when the block succeeds.

    The temporary file lies in the folder of ``path``, so that the renaming stays within one file system. It
    is synced before the renaming and the folder after it; if the block fails it is removed, and an older file
    at ``path`` stays as it was.

    Args:
        path: the final name; its folder must exist.

    Yields:
        The temporary name to write to.

    Raises:
        OSError: the file cannot be written, synced or renamed.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text_atomic(path: Path, text: str) -> None:
    """Write ``text`` in UTF-8 with `atomic_write`.

    Raises:
        OSError: the file cannot be written, synced or renamed.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def as_readable_as_its_folder(path: Path) -> None:
    """Lets whoever may read the folder of a file read the file: safetensors writes for its own user alone (mode 0600).

    Raises:
        OSError: the file is not there, or of another user.
    """
    path.chmod(path.parent.stat().st_mode & 0o666)


def sha256_of_file(path: Path) -> str:
    """The file's SHA-256 in 64 lower-case hexadecimal digits.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Make a file's content, or the renamings inside a folder, durable.

    Raises:
        OSError: it cannot be synced.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
