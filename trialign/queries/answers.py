"""Reading a reply as an answer, and matching an answer with the gold one."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from fractions import Fraction

from trialign.queries.reading.choice import options_of
from trialign.queries.reading.cleaning import Cleaned, cleaned
from trialign.queries.reading.digits import written
from trialign.queries.reading.endings import breaks_off, stops_short
from trialign.queries.reading.free import right_of
from trialign.queries.reading.labels import Shown
from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.numbers import whole_number
from trialign.queries.reading.numeric import numeric_of
from trialign.queries.reading.tokens import tokens
from trialign.queries.reading.words import Cue
from trialign.queries.statuses import ParseStatus
from trialign.queries.types import Query, TruthQuery

# Signs that carry meaning (- + / % # $ < >) stay, so that "-3", "C++" and "<" keep their identity.
_WRAPPING = " \t\r\n.,;:!?\"'`*_()[]{}“”‘’«»…。"


@dataclass(frozen=True)
class ParsedAnswer:
    """What a reply says.

    Attributes:
        canonical: the option's own text, the number's normal form or the normalised text; None when
            the reply gives no single answer.
        status: how the answer was found (``exact``, ``label``, ``contained``, ``number``, ``text``), or
            why there is none (``ambiguous``, ``none``, ``refused``, ``cut_off``: it stops before its answer).
    """

    canonical: str | None
    status: ParseStatus


def normal_text(text: str) -> str:
    """Text for comparison: composed Unicode, case folded, single spaces, no wrapping punctuation."""
    composed = unicodedata.normalize("NFC", text).casefold()
    return " ".join(composed.split()).strip(_WRAPPING)


def canonical_number(text: str) -> str | None:
    """Normal form of a text that is one number, such as ``1234.5`` for ``$1,234.50`` and ``0.75`` for ``3/4``.

    Returns:
        Plain decimal digits without exponent, grouping or trailing zeros, or ``1/3`` where the digits would not
        end; None when the text is not one finite number, or is one that takes more than 308 characters to write.
    """
    value = whole_number(text)
    return None if value is None else written(value)


def parse_answer(query: Query, text: str, shown: Shown | None = None) -> ParsedAnswer:
    """Read a reply as an answer to a query; never raises, whatever the text.

    Thinking, special tokens and markup are taken off first. Where the reply denies, asks, reports or corrects an
    answer it is not read as giving it; a conclusion goes before what is merely named. In doubt nothing is read.

    - ``choice``: the option that the reply names by its text or its letter. Two without a conclusion, or a letter and a
      differing option's text, are ``ambiguous``.
    - ``numeric``: the number that is concluded, or that answers the question by its unit; else the last sentence's
      first. Units, currency and per cent signs are dropped.
    - ``text``: the gold answer where the reply gives it or an alias; else the whole reply, by `normal_text`.

    Args:
        query: the question.
        text: the whole reply.
        shown: how the prompt showed the options, where that is known: it decides whether "B" can be a letter where
            the options are letters themselves.
    """
    if text.strip() in query.options and (len(text.strip()) > 1 or shown != "lettered"):
        return ParsedAnswer(query.options[query.options.index(text.strip())], "exact")
    said = cleaned(text)
    parsed = _parsed(query, said, shown)
    if parsed.canonical is not None and (parsed.status != "text" or _is_right(query, parsed.canonical)):
        return parsed
    if said.cut_off and not said.said:
        return ParsedAnswer(None, "cut_off")
    if refuses(said.said) and parsed.status != "ambiguous":
        return ParsedAnswer(None, "refused")
    ending = tokens(said.said[-400:])
    cut_off = said.cut_off or breaks_off(ending) or (parsed.status != "ambiguous" and stops_short(ending) > 0)
    return ParsedAnswer(None, "cut_off") if cut_off and parsed.canonical is None else parsed


def refuses(said: str) -> bool:
    """Whether a reply declines to answer."""
    return any(one.value == Cue.REFUSAL for one in cues().find(tokens(said[:2000])))


def is_correct(query: TruthQuery, canonical: str | None) -> bool:
    """Whether a canonical answer, as `parse_answer` gives it, is the gold one; None never is."""
    if canonical is None:
        return False
    if query.answer_kind == "choice":
        return canonical == query.gold
    if query.answer_kind == "numeric":
        return _numbers_match(canonical, query.gold, query.tolerance)
    return normal_text(canonical) in {normal_text(right) for right in (query.gold, *query.aliases)}


def _is_right(query: Query, canonical: str | None) -> bool:
    return isinstance(query, TruthQuery) and is_correct(query, canonical)


def _parsed(query: Query, said: Cleaned, shown: Shown | None) -> ParsedAnswer:
    if query.answer_kind == "choice":
        position, status = options_of(query.options, query.question, shown).read(said)
        return ParsedAnswer(None if position is None else query.options[position], status)
    if query.answer_kind == "numeric":
        return ParsedAnswer(*numeric_of(query.question).read(said))
    return _parse_text(query, said)


def _parse_text(query: Query, said: Cleaned) -> ParsedAnswer:
    canonical = normal_text(said.marked[-1] if said.marked else said.said)
    if not canonical:
        return ParsedAnswer(None, "none")
    if isinstance(query, TruthQuery):
        status = right_of((query.gold, *query.aliases), query.question).read(said)
        if status == "ambiguous":
            return ParsedAnswer(None, "ambiguous")
        if status:
            return ParsedAnswer(normal_text(query.gold), status)
        if canonical in {normal_text(right) for right in (query.gold, *query.aliases)} or _says_nothing(said.said):
            return ParsedAnswer(None, "none")  # its words are the right ones, and it does not stand behind them
    return ParsedAnswer(canonical, "text")


def _says_nothing(said: str) -> bool:
    """Whether a reply is no more than "I don't know"."""
    row = tokens(said)
    found = cues().find(row)
    return any(one.value == Cue.UNKNOWN for one in found) and sum(token.kind != "mark" for token in row) <= 12


def _numbers_match(answer: str, gold: str, tolerance: float) -> bool:
    left, right = canonical_number(answer), canonical_number(gold)
    if left is None or right is None:
        return False
    # Exact arithmetic: 1.1 is within 0.1 of 1.0, which it is not in binary floating point.
    return abs(Fraction(left) - Fraction(right)) <= Fraction(str(tolerance))
