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


def phrases() -> Iterator[tuple[str, Cue]]:
    """Every phrase with what it does; a phrase that is given twice counts as what it does last."""
    for name, phrase in _listed():
        if name in Cue.__members__:
            yield phrase, Cue[name]
    for cannot in _CANNOT.split("|"):
        for do in _DO.split("|"):
            yield f"{cannot} {do}", Cue.REFUSAL


def places() -> Iterator[tuple[str, int]]:
    """Words for an option by its place ("the second one"), from 0; -1 for the last."""
    for name, phrase in _listed():
        if name == "LAST" or name.startswith("PLACE"):
            yield phrase, -1 if name == "LAST" else int(name.removeprefix("PLACE")) - 1


def _listed() -> Iterator[tuple[str, str]]:
    listed = files("trialign.queries.reading").joinpath("phrases.txt").read_text(encoding="utf-8")
    for line in listed.splitlines():
        name, _, rest = line.partition(" ")
        if name not in ("", "#"):
            for phrase in rest.partition(" ")[2].split("|"):
                yield name, phrase


def word_set(text: str) -> frozenset[str]:
    """The words of a text between blanks."""
    return frozenset(text.split())
