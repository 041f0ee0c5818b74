"""How a reply ended, and what is read from it then."""

from __future__ import annotations

from typing import Literal

from trialign.queries.answers import ParsedAnswer, is_correct, normal_text, parse_answer
from trialign.queries.types import Query, TruthQuery

#: ``whole``: the model ended it; ``cut_off``: the longest reply was reached; ``filtered``: a content filter withheld
#: it, or the rest of it; ``refused``: the server says that the model declined.
Ending = Literal["whole", "cut_off", "filtered", "refused"]


def read_reply(query: Query, text: str, ending: Ending = "whole") -> ParsedAnswer:
    """Read a reply as an answer to a query, given how it ended; never raises, whatever the text.

    What is filtered or refused holds no answer. A reply that was cut off holds one only where what is missing cannot
    change it: an open answer counts if the right one is named by then, a number or an option if the text does not
    break off inside it. Where it holds none, its status is ``cut_off`` (or ``refused``, if it begins with a refusal).
    """
    if ending in ("filtered", "refused"):
        return ParsedAnswer(None, ending)
    parsed = parse_answer(query, text)
    if ending == "cut_off" and parsed.status != "refused" and not _is_settled(query, text, parsed.canonical):
        return ParsedAnswer(None, "cut_off")
    return parsed


def _is_settled(query: Query, text: str, canonical: str | None) -> bool:
    """Whether the rest of a reply that was cut off could not make another answer of what was read."""
    if canonical is None:
        return False
    if query.answer_kind == "numeric":
        return not text.rstrip(" .,").endswith(tuple("0123456789"))
    if query.answer_kind == "text":
        return not isinstance(query, TruthQuery) or is_correct(query, canonical)
    read, said = normal_text(canonical), normal_text(text)
    longer = [other for other in query.options if other != canonical and normal_text(other).startswith(read)]
    return not (longer and said.endswith(read))
