"""Letters and numbers by which replies name an option: "B", "(b)", "option 2", "the second one", "ب"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from trialign.queries.reading.clauses import Mention
from trialign.queries.reading.lexicon import Found, Phrases, cues
from trialign.queries.reading.tokens import Level, Token, form
from trialign.queries.reading.typography import plain
from trialign.queries.reading.words import Cue, places, word_set

Shown = Literal["hidden", "listed", "lettered"]

# How other scripts letter options, in order.
_ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz",
    "абвгдежз",
    "αβγδεζηθ",
    "أبجدهوزح",
    "ابجدهوزح",
    "אבגדהוזח",
    "कखगघङ",
    "กขคงจ",
    "가나다라마바",
    "アイウエオカ",
    "甲乙丙丁戊己",
)
_SPELLED = (("الف", "ب", "ج", "د"), ("अ", "ब", "स", "द"), ("ㄱ", "ㄴ", "ㄷ", "ㄹ"), ("ক", "খ", "গ", "ঘ"))
# Letters that look like Latin ones which stand elsewhere: nobody can tell which was meant.
_TWINS = {"в": "b", "с": "c", "е": "e", "н": "h"}


def ranks(row: Sequence[Token]) -> bool:
    """Whether words such as "the first" or "first" stand in a question."""
    return any(token.text.casefold() in _RANKS for token in row) or bool(_POSITIONS.find(row))


_RANKS = word_set(
    "first second third last erste ersten zweite premier première primero primera primeiro primeira primo prima "
    "первый первая первым"
)
_POSITIONS = Phrases(places(), Level.STEM)

_ALONE_BEFORE = re.compile(r"^[\s\"'(\[{*_#>\-•:]*$")
_ALONE_AFTER = re.compile(r"^[\s\"')\]}*_.,:;!?。।،…\-]*$")
_DIGIT_SIGNS = re.compile(r"(?:#|№|\bno\.?|\bnumber|\bnum\.?|\bnr\.?|第|ข้อ)\s*$", re.IGNORECASE)
_DIGIT_COUNTERS = re.compile(r"^\s*(?:番|번|号|號|つ目|个选项|個選項)")
_COPULA = word_set(
    "is its be was are would es é è e est ist sind это 是 为 為 选 選 は هي هو है คือ เป็น είναι with for to on and "
    "or nor not but than both either neither that so say choose pick select la le el die der das o the il du y "
    "und et ou oder и или 或 和 と か या और หรือ και ve veya ya در یا و أو not thus therefore hence then namely "
    "ie eg mark marked circle think believe guess chose selected than between of actually definitely clearly "
    "probably maybe perhaps "
    "bukan adalah là is: entre zwischen"
)
_CYRILLIC_WORDS = frozenset("яиаоувкс")
_ARTICLE_LETTERS = frozenset("aeioyuà")


@dataclass(frozen=True)
class Labels:
    """The labels of a question's options, and which of them may be meant.

    Attributes:
        count: number of options.
        contents: forms of the options that are one character.
        numeric: an option holds a digit, so that a bare number may be meant as its text.
        shown: how the prompt showed the options; None where that is not known.
        ranked: the question asks for a first or last, so that "the first" need not be the first option.
        named: capitals that the question uses as names: "A is north of B".
    """

    count: int
    contents: dict[str, int]
    numeric: bool
    shown: Shown | None
    named: frozenset[str] = frozenset()
    ranked: bool = False

    def find(self, text: str, row: Sequence[Token]) -> list[Mention]:
        """Every label in a reply, in order; several mentions of one place where it can mean several."""
        if (bare := _only_labels(row)) is not None:
            places = [(place, _positions(row[place])[0]) for place in bare]
            return [Mention(place, place + 1, value, label=True) for place, value in places if value < self.count]
        ordinals = {found.first: found for found in _POSITIONS.find(row)}
        answers = _cue_places(row)
        said = {place: one.value for one in cues().find(row) for place in range(one.first, one.last)}
        found: list[Mention] = []
        place = 0
        while place < len(row):
            if place in ordinals and _is_ordinal(row, ordinals[place], said, ranked=self.ranked):
                one = ordinals[place]
                value = one.value if one.value >= 0 else self.count - 1
                if value < self.count:
                    found.append(Mention(one.first, one.last, value, label=True))
                place = one.last
                continue
            found += self._at(text, row, place, answers, said)
            place += 1
        return found

    def _at(
        self, text: str, row: Sequence[Token], place: int, answers: dict[int, Cue], said: dict[int, Cue]
    ) -> Iterator[Mention]:
        token = row[place]
        positions = _positions(token)
        if not positions or _is_elided(text, token) or _is_half(text, token):
            return
        line = _Line.around(text, token)
        opens = line.opens and line.closed
        clear = line.alone or opens or line.bracketed
        if token.text in self.named and answers.get(place) is None and not line.alone and not line.bracketed:
            return
        if not (clear or self._meant(row, place, answers, said, line)):
            return
        if not self._allowed(token, answers.get(place), line):
            return
        first, last = _with_marks(row, place, line)
        for position in positions:
            if position < self.count:
                opens = line.opens and (line.closed or line.alone or _ends_here(row, place) or _before_verb(row, place))
                yield Mention(first, last, position, opens=opens, label=True)

    def _allowed(self, token: Token, cue: Cue | None, line: _Line) -> bool:
        """False where the sign may be an option's content instead of its label."""
        named = cue == Cue.OPTION
        own = form(token, Level.FOLD)
        content = self.contents.get(own)
        if token.kind == "number":
            return (named and content is None) or not self.numeric
        if not self.contents or not any(one.isalpha() for one in self.contents):
            return True
        if self.shown == "lettered":
            return content is None or content in _positions(token) or line.closed or line.bracketed or named
        if content is not None:
            return content in _positions(token)
        return named

    def _meant(
        self, row: Sequence[Token], place: int, answers: dict[int, Cue], said: dict[int, Cue], line: _Line
    ) -> bool:
        """Whether a bare letter or number is a label and not a word: by what stands before and behind it."""
        token = row[place]
        announced = answers.get(place)
        if token.kind == "number":
            before = "".join(one.text + " " for one in row[max(0, place - 2) : place])
            after = row[place + 1].text if place + 1 < len(row) else ""
            named = announced == Cue.OPTION or (announced is not None and _ends_here(row, place))
            return named or bool(_DIGIT_SIGNS.search(before)) or bool(_DIGIT_COUNTERS.match(after))
        if not token.text.isascii():
            judged = token.kind == "word" and said.get(place + 1) in (Cue.RIGHT, Cue.WRONG, Cue.NOT_AFTER, Cue.FILLER)
            named = announced == Cue.OPTION and token.kind == "word"
            return named or (announced is not None and (_ends_here(row, place) or judged))
        if token.text.islower():
            shortest = place == 1 and sum(one.kind != "mark" for one in row) == 2 and row[0].text.casefold() in _COPULA
            return (announced is not None or shortest) and _ends_here(row, place)
        if _among_other_script(row, place):
            return True
        spoken = place > 0 and said.get(place - 1 - (row[place - 1].text == "'s")) is not None
        placed = (
            announced is not None or spoken or line.opens or _starts_clause(row, place) or _after_copula(row, place)
        )
        if place and row[place - 1].text.casefold() in ("a", "an") and not _ends_here(row, place):
            return False  # "a B in geography"
        if token.text in "AIEOÉ" and not (_ends_here(row, place) or announced == Cue.OPTION):
            return placed and (_before_verb(row, place) or said.get(place + 1) in (*_JOINERS, Cue.OPTION))
        return placed


