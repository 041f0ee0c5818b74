"""What a row states for each group: targets and forms, under names that a set of groups may qualify.

A name is ``group``, of the set in use, or ``set:group``. Entries of other sets than those in use are left aside,
so that one file can serve several sets. A group of a product of sets that has no entry of its own takes those of
its parts, and a group of stated attributes those that its values lean on (`Attribute.leaning`).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from trialign.groups import SHIPPED_SETS, GroupSet
from trialign.queries.cells import Cells, finite, shown
from trialign.queries.types import LAYOUTS, SPELLINGS, UNITS, Form

_FORM_KEYS = tuple(field.name for field in fields(Form))
_SUM_TOLERANCE = 1e-4
# High enough that 'regions' is not taken for 'religion'.
_MISSPELT = 0.85

Entry = TypeVar("Entry")
Word = TypeVar("Word", bound=str)
# Entries with the weights by which one part of a group leans on them.
_Leaned = list[tuple[float, Entry]]


def read_targets(cells: Cells, options: Sequence[str], groups: GroupSet | None) -> dict[str, tuple[float, ...]]:
    """The target of each group, aligned with the options.

    Args:
        cells: the row, of a preference query.
        options: what the targets are over.
        groups: the groups in use; None: whatever names the row has, as they are written.

    Returns:
        Group name -> probabilities: the group's own, or the mean of its parts', or of its attributes' at its values.
        Empty when all of the row's targets are for other sets.

    Raises:
        UserError: a target is wrong, or a group lacks one.
    """
    if not options:
        raise cells.fault("a preference query has no options to prefer", "Set 'answer_kind' to choice")
    if not cells.by_group("targets"):
        raise cells.fault("a preference query has no targets", "Add 'targets': {group: [probability, ...]}")
    targets = {
        name: _target(cells, name, target, len(options)) for name, target in _in_use(cells, "targets", groups).items()
    }
    if groups is None:
        return targets
    members = _of_members(cells, targets, groups, "target", "Add its probabilities to 'targets'")
    return {member: _mean([_blend(part) for part in parts]) for member, parts in members.items()}


def read_forms(cells: Cells, groups: GroupSet | None) -> dict[str, Form]:
    """The form of each group; see `read_targets`.

    A combined group takes that of its first part that has one, and where a value leans on several, that of the nearest.

    Raises:
        UserError: a form is wrong, or some groups have one and others none.
    """
    forms = {name: _form(cells, name, form) for name, form in _in_use(cells, "forms", groups).items()}
    if groups is None:
        return forms
    members = _of_members(cells, forms, groups, "form", "Give every group a form, or none of them any")
    return {member: max(parts[0], key=lambda leaned: leaned[0])[1] for member, parts in members.items()}


def _in_use(cells: Cells, key: str, groups: GroupSet | None) -> dict[str, Any]:
    """The entries of the groups in use and of their parts, by `_label`."""
    given = cells.by_group(key)
    if groups is None:
        return given
    known = {one.name: one.names for one in (*groups.single_sets, groups)}
    left_out = {one.name: one.left_out for one in groups.single_sets}
    leaned = {label for one in groups.single_sets for attribute in one.stated for label, _ in attribute.anchors}
    found: dict[str, Any] = {}
    for written, entry in given.items():
        if written in leaned:
            found[written] = entry
            continue
        set_name, group = written.split(":", 1) if ":" in written else (groups.name, written)
        if set_name not in known:
            _refuse_misspelling(cells, key, set_name, known)
            continue
        if group in left_out.get(set_name, ()):
            continue
        if group not in known[set_name]:
            labels = [_label(one.name, name, groups) for one in groups.single_sets for name in one.names]
            raise cells.fault(
                f"'{key}' names the group '{written}', which is not among the groups",
                f"Use the names of the groups: {', '.join(labels)}",
            )
        label = _label(set_name, group, groups)
        if label in found:
            raise cells.fault(f"'{key}' has two entries for the group '{label}'", "Take one of them out")
        found[label] = entry
    return found


def _label(set_name: str, group: str, groups: GroupSet) -> str:
    """How a group is told apart here: its plain name in the set in use, with its set's name in a factor of it."""
    return group if set_name == groups.name else f"{set_name}:{group}"


def _refuse_misspelling(cells: Cells, key: str, set_name: str, known: Mapping[str, Any]) -> None:
    """Any other set may be named, but not one that looks like a known set with a slip in it."""
    near = difflib.get_close_matches(set_name, {*known, *SHIPPED_SETS}, n=1, cutoff=_MISSPELT)
    if set_name in SHIPPED_SETS or (set_name and not near):
        return
    hint = f"Did you mean '{near[0]}'?" if near else "Write a set's name before the colon"
    raise cells.fault(f"'{key}' names the set of groups '{set_name}', which is not known", hint)


