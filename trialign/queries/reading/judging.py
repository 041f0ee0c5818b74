"""What a reply does with each answer that it names: concludes, states, guesses, mentions or denies it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from trialign.queries.reading.afterthoughts import reconsider
from trialign.queries.reading.clauses import Clause, Mention, Piece, Sentence, sentences
from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.questions import overlap
from trialign.queries.reading.tokens import Token
from trialign.queries.reading.weights import Judged, Weight
from trialign.queries.reading.words import Cue, word_set

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
    row: Sequence[Token],
    mentions: Sequence[Mention],
    question: frozenset[str],
    spoken: str | None = None,
    *,
    polar: bool = False,
) -> list[Judged]:
    """Every mention with its weight.

    Args:
        row: the reply's tokens.
        mentions: in the order of the text, without overlap.
        question: forms of the question's words, for `Judged.overlap`.
        spoken: the reply's language, where it is known.
        polar: each of two answers denies the other, so that a denial may affirm.
    """
    parts = sentences(row, mentions, spoken)
    found: list[Judged] = []
    announced = False
    for number, sentence in enumerate(parts):
        mine = list(_in_sentence(sentence, announced, number))
        _subordinate(sentence, mine)
        known: dict[int, tuple[Sequence[Piece], float]] = {}  # mentions of one clause share what it says
        for index, (one, clause) in enumerate(mine):
            part = _part(clause, one.mention)
            if id(part) not in known:
                known[id(part)] = part, _overlap(row, _about(sentence, clause, part), question)
            one.overlap = known[id(part)][1]
            one.contrasts = clause.begins == Cue.BUT
            before = mine[index - 1][0] if index else found[-1] if found else None
            if before and _is_added(row, clause):
                one.overlap = max(one.overlap, before.overlap)
                shared = before.weight > Weight.MENTIONED or (clause.begins is None and _repeats_verb(clause))
                one.weight = before.weight if one.weight > Weight.MENTIONED and shared else one.weight
        found += [one for one, _ in mine]
        if sentence.pieces:
            announced = _announces(sentence) or (announced and not mine and sentence.ended == ":")
    _join_runs(row, parts, found)
    reconsider(row, parts, found, polar=polar)
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
    subordinate = sentence.clauses[0].begins in (Cue.BUT, Cue.BECAUSE, Cue.MEANWHILE)
    stated = False
    follows = False
    for place_of_clause, clause in enumerate(sentence.clauses):
        if clause.begins in (Cue.BUT, Cue.THEREFORE, Cue.CORRECTION) or clause.has(Cue.FINAL):
            reported = refused = unknown = False
        if (place_of_clause and subordinate) or clause.has(Cue.PICK, Cue.ANSWER, Cue.RIGHT):
            reported = False
        refused |= clause.has(Cue.REFUSAL)
        reported |= clause.has(Cue.REPORTED)
        aside = (
            clause.begins in (Cue.BECAUSE, Cue.MEANWHILE)
            and place_of_clause > 0
            and _states(sentence.clauses[place_of_clause - 1])
        )
        aside |= stated and clause.begins == Cue.MEANWHILE
        condition = clause.has(Cue.IF) and not clause.has(Cue.ANSWER, Cue.FINAL, Cue.PICK)
        unsure = next((place for place, piece in enumerate(clause.pieces) if piece.cue == Cue.UNKNOWN), None)
        for place in clause.mentions:
            mention = clause.pieces[place].mention
            assert mention is not None
            unknown = unsure is not None and unsure < place
            weight = _weight(clause, place, announced)
            follows |= weight == Weight.FOLLOWS
            if follows and weight == Weight.SAID and clause.begins is None:
                weight = Weight.FOLLOWS  # "so after 5 minutes it is 20, and after 10 it is 40"
            if weight == Weight.ALONE and not sentence.ended and clause.pieces[-1].text in ("is", "are", "was"):
                weight = Weight.SAID  # the reply breaks off
            owned = place > 0 and clause.pieces[place - 1].text.casefold() in _POSSESSIVES
            if weight == Weight.SAID and owned and not mention.label:
                weight = Weight.MENTIONED  # "my heart goes out to you"
            if weight > Weight.DENIED and (reported or refused or unknown or supposed or condition or aside):
                weight = Weight.MENTIONED
            if sentence.asked:
                weight = min(weight, Weight.MENTIONED)
            stated = stated or weight >= Weight.SAID
            behind = weight == Weight.DENIED and not _is_denied(_around(clause, place)[0], ())
            yield Judged(mention, weight, 0.0, number, clause.has(Cue.PARTLY), behind=behind), clause


def _subordinate(sentence: Sentence, found: Sequence[tuple[Judged, Clause]]) -> None:
    """What "while" or "because" opens a sentence with gives way to its main clause: "While A is old, B is big"."""
    opening = next((clause for clause in sentence.clauses if clause.pieces), sentence.clauses[0])
    if opening.begins not in (Cue.MEANWHILE, Cue.BECAUSE) or not found:
        return
    main = found[-1][1]
    if main is opening or not any(one.weight >= Weight.SAID for one, clause in found if clause is main):
        return
    for one, clause in found:
        if clause is not main:
            one.weight = min(one.weight, Weight.MENTIONED)


def _is_passed_over(clause: Clause, place: int) -> bool:
    """Whether only "over" stands between another answer and this one: "I'd pick Paris over Lyon"."""
    before = clause.pieces[max(0, place - 2) : place]
    return len(before) == 2 and before[0].mention is not None and before[1].text.casefold() == "over"


def _states(clause: Clause) -> bool:
    """Whether a clause says "it is" something that is none of the answers looked for."""
    words = [piece for piece in clause.pieces if not piece.mark]
    named = [piece for piece in words if piece.cue is None]
    return not clause.mentions and len(words) >= 2 and words[0].cue == Cue.FILLER and 0 < len(named) <= 3


def _weight(clause: Clause, place: int, announced: bool) -> Weight:
    """The weight of one mention by the words of its clause around it."""
    mention = clause.pieces[place].mention
    if mention and mention.particle and not any(piece.cue == Cue.NOT for piece in clause.pieces[:place]):
        return Weight.ALONE
    if _is_passed_over(clause, place):
        return Weight.DENIED
    before, after = _around(clause, place)
    if _is_denied(before, after):
        return Weight.DENIED
    earlier = {piece.cue for piece in clause.pieces[:place]} if clause.cues else set()
    if Cue.FINAL in earlier:
        return Weight.FINAL
    if announced or any(cue in (Cue.ANSWER, Cue.PICK) for cue in earlier) or Cue.RIGHT in before:
        return Weight.GUESSED if Cue.GUESS in before or Cue.GUESS in after else Weight.ANSWER
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
    index = bisect_left(clause.mentions, place)
    earlier, later = index > 0, index + 1 < len(clause.mentions)
    before = clause.pieces[clause.mentions[index - 1] + 1 if earlier else 0 : place]
    after = clause.pieces[place + 1 : clause.mentions[index + 1] if later else len(clause.pieces)]
    own = _of_former(before)[1] if earlier else before
    mine = _of_former(after)[0] if later else after
    return [piece.cue for piece in own if piece.cue], [piece.cue for piece in mine if piece.cue]


def _of_former(between: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Parts the pieces between two mentions into those that speak of the former and of the latter."""
    for index, piece in enumerate(between):
        if piece.cue in (Cue.AND, Cue.OR) and any(one.cue for one in between[:index]):
            return list(between[:index]), list(between[index:])
    if len(between) == 1 and between[0].text in "✗✘❌✓✔✅☑":
        return list(between), []
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


