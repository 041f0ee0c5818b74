"""Attributes that tell groups apart: numbers, such as an age, and categories, such as a country."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trialign.errors import UserError

Value = float | str


@dataclass(frozen=True)
class Category:
    """One value of a categorical attribute.

    Attributes:
        name: identifier, as groups hold it.
        label: how it is shown to people.
        text: what stands in a wording.
        share: of the population, up to a common factor.
    """

    name: str
    label: str
    text: str
    share: float = 1.0


@dataclass(frozen=True)
class Attribute:
    """What a group has a value of.

    Attributes:
        name: identifier; wordings hold it in braces.
        label: how it is called, such as "age in years".
        categories: what a categorical attribute can be, in order; empty for a number.
        between: smallest and largest value that a number can have.
        step: between two values that a population can have.
        trained: smallest and largest value among the members.
        mean: of the members' values.
        scale: their standard deviation (over the members, not n - 1); 1 where all are alike.
        anchors: (group as question files name it, value): whose targets hold at a value, see `leaning`.
    """

    name: str
    label: str
    categories: tuple[Category, ...] = ()
    between: tuple[float, float] = (0.0, 0.0)
    step: float = 1.0
    trained: tuple[float, float] = (0.0, 0.0)
    mean: float = 0.0
    scale: float = 1.0
    anchors: tuple[tuple[str, Value], ...] = ()

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers."""
        return not self.categories

    @property
    def width(self) -> int:
        """How many numbers a value is as a vector, see `standardised`."""
        return 1 if self.numeric else len(self.categories)

    def standardised(self, value: Value) -> tuple[float, ...]:
        """A number as its distance from the members' mean in standard deviations, a category as one 1 among zeros.

        Raises:
            UserError: it is no value of this attribute.
        """
        if self.numeric:
            return ((self.number(value) - self.mean) / self.scale,)
        category = self.category(value)
        return tuple(float(other is category) for other in self.categories)

    def number(self, value: Value) -> float:
        """The value of a numeric attribute.

        Raises:
            UserError: it is no number.
        """
        if isinstance(value, str):
            raise UserError(f"The {self.label} is '{value}', not a number", f"Give '{self.name}' a number")
        return value

    def category(self, value: Value) -> Category:
        """The category of a name.

        Raises:
            UserError: there is none of it: nothing was ever told, or learned, of it.
        """
        for category in self.categories:
            if category.name == value:
                return category
        raise UserError(
            f"'{self.name}' is {value!r}, a category that no group was told of",
            f"Write one of: {', '.join(category.name for category in self.categories)}",
        )

    def within(self, number: float, where: str) -> float:
        """A number that can be one of this attribute.

        Args:
            number: as it was stated.
            where: it was.

        Raises:
            UserError: it is none that there can be.
        """
        low, high = self.between
        if not low <= number <= high:
            raise UserError(
                f"'{where}' is {number:g}, and '{self.name}' is between {low:g} and {high:g}",
                "Write another number, or widen 'between'",
            )
        return number

    def text(self, value: Value) -> str:
        """The value as it stands in a wording."""
        return f"{self.number(value):g}" if self.numeric else self.category(value).text

    def shown(self, value: Value) -> str:
        """The value as it is shown to people."""
        return f"{self.number(value):g}" if self.numeric else self.category(value).label

    def beyond(self, value: Value) -> str:
        """A sentence where a number lies outside those of the members; empty where it does not."""
        if not self.numeric:
            return ""
        low, high = self.trained
        number = self.number(value)
        if low <= number <= high:
            return ""
        return f"The {self.label} {number:g} is outside the groups that were trained, {low:g} to {high:g}"

    def leaning(self, value: Value) -> tuple[tuple[str, float], ...]:
        """The anchors that a value leans on, with weights that sum to 1; none where there are none.

        A number between two anchors takes both, by how near they are (linear interpolation); beyond the first or last
        it takes that one. A category takes its own.
        """
        if not self.numeric:
            return tuple((label, 1.0) for label, own in self.anchors if own == value)
        if not self.anchors:
            return ()
        ordered = sorted(self.anchors, key=lambda anchor: self.number(anchor[1]))
        places = [self.number(place) for _, place in ordered]
        at = bisect_right(places, self.number(value))
        if at in (0, len(places)):
            return ((ordered[min(at, len(places) - 1)][0], 1.0),)
        share = (self.number(value) - places[at - 1]) / (places[at] - places[at - 1])
        pair = ((ordered[at - 1][0], 1 - share), (ordered[at][0], share))
        return tuple((label, weight) for label, weight in pair if weight > 0)


def standardised(attributes: Sequence[Attribute], values: Mapping[str, Value]) -> tuple[float, ...]:
    """All attributes' values as one vector ([sum of `Attribute.width`]), in the order of the attributes.

    Raises:
        UserError: a value is missing, or is none of its attribute.
    """
    check_values(attributes, values)
    return tuple(number for one in attributes for number in one.standardised(values[one.name]))


def check_values(attributes: Sequence[Attribute], values: Mapping[str, Value]) -> None:
    """Refuses values that are not those of the attributes, each exactly once.

    Raises:
        UserError: names the attribute.
    """
    known = [one.name for one in attributes]
    for name in values:
        if name not in known:
            raise UserError(f"There is no attribute '{name}'", f"Write one of: {', '.join(known) or 'none'}")
    for one in attributes:
        if one.name not in values:
            raise UserError(f"The attribute '{one.name}' has no value", f"Give all of: {', '.join(known)}")
