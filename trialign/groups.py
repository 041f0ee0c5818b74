"""Social groups and the profiles by which a model comes to know them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Exposure = Literal["explicit", "implicit"]
EXPOSURES: tuple[Exposure, ...] = ("explicit", "implicit")


@dataclass(frozen=True)
class Message:
    """One chat message; ``content`` is plain text and never carries control tokens."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class SocialGroup:
    """One group of people, as the model is told of it.

    Attributes:
        name: identifier used in targets, adapters, folders and tables.
        label: how the group is shown to people.
        explicit: wordings that state the profile; empty for the control.
        implicit: earlier dialogues that reveal the profile without stating it; empty for the control.
        role: ``member``, or ``control`` (no profile, base weights, audited and reported apart).
    """

    name: str
    label: str
    explicit: tuple[str, ...] = ()
    implicit: tuple[tuple[Message, ...], ...] = ()
    role: Literal["member", "control"] = "member"

    def wordings(self, exposure: Exposure) -> int:
        """How many ways of telling this profile there are; the control has one, the empty one."""
        if self.role == "control":
            return 1
        return len(self.explicit) if exposure == "explicit" else len(self.implicit)


@dataclass(frozen=True)
class GroupSet:
    """The groups of one attribute, in the order in which tables and tensors hold them.

    Attributes:
        name: identifier of the set.
        attribute: what tells the groups apart, in words.
        members: the groups that are trained and compared.
        control: the group without a profile, or None.
    """

    name: str
    attribute: str
    members: tuple[SocialGroup, ...]
    control: SocialGroup | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the members, without the control."""
        return tuple(group.name for group in self.members)

    @property
    def everyone(self) -> tuple[SocialGroup, ...]:
        """Members, then the control."""
        return self.members + ((self.control,) if self.control else ())
