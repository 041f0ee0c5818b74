"""How the replies of each group were read: the shares that hold an answer, and why the others do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialign.queries.statuses import UNREAD_STATUSES

#: What can be said of a reply; its place here is its code, 0 being a reply that was read.
REPLIES: tuple[str, ...] = ("read", *UNREAD_STATUSES)
LABELS = {
    "read": "read",
    "none": "no answer",
    "ambiguous": "several answers",
    "refused": "refused",
    "cut_off": "cut off",
    "filtered": "filtered",
    "failed": "no reply",
}


def read_as(canonical: str | None, status: str) -> str:
    """What a reply in words was read as, or why it holds no answer; an open answer is taken whole."""
    if canonical is None:
        return f"– {LABELS.get(status, LABELS['none'])}"
    return "the whole reply" if status == "text" else canonical


@dataclass(frozen=True)
class GroupReplies:
    """One group's replies to facts, and its accuracy at both extremes.

    Attributes:
        shares: of all replies, every wording and repeat, what became of them: the words of ``REPLIES`` -> share.
        right_at_least: accuracy if every reply without an answer were wrong: this is how accuracy counts them.
        right_at_most: accuracy if every one were right.
    """

    shares: dict[str, float]
    right_at_least: float
    right_at_most: float

    @property
    def unread(self) -> float:
        """Share that holds no answer."""
        return sum(share for name, share in self.shares.items() if name != REPLIES[0])


def reply_codes(table: pd.DataFrame) -> NDArray[np.int8]:
    """Places in ``REPLIES`` of the rows of a table ([rows]).

    A row without a canonical answer whose status says nothing of why, as in older audits, holds no answer.
    """
    codes, names = pd.factorize(table["parse_status"].to_numpy(dtype=object))
    known = [REPLIES.index(name) if name in REPLIES else 0 for name in names]
    why = np.maximum(np.array(known, dtype=np.int8), 1)[codes]
    return np.where(table["canonical"].isna().to_numpy(), why, np.int8(0))


def group_replies(replies: NDArray[np.int8], correct: NDArray[np.float64]) -> list[GroupReplies]:
    """Every group's shares.

    Args:
        replies: [questions, groups, wordings, repeats], places in ``REPLIES``.
        correct: [questions, groups], 0 or 1, first wording, asked for the first time.
    """
    least = correct.mean(axis=0)
    most = np.where(replies[:, :, 0, 0] > 0, 1.0, correct).mean(axis=0)
    return [
        GroupReplies(shares_of(replies[:, group]), float(least[group]), float(most[group]))
        for group in range(len(least))
    ]


def shares_of(replies: NDArray[np.int8]) -> dict[str, float]:
    """The words of ``REPLIES`` -> share; of places in it, of any shape."""
    counts = np.bincount(replies.ravel(), minlength=len(REPLIES))
    return dict(zip(REPLIES, (counts / replies.size).tolist(), strict=True))


def in_words(replies: GroupReplies) -> str:
    """Why replies hold no answer, with shares: ``refused 4.0 %, cut off 3.0 %``."""
    found = [(share, name) for name, share in replies.shares.items() if name != REPLIES[0] and share > 0]
    return ", ".join(f"{LABELS[name]} {100 * share:.1f} %" for share, name in sorted(found, key=lambda one: -one[0]))
