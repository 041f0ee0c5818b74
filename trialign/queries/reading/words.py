"""The words by which replies state, deny, report, correct and refuse, in many languages (`phrases.txt`)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from importlib.resources import files


class Cue(Enum):
    """What a phrase does to the answers that stand near it."""

    ANSWER = auto()  # announces an answer
    FINAL = auto()  # announces the last word
    OPTION = auto()  # a letter beside it is an option's
    PICK = auto()  # the speaker's choice
    RIGHT = auto()
    WRONG = auto()
    NOT = auto()  # denies what follows
    NOT_AFTER = auto()  # denies what stands before it
    THEREFORE = auto()
    BUT = auto()
    BECAUSE = auto()
    MEANWHILE = auto()  # what is said of another answer, aside
    AND = auto()
    OR = auto()
    REPORTED = auto()  # others' belief
    GUESS = auto()
    UNKNOWN = auto()
    PARTLY = auto()
    IF = auto()
    WOULD = auto()
    CORRECTION = auto()
    REFUSAL = auto()
    FILLER = auto()  # adds nothing to an answer
    NOTHING = auto()  # a set phrase whose words mean nothing here
    BOTH = auto()
    NEITHER = auto()


_CANNOT = (
    "i cannot|i cant|im unable to|i am unable to|im not able to|i am not able to|i wont|i will not|i can not|"
    "we cannot|we cant|unable to|not able to|im not going to|not allowed to|not permitted to|i could not|"
    "i shouldnt|i should not|cant really|cannot really|i do not wish to|i dont want to|i dont wish to"
)
_DO = (
    "answer|help|assist|provide|share|give|offer|discuss|comment|respond|fulfill|fulfil|comply|engage|choose|"
    "pick|recommend|express|participate|take sides|support|continue|complete|select|directly answer|ethically|"
    "in good conscience|have opinions|form opinions|have personal|do that|address|advise|weigh in|"
    "take a position|take a stance|speculate|reply|endorse|process"
)


class Closing(Enum):
    """What the words behind an answer make of it."""

    UNDECIDED = auto()  # the speaker cannot decide or does not know
    RETRACT = auto()  # takes back what was said
    STANDS = auto()  # returns to the first answer


def phrases(spoken: str | None = None) -> Iterator[tuple[str, Cue]]:
    """Every phrase with what it does; a phrase that is given twice counts as what it does last.

    Args:
        spoken: language of the reply: its own phrases count before those of others that are spelled alike ("also").
    """
    listed = [(name, of, phrase) for name, of, phrase in _listed() if name in Cue.__members__]
    for name, of, phrase in listed:
        if of != spoken and not of.endswith(_OWN):
            yield phrase, Cue[name]
    for name, of, phrase in listed:
        if spoken is not None and of.removesuffix(_OWN) == spoken:
            yield phrase, Cue[name]
    for cannot in _CANNOT.split("|"):
        for do in _DO.split("|"):
            yield f"{cannot} {do}", Cue.REFUSAL


def places() -> Iterator[tuple[str, int]]:
    """Words for an option by its place ("the second one"), from 0; -1 for the last."""
    for name, _, phrase in _listed():
        if name == "LAST" or name.startswith("PLACE"):
            yield phrase, -1 if name == "LAST" else int(name.removeprefix("PLACE")) - 1


def closings() -> Iterator[tuple[str, Closing]]:
    """Phrases that leave a reply undecided, take its answer back or return to its first."""
    for name, _, phrase in _listed():
        if name in Closing.__members__:
            yield phrase, Closing[name]


def echoes() -> Iterator[tuple[str, int]]:
    """Replies to yes-no questions that say neither yes nor no ("of course not"), with 0 for a yes and 1 for a no."""
    for name, _, phrase in _listed():
        if name in ("AFFIRM", "DENY"):
            yield phrase, int(name == "DENY")


def asking() -> Iterator[str]:
    """Small words of questions, which say nothing of what is asked."""
    return (word for name, _, word in _listed() if name == "ASKING")


def irregular() -> Iterator[tuple[str, str]]:
    """Forms of words that share no beginning with the word itself, and that word."""
    for name, _, entry in _listed():
        if name == "IRREGULAR":
            word, _, others = entry.partition("=")
            yield from ((other, word) for other in others.split())


_OWN = "!"  # behind a language: phrases that mean this in its replies only


def _listed() -> Iterator[tuple[str, str, str]]:
    listed = files("trialign.queries.reading").joinpath("phrases.txt").read_text(encoding="utf-8")
    for line in listed.splitlines():
        name, _, rest = line.partition(" ")
        if name not in ("", "#"):
            language, _, listed_phrases = rest.partition(" ")
            for phrase in listed_phrases.split("|"):
                yield name, language, phrase
                if phrase.startswith(("thats ", "whats ", "heres ")):  # tokens part "that's"
                    yield name, language, phrase.replace("s ", " ", 1)


def word_set(text: str) -> frozenset[str]:
    """The words of a text between blanks."""
    return frozenset(text.split())
