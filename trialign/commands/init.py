"""``trialign init``: the three files that a run on groups and questions of one's own begins from."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from trialign.errors import UserError
from trialign.storage import write_text_atomic

EXAMPLE = files("trialign") / "data" / "example"


def init(folder: Path) -> None:
    """Writes the example's files into a folder, and prints what to do with them.

    Args:
        folder: a new one, or an empty one.

    Raises:
        UserError: it holds something already, is a file, or cannot be written.
    """
    names: list[str] = []
    try:
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file", "Name a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UserError(f"The folder {folder} is not empty", "Name a new one, or an empty one")
        for name, text in example_files():
            (folder / name).parent.mkdir(exist_ok=True)
            write_text_atomic(folder / name, text)
            names.append(str(name))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(f"The folder {folder} cannot be written: {error.strerror}", "Name another one") from error
    print(f"Written to {folder}: {', '.join(names)}")
    print("Look at the questions, then train:")
    if folder.resolve() != Path.cwd():
        print(f"  cd {shlex.quote(str(folder))}")
    print("  trialign data --config mine.yaml\n  trialign fit --config mine.yaml")


def example_files(folder: Traversable = EXAMPLE, place: str = "") -> Iterator[tuple[Path, str]]:
    """The files of the example, in the order of their names.

    Args:
        folder: of the installed package.
        place: what stands before the names, with a slash at its end.

    Yields:
        The path inside the folder that is written, and the text.
    """
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.is_dir():
            yield from example_files(file, f"{place}{file.name}/")
        else:
            yield Path(place + file.name), file.read_text(encoding="utf-8")
