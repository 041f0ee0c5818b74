"""A tokenizer's chat template, with all that would differ from day to day pinned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from transformers import PreTrainedTokenizerBase

from trialign.errors import UserError

FIXED_DAY = "2025-01-01"
# Directives of strftime; those with a minus (no leading zero) are glibc's.
_DIRECTIVES = [
    *(f"%{letter}" for letter in "aAbBcCdDeFgGhHIjklmMnprRStTuUVwWxXyYzZ"),
    "%-d",
    "%-m",
    "%-H",
    "%-I",
    "%-j",
]
Content = str | tuple[int, ...]
Texts = Sequence[tuple[str, str]]


class RenderingError(Exception):
    """A conversation that the template does not render; says why."""


class ChatTemplate:
    """Messages -> text, as ``apply_chat_template`` makes it on a fixed day with thinking switched off.

    A template without a place for a system message gets its text before the first user message, a blank line between:
    so Gemma 3 and Mistral v0.3 do it themselves for a conversation of one question.

    Args:
        tokenizer: with a chat template.
        date: the day that the template writes as today's, YYYY-MM-DD.

    Attributes:
        system_in_question: whether a system message's text goes into the first user message.
        dated: whether the template writes the day.

    Raises:
        UserError: the template is broken, or renders the same conversation in two ways.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, date: str = FIXED_DAY) -> None:
        self.tokenizer = tokenizer
        try:
            self.source = str(tokenizer.get_chat_template())
        except ValueError as error:
            raise UserError(
                f"The tokenizer has no chat template, or several and no default ({' '.join(str(error).split())[:200]})",
                "Use the instruction-tuned version of the model, or keep one of its templates",
            ) from error
        day = check_date(date)
        self._pinned = _pinned(self.source, day)
        self.system_in_question = False
        self.system_in_question = not self._has_place_for_a_system_message()
        other = day.replace(year=2054 if day.year != 2054 else 2053, month=3, day=17)
        self.dated = self._differs_with(_pinned(self.source, other))
        if self._differs_with(self._pinned):
            raise UserError(
                "The chat template renders one conversation in two ways", "Choose a base model whose template does not"
            )

    def arranged(self, messages: Sequence[tuple[str, Content]]) -> list[tuple[str, Content]]:
        """The messages as the template takes them."""
        if not self.system_in_question or [role for role, _ in messages[:2]] != ["system", "user"]:
            return list(messages)
        (_, system), (_, question), *rest = messages
        assert isinstance(system, str)
        assert isinstance(question, str)
        both = f"{system.strip()}\n\n{question}" if system.strip() else question
        return [("user", both), *rest]

    def text(self, messages: Texts, *, generation: bool) -> str:
        """The text of a conversation.

        Args:
            messages: (role, content) pairs, as `arranged` gives them.
            generation: end with the opening of the assistant's reply.

        Raises:
            RenderingError: the template refuses it.
        """
        return self._text(self._pinned, messages, generation)

    def ids(self, messages: Texts) -> tuple[int, ...]:
        """Token ids of a conversation without a generation prompt, as the tokenizer itself gives them.

        Raises:
            RenderingError: the template refuses it.
        """
        chat = [{"role": role, "content": content} for role, content in messages]
        values: dict[str, Any] = {"chat_template": self._pinned, "enable_thinking": False, "return_dict": False}
        try:
            own: Any = self.tokenizer.apply_chat_template(chat, tokenize=True, **values)
        except Exception as error:
            raise _said(error) from error
        return tuple(own)

    def check_order(self, messages: Texts, text: str) -> None:
        """Holds a rendered conversation against its messages.

        Args:
            messages: whose contents are all different, and do not hold each other; empty ones are not looked for.
            text: in which they were rendered.

        Raises:
            RenderingError: a message is missing, doubled or in another place.
        """
        contents = [content for _, content in messages if content]
        found = re.findall("|".join(map(re.escape, contents)), text) if contents else []
        if found == contents:
            return
        for (role, content), place in zip(messages, range(1, len(messages) + 1), strict=True):
            if content and found.count(content) != 1:
                times = "leaves out" if content not in found else "repeats"
                raise RenderingError(f"it {times} message {place}, of the role {role}")
        raise RenderingError("it puts them into another order")

    def _text(self, source: str, messages: Texts, generation: bool) -> str:
        chat = [{"role": role, "content": content} for role, content in messages]
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    chat,
                    chat_template=source,
                    tokenize=False,
                    add_generation_prompt=generation,
                    enable_thinking=False,
                )
            )
        except Exception as error:  # a template is a program, which fails in any way
            raise _said(error) from error

    def _keeps(self, *roles: str) -> bool:
        messages = marked(roles)
        try:
            self.check_order(messages, self.text(messages, generation=True))
        except RenderingError:
            return False
        return True

    def _has_place_for_a_system_message(self) -> bool:
        if not self._keeps("system", "user"):
            return not self._keeps("user")
        dialogue = ("user", "assistant", "user")
        return self._keeps("system", *dialogue) or not self._keeps(*dialogue)

    def _differs_with(self, source: str) -> bool:
        first: Texts = [("system", "Be brief."), ("user", "Hello.")]
        messages = [("user", "Be brief.\n\nHello.")] if self.system_in_question else first
        try:
            return self._text(source, messages, True) != self.text(messages, generation=True)
        except RenderingError:
            return False


def _said(error: Exception) -> RenderingError:
    return RenderingError(f"it says: {' '.join(str(error).split()) or type(error).__name__}")


def marked(roles: Sequence[str]) -> list[tuple[str, str]]:
    """A conversation whose contents can be found again, whatever a template does with them."""
    return [(role, f"trialigncontent{place}mark") for place, role in enumerate(roles)]


def check_date(date: str) -> datetime:
    """Noon of a day.

    Raises:
        UserError: it is no day of the calendar.
    """
    try:
        day = datetime.strptime(date, "%Y-%m-%d")
    except ValueError:
        day = None
    if day is None or day.date().isoformat() != date:
        raise UserError(
            f"The config key prompt.date is {date!r}, which is no day", "Write it as YYYY-MM-DD: prompt.date=2025-01-01"
        )
    return day.replace(hour=12)


def _pinned(source: str, day: datetime) -> str:
    """The template with a clock of its own, which stands still.

    Values that a template is given pass as plain data, so a function must come from the template itself: a macro
    that hides ``strftime_now``.
    """
    if "strftime_now" not in source:
        return source
    written = {directive: day.strftime(directive) for directive in _DIRECTIVES}
    written |= {"%f": "000000", "%s": str(day.toordinal() * 86400 - 62135683200 + 43200)}
    body = "format" + "".join(f"|replace({key!r}, {value!r})" for key, value in written.items())
    return "{%- macro strftime_now(format) -%}{{ " + body + "|replace('%%', '%') }}{%- endmacro -%}" + source
