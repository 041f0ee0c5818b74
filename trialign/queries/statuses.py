"""How an answer was found in a reply, or why there is none: the words of ``parse_status`` in every record."""

from __future__ import annotations

from typing import Literal

ReadStatus = Literal["scored", "structured", "clarified", "exact", "label", "contained", "number", "text"]
UnreadStatus = Literal["none", "ambiguous", "refused", "cut_off", "filtered", "failed"]
ParseStatus = ReadStatus | UnreadStatus

#: Answers: ``scored`` (the most probable of scored options), ``structured`` (the server held the reply to the
#: options), ``clarified`` (given when asked which option was meant), the others as `parse_answer` found them.
READ_STATUSES: tuple[ReadStatus, ...] = (
    "scored",
    "structured",
    "clarified",
    "exact",
    "label",
    "contained",
    "number",
    "text",
)

#: No answer: ``none`` (the reply ended and names none), ``ambiguous`` (it names several), ``refused`` (the model
#: declines), ``cut_off`` (the longest reply was reached before an answer), ``filtered`` (a content filter withheld it),
#: ``failed`` (the server gave no reply to this question, however often it was asked).
UNREAD_STATUSES: tuple[UnreadStatus, ...] = ("none", "ambiguous", "refused", "cut_off", "filtered", "failed")