def _is_added(row: Sequence[Token], clause: Clause) -> bool:
    """Whether a clause says of its answer what was said of the one before: "Lyon is too", "and so is Lyon"."""
    words = [row[place].text.casefold() for piece in clause.pieces for place in range(piece.first, piece.last)]
    return any(word in _ALSO for word in words) or words[:2] == ["and", "so"] or _repeats_verb(clause)


def _repeats_verb(clause: Clause) -> bool:
    """Whether a clause opens with a phrase such as "as can", which repeats what was said before."""
    return bool(clause.pieces) and clause.pieces[0].cue == Cue.AND and clause.pieces[0].text.startswith("as ")


def _about(sentence: Sentence, clause: Clause, part: Sequence[Piece]) -> Iterator[Piece]:
    """What a sentence says of an answer: its part of the clause, and the clauses beside it that name none."""
    place = next(index for index, one in enumerate(sentence.clauses) if one is clause)
    yield from part
    before = sentence.clauses[:place]
    for others in (sentence.clauses[place + 1 :], () if any(one.mentions for one in before) else before):
        for other in others:
            if other.mentions:
                break
            yield from other.pieces


def _part(clause: Clause, mention: Mention) -> Sequence[Piece]:
    """The pieces of a clause that speak of one mention, where words of their own follow each of several."""
    if not 1 < len(clause.mentions) <= _FEW:
        return clause.pieces
    ends = [*clause.mentions[1:], len(clause.pieces)]
    between = [clause.pieces[start + 1 : end] for start, end in zip(clause.mentions, ends, strict=True)]
    if not all(any(piece.cue is None and not piece.mark for piece in part) for part in between):
        return clause.pieces
    own = next(index for index, place in enumerate(clause.mentions) if clause.pieces[place].mention is mention)
    return [*(clause.pieces[: clause.mentions[0]] if own == 0 else ()), *between[own]]


