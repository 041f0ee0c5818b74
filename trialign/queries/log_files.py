"""The samples in log files of other evaluation tools, each with its place; which tool wrote a file is seen in it."""

from __future__ import annotations

import glob
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from trialign.errors import UserError
from trialign.queries.formats import Row, file_rows
from trialign.queries.json_files import parsed

Tool = Literal["inspect", "lm_eval", "promptfoo"]
_KINDS = (
    "a log of Inspect (.eval, .json), a sample log of lm-evaluation-harness (.jsonl) or promptfoo's results (.json)"
)
_ZSTANDARD = 93  # APPNOTE of ZIP, 4.4.5; Python's own zipfile reads it from 3.14 on
_HEADER = struct.Struct("<4s22xHH")  # of a file in an archive: signature, and the lengths of its name and extra field


def log_files(path: str) -> list[Path]:
    """The files of a path or pattern, by name.

    Raises:
        UserError: no file matches the pattern.
    """
    if Path(path).exists() or not glob.has_magic(path):
        return [Path(path)]
    files = [Path(name) for name in sorted(glob.glob(path))]
    if not files:
        raise UserError(f"No log matches {path}", "Check the folder and the pattern in model.logs.files")
    return files


def log_rows(path: Path) -> Iterator[tuple[Tool, Row]]:
    """The samples of one log.

    Raises:
        UserError: the file is not there, is damaged, or is no such log; names it.
    """
    if not path.is_file():
        raise UserError(f"The log {path} does not exist", "Check model.logs.files")
    suffix = path.suffix.lower()
    if suffix == ".eval":
        yield from (("inspect", row) for row in _archived(path))
        return
    if suffix == ".jsonl":
        for row in file_rows(path, (".jsonl",)):
            if isinstance(row.values, UserError):
                raise row.values
            if not isinstance(row.values, dict) or not {"doc", "resps"} <= row.values.keys():
                raise UserError(f"{row.place}: is no sample that lm-evaluation-harness logged", f"Name {_KINDS}")
            yield "lm_eval", row
        return
    if suffix != ".json":
        raise UserError(f"{path} is no log that is read here", f"Name {_KINDS}")
    yield from _document(path)


def _document(path: Path) -> Iterator[tuple[Tool, Row]]:
    try:
        whole = parsed(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"The log {path} is no valid JSON ({error})", "Write or copy the file again") from error
    whole = whole if isinstance(whole, dict) else {}
    results = whole.get("results")
    tool: Tool = "inspect" if "eval" in whole else "promptfoo"
    samples = (
        whole.get("samples") if tool == "inspect" else results.get("results") if isinstance(results, dict) else results
    )
    if samples is None and tool == "promptfoo":
        raise UserError(f"{path} is no log that is read here", f"Name {_KINDS}")
    if not isinstance(samples, list) or not samples or not all(isinstance(one, dict) for one in samples):
        raise UserError(f"The log {path} holds no samples", "Log them with the evaluation, and name that file")
    for number, sample in enumerate(samples, start=1):
        yield tool, Row(f"{path}, sample {number}", path.stem, number, sample)


def _archived(path: Path) -> Iterator[Row]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(
                name for name in archive.namelist() if name.startswith("samples/") and name.endswith(".json")
            )
            samples = [(name, parsed(_content(path, archive.getinfo(name)).decode())) for name in names]
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile, struct.error) as error:
        raise UserError(f"The log {path} cannot be read ({error})", "Write or copy the file again") from error
    if not samples:
        raise UserError(f"The log {path} holds no samples", "Log them with the evaluation, and name that file")
    for number, (name, sample) in enumerate(samples, start=1):
        yield Row(f"{path}, {name}", path.stem, number, sample)


def _content(path: Path, info: zipfile.ZipInfo) -> Any:
    """The bytes of a file in an archive, whichever of the usual ways it is packed in.

    Raises:
        OSError: they are damaged.
    """
    if info.compress_type != _ZSTANDARD:
        with zipfile.ZipFile(path) as archive:
            return archive.read(info)
    with path.open("rb") as file:
        file.seek(info.header_offset)
        _, name, extra = _HEADER.unpack(file.read(_HEADER.size))
        file.seek(name + extra, 1)
        packed = file.read(info.compress_size)
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        return stream.read()
