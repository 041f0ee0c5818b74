"""What a reader would notice of a reply in words, beside whether it is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trialign.asking import Answer
from trialign.queries.reading.languages import language, spoken_in
from trialign.style import reading_grade, word_count
from trialign.weighing import Asked

REPEATED = 4  # tokens of a sequence that counts as repeated


def repeated(reply: Sequence[int]) -> float:
    """Share of a reply's sequences of four tokens that stood in it before; 0 of one that has none."""
    sequences = [tuple(reply[place : place + REPEATED]) for place in range(len(reply) - REPEATED + 1)]
    return 1 - len(set(sequences)) / len(sequences) if sequences else 0.0


def noticed(asked: Asked, answer: Answer) -> dict[str, Any]:
    """The columns of `AuditItem` that only replies in words have.

    The reading grade is for English alone. The language is told by script and small words, and of very short replies by
    the question's.
    """
    said, words = spoken_in(answer.text, asked.query.question), word_count(answer.text)
    return {
        "ended": not answer.cut_off,
        "repeated": repeated(answer.token_ids) if answer.token_ids else None,
        "nats": answer.nats,
        "words": words,
        "grade": reading_grade(answer.text) if said == "en" and words else None,
        "language": said if words else None,
        "asked_in": language(asked.query.question),
        "options_shown": asked.shown,
    }
