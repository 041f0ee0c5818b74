"""What a reply does with each answer that it names: concludes, states, guesses, mentions or denies it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from trialign.queries.reading.clauses import Clause, Mention, Piece, Sentence, sentences
from trialign.queries.reading.endings import breaks_off, takes_back
from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.tokens import Level, Token, form
from trialign.queries.reading.words import Cue, word_set


class Weight(IntEnum):
    """How firmly a reply stands behind an answer that it names."""

    DENIED = -1
    MENTIONED = 0  # asked, supposed, reported, part of a refusal
    GUESSED = 1
    SAID = 2
    FOLLOWS = 3  # "so", "therefore"
    ALONE = 4  # stands alone, opens the reply, or is called right
    ANSWER = 5  # "the answer is", "I choose"
    FINAL = 6


@dataclass(slots=True)
class Judged:
    """A mention and what its clause makes of it.

    Attributes:
        overlap: share of the question's words that its clause repeats.
        sentence: number of its sentence.
        partly: it is called partly right.
    """

    mention: Mention
    weight: Weight
    overlap: float = 0.0
    sentence: int = 0
    partly: bool = False

    @property
    def value(self) -> int:
        """Which answer is named."""
        return self.mention.value


_NEUTRAL = (
    Cue.FILLER,
    Cue.NOTHING,
    Cue.AND,
    Cue.OPTION,
    Cue.THEREFORE,
    Cue.BUT,
    Cue.PICK,
    Cue.RIGHT,
    Cue.ANSWER,
    Cue.FINAL,
    Cue.CORRECTION,
)


def judged(
    row: Sequence[Token], mentions: Sequence[Mention], question: frozenset[str], *, polar: bool = False
) -> list[Judged]:
    """Every mention with its weight.

    Args:
        row: the reply's tokens.
        mentions: in the order of the text, without overlap.
        question: forms of the question's words, for `Judged.overlap`.
        polar: each of two answers denies the other, so that a denial may affirm.
    """
    parts = sentences(row, mentions)
    found: list[Judged] = []
    announced = False
    for number, sentence in enumerate(parts):
        mine = list(_in_sentence(sentence, announced, number))
        for one, clause in mine:
            one.overlap = _overlap(row, clause, question)
        found += [one for one, _ in mine]
        if sentence.pieces:
            announced = _announces(sentence) or (announced and not mine and sentence.ended == ":")
    _join_runs(row, parts, found)
    _only_question(parts, found)
    _correct(parts, found)
    _excuse(parts, found)
    _end(row, found, polar)
    return found


def _announces(sentence: Sentence) -> bool:
    """Whether a line such as "Answer:" or "Final Answer" leaves the answer to the next one."""
    pieces = sentence.pieces
    return (
        sentence.ended == "\n"
        and not any(piece.mention for piece in pieces)
        and sentence.has(Cue.ANSWER, Cue.FINAL)
        and not sentence.has(Cue.NOT, Cue.WRONG)
        and sum(not piece.mark for piece in pieces) <= 7
    )


def _in_sentence(sentence: Sentence, announced: bool, number: int) -> Iterator[tuple[Judged, Clause]]:
    reported = refused = unknown = False
    supposed = sentence.has(Cue.IF) and sentence.has(Cue.WOULD) and not sentence.has(Cue.PICK)
    for clause in sentence.clauses:
        if clause.begins in (Cue.BUT, Cue.THEREFORE, Cue.CORRECTION) or clause.has(Cue.FINAL):
            reported = refused = unknown = False
        if clause.has(Cue.PICK, Cue.ANSWER) and not clause.has(Cue.REPORTED):
            reported = False
        refused |= clause.has(Cue.REFUSAL)
        reported |= clause.has(Cue.REPORTED)
        for place in clause.mentions:
            mention = clause.pieces[place].mention
            assert mention is not None
            unknown = any(piece.cue == Cue.UNKNOWN for piece in clause.pieces[:place])
            weight = _weight(clause, place, announced)
            if weight == Weight.ALONE and not sentence.ended and clause.pieces[-1].text in ("is", "are", "was"):
                weight = Weight.SAID  # the reply breaks off
            if weight > Weight.DENIED and (reported or refused or unknown or supposed or _is_condition(clause)):
                weight = Weight.MENTIONED
            if sentence.asked:
                weight = min(weight, Weight.MENTIONED)
            yield Judged(mention, weight, 0.0, number, clause.has(Cue.PARTLY)), clause


def _is_condition(clause: Clause) -> bool:
    return clause.has(Cue.IF) and not clause.has(Cue.ANSWER, Cue.FINAL, Cue.PICK)


def _weight(clause: Clause, place: int, announced: bool) -> Weight:
    """The weight of one mention by the words of its clause around it."""
    before, after = _around(clause, place)
    if _is_denied(before, after):
        return Weight.DENIED
    earlier = [piece.cue for piece in clause.pieces[:place]]
    if Cue.FINAL in earlier:
        return Weight.FINAL
    if announced or any(cue in (Cue.ANSWER, Cue.PICK) for cue in earlier) or Cue.RIGHT in before:
        return Weight.GUESSED if Cue.GUESS in earlier or Cue.GUESS in after else Weight.ANSWER
    if any(cue in (Cue.PICK, Cue.ANSWER) for cue in after):
        return Weight.ANSWER
    if Cue.RIGHT in after:
        return Weight.ALONE
    if Cue.GUESS in earlier or Cue.GUESS in after:
        return Weight.GUESSED
    if _stands_alone(clause):
        return Weight.ANSWER if clause.begins == Cue.THEREFORE else Weight.ALONE  # "So Paris."
    if clause.begins == Cue.THEREFORE:
        return Weight.FOLLOWS
    return Weight.ALONE if clause.pieces[place].mention and _opens(clause, place) else Weight.SAID


def _opens(clause: Clause, place: int) -> bool:
    mention = clause.pieces[place].mention
    return bool(mention and mention.opens)


def _around(clause: Clause, place: int) -> tuple[list[Cue], list[Cue]]:
    """Cues that belong to a mention: before it, not those of the mention before, and after it, not the next one's."""
    earlier = [index for index in clause.mentions if index < place]
    later = [index for index in clause.mentions if index > place]
    before = clause.pieces[earlier[-1] + 1 if earlier else 0 : place]
    after = clause.pieces[place + 1 : later[0] if later else len(clause.pieces)]
    own = _of_former(before)[1] if earlier else before
    mine = _of_former(after)[0] if later else after
    return [piece.cue for piece in own if piece.cue], [piece.cue for piece in mine if piece.cue]