def _of_members(
    cells: Cells, entries: Mapping[str, Entry], groups: GroupSet, what: str, remedy: str
) -> dict[str, list[_Leaned[Entry]]]:
    """Member -> its own entry, or those of its parts; no member at all when there are no entries."""
    if not entries:
        return {}
    leanings = [_leanings(cells, one, entries, groups, what) for one in groups.single_sets]
    for one, leaned in zip(groups.single_sets, leanings, strict=True):
        labels = [_label(one.name, name, groups) for name in one.names]
        absent = [label for name, label in zip(one.names, labels, strict=True) if not leaned[name]]
        if absent and len(absent) < len(labels):
            raise cells.fault(f"the group '{absent[0]}' has no {what}", remedy)
    found: dict[str, list[_Leaned[Entry]]] = {}
    for member, parts in groups.parts.items():
        own = [[(1.0, entries[member])]] if member in entries else []
        found[member] = own or [
            part for leaned, (_, name) in zip(leanings, parts, strict=True) for part in leaned[name]
        ]
        if not found[member]:
            raise cells.fault(f"the group '{member}' has no {what}", remedy)
    return found


def _leanings(
    cells: Cells, one: GroupSet, entries: Mapping[str, Entry], groups: GroupSet, what: str
) -> dict[str, list[_Leaned[Entry]]]:
    """Group of a single set -> its own entry, or for each attribute that states any those at its value."""
    found: dict[str, list[_Leaned[Entry]]] = {}
    for group in one.members:
        label = _label(one.name, group.name, groups)
        if label in entries:
            found[group.name] = [[(1.0, entries[label])]]
            continue
        leaned = [attribute.leaning(group.attributes[attribute.name]) for attribute in one.stated]
        named = [pairs for pairs in leaned if pairs]
        there = [pairs for pairs in named if any(anchor in entries for anchor, _ in pairs)]
        absent = [anchor for pairs in there for anchor, _ in pairs if anchor not in entries]
        if absent:
            raise cells.fault(
                f"the group '{label}' leans on the {what} of '{absent[0]}', which is not there",
                "Add it, or leave it out of the attributes' 'targets' in the set",
            )
        found[group.name] = [[(weight, entries[anchor]) for anchor, weight in pairs] for pairs in there]
    return found


def _blend(part: _Leaned[tuple[float, ...]]) -> tuple[float, ...]:
    """Targets with weights as one."""
    if len(part) == 1:
        return part[0][1]
    return tuple(math.fsum(weight * target[k] for weight, target in part) for k in range(len(part[0][1])))


def _mean(targets: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """[parts, options] -> [options]; a single target as it is."""
    if len(targets) == 1:
        return targets[0]
    return tuple(math.fsum(column) / len(targets) for column in zip(*targets, strict=True))


def _target(cells: Cells, group: str, target: Any, length: int) -> tuple[float, ...]:
    if not isinstance(target, list | tuple) or len(target) != length:
        raise cells.fault(
            f"the target of '{group}' is {shown(target)}, not a list of {length} probabilities",
            "Give one probability for each option, in the order of the options",
        )
    probabilities = tuple(p for p in map(finite, target) if p is not None and p >= 0)
    if len(probabilities) != length:
        raise cells.fault(
            f"the target of '{group}', {shown(target)}, holds something other than a probability",
            "Write finite numbers from 0 to 1",
        )
    total = math.fsum(probabilities)
    if abs(total - 1) > _SUM_TOLERANCE:
        raise cells.fault(f"the target of '{group}' sums to {total:.6g}", "Make its probabilities sum to 1")
    return probabilities


def _form(cells: Cells, group: str, form: Any) -> Form:
    unknown = [key for key in form if key not in _FORM_KEYS] if isinstance(form, Mapping) else None
    if unknown is None or unknown:
        raise cells.fault(
            f"the form of '{group}' is {shown(form)}",
            f"Write a mapping with keys out of: {', '.join(_FORM_KEYS)}",
        )
    longest, shortest = (_word_count(cells, group, key, form.get(key)) for key in ("max_words", "min_words"))
    hardest, easiest = (_grade(cells, group, key, form.get(key)) for key in ("max_grade", "min_grade"))
    for unit, least, most in (("words", shortest, longest), ("grade", easiest, hardest)):
        if least is not None and most is not None and least > most:
            raise cells.fault(
                f"the form of '{group}' asks for {unit} of at least {least:g} and at most {most:g}",
                f"Make 'min_{unit}' no larger than 'max_{unit}'",
            )
    return Form(
        max_words=longest,
        min_words=shortest,
        layout=_word(cells, group, "layout", form, LAYOUTS),
        max_grade=hardest,
        min_grade=easiest,
        spelling=_word(cells, group, "spelling", form, SPELLINGS),
        units=_word(cells, group, "units", form, UNITS),
    )


def _word(cells: Cells, group: str, key: str, form: Mapping[str, Any], allowed: tuple[Word, ...]) -> Word | None:
    value = form.get(key)
    for word in allowed:
        if value == word:
            return word
    if value is not None:
        raise cells.fault(f"the {key} of '{group}' is {shown(value)}", f"Write one of: {', '.join(allowed)}")
    return None


def _word_count(cells: Cells, group: str, key: str, value: Any) -> int | None:
    if value is None:
        return None
    count = finite(value)
    if count is None or count < 1 or not count.is_integer():
        raise cells.fault(f"'{key}' of '{group}' is {shown(value)}", "Write a whole number from 1 on")
    return int(count)


def _grade(cells: Cells, group: str, key: str, value: Any) -> float | None:
    if value is None:
        return None
    grade = finite(value)
    if grade is None:
        raise cells.fault(f"'{key}' of '{group}' is {shown(value)}", "Write a school grade as a number, such as 8")
    return grade
