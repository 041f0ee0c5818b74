"""How the audited agents were told a profile and a question: what whoever serves them has to do alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from trialign.audit.files.record import AuditAbout
from trialign.groups import Exposure

_SHOWN = {
    "hidden": "the question does not show its options",
    "listed": "the question lists its options",
    "lettered": "the question lists its options under letters",
}


def how_asked(about: AuditAbout | None, exposure: Exposure) -> Iterator[str]:
    """A sentence each.

    Args:
        about: the system; None where the audit kept no record of it.
        exposure: how the profile reached the agents.
    """
    if about and about.base_model.quantization:
        yield (
            f"The base model's linear layers, all but the output layer, were kept in {about.base_model.quantization} "
            "(bitsandbytes); in other numbers it answers otherwise."
        )
    prompt: Mapping[str, Any] = about.prompt if about else {}
    chat: Mapping[str, Any] = prompt.get("chat") or {}
    yield _profile(prompt, chat, exposure)
    if not prompt.get("question", True):
        yield "Questions with options were not put: the agents had the options alone."
    if shown := _SHOWN.get(prompt.get("options", "")):
        before = "" if prompt["options"] == "hidden" else f', after "{prompt.get("choose", "")}"'
        yield f"Where an answer is a choice, {shown}{before}."
    if about and "chat" in prompt and not chat:
        yield "The conversation went to the server as messages, which puts it into the model's chat template."
    if chat.get("thinking") == "off":
        yield "Thinking was off."
    if chat.get("behind_the_prompt"):
        text = json.dumps(chat["behind_the_prompt"], ensure_ascii=False)
        yield f"Behind the chat template's own prompt stood {text} before every reply."
    if chat.get("date"):
        yield f"The chat template writes the day; in all prompts it was {chat['date']}."


def _profile(prompt: Mapping[str, Any], chat: Mapping[str, Any], exposure: Exposure) -> str:
    use = "An agent is to be used with its group's profile"
    if "system" not in prompt:
        return f"{use}, which is part of its system message or of its dialogue."
    in_question = chat.get("system") == "first user message"
    place = "at the beginning of the first user message" if in_question else "in the system message"
    why = " (the chat template has no place for a system message), a blank line before the question" * in_question
    instruction = f'"{prompt["system"]}"'
    if exposure == "style":
        return f"An agent is told nothing of its group, which shows in the question; {instruction} stands {place}{why}."
    if exposure == "implicit":
        return f"{use}, which earlier dialogue reveals; {instruction} stands {place}{why}."
    if prompt.get("profile") == "last":
        return f"{use}, which stands in a second system message, after the question; {instruction} stands in the first."
    return f"{use}, which stands {place}{why}, after {instruction}."