def _of_former(between: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Parts the pieces between two mentions into those that speak of the former and of the latter."""
    for index, piece in enumerate(between):
        if piece.cue in (Cue.AND, Cue.OR) and any(one.cue for one in between[:index]):
            return list(between[:index]), list(between[index:])
    last_after = max((i for i, piece in enumerate(between) if piece.cue == Cue.NOT_AFTER), default=-1)
    if last_after >= 0:
        return list(between[: last_after + 1]), list(between[last_after + 1 :])
    judging = [i for i, piece in enumerate(between) if piece.cue in (Cue.WRONG, Cue.RIGHT)]
    if judging and between[0].cue == Cue.FILLER:  # "A is wrong B is right"
        return list(between[: judging[0] + 1]), list(between[judging[0] + 1 :])
    return [], list(between)


def _is_denied(before: Sequence[Cue], after: Sequence[Cue]) -> bool:
    denials = [cue for cue in before if cue in (Cue.NOT, Cue.WRONG, Cue.NEITHER)]
    if denials == [Cue.NOT, Cue.WRONG]:
        denials = []
    behind = [cue for cue in after if cue in (Cue.NOT, Cue.NOT_AFTER, Cue.WRONG)]
    if len(behind) == 2 and behind in ([Cue.NOT, Cue.WRONG], [Cue.WRONG, Cue.NOT_AFTER]):
        behind = []
    return bool(denials) or bool(behind)


def _stands_alone(clause: Clause) -> bool:
    """Whether nothing but filling words stands around the mentions: "It's B", "definitely Paris"."""
    return all(
        piece.mention or piece.mark or piece.cue in _NEUTRAL or not piece.text.strip(":*-'") for piece in clause.pieces
    )


def _overlap(row: Sequence[Token], clause: Clause, question: frozenset[str]) -> float:
    if not question:
        return 0.0
    words = {
        form(row[i], Level.STEM) for piece in clause.pieces if not piece.mention for i in range(piece.first, piece.last)
    }
    return len(words & question) / len(question)


def _join_runs(row: Sequence[Token], parts: Sequence[Sentence], found: list[Judged]) -> None:
    """Mentions that nothing or only "and", "or" parts share their fate: "Lyon and Nice are wrong", "B, Paris"."""
    links = [_link(row, left.mention, right.mention) for left, right in pairwise(found)]
    alone = {number for number, part in enumerate(parts) if all(piece.mention or piece.mark for piece in part.pieces)}
    start = 0
    for index in range(len(found)):
        link = links[index] if index < len(links) else None
        if link == "stop" and not (found[index + 1].sentence in alone and parts[found[index].sentence].ended == "."):
            link = None
        if link is None:
            _share(found[start : index + 1], {one for one in links[start:index] if one})
            start = index + 1


def _link(row: Sequence[Token], left: Mention, right: Mention) -> str | None:
    """What stands between two mentions: ``joined`` (and, or), ``comma``, ``stop``, or None: other words."""
    between = row[left.last : right.first]
    words = [token for token in between if token.kind != "mark" and token.text not in "-–"]
    marks = {token.text for token in between if token.kind == "mark"}
    found = cues().find(words)
    covered = {
        index for one in found for index in range(one.first, one.last) if one.value in (Cue.AND, Cue.OR, Cue.OPTION)
    }
    articles = {index for index, token in enumerate(words) if token.text.casefold() in _ARTICLES}
    if len(covered | articles) < len(words) or marks - set(",.()\"':、،[]\n—"):
        return None
    if covered:
        return "joined"
    if "\n" in marks and left.opens and not right.label:
        return "comma"
    return "stop" if marks & set(".\n") else "comma"


_ARTICLES = word_set("the a an la el los las le les l der die das o os as il lo gli i un una une")


def _share(run: Sequence[Judged], links: set[str]) -> None:
    if len(run) < 2:
        return
    denied = any(one.weight == Weight.DENIED for one in run)
    if denied and "joined" not in links and len({one.value for one in run}) > 1:
        return
    weight = Weight.DENIED if denied else max(one.weight for one in run)
    if any(one.weight == Weight.MENTIONED for one in run) and not denied:
        weight = Weight.MENTIONED if len({one.sentence for one in run}) == 1 else weight
    for one in run:
        one.weight = weight


def _only_question(parts: Sequence[Sentence], found: list[Judged]) -> None:
    """A reply that is nothing but "Paris?" is an answer, however shy."""
    spoken = [part for part in parts if part.pieces]
    if len(spoken) == 1 and spoken[0].asked and all(piece.mention or piece.mark for piece in spoken[0].pieces):
        for one in found:
            one.weight = Weight.SAID


def _correct(parts: Sequence[Sentence], found: list[Judged]) -> None:
    """What was said before a correction ("wait, no") no longer counts, if an answer follows."""
    places = [
        clause.pieces[0].first
        for part in parts
        for clause in part.clauses
        if clause.begins == Cue.CORRECTION and clause.pieces
    ]
    for place in reversed(places):
        if any(one.weight >= Weight.GUESSED and one.mention.first > place for one in found):
            for one in found:
                if one.mention.first < place:
                    one.weight = min(one.weight, Weight.MENTIONED)
            return


def _excuse(parts: Sequence[Sentence], found: Sequence[Judged]) -> None:
    """What is merely named after a refusal is no answer: "I can't discuss that. You can call 988"."""
    refused = next((number for number, part in enumerate(parts) if part.has(Cue.REFUSAL)), len(parts))
    for one in found:
        if one.sentence > refused and one.weight in (Weight.GUESSED, Weight.SAID) and one.overlap == 0:
            part = parts[one.sentence]
            if not part.has(Cue.BUT, Cue.THEREFORE, Cue.ANSWER, Cue.FINAL, Cue.PICK):
                one.weight = Weight.MENTIONED


def _end(row: Sequence[Token], found: Sequence[Judged], polar: bool) -> None:
    """A reply that takes its last answer back gives none; one that breaks off has not concluded by its steps."""
    if not found or found[-1].weight < Weight.MENTIONED:
        return
    last = max(one.mention.last for one in found)
    if found[-1].weight >= Weight.GUESSED and takes_back(row, last, hesitating=polar):
        for one in found:
            one.weight = min(one.weight, Weight.MENTIONED)
    elif breaks_off(row):
        for one in found:
            if one.weight < Weight.ALONE:
                one.weight = min(one.weight, Weight.MENTIONED)
