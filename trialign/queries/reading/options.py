"""Finding the texts of options, or of right answers, in a reply."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from trialign.queries.reading.arithmetic import is_operand
from trialign.queries.reading.asides import is_small_word
from trialign.queries.reading.clauses import Mention, few
from trialign.queries.reading.cleaning import unmarked
from trialign.queries.reading.digits import convention
from trialign.queries.reading.labels import placed_as_answer, stands_as_sign
from trialign.queries.reading.languages import spoken_in
from trialign.queries.reading.lexicon import Found, Phrases, cues
from trialign.queries.reading.numbers import Number, numbers, whole_number
from trialign.queries.reading.tokens import Level, Token, form, tokens
from trialign.queries.reading.typography import plain
from trialign.queries.reading.units import UNITS
from trialign.queries.reading.words import word_set

_ARTICLES = word_set(
    "the a an el la los las le les l un una une der die das den dem ein eine o os as um uma il lo gli i ال"
)
# "It goes up" is found in "The risk goes up".
_SUBJECTS = word_set("it they he she there")
# Small words of sentences: a text that is spelled like one is found by its capitals.
_SMALL_WORDS = word_set(
    "je tu il elle nous vous ils elles qui que quoi ich du sie wir ihr yo tú él io lui lei noi voi eu ele ela "
    "nós я ты он она мы вы "
    "us it who am or in a i is be as at on so we he me may will can an if by do go to up my of ok hi all and but for "
    "the not you are was has had she him her his its our they them this that what when why how one two might must nice "
    "reading es il la le lo un de da du sol si se son sur est en et ou por con sin del den der das die ist im zu bei "
    "und oder am an au aux ce on ne ni al os nos mi me te ti er wer wir se"
)
# Options that are such words are named by other sentences at every turn.
_AUXILIARY = word_set(
    "may might can will would must all i you we they it he she is as by do go to us me my if in on or"
)
_INTERJECTIONS = word_set("ok no so well oh ha hi hm ah yes hey")
# Words that capitals make an acronym.
_ACRONYMS = word_set(
    "aids led art gas oil car bat cat mark arm map pin ram set sad fat ice who let act lot age act raw sir mad"
)


def is_common(text: str) -> bool:
    """Whether a text is spelled like a small word of sentences."""
    return text.casefold() in _SMALL_WORDS | _AUXILIARY


# Texts of no more letters can be the spelling of a word in some language.
_SHORT = 2


class Texts:
    """Texts to be found in replies, each with the answer for which it stands.

    Attributes:
        level: how leniently they are compared: as far as they stay different.
        literal: they differ by markup (``<br>`` and ``<p>``), so that a reply's markup is to be kept.
    """

    def __init__(self, texts: Sequence[str], values: Sequence[int]) -> None:
        self._values = list(values)
        self._of_choice = len(set(values)) > 1
        self._texts = [unmarked(text) for text in texts]
        self.literal = self._collide([plain(text) for text in self._texts], range(len(texts)))
        if self.literal:
            self._texts = [plain(text).strip() for text in texts]
        self.level = next((level for level in reversed(Level) if not self._keys_collide(level)), Level.SURFACE)
        self._by_marks = not self.literal and self._of_choice and self._differ_by_marks()
        entries = [(text, index) for index, text in enumerate(self._texts)]
        if self.level == Level.STEM:
            entries += [(bare, index) for bare, index in self._without_articles()]
            known = {_squashed(text) for text in self._texts}
            entries += [(one, index) for index, text in enumerate(self._texts) for one in _spellings(text, known)]
        self._phrases = Phrases(entries, self.level)
        self._rows = [[token for token in tokens(text) if token.kind != "mark"] for text in self._texts]

    def _collide(self, keys: Sequence[object], places: range) -> bool:
        owners: dict[object, int] = {}
        return any(
            owners.setdefault(key, self._values[place]) != self._values[place] or not key
            for key, place in zip(keys, places, strict=True)
        )

    def _keys_collide(self, level: Level) -> bool:
        keys = [tuple(form(token, level) for token in tokens(text) if token.kind != "mark") for text in self._texts]
        if level == Level.STEM:
            keys = [key[1:] if len(key) > 1 and key[0] in _ARTICLES else key for key in keys]
        return self._collide(keys, range(len(keys)))

    def _differ_by_marks(self) -> bool:
        """Whether each has a word, and two have the same ones."""
        worded = all(any(token.kind != "mark" for token in tokens(text)) for text in self._texts)
        return worded and self._keys_collide(Level.SURFACE)

    def _without_articles(self) -> Iterator[tuple[str, int]]:
        for index, text in enumerate(self._texts):
            words = [token for token in tokens(text) if token.kind != "mark"]
            first = form(words[0], Level.FOLD) if words else ""
            if (len(words) > 1 and first in _ARTICLES) or (len(words) > 2 and first in _SUBJECTS):
                yield text[words[1].start :], index

    @cached_property
    def amounts(self) -> list[tuple[object, str]] | None:
        """Value and unit of every text where each is a number with one common unit or none; else None."""
        found = [_amount(text) for text in self._texts]
        if any(one is None for one in found) or len({unit for _, unit in found if unit} if all(found) else {1, 2}) > 1:  # type: ignore[misc]
            return None
        values = [one[0] for one in found if one]
        return None if self._collide(values, range(len(values))) else [one for one in found if one]

    def whole(self, reply: str) -> set[int]:
        """What a whole reply equals; the strictest comparison under which it equals anything decides."""
        if self.amounts:
            value = whole_number(reply.strip().strip("\"'.") if not reply.strip().startswith(".") else reply)
            return {owner for (own, _), owner in zip(self.amounts, self._values, strict=True) if own == value}
        row = [token for token in tokens(reply) if token.kind != "mark"]
        for level in Level:
            key = tuple(form(token, level) for token in row)
            found = {
                value
                for value, own in zip(self._values, self._rows, strict=True)
                if key
                and key
                in (
                    mine := tuple(form(token, level) for token in own),
                    mine[1:] if level == Level.STEM and mine and mine[0] in _ARTICLES else mine,
                )
            }
            if found:
                return found
        if self.level == Level.STEM and not self._of_choice and 1 < len(row) <= 4:
            words = sorted(form(token, Level.STEM) for token in row)
            rows = zip(self._values, self._rows, strict=True)
            found = {value for value, own in rows if sorted(form(token, Level.STEM) for token in own) == words}
            if found:
                return found
        if self.level == Level.STEM and (squashed := _squashed(reply)):
            parted = zip(self._values, self._rows, self._texts, strict=True)
            found = {
                value
                for value, own, text in parted
                if (len(own) > 1 or len(row) == 1 or "-" in reply) and _squashed(text) == squashed
            }
            if found:
                return found
        stripped = reply.strip()
        return {value for value, text in zip(self._values, self._texts, strict=True) if text and text == stripped}

    def find(self, text: str, row: Sequence[Token], question: str) -> list[Mention]:
        """Every place where a text is named, in order."""
        if self.amounts:
            return self._by_value(text, row, question)
        if self._by_marks:
            return list(self._literally(text, row))
        words = [token for token in row if token.kind != "mark"]
        whole = {len(words)} & {len(own) for own in self._rows} if len(words) < 12 else set()
        asked = frozenset(word.casefold() for word in re.findall(r"\w+", question))
        found = list(self._quoted_marks(text, row))
        for one in self._phrases.find(row):
            own = self._rows[one.value]
            if self._stands(text, row, one, own, asked, alone=bool(whole) and one.last - one.first >= len(words)):
                found.append(Mention(one.first, one.last, self._values[one.value]))
        return found

    def _literally(self, text: str, row: Sequence[Token]) -> Iterator[Mention]:
        """Texts that differ by marks alone ("its" and "its'"), sign by sign; the longest at each place."""
        listed = sorted(zip(self._texts, self._values, strict=True), key=lambda one: -len(one[0]))
        values = {one.casefold(): value for one, value in listed}
        if len(values) < len(self._texts):
            return
        joined = "|".join(re.escape(one) for one, _ in listed if one)
        for match in re.finditer(rf"(?<![\w'])(?:{joined})(?!'?\w)", text, re.IGNORECASE):
            value = values[match[0].casefold()]
            first = next((i for i, token in enumerate(row) if token.end > match.start()), len(row))
            last = next((i for i, token in enumerate(row) if token.start >= match.end()), len(row))
            yield Mention(first, last, value)

    def _quoted_marks(self, text: str, row: Sequence[Token]) -> Iterator[Mention]:
        """Texts that are nothing but punctuation, where a reply quotes them."""
        for value, own, surface in zip(self._values, self._rows, self._texts, strict=True):
            if not own and surface:
                for match in re.finditer(rf"([\"'`(\[]){re.escape(surface)}[\"'`)\]]", text):
                    first = next((i for i, token in enumerate(row) if token.start >= match.start()), len(row))
                    last = next((i for i, token in enumerate(row) if token.start >= match.end()), len(row))
                    yield Mention(first, last, value)

    def _by_value(self, text: str, row: Sequence[Token], question: str) -> list[Mention]:
        assert self.amounts
        owners = {value: owner for (value, _), owner in zip(self.amounts, self._values, strict=True)}
        found = []
        for number in few(numbers(text, row, spoken_in(text, plain(question)), convention(text, question))):
            if (
                number.ranged
                or self._other_unit(text, number)
                or is_operand(text, number)
                or (number.spelled and abs(number.readings[0]) <= 1 and not _is_bare(text, number))
                or (number.spelled and is_small_word(row, _tokens_of(row, number)))
            ):
                continue
            for reading in number.readings:
                if reading in owners:
                    found.append(Mention(*_tokens_of(row, number), owners[reading]))
        return found

    def _other_unit(self, text: str, number: Number) -> bool:
        """Whether another unit than the texts' stands behind a number, or the ending of an ordinal."""
        assert self.amounts
        following = re.match(r"\s?(°?[A-Za-zµ]+)", text[number.end : number.end + 12])
        if not following:
            return False
        unit = next((unit for _, unit in self.amounts if unit), "")
        ordinal = following[1] in ("st", "nd", "rd", "th") and text[number.end].isalpha()
        return ordinal or (following[1] in UNITS and unit in UNITS and following[1] != unit)

    def _stands(
        self,
        text: str,
        row: Sequence[Token],
        one: Found[int],
        own: Sequence[Token],
        asked: frozenset[str],
        *,
        alone: bool,
    ) -> bool:
        """Whether a find is the text itself, and no part of another word, number or name."""
        first, last = row[one.first], row[one.last - 1]
        before, after = text[: first.start][-2:], text[last.end : last.end + 2]
        if _runs_on(first, last, before, after):
            return False
        if alone:
            return True
        surface = self._texts[one.value].strip()
        if len(own) == one.last - one.first + 1 and one.last - one.first == 1:  # "Who" of "The Who"
            own, surface = own[1:], own[1].text
        if len(own) != 1:
            return True
        if own[0].kind == "sign":
            return not re.search(r"[^\s'\"(\[:\u0e00-\uffff]$", before) and not re.match(
                r"[^\s'\".,)\]!?;\u0e00-\uffff]", after
            )
        if own[0].kind == "unspaced":
            return stands_as_sign(text, row, one.first)
        if (
            own[0].kind == "word"
            and len(own[0].text) == 1
            and (own[0].text.isascii() or "а" <= own[0].text.lower() <= "я")
        ):
            lenient = self._of_choice and self.level >= Level.CASE and own[0].text not in "aio"
            same = first.text == own[0].text or (lenient and first.text.casefold() == own[0].text)
            return same and stands_as_sign(text, row, one.first)
        small = (len(surface) <= _SHORT and not self._of_choice) or surface.casefold() in _SMALL_WORDS
        small |= surface.isupper() and surface.casefold() in _ACRONYMS
        if surface.casefold() in _INTERJECTIONS and not self._of_choice and after[:1] in (",", "!") and len(row) > 4:
            return False
        if small and surface[:1].isupper() and len(own[0].text) > 1:
            return first.text == own[0].text and (first.text.isupper() or not _opens_sentence(row, one.first))
        if self._of_choice and surface[:1].isupper() and _names_on(row, one.last, asked):
            return False
        if surface in _SMALL_WORDS and first.text.isupper() and len(surface) > 1:
            return text.isupper()
        if surface in _SMALL_WORDS and (not self._of_choice or surface in _AUXILIARY):
            return placed_as_answer(text, row, one.first, one.last)
        return True


