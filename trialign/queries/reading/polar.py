"""Yes and no, true and false: words that stand in replies for much else, and of which one denies the other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from trialign.queries.reading.clauses import Mention, few
from trialign.queries.reading.endings import denies_only
from trialign.queries.reading.lexicon import Phrases, cues
from trialign.queries.reading.questions import overlap, words_of
from trialign.queries.reading.tokens import Level, Token, form, tokens
from trialign.queries.reading.words import Cue, asking, echoes, word_set

# Words for yes and for no, language by language. They answer; in the midst of a sentence they are other words.
_ANSWERS = (
    ("yes yeah yep yup aye yea", "no nope nah nay"),
    ("sí si sip", "no"),
    ("sim", "não nao"),
    ("oui ouais si", "non nan"),
    ("ja jawohl jepp jo", "nein nee nö ne"),
    ("ja", "nee"),
    ("ja jo", "nej nei"),
    ("sì si", "no"),
    ("да ага так", "нет не-а"),
    ("так", "ні"),
    ("tak", "nie"),
    ("evet", "hayır yok"),
    ("はい ええ うん", "いいえ いや 否 いえ"),
    ("是 是的 对 会 能 有 可以", "否 不 不是 不对 不会 不能 没有 不可以"),
    ("예 네 응 그렇다", "아니요 아니오 아뇨 아니 아니다"),
    ("نعم أجل بلى", "لا كلا"),
    ("بله آری بلی", "نه خیر نخیر"),
    ("כן", "לא"),
    ("हाँ हां जी", "नहीं ना"),
    ("ใช่ ใช่ครับ ใช่ค่ะ", "ไม่ ไม่ใช่"),
    ("ναι", "όχι"),
    ("ya iya", "tidak bukan"),
    ("vâng có đúng", "không"),
)
# Words that judge a statement. Denied, each gives the other.
_JUDGEMENTS = (
    ("true", "false"),
    ("correct", "incorrect"),
    ("right", "wrong"),
    ("verdadero", "falso"),
    ("verdadera", "falsa"),
    ("cierto", "falso"),
    ("verdadeiro", "falso"),
    ("vrai", "faux"),
    ("wahr", "falsch"),
    ("richtig", "falsch"),
    ("vero", "falso"),
    ("waar", "onwaar"),
    ("верно", "неверно"),
    ("правда", "ложь"),
    ("истина", "ложь"),
    ("да", "нет"),
    ("doğru", "yanlış"),
    ("正确", "错误"),
    ("对", "错"),
    ("真", "假"),
    ("正しい", "間違い"),
    ("正しい", "誤り"),
    ("맞다", "틀리다"),
    ("참", "거짓"),
    ("صحيح", "خطأ"),
    ("صح", "خطأ"),
    ("درست", "نادرست"),
    ("درست", "غلط"),
    ("صحیح", "غلط"),
    ("נכון", "לא נכון"),
    ("सही", "गलत"),
    ("सत्य", "असत्य"),
    ("ถูก", "ผิด"),
    ("จริง", "เท็จ"),
    ("σωστό", "λάθος"),
    ("prawda", "fałsz"),
    ("benar", "salah"),
    ("đúng", "sai"),
)
_TRUE = Phrases(
    [
        ("true", 0),
        ("correct", 0),
        ("accurate", 0),
        ("right", 0),
        ("false", 1),
        ("incorrect", 1),
        ("inaccurate", 1),
        ("untrue", 1),
        ("wrong", 1),
        ("a myth", 1),
    ],
    Level.FOLD,
)
_ECHOES = Phrases(echoes(), Level.FOLD)
_AFTER_ANSWER = word_set("it they he she this that because there we you i ce elle esto eso это они он она isso")


def _form(text: str) -> str:
    return " ".join(form(token, Level.FOLD) for token in tokens(text) if token.kind != "mark")


_YES, _NO = (frozenset(_form(word) for pair in _ANSWERS for word in pair[side].split()) for side in (0, 1))
_PAIRS = {frozenset(map(_form, pair)) for pair in _JUDGEMENTS}
_DENIALS = {_form(pair[1]) for pair in _JUDGEMENTS}


class Polar:
    """What is special about a question whose options are yes and no, or true and false.

    Attributes:
        pairs: there are two options and each is the other's denial.
        negative: of these the one that says no.
        judging: they judge a statement: true and false.
    """

    def __init__(self, options: Sequence[str], question: str = "") -> None:
        self._question = words_of(question)
        self._signs = frozenset(question)
        forms = [_form(option) for option in options]
        self._answers = {index for index, one in enumerate(forms) if one in _YES | _NO}
        self._strict = {index for index, one in enumerate(forms) if one in _NO}
        self.judging = len(forms) == 2 and frozenset(forms) in _PAIRS
        self._false = next((index for index, one in enumerate(forms) if self.judging and one in _DENIALS), None)
        yes_no = len(forms) == 2 and any(one in _YES for one in forms) and any(one in _NO for one in forms)
        self.pairs = self.judging or yes_no
        self._said = Phrases(_synonyms(forms), Level.FOLD) if yes_no else None
        negative = self._false if self.judging else next((i for i, one in enumerate(forms) if one in _NO), None)
        self.negative = negative if self.pairs else None
        self._echoes = {0: 1 - self.negative, 1: self.negative} if self.negative is not None else {}
        self._true_false = (
            {0: forms.index("true"), 1: forms.index("false")}
            if self.judging and {"true", "false"} <= set(forms)
            else {}
        )

    def standing(self, found: Sequence[Mention], row: Sequence[Token]) -> list[Mention]:
        """Without the words "yes" and "no" where they do not answer: "no one knows"."""
        kept = [one for one in few(found) if one.value not in self._answers or self._answering(one, row)]
        if self.judging:
            kept = [one for one in kept if not _is_open(one, row)]
            kept = [one for one in kept if not _is_attribute(one, row) and not self._of_another_statement(one, row)]
        return [replace(one, particle=one.value in self._answers and _opens_clause(one, row)) for one in kept]

    def _of_another_statement(self, one: Mention, row: Sequence[Token]) -> bool:
        """Whether what is judged is another statement than the question's: "It is true that cats are liked"."""
        if one.last >= len(row) or row[one.last].text.casefold() not in ("that", "dass", "que", "что", "che", "daß"):
            return False
        end = next((i for i in range(one.last, len(row)) if row[i].kind == "mark" and row[i].text != "'"), len(row))
        return overlap(row[one.last : end], self._question) < 0.5

    def _answering(self, one: Mention, row: Sequence[Token]) -> bool:
        before = list(row[max(0, one.first - 6) : one.first])
        if (
            before
            and before[-1].text.casefold() == "and"
            and any(token.text == "," for token in row[max(0, one.first - 40) : one.first])
        ):
            return False  # "..., and yes, I know"
        after = row[one.last] if one.last < len(row) else None
        ends = _ends_clause(one, row)
        if one.value in self._strict and not ends and after is not None and after.text.casefold() not in _AFTER_ANSWER:
            return False
        nearest = range(one.first - 1, max(-1, one.first - 40), -1)
        opening = next((i for i in nearest if row[i].kind == "mark"), max(-1, one.first - 40)) + 1
        filling = {
            place
            for found in cues().find(row[opening : one.first])
            for place in range(found.first, found.last)
            if found.value in (Cue.FILLER, Cue.NOTHING)
        }
        if ends and len(filling) == one.first - opening:
            return True
        starts = not before or before[-1].kind == "mark" or before[-1].text == "-"
        announced = any(
            found.value in (Cue.ANSWER, Cue.PICK, Cue.FINAL, Cue.THEREFORE, Cue.OR, Cue.AND, Cue.BUT)
            for found in cues().find(before)
        )
        return (
            starts
            or (announced and ends)
            or (
                ends
                and bool(before)
                and before[-1].text.casefold()
                in ("is", "be", "a", "clear", "definite", "definitely", "say", "es", "ist", "est", "是", "not")
            )
        )

    def verdicts(self, row: Sequence[Token], texts: Sequence[Mention]) -> list[Mention]:
        """Other words for the options, where the options' own do not occur: "correct" for true, "of course" for yes."""
        if texts:
            return []
        if self._false is not None and denies_only(row):
            return [Mention(0, len(row), self._false)]
        found = []
        if self._true_false:
            found = [Mention(one.first, one.last, self._true_false[one.value]) for one in _TRUE.find(row)]
        elif self._said:
            found = [Mention(one.first, one.last, one.value) for one in self._said.find(row)]
        return self.standing(found, row) or self._echoed(row)

    def _echoed(self, row: Sequence[Token]) -> list[Mention]:
        """What a reply says that opens with an answer in other words: "It isn't", "Not anymore", "Of course"."""
        if not self._echoes:
            return []
        last = next((i for i, token in enumerate(row) if token.kind == "mark" and token.text not in _WITHIN), len(row))
        if last < len(row) and row[last].text in "?？؟":
            return []
        letter = row[0].text.casefold() if len([token for token in row if token.kind != "mark"]) == 1 else ""
        if letter in _INITIALS:
            return [Mention(0, 1, self._echoes[_INITIALS[letter]])]
        short = _SHORT.fullmatch(" ".join(token.text for token in row[:last]).casefold())
        if short:
            return [Mention(0, last, self._echoes[int(any(short.groups()))], particle=True)]
        echoes = _ECHOES.find(row[:last])
        said = cues().find(row[:last])
        covered = {place for one in echoes for place in range(one.first, one.last)}
        covered |= {p for one in said for p in range(one.first, one.last) if one.value in _FILLING}
        covered |= {p for one in said for p in range(one.first, one.last) if one.value in (Cue.NOT, Cue.NOT_AFTER)}
        rest = [token for place, token in enumerate(row[:last]) if place not in covered and token.kind != "mark"]
        echoed = {one.value for one in echoes}
        spoken_for = {place for one in echoes if one.value for place in range(one.first, one.last)}
        denials = sum(one.value in (Cue.NOT, Cue.NOT_AFTER) and one.first not in spoken_for for one in said)
        if len(echoed) == 1 and not (rest and denials) and (not rest or self._asks(rest)):
            return [Mention(0, last, self._echoes[echoed.pop()], particle=True)]
        others = any(one.value not in (*_FILLING, Cue.NOT, Cue.NOT_AFTER, Cue.RIGHT, Cue.AND) for one in said)
        rest = [token for token in rest if token.text.casefold() not in _ASKED_ANYWAY]
        whole = overlap(row[:last], self._question) >= (_RESTATED if not denials else 0) or len(row) <= 3
        if echoes or denials > 1 or others or not rest or not whole or not self._asks(rest):
            return []
        return [Mention(0, last, self._echoes[denials], particle=True)]

    def _asks(self, words: Sequence[Token]) -> bool:
        """Whether all of these words, or what they deny, are the question's."""
        content = [token for token in words if token.kind == "unspaced" or not cues().find([token])]
        return bool(content) and all(
            token.text in self._signs if token.kind == "unspaced" else overlap([token], self._question) > 0
            for token in content
        )


