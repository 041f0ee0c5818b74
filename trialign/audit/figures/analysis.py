"""The whole analysis of an audit, and its file, ``analysis.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from trialign.attributes import Attribute, Value
from trialign.audit.figures.along import AlongAttribute, along_attributes
from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.checks import Outcome
from trialign.audit.figures.facts import FactAnalysis, analyze_facts
from trialign.audit.figures.group_spread import GroupSpread, group_spread
from trialign.audit.figures.lengths import OptionLengths, by_length
from trialign.audit.figures.noticed import Noticed
from trialign.audit.figures.opinions import OpinionAnalysis, OpinionPanel, analyze_opinions, opinion_panel
from trialign.audit.figures.pairs import holm
from trialign.audit.figures.panel import Panel, attribute_columns, fact_panel
from trialign.audit.figures.parts import Evidence, PartName, evidence
from trialign.audit.figures.pressure import PressureAnalysis
from trialign.audit.figures.rows import FACTS, first_asked, own_answers
from trialign.audit.figures.turns import TurnFlips, turn_flips
from trialign.audit.figures.verdict import Verdict, judge
from trialign.audit.figures.words import lead
from trialign.errors import UserError
from trialign.groups import EXPOSURES, Exposure
from trialign.queries.types import Split
from trialign.storage import write_text_atomic

ANALYSIS_SCHEMA_VERSION = 3
_BOUNDS = Bounds()
_REMEDY = "Audit this split and exposure first"
_SPREAD = 8  # groups from which on their accuracies have a distribution
# What groups state: the attributes, and group -> attribute -> value.
Stated = tuple[Sequence[Attribute], Mapping[str, Mapping[str, Value]]]
Dimension = Literal["exposure", "topic", "language", "attribute", "intersection"]


@dataclass(frozen=True)
class Slice:
    """A part of the questions, or of the attributes.

    Attributes:
        dimension: ``exposure``, ``topic`` and ``language`` are parts of the questions. An ``attribute`` of composed
            groups compares its values all else equal, an ``intersection`` the combined values of several attributes.
        name: of the exposure, the topic, the language or the attributes.
        p_holm: p-value of the gap, corrected for the number of slices of this dimension (Holm, 1979); the verdict
            of the slice goes by it. None where nothing is compared.
        verdict: on its facts; what fails is corrected for the number of slices. None without facts.
        facts: None if the slice has none.
        opinions: None if it has none; never pooled with facts.
    """

    dimension: Dimension
    name: str
    p_holm: float | None
    verdict: Verdict | None
    facts: FactAnalysis | None
    opinions: OpinionAnalysis | None


@dataclass(frozen=True)
class AuditAnalysis:
    """Everything that an audit says about its groups.

    Attributes:
        schema_version: of ``analysis.json``.
        split: the questions that were asked.
        exposure: of ``facts``, ``opinions``, ``turns`` and all slices but those by exposure.
        groups: the members.
        bounds: set before the audit.
        seed: of resampling and permutation.
        verdict: on all groups and topics; None without facts.
        facts: all groups, all topics; None without facts.
        opinions: the same for questions of taste; None without any.
        turns: flips by turn; empty where every agent answered alone only.
        slices: parts.
        replies: the same of the answers in words to the same questions; None where there are none. ``verdict`` is that
            of both then (``whole.with_replies``), and all else is of the scores.
        noticed: what a reader would notice of replies in words; of nothing else.
        attributes: facts along each attribute that the groups state; empty where they state none.
        group_spread: the distribution of accuracy over groups; None with fewer than 8.
        pressure: what the same agents answered when they were pushed; None where nobody pushed.
    """

    schema_version: int
    split: Split
    exposure: Exposure
    groups: tuple[str, ...]
    bounds: Bounds
    seed: int
    verdict: Verdict | None
    facts: FactAnalysis | None
    opinions: OpinionAnalysis | None
    turns: tuple[TurnFlips, ...]
    slices: tuple[Slice, ...]
    replies: AuditAnalysis | None = None
    noticed: tuple[Noticed, ...] = ()
    attributes: tuple[AlongAttribute, ...] = ()
    group_spread: GroupSpread | None = None
    pressure: PressureAnalysis | None = None


def analyze(
    items: pd.DataFrame,
    groups: Sequence[str],
    *,
    exposure: Exposure = "explicit",
    split: Split = "test",
    parts: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    choices: Mapping[str, int] | None = None,
    lengths: Mapping[str, OptionLengths] | None = None,
    stated: Stated = ((), {}),
    languages: Mapping[str, str] | None = None,
    bounds: Bounds = _BOUNDS,
    seed: int = 0,
) -> AuditAnalysis:
    """Analyses an audit; the order of its rows changes nothing.

    Args:
        items: of one audit, as ``read_items`` gives them.
        groups: the members, in the order of tables; never the control.
        exposure: how the profile reached the agents; others become slices.
        split: of the questions.
        parts: group -> (attribute, value) of composed groups, as `GroupSet.parts` has them; None: not composed.
        choices: query id -> options to choose from, 0 for a free answer; None: known where options were scored.
        lengths: query id -> the lengths of its options, where it showed or scored them; None: they are not known.
        stated: attributes that the groups state, and group -> attribute -> value.
        languages: query id -> the language in which all groups were asked it, where one is stated.
        bounds: set before the audit.
        seed: of resampling and permutation.

    Raises:
        UserError: the groups have no answers here, a group lacks one that another has, or has it twice.
    """
    rows = items[items["split"] == split]
    panels: dict[Exposure, tuple[Panel | None, OpinionPanel | None]]
    panels = {name: (fact_panel(rows, groups, name, choices), opinion_panel(rows, groups, name)) for name in EXPOSURES}
    facts, opinions = panels[exposure]
    if facts is None and opinions is None:
        raise UserError(f"The audit has no {split} answers of {', '.join(groups)} with {exposure} profiles", _REMEDY)
    work = _Work(bounds, seed)
    found = work.counted(facts) if facts else None
    whole = work.with_lengths(work.facts(found), rows, groups, exposure, lengths)
    spoken = _by_language(rows, groups, exposure, choices, languages or {})
    slices = (*work.question_slices(panels, exposure, spoken), *work.attribute_slices(facts, parts or {}))
    return AuditAnalysis(
        schema_version=ANALYSIS_SCHEMA_VERSION,
        split=split,
        exposure=exposure,
        groups=tuple(groups),
        bounds=bounds,
        seed=seed,
        verdict=work.verdict(found, whole, slices) if found and whole else None,
        facts=whole,
        opinions=work.opinions(opinions),
        turns=turn_flips(rows, groups, exposure, confidence=1 - bounds.alpha, seed=seed),
        slices=slices,
        attributes=work.along(facts, stated),
        group_spread=work.spread(facts),
    )


def write_analysis(path: Path, analysis: AuditAnalysis) -> None:
    """Write an analysis as JSON, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    write_text_atomic(path, json.dumps(asdict(analysis), indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_analysis(path: Path) -> AuditAnalysis:
    """Read and verify an ``analysis.json``.

    Raises:
        UserError: the file is missing, damaged, of another version or no analysis.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _fault(path, "cannot be read") from error
    except ValueError as error:
        raise _fault(path, "is damaged or no JSON") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version is None:
        raise _fault(path, "was not written by a TriAlign audit: it carries no schema version")
    if version != ANALYSIS_SCHEMA_VERSION:
        raise _fault(path, f"has schema version {version!r}, and this program reads {ANALYSIS_SCHEMA_VERSION}")
    try:
        return TypeAdapter(AuditAnalysis).validate_python(content)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise _fault(path, f"is not as it was written: {where}: {error.errors()[0]['msg']}") from error


def _fault(path: Path, what: str) -> UserError:
    return UserError(f"The analysis {path} {what}", "Run the audit again, or choose another audit folder")


_Part = tuple[str, Panel | None, OpinionPanel | None]


@dataclass(frozen=True)
class _Counted:
    """A panel counted in both ways: unread replies wrong, and right (None: every reply was read)."""

    wrong: Evidence
    right: Evidence | None


@dataclass(frozen=True)
class _Work:
    """What all analyses of an audit have in common."""

    bounds: Bounds
    seed: int

    def counted(self, panel: Panel) -> _Counted:
        wrong = evidence(panel, self.bounds, self.seed)
        unread = (panel.replies > 0).any()
        return _Counted(wrong, evidence(panel.unread_as_right(), self.bounds, self.seed) if unread else None)

    def with_lengths(
        self,
        facts: FactAnalysis | None,
        rows: pd.DataFrame,
        groups: Sequence[str],
        exposure: Exposure,
        lengths: Mapping[str, OptionLengths] | None,
    ) -> FactAnalysis | None:
        """The facts with how far their answers go by the length of options, where that is known."""
        if facts is None or not lengths:
            return facts
        asked = first_asked(own_answers(rows, FACTS, exposure))
        return replace(facts, by_length=by_length(asked, groups, lengths, 1 - self.bounds.alpha, self.seed))

    def facts(self, found: _Counted | None) -> FactAnalysis | None:
        return analyze_facts(found.wrong, alpha=self.bounds.alpha, seed=self.seed) if found else None

    def opinions(self, panel: OpinionPanel | None) -> OpinionAnalysis | None:
        return analyze_opinions(panel, alpha=self.bounds.alpha, seed=self.seed) if panel else None

    def along(self, panel: Panel | None, stated: Stated) -> tuple[AlongAttribute, ...]:
        """The facts along each attribute; none where no facts were asked, or a group states nothing."""
        attributes, values = stated
        if panel is None or not all(group in values for group in panel.groups):
            return ()
        return along_attributes(
            panel.correct,
            panel.answers[:, :, 0, 0],
            panel.clusters,
            [values[group] for group in panel.groups],
            attributes,
            confidence=1 - self.bounds.alpha,
            seed=self.seed,
        )

    def spread(self, panel: Panel | None) -> GroupSpread | None:
        if panel is None or len(panel.groups) < _SPREAD:
            return None
        confidence = 1 - self.bounds.alpha
        return group_spread(panel.correct, panel.clusters, panel.groups, confidence=confidence, seed=self.seed)

    def verdict(self, found: _Counted, facts: FactAnalysis, slices: Sequence[Slice]) -> Verdict:
        """The verdict on the whole, which names the slices that contradict it."""
        verdict = judge(found.wrong, found.right, self.bounds, self.seed)
        if verdict.outcome == "cannot_be_judged":
            return self._said(verdict, facts)
        contrary: Outcome = "holds" if verdict.outcome == "fails" else "fails"
        judged = {_called(part): part.verdict for part in slices if part.verdict}
        parts = {
            name: replace(part, exceptions=_failing(judged, name)) if part.outcome != "fails" else part
            for name, part in verdict.parts.items()
        }
        exceptions = tuple(name for name, other in judged.items() if other.outcome == contrary)
        return self._said(replace(verdict, parts=parts, exceptions=exceptions), facts)

    def _said(self, verdict: Verdict, facts: FactAnalysis) -> Verdict:
        return replace(verdict, sentence=lead(verdict, facts, self.bounds))

    def slices(self, dimension: Dimension, parts: Sequence[_Part]) -> list[Slice]:
        """The slices of one dimension, if there are several that are not empty; what fails is corrected for them."""
        filled = [part for part in parts if part[1] is not None or part[2] is not None]
        if len(filled) < 2 and dimension in ("exposure", "topic", "language"):
            return []
        counted = {name: self.counted(panel) for name, panel, _ in filled if panel is not None}
        corrected = dict(zip(counted, _corrected(list(counted.values())), strict=True))
        slices = []
        for name, _, taste in filled:
            facts, verdict, gap = self.facts(counted.get(name)), None, None
            if facts:
                judged = corrected[name]
                gap = judged.wrong.gap
                found = judge(judged.wrong, judged.right, self.bounds, self.seed, len(counted))
                verdict = self._said(found, replace(facts, gap=gap))
            slices.append(Slice(dimension, name, gap.p_value if gap else None, verdict, facts, self.opinions(taste)))
        return slices

    def question_slices(
        self,
        panels: Mapping[Exposure, tuple[Panel | None, OpinionPanel | None]],
        exposure: Exposure,
        spoken: Sequence[_Part],
    ) -> list[Slice]:
        """The parts of the questions: by exposure, and with the one that is summarised by topic and by language."""
        found: dict[Dimension, Sequence[_Part]] = {
            "exposure": [(name, *of) for name, of in panels.items()],
            "topic": _by_topic(*panels[exposure]),
            "language": spoken,
        }
        return [entry for dimension, parts in found.items() for entry in self.slices(dimension, parts)]

    def attribute_slices(self, panel: Panel | None, parts: Mapping[str, Sequence[tuple[str, str]]]) -> list[Slice]:
        """The attributes of composed groups, alone and combined; none of groups that are not composed."""
        if panel is None:
            return []
        found: dict[Dimension, list[_Part]] = {"attribute": [], "intersection": []}
        for names, values, columns in attribute_columns(panel.groups, parts):
            dimension: Dimension = "attribute" if len(names) == 1 else "intersection"
            found[dimension].append((" x ".join(names), panel.by_attribute(values, columns), None))
        return [entry for dimension, parts in found.items() for entry in self.slices(dimension, parts)]


def _corrected(counted: Sequence[_Counted]) -> list[_Counted]:
    """Panels that are judged beside each other, the p-values of their gaps corrected for their number (Holm, 1979)."""
    wrong = _with_holm([one.wrong for one in counted])
    right = _with_holm([one.right or one.wrong for one in counted])
    return [
        _Counted(*sides) if one.right else _Counted(sides[0], None)
        for one, *sides in zip(counted, wrong, right, strict=True)
    ]


def _with_holm(found: Sequence[Evidence]) -> list[Evidence]:
    gaps = [one.gap.p_value for one in found if one.gap]
    adjusted = iter(holm(gaps).tolist())
    return [replace(one, gap=replace(one.gap, p_value=next(adjusted))) if one.gap else one for one in found]


def _failing(judged: Mapping[str, Verdict], part: PartName) -> tuple[str, ...]:
    return tuple(name for name, verdict in judged.items() if verdict.parts[part].outcome == "fails")


def _called(part: Slice) -> str:
    """A slice by its name, in a sentence."""
    return f"the {part.dimension} {part.name}" if part.name else f"questions without {part.dimension}"


def _by_language(
    rows: pd.DataFrame,
    groups: Sequence[str],
    exposure: Exposure,
    choices: Mapping[str, int] | None,
    languages: Mapping[str, str],
) -> list[_Part]:
    asked = rows["query_id"].map(languages)
    of = {language: rows[asked == language] for language in sorted(set(languages.values()))}
    return [
        (name, fact_panel(part, groups, exposure, choices), opinion_panel(part, groups, exposure))
        for name, part in of.items()
    ]


def _by_topic(facts: Panel | None, opinions: OpinionPanel | None) -> list[_Part]:
    topics = sorted({topic for panel in (facts, opinions) if panel for topic in np.unique(panel.topics).tolist()})
    return [
        (
            topic,
            facts.where(facts.topics == topic) if facts and (facts.topics == topic).any() else None,
            opinions.where(opinions.topics == topic) if opinions and (opinions.topics == topic).any() else None,
        )
        for topic in topics
    ]
