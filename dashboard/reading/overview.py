"""What a list of runs says of each: a few small files are read, and of an audit never its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from trialign.audit.figures.analysis import AuditAnalysis, read_analysis
from trialign.audit.figures.parts import PARTS
from trialign.audit.figures.summary import read_summary
from trialign.audit.figures.whole import in_scores, whole_title
from trialign.audit.figures.words import SIGNS, part_outcome
from trialign.audit.files.integrity import AUDIT_FILES
from trialign.audit.files.record import read_about
from trialign.errors import UserError
from trialign.runs import ABOUT, ANALYSIS, ITEMS, SUMMARY, RunFolder
from trialign.storage import sha256_of_file

from .catalog import AuditEntry, Catalog, RunEntry, file_within
from .progress import Progress, progress
from .records import changed_at, version

Signed = tuple[str, str]  # a sign, and the words that say the same


@dataclass(frozen=True)
class Judged:
    """What one audit came to.

    Attributes:
        verdict: sign and words; None where it asked no facts.
        parts: sign and word of its parts, in the order of ``PARTS``, in scores and in words where both were asked and
            say different things; empty without a verdict.
        model: name of the base model; empty where it is not known.
        when: it was finished, ISO 8601, UTC.
        seed: of the run; None where it is not known.
        mean: of the groups' right answers; None where it asked no facts.
        gap: between the best and the worst group; None where there is none.
        accuracy: group -> its right answers.
        files: that it wrote, by the record of their hashes.
    """

    verdict: Signed | None
    parts: tuple[str, ...]
    model: str
    when: str
    seed: int | None
    mean: float | None
    gap: float | None
    accuracy: Mapping[str, float | None]
    files: tuple[str, ...]


@dataclass(frozen=True)
class RunRow:
    """What the list says of one run.

    Attributes:
        run: as the scan found it.
        progress: how far it is.
        audit: the one that is told: of held-out questions the last; None without any.
        judged: what that came to; None without one that can be read.
        model: beneath the agents; empty where it is not known, as are the following.
        data: name of the question set.
        objective: that it is or was trained with.
        seed: of the run.
        fault: what cannot be read of it, with what to do; None where all can.
    """

    run: RunEntry
    progress: Progress
    audit: AuditEntry | None
    judged: Judged | None
    model: str
    data: str
    objective: str
    seed: str
    fault: UserError | None


def last_held_out(catalog: Catalog, run: RunEntry) -> AuditEntry:
    """The audit that stands for a run: of held-out questions, where there are any, of its own data, the last."""
    try:
        own = _name(configuration(catalog, run), "data")
    except UserError:
        own = ""  # its row says what is damaged
    return max(run.audits, key=lambda audit: (audit.split == "test", audit.data == own, audit.step))


def run_row(catalog: Catalog, run: RunEntry) -> RunRow:
    """What the list says of a run; never fails, since a damaged run has a row of its own, too."""
    audit = last_held_out(catalog, run) if run.audits else None
    judged, fault = None, None
    config: Mapping[str, Any] = {}
    try:
        config = configuration(catalog, run)
        judged = judge(catalog, audit) if audit else None
    except UserError as error:
        fault = error
    far = progress(catalog, run, config)
    if fault is not None and far.state != "training":
        far = Progress("damaged", "damaged")
    seed = judged.seed if judged and judged.seed is not None else config.get("seed")
    return RunRow(
        run=run,
        progress=far,
        audit=audit,
        judged=judged,
        model=(judged.model if judged else "") or _model(config),
        data=audit.data if audit else _name(config, "data"),
        objective=_name(config, "objective"),
        seed="" if seed is None else str(seed),
        fault=fault,
    )


def judge(catalog: Catalog, audit: AuditEntry) -> Judged:
    """What an audit came to, by its analysis as it was written.

    Raises:
        UserError: a file is missing, damaged, another than the audit wrote, or a link out of the root.
    """
    names = [name for name in (SUMMARY, ANALYSIS, ABOUT) if name != ABOUT or (audit.folder / name).exists()]
    files = [file_within(catalog.root, audit.folder / name) for name in names]
    judged: Judged = _judge(str(audit.folder), tuple(version(file) for file in files))
    for name in (ITEMS, *judged.files):
        file_within(catalog.root, audit.folder / name)
    return judged


def configuration(catalog: Catalog, run: RunEntry) -> Mapping[str, Any]:
    """The configuration that a run was started with; empty where it was audited only.

    Raises:
        UserError: it is torn, or a link out of the root.
    """
    if run.damaged or not run.config_file.exists():
        return {}
    config: Mapping[str, Any] = _configured(str(run.folder), version(file_within(catalog.root, run.config_file)))
    return config


@st.cache_resource(max_entries=2048, show_spinner=False)
def _judge(folder: str, versions: tuple[tuple[int, ...], ...]) -> Judged:
    place = Path(folder)
    summary = read_summary(place / SUMMARY)
    stated = summary.get("files")
    hashes: Mapping[str, Any] = stated if isinstance(stated, Mapping) else {}
    for name, digest in hashes.items():
        if name in (ANALYSIS, ABOUT) and sha256_of_file(place / name) != digest:
            raise UserError(
                f"The file {place / name} is not the one that the audit wrote: its hash differs",
                "Restore it, or run the audit again",
            )
    analysis, about = read_analysis(place / ANALYSIS), read_about(place)
    verdict, facts = analysis.verdict, analysis.facts
    return Judged(
        verdict=(SIGNS[verdict.outcome], whole_title(analysis)) if verdict else None,
        parts=_parts(analysis),
        model=about.base_model.called if about else "",
        when=about.finished if about else changed_at(place / SUMMARY),
        seed=about.seed if about else None,
        mean=facts.mean.value if facts else None,
        gap=facts.gap.value if facts and facts.gap else None,
        accuracy={group: one.value for group, one in facts.accuracy.items()} if facts else {},
        files=tuple(name for name in AUDIT_FILES if name in hashes),
    )


def _parts(analysis: AuditAnalysis) -> tuple[str, ...]:
    scores, words = in_scores(analysis), analysis.replies.verdict if analysis.replies else None
    if scores is None:
        return ()
    told = []
    for name in PARTS:
        one = " ".join(part_outcome(name, scores))
        other = " ".join(part_outcome(name, words)) if words else one
        told.append(one if one == other else f"{one} in scores, {other} in words")
    return tuple(told)


@st.cache_resource(max_entries=2048, show_spinner=False)
def _configured(folder: str, version: tuple[int, ...]) -> Mapping[str, Any]:
    return RunFolder(Path(folder)).stored_config()


def _name(config: Mapping[str, Any], section: str) -> str:
    part = config.get(section)
    return str(part.get("name") or "") if isinstance(part, Mapping) else ""


def _model(config: Mapping[str, Any]) -> str:
    part = config.get("model")
    if not isinstance(part, Mapping):
        return ""
    name, bits = str(part.get("name") or Path(str(part.get("path") or "")).name), part.get("quantization", "none")
    return name if bits == "none" else f"{name} ({bits})"
