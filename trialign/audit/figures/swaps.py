"""Which groups' targets an agent's answers to tastes are scored on, beside its own."""

from __future__ import annotations

from collections.abc import Sequence

from trialign.audit.figures.pairs import MOST_GROUPS

_SWAPPED = 20


def swapped_with(groups: Sequence[str], agent: str) -> list[str]:
    """The other groups; of more than 50 groups 20 others, at even distances along the groups.

    A thousand answers scored on a thousand targets would be a million rows for each question.

    Args:
        groups: the members, in the order of tables.
        agent: one of them.
    """
    if len(groups) <= MOST_GROUPS:
        return [group for group in groups if group != agent]
    place, step = groups.index(agent), len(groups) // (_SWAPPED + 1)
    return [groups[(place + step * number) % len(groups)] for number in range(1, _SWAPPED + 1)]
