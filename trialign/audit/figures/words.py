"""A verdict in plain words: the sentence that leads, and one for each part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.checks import Check, Outcome
from trialign.audit.figures.facts import FactAnalysis
from trialign.audit.figures.lengths import ByLength
from trialign.audit.figures.parts import PARTS, Part, PartName
from trialign.audit.figures.replies import in_words
from trialign.audit.figures.verdict import Reason, Verdict, VerdictOutcome

PART_NAMES: dict[PartName, str] = {
    "equally_right": "equally right",
    "same_answers": "the same answers",
    "right_at_all": "right at all",
    "answered": "answered",
}
SIGNS: dict[VerdictOutcome, str] = {"holds": "✓", "fails": "✗", "unknown": "?", "cannot_be_judged": "!"}
TITLES: dict[VerdictOutcome, str] = {
    "holds": "The same facts for all",
    "fails": "Not the same facts for all",
    "unknown": "Not enough evidence",
    "cannot_be_judged": "Cannot be judged",
}
_OUTCOMES: dict[Outcome, str] = {"holds": "holds", "fails": "fails", "unknown": "not known yet"}
_EXTREMES: dict[Outcome, str] = {"holds": "hold", "fails": "fail", "unknown": "be open"}
_ASKED: dict[PartName, str] = {
    "equally_right": "the groups are right equally often",
    "same_answers": "they get the same answers",
    "right_at_all": "these are right often enough",
    "answered": "enough replies hold an answer",
}
_NAMED = 3  # pairs or slices that a sentence names


def title(verdict: Verdict) -> str:
    """The verdict in a few words."""
    compared = verdict.parts["same_answers"].figure is not None
    failing = [name for name in PARTS if verdict.parts[name].outcome == "fails"]
    if verdict.outcome == "fails" and failing == ["right_at_all"]:
        return "Facts too often wrong"
    if verdict.outcome == "unknown" and not compared:
        return "Nothing to compare"
    return TITLES[verdict.outcome]


def part_outcome(name: PartName, verdict: Verdict) -> tuple[str, str]:
    """Sign and word of a part."""
    outcome = verdict.parts[name].outcome
    if (verdict.scores or verdict.outcome) == "cannot_be_judged" and name != "answered":
        return "–", "not judged"
    return SIGNS[outcome], _OUTCOMES[outcome]


def lead(verdict: Verdict, facts: FactAnalysis, bounds: Bounds, names: Mapping[str, str] | None = None) -> str:
    """The sentence that leads.

    Args:
        verdict: with its parts.
        facts: what it was judged by.
        bounds: set before the audit.
        names: group -> how it is called; None: by its name.
    """
    told = _Told(verdict, facts, bounds, names or {})
    said = {
        "cannot_be_judged": told.not_judged,
        "fails": told.failing,
        "holds": told.holding,
        "unknown": told.open,
    }[verdict.outcome]()
    where = ""
    if verdict.exceptions:
        but = "It holds in" if verdict.outcome == "fails" else "But not in"
        where = f" {but} {_listed(verdict.exceptions, _NAMED)}."
    return f"{title(verdict)}: {said}{where}"


def part_words(
    name: PartName, verdict: Verdict, facts: FactAnalysis, bounds: Bounds, names: Mapping[str, str] | None = None
) -> str:
    """One part's figures in a sentence; arguments as `lead` takes them."""
    told, part = _Told(verdict, facts, bounds, names or {}), verdict.parts[name]
    words = told.part(name)
    if name != "answered" and verdict.outcome == "cannot_be_judged":
        words += ", unread replies counted as wrong"
    if part.exceptions:
        words += f"; but not in {_listed(part.exceptions, _NAMED)}"
    if part.outcome == "unknown" and part.facts_needed:
        return f"{words}. About {part.facts_needed:,} facts would tell."
    return f"{words}."


def verdict_parts(
    verdict: Verdict | None, facts: FactAnalysis | None, bounds: Bounds, names: Mapping[str, str] | None = None
) -> list[tuple[str, str, str, str]]:
    """Name, sign, word of the outcome and sentence of every part; none without facts."""
    if verdict is None or facts is None:
        return []
    return [
        (PART_NAMES[part], *part_outcome(part, verdict), part_words(part, verdict, facts, bounds, names))
        for part in PARTS
    ]


