"""Reading a reply as an answer, and matching an answer with the gold one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction

from trialign.queries.statuses import ParseStatus
from trialign.queries.types import Query, TruthQuery

# Signs that carry meaning (- + / % # $ < >) stay, so that "-3", "C++" and "<" keep their identity.
_WRAPPING = " \t\r\n.,;:!?\"'`*_()[]{}“”‘’«»…。"
_EMPHASIS = str.maketrans("", "", "*_`\"'")
_LONGEST_NUMBER = 308

# Not inside a word ("H2O") nor after a decimal point ("2.5.1"); an underscore may be emphasis.
_NUMBER = re.compile(
    r"(?<![^\W_])(?<!\d\.)(?P<sign>[-+−])?[$€£]?"
    r"(?P<body>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<!\.)\.\d+)(?P<exponent>[eE][-+]?\d+)?"
)

# The closing sign or the line's end is required: "A dog" opens with an article, not with a label.
_LABEL = re.compile(
    r"(?:(?:the\s+)?(?:correct\s+|right\s+|best\s+)?(?:answer|option|choice)\b(?:\s+is\b)?\s*:?\s*)?"
    r"[(\[]?(?P<label>[a-z]|\d{1,2})(?:[)\]]|[.:](?=\s|$)|$)",
    re.IGNORECASE | re.ASCII,
)

_LIST_NUMBER = re.compile(r"^[ \t]*\d{1,2}[.)](?=\s)", re.MULTILINE)


@dataclass(frozen=True)
class ParsedAnswer:
    """What a reply says.

    Attributes:
        canonical: the option's own text, the number's normal form or the normalised text; None when
            the reply gives no single answer.
        status: how the answer was found (``exact``, ``label``, ``contained``, ``number``, ``text``), or
            why there is none (``ambiguous``, ``none``).
    """

    canonical: str | None
    status: ParseStatus


def normal_text(text: str) -> str:
    """Text for comparison: composed Unicode, case folded, single spaces, no wrapping punctuation."""
    composed = unicodedata.normalize("NFC", text).casefold()
    return " ".join(composed.split()).strip(_WRAPPING)


def canonical_number(text: str) -> str | None:
    """Normal form of a text that is one number, such as ``1234.5`` for ``$1,234.50``.

    Returns:
        Plain decimal digits without exponent, grouping or trailing zeros; None when the text is not
        one finite number, or is one that takes more than 308 characters to write.
    """
    match = _NUMBER.fullmatch(text.strip().removesuffix("%").rstrip())
    return _normal_form(match) if match else None


def parse_answer(query: Query, text: str) -> ParsedAnswer:
    """Read a reply as an answer to a query; never raises, whatever the text.

    - ``choice``: the reply is an option; or it opens with an option's label (``B``, ``(b)``, ``2.``); or
      it names exactly one option. A label and a differing named option are ``ambiguous``. Labels are not
      read where the options themselves look like labels.
    - ``numeric``: the last number of the reply; units, currency and per cent signs are dropped.
    - ``text``: the gold answer where the reply is or names it or an alias, as whole words outside a list's numbers;
      else the whole reply, by `normal_text`. A reply that names it only to deny it counts as naming it.
    """
    if query.answer_kind == "choice":
        return _parse_choice(query.options, text)
    if query.answer_kind == "numeric":
        number = _last_number(text)
        return ParsedAnswer(number, "none" if number is None else "number")
    return _parse_text(query, text)


def is_correct(query: TruthQuery, canonical: str | None) -> bool:
    """Whether a canonical answer, as `parse_answer` gives it, is the gold one; None never is."""
    if canonical is None:
        return False
    if query.answer_kind == "choice":
        return canonical == query.gold
    if query.answer_kind == "numeric":
        return _numbers_match(canonical, query.gold, query.tolerance)
    return normal_text(canonical) in {normal_text(right) for right in (query.gold, *query.aliases)}


def _normal_form(match: re.Match[str]) -> str | None:
    digits = match["body"].replace(",", "") + (match["exponent"] or "")
    if len(digits) > _LONGEST_NUMBER:
        return None
    try:
        number = Decimal(digits)
    except InvalidOperation:
        return None
    if not number:
        return "0"
    if abs(number.adjusted()) >= _LONGEST_NUMBER:  # spares writing out a billion zeros
        return None
    plain = format(number.normalize(Context(prec=_LONGEST_NUMBER)), "f")
    if len(plain) > _LONGEST_NUMBER:
        return None
    return f"-{plain}" if match["sign"] in ("-", "−") else plain


def _last_number(text: str) -> str | None:
    last = None
    for last in _NUMBER.finditer(text):  # noqa: B007
        pass
    return _normal_form(last) if last else None


def _numbers_match(answer: str, gold: str, tolerance: float) -> bool:
    left, right = canonical_number(answer), canonical_number(gold)
    if left is None or right is None:
        return False
    # Exact arithmetic: 1.1 is within 0.1 of 1.0, which it is not in binary floating point.
    return abs(Fraction(left) - Fraction(right)) <= Fraction(str(tolerance))


def _parse_text(query: Query, text: str) -> ParsedAnswer:
    canonical = normal_text(text)
    if not canonical:
        return ParsedAnswer(None, "none")
    if isinstance(query, TruthQuery):
        right = (query.gold, *query.aliases)
        if canonical in {normal_text(one) for one in right}:
            return ParsedAnswer(normal_text(query.gold), "text")
        if _named_options(right, _LIST_NUMBER.sub("", text)):
            return ParsedAnswer(normal_text(query.gold), "contained")
    return ParsedAnswer(canonical, "text")


def _parse_choice(options: Sequence[str], text: str) -> ParsedAnswer:
    equal = _equal_options(options, text)
    if equal:
        return _only(options, equal, "exact")
    labelled, named = _labelled_options(options, text), _named_options(options, text)
    if len(labelled) == 1:
        return _only(options, labelled if labelled <= named else labelled | named, "label")
    if named:
        return _only(options, named, "contained")
    return ParsedAnswer(None, "ambiguous" if labelled else "none")


def _only(options: Sequence[str], found: set[int], status: ParseStatus) -> ParsedAnswer:
    if len(found) > 1:
        return ParsedAnswer(None, "ambiguous")
    return ParsedAnswer(options[min(found)], status)


def _option_form(option: str) -> str:
    return normal_text(option) or option.strip()


def _equal_options(options: Sequence[str], text: str) -> set[int]:
    """Options that the whole reply equals; letter case decides where it can ("mW" and "MW")."""
    literal = {index for index, option in enumerate(options) if option.strip() == text.strip()}
    form = _option_form(text)
    return literal or {index for index, option in enumerate(options) if form and _option_form(option) == form}


def _labelled_options(options: Sequence[str], text: str) -> set[int]:
    """Options whose label opens the reply; several when further lines open with other labels."""
    lines = [line.strip() for line in text.translate(_EMPHASIS).splitlines() if line.strip()]
    labels = [match["label"].casefold() if (match := _LABEL.match(line)) else "" for line in lines]
    if not labels or not labels[0] or not _labels_are_clear(options, labels[0]):
        return set()
    same_sort = {label for label in labels if label and label.isdigit() == labels[0].isdigit()}
    positions = {int(label) - 1 if label.isdigit() else ord(label) - ord("a") for label in same_sort}
    return {position for position in positions if 0 <= position < len(options)}


def _labels_are_clear(options: Sequence[str], label: str) -> bool:
    """False where "2" or "B" could be meant as an option's content instead of its label."""
    if label.isdigit():
        return not any(character.isdigit() for option in options for character in option)
    return all(len(_option_form(option)) > 1 for option in options)


def _named_options(options: Sequence[str], text: str) -> set[int]:
    """Options that occur in the reply as whole words; a longer option hides those inside it."""
    forms = [_option_form(option) for option in options]
    longest_first = sorted((form for form in forms if form), key=len, reverse=True)
    if not longest_first:
        return set()
    either = "|".join(re.escape(form) for form in longest_first)
    found = set(re.findall(rf"(?<!\w)(?<!\d[.,])(?:{either})(?!\w|[.,]\d)", normal_text(text)))
    return {index for index, form in enumerate(forms) if form in found}
