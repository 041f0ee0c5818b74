"""Which option a reply names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from trialign.queries.reading.clauses import Mention, few
from trialign.queries.reading.cleaning import Cleaned
from trialign.queries.reading.groups import Groups
from trialign.queries.reading.labels import Labels, Shown, ranks
from trialign.queries.reading.languages import SMALL_WORDS, spoken_in
from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.options import Texts, is_common
from trialign.queries.reading.polar import Polar
from trialign.queries.reading.statements import Asked
from trialign.queries.reading.sure import Named, goes_on
from trialign.queries.reading.tokens import Level, Token, form, tokens
from trialign.queries.reading.typography import plain
from trialign.queries.reading.words import Cue
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
        self._asked = Asked(question)
        self._groups = Groups(options, self._asked.roots)
        self._weak = frozenset[int]() if self._polar.pairs else _weak(options)

    def read(self, cleaned: Cleaned) -> Reading:
        """The option that a reply surely names, by position, and how it was found."""
        if cleaned.marked:
            readings = [self._read(one) for one in cleaned.marked]
            agreed = len({value for value, _ in readings}) == 1 and not goes_on(cleaned)
            return readings[-1] if agreed else (None, "ambiguous")
        value, status = self._read(plain(cleaned.spoken).strip() if self._texts.literal else cleaned.said)
        struck = {one for text in cleaned.struck for one in self._texts.whole(text)}
        return (None, "ambiguous") if value in struck and not self._texts.literal else (value, status)

    def _read(self, said: str) -> Reading:
        row = tokens(said)
        if (both := self._labelled(said, row)) is not None:
            label, text = both
            return (text, "label") if label == text else (None, "ambiguous")
        equal = self._texts.whole(said)
        if equal and not equal & set(self._doubtful):
            return (min(equal), "exact") if len(equal) == 1 else (None, "ambiguous")
        spoken = spoken_in(said, plain(self._question))
        mentions = self._mentions(said, row, spoken)
        named = Named(
            row,
            mentions,
            self._asked,
            spoken,
            weak=self._weak,
            polar=self._polar.pairs,
            negative=self._polar.negative,
            judging=self._polar.judging,
        )
        sure = named.surely()
        if sure is None:
            return None, "ambiguous" if named.rivals() or named.excuses_itself() else "none"
        labelled = any(one.label for one in mentions if one.value == sure.value)
        return sure.value, "label" if labelled else "contained"

    def _labelled(self, said: str, row: Sequence[Token]) -> tuple[int, int] | None:
        """Label and text of a reply that is no more than the two, whatever words it has: "B. No wait is needed"."""
        for one in self._labels.find(said, row):
            rest = said[row[one.last - 1].end :]
            closed = one.last - one.first > 1 or rest[:1] in tuple(".):]")
            opens = closed and all(token.kind == "mark" for token in row[: one.first])
            rest = rest.strip().lstrip(".):] ")
            if opens and one.value not in self._doubtful and "\n" not in rest:
                found = self._texts.whole(rest)
                numbered = any(token.kind == "number" for token in row[one.first : one.last])  # as lists are
                if len(found) == 1 and (found == {one.value} or not numbered):
                    return one.value, min(found)
        return None

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


def _names_of(question: str) -> frozenset[str]:
    """Single capitals by which a question names things, where there are several: "A is north of B"."""
    found = frozenset(re.findall(r"(?<![\w.])([A-Z])(?![\w.'])", question))
    return found if len(found - {"I"}) > 1 else frozenset()


def _weak(options: Sequence[str]) -> frozenset[int]:
    """Options that are common words, as "may" is: that they stand in a sentence says little."""
    return frozenset(
        index
        for index, option in enumerate(options)
        if is_common(option)
        or option.casefold() in SMALL_WORDS
        or (len(row := tokens(option)) == 1 and cues().find(row))
    )


def _label_of(option: str) -> int:
    """The place for which an option's own text would stand as a Latin letter; -1 where it is none."""
    letter = option.strip().lower()
    return ord(letter) - ord("a") if len(letter) == 1 and letter.isascii() and letter.isalpha() else -1


@lru_cache(maxsize=256)
def options_of(options: tuple[str, ...], question: str, shown: Shown | None) -> Options:
    """The options of a question, kept for its further replies."""
    return Options(options, question, shown)
