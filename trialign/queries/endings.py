"""What is read from a reply, given how it ended."""

from __future__ import annotations

from trialign.queries.answers import ParsedAnswer, is_correct, normal_text, parse_answer
from trialign.queries.reading.labels import Shown
from trialign.queries.types import Query, TruthQuery


def read_reply(query: Query, text: str, *, cut_off: bool = False, shown: Shown | None = None) -> ParsedAnswer:
    """Read a reply as an answer to a query, given how it ended; never raises, whatever the text.

    A reply that was cut off holds an answer only where what is missing cannot change it: an open answer counts if the
    right one is named by then, a number or an option if the text does not break off inside it. Where it holds none,
    its status is ``cut_off`` (or ``refused``, if it is read as a refusal).

    Args:
        query: what was asked.
        text: the reply.
        cut_off: whether it ended at the longest length allowed, not by itself.
        shown: how the prompt showed the options, where that is known.
    """
    parsed = parse_answer(query, text, shown)
    if cut_off and parsed.status != "refused" and not _is_settled(query, text, parsed.canonical):
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