def _synonyms(forms: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Words for two options that are yes and no in one language, with the place of the option."""
    for pair in _ANSWERS:
        sides = [{_form(word): word for word in side.split()} for side in pair]
        for yes in (0, 1):
            if forms[yes] in sides[0] and forms[1 - yes] in sides[1]:
                yield from ((word, yes) for word in sides[0].values())
                yield from ((word, 1 - yes) for word in sides[1].values())


def _is_open(one: Mention, row: Sequence[Token]) -> bool:
    """Whether a judgement is left open: "true or not"."""
    return [token.text.casefold() for token in row[one.last : one.last + 2]] == ["or", "not"]


def _is_attribute(one: Mention, row: Sequence[Token]) -> bool:
    """Whether a judgement only describes a noun: "a true story"."""
    if one.last >= len(row) or row[one.last].text.casefold() in _AFTER_JUDGEMENT:
        return False
    before = row[one.first - 1].text.casefold() if one.first else "."
    if before not in _ARTICLES and not (before in ".!?\n" and row[one.first].text.isascii()):
        return False
    if row[one.last].text.casefold() in _STATEMENTS:
        return False
    length = one.last - one.first
    spoken_of = [cue for cue in cues().find(row[one.first : one.last + 1]) if cue.last > length]
    return row[one.last].kind == "word" and not spoken_of


_FILLING = (Cue.FILLER, Cue.NOTHING, Cue.THEREFORE)
_ASKED_ANYWAY = frozenset(asking())
_WITHIN = frozenset(("'", "-", '"', "(", "'s"))
# Share of the question's words in a statement from which on it affirms the question.
_RESTATED = 0.6
_INITIALS = {"t": 0, "y": 0, "f": 1, "n": 1}
_AFTER_JUDGEMENT = word_set(
    "for in at of from under when where as by with on about but and or if only since because though although "
    "enough so "
    "is was it that this according para en por con pour dans selon für bei im wenn weil per"
)
_STATEMENTS = word_set(
    "belief statement claim assertion idea notion fact answer aussage behauptung afirmación affirmation утверждение"
)
_ARTICLES = word_set("a an any some every this that no my your un una une ein eine einen um uma")
# "It isn't", "they do", "not any more": a pronoun and an auxiliary, or "not" and what strengthens it.
_SHORT = re.compile(
    r"(?:well |oh |so |actually |yes |no )*(?:(?:it|they|he|she|that|this|there|you|we|one) "
    r"(?:(?:is|are|was|were|do|does|did|can|could|will|would|has|have|had|should|must)( not| never)?|"
    r"((?:is|are|was|were|do|does|did|ca|could|wo|would|has|have|had|should)nt))"
    r"|(?:absolutely |certainly |definitely |of course |surely |probably |obviously |most certainly |clearly )?(not))"
    r"(?: really| indeed| actually| at all| any ?more| any longer| so| the case| even close| yet| today| now| "
    r"nowadays| quite)*"
)


def _opens_clause(one: Mention, row: Sequence[Token]) -> bool:
    """Whether a word opens its clause and what follows it is another one, or a reason without a comma."""
    opens = not one.first or row[one.first - 1].kind == "mark"
    return opens and (_ends_clause(one, row) or row[one.last].text.casefold() in _AFTER_ANSWER)


def _ends_clause(one: Mention, row: Sequence[Token]) -> bool:
    after = row[one.last] if one.last < len(row) else None
    if after is None or after.kind == "mark" or after.text == "-":
        return True
    following = cues().find(row[one.last : one.last + 6])
    wanted = (Cue.NOTHING,) if after.text.isascii() else (Cue.FILLER, Cue.NOTHING)
    return bool(following) and following[0].first == 0 and following[0].value in wanted and following[0].last > 1
