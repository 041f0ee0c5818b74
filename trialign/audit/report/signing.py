"""What a signature was put to, and whether it still is about that."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from trialign.audit.files.findings import Binding, SavedSignOff
from trialign.audit.report.format import moment
from trialign.audit.report.types import Finding, Report, Standing
from trialign.audit.report.write import report_json
from trialign.safe_output import json_text
from trialign.storage import sha256_of_file


def binding_of(report: Report) -> Binding:
    """The bytes that somebody who signs this report puts a name to.

    Args:
        report: as it is read; a signature that it holds already is left out.
    """
    return Binding(
        report_sha256=report_sha256(report),
        findings_sha256=findings_sha256(report.findings),
        generator=report.generator,
        files={file.path: file.sha256 for file in report.files},
    )


def report_sha256(report: Report) -> str:
    """SHA-256 of ``report.json`` without a signature: 64 hexadecimal digits."""
    return hashlib.sha256(report_json(replace(report, sign_off=None)).encode("utf-8")).hexdigest()


def findings_sha256(findings: Sequence[Finding]) -> str:
    """SHA-256 of the findings of a report: 64 hexadecimal digits."""
    return hashlib.sha256(json_text([asdict(one) for one in findings]).encode("utf-8")).hexdigest()


def standing_of(
    signed: SavedSignOff, noted: Sequence[Finding], files: Callable[[str], str | None]
) -> tuple[Standing, str]:
    """Whether a signature still is about what it was put to, in a word and in a sentence.

    Args:
        signed: one signature.
        noted: the findings that a report of the same audit holds now.
        files: gives the SHA-256 that a file has now, by its path below the folder of runs; None where it is gone.
    """
    binding = signed.binding
    if binding is None:
        return "unbound", "It was given before hashes were kept with it: nothing tells which files were signed."
    changed = [path for path, digest in binding.files.items() if files(path) != digest]
    if changed:
        return "stale", f"It is stale: changed or gone since {moment(signed.time)}: {', '.join(changed)}."
    if findings_sha256(noted) != binding.findings_sha256:
        return "noted_since", "The audit is the one that was signed; findings were added, changed or deleted since."
    return "holds", "The audit's files and the findings are those that were signed."


def files_below(root: Path) -> Callable[[str], str | None]:
    """Reads the hashes of files below the folder of runs, each once."""
    known: dict[str, str | None] = {}

    def digest(path: str) -> str | None:
        if path not in known:
            place = root / path
            inside = place.resolve().is_relative_to(root.resolve())
            known[path] = sha256_of_file(place) if inside and place.is_file() else None
        return known[path]

    return digest


def verification(signed: SavedSignOff, standing: tuple[Standing, str], report: Report) -> tuple[Standing, str]:
    """As `standing_of`, after the report was made again: it must be the one that was signed, byte for byte.

    Args:
        signed: one signature.
        standing: of it.
        report: of the same audit, made now, against nothing but what it is made against by itself.
    """
    binding = signed.binding
    if binding is None or standing[0] != "holds" or report_sha256(report) == binding.report_sha256:
        return standing
    if binding.generator != report.generator:
        note = f"The files are those that were signed; {report.generator} makes another report of them than"
        return "noted_since", f"{note} {binding.generator}, whose report was signed."
    return "stale", "The report that is made now is not the one that was signed: an earlier audit was added or removed."
