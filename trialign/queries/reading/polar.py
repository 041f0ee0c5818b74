"""Yes and no, true and false: words that stand in replies for much else, and of which one denies the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trialign.queries.reading.clauses import Mention
from trialign.queries.reading.endings import denies_only
from trialign.queries.reading.lexicon import Phrases, cues
from trialign.queries.reading.tokens import Level, Token, form, tokens
from trialign.queries.reading.weights import Judged, Weight
from trialign.queries.reading.words import Cue, word_set

# Each line: words for yes, then for no. They answer; in the midst of a sentence they are other words.
_ANSWERS = (
    "yes yeah yep yup sí si sim oui ja да так evet tak si はい ええ 是 是的 对 예 네 نعم بله آری כן हाँ हां ใช่ ναι "
    "ya vâng",
    "no nope nah não non nein nee нет ні hayır nie nej いいえ いや 否 不 不是 不对 아니요 아니오 아뇨 لا نه خیر לא नहीं "
    "ไม่ ไม่ใช่ όχι tidak không",
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
_SAYS_YES = Phrases([("yeah", 0), ("yep", 0), ("yup", 0), ("yes", 0), ("nope", 1), ("nah", 1), ("no", 1)], Level.FOLD)
_AFTER_ANSWER = word_set("it they he she this that because there we you i ce elle esto eso это они он она isso")


def _form(text: str) -> str:
    return " ".join(form(token, Level.FOLD) for token in tokens(text) if token.kind != "mark")


_YES, _NO = (frozenset(map(_form, line.split())) for line in _ANSWERS)
_PAIRS = {frozenset(map(_form, pair)) for pair in _JUDGEMENTS}
_DENIALS = {_form(pair[1]) for pair in _JUDGEMENTS}


class Polar:
    """What is special about a question whose options are yes and no, or true and false.

    Attributes:
        pairs: there are two options and each is the other's denial.
    """

    def __init__(self, options: Sequence[str]) -> None:
        forms = [_form(option) for option in options]
        self._answers = {index for index, one in enumerate(forms) if one in _YES | _NO}
        self._strict = {index for index, one in enumerate(forms) if one in _NO}
        self._judging = len(forms) == 2 and frozenset(forms) in _PAIRS
        self._false = next((index for index, one in enumerate(forms) if self._judging and one in _DENIALS), None)
        yes_no = len(forms) == 2 and any(one in _YES for one in forms) and any(one in _NO for one in forms)
        self.pairs = self._judging or yes_no
        self._yes_no = {0: forms.index("yes"), 1: forms.index("no")} if yes_no and {"yes", "no"} <= set(forms) else {}
        self._true_false = (
            {0: forms.index("true"), 1: forms.index("false")}
            if self._judging and {"true", "false"} <= set(forms)
            else {}
        )

    def standing(self, found: Sequence[Mention], row: Sequence[Token]) -> list[Mention]:
        """Without the words "yes" and "no" where they do not answer: "no one knows"."""
        kept = [one for one in found if one.value not in self._answers or self._answering(one, row)]
        return [replace(one, particle=one.value in self._answers and _opens_clause(one, row)) for one in kept]

    def _answering(self, one: Mention, row: Sequence[Token]) -> bool:
        before = list(row[max(0, one.first - 6) : one.first])
        after = row[one.last] if one.last < len(row) else None
        ends = _ends_clause(one, row)
        if one.value in self._strict and not ends and after is not None and after.text.casefold() not in _AFTER_ANSWER:
            return False
        opening = next((i for i in range(one.first - 1, -1, -1) if row[i].kind == "mark"), -1) + 1
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
        """Other words for the options, where the options' own do not occur: "correct" for true, "yep" for yes."""
        if texts:
            return []
        if self._false is not None and denies_only(row):
            return [Mention(0, len(row), self._false)]
        if self._true_false:
            return [Mention(one.first, one.last, self._true_false[one.value]) for one in _TRUE.find(row)]
        if self._yes_no:
            found = [Mention(one.first, one.last, self._yes_no[one.value]) for one in _SAYS_YES.find(row)]
            return self.standing(found, row)
        return []

    def complemented(self, found: Sequence[Judged]) -> Sequence[Judged]:
        """Denials of one judgement as the other one: "It is not true" is false."""
        if not self._judging:
            return found
        return [
            replace(one, mention=replace(one.mention, value=1 - one.value), weight=Weight.SAID)
            if one.weight == Weight.DENIED and not one.mention.label
            else one
            for one in found
        ]


def _opens_clause(one: Mention, row: Sequence[Token]) -> bool:
    """Whether a word opens its clause and what follows it is another one, or a reason without a comma."""
    opens = not one.first or row[one.first - 1].kind == "mark"
    return opens and (_ends_clause(one, row) or row[one.last].text.casefold() in _AFTER_ANSWER)


def _ends_clause(one: Mention, row: Sequence[Token]) -> bool:
    after = row[one.last] if one.last < len(row) else None
    if after is None or after.kind == "mark" or after.text == "-":
        return True
    polite = cues().find(row[one.last : one.last + 6]) if not after.text.isascii() else []
    return bool(polite) and polite[0].first == 0 and polite[0].value == Cue.FILLER and polite[0].last > 1


def _is_joined(row: Sequence[Token], one: Mention) -> bool:
    return one.first > 0 and row[one.first - 1].text.casefold() in ("and", "or")
