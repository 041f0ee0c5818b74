"""Profiles without the words that tell groups apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from trialign.groups import Message, SocialGroup

NEUTRAL = "unspecified"
_WORD = re.compile(r"\w+(?:['’]\w+)*")


def neutralised(group: SocialGroup, members: Sequence[SocialGroup]) -> SocialGroup:
    """A member whose wordings and dialogues have ``unspecified`` for each run of identity words.

    A word of wording i is one of identity where not every member has it in a wording i (in its last one, where it has
    fewer). With one member there are none.
    """

    def of_group(one: SocialGroup, at: int) -> str:
        return one.explicit[min(at, len(one.explicit) - 1)] if one.explicit else ""

    def of_dialogue(one: SocialGroup, at: int) -> str:
        turns = one.implicit[min(at, len(one.implicit) - 1)] if one.implicit else ()
        return "\n".join(message.content for message in turns)

    def common(told: Callable[[SocialGroup, int], str], at: int) -> set[str]:
        return set.intersection(*(_words(told(one, at)) for one in members))

    return replace(
        group,
        explicit=tuple(_replaced(text, common(of_group, at)) for at, text in enumerate(group.explicit)),
        implicit=tuple(
            tuple(Message(turn.role, _replaced(turn.content, common(of_dialogue, at))) for turn in dialogue)
            for at, dialogue in enumerate(group.implicit)
        ),
    )


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def _replaced(text: str, common: set[str]) -> str:
    """Each run of words that are not in common, and what stands between them, as one neutral word."""
    pieces: list[str] = []
    end, inside = 0, False
    for match in _WORD.finditer(text):
        if match.group().casefold() in common:
            pieces.append(text[end : match.end()])
            inside = False
        elif not inside:
            pieces.append(text[end : match.start()] + NEUTRAL)
            inside = True
        end = match.end()
    return "".join(pieces) + text[end:]