_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae"})
_LONG = 6


def _squashed(text: str) -> str:
    """The letters of a longer text in one row, so that "Spiderman" is "Spider-Man"; empty for a short one."""
    row = tokens(text.casefold().translate(_UMLAUTS))
    rows = [form(token, Level.FOLD) for token in row if token.kind in ("word", "number")]
    joined = "".join(rows[1:] if len(rows) > 1 and rows[0] in _ARTICLES else rows)
    return joined if len(joined) >= _LONG else ""


def _spellings(text: str, known: set[str]) -> Iterator[str]:
    """Other spellings of a text: hyphens left out or written as blanks, umlauts as two letters."""
    lower = text.casefold()
    for one in (lower.replace("-", ""), lower.replace("-", "").replace(" ", ""), lower.translate(_UMLAUTS)):
        if one != lower and len(one) >= _LONG and (_squashed(one) == _squashed(text) or _squashed(one) not in known):
            yield one


_PRONOUNS = word_set("it he she who that this what we they us her his es er wer was ce on no")


def _opens_sentence(row: Sequence[Token], place: int) -> bool:
    """Whether the capital of a word may be due to its place, and a small word follows."""
    opens = place == 0 or (row[place - 1].kind == "mark" and row[place - 1].text in ".!?\n;")
    following = row[place + 1] if place + 1 < len(row) else None
    return (
        opens
        and following is not None
        and following.kind == "word"
        and (
            row[place].text.casefold() in _PRONOUNS
            or following.text.casefold() not in ("is", "was", "est", "ist", "es", "é", "è", "stands")
        )
    )