def guessing(facts: FactAnalysis) -> str:
    """What accuracy is to be seen beside; empty where no question has options."""
    return "" if facts.chance is None else _guessing(facts.chance, facts) + _by_length(facts.by_length)


def _by_length(found: ByLength | None) -> str:
    """What is right by length alone, and how often a shortest option is chosen; empty where that is not known."""
    if found is None:
        return ""
    shortest, longest = _share(found.always_shortest), _share(found.always_longest)
    return (
        f", always a shortest option {shortest}, always a longest {longest}; a shortest option is chosen in "
        f"{_share(found.mean.value)} of the answers (by guessing {_share(found.guessed)})"
    )


def _guessing(share: float | None, facts: FactAnalysis) -> str:
    some = f" on the {facts.n_choices:,} questions with options" if facts.n_choices < facts.n_questions else ""
    return f"guessing gives {_share(share)}{some}"


@dataclass(frozen=True)
class _Told:
    """Figures of one audit in words."""

    verdict: Verdict
    facts: FactAnalysis
    bounds: Bounds
    names: Mapping[str, str]

    def called(self, group: str | None) -> str:
        return self.names.get(group, group) if group else "a group"

    @property
    def count(self) -> str:
        return f"{self.facts.n_clusters:,} facts"

    def holding(self) -> str:
        return (
            f"right equally often within {_bound(self.bounds.delta)} points, the same answers on all but "
            f"{_share(self.verdict.parts['same_answers'].figure)} of the facts, right for every group on "
            f"{_share(self.facts.right_for_all.value)} ({self.count})."
        )

    def failing(self) -> str:
        first, *others = [name for name in PARTS if self.verdict.parts[name].outcome == "fails"]
        also = f" Also fails: {_listed([PART_NAMES[name] for name in others], len(PARTS))}." if others else ""
        hidden = self.verdict.parts["equally_right"].exceptions
        also += f" Not right equally often in {_listed(hidden, _NAMED)}." if hidden else ""
        return f"{self.part(first, brief=True)} ({self.count}).{also}"

    def open(self) -> str:
        if len(self.facts.accuracy) < 2:
            return f"a single group was asked {self.count}."
        parts = {name: part for name, part in self.verdict.parts.items() if part.outcome == "unknown"}
        words = f"{self.count} do not show whether {_listed([_ASKED[name] for name in parts], len(PARTS))}."
        needed = [part.facts_needed or 0 for part in parts.values()]
        return f"{words} About {max(needed):,} facts would tell." if all(needed) else words

    def not_judged(self) -> str:
        first, *others = self.verdict.reasons
        also = {"unread_differ": " Nor are the groups answered alike.", "extremes": " The verdict hangs on them."}
        return f"{self._why(first)}.{''.join(also[reason] for reason in others if reason in also)}"

    def _why(self, reason: Reason) -> str:
        replies = self.facts.replies
        most, least = (pick(replies, key=lambda group: replies[group].unread) for pick in (max, min))
        if reason == "extremes":
            wrong, right = self.verdict.extremes or ("unknown", "unknown")
            shares = f"{_share(self.facts.no_answer.value)} of the replies hold no answer"
            if wrong == right:
                return f"{shares}, and which groups are better depends on whether they are counted as wrong or as right"
            first, other = _EXTREMES[wrong], _EXTREMES[right]
            return f"{shares}; were they wrong, the verdict would {first}, and were they right, {other}"
        unread = (
            f"{_share(replies[most].unread)} of the replies to {self.called(most)} hold no answer "
            f"({in_words(replies[most])})"
        )
        if reason == "unread":
            return f"{unread}, and at most {_bound(self.bounds.most_unread)} % may"
        alike = next(check for check in self.verdict.parts["answered"].checks if check.p_value is not None)
        return (
            f"{unread}, and {_share(replies[least].unread)} of those to {self.called(least)}: more than chance makes "
            f"({_p(alike.p_value)})"
        )

    def part(self, name: PartName, *, brief: bool = False) -> str:
        part = self.verdict.parts[name]
        if part.figure is None:
            return "a single group has nobody to be compared with"
        if name == "equally_right":
            return self._equally_right(part, brief=brief)
        if name == "same_answers":
            return f"on {_against(part.checks[0], brief)} of the facts not all groups get the same answer{self._beyond}"
        return self._right_at_all(part, brief=brief) if name == "right_at_all" else self._answered(part)

    def _equally_right(self, part: Part, *, brief: bool) -> str:
        gap, within = self.facts.gap, f"{_bound(self.bounds.delta)} points"
        assert gap is not None
        accuracy = {group: one.value or 0.0 for group, one in self.facts.accuracy.items()}
        best, worst = (pick(accuracy, key=lambda group: accuracy[group]) for pick in (max, min))
        chance = f"where chance alone gives {_points(gap.noise)} ({_p(gap.p_value)})"
        there = gap.p_value <= self.bounds.alpha
        if part.outcome == "holds":
            smaller = f"; a smaller difference is there, {chance}" if there else ""
            return f"any two groups differ by less than {within}, {_points(gap.value)} were seen{smaller}"
        if best == worst:
            return f"every group gets {_share(accuracy[best])} right answers; chance alone gives {_points(gap.noise)}"
        words = (
            f"{self.called(best)} gets {_share(accuracy[best])} right answers, {self.called(worst)} "
            f"{_share(accuracy[worst])}, a gap of {_points(gap.value)}, {chance}"
        )
        if part.outcome == "fails":
            return words if brief else f"{words}{self._differing()}"
        open_still = there and self.verdict.outcome != "cannot_be_judged"
        return f"{words}; whether a difference above {within} is there is not known" if open_still else words

    def _differing(self) -> str:
        found = [pair for pair in self.facts.pairs if pair.p_holm <= self.bounds.alpha]
        if len(self.facts.accuracy) < 3 or not found:
            return ""
        found.sort(key=lambda pair: -abs(pair.difference))
        named = [f"{self.called(pair.first)} – {self.called(pair.second)}" for pair in found]
        return f"; pairs that differ: {_listed(named, _NAMED)}"

    @property
    def _beyond(self) -> str:
        flips = self.facts.excess_flips
        if flips is not None and flips.n_wordings > 1:
            return ", beyond what another wording of one profile changes"
        if flips is not None and flips.n_repeats > 1:
            return ", beyond what asking the same agent again changes"
        return ""

    def _right_at_all(self, part: Part, *, brief: bool) -> str:
        right, wrong, *luck = part.checks
        words = f"right for every group on {_against(right, brief)} of the facts"
        if len(self.facts.accuracy) < 2:
            words = f"right on {_against(right, brief)} of the facts"
        words += f", the same wrong answer for all on {_against(wrong, brief)}"
        if not luck:
            return words
        [choice] = luck
        above = "" if choice.outcome == "holds" else f", and {self.called(choice.group)} is not shown to be above that"
        return f"{words}; {_guessing(choice.bound, self.facts)}{above}"

    def _answered(self, part: Part) -> str:
        if not any(one.unread for one in self.facts.replies.values()):
            return "every reply was read"
        shares = part.checks[0]
        why = in_words(self.facts.replies[shares.group]) if shares.group else ""
        words = f"{_against(shares)} of the replies to {self.called(shares.group)} hold no answer"
        words += f" ({why})" if why else ""
        alike = [check for check in part.checks if check.p_value is not None]
        if not alike:
            return words
        how = "not alike over the groups" if alike[0].outcome == "fails" else "alike over the groups, but for chance"
        return f"{words}; {how} ({_p(alike[0].p_value)})"


def _against(check: Check, brief: bool = False) -> str:
    """A figure, its interval and its bound."""
    ends = "" if check.low is None or check.high is None else f"{100 * check.low:.1f} to {100 * check.high:.1f} %; "
    return f"{_share(check.figure)} ({'' if brief else ends}{check.side} {_bound(check.bound)} %)"


def _listed(words: Sequence[str], most: int) -> str:
    named = list(words[:most])
    if len(words) > most:
        named.append(f"{len(words) - most} more")
    return f"{', '.join(named[:-1])} and {named[-1]}" if named[:-1] else named[0]


def _bound(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:g}"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _p(p_value: float | None) -> str:
    if p_value is None:
        return "p not known"
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def lowered(sentence: str) -> str:
    """The sentence as it stands within another one: it begins small."""
    return sentence[:1].lower() + sentence[1:]
