"""Text -> token ids, piece by piece, so that no text of a message can become a control token."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from itertools import pairwise

from transformers import PreTrainedTokenizerBase

from trialign.errors import UserError

_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
_RARE = "ꙮ𒐫\U0010abcd"
# What a piece may stand behind while it is tokenized: the first of them that does not melt into it is taken.
_ANCHORS = ("\n", ".", "x", "0", "中")


class Pieces:
    """A tokenizer that knows which of its tokens steer the model.

    Args:
        tokenizer: its added tokens are the controls, but for runs of blanks, which some tokenizers keep there.

    Attributes:
        controls: their ids.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        named = {text: token for text, token in tokenizer.get_added_vocab().items() if text.replace("▁", " ").strip()}
        self._ids = {text: int(token) for text, token in named.items()}
        # A byte or a character that the vocabulary lacks may be such a token, too, and comes of plain text.
        plain = set(self.whole(_RARE))
        self.controls = frozenset(
            token for text, token in self._ids.items() if token not in plain and not _BYTE.fullmatch(text)
        )
        longest_first = "|".join(map(re.escape, sorted(named, key=len, reverse=True)))
        self._control = re.compile(longest_first or "(?!)")
        # Looking ahead finds matches that overlap, too.
        self._anywhere = re.compile(f"(?={longest_first})" if named else "(?!)")
        self._begun = lru_cache(maxsize=256)(self.whole)

    def whole(self, text: str) -> tuple[int, ...]:
        """Token ids of a whole text, as ``apply_chat_template`` gives them; controls in it are controls."""
        try:
            return tuple(self.tokenizer.encode(text, add_special_tokens=False))
        except (TypeError, UnicodeEncodeError) as error:
            raise UserError(
                f"A text holds half of a character, as no Unicode has it: {text[-200:]!r}", "Correct this text"
            ) from error

    def continued(self, text: str, context: str = "") -> tuple[int, ...]:
        """Token ids of a text in the middle of another: without the blank that some tokenizers put before a text.

        Args:
            text: the piece.
            context: what stands before it. Where its last token melts into the piece's first, the piece is tokenized
                for itself: what stands before it is fixed already.
        """
        if not text:
            return ()
        for before in (*([context] if context else []), *(_ANCHORS if self.puts_a_blank_before else ())):
            begun, ids = self._begun(before), self.whole(before + text)
            if ids[: len(begun)] == begun:
                return ids[len(begun) :]
        return self.whole(text)

    def spliced(self, text: str, cut: str, context: str = "", *, inside: bool = False) -> tuple[int, ...]:
        """Token ids of a text with cuts, over which nothing is joined.

        Args:
            text: in which cuts stand.
            cut: their character.
            context: what stands before the text, as for `continued`.
            inside: the text stands in the middle of another.
        """
        first, *others = text.split(cut)
        begin = self.continued(first, context) if context or inside else self.whole(first)
        return (*begin, *(token for part in others for token in self.continued(part)))

    @cached_property
    def puts_a_blank_before(self) -> bool:
        """Whether the beginning of a text is tokenized like the beginning of a word."""
        return self.whole("\nx")[len(self.whole("\n")) :] != self.whole("x")

    def cut(self, text: str, mark: str) -> str:
        """The text with a mark inside every control that is written in it: its characters no longer stand together."""
        if not self._anywhere.search(text):
            return text
        places = [0, *(match.start() + 1 for match in self._anywhere.finditer(text)), len(text)]
        return mark.join(text[a:b] for a, b in pairwise(places) if a < b)

    def first_control(self, text: str) -> tuple[str, int, str] | None:
        """The first control in a template's text: (what stands before it, its id, itself); None: there is none."""
        match = self._control.search(text)
        return (text[: match.start()], self._ids[match[0]], match[0]) if match else None

    def from_last_control(self, text: str) -> str:
        """The end of a text, from its last control on; the whole text where it has none."""
        last = max((match.start() for match in self._control.finditer(text)), default=0)
        return text[last:]

    def controls_in(self, ids: tuple[int, ...] | list[int]) -> list[int]:
        """The controls among token ids, in their order."""
        return [token for token in ids if token in self.controls]
