"""Chat messages -> token ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import zip_longest
from typing import Any

from transformers import PreTrainedTokenizerBase

from trialign.errors import UserError
from trialign.models.pieces import Pieces
from trialign.models.reply import reply_form
from trialign.models.template import FIXED_DAY, ChatTemplate, Content, RenderingError, marked

Messages = Sequence[tuple[str, Content]]
_TOLD = ("system", "You are brief."), ("user", "How many days has a leap year?\n- 366\n- 365")
_REPLIED, _AGAIN = "366 days.", ("user", "- 365\nAnswer again.")


class ChatRenderer:
    """Chat messages -> token ids, so that no text inside a message can become a control token.

    The whole conversation is rendered as text by the tokenizer's own template and tokenized as one text, as
    ``apply_chat_template`` does it: without control tokens in the messages, both give the same ids. A control token
    that is written in a message is cut in two before, and its halves tokenized apart. A content may also be token
    ids (a stored reply), used as they are: they follow the prompt that they answered.

    Args:
        tokenizer: with a chat template.
        ends: token ids that the model itself names as its ends (generation_config.json).
        date: the day that the template writes as today's, YYYY-MM-DD.

    Attributes:
        end_id: the token with which the template ends a reply; options are scored with it.
        end_ids: all tokens that end a generated reply, ``end_id`` first.
        template: which renders the text.

    Raises:
        UserError: the template renders no question with its answer, or nothing ends a reply.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, ends: Sequence[int] = (), date: str = FIXED_DAY) -> None:
        self.tokenizer = tokenizer
        self.date = date
        self.template = ChatTemplate(tokenizer, date)
        self._pieces = Pieces(tokenizer)
        self._expected: dict[tuple[tuple[str, ...], tuple[bool, ...], bool], list[int]] = {}
        self._replies: dict[tuple[str, bool], tuple[int, ...]] = {}
        own = tokenizer.eos_token_id
        named = (*ends, *((own,) if isinstance(own, int) else ()))
        try:
            self._form = reply_form(self.template, self._pieces, named)
        except RenderingError as error:
            raise _fault(["user", "assistant"], error) from error
        self.end_id: int = self._form.end_id
        self.end_ids: tuple[int, ...] = tuple(dict.fromkeys((self.end_id, *named)))
        # What a reply's first word is tokenized behind: the prompt from its last control on.
        prompt = self._text(marked(("user",)), generation=True)
        self._context = self._pieces.from_last_control(prompt)
        self._closes_question = bool(self._pieces.first_control(prompt.rpartition(marked(("user",))[0][1])[2]))
        self._check_against_the_tokenizers_own()

    def render(self, messages: Messages, *, generation: bool = True) -> tuple[int, ...]:
        """Token ids of a conversation.

        Args:
            messages: (role, content) pairs.
            generation: end with the opening of the assistant's reply.

        Raises:
            UserError: the template does not render such a conversation.
        """
        roles = [role for role, _ in messages]
        arranged = self.template.arranged(messages)
        try:
            expected = self._controls(arranged, generation)
            for apart in (False, True):
                ids, controls = self._ids(arranged, generation, apart)
                if controls == expected:
                    return ids
        except RenderingError as error:
            raise _fault(roles, error) from error
        raise UserError(
            f"The text of a message changes what the chat template writes around the messages {roles}: "
            f"{self.tokenizer.decode(list(ids))[:400]!r}",
            "Leave words for the template (such as /think) out of the instruction, the profiles and the questions",
        )

    def opening_after_question(self) -> tuple[int, ...]:
        """Token ids between a question and a system message that follows it; no text can hold them.

        Raises:
            UserError: the chat template allows a system message at the beginning only.
        """
        roles = ["system", "user", "system"]
        chat = marked(roles)
        try:
            self._controls(chat, generation=True)
            text = self._text(chat, generation=True)
            opening = self._pieces.continued(text.partition(chat[1][1])[2].partition(chat[2][1])[0])
            if not self._pieces.controls_in(opening):
                raise RenderingError("it writes nothing between a question and a system message that no text can hold")
        except RenderingError as error:
            raise _fault(roles, error) from error
        return opening

    def about(self) -> dict[str, Any]:
        """What serving has to do as it is done here."""
        return {
            "date": self.date if self.template.dated else None,
            "system": "first user message" if self.template.system_in_question else "system message",
            "thinking": "off" if self._form.thinks else None,
            "behind_the_prompt": self._form.opening,
            "end_tokens": [str(self.tokenizer.convert_ids_to_tokens(token)) for token in self.end_ids],
        }

    @property
    def plain(self) -> bool:
        """Whether prompts are made as they were before dates, thinking and blanks before words were heeded."""
        form, template = self._form, self.template
        touched = form.thinks or form.lead or form.tail or template.dated or template.system_in_question
        return not touched and not self._pieces.puts_a_blank_before

    def remarks(self) -> Iterator[str]:
        """What a person should know of this template, a sentence each."""
        if self.template.system_in_question:
            yield "The chat template has no place for a system message: its text begins the first user message"
        if self._form.thinks:
            yield "Thinking is off: replies and options follow the closed, empty block of thoughts"
        if self.template.dated:
            yield f"The chat template writes the day, here always {self.date} (prompt.date)"
        if not self._closes_question:
            yield "The chat template marks turns with ordinary text: a question that holds such text imitates a turn"
        if not self.keeps_turns:
            yield "The chat template writes earlier replies anew: a later turn does not begin with the one before"

    @cached_property
    def keeps_turns(self) -> bool:
        """Whether the prompt of a later turn begins with the prompt and the reply of the one before."""
        reply = self.encode(_REPLIED)
        try:
            later = self.render((*_TOLD, ("assistant", reply), _AGAIN))
        except UserError:
            return True  # there is no later turn
        begin = (*self.render(_TOLD), *reply)
        return later[: len(begin)] == begin

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a reply's text as it follows the prompt; control tokens in it are ordinary characters."""
        return self._said(text, ended=False)

    def reply(self, text: str) -> tuple[int, ...]:
        """Token ids of a complete assistant reply, as they follow the prompt: the text and what ends the message."""
        return self._said(text, ended=True)

    def spoken(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        """A reply without what ends it, as it stands in the conversation of a later turn."""
        if self.ended(ids):
            ids = ids[:-1]
        tail = self._pieces.continued(self._form.tail)
        return ids[: -len(tail)] if tail and ids[-len(tail) :] == tail else ids

    def ended(self, ids: Sequence[int]) -> bool:
        """Whether a generated reply was ended by the model, and not cut off."""
        return bool(ids) and ids[-1] in self.end_ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of a reply, up to its end token."""
        end = next((place for place, token in enumerate(ids) if token in self.end_ids), len(ids))
        return str(self.tokenizer.decode(list(ids[:end]), skip_special_tokens=True)).strip()

    def _said(self, text: str, *, ended: bool) -> tuple[int, ...]:
        key = (text.strip(), ended)
        if key not in self._replies:
            form = self._form
            cut = next(_free_characters(key[0]))
            said = self._pieces.cut(key[0], cut)
            ending = f"{form.tail}{form.end}" if ended else ""
            for apart in ("", cut):
                ids = self._pieces.spliced(f"{form.lead}{apart}{said}{apart}{ending}", cut, self._context)
                if self._pieces.controls_in(ids) == ([form.end_id] if ended and form.end else []):
                    break
            else:
                raise UserError(f"The reply {key[0][:200]!r} would become a control token", "Change this text")
            self._replies[key] = (*ids, form.end_id) if ended and not form.end else ids
        return self._replies[key]

    def _ids(self, messages: Messages, generation: bool, apart: bool) -> tuple[tuple[int, ...], list[int]]:
        """The conversation's ids, and the controls in them but for those of contents that are ids.

        Args:
            messages: as the template takes them.
            generation: end with the opening of the assistant's reply.
            apart: tokenize the contents apart from the template's pieces.
        """
        free = _free_characters("".join(content for _, content in messages if isinstance(content, str)))
        cut, stored = next(free), next(free)
        border = cut if apart else ""
        chat = [
            (role, f"{border}{self._pieces.cut(content, cut)}{border}" if isinstance(content, str) else stored)
            for role, content in messages
        ]
        first, *others = self._text(chat, generation).replace(self._form.lead + stored, stored).split(stored)
        piece = self._pieces.spliced(first, cut)
        ids, controls = list(piece), self._pieces.controls_in(piece)
        given = [content for _, content in messages if not isinstance(content, str)]
        for reply, text in zip(given, others, strict=True):
            piece = self._pieces.spliced(text, cut, inside=True)
            ids += (*reply, *piece)
            controls += self._pieces.controls_in(piece)
        return tuple(ids), controls

    def _controls(self, messages: Messages, generation: bool) -> list[int]:
        """The controls that the template writes around these messages, whatever stands in them.

        Raises:
            RenderingError: the template does not keep the messages.
        """
        # A template may leave out what is empty, with what it writes around it.
        there = tuple(not isinstance(content, str) or bool(content.strip()) for _, content in messages)
        roles = tuple(role for role, _ in messages)
        if (roles, there, generation) not in self._expected:
            chat = [
                (role, mark if is_there else "") for (role, mark), is_there in zip(marked(roles), there, strict=True)
            ]
            text = self._text(chat, generation)
            self.template.check_order(chat, text)
            self._expected[roles, there, generation] = self._pieces.controls_in(self._pieces.whole(text))
        return self._expected[roles, there, generation]

    def _check_against_the_tokenizers_own(self) -> None:
        """Holds the shapes of conversation that will be asked for against ``apply_chat_template``.

        Raises:
            UserError: names the conversation that differs, and the first piece of it that does.
        """
        for messages in (_TOLD, (*_TOLD, ("assistant", _REPLIED), _AGAIN)):
            chat = [(role, str(content)) for role, content in self.template.arranged(messages)]
            try:
                own = self.template.ids(chat)
            except RenderingError:
                continue  # nobody may ever ask for it
            ours = self.render(messages, generation=False)
            if ours != own:
                place = next(at for at, pair in enumerate(zip_longest(ours, own)) if pair[0] != pair[1])
                made, wanted = (self.tokenizer.decode(list(ids[place : place + 8])) for ids in (ours, own))
                raise UserError(
                    f"The conversation {[role for role, _ in chat]} is rendered otherwise than by the tokenizer's "
                    f"apply_chat_template: {made!r} instead of {wanted!r}, from token {place} on",
                    "Choose another base model, and report this template",
                )

    def _text(self, chat: Sequence[tuple[str, str]], generation: bool) -> str:
        return self.template.text(chat, generation=generation) + (self._form.opening if generation else "")


def _fault(roles: Sequence[str], error: RenderingError) -> UserError:
    """Names the conversation that a template does not render, and what helps."""
    remedy = "Choose a base model whose template renders system, user and assistant messages"
    if roles[-1:] == ["system"]:
        remedy = "Set prompt.profile=first, or choose a base model whose template takes a system message anywhere"
    elif "assistant" in roles and len(roles) > 2:
        remedy = f"Set environment.turns=0 and leave implicit out of the exposures, or choose{remedy[6:]}"
    return UserError(f"The chat template does not keep the messages {tuple(roles)} in order: {error}", remedy)


def _free_characters(text: str) -> Iterator[str]:
    """Characters that nobody writes, and that do not stand in a text: of a plane for private use."""
    return (chr(code) for code in range(0xF0000, 0xFFFFE) if chr(code) not in text)
