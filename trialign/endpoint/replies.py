"""What a server's answer says, read by its form; what has no such form is no answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CUT_OFF, FILTERED, REFUSED = "length", "content_filter", "refusal"
# As Google, Zhipu, Bedrock and Mistral say it, beside the protocol's own words.
_FINISHES = {
    **dict.fromkeys(("safety", "recitation", "prohibited_content", "blocklist", "spii"), FILTERED),
    **dict.fromkeys(("sensitive", "guardrail_intervened", "content_filtered"), FILTERED),
    **dict.fromkeys(("max_tokens", "max_output_tokens", "model_length"), CUT_OFF),
}
_THOUGHTS = ("thinking", "redacted_thinking", "reasoning", "reasoning_content", "thought")
#: What reading may raise on what is no answer.
NO_ANSWER = (ValueError, KeyError, TypeError, IndexError, AttributeError, ArithmeticError, RecursionError)


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        text: of the message; empty where it has none. What a model thought first is no part of it.
        finish: why it ended; ``length`` where it was cut off, ``content_filter`` where a filter withheld it,
            ``refusal`` where the model declined under that name.
        model: what the server calls the model that answered.
        scores: log-probability of each option in nats, where options were scored; else empty.
        prompt_tokens: that the server counts; None where it tells none.
        reply_tokens: the same of the reply, thoughts included.
    """

    text: str
    finish: str
    model: str
    scores: tuple[float, ...] = ()
    prompt_tokens: int | None = None
    reply_tokens: int | None = None


@dataclass(frozen=True)
class Echo:
    """A prompt as the server read it, and perhaps something that it added.

    Attributes:
        tokens: as text.
        log_probabilities: [tokens], of each given those before it, in nats; None for the first.
        model: what the server calls the model.
        used: tokens of all prompts and replies of the request, as the server counts them; None where it tells none.
    """

    tokens: tuple[str, ...]
    log_probabilities: tuple[float | None, ...]
    model: str
    used: tuple[int | None, int | None] = (None, None)


@dataclass(frozen=True)
class Completion:
    """A text that was continued.

    Attributes:
        text: what follows the prompt.
        finish: why it ended; ``length`` where it was cut off.
        token_ids: of what follows the prompt; None where the server tells none.
        log_probabilities: [tokens] of what follows the prompt, in nats, as the server reports them; None where it does
            not.
    """

    text: str
    finish: str
    token_ids: tuple[int, ...] | None
    log_probabilities: tuple[float, ...] | None = None


class SaidError(Exception):
    """An answer that says that there is none.

    Args:
        content: what it says.
    """

    def __init__(self, content: Any) -> None:
        super().__init__(str(content))
        self.content = content


def chat_reply(content: Any) -> Reply:
    """Reads an answer to a conversation.

    Raises:
        SaidError: it is an error.
        ValueError, KeyError, TypeError, ...: it is no answer (`NO_ANSWER`).
    """
    choice = _first_choice(content)
    finish = _finish(choice)
    message = choice.get("message")
    model = str(content.get("model"))
    if not isinstance(message, Mapping):
        if finish == FILTERED:
            return Reply("", finish, model, (), *used_tokens(content))
        if not isinstance(choice.get("text"), str):
            raise TypeError("the choice has no message")
        message = {"content": choice["text"]}
    text, declined = _content(message.get("content"))
    declined = declined or message.get("refusal") or ""
    if not text and isinstance(declined, str) and declined:
        text, finish = declined, REFUSED
    return Reply(_whole(text).strip(), finish, model, (), *used_tokens(content))


def used_tokens(content: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Tokens of prompt and reply as the server counts them; None where it tells none that can be."""
    told = content.get("usage")
    usage = told if isinstance(told, Mapping) else {}
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    prompt, reply = (one if isinstance(one, int) and not isinstance(one, bool) and one >= 0 else None for one in counts)
    return prompt, reply


def echoes(content: Any) -> list[Echo]:
    """Reads prompts sent back, in the order sent, whatever the order of the answer.

    Raises:
        SaidError, ValueError, ...: as `chat_reply`.
    """
    _first_choice(content)
    return [
        Echo(
            tuple(str(token) for token in choice["logprobs"]["tokens"]),
            tuple(None if v is None else float(v) for v in choice["logprobs"]["token_logprobs"]),
            str(content.get("model")),
            used_tokens(content),
        )
        for choice in sorted(content["choices"], key=lambda one: int(one["index"]))
    ]


def completion(content: Any) -> Completion:
    """Reads a continued text.

    Raises:
        SaidError, ValueError, ...: as `chat_reply`.
    """
    choice = _first_choice(content)
    if not isinstance(choice["text"], str):
        raise TypeError("the choice has no text")
    ids, logprobs = choice.get("token_ids"), choice.get("logprobs")
    told = logprobs.get("token_logprobs") if isinstance(logprobs, Mapping) else None
    return Completion(
        _whole(choice["text"]),
        _finish(choice),
        None if ids is None else tuple(int(token) for token in ids),
        tuple(float(value) for value in told) if told and None not in told else None,
    )


def _first_choice(content: Any) -> Mapping[str, Any]:
    """The first choice; an error beside it, inside it or in its place is raised."""
    if not isinstance(content, Mapping):
        raise TypeError("the answer is no object")
    choices = content.get("choices")
    if not choices:
        # A question that a filter holds back comes back with its findings, and without choices.
        said = content.get("error") or content.get("promptFeedback") or _findings(content)
        if said:
            raise SaidError(said)
        raise IndexError("the answer has no choices")
    choice: Mapping[str, Any] = choices[0]
    if choice.get("error"):
        raise SaidError(choice["error"])
    if content.get("error") and not (choice.get("message") or choice.get("text")):
        raise SaidError(content["error"])
    if str(choice.get("finish_reason")).lower() == "error":
        raise SaidError(content.get("error") or "the reply ended in an error")
    return choice


def _findings(content: Mapping[str, Any]) -> dict[str, str] | None:
    """Azure's findings of the question, where one of them filtered it."""
    filtered = '"filtered": true' in json.dumps(content.get("prompt_filter_results"))
    return {"code": FILTERED, "message": "the question was filtered"} if filtered else None


def _finish(choice: Mapping[str, Any]) -> str:
    finish = str(choice.get("finish_reason"))
    known = finish.lower()
    if known.startswith(FILTERED):  # Google adds the reason after a colon
        return FILTERED
    return _FINISHES.get(known, finish)


def _content(content: Any) -> tuple[str, str]:
    """The text of a message's content, and what stands in it as a refusal."""
    if content is None:
        return "", ""
    if isinstance(content, str):
        return content, ""
    if isinstance(content, list):
        parts = [_content(part) for part in content]
        return "".join(text for text, _ in parts), "".join(declined for _, declined in parts)
    if isinstance(content, Mapping) and ("type" in content or "text" in content):
        kind, text = content.get("type"), content.get("text")
        if kind in _THOUGHTS or content.get("thought") is True:
            return "", ""
        if kind == "refusal":
            return "", str(content.get("refusal") or "")
        if isinstance(text, Mapping):
            text = text.get("value")
        return (text, "") if isinstance(text, str) else ("", "")
    # A number, or an object where a schema was asked for: what was meant as text.
    return json.dumps(content, ensure_ascii=False), ""


def _whole(text: str) -> str:
    """Half a surrogate pair is allowed in JSON, and in no file; halves that belong together are joined."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
