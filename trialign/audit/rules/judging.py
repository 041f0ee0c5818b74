"""Every rule against an audit, and against a baseline; what fails is corrected for the number of rules (Holm, 1979)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache

from trialign.audit.figures.checks import Check, Levels, Outcome
from trialign.audit.figures.parts import PartName, equally_right, evidence
from trialign.audit.figures.verdict import Verdict, judge
from trialign.audit.figures.words import lead, part_words
from trialign.audit.rules.config import GateConfig, Way
from trialign.audit.rules.figures import FIGURES, bound_check, change_check
from trialign.audit.rules.golden import golden_facts
from trialign.audit.rules.other_facts import compared_of, other_facts_check
from trialign.audit.rules.result import RuleOutcome, RuleResult
from trialign.audit.rules.sides import Side
from trialign.audit.rules.words import check_words
from trialign.errors import UserError

OUTCOMES: Mapping[Outcome, RuleOutcome] = {"holds": "passes", "fails": "fails", "unknown": "unknown"}
# Keys of `GateConfig` that hold a figure against a bound -> the figure.
_BOUNDED = {
    "worst": "accuracy",
    "right_for_all": "right_for_all",
    "flips": "flips",
    "wrong_together": "wrong_together",
    "no_answer": "no_answer",
    "refused": "refused",
    "kept": "kept",
}


@dataclass(frozen=True)
class Judged:
    """A rule's check, and a sentence where the figure has words of its own."""

    check: Check
    sentence: str = ""


@dataclass(frozen=True)
class Rule:
    """A rule that is judged by intervals.

    Attributes:
        key: in the configuration.
        way: in which the audit answered.
        judged: from the number of rules that what fails is corrected for.
    """

    key: str
    way: Way
    judged: Callable[[int], Judged]


def judged_rules(config: GateConfig, sides: Mapping[Way, Side], before: Mapping[Way, Side]) -> tuple[RuleResult, ...]:
    """Every rule.

    A rule passes where it is shown to be kept, with a chance of at most alpha where its figure is at the bound: all
    have to pass, so no correction is needed (Berger, 1982). A rule fails where it is shown to be broken, corrected by
    Holm's steps: that any rule fails where all are kept has a chance of at most alpha.

    Args:
        config: the rules.
        sides: the audit, in the ways that are looked at.
        before: the baseline in the same ways; empty without one.

    Raises:
        UserError: a rule is about what the audit did not ask, or a comparer is not good enough for its rule.
    """
    if config.other_facts is not None and "words" not in sides:
        raise UserError(
            "The rule other_facts is about replies in words, and none are looked at",
            "Audit in words (audit.answers=[scored, replies]) and leave them among gate.ways, or leave this rule out",
        )
    rules = [rule for way, side in sides.items() for rule in _rules(config, way, side, before.get(way))]
    several = len(sides) > 1
    found = [_result(rule, judged, several) for rule, judged in zip(rules, _by_holm(rules, config.alpha), strict=True)]
    return (*found, *golden_facts(config.golden, sides))


def _by_holm(rules: Sequence[Rule], alpha: float) -> list[Judged]:
    """Each rule at the level that Holm's steps end at: alpha by the rules that do not fail before."""
    failed: set[int] = set()
    while True:
        left = max(len(rules) - len(failed), 1)
        judged = [rule.judged(left) for rule in rules]
        now = {number for number, one in enumerate(judged) if one.check.outcome == "fails"}
        if now <= failed or len(now | failed) == len(rules):
            return judged
        failed |= now


def _rules(config: GateConfig, way: Way, side: Side, before: Side | None) -> Iterator[Rule]:
    if config.verdict or config.parts:
        yield from _verdict_rules(config, way, side)
    for key, name in _BOUNDED.items():
        bound = getattr(config, key)
        if bound is not None:
            yield Rule(key, way, _bounded(name, side, bound, config.alpha))
    if config.gap is not None:
        yield Rule("gap", way, _gap(side, config.gap, config.alpha))
    if config.other_facts is not None and way == "words":
        yield Rule("other_facts", way, _other_facts(side, config.other_facts, config))
    for one in fields(config.regression):
        margin = getattr(config.regression, one.name)
        if margin is not None and before is not None:
            yield Rule(f"regression.{one.name}", way, _changed(one.name, before, side, margin, config.alpha))


