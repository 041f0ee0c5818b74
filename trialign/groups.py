"""Social groups and the profiles by which a model comes to know them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from math import dist
from string import Formatter
from typing import Any, Literal

from trialign.attributes import Attribute, Category, Value, check_values, standardised
from trialign.errors import UserError
from trialign.writing import Way

# The sets that conf/groups states; question files may hold targets for all of them.
SHIPPED_SETS = ("politics", "education", "english", "country", "age", "religion")

# An adapter that is trained on facts alone, without a profile, answers under this name; no group may have it then.
FACTS = "facts"

Exposure = Literal["explicit", "implicit", "style"]
EXPOSURES: tuple[Exposure, ...] = ("explicit", "implicit", "style")


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
        attributes: name -> value of what its set states of it, a number or a category; empty where it states nothing.
        style: ways of writing (`trialign.writing.WAYS`) that give the group away where nothing else does; may be empty.
        language: in which the group is asked questions that have a text in it; "": as they stand.
    """

    name: str
    label: str
    explicit: tuple[str, ...] = ()
    implicit: tuple[tuple[Message, ...], ...] = ()
    role: Literal["member", "control"] = "member"
    attributes: Mapping[str, Value] = field(default_factory=dict, hash=False)
    style: tuple[Way, ...] = ()
    language: str = ""

    @property
    def profile(self) -> dict[str, Any]:
        """What an agent is told, as a collection is known by; attributes tell it nothing beyond their wordings.

        Nor does a way of writing, unless questions are written so: a collection that does so says it beside. A language
        is part of it where one is stated.
        """
        unsaid = ("attributes", "style") if self.language else ("attributes", "style", "language")
        return {key: value for key, value in asdict(self).items() if key not in unsaid}

    def wordings(self, exposure: Exposure) -> int:
        """How many ways of telling this profile there are; the control has one, the empty one."""
        if self.role == "control":
            return 1
        return len({"explicit": self.explicit, "implicit": self.implicit, "style": self.style}[exposure])


@dataclass(frozen=True)
class Templates:
    """How a group is told by its attributes' values: texts with the names of attributes in braces.

    Attributes:
        label: how a group is shown to people; empty: its values, one after the other.
        explicit: wordings.
        implicit: dialogues.
    """

    label: str = ""
    explicit: tuple[str, ...] = ()
    implicit: tuple[tuple[Message, ...], ...] = ()

    def group(self, name: str, attributes: Iterable[Attribute], values: Mapping[str, Value]) -> SocialGroup:
        """The group that has these values.

        Args:
            name: of the group.
            attributes: of the set, each with a value.
            values: attribute name -> value.

        Raises:
            UserError: a value is none of its attribute.
        """
        ordered = {one.name: values[one.name] for one in attributes}
        texts = {one.name: one.text(values[one.name]) for one in attributes}
        shown = {one.name: one.shown(values[one.name]) for one in attributes}
        return SocialGroup(
            name=name,
            label=filled(self.label, shown) if self.label else ", ".join(shown.values()),
            explicit=tuple(filled(text, texts) for text in self.explicit),
            implicit=tuple(
                tuple(Message(message.role, filled(message.content, texts)) for message in dialogue)
                for dialogue in self.implicit
            ),
            attributes=ordered,
        )


def filled(template: str, texts: Mapping[str, str]) -> str:
    """A template with a text in the place of each name in braces; doubled braces stand for themselves."""
    parts = Formatter().parse(template)
    return "".join(before + (texts[name] if name is not None else "") for before, name, _, _ in parts)


