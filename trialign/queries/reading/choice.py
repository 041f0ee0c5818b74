"""Which option a reply names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from trialign.queries.reading.asides import is_small_word
from trialign.queries.reading.clauses import Mention, few
from trialign.queries.reading.cleaning import Cleaned
from trialign.queries.reading.endings import breaks_off
from trialign.queries.reading.groups import Groups
from trialign.queries.reading.judging import judged
from trialign.queries.reading.labels import Labels, Shown, ranks
from trialign.queries.reading.languages import spoken_in
from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.numbers import numbers
from trialign.queries.reading.numeric import numeric_of
from trialign.queries.reading.options import Texts
from trialign.queries.reading.polar import Polar
from trialign.queries.reading.questions import words_of
from trialign.queries.reading.tokens import Level, Token, form, tokens
from trialign.queries.reading.trust import concluded, disputed, first_stands
from trialign.queries.reading.typography import plain
from trialign.queries.reading.weights import CLOSE, Judged, Weight
from trialign.queries.reading.words import Cue, word_set
from trialign.queries.statuses import ParseStatus

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
        self._labels = Labels(len(options), contents, numeric, shown, _names_of(question), ranks(tokens(question)))
        own = {index: _label_of(options[index]) for index in contents.values()} if shown == "lettered" else {}
        # Options that are letters, while the prompt lettered another one so: "A" may be either.
        self._doubtful = {index: place for index, place in own.items() if 0 <= place < len(options) and place != index}
        self._polar = Polar(options, question)
        self._asked = words_of(question)
        self._negated = any(one.value == Cue.NOT for one in cues().find(tokens(question)))
        self._groups = Groups(options, self._asked)
        self._sorted = [sorted(form(token, Level.STEM) for token in row) for row in rows]
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
        value, status = self._read(plain(cleaned.spoken).strip() if self._texts.literal else cleaned.said)
        struck = {one for text in cleaned.struck for one in self._texts.whole(text)}
        return (None, "ambiguous") if value in struck and not self._texts.literal else (value, status)

    def _read(self, said: str) -> Reading:
        equal = self._texts.whole(said)
        if equal and not equal & set(self._doubtful):
            return (min(equal), "exact") if len(equal) == 1 else (None, "ambiguous")
        row = tokens(said)
        if not row:
            return None, "none"
        same = self._same_words(row)
        if same is not None:
            return same, "contained"
        spoken = spoken_in(said, plain(self._question))
        mentions = self._mentions(said, row, spoken)
        if not mentions:
            return self._unnamed(said, row)
        found = judged(row, mentions, self._asked, spoken, polar=self._polar.pairs)
        first = first_stands(row, found)
        if first is not None:
            return first, "contained"
        value, status = self._decided(found, row)
        negated = self._negated and not self._polar.pairs
        if value is not None and disputed(row, found, value, spoken, negated=negated):
            return self._concluded(row, found, spoken)
        numbers_only = self._texts.amounts and not any(one.mention.label for one in found)
        if status == "ambiguous" and not numbers_only:
            return self._concluded(row, found, spoken)
        if status == "ambiguous":
            return self._by_number(said, {one.value for one in found if one.weight == Weight.DENIED})
        return value, status

    def _concluded(self, row: Sequence[Token], found: Sequence[Judged], spoken: str | None) -> Reading:
        """What a reply that names several options says in the end."""
        value = concluded(row, found, spoken, polar=self._polar.pairs)
        return (None, "ambiguous") if value is None else (value, "contained")

    def _mentions(self, said: str, row: Sequence[Token], spoken: str | None) -> Sequence[Mention]:
        texts = self._polar.standing(few(self._texts.find(said, row, self._question)), row)
        texts += self._polar.verdicts(row, texts)
        labels = self._labels.find(said, row)
        texts, labels = self._groups.mark(row, sorted(texts, key=lambda one: one.first), labels, spoken)
        openers = {one.value for one in labels if one.opens}
        texts = self._doubted(row, texts, labels)
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
        return few(sorted(merged, key=lambda one: (one.first, one.value)))

    def _doubted(self, row: Sequence[Token], texts: list[Mention], labels: list[Mention]) -> list[Mention]:
        """Where an option is a letter that labels another, a bare letter names both, and "(A)" the labelled one."""
        marked = {one.first + (row[one.first].text in "([") for one in labels if one.last - one.first > 1}
        named = {one.last for one in cues().find(row) if one.value == Cue.OPTION}
        told = {one.last for one in labels if one.last - one.first > 1}
        found: list[Mention] = []
        for one in texts:
            if one.value not in self._doubtful:
                found.append(one)
            elif one.first not in marked | named:
                found.append(one)
                if one.first not in told:  # not the text of "C. B"
                    found.append(replace(one, value=self._doubtful[one.value], label=True))
        return found

    def _decided(self, found: Sequence[Judged], row: Sequence[Token]) -> Reading:
        found = self._polar.complemented(found)
        if self._negated and not self._polar.pairs:
            found = _asked_for_denials(found)
        live = [one for one in found if one.weight >= Weight.GUESSED]
        if not live:
            together = self._groups.together(found)
            if together is not None:
                return together, "contained"
            undecided = breaks_off(row) and len({one.value for one in found if one.weight == Weight.MENTIONED}) > 1
            return None, "ambiguous" if undecided else "none"
        if any(one.partly for one in live) and self._polar.pairs:
            return None, "ambiguous"
        top = max(one.weight for one in live)
        leading: Sequence[Judged] = [one for one in live if one.weight == top]
        if len({one.value for one in leading}) > 1 and top <= Weight.SAID:
            leading = _to_the_question(leading)
        if len({one.value for one in leading}) > 1:
            together = self._groups.together(found)
            if together is None:
                together = _by_its_text(leading)
            return (None, "ambiguous") if together is None else (together, "contained")
        chosen = leading[0]
        return chosen.value, "label" if any(one.mention.label for one in leading) else "contained"

    def _same_words(self, row: Sequence[Token]) -> int | None:
        """The option whose words a short reply gives in another order: "only A" for "A only"."""
        own = sorted(form(token, Level.STEM) for token in row if token.kind != "mark")
        if not 1 < len(own) <= 8:
            return None
        fitting = [index for index, words in enumerate(self._sorted) if words == own]
        return fitting[0] if len(fitting) == 1 else None

    def _by_number(self, said: str, denied: set[int]) -> Reading:
        """Of several options that are numbers the one that answers the question, as a number without options would."""
        number, _ = numeric_of(self._question).read(Cleaned(said, (), cut_off=False))
        equal = self._texts.whole(number) if number is not None else set()
        return (min(equal), "contained") if len(equal) == 1 and not equal & denied else (None, "ambiguous")

    def _unnamed(self, said: str, row: Sequence[Token]) -> Reading:
        """A short reply that is part of one option's words, at least half of them, and of no other's."""
        spelled = numbers(said, row, "en", "point") if len(row) <= 4 else []
        if (
            len(spelled) == 1
            and len(row) <= 4
            and spelled[0].spelled
            and not is_small_word(row, (0, sum(token.end <= spelled[0].end for token in row)))
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
            or self._polar.pairs
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


def _names_of(question: str) -> frozenset[str]:
    """Single capitals by which a question names things, where there are several: "A is north of B"."""
    found = frozenset(re.findall(r"(?<![\w.])([A-Z])(?![\w.'])", question))
    return found if len(found - {"I"}) > 1 else frozenset()


def _asked_for_denials(found: Sequence[Judged]) -> Sequence[Judged]:
    """Where a question asks what is not so, what a reply says is not so answers it: "Q does not appear"."""
    if not any(one.weight == Weight.DENIED and one.behind for one in found):
        return found
    return [
        replace(one, weight=Weight.SAID if one.behind else min(one.weight, Weight.MENTIONED))
        if one.weight <= Weight.SAID
        else one
        for one in found
    ]


def _by_its_text(found: Sequence[Judged]) -> int | None:
    """Of one letter that may be an option or label another the option, where its clause repeats the question."""
    texts = {one.value for one in found if not one.mention.label}
    one_place = len({one.mention.first for one in found}) == 1
    return texts.pop() if one_place and len(texts) == 1 and found[0].overlap >= CLOSE else None


def _to_the_question(found: Sequence[Judged]) -> Sequence[Judged]:
    """Of equally firm statements those whose words are the question's; of these the one set against the rest."""
    best = max(one.overlap for one in found)
    closest = [one for one in found if one.overlap == best]
    if len({one.value for one in closest}) > 1 and best > 0 and closest[-1].contrasts:
        closest = [one for one in closest if one.value == closest[-1].value]
    return closest if best >= CLOSE or (best > 0 and closest[-1] is found[-1]) else found


_SMALL = word_set("the a an of in it is to and on at for by its our your their")


def _label_of(option: str) -> int:
    """The place for which an option's own text would stand as a Latin letter; -1 where it is none."""
    letter = option.strip().lower()
    return ord(letter) - ord("a") if len(letter) == 1 and letter.isascii() and letter.isalpha() else -1


@lru_cache(maxsize=256)
def options_of(options: tuple[str, ...], question: str, shown: Shown | None) -> Options:
    """The options of a question, kept for its further replies."""
    return Options(options, question, shown)
