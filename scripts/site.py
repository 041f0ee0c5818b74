"""What MkDocs needs beside docs/: the files of the repository's root as pages, and links that hold on a site.

MkDocs loads it as a hook, by its path in mkdocs.yml.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
# Page of the site -> the file in the root that it is made of.
PAGES = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
}
_LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?(?=\))")


def on_files(files: Files, *, config: Any) -> Files:
    """Adds the pages that are made of files in the root."""
    for page, source in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Links to files outside the site become their paths, as code: they are in the repository, not here."""
    source = PAGES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    folder = PurePosixPath(source).parent

    def placed(match: re.Match[str]) -> str:
        target = normpath(str(folder / match[1]))
        page_of = {name: made for made, name in PAGES.items()}.get(target)
        inside = page_of or (target.removeprefix("docs/") if target.startswith("docs/") else None)
        if inside is None:
            if not (ROOT / target).exists():
                return match[0]  # broken: the build says so
            return f"{OUTSIDE}{target}"
        up = "../" * page.file.src_uri.count("/")
        return f"{up}{inside}{match[2] or ''}"

    return re.sub(rf"\[([^\]]*)\]\({OUTSIDE}([^)#]*)\)", _as_path, _LINK.sub(placed, markdown))


OUTSIDE = "outside:"


def _as_path(match: re.Match[str]) -> str:
    name, path = match[1], match[2]
    return name if path in name else f"{name} (`{path}`)"
