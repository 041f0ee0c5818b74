"""What a gate found: its outcome, and every rule with its figure, interval, bound and sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trialign.audit.figures.checks import Side
from trialign.audit.rules.config import OnUnknown, Way

GATE_SCHEMA_VERSION = 1
RuleOutcome = Literal["passes", "fails", "unknown"]
PASSED, NOT_PASSED, NOT_ENOUGH = 0, 3, 4  # exit codes; 1 and 2 are those of every command


@dataclass(frozen=True)
class RuleResult:
    """One rule, held against one audit in one way.

    Attributes:
        rule: its key in the configuration, such as ``worst`` or ``regression.accuracy``.
        way: ``scores`` or ``words``; None where the audit answered in one way only.
        subject: of a golden fact: its id or cluster; None otherwise.
        outcome: ``passes``: shown to be kept. ``fails``: shown to be broken. ``unknown``: neither.
        figure: as it was seen; None where the rule is about no single one.
        low: lower end of its interval of confidence 1 - 2 alpha; None where there is none.
        high: upper end.
        bound: what it was held against.
        side: on which side of the bound it has to be.
        group: whose figure it is; None where it is of all together.
        facts_needed: with ``unknown``, how many facts (or tastes) would be enough; None where not known.
        sentence: all of it in words.
        line: of the file that states the rule, from 1; None where it is not stated in one.
    """

    rule: str
    way: Way | None
    subject: str | None
    outcome: RuleOutcome
    figure: float | None
    low: float | None
    high: float | None
    bound: float | None
    side: Side | None
    group: str | None
    facts_needed: int | None
    sentence: str
    line: int | None = None

    @property
    def name(self) -> str:
        """The rule with its subject and way, such as ``worst (words)``."""
        subject = f" {self.subject}" if self.subject is not None else ""
        return f"{self.rule}{subject}" + (f" ({self.way})" if self.way else "")


@dataclass(frozen=True)
class GateResult:
    """What a gate found.

    Attributes:
        schema_version: of its JSON.
        outcome: ``fails`` where a rule does, ``unknown`` where one is not known, ``passes`` where all pass.
        exit_code: of the command: 0, 3 (not passed) or 4 (not enough evidence, and ``on_unknown`` is ``fail``).
        alpha: level of the rules.
        on_unknown: what is done where the facts are too few to tell.
        audit: which was looked at, from the folder of runs on.
        against: the baseline; None without one.
        file: that annotations point at, from the working folder: the one that states the rules, else the audit's
            summary.
        rules: in the order of the configuration.
        notes: what is to be known beside, sentences.
    """

    schema_version: int
    outcome: RuleOutcome
    exit_code: int
    alpha: float
    on_unknown: OnUnknown
    audit: str
    against: str | None
    file: str
    rules: tuple[RuleResult, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether a pipeline goes on."""
        return self.exit_code == PASSED

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        counts = {outcome: sum(one.outcome == outcome for one in self.rules) for outcome in ("fails", "unknown")}
        if self.outcome == "fails":
            also = f"; {counts['unknown']} not known" if counts["unknown"] else ""
            return f"The gate is not passed: {counts['fails']} of {len(self.rules)} rules fail{also}."
        if self.outcome == "unknown":
            needed = [one.facts_needed for one in self.rules if one.outcome == "unknown"]
            known = [number for number in needed if number is not None]
            enough = f" About {max(known):,} would be enough." if known and len(known) == len(needed) else ""
            let = {"fail": "", "warn": " That is a warning.", "pass": " That is let pass."}[self.on_unknown]
            return (
                f"Not enough evidence: the facts are too few to tell {counts['unknown']} of {len(self.rules)} "
                f"rules.{enough}{let}"
            )
        return f"The gate is passed: {len(self.rules)} rules are kept."


def outcome_of(rules: Sequence[RuleResult]) -> RuleOutcome:
    """Fails where one does, passes where all do."""
    found = {one.outcome for one in rules}
    return "fails" if "fails" in found else "unknown" if "unknown" in found else "passes"


def exit_code(outcome: RuleOutcome, on_unknown: OnUnknown) -> int:
    """Of the command."""
    if outcome == "fails":
        return NOT_PASSED
    return NOT_ENOUGH if outcome == "unknown" and on_unknown == "fail" else PASSED
