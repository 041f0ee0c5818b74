"""Where questions come from when they are not in the native schema: the configuration of one source."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from trialign.errors import UserError
from trialign.queries.encodings import known_encoding
from trialign.queries.types import AnswerKind, Split

GoldAs = Literal["text", "label", "index", "index_from_0", "index_from_1", "flags", "true_false"]
Layout = Literal["truthfulqa", "global_opinions", "stereoset", "prefeval"]


@dataclass(frozen=True)
class FieldMap:
    """Where a row holds what a question needs.

    Each value is a dotted path: ``question.stem`` is the key ``stem`` of the mapping ``question``; a number picks an
    element of a list; any other key, applied to a list, is looked up in each of its elements.

    Attributes:
        question: the question's text.
        passage: a text that the question is about; it stands before the question, an empty line between them.
        options: a list of texts, or a mapping of labels to texts, also written into one cell; or a list of paths
            (columns), one for each option.
        fixed_options: instead, the texts of the options of every question, such as Yes and No.
        separator: what stands between the options, or the aliases, where one cell holds them all as a plain text.
        labels: the options' labels, in their order; those of a mapping, else A, B, C, ... where absent.
        gold: the right answer; for ``text`` answers it may be a list, of which all are right.
        gold_as: what stands there: the right option's ``text``, its ``label``, its ``index`` (from 0; refused where the
            rows leave a doubt, which ``index_from_0`` and ``index_from_1`` settle), ``flags`` (1 or true for the right
            option and 0 elsewhere, in the options' order) or ``true_false`` (true is the first of two options).
        gold_after: only what follows the last occurrence of this marker is the answer.
        aliases: further texts that are right, or a list of paths to them; for ``text`` answers.
        tolerance: largest absolute difference that counts as right, or the path to it; for ``numeric`` answers.
        id: the row's own name; its number where absent.
        cluster: what rows about the same fact share; rows of equal question and options where absent.
        split: a column that says which split a row belongs to; see ``SourceConfig.split_names``.
        topic: what the question is about.
        language: of the question, such as ``en``; where rows differ in it, an audit has a slice for each.
        source: where the answer can be checked.
        attribute: in rows of one group's answers, the attribute by which people are grouped.
        group: in such rows, the group that answered.
        counts: in such rows, how many of the group chose each option, in the order of the options.
    """

    question: str
    options: str | tuple[str, ...] | None = None
    fixed_options: tuple[str, ...] | None = None
    separator: str | None = None
    passage: str | None = None
    labels: str | None = None
    gold: str | None = None
    gold_as: GoldAs = "text"
    gold_after: str | None = None
    aliases: str | tuple[str, ...] | None = None
    tolerance: str | Annotated[float, Field(ge=0, le=1e300)] | None = None
    id: str | None = None
    cluster: str | None = None
    split: str | None = None
    topic: str | None = None
    language: str | None = None
    source: str | None = None
    attribute: str | None = None
    group: str | None = None
    counts: str | None = None


@dataclass(frozen=True)
class SourceConfig:
    """One stream of foreign rows, and how they become questions.

    Attributes:
        name: begins the ids of its questions.
        path: a file (see `trialign.queries.formats`), or a pattern such as ``val/*.csv``.
        hub: a data set of the Hugging Face hub, or a folder of the same form; streamed.
        subset: the configuration of a hub data set.
        part: the split of a hub data set, by its name there.
        revision: commit or tag of a hub data set.
        encoding: of a text file; None: found out, and refused where that is doubtful.
        columns: names of the columns of a table that has no header.
        rows: in a ``.json`` file, the dotted path to the rows; absent: the file is the rows. In a workbook, the name of
            the sheet; absent: the first one.
        beside: a folder that holds, for each file, one of the same name whose rows complete those of the same number.
        map: where the fields are; or else
        layout: the benchmark whose rows a map cannot describe.
        answer_kind: ``choice``, ``numeric`` or ``text``; for a map with a gold answer.
        groups: group -> the names under which the data hold its people; where several are named, their counts add up
            (or their shares are averaged). For distributions of opinion.
        attribute: of the rows of group answers, only those with this attribute are read.
        topic_pattern: a regular expression; its first group, found in the file's name, is the topic.
        split: the split of every row.
        split_shares: split -> share of the clusters, drawn by the seed.
        split_names: what a split's name in the data (``map.split``) means here.
        seed: of the options' order, of ``split_shares`` and of ``sample``.
        shuffle: order the options by the seed; False keeps the order of the data.
        limit: clusters of each split that are kept, the first ones; None: all.
        sample: clusters of each split that are kept, drawn by the seed; None: all.
        evaluation_only: the questions may not be trained on.
        allowed_faults: rows that may be left out because they cannot be read; one more is an error.
    """

    name: str
    path: str | None = None
    hub: str | None = None
    subset: str | None = None
    part: str | None = None
    revision: str | None = None
    encoding: str | None = None
    columns: tuple[str, ...] | None = None
    rows: str | None = None
    beside: str | None = None
    map: FieldMap | None = None
    layout: Layout | None = None
    answer_kind: AnswerKind = "choice"
    groups: dict[str, str | tuple[str, ...]] | None = None
    attribute: str | None = None
    topic_pattern: str | None = None
    split: Split | None = None
    split_shares: dict[Split, Annotated[float, Field(ge=0, le=1)]] | None = None
    split_names: dict[str, Split] | None = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    shuffle: bool = True
    limit: Annotated[int, Field(ge=1, le=10**9)] | None = None
    sample: Annotated[int, Field(ge=1, le=10**9)] | None = None
    evaluation_only: bool = False
    allowed_faults: Annotated[int, Field(ge=0, le=10**9)] = 0

    @property
    def named_splits(self) -> frozenset[Split]:
        """The splits that the configuration gives to rows; a row that names its split itself may have another."""
        if self.split:
            return frozenset({self.split})
        drawn = {split for split, share in (self.split_shares or {}).items() if share > 0}
        return frozenset({*drawn, *(self.split_names or {}).values()})


def check_source(source: SourceConfig, groups: Sequence[str] | None) -> None:
    """Refuses a source that contradicts itself or the groups, before any row is read.

    Args:
        source: the configuration.
        groups: names of the member groups; None: not checked.

    Raises:
        UserError: names the source.
    """
    _check_place(source)
    _check_meaning(source)
    _check_splits(source)
    _check_selection(source)
    if source.groups is not None and groups is not None:
        # A qualified name ("country:usa") is of a set of groups that need not be the active one.
        unknown = [name for name in source.groups if ":" not in name and name not in groups]
        if unknown:
            raise _fault(
                source,
                f"gives opinions of the group '{unknown[0]}', which is not among the groups",
                f"Choose groups that it has, or name these under 'groups': {', '.join(groups)}",
            )


def _check_place(source: SourceConfig) -> None:
    if not source.name.strip():
        raise UserError("A source of questions has an empty name", "Give it one under 'name'")
    if (source.path is None) == (source.hub is None):
        raise _fault(source, "has both 'path' and 'hub', or neither of them", "Name one place to read it from")
    if source.hub is not None and source.part is None:
        raise _fault(source, "is a hub data set without 'part'", "Name its split there, such as part: validation")
    _refuse_unused(source, source.hub is None, ("subset", "part", "revision"), "'hub'")
    _refuse_unused(source, source.path is None, ("columns", "rows", "beside"), "'path'")
    if source.encoding is not None and not known_encoding(source.encoding):
        raise _fault(
            source, f"names the encoding '{source.encoding}', which is not known", "Name one such as utf-8 or cp1252"
        )


def _check_meaning(source: SourceConfig) -> None:
    fields = source.map
    if (fields is None) == (source.layout is None):
        raise _fault(source, "has both 'map' and 'layout', or neither of them", "Say where the fields are under 'map'")
    opinions = source.layout == "global_opinions" or (fields is not None and fields.counts is not None)
    _refuse_unused(source, not opinions, ("groups", "attribute"), "opinions of groups ('map.counts')")
    if fields is None:
        return
    if (fields.gold is None) == (fields.counts is None):
        raise _fault(
            source,
            "maps both 'gold' and 'counts', or neither of them",
            "Map 'gold' for facts, or 'group' and 'counts' for the opinions of groups",
        )
    if fields.counts is not None and fields.group is None:
        raise _fault(source, "maps 'counts' without 'group'", "Say under 'map.group' who was counted")
    if source.attribute is not None and fields.attribute is None:
        raise _fault(source, "has an 'attribute' and no 'map.attribute'", "Say where a row names its attribute")
    needs_options = source.answer_kind == "choice" or fields.counts is not None
    options = bool(fields.options) + bool(fields.fixed_options)
    if needs_options and not options:
        raise _fault(source, "maps no 'options'", "Map them, or set 'answer_kind' to numeric or text")
    if options == 2:
        raise _fault(source, "has both 'options' and 'fixed_options'", "Take one of them out")
    if not needs_options and (options or fields.gold_as != "text"):
        raise _fault(source, f"maps options for a {source.answer_kind} answer", "Take 'options' and 'gold_as' out")
    if fields.gold_as == "true_false" and not options:
        raise _fault(source, "has gold_as: true_false without options", 'Add fixed_options: ["Yes", "No"]')
    for key, kind in (("aliases", "text"), ("tolerance", "numeric")):
        if getattr(fields, key) is not None and source.answer_kind != kind:
            raise _fault(source, f"maps '{key}' for a {source.answer_kind} answer", f"Take 'map.{key}' out")
    if fields.labels and fields.gold_as != "label":
        raise _fault(source, "maps 'labels' that nothing uses", "Set 'gold_as' to label, or take 'labels' out")


def _check_splits(source: SourceConfig) -> None:
    column = source.map.split if source.map else None
    if sum(bool(way) for way in (source.split, source.split_shares, column)) != 1:
        raise _fault(
            source,
            "says in no way, or in several, which split its rows belong to",
            "Set one of: split, split_shares, map.split",
        )
    if source.split_names and not column:
        raise _fault(source, "has 'split_names' without 'map.split'", "Say where a row names its split")
    shares = source.split_shares
    if shares and (min(shares.values()) < 0 or not math.isclose(math.fsum(shares.values()), 1, abs_tol=1e-6)):
        raise _fault(source, f"has the split shares {shares}", "Make them sum to 1, none of them negative")
    if source.evaluation_only and "train" in source.named_splits:
        raise evaluation_only_fault(f"The source '{source.name}'")


def evaluation_only_fault(subject: str) -> UserError:
    """The refusal to train on what is for evaluation only."""
    return UserError(
        f"{subject} is for evaluation only, and its split is 'train'",
        "Set its split to validation or test; it never enters training",
    )


def _check_selection(source: SourceConfig) -> None:
    if source.limit is not None and source.sample is not None:
        raise _fault(source, "has both 'limit' and 'sample'", "Set one of them")
    if source.topic_pattern is not None:
        try:
            groups = re.compile(source.topic_pattern).groups
        except re.error as error:
            raise _fault(source, f"has a 'topic_pattern' that is no regular expression ({error})", "Mend it") from error
        if groups != 1:
            raise _fault(source, f"has a 'topic_pattern' with {groups} groups", "Put the topic in one ( )")


def _refuse_unused(source: SourceConfig, unused: bool, keys: Sequence[str], wanted: str) -> None:
    for key in keys:
        if unused and getattr(source, key) is not None:
            raise _fault(source, f"has '{key}' without {wanted}", f"Take '{key}' out")


def _fault(source: SourceConfig, problem: str, remedy: str) -> UserError:
    return UserError(f"The source '{source.name}' {problem}", remedy)