@dataclass(frozen=True)
class _Line:
    """What stands around a token in its line."""

    opens: bool
    alone: bool
    closed: bool
    bracketed: bool

    @classmethod
    def around(cls, text: str, token: Token) -> _Line:
        start = text.rfind("\n", max(0, token.start - 200), token.start) + 1 or max(0, token.start - 200)
        end = text.find("\n", token.end, token.end + 200)
        before = text[start : token.start]
        after = text[token.end : end if end >= 0 else token.end + 200]
        opens = bool(_ALONE_BEFORE.match(before)) and len(before) < 20
        closing = after[:1]
        following = after[1:2]
        called = before[-2:-1].isascii() and (before[-2:-1].isalnum() or before[-2:-1] == "_")  # as in f(1), a[0]
        bracketed = before[-1:] in ("(", "[") and before[-1:] != "" and closing in (")", "]") and not called
        closed = closing in (")", "]", "、") or (closing in (".", ":") and not following.isalnum())
        return cls(opens, opens and bool(_ALONE_AFTER.match(after)), closed, bracketed)


def _only_labels(row: Sequence[Token]) -> list[int] | None:
    """Places of capitals that are a whole reply, parted by nothing else than blanks: "A C"."""
    own = [place for place, token in enumerate(row) if token.kind != "mark"]
    if own and own[-1] != len(own) - 1:
        return None
    capitals = all(len(row[place].text) == 1 and row[place].text.isupper() and _positions(row[place]) for place in own)
    return own if capitals and 1 < len(own) <= 8 else None


