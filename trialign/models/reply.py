"""How a chat template writes a reply: what comes before its text, and what ends it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from trialign.errors import UserError
from trialign.models.pieces import Pieces
from trialign.models.template import ChatTemplate, RenderingError, marked

# How blocks of thoughts begin in published templates, and how each ends.
_BLOCKS = (
    (re.compile(r"<([\w:.-]*(?:think|thought|reason)[\w:.-]*)>", re.IGNORECASE), "</{}>"),
    (re.compile(r"\[(THINK\w*)\]"), "[/{}]"),
    (re.compile(r"◁(think\w*)▷"), "◁/{}▷"),
    (re.compile(r"<\|START_(THINKING)\|>"), "<|END_{}|>"),
    (re.compile(r"<\|begin_of_(thought|thinking)\|>"), "<|end_of_{}|>"),
)


@dataclass(frozen=True)
class ReplyForm:
    """What a template writes around a reply.

    Attributes:
        opening: text after the generation prompt that belongs to the prompt: the channel of a final answer, or the
            closing of a block of thoughts, as the model itself writes it when it has none.
        thinks: whether the template has such a block or channel at the reply, which is closed.
        lead: blanks between the prompt and the reply's text; they are part of the reply.
        tail: what stands between the reply's text and the end token; it is part of the reply, too.
        end: text of the end token; empty where the template writes none.
        end_id: the token that ends a reply.
    """

    opening: str
    thinks: bool
    lead: str
    tail: str
    end: str
    end_id: int


def reply_form(template: ChatTemplate, pieces: Pieces, ends: Sequence[int]) -> ReplyForm:
    """Reads a reply's form off a question with an answer, and one with two questions.

    Args:
        template: which renders a question with an answer.
        pieces: of the tokenizer.
        ends: what the model itself names as its end tokens, the most important first.

    Raises:
        RenderingError: the template does not render them.
        UserError: neither the template nor the model names an end token.
    """
    question, answered = marked(("user",)), marked(("user", "assistant"))
    prompt = template.text(question, generation=True)
    text = template.text(answered, generation=False)
    template.check_order(question, prompt)
    template.check_order(answered, text)
    before, after = text.split(answered[1][1])
    opening, lead = "", ""
    if before.startswith(prompt):
        lead = before.removeprefix(prompt)
        if lead.strip():
            opening, lead = lead, ""
    said = (prompt + opening).rpartition(question[0][1])[2]
    opening += _closing(said)
    thinks = bool(opening) or any(beginning.search(said) for beginning, _ in _BLOCKS)
    tail, end, end_id = _ending(template, pieces, ends, after)
    return ReplyForm(opening, thinks, lead, tail, end, end_id)


def _closing(prompt: str) -> str:
    """What closes the block of thoughts that a prompt leaves open; empty where it leaves none open."""
    for beginning, ending in _BLOCKS:
        for begun in beginning.finditer(prompt):
            closing = ending.format(begun[1])
            if closing not in prompt[begun.end() :]:
                if closing.startswith("<|"):
                    return closing
                return ("\n" if prompt.endswith("\n") else "\n\n") + f"{closing}\n\n"
    return ""


def _ending(template: ChatTemplate, pieces: Pieces, ends: Sequence[int], after: str) -> tuple[str, str, int]:
    """(what stands before the end token, the end token's text, its id)."""
    found = pieces.first_control(after)
    if found:
        tail, end_id, end = found
        return tail, end, end_id
    # A template may leave the end to the opening of the next turn (GLM-4: <|user|>), which the model then writes.
    found = pieces.first_control(_next_turn(template))
    if found and not found[0].strip() and found[1] in ends:
        return found[0], found[2], found[1]
    if not ends:
        raise UserError(
            "The base model has no end token: neither its chat template nor its tokenizer nor its "
            "generation_config.json names one",
            "Set eos_token in tokenizer_config.json to the token that ends the model's replies",
        )
    return "", "", ends[0]


def _next_turn(template: ChatTemplate) -> str:
    """What a template writes between a reply and the next question; nothing where it renders no such thing."""
    messages = marked(("user", "assistant", "user"))
    try:
        text = template.text(messages, generation=True)
        template.check_order(messages, text)
    except RenderingError:
        return ""
    return text.split(messages[1][1])[1].split(messages[2][1])[0]
