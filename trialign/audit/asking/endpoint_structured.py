"""Choices that a server holds to their options: the reply to one must be a letter or text that it was given."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from trialign.endpoint.client import Client, LostError, RefusedError
from trialign.endpoint.door import patiently
from trialign.endpoint.replies import CUT_OFF
from trialign.environment import letters
from trialign.queries.reading.cleaning import without_thinking
from trialign.weighing import Asked

log = logging.getLogger("trialign")
#: vLLM's key, the one it had before 0.12, and OpenAI's. A bare choice comes first: it leaves the reply as the question
#: asks for it, where a schema also makes the model write JSON.
FORMS = ("structured_outputs", "guided_choice", "response_format")
Form = Literal["structured_outputs", "guided_choice", "response_format"]
_OWN_KEYS = (*FORMS, "guided_json", "guided_regex", "guided_grammar", "grammar", "json_schema", "tools", "functions")
_FIELD = "answer"
# What no free reply to "say hello" is.
_PROBE = "Reply with the one word Hello, and with nothing else."
_PROBED = ("violet-tram-61", "copper-owl-94")
_LEAST_TOKENS = 64  # of the probe's reply


@dataclass(frozen=True)
class Structure:
    """How a server is told to hold a reply to some texts.

    Attributes:
        form: the key of the request that says so.
    """

    form: Form

    def keys(self, texts: list[str]) -> dict[str, Any]:
        """What a request says so that its reply is one of these texts."""
        if self.form == "structured_outputs":
            return {self.form: {"choice": texts}}
        if self.form == "guided_choice":
            return {self.form: texts}
        schema = {
            "type": "object",
            "properties": {_FIELD: {"type": "string", "enum": texts}},
            "required": [_FIELD],
            "additionalProperties": False,
        }
        return {self.form: {"type": "json_schema", "json_schema": {"name": _FIELD, "strict": True, "schema": schema}}}

    def place(self, reply: str, texts: list[str]) -> int | None:
        """Which of the texts a reply is; None where the server did not hold it to them.

        Args:
            reply: as it came; what the model thought before it, in a marked block, is passed over.
            texts: those of the request.
        """
        said, _ = without_thinking(reply)
        if self.form == "response_format":
            try:
                whole = json.loads(said)
            except (ValueError, RecursionError):
                return None
            if not isinstance(whole, dict) or list(whole) != [_FIELD] or not isinstance(whole[_FIELD], str):
                return None
            said = whole[_FIELD]
        found = [place for place, text in enumerate(texts) if text.strip() == said.strip()]
        return found[0] if len(found) == 1 else None


def is_about_request(error: RefusedError | LostError) -> bool:
    """Whether a server may answer the same question without what this request asks beside it."""
    return error.at_question or (isinstance(error, RefusedError) and error.matter in ("other", "length"))


def is_held(asked: Asked) -> bool:
    """Whether a question's reply is held to its options, where the server can.

    Not where the form of the reply is measured too (mixed questions): a reply that is held has none of its own.
    """
    return bool(asked.query.options) and asked.query.kind != "mixed"


def held_texts(asked: Asked) -> list[str]:
    """What a reply may be: the letters where the question shows them, else the options' texts.

    A lettered question is answered by its letter first; held to the texts, a model on its way to "B" would be pushed
    to whichever text begins like it.
    """
    return letters(asked.query) if asked.shown == "lettered" else list(asked.query.options)


def structure_of(
    client: Client, body: Mapping[str, Any], length_key: str, max_new_tokens: int, extra: Mapping[str, Any]
) -> Structure | None:
    """How this server holds a reply to the options; None: it does not, and replies are read.

    It is found out by asking for one word while allowing only others: a server may take a key and not heed it. A model
    that thinks in its reply, and no longer does when it is held, would be another one: it is not held then.

    Args:
        client: the server.
        body: a request as the audit sends it, whose messages are replaced.
        length_key: the key that tells it the longest length of a reply.
        max_new_tokens: longest reply of the audit.
        extra: further keys of every request, as the configuration states them.

    Raises:
        RefusedError: it refuses more than the key.
        LostError: it is gone, or busy for longer than it may.
    """
    own = [key for key in _OWN_KEYS if key in extra]
    if own:
        log.info("Choices are answered in words, and the replies read: model.endpoint.extra sets %s itself", own[0])
        return None
    plain = {**body, length_key: max(max_new_tokens, _LEAST_TOKENS), "messages": [{"role": "user", "content": _PROBE}]}
    reasons = []
    for form in FORMS:
        structure = Structure(form)  # type: ignore[arg-type]
        reason = _probe(client, plain, structure)
        if reason is None:
            log.info("The server holds replies to choices to their options (%s)", form)
            return structure
        reasons.append(f"{form}: {reason}")
    log.info(
        "Choices are answered in words, and the replies read: the server does not hold them to the options (%s)",
        "; ".join(reasons),
    )
    return None


def _probe(client: Client, plain: Mapping[str, Any], structure: Structure) -> str | None:
    """Why a server does not hold a reply in this form; None where it does."""
    texts = list(_PROBED)
    held = {**plain, **structure.keys(texts)}
    try:
        reply = patiently(lambda attempts: client.chat(held, attempts))
        if structure.place(reply.text, texts) is None:
            return "the reply was cut off" if reply.finish == CUT_OFF else "the reply is another one"
        if not _thinks(reply.text):
            free = patiently(lambda attempts: client.chat(plain, attempts))
            if _thinks(free.text):
                return "the model thinks in its reply, and does not when it is held"
    except (RefusedError, LostError) as error:
        if not is_about_request(error):
            raise
        return str(error)
    return None


def _thinks(reply: str) -> bool:
    said, _ = without_thinking(reply)
    return said.strip() != reply.strip()
