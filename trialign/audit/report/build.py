"""Making a report from the files of an audit, and from nothing else: no clock, no model, no network."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from trialign import __version__
from trialign.audit.figures.analysis import AuditAnalysis, read_analysis
from trialign.audit.figures.comparison import AuditMeasures, Difference, differences, measure_audit, paired
from trialign.audit.figures.noticed import TraitChange, trait_changes
from trialign.audit.figures.rows import FACTS
from trialign.audit.figures.summary import read_summary
from trialign.audit.figures.ways import differing_ways, way_of_answering
from trialign.audit.files.folders import audit_folder
from trialign.audit.files.integrity import AUDIT_FILES, unverified
from trialign.audit.files.items import read_items
from trialign.audit.files.pressed import read_pressed
from trialign.audit.files.record import read_about, read_asked
from trialign.audit.report.limitations import limitations
from trialign.audit.report.pressure_tables import worst_cases
from trialign.audit.report.types import (
    REPORT_SCHEMA_VERSION,
    AuditPart,
    Control,
    FileHash,
    Finding,
    QuestionSet,
    Report,
    SignOff,
)
from trialign.audit.report.worst import worst_items
from trialign.errors import UserError
from trialign.runs import ANALYSIS, ITEMS, MANIFEST, PRESSURE, REPLIES, SUMMARY, AuditFolder, RunFolder
from trialign.storage import sha256_of_file


def build_report(
    audit: Path,
    against: Path | None = None,
    findings: Sequence[Finding] = (),
    sign_off: SignOff | None = None,
) -> Report:
    """The report of one audit; the same files always give the same report.

    Args:
        audit: its folder, such as ``runs/quickstart/audits/step=000120.embedded.test``.
        against: the folder of an earlier audit of the same questions; None: that of the run's base model, if there
            is one.
        findings: noted by auditors.
        sign_off: who decided what.

    Raises:
        UserError: a file is missing or damaged, or the two audits asked different questions.
    """
    folder = audit_folder(audit)
    earlier = audit_folder(against) if against else _base_audit(folder)
    # One audit's rows in memory at a time.
    summary_before, before, measured_before = _earlier(earlier) if earlier else (None, None, None)
    summary, items = _read(folder)
    part = _part(folder, summary, items)
    analysis = part.analysis
    changes: tuple[Difference, ...] = ()
    in_words, traits = _words_changes(folder, earlier, analysis)
    if earlier and measured_before:
        _check_same_questions(folder, earlier)
        measured = measure_audit(items, analysis.groups, analysis.exposure)
        changes = differences(measured_before, measured, confidence=1 - analysis.bounds.alpha)
    asked = read_asked(folder.path)
    ways = differing_ways({"Before": summary_before, "Now": summary}) if summary_before else None
    return Report(
        schema_version=REPORT_SCHEMA_VERSION,
        generator=f"trialign {__version__}",
        audit=part,
        before=before,
        changes=changes,
        questions=_question_set(summary, items, analysis),
        worst=worst_items(items, analysis.groups, analysis.exposure, asked),
        limitations=limitations(part, before, items, ways),
        findings=tuple(findings),
        sign_off=sign_off,
        reproduction=_reproduction(folder, earlier if against else None),
        changes_in_words=in_words,
        traits=traits,
        pressed=worst_cases(read_pressed(folder.path / PRESSURE), asked) if analysis.pressure else (),
    )


def _words_changes(
    folder: AuditFolder, earlier: AuditFolder | None, analysis: AuditAnalysis
) -> tuple[tuple[Difference, ...], tuple[TraitChange, ...]]:
    """The answers in words against those of an earlier audit; nothing where one of them has none."""
    if earlier is None or not all(read_summary(one.path / SUMMARY).get("replies") for one in (folder, earlier)):
        return (), ()
    before, after = (read_items(one.path / REPLIES) for one in (earlier, folder))
    if set(before["query_id"]) != set(after["query_id"]):
        return (), ()
    groups, exposure, confidence = analysis.groups, analysis.exposure, 1 - analysis.bounds.alpha
    found = paired(before, after, groups, exposure, confidence=confidence)
    return found, trait_changes(before, after, groups, exposure=exposure, confidence=confidence)


def _base_audit(folder: AuditFolder) -> AuditFolder | None:
    return folder.at_step(0) if folder.step else None


def _read(folder: AuditFolder) -> tuple[dict[str, Any], pd.DataFrame]:
    summary = read_summary(folder.path / SUMMARY)
    unverified(folder.path, summary)  # a file that is another one is refused before it is read
    return summary, read_items(folder.path / ITEMS)


def _earlier(folder: AuditFolder) -> tuple[dict[str, Any], AuditPart, AuditMeasures]:
    """What a report needs of the earlier audit; its rows are let go."""
    summary, items = _read(folder)
    part = _part(folder, summary, items)
    return summary, part, measure_audit(items, part.analysis.groups, part.analysis.exposure)


def _part(folder: AuditFolder, summary: Mapping[str, Any], items: pd.DataFrame) -> AuditPart:
    missing_hashes = unverified(folder.path, summary)
    answered = items.drop_duplicates("profile_group").set_index("profile_group")["adapter_sha256"]
    return AuditPart(
        run=folder.run.name,
        step=summary["step"],
        about=read_about(folder.path),
        adapter_sha256={
            group: None if pd.isna(answered[group]) else str(answered[group]) for group in summary["groups"]
        },
        seconds=summary["seconds"],
        analysis=read_analysis(folder.path / ANALYSIS),
        control=_control(summary),
        nash=summary["welfare"]["nash"],
        files=_files(folder),
        unverified=missing_hashes,
    )


def _control(summary: Mapping[str, Any]) -> Control | None:
    """An older summary does not say how the control's replies were read."""
    found = summary["control"]
    if not found:
        return None
    return Control(found["accuracy"], found["flip_rate_from_control"], summary.get("control_unread"))