@dataclass(frozen=True)
class GroupSet:
    """The groups of one attribute, or of several at once, in the order in which tables and tensors hold them.

    Attributes:
        name: identifier of the set.
        attribute: what tells the groups apart, in words.
        members: the groups that are trained and compared.
        control: the group without a profile, or None.
        factors: the sets whose product this one is; empty for a set of one attribute.
        stated: what every member has a value of; empty for a set of explicit wordings, and for a product.
        templates: how a group is told by its values; None where only the members' own wordings tell them.
        left_out: names of groups that the set has and this run leaves out: questions may hold targets for them.
    """

    name: str
    attribute: str
    members: tuple[SocialGroup, ...]
    control: SocialGroup | None = None
    factors: tuple[GroupSet, ...] = ()
    stated: tuple[Attribute, ...] = ()
    templates: Templates | None = None
    left_out: tuple[str, ...] = ()

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """What tells the groups apart: the stated attributes, else the set itself as a category; of a product, all."""
        if self.factors:
            return tuple(attribute for one in self.factors for attribute in one.attributes)
        if self.stated:
            return self.stated
        return (
            Attribute(
                name=self.name,
                label=self.attribute,
                categories=tuple(Category(group.name, group.label, group.label) for group in self.members),
            ),
        )

    @property
    def audited(self) -> tuple[tuple[Attribute, ...], dict[str, Mapping[str, Value]]]:
        """The attributes that the set, or its factors, state, and every member's values; none of plain wordings."""
        stated = tuple(attribute for one in self.single_sets for attribute in one.stated)
        return stated, {group.name: group.attributes for group in self.members} if stated else {}

    def values(self, name: str) -> dict[str, Value]:
        """Attribute name -> value of a member, for each of `attributes`."""
        return self._values(next(group for group in self.members if group.name == name))

    def _values(self, member: SocialGroup) -> dict[str, Value]:
        return dict(member.attributes) if self.factors or self.stated else {self.name: member.name}

    def standardised(self, values: Mapping[str, Value]) -> tuple[float, ...]:
        """Values as one vector, in the order of `attributes`: see `trialign.attributes.standardised`.

        Raises:
            UserError: a value is missing, or is none of its attribute, such as a category of which no group was told.
        """
        return standardised(self.attributes, values)

    def beyond(self, values: Mapping[str, Value]) -> list[str]:
        """A sentence for each number that lies outside those of the members.

        Raises:
            UserError: as `standardised` does.
        """
        check_values(self.attributes, values)
        said = [one.beyond(values[one.name]) for one in self.attributes]
        return [sentence for sentence in said if sentence]

    def nearest(self, values: Mapping[str, Value]) -> SocialGroup:
        """The member whose standardised values are nearest; of several the first.

        Raises:
            UserError: as `standardised` does.
        """
        place = self.standardised(values)
        return min(self.members, key=lambda group: dist(place, self.standardised(self._values(group))))

    def told(self, name: str, values: Mapping[str, Value]) -> SocialGroup:
        """The group that has some values, whether a member has them or not; told as members with them would be.

        Raises:
            UserError: as `standardised` does; or values are none of a member, and no template tells them.
        """
        standardised(self.attributes, values)  # refuses values that there are not
        if self.factors:
            parts = [
                one.told(str(values.get(one.name, name)), {a.name: values[a.name] for a in one.attributes})
                for one in self.factors
            ]
            return replace(_combined(tuple(parts), self.factors), name=name)
        if self.templates is not None:
            return self.templates.group(name, self.stated, values)
        for group in self.members:
            if self.values(group.name) == dict(values):
                return replace(group, name=name)
        raise UserError(
            f"No group of the set '{self.name}' has these values, and no template of it tells them",
            "Give the set 'explicit' templates with its attributes in braces",
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the members, without the control."""
        return tuple(group.name for group in self.members)

    def first(self, count: int | None) -> GroupSet:
        """The set with its first so many members alone, and the control; None, or no fewer than there are: all.

        Raises:
            UserError: it is a product of several sets, whose tables need all.
        """
        if count is None or count >= len(self.members):
            return self
        if self.factors:
            raise UserError(
                f"audit.groups={count} takes the first groups of one set, and {self.name} combines several",
                "Set audit.groups=null",
            )
        return replace(self, members=self.members[:count])

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
    """A sentence for each group of whom the model is told the same as of an earlier one: no answer tells them apart."""
    found = []
    for one in groups.single_sets if groups else ():
        first: dict[object, str] = {}  # profile -> the first group that is told by it
        for group in one.members:
            texts, dialogues = [*map(_told, group.explicit)], [*group.implicit]
            shared: dict[str, str] = {}  # other group -> what both are told
            for profile in [*texts, *dialogues]:
                other = first.setdefault(profile, group.name)
                if other != group.name:
                    shared.setdefault(other, f"'{profile}'" if isinstance(profile, str) else "one dialogue")
            found += [
                f"The groups '{other}' and '{group.name}' have the same profile ({what}): "
                "no difference between them can be found there"
                for other, what in shared.items()
            ]
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
        members=tuple(_combined(parts, sets) for parts in product(*(one.members for one in sets))),
        control=next((one.control for one in sets if one.control), None),
        factors=sets,
    )


def _combined(parts: tuple[SocialGroup, ...], sets: tuple[GroupSet, ...]) -> SocialGroup:
    return SocialGroup(
        name="-".join(part.name for part in parts),
        label=", ".join(part.label for part in parts),
        explicit=tuple(" ".join(wordings) for wordings in zip(*(part.explicit for part in parts), strict=False)),
        implicit=tuple(
            tuple(message for dialogue in dialogues for message in dialogue)
            for dialogues in zip(*(part.implicit for part in parts), strict=False)
        ),
        attributes={
            name: value
            for one, part in zip(sets, parts, strict=True)
            for name, value in (part.attributes or {one.name: part.name}).items()
        },
        style=next((part.style for part in parts if part.style), ()),
        language=next((part.language for part in parts if part.language), ""),
    )