def _bounded(name: str, side: Side, bound: float, alpha: float) -> Callable[[int], Judged]:
    return lambda number: Judged(bound_check(FIGURES[name], side, bound, Levels(alpha, alpha / number)))


def _changed(name: str, before: Side, after: Side, margin: float, alpha: float) -> Callable[[int], Judged]:
    def judged(number: int) -> Judged:
        check, unread = change_check(FIGURES[name], before, after, margin, Levels(alpha, alpha / number))
        return Judged(check, check_words(f"regression.{name}", check, unread_decide=unread))

    return judged


def _other_facts(side: Side, bound: float, config: GateConfig) -> Callable[[int], Judged]:
    compared = compared_of(side.compared, config.comparer_quality)
    return lambda number: Judged(other_facts_check(compared, bound, Levels(config.alpha, config.alpha / number)))


def _gap(side: Side, bound: float, alpha: float) -> Callable[[int], Judged]:
    if side.facts is None or len(side.facts.groups) < 2:
        raise UserError("The rule on the gap compares the facts of two groups or more", "Leave this rule out")
    bounds = replace(side.bounds, delta=bound, alpha=alpha)
    found = evidence(side.facts, bounds, side.analysis.seed)
    return lambda number: Judged(equally_right(found, bounds, Levels(alpha, alpha / number))[0].checks[0])


def _verdict_rules(config: GateConfig, way: Way, side: Side) -> Iterator[Rule]:
    panel, facts = side.facts, side.analysis.facts
    if panel is None or facts is None:
        raise UserError("The rule on the verdict is about facts, and the audit asked none", "Set verdict=false")
    bounds, seed = replace(side.bounds, alpha=config.alpha), side.analysis.seed
    wrong = evidence(panel, bounds, seed)
    right = evidence(panel.unread_as_right(), bounds, seed) if (panel.replies > 0).any() else None

    @cache
    def verdict(number: int) -> Verdict:
        return judge(wrong, right, bounds, seed, number)

    def whole(number: int) -> Judged:
        found = verdict(number)
        return Judged(_verdict_check(found), lead(found, facts, bounds))

    def part(name: PartName) -> Callable[[int], Judged]:
        def judged(number: int) -> Judged:
            found = verdict(number)
            return Judged(_part_check(name, found), part_words(name, found, facts, bounds))

        return judged

    if config.verdict:
        yield Rule("verdict", way, whole)
    for name in config.parts:
        yield Rule(f"parts.{name}", way, part(name))


def _verdict_check(found: Verdict) -> Check:
    """What the verdict comes to: one that cannot be judged as too few replies hold an answer is not to be released."""
    outcome: Outcome
    if found.outcome == "cannot_be_judged":
        outcome = "fails" if found.parts["answered"].outcome == "fails" else "unknown"
    else:
        outcome = found.outcome
    needed = [part.facts_needed for part in found.parts.values() if part.outcome == "unknown"]
    known = [number for number in needed if number is not None]
    enough = max(known) if outcome == "unknown" and known and len(known) == len(needed) else None
    return Check("verdict", None, None, None, None, "at least", outcome, enough)


def _part_check(name: PartName, found: Verdict) -> Check:
    part = found.parts[name]
    low, high = part.interval or (None, None)
    side = part.checks[0].side if part.checks else "at most"
    return Check(name, part.figure, low, high, part.bound, side, part.outcome, part.facts_needed)


def _result(rule: Rule, judged: Judged, several: bool) -> RuleResult:
    check = judged.check
    return RuleResult(
        rule=rule.key,
        way=rule.way if several else None,
        subject=None,
        outcome=OUTCOMES[check.outcome],
        figure=check.figure,
        low=check.low,
        high=check.high,
        bound=check.bound,
        side=None if rule.key == "verdict" else check.side,
        group=check.group,
        facts_needed=check.facts_needed,
        sentence=judged.sentence or check_words(rule.key, check),
    )