def _names_on(row: Sequence[Token], place: int, asked: frozenset[str]) -> bool:
    """Whether a name goes on with another capitalised word, as "Paris Hilton" does; not with one of the question's."""
    following = row[place] if place < len(row) else None
    if following is None or following.kind != "word" or not following.text.istitle() or len(following.text) < 2:
        return False
    if following.text.casefold() in asked:
        return False
    return not cues().find([following]) and following.start == row[place - 1].end + 1


def _runs_on(first: Token, last: Token, before: str, after: str) -> bool:
    """Whether a sign next to a find makes it a part of something longer: C of C++, 3 of -3, 3/4 or 3-5."""
    if first.kind == "number" and re.search(r"\d[-/:.,×*^]$|(?<![\w)])-$|[×*^]$", before):
        return True
    if last.kind == "number" and re.match(r"[-/:×*^]\d|\^", after):
        return True
    if last.kind == "word" and re.match(r"\+\+|#(?!\w)", after):
        return True
    quoted = before[-1:] == after[:1] == "'"
    return (not quoted and bool(last.kind == "word" and len(last.text) == 1 and re.match(r"[-']\w", after))) or bool(
        first.kind == "word" and len(first.text) == 1 and re.search(r"\w[-']$", before)
    )


_AMOUNT = re.compile(r"^(.*?\d[\d.,/ ]*\d|.*?\d)\s*([^\d\s].{0,20})?$")


def _amount(text: str) -> tuple[object, str] | None:
    """Value and unit of a text such as "30 °C"; None where it is not one number with a unit."""
    text = text.strip().strip(".")
    value = whole_number(text)
    if value is not None:
        return value, "%" if text.endswith("%") else ""
    match = _AMOUNT.match(text)
    value = whole_number(match[1]) if match and len(text) < 60 else None
    unit = (match[2] or "").strip() if match else ""
    if value is None or len(unit.split()) > 2 or re.search(r"[-/+]\s*$|^[-/+^]", unit) or any(map(str.isdigit, unit)):
        return None
    return value, unit


def _is_bare(text: str, number: Number) -> bool:
    return len(text) - (number.end - number.start) < 12


def _tokens_of(row: Sequence[Token], number: Number) -> tuple[int, int]:
    """First and beyond the last token that a number covers."""
    first = next(i for i, token in enumerate(row) if token.end > number.start)
    last = next((i for i, token in enumerate(row) if token.start >= number.end), len(row))
    return first, last
