"""What agents said before, so that it is not asked for again: its names, and who keeps it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

UNADAPTED = "base-"  # begins the key of a reply that the base weights alone gave: it is the same in every run


@dataclass(frozen=True)
class Reply:
    """A decoded reply.

    Attributes:
        token_ids: its end included, where it came to one.
        nats: how unlikely the base model, told the same, finds a token of it, on average; None where not
            asked for.
    """

    token_ids: tuple[int, ...]
    nats: float | None = None


class Kept(Protocol):
    """Replies that outlive the process: what is there is not decoded again."""

    def get(self, key: str) -> Reply | None:
        """The reply that is kept under a key; None where none is."""
        ...

    def keep(self, replies: Mapping[str, Reply]) -> None:
        """Writes replies down, by their keys."""
        ...


class KeptScores(Protocol):
    """Scores that outlive the process: what is there is not computed again."""

    def get(self, key: str) -> tuple[float, ...] | None:
        """The scores that are kept under a key; None where none are."""
        ...

    def keep(self, scores: Mapping[str, tuple[float, ...]]) -> None:
        """Writes scores down, by their keys."""
        ...


def reply_key(
    prompt: Sequence[int], group: str, adapter: str | None, max_new_tokens: int, seed: int | None, measured: bool
) -> str:
    """Names a reply by all that it depends on but the base model; `UNADAPTED` begins it where no adapter acts.

    Args:
        prompt: token ids.
        group: who is asked.
        adapter: hash of the adapter that answers; None: the base weights do.
        max_new_tokens: longest reply.
        seed: it was drawn with; None: the likeliest token stands at each place.
        measured: whether its nats are asked for.
    """
    whole = (prompt, group, adapter, max_new_tokens, seed, measured)
    return (UNADAPTED if adapter is None else "") + _named(whole)


def score_key(prompt: Sequence[int], actions: Sequence[Sequence[int]]) -> str:
    """Names the scores that the base weights alone give actions after a prompt, all of them token ids."""
    return _named((prompt, actions))


def _named(whole: object) -> str:
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()
