"""Which option a reply names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from trialign.queries.reading.clauses import Mention
from trialign.queries.reading.cleaning import Cleaned
from trialign.queries.reading.endings import breaks_off
from trialign.queries.reading.judging import Judged, Weight, judged
from trialign.queries.reading.labels import Labels, Shown
from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.numbers import numbers
from trialign.queries.reading.options import Texts
from trialign.queries.reading.polar import Polar
from trialign.queries.reading.tokens import Level, Token, form, tokens
from trialign.queries.reading.words import Cue, word_set
from trialign.queries.statuses import ParseStatus

_MOST = 200
Reading = tuple[int | None, ParseStatus]


class Options:
    """The options of one question, ready to be found in replies.

    Args:
        options: at least two texts, all different.
        question: for its language and its words.
        shown: how the prompt showed the options; None where that is not known.
    """

    def __init__(self, options: tuple[str, ...], question: str, shown: Shown | None) -> None:
        self._question = question
        self._count = len(options)
        self._texts = Texts(options, range(len(options)))
        rows = [[token for token in tokens(option) if token.kind != "mark"] for option in options]
        contents = {
            form(row[0], Level.FOLD): index for index, row in enumerate(rows) if len(row) == 1 and len(row[0].text) == 1
        }
        numeric = any(character.isdigit() for option in options for character in option)
        self._labels = Labels(len(options), contents, numeric, shown)
        self._polar = Polar(options)
        self._groups = _groups(options)
        self._asked = words_of(question)
        self._word_sets = [
            frozenset(form(token, Level.STEM) for token in row if token.kind in ("word", "number")) - _SMALL
            for row in rows
        ]

    def read(self, cleaned: Cleaned) -> Reading:
        """The option that a reply names, by position, and how it was found."""
        if cleaned.marked:
            readings = [self._read(one) for one in cleaned.marked]
            named = {value for value, _ in readings if value is not None}
            if len(named) == 1:
                return next(reading for reading in readings if reading[0] is not None)
            if named:
                return None, "ambiguous"
        return self._read(cleaned.said)

    def _read(self, said: str) -> Reading:
        equal = self._texts.whole(said)
        if equal:
            return (min(equal), "exact") if len(equal) == 1 else (None, "ambiguous")
        row = tokens(said)
        if not row:
            return None, "none"
        mentions = self._mentions(said, row)
        if not mentions:
            return self._unnamed(said, row)
        found = judged(row, mentions, self._asked, polar=self._polar.pairs)
        return self._decided(found, row)

    def _mentions(self, said: str, row: Sequence[Token]) -> list[Mention]:
        texts = self._polar.standing(self._texts.find(said, row, self._question), row)
        texts += self._polar.verdicts(row, texts)
        texts = self._grouped(row, sorted(texts, key=lambda one: one.first))
        labels = self._labels.find(said, row)
        openers = {one.value for one in labels if one.opens}
        taken = {place for one in texts for place in range(one.first, one.last)}
        merged = list(texts)
        for one in labels:
            contradicted = (
                row[one.first].kind == "number"
                and one.opens
                and any(text.first == one.last and text.value != one.value for text in texts)
            )
            if not taken & set(range(one.first, one.last)) and not contradicted:
                opens = one.opens and len(openers) == 1
                merged.append(Mention(one.first, one.last, one.value, opens, label=True))
        ordered = sorted(merged, key=lambda one: (one.first, one.value))
        # Each is judged in the light of all words: of a reply that repeats itself the beginning and the end are enough.
        return ordered if len(ordered) <= _MOST else [*ordered[: _MOST // 4], *ordered[-_MOST * 3 // 4 :]]

    def _grouped(self, row: Sequence[Token], texts: list[Mention]) -> list[Mention]:
        """Adds mentions of an option such as "all of the above"; they hide the others in their sentence."""
        if not self._groups:
            return texts
        found = []
        for one in cues().find(row):
            value = self._groups.get(one.value)
            if value is not None:
                own = next(
                    (text for text in texts if text.first <= one.first < text.last and text.value == value), None
                )
                found.append(own or Mention(one.first, one.last, value))
        spoken: list[Mention] = []
        for mine in found:
            if mine.first and any(
                one.value == Cue.NOT for one in cues().find(row[max(0, mine.first - 2) : mine.first])
            ):
                texts = [*(text for text in texts if text != mine), mine]
                continue
            start = next((i for i in range(mine.first - 1, -1, -1) if _ends(row[i])), 0)
            end = next((i for i in range(mine.last, len(row)) if _ends(row[i])), len(row))
            hidden = [text for text in texts if start <= text.first < end and text.value != mine.value]
            texts = [text for text in texts if text not in hidden and text != mine]
            reach = max((text.last for text in hidden), default=0)
            spoken.append(replace(mine, last=max(mine.last, reach)))
        return [*texts, *dict.fromkeys(spoken)]

    def _decided(self, found: Sequence[Judged], row: Sequence[Token]) -> Reading:
        found = self._polar.complemented(found)
        live = [one for one in found if one.weight >= Weight.GUESSED]
        if not live:
            undecided = breaks_off(row) and len({one.value for one in found if one.weight == Weight.MENTIONED}) > 1
            return None, "ambiguous" if undecided else "none"
        if any(one.partly for one in live) and self._polar.pairs:
            return None, "ambiguous"
        top = max(one.weight for one in live)
        leading = [one for one in live if one.weight == top]
        if len({one.value for one in leading}) > 1 and top <= Weight.SAID:
            best = max(one.overlap for one in leading)
            if best >= 0.3:
                leading = [one for one in leading if one.overlap == best]
        if len({one.value for one in leading}) > 1:
            return None, "ambiguous"
        chosen = leading[0]
        return chosen.value, "label" if any(one.mention.label for one in leading) else "contained"

    def _unnamed(self, said: str, row: Sequence[Token]) -> Reading:
        """A short reply that is part of one option's words, at least half of them, and of no other's."""
        spelled = numbers(said, row, "en", "point")
        if (
            len(spelled) == 1
            and len(row) <= 4
            and spelled[0].spelled
            and (equal := self._texts.whole(str(spelled[0].readings[0])))
        ):
            return (min(equal), "contained") if len(equal) == 1 else (None, "ambiguous")
        idle = {
            place
            for one in cues().find(row)
            for place in range(one.first, one.last)
            if one.value in (Cue.FILLER, Cue.NOTHING, Cue.ANSWER, Cue.PICK)
        }
        own = (
            frozenset(
                form(token, Level.STEM)
                for place, token in enumerate(row)
                if token.kind in ("word", "number") and place not in idle
            )
            - _SMALL
        )
        if (
            not own
            or self._texts.amounts
            or len(row) > 8
            or self._texts.level < Level.STEM
            or any(one.value in (Cue.NOT, Cue.WRONG, Cue.NOT_AFTER, Cue.OR) for one in cues().find(row))
        ):
            return None, "none"
        fitting = [index for index, words in enumerate(self._word_sets) if own <= words]
        if len(fitting) != 1 or 2 * len(own) < len(self._word_sets[fitting[0]]) or said.rstrip().endswith("?"):
            return None, "none"
        return fitting[0], "contained"


def _ends(token: Token) -> bool:
    return token.kind == "mark" and token.text in ".!?\n;。"


_SMALL = word_set("the a an of in it is to and on at for by its our your their")


def _groups(options: Sequence[str]) -> dict[Cue, int]:
    """Options that speak of the others: "all of the above", "both", "neither"."""
    found: dict[Cue, int] = {}
    for index, option in enumerate(options):
        row = tokens(option)
        first = next((one for one in cues().find(row) if one.value in (Cue.BOTH, Cue.NEITHER)), None)
        if first and first.first <= 1:
            found[first.value] = -1 if first.value in found else index
    return {cue: index for cue, index in found.items() if index >= 0}


def words_of(question: str) -> frozenset[str]:
    """Forms of the question's words that carry its content."""
    row = tokens(question)
    small = {
        place
        for one in cues().find(row)
        for place in range(one.first, one.last)
        if one.value in (Cue.FILLER, Cue.AND, Cue.OR, Cue.BECAUSE)
    }
    return frozenset(
        form(token, Level.STEM)
        for place, token in enumerate(row)
        if token.kind in ("word", "unspaced") and place not in small and token.text.casefold() not in _ASKING
    )


_ASKING = word_set(
    "which what who where when how many much why whose whom does do did in on at of for by with from quel quelle "
    "quién qué cuál wer was welche wie"
)


@lru_cache(maxsize=256)
def options_of(options: tuple[str, ...], question: str, shown: Shown | None) -> Options:
    """The options of a question, kept for its further replies."""
    return Options(options, question, shown)
