"""The same question as people write it: with slips of the keys, as a learner, in small letters, formally, as spoken.

Rules of English spelling alone; other languages stay as they are but for their ends. What a question is about stays:
its numbers and names, the words that stand in its options, and words that turn or bound a meaning are not touched.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Literal, get_args

Way = Literal["typos", "learner", "lower", "formal", "dialect"]
WAYS: tuple[Way, ...] = get_args(Way)

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SMALL_WORD = re.compile(r"[a-z]+(?:['’][a-z]+)*")
_POLITE = "I should be grateful if you would answer the following question."
# A slip in one of these might be read as another question.
_WEIGHTY = frozenset(
    re.findall(
        r"\w+",
        "never not without except least most fewer fewest smallest largest lowest highest nearest farthest first last "
        "only before after above below under over between more less longest shortest oldest youngest cannot neither "
        "either alone always often usually seldom rarely false true wrong right",
    )
)
_OPENERS = frozenset(
    re.findall(
        r"\w+",
        "what which who whom whose when where why how is are was were do does did can could will would should in on at "
        "of for from by about after before during among the a an to if with under over between has have had name",
    )
)
_LEARNERS = {"the": "", "a": "", "an": "", "does": "do"}
_SPOKEN = {"and": "an'", "of": "o'", "you": "ye", "with": "wi'"}
_LONG = {
    "isn't": "is not",
    "aren't": "are not",
    "wasn't": "was not",
    "weren't": "were not",
    "don't": "do not",
    "doesn't": "does not",
    "didn't": "did not",
    "can't": "cannot",
    "won't": "will not",
    "what's": "what is",
    "who's": "who is",
    "it's": "it is",
}


def written(question: str, way: Way, key: str, options: Sequence[str] = ()) -> str:
    """The question as somebody writes it.

    Args:
        question: as it is put.
        way: of writing.
        key: seeds what is drawn; the same key gives the same text.
        options: of the question; words that stand in them are kept.
    """
    kept = {word.casefold() for option in options for word in _TOKEN.findall(option)} | _WEIGHTY
    if way == "lower":
        return _lower(question)
    if way == "formal":
        return f"{_POLITE} {_with(question, kept, lambda word: _LONG.get(word.replace('’', chr(39)), word))}"
    if way == "learner":
        return re.sub(r"  +", " ", _with(question, kept, lambda word: _LEARNERS.get(word, word))).strip()
    if way == "dialect":
        return _with(question, kept, _as_spoken)
    return _with_slips(question, kept, random.Random(f"typos:{key}"))


def _with(question: str, kept: set[str], change: Callable[[str], str]) -> str:
    """The question with its small words changed; those that are kept, or hold a capital or a digit, stay."""

    def of(match: re.Match[str]) -> str:
        word = match[0]
        return change(word) if _SMALL_WORD.fullmatch(word) and word not in kept else word

    return _TOKEN.sub(of, question)


def _lower(question: str) -> str:
    """Small letters where they are no name's, and no mark at the end."""
    opener = _TOKEN.match(question)
    if opener and opener[0].casefold() in _OPENERS:
        question = opener[0].lower() + question[opener.end() :]
    return question.rstrip(" ?.")


def _as_spoken(word: str) -> str:
    if len(word) > 5 and word.endswith("ing"):
        return f"{word[:-1]}'"
    return _SPOKEN.get(word, word)


def _with_slips(question: str, kept: set[str], generator: random.Random) -> str:
    """A slip in every fourth word of five letters and more, at least in one, where there is one."""
    places = [
        match
        for match in _TOKEN.finditer(question)
        if _SMALL_WORD.fullmatch(match[0]) and match[0].isalpha() and len(match[0]) > 4 and match[0] not in kept
    ]
    chosen = {match.start() for match in generator.sample(places, -(-len(places) // 4))}

    def slip(match: re.Match[str]) -> str:
        return _slip(match[0], generator) if match.start() in chosen else match[0]

    return _TOKEN.sub(slip, question)


def _slip(word: str, generator: random.Random) -> str:
    """Two letters exchanged, one left out, or one twice; never the first, so that the word is known again."""
    place = generator.randrange(1, len(word) - 1)
    kind = generator.choice(("exchanged", "left out", "twice"))
    if kind == "exchanged" and word[place] != word[place + 1]:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return word[:place] + (word[place] * 2 if kind == "twice" else "") + word[place + 1 :]
