"""The controls of Compare for a number: the same question, asked as people of 20, 30, ... 80 years."""

from __future__ import annotations

import streamlit as st

from trialign.attributes import Attribute
from trialign.group_config import CONTROL

from ..components.markup import plain
from ..live.engine import Setting
from ..live.values import name_at, numbers_of, ticks
from .kept import beginning, start

KEYS = ("at", "at_attribute", "at_range", "at_like")


def with_values(setting: Setting, groups: tuple[str, ...]) -> tuple[str, ...]:
    """The groups, and after the members those at other values of a number, where the set has one.

    Args:
        setting: of the run.
        groups: names that are chosen, the base model last.
    """
    numbers = numbers_of(setting.groups)
    if not numbers:
        return groups
    start("at", False, lambda value: isinstance(value, bool), st.query_params.get("at") == "1" or None)
    words = " or ".join(one.label for one in numbers)
    if not st.toggle(f"Ask at other numbers too: {plain(words)}", key="at", help=_HELP):
        _forget("at", "from", "to")
        return groups
    attribute = _attribute(numbers)
    chosen = _range(attribute)
    members, control = [name for name in groups if name != CONTROL], [name for name in groups if name == CONTROL]
    like = _like(setting, attribute, members)
    own = {setting.groups.values(like)[attribute.name]} if like in members else set()
    asked = {name_at(like, attribute.name, value): value for value in chosen if value not in own}
    _who_answers(setting, attribute, like, chosen)
    if len(setting.groups.attributes) == 1:  # then the number is all that differs, and they stand in its order
        placed = asked | {name: setting.groups.values(name)[attribute.name] for name in members}
        return (*sorted(placed, key=lambda name: float(placed[name])), *control)
    return (*members, *asked, *control)


_HELP = (
    "The question is asked of an agent that is told this number in the groups' wording, whether a group has it or not."
)


def _attribute(numbers: tuple[Attribute, ...]) -> Attribute:
    if len(numbers) == 1:
        return numbers[0]
    names = {one.name: one for one in numbers}
    start("at_attribute", numbers[0].name, names.__contains__)
    picked = st.selectbox("Number", list(names), key="at_attribute", format_func=lambda name: plain(names[name].label))
    return names[picked]


def _range(attribute: Attribute) -> list[float]:
    values = ticks(attribute)
    stated = [value for key in ("from", "to") for value in values if f"{value:g}" == st.query_params.get(key)]
    whole = (values[0], values[-1])
    # A slider has two ends where it is told two: as its value, which it may not also have by its place in the session.
    ends = beginning(
        "at_range", whole, lambda ends: set(ends) <= set(values), tuple(stated) if len(stated) > 1 else None
    )
    words = plain(
        f"{attribute.label[:1].upper()}{attribute.label[1:]}, from and to (of {values[0]:g} to {values[-1]:g})"
    )
    low, high = st.select_slider(words, values, ends, key="at_range", format_func=lambda value: f"{value:g}")
    st.query_params.update({"at": "1", "from": f"{low:g}", "to": f"{high:g}"})
    return [value for value in values if low <= value <= high]


def _like(setting: Setting, attribute: Attribute, members: list[str]) -> str:
    """Whose other values hold; a choice only where there are others."""
    others = members or list(setting.groups.names)
    if len(setting.groups.attributes) == 1:
        return others[0]
    start("at_like", others[0], others.__contains__)
    labels = {group.name: plain(group.label) for group in setting.groups.members}
    picked = st.selectbox(
        f"All but {plain(attribute.label)} as in", others, key="at_like", format_func=labels.__getitem__
    )
    return picked or others[0]


def _who_answers(setting: Setting, attribute: Attribute, like: str, chosen: list[float]) -> None:
    """Which adapter stands behind a number that no group has, and which numbers are outside the trained ones."""
    asked = f"Asked at {', '.join(f'{value:g}' for value in chosen)}."
    if setting.policy.adapters == "shared":
        st.caption(
            f"{asked} All of them have the one adapter that the groups share; the number is in the profile alone."
        )
    elif setting.policy.adapters == "basis" and setting.policy.basis.z == "attributes":
        st.caption(
            f"{asked} Each has an agent of its own number, made of what training learned of the groups' numbers, and "
            "is told it too. Before training all are the base model."
        )
    else:
        st.caption(
            f"{asked} Nobody trained an adapter for these numbers: each has that of the nearest group, and the number "
            "is in the profile alone. Before training all are the base model."
        )
    low, high = attribute.trained
    values = setting.groups.values(like)
    outside = [value for value in chosen if setting.groups.beyond({**values, attribute.name: value})]
    if outside:
        st.warning(
            f"{', '.join(f'{value:g}' for value in outside)}: outside the {plain(attribute.label)} of the groups that "
            f"were trained, {low:g} to {high:g}. These answers stand on nothing that was trained or audited.",
            icon=":material/warning:",
        )


def _forget(*keys: str) -> None:
    for key in keys:
        if key in st.query_params:
            del st.query_params[key]
