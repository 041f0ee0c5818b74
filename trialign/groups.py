"""Social groups and the profiles by which a model comes to know them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

# The sets that conf/groups states; question files may hold targets for all of them.
SHIPPED_SETS = ("politics", "education", "english", "country", "age", "religion")

# An adapter that is trained on facts alone, without a profile, answers under this name; no group may have it then.
FACTS = "facts"

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
    """The groups of one attribute, or of several at once, in the order in which tables and tensors hold them.

    Attributes:
        name: identifier of the set.
        attribute: what tells the groups apart, in words.
        members: the groups that are trained and compared.
        control: the group without a profile, or None.
        factors: the sets whose product this one is; empty for a set of one attribute.
    """

    name: str
    attribute: str
    members: tuple[SocialGroup, ...]
    control: SocialGroup | None = None
    factors: tuple[GroupSet, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the members, without the control."""
        return tuple(group.name for group in self.members)

    @property
    def everyone(self) -> tuple[SocialGroup, ...]:
        """Members, then the control."""
        return self.members + ((self.control,) if self.control else ())

    @property
    def single_sets(self) -> tuple[GroupSet, ...]:
        """The sets of one attribute that this one is made of; the set itself where it is no product."""
        return self.factors or (self,)

    @property
    def parts(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Member name -> (set, group) in each of the single sets, in their order."""
        pairs = ([(one.name, group) for group in one.names] for one in self.single_sets)
        return dict(zip(self.names, product(*pairs), strict=True))


def same_profiles(groups: GroupSet | None) -> list[str]:
    """A sentence for each two groups of one set of which the model is told the same; no answer can tell them apart."""
    found = []
    for one in groups.single_sets if groups else ():
        for at, group in enumerate(one.members):
            for other in one.members[:at]:
                shared = {*map(_told, group.explicit)} & {*map(_told, other.explicit)}
                dialogues = {*group.implicit} & {*other.implicit}
                if shared or dialogues:
                    what = f"'{next(iter(shared))}'" if shared else "one dialogue"
                    found.append(
                        f"The groups '{other.name}' and '{group.name}' have the same profile ({what}): "
                        "no difference between them can be found there"
                    )
    return found


def _told(text: str) -> str:
    """A profile as it reads, without what blanks and capitals differ in."""
    return " ".join(text.casefold().split())


def cross(sets: tuple[GroupSet, ...]) -> GroupSet:
    """The product of several sets of one attribute: one group for each combination of theirs.

    Names are joined with ``-``, labels with commas. Wording i of a profile holds wording i of each part, so
    there are as many as the part with the fewest has. The control is the first one that a set has.
    """
    return GroupSet(
        name="-".join(one.name for one in sets),
        attribute=", ".join(one.attribute for one in sets),
        members=tuple(_combined(parts) for parts in product(*(one.members for one in sets))),
        control=next((one.control for one in sets if one.control), None),
        factors=sets,
    )


def _combined(parts: tuple[SocialGroup, ...]) -> SocialGroup:
    return SocialGroup(
        name="-".join(part.name for part in parts),
        label=", ".join(part.label for part in parts),
        explicit=tuple(" ".join(wordings) for wordings in zip(*(part.explicit for part in parts), strict=False)),
        implicit=tuple(
            tuple(message for dialogue in dialogues for message in dialogue)
            for dialogues in zip(*(part.implicit for part in parts), strict=False)
        ),
    )
