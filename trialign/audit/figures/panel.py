"""The facts of an audit as arrays, and the parts of them that are looked at apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations, product
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialign.audit.figures.replies import reply_codes
from trialign.audit.figures.rows import (
    FACTS,
    aligned,
    clusters,
    codes,
    numbers,
    option_distributions,
    option_numbers,
    own_answers,
    shared,
)
from trialign.audit.figures.statistics import Floats, Integers
from trialign.groups import Exposure

_Value = TypeVar("_Value", bound=np.generic)


@dataclass(frozen=True)
class Panel:
    """Every group's answers to the same facts, given alone.

    A row is a question. In a panel of an attribute's values (`by_attribute`), a row is a question as put to groups
    that are alike in all other attributes; the rows of one question have the same ``questions`` number.

    Attributes:
        groups: names of the columns.
        questions: [rows], number of the question.
        clusters: [rows], number of the fact that paraphrases share.
        topics: [rows].
        answers: [rows, groups, wordings, repeats], codes; -1 where a reply holds no answer.
        correct: [rows, groups], 0 or 1, first wording, asked for the first time.
        probabilities: [rows, groups, options], S_g of the same answers, zero beyond a question's own options.
        option_counts: [rows], K; 0 where a group's probabilities are not known.
        choices: [rows], options to choose from, also where replies were read; 0 for a free answer, or not known.
        replies: [rows, groups, wordings, repeats], how they were read: places in ``replies.REPLIES``.
    """

    groups: tuple[str, ...]
    questions: Integers
    clusters: Integers
    topics: NDArray[np.object_]
    answers: Integers
    correct: Floats
    probabilities: Floats
    option_counts: Integers
    choices: Integers
    replies: NDArray[np.int8]

    @property
    def n_questions(self) -> int:
        """Different questions."""
        return len(np.unique(self.questions))

    @property
    def n_clusters(self) -> int:
        """Different facts."""
        return len(np.unique(self.clusters))

    @property
    def positions(self) -> Integers:
        """[rows, groups], the position of the option that was chosen; -1 where it is not known."""
        known = (self.option_counts > 0)[:, None]
        return np.where(known, self.probabilities.argmax(axis=-1), -1)

    def where(self, chosen: NDArray[np.bool_]) -> Panel:
        """The rows for which ``chosen`` ([rows]) is true."""
        names = [field.name for field in fields(self) if field.name != "groups"]
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})

    def unread_as_right(self) -> Panel:
        """The other extreme: every reply without an answer counts as the right one, as the first group gives it."""
        first, right = self.answers[:, :, 0, 0], self.correct.astype(bool)
        given = first[np.arange(len(first)), right.argmax(axis=1)]
        right_code = np.where(right.any(axis=1), given, self.answers.max(initial=0) + 1)
        return replace(
            self,
            answers=np.where(self.answers < 0, right_code[:, None, None, None], self.answers),
            correct=np.where(first < 0, 1.0, self.correct),
        )

    def by_attribute(self, names: Sequence[str], columns: NDArray[np.int64]) -> Panel:
        """The panel of one attribute's values.

        Args:
            names: of the values.
            columns: [contexts, values], the group that has this value and is otherwise of this context.
        """
        contexts = len(columns)
        return Panel(
            groups=tuple(names),
            questions=self.questions.repeat(contexts),
            clusters=self.clusters.repeat(contexts),
            topics=self.topics.repeat(contexts),
            answers=_regrouped(self.answers, columns),
            correct=_regrouped(self.correct, columns),
            probabilities=_regrouped(self.probabilities, columns),
            option_counts=self.option_counts.repeat(contexts),
            choices=self.choices.repeat(contexts),
            replies=_regrouped(self.replies, columns),
        )


def fact_panel(
    items: pd.DataFrame, groups: Sequence[str], exposure: Exposure, choices: Mapping[str, int] | None = None
) -> Panel | None:
    """The members' answers to facts under one exposure; None if there are none.

    Args:
        items: of one audit, in any order.
        groups: the members; only wordings and repeats that all of them have are used.
        exposure: how the profile reached them.
        choices: query id -> options to choose from, 0 for a free answer; None: known where options were scored.

    Raises:
        UserError: a group lacks an answer, or has it twice.
    """
    rows = own_answers(items, FACTS, exposure)
    rows = rows[rows["group"].isin(groups)]
    if rows.empty:
        return None
    wordings, repeats = shared(rows, "wording"), shared(rows, "repeat")
    width = len(groups) * wordings * repeats
    table = aligned(rows, groups, wordings=wordings, repeats=repeats)
    first = table[(table["wording"] == 0) & (table["repeat"] == 0)]
    probabilities, option_counts = option_distributions(first, len(groups))
    questions = len(table) // width
    return Panel(
        groups=tuple(groups),
        questions=np.arange(questions),
        clusters=clusters(table, width),
        topics=table["topic"].to_numpy(dtype=object)[::width],
        answers=codes(table, width).reshape(-1, len(groups), wordings, repeats),
        correct=numbers(first, "correct", len(groups)),
        probabilities=probabilities,
        option_counts=option_counts,
        choices=option_numbers(first, len(groups), choices),
        replies=reply_codes(table).reshape(-1, len(groups), wordings, repeats),
    )


def attribute_columns(
    groups: Sequence[str], parts: Mapping[str, Sequence[tuple[str, str]]]
) -> list[tuple[tuple[str, ...], tuple[str, ...], NDArray[np.int64]]]:
    """The attributes of composed groups (a university graduate from Iran), and how to compare values all else equal.

    Args:
        groups: names; composed where they are all combinations of several attributes' values, at least two of
            which vary.
        parts: group -> (attribute, value) for each of its attributes, in one order.

    Returns:
        For every choice of attributes but all of them: their names, the names of their combined values, and
        [contexts, values] columns for `Panel.by_attribute`. Empty if not composed.
    """
    if not all(group in parts for group in groups):
        return []
    attributes = [name for name, _ in parts[groups[0]]]
    combinations_of = [tuple(value for _, value in parts[group]) for group in groups]
    values = [tuple(dict.fromkeys(column)) for column in zip(*combinations_of, strict=True)]
    varying = [position for position, names in enumerate(values) if len(names) > 1]
    if len(varying) < 2 or set(product(*values)) != set(combinations_of):
        return []
    column = {part: index for index, part in enumerate(combinations_of)}
    result = []
    for size in range(1, len(varying)):
        for chosen in combinations(varying, size):
            rest = [position for position in range(len(values)) if position not in chosen]
            combined = list(product(*(values[position] for position in chosen)))
            contexts = list(product(*(values[position] for position in rest)))
            columns = np.array(
                [[column[_placed(chosen, own, rest, context)] for own in combined] for context in contexts]
            )
            names = tuple(attributes[position] for position in chosen)
            result.append((names, tuple("-".join(own) for own in combined), columns))
    return result


def _regrouped(part: NDArray[_Value], columns: NDArray[np.int64]) -> NDArray[_Value]:
    """[rows, groups, ...] as [rows x contexts, values, ...]."""
    contexts, values = columns.shape
    return part[:, columns].reshape(len(part) * contexts, values, *part.shape[2:])


def _placed(chosen: Sequence[int], own: Sequence[str], rest: Sequence[int], context: Sequence[str]) -> tuple[str, ...]:
    """A group's values in the order of the attributes."""
    placed = dict(zip(chosen, own, strict=True)) | dict(zip(rest, context, strict=True))
    return tuple(placed[position] for position in range(len(placed)))