def _overlap(row: Sequence[Token], pieces: Iterable[Piece], question: frozenset[str]) -> float:
    words = (row[i] for piece in pieces if not piece.mention for i in range(piece.first, piece.last))
    return overlap(words, question)


def _join_runs(row: Sequence[Token], parts: Sequence[Sentence], found: list[Judged]) -> None:
    """Mentions that nothing or only "and", "or" parts share their fate: "Lyon and Nice are wrong", "B, Paris"."""
    links = [_link(row, left.mention, right.mention) for left, right in pairwise(found)]
    alone = {number for number, part in enumerate(parts) if all(piece.mention or piece.mark for piece in part.pieces)}
    start = 0
    for index in range(len(found)):
        link = links[index] if index < len(links) else None
        if link == "stop" and not (found[index + 1].sentence in alone and parts[found[index].sentence].ended == "."):
            link = None
        if link and _comes_again(found[start : index + 2]):
            link = None
        if link is None:
            _share(found[start : index + 1], [one for one in links[start:index] if one])
            start = index + 1
    _demote_lists(links, found)


def _comes_again(run: Sequence[Judged]) -> bool:
    """Whether the last of a run was named before in it, and another since: "Of C and D, C ..."."""
    values = [one.value for one in run]
    return values[-1] in values[:-1] and len(set(values[:-1])) > 1


def _demote_lists(links: Sequence[str | None], found: Sequence[Judged]) -> None:
    """Several answers in one breath ("Paris and Lyon are large") give way to one that is stated alone elsewhere."""
    listed: set[int] = set()
    start = 0
    for index in range(len(found)):
        if index == len(links) or links[index] not in ("joined", "comma"):
            run = range(start, index + 1)
            values = {found[one].value for one in run}
            if len(values) > 2 or (len(values) > 1 and "joined" in links[start:index]):
                listed |= set(run)
            start = index + 1
    alone = [one for index, one in enumerate(found) if index not in listed and one.weight >= Weight.SAID]
    if len({one.value for one in alone}) == 1:
        for index in listed:
            if Weight.GUESSED <= found[index].weight <= (Weight.ALONE if len(listed) > 2 else Weight.SAID):
                found[index].weight = Weight.MENTIONED


def _link(row: Sequence[Token], left: Mention, right: Mention) -> str | None:
    """What stands between two mentions: ``joined`` (and, or), ``comma``, ``stop``, or None: other words."""
    between = row[left.last : right.first]
    words = [token for token in between if token.kind != "mark" and token.text not in "-–"]
    marks = {token.text for token in between if token.kind == "mark"}
    found = cues().find(words)
    if right.label and found and found[-1].value == Cue.OPTION and all(one.value in _IS_OPTION for one in found):
        names = {index for one in found for index in range(one.first, one.last)}
        if len(names) == len(words) and not marks - {","}:
            return "comma"  # "Paris, which is option B"
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
    if not words and not marks and not (left.label or right.label):
        return "joined"  # particles join them: "달도 태양도"
    return "stop" if marks & set(".\n") else "comma"


# What is said of the answer before is said of this one as well.
_ALSO = word_set(
    "too also likewise auch ebenfalls ebenso también tambien aussi anche pure тоже также också ook też "
    "także również "
    "también juga cũng भी เช่นกัน επίσης גם أيضا أيضًا هم نیز de"
)
_FEW = 6  # more answers in one clause are a list
_POSSESSIVES = word_set("my your his her our their mein dein mi tu mon ton meu teu")
_IS_OPTION = (Cue.FILLER, Cue.BECAUSE, Cue.OPTION)
_ARTICLES = word_set("the a an la el los las le les l der die das o os as il lo gli i un una une")


def _share(run: Sequence[Judged], links: Sequence[str]) -> None:
    if len(run) < 2:
        return
    denied = any(one.weight == Weight.DENIED for one in run)
    if denied and len({one.value for one in run}) > 1:
        if "joined" not in links:
            return
        last = max(index for index, link in enumerate(links) if link == "joined")
        run = run[: last + 2]  # "unlike Nice and Lille, Paris"
    listed = len({one.value for one in run}) > 2 and set(links) == {"comma"}
    weight = Weight.DENIED if denied else run[0].weight if listed else max(one.weight for one in run)
    if any(one.weight == Weight.MENTIONED for one in run) and not denied:
        weight = Weight.MENTIONED if len({one.sentence for one in run}) == 1 else weight
    closest = max(one.overlap for one in run)
    for one in run:
        one.weight, one.overlap = weight, closest