def _positions(token: Token) -> tuple[int, ...]:
    """Places of options, from 0, for which a sign can stand as a label."""
    text = token.text
    if token.kind == "number":
        return (int(text) - 1,) if text.isascii() and text.isdigit() and len(text) <= 2 and text[0] != "0" else ()
    if len(text) > 3 or token.kind not in ("word", "unspaced"):
        return ()
    lower = text.casefold()
    signs = [one for one in (lower, text) if len(one) == 1]
    found = [alphabet.index(one) for alphabet in _ALPHABETS for one in signs if one in alphabet]
    found += [row.index(text) for row in _SPELLED_FORMS if text in row]
    if lower in _TWINS:
        found.append(_ALPHABETS[0].index(_TWINS[lower]))
    return tuple(dict.fromkeys(found))


_SPELLED_FORMS = tuple(tuple(plain(one) for one in row) for row in _SPELLED)


def _cue_places(row: Sequence[Token]) -> dict[int, Cue]:
    """Tokens that stand where a label would, after "answer", "option" or "I choose" and filling words."""
    found: dict[int, Cue] = {}
    current: Cue | None = None
    steps = 0
    spans = {one.first: one for one in cues().find(row)}
    place = 0
    while place < len(row):
        token = row[place]
        one = spans.get(place)
        if current and steps <= 8 and _positions(token) and (one is None or len(token.text) == 1):
            found[place] = current
            if one is None or token.text.isupper():
                place += 1
                continue
        if one and one.value in (Cue.ANSWER, Cue.FINAL, Cue.PICK, Cue.RIGHT, Cue.OPTION, Cue.WRONG):
            current, steps = (Cue.OPTION if one.value == Cue.OPTION else Cue.ANSWER), 0
        elif token.text in ".!?;" and token.kind == "mark":
            current = None
        elif one is None and token.kind != "mark":
            current = None if current == Cue.OPTION else current
            steps += 2
        elif one and one.value in (Cue.FILLER, Cue.NOTHING):
            steps += 1
            current = Cue.ANSWER if current == Cue.OPTION and one.value != Cue.FILLER else current
        place = one.last if one else place + 1
    return found


def _ends_here(row: Sequence[Token], place: int) -> bool:
    following = row[place + 1] if place + 1 < len(row) else None
    if following is not None and following.text == "-":
        last = place + 2 < len(row) and row[place + 2].text[0].islower()
        return following.start > row[place].end or not last
    return following is None or (following.kind == "mark" and following.text != "'s") or following.text in "=<✓✔✅☑✗✘❌"


def _before_verb(row: Sequence[Token], place: int) -> bool:
    following = row[place + 1].text.casefold() if place + 1 < len(row) else ""
    return following in _VERBS


_VERBS = word_set(
    "is was it because and or since as seems would isnt wasnt but for nor rather instead here looks definitely ist "
    "es est é è porque weil parce car denn pois oder ou und et y e o u are arent should"
)


_JOINERS = (Cue.AND, Cue.OR, Cue.NOT, Cue.NOT_AFTER, Cue.BECAUSE, Cue.BUT, Cue.THEREFORE)


def _is_elided(text: str, token: Token) -> bool:
    """Whether a letter is half of a word: the C of "C'est"."""
    suffix = _SUFFIX.match(text[token.end : token.end + 8])
    return text[token.end : token.end + 1] == "'" and text[token.end + 1 : token.end + 2].isalpha() and not suffix


def _is_half(text: str, token: Token) -> bool:
    """Whether a hyphen makes a letter half of a word, as in "B-side"."""
    before, after = text[max(0, token.start - 2) : token.start], text[token.end : token.end + 2]
    return bool(re.fullmatch(r"\w-", before)) or (after[:1] == "-" and after[1:].islower())


# What Turkish writes behind a letter: "B'dir".
_SUFFIX = re.compile(r"'(?:[dt][iıuü]r|n[iıuü]n|[dt][ea]n?|y?[iıuüea])\b")


