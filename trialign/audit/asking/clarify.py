"""Asking an agent which option its reply meant, in the same conversation."""

from __future__ import annotations

import random
import re
import string
from dataclasses import replace

from trialign.asking import Answer
from trialign.environment import letters, stable_seed
from trialign.queries import PreferenceQuery
from trialign.queries.endings import read_reply
from trialign.weighing import Asked

# A reply that was refused or withheld stays that, and one without words meant nothing.
_UNCLEAR = ("none", "ambiguous", "cut_off")
_LETTER = re.compile(r"[\W_]*([A-Z])[\W_]*", re.IGNORECASE | re.ASCII)


def is_unclear(asked: Asked, answer: Answer, status: str) -> bool:
    """Whether an agent is asked what it meant: it said something to a choice, from which no option was read."""
    said = bool(answer.text.strip()) and status in _UNCLEAR
    return said and 0 < len(asked.query.options) <= len(string.ascii_uppercase)


def follow_up(asked: Asked, reply: str, sentence: str) -> Asked:
    """The second question, after the reply: every option behind a letter, nothing of which is right.

    The order of the options is drawn once per question, the same for every group and every audit, so that neither the
    first place nor the place that an option had before is favoured over many questions.

    Args:
        asked: the question.
        reply: the agent's.
        sentence: before the options.
    """
    options = list(asked.query.options)
    random.Random(stable_seed(f"clarify:{asked.query.query_id}")).shuffle(options)
    query = replace(PreferenceQuery.asked(sentence, options), query_id=asked.query.query_id)
    lines = [sentence, *(f"{letter}. {option}" for letter, option in zip(letters(query), options, strict=True))]
    conversation = (*asked.conversation, ("assistant", reply), ("user", "\n".join(lines)))
    return replace(asked, query=query, conversation=conversation, shown="lettered", follow_up=True)


def meant(asked: Asked, answer: Answer) -> str | None:
    """The option that the reply to a second question names; None where that cannot be read either."""
    if answer.unread is not None:
        return None
    if answer.held is not None:
        return answer.held
    alone = _LETTER.fullmatch(answer.text)
    place = string.ascii_uppercase.index(alone[1].upper()) if alone else None
    if place is not None and place < len(asked.query.options):
        return asked.query.options[place]
    return read_reply(asked.query, answer.text, cut_off=answer.cut_off, shown=asked.shown).canonical
