"""Several runs on the same questions: every run against the first one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import yaml

from trialign.audit.figures.analysis import AuditAnalysis, read_analysis
from trialign.audit.figures.comparison import (
    AuditMeasures,
    Difference,
    corrected,
    differences,
    measure_audit,
    pooled,
    values,
)
from trialign.audit.figures.parts import Part, PartName
from trialign.audit.figures.replies import GroupReplies
from trialign.audit.figures.summary import read_summary
from trialign.audit.figures.verdict import VerdictOutcome
from trialign.audit.figures.ways import differing_ways
from trialign.audit.figures.whole import whole_parts
from trialign.audit.files.items import read_items
from trialign.audit.files.record import read_asked
from trialign.errors import UserError
from trialign.runs import ANALYSIS, ITEMS, REPLIES, SUMMARY, AuditFolder, RunFolder

COMPARISON_SCHEMA_VERSION = 3
# What may differ between runs that are one: where and under which name they lie, and the seed.
_NOT_THE_METHOD = ("seed", "name", "runs", "gate")


@dataclass(frozen=True)
class ComparedVerdict:
    """The verdict of one audit.

    Attributes:
        outcome: ``holds``, ``fails``, ``unknown`` or ``cannot_be_judged``.
        sentence: in plain words.
        parts: of the verdict.
        said: name, sign, word of the outcome and sentence of every part.
        replies: group -> how its replies were read.
    """

    outcome: VerdictOutcome
    sentence: str
    parts: dict[PartName, Part]
    said: tuple[tuple[str, str, str, str], ...]
    replies: dict[str, GroupReplies]


@dataclass(frozen=True)
class ComparedRun:
    """One run, or several that differ in their seed only.

    Attributes:
        name: of the run, or of the first of them.
        audits: what was compared, relative to the folder of runs.
        values: measure -> value, mean over seeds question by question; None where undefined.
        verdicts: of each audit; None where it asked no facts.
        differences: to the first run; empty for that one. Corrected for all differences of the comparison.
    """

    name: str
    audits: tuple[str, ...]
    values: dict[str, float | None]
    verdicts: tuple[ComparedVerdict | None, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class RunComparison:
    """The whole comparison.

    Attributes:
        schema_version: of its JSON.
        data: name of the question set.
        split: the questions that were asked.
        exposure: how the profile reached the agents.
        groups: the members.
        n_questions: questions.
        n_clusters: facts and tastes.
        alpha: intervals have the confidence 1 - alpha.
        runs: in the order given.
        chance: accuracy of guessing on the questions of fact with options; None without any.
        always_shortest: accuracy of always choosing a shortest option; None where lengths are not known.
        always_longest: accuracy of always choosing a longest one.
        note: that the answers came about in different ways, in words; None: they did not.
        words: the same comparison of the replies in words, whose verdicts are those of the words; None where an audit
            has none, or they asked other questions in words.
    """

    schema_version: int
    data: str
    split: str
    exposure: str
    groups: tuple[str, ...]
    n_questions: int
    n_clusters: int
    alpha: float
    runs: tuple[ComparedRun, ...]
    chance: float | None = None
    always_shortest: float | None = None
    always_longest: float | None = None
    note: str | None = None
    words: RunComparison | None = None


def compare_runs(audits: Sequence[AuditFolder]) -> RunComparison:
    """Compares audits; those of runs that differ in their seed only are one.

    Args:
        audits: at least one; all of the same questions and groups.

    Raises:
        UserError: a file is missing or damaged, an audit is named twice, or the questions or groups differ.
    """
    _refuse_twice(audits)
    read = [_measured(audit) for audit in audits]
    check_alike(audits, read)
    summaries = {_place(audit): read_summary(audit.path / SUMMARY) for audit in audits}
    scores = replace(_compared(audits, read), note=differing_ways(summaries))
    in_words = [analysis.replies for analysis, _ in read]
    if any(analysis is None for analysis in in_words):
        return scores
    words = [
        (analysis, measure_audit(read_items(audit.path / REPLIES), analysis.groups, analysis.exposure))
        for audit, analysis in zip(audits, in_words, strict=True)
        if analysis is not None
    ]
    if len({measured.asked for _, measured in words}) > 1:
        return scores  # of one audit more was asked in words than of another
    return replace(scores, words=_compared(audits, words))


def _compared(audits: Sequence[AuditFolder], read: Sequence[tuple[AuditAnalysis, AuditMeasures]]) -> RunComparison:
    """The comparison of what was measured of some audits, by their scores or by their replies."""
    first, analysis = audits[0], read[0][0]
    pools: dict[str, list[int]] = {}
    for number, audit in enumerate(audits):
        pools.setdefault(_method(audit), []).append(number)
    measured = [pooled([read[number][1] for number in pool]) for pool in pools.values()]
    found = [differences(measured[0], other, confidence=1 - analysis.bounds.alpha) for other in measured[1:]]
    together = iter(corrected([entry for entries in found for entry in entries]))
    runs = tuple(
        ComparedRun(
            name=_name([audits[n] for n in pool], audits),
            audits=tuple(_place(audits[n]) for n in pool),
            values=values(measure),
            verdicts=tuple(_verdict(read[n][0]) for n in pool),
            differences=tuple(next(together) for _ in entries),
        )
        for pool, measure, entries in zip(pools.values(), measured, [(), *found], strict=True)
    )
    lengths = analysis.facts.by_length if analysis.facts else None
    return RunComparison(
        schema_version=COMPARISON_SCHEMA_VERSION,
        data=first.data,
        split=first.split,
        exposure=analysis.exposure,
        groups=analysis.groups,
        n_questions=len(measured[0].asked),
        n_clusters=len({cluster for _, cluster in measured[0].asked}),
        alpha=analysis.bounds.alpha,
        chance=analysis.facts.chance if analysis.facts else None,
        always_shortest=lengths.always_shortest if lengths else None,
        always_longest=lengths.always_longest if lengths else None,
        runs=runs,
    )


def _place(audit: AuditFolder) -> str:
    return audit.path.relative_to(audit.run.parent).as_posix()


def _refuse_twice(audits: Sequence[AuditFolder]) -> None:
    places = [audit.path.resolve() for audit in audits]
    for place in places:
        if places.count(place) > 1:
            raise UserError(f"The audit {place} is named twice", "Name every run once")


def _verdict(analysis: AuditAnalysis) -> ComparedVerdict | None:
    verdict, facts = analysis.verdict, analysis.facts
    if verdict is None or facts is None:
        return None
    said = tuple(whole_parts(analysis))
    return ComparedVerdict(verdict.outcome, verdict.sentence, verdict.parts, said, facts.replies)


def _measured(audit: AuditFolder) -> tuple[AuditAnalysis, AuditMeasures]:
    analysis = read_analysis(audit.path / ANALYSIS)
    items = read_items(audit.path / ITEMS)
    return analysis, measure_audit(items, analysis.groups, analysis.exposure)


def check_alike(audits: Sequence[AuditFolder], read: Sequence[tuple[AuditAnalysis, AuditMeasures]]) -> None:
    """Refuses audits of different questions, also of the same ids with other words.

    Args:
        audits: at least one.
        read: analysis and measures of each.

    Raises:
        UserError: the questions or groups differ.
    """
    (analysis, measures), words = read[0], read_asked(audits[0].path)
    for audit, (other, theirs) in zip(audits[1:], read[1:], strict=True):
        alike = (analysis.groups, analysis.exposure, measures.asked) == (other.groups, other.exposure, theirs.asked)
        other_words = read_asked(audit.path) if alike else {}
        if not alike or (words and other_words and words != other_words):
            raise UserError(
                f"The audits {audits[0].path} and {audit.path} asked different questions or groups",
                "Compare audits of the same data, split and groups",
            )


def _method(audit: AuditFolder) -> str:
    """What is the same for runs that differ in their seed only; the audit itself where its run is not known."""
    path = RunFolder(audit.run).config_file
    if not path.is_file():
        return str(audit.path)
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict):
        raise UserError(f"The file {path} is torn", "Train this run again with --overwrite")
    method = {key: value for key, value in config.items() if key not in _NOT_THE_METHOD}
    if isinstance(method.get("collect"), dict):
        # The collection draws by the run's seed where nothing else is said.
        method["collect"] = {key: value for key, value in method["collect"].items() if key != "seed"}
    return json.dumps([audit.step, method], sort_keys=True, default=str)


def _name(pool: Sequence[AuditFolder], audits: Sequence[AuditFolder]) -> str:
    """The first run's name; with the step where the run is compared at several, and the number of seeds."""
    name = pool[0].run.name
    if len({audit.step for audit in audits if audit.run == pool[0].run}) > 1:
        name = f"{name}, step {pool[0].step}"
    return f"{name} ({len(pool)} seeds)" if len(pool) > 1 else name