def _is_ordinal(row: Sequence[Token], one: Found[int], said: dict[int, Cue], *, ranked: bool) -> bool:
    """Whether "the second" speaks of an option: a noun for one is in it, or no other noun can follow."""
    named = any(token.text.casefold() in _NOUNS for token in row[one.first : one.last + 1])
    if ranked and not named:
        return False
    judged = said.get(one.last) in (Cue.FILLER, Cue.RIGHT, Cue.WRONG, Cue.NOT, Cue.NOT_AFTER, Cue.OPTION, Cue.ANSWER)
    return named or judged or _ends_here(row, one.last - 1) or _before_verb(row, one.last - 1)


_NOUNS = word_set(
    "option choice one answer 1st 2nd 3rd 4th former latter opción choix opção opzione "
    "antwort вариант الخيار گزینه विकल्प seçenek sign symbol letter number figure digit "
    "character word statement item entry line listed given possibility alternative candidate "
    "zeichen buchstabe zahl wort signo letra número símbolo palabra signe lettre nombre mot "
    "sinal palavra segno lettera numero parola знак буква число слово"
)


def _among_other_script(row: Sequence[Token], place: int) -> bool:
    """Whether a Latin letter stands among words of another script, where it can hardly be a word."""
    around = (*row[max(0, place - 2) : place], *row[place + 1 : place + 3])
    near = [token.text for token in around if token.kind in ("word", "unspaced")]
    letter = row[place].text
    return letter.isascii() and letter.isupper() and bool(near) and all(text[0] > "\u024f" for text in near)


def _starts_clause(row: Sequence[Token], place: int) -> bool:
    before = row[place - 1] if place else None
    return before is None or before.text in "→⇒=-" or (before.kind == "mark" and before.text not in ("'", "'s"))


def _after_copula(row: Sequence[Token], place: int) -> bool:
    before = row[place - 1].text.casefold() if place else ""
    return before in _COPULA


def _with_marks(row: Sequence[Token], place: int, line: _Line) -> tuple[int, int]:
    """The label with its brackets or closing sign."""
    first, last = place, place + 1
    if line.bracketed:
        return place - 1, place + 2
    if (line.closed and line.opens and last < len(row) and row[last].text in (")", "]", ".", ":", "、")) or (
        line.closed and last < len(row) and row[last].text in (")", "]")
    ):
        last += 1
    return first, last


def stands_as_sign(text: str, row: Sequence[Token], place: int) -> bool:
    """Whether a token of one character stands for itself: alone, quoted, bracketed, or where an answer would stand."""
    token = row[place]
    line = _Line.around(text, token)
    if line.alone or line.bracketed or (line.opens and line.closed) or _is_quoted(text, token):
        return True
    before = row[place - 1] if place else None
    after = row[place + 1] if place + 1 < len(row) else None
    if token.kind == "unspaced":
        free = before is None or not _is_ideograph(before) or before.text in "是为為于选選は答"
        ends = after is None or not _is_ideograph(after) or after.text in "吧呢的字是也不和都及或与"
        return free and ends
    if token.text.casefold() in _CYRILLIC_WORDS:
        return place in _cue_places(row) or _ends_here(row, place)
    if token.text.islower() and token.text in _ARTICLE_LETTERS:
        return place in _cue_places(row) and _ends_here(row, place)
    if token.text.isupper() and token.text in "AIEO" and not _ends_here(row, place):
        return _before_verb(row, place) and _starts_clause(row, place)
    placed = place in _cue_places(row) or _starts_clause(row, place) or _after_copula(row, place)
    return placed or _ends_here(row, place)


def placed_as_answer(text: str, row: Sequence[Token], first: int, last: int) -> bool:
    """Whether words that are common ones stand where an answer would: quoted, or announced and last in their clause."""
    if _is_quoted(text, Token(row[first].start, row[last - 1].end, "", "word")):
        return True
    return _ends_here(row, last - 1) and (_after_copula(row, first) or _starts_clause(row, first))


def _is_ideograph(token: Token) -> bool:
    return token.kind == "unspaced" and "\u3400" <= token.text <= "\u9fff"


def _is_quoted(text: str, token: Token) -> bool:
    before = text[token.start - 1 : token.start]
    return before in ("'", '"') and text[token.end : token.end + 1] == before
