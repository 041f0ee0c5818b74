"""The whole analysis of an audit, and its file, ``analysis.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from trialign.audit.facts import FactAnalysis, analyze_facts, judge
from trialign.audit.opinions import OpinionAnalysis, OpinionPanel, analyze_opinions, opinion_panel
from trialign.audit.pairs import holm
from trialign.audit.panel import Panel, attribute_columns, fact_panel
from trialign.audit.turns import TurnFlips, turn_flips
from trialign.errors import UserError
from trialign.groups import EXPOSURES, Exposure
from trialign.queries.types import Split
from trialign.storage import write_text_atomic

ANALYSIS_SCHEMA_VERSION = 2
# Version 1 knew no reading of replies and no verdict that says that none can be given.
_READ_VERSIONS = (1, ANALYSIS_SCHEMA_VERSION)
Dimension = Literal["exposure", "topic", "attribute", "intersection"]


@dataclass(frozen=True)
class Slice:
    """A part of the questions, or of the attributes.

    Attributes:
        dimension: ``exposure`` and ``topic`` are parts of the questions. An ``attribute`` of composed groups
            compares its values all else equal, an ``intersection`` the combined values of several attributes.
        name: of the exposure, the topic or the attributes.
        p_holm: p-value of the gap, corrected for the number of slices of this dimension (Holm, 1979); the verdict
            of the slice goes by it. None where nothing is compared.
        facts: None if the slice has none.
        opinions: None if it has none; never pooled with facts.
    """

    dimension: Dimension
    name: str
    p_holm: float | None
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
        delta: the largest difference in accuracy that does not matter, set before the audit.
        alpha: level of all tests, set before the audit; intervals have the confidence 1 - alpha.
        seed: of resampling and permutation.
        most_unread: the largest share of a group's replies that may hold no answer, set before the audit; None in an
            analysis of before there was such a bound.
        facts: all groups, all topics; None without facts.
        opinions: the same for questions of taste; None without any.
        turns: flips by turn; empty where every agent answered alone only.
        slices: parts.
    """

    schema_version: int
    split: Split
    exposure: Exposure
    groups: tuple[str, ...]
    delta: float
    alpha: float
    seed: int
    facts: FactAnalysis | None
    opinions: OpinionAnalysis | None
    turns: tuple[TurnFlips, ...]
    slices: tuple[Slice, ...]
    most_unread: float | None = None


def analyze(
    items: pd.DataFrame,
    groups: Sequence[str],
    *,
    exposure: Exposure = "explicit",
    split: Split = "test",
    parts: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    delta: float = 0.05,
    alpha: float = 0.05,
    seed: int = 0,
    most_unread: float = 0.05,
) -> AuditAnalysis:
    """Analyses an audit; the order of its rows changes nothing.

    Args:
        items: of one audit, as ``read_items`` gives them.
        groups: the members, in the order of tables; never the control.
        exposure: how the profile reached the agents; others become slices.
        split: of the questions.
        parts: group -> (attribute, value) for each attribute of composed groups, as `GroupSet.parts` has them; None:
            the groups are not composed.
        delta: the largest difference in accuracy that does not matter.
        alpha: level of all tests.
        seed: of resampling and permutation.
        most_unread: the largest share of a group's replies that may hold no answer.

    Raises:
        UserError: the groups have no answers here, a group lacks one that another has, or has it twice.
    """
    rows = items[items["split"] == split]
    panels = {name: fact_panel(rows, groups, name) for name in EXPOSURES}
    tastes = {name: opinion_panel(rows, groups, name) for name in EXPOSURES}
    facts, opinions = panels[exposure], tastes[exposure]
    if facts is None and opinions is None:
        raise UserError(
            f"The audit has no {split} answers of {', '.join(groups)} with {exposure} profiles",
            "Audit this split and exposure first",
        )
    work = _Work(delta, alpha, seed, most_unread)
    whole = work.facts(facts)
    return AuditAnalysis(
        schema_version=ANALYSIS_SCHEMA_VERSION,
        split=split,
        exposure=exposure,
        groups=tuple(groups),
        delta=delta,
        alpha=alpha,
        seed=seed,
        facts=whole,
        opinions=work.opinions(opinions),
        turns=turn_flips(rows, groups, exposure, confidence=1 - alpha, seed=seed),
        slices=(
            *work.slices("exposure", [(name, panels[name], tastes[name]) for name in EXPOSURES]),
            *work.slices("topic", _by_topic(facts, opinions)),
            *work.attribute_slices(facts, parts or {}),
        ),
        most_unread=most_unread,
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
    if version not in _READ_VERSIONS:
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
class _Work:
    """What all analyses of an audit have in common."""

    delta: float
    alpha: float
    seed: int
    most_unread: float

    def facts(self, panel: Panel | None) -> FactAnalysis | None:
        if panel is None:
            return None
        bounds = {"delta": self.delta, "alpha": self.alpha, "most_unread": self.most_unread}
        return analyze_facts(panel, seed=self.seed, **bounds)

    def opinions(self, panel: OpinionPanel | None) -> OpinionAnalysis | None:
        return analyze_opinions(panel, alpha=self.alpha, seed=self.seed) if panel else None

    def slices(self, dimension: Dimension, parts: Sequence[_Part]) -> list[Slice]:
        """The slices of one dimension, if there are several that are not empty; p-values corrected for them."""
        filled = [part for part in parts if part[1] is not None or part[2] is not None]
        if len(filled) < 2 and dimension in ("exposure", "topic"):
            return []
        found = [(name, panel, self.facts(panel), self.opinions(taste)) for name, panel, taste in filled]
        p_values = {name: facts.gap.p_value for name, _, facts, _ in found if facts and facts.gap}
        corrected = dict(zip(p_values, holm(list(p_values.values())).tolist(), strict=True))
        return [
            Slice(dimension, name, corrected.get(name), self._judged(panel, facts, corrected.get(name)), opinions)
            for name, panel, facts, opinions in found
        ]

    def attribute_slices(self, panel: Panel | None, parts: Mapping[str, Sequence[tuple[str, str]]]) -> list[Slice]:
        """The attributes of composed groups, alone and combined; none of groups that are not composed."""
        if panel is None:
            return []
        found: dict[Dimension, list[_Part]] = {"attribute": [], "intersection": []}
        for names, values, columns in attribute_columns(panel.groups, parts):
            dimension: Dimension = "attribute" if len(names) == 1 else "intersection"
            found[dimension].append((" x ".join(names), panel.by_attribute(values, columns), None))
        return [entry for dimension, parts in found.items() for entry in self.slices(dimension, parts)]

    def _judged(self, panel: Panel | None, facts: FactAnalysis | None, p_holm: float | None) -> FactAnalysis | None:
        """The facts with the verdict that the corrected p-value gives."""
        if panel is None or facts is None or facts.gap is None or facts.readability is None or p_holm is None:
            return facts
        corrected = replace(facts.gap, p_value=p_holm)
        bounds = {"delta": self.delta, "alpha": self.alpha}
        verdict = judge(panel, facts.pairs, corrected, facts.readability, seed=self.seed, **bounds)
        return replace(facts, verdict=verdict)


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