def _files(folder: AuditFolder) -> tuple[FileHash, ...]:
    """The audit's files, and those that say what the run is."""
    run = RunFolder(folder.run)
    wanted = [folder.path / name for name in (SUMMARY, *AUDIT_FILES)]
    wanted += [run.config_file, run.agents_at(folder.step) / MANIFEST]
    return tuple(
        FileHash(path.relative_to(run.folder.parent).as_posix(), sha256_of_file(path), path.stat().st_size)
        for path in filter(Path.is_file, wanted)
    )


def _check_same_questions(folder: AuditFolder, earlier: AuditFolder) -> None:
    """Refuses question files that differ although the ids are the same."""
    asked, before = read_asked(folder.path), read_asked(earlier.path)
    if asked and before and asked != before:
        raise UserError(
            f"The audits {folder.path} and {earlier.path} asked different questions",
            "Report against an audit of the same questions",
        )


def _question_set(summary: Mapping[str, Any], items: pd.DataFrame, analysis: AuditAnalysis) -> QuestionSet:
    rows = items[items["group"].isin(analysis.groups) & (items["exposure"] == analysis.exposure)]
    rows = rows[rows["split"] == analysis.split].drop_duplicates("query_id")
    facts = rows["kind"].isin(FACTS)
    counts = {
        str(topic): (int(of_topic.sum()), int((~of_topic).sum())) for topic, of_topic in facts.groupby(rows["topic"])
    }
    return QuestionSet(
        data=summary["data"],
        split=summary["split"],
        exposure=summary["exposure"],
        scoring=summary["scoring"],
        scoring_temperature=summary["scoring_temperature"],
        answering=way_of_answering(summary),
        n_questions=summary["n_queries"],
        n_clusters=summary["n_clusters"],
        n_truth=int((rows["kind"] == "truth").sum()),
        n_preference=int((rows["kind"] == "preference").sum()),
        n_mixed=int((rows["kind"] == "mixed").sum()),
        topics=dict(sorted(counts.items())),
    )


def _reproduction(folder: AuditFolder, against: AuditFolder | None) -> tuple[str, ...]:
    """Commands, to be given in the folder that holds ``runs``."""
    place = RunFolder(Path("runs") / folder.run.name)
    run = place.folder.as_posix()
    verb = "validate" if folder.split == "validation" else "test"
    source = ["--run", run, "--step", str(folder.step)] if folder.step else ["--config", place.config_file.as_posix()]
    report = ["trialign", "report", run, "--step", str(folder.step)]
    if against:
        other = RunFolder(Path("runs") / against.run.name).audit(against.step, against.data, against.split)
        report += ["--against", other.as_posix()]
    return shlex.join(["trialign", verb, *source]), shlex.join(report)
