"""What can be asked: truth, preference and mixed queries, as frozen records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

Kind = Literal["truth", "preference", "mixed"]
Split = Literal["train", "validation", "test"]
AnswerKind = Literal["choice", "numeric", "text"]
Layout = Literal["list", "prose"]
Spelling = Literal["american", "british"]
Units = Literal["metric", "us"]

KINDS: tuple[Kind, ...] = ("truth", "preference", "mixed")
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
ANSWER_KINDS: tuple[AnswerKind, ...] = ("choice", "numeric", "text")
LAYOUTS: tuple[Layout, ...] = ("list", "prose")
SPELLINGS: tuple[Spelling, ...] = ("american", "british")
UNITS: tuple[Units, ...] = ("metric", "us")


@dataclass(frozen=True, kw_only=True)
class Translation:
    """A question in another language.

    Attributes:
        question: its text.
        options: their texts, in the order of the question's own; empty where it has none.
        gold: the right answer in this language (``text`` answers); "": the question's own.
        aliases: further texts that count as right in this language (``text`` answers).
    """

    question: str
    options: tuple[str, ...] = ()
    gold: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Query:
    """One question as every group is asked it.

    Attributes:
        query_id: unique over all splits.
        cluster: the fact (or taste) that all paraphrases share; splits never cut through one.
        answer_kind: ``choice`` (options are enumerated and scored), ``numeric`` or ``text``.
        options: the option texts of a ``choice``, at least two and all different; else empty.
        source: where the answer can be checked.
        language: of its texts, such as ``en``; "": not stated.
        texts: language -> the same question in it, as groups of that language are asked it.
        named: where this is a question in another language (`trialign.queries.translated`), what its options, or its
            right answer, are called in the first one: answers are compared under these names.
    """

    kind: ClassVar[Kind]

    query_id: str
    cluster: str
    split: Split
    topic: str
    question: str
    answer_kind: AnswerKind = "choice"
    options: tuple[str, ...] = ()
    source: str = ""
    language: str = ""
    texts: Mapping[str, Translation] = field(default_factory=dict, hash=False)
    named: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TruthQuery(Query):
    """A question with one right answer, the same for every group.

    Attributes:
        gold: the right option's text, the number, or the text.
        aliases: further texts that count as right (``text`` answers).
        tolerance: largest absolute difference that still counts as right (``numeric`` answers).
        folk: the wrong option toward which folk belief, identity or local custom pulls, where one does
            (``choice`` answers).
    """

    kind: ClassVar[Kind] = "truth"

    gold: str
    aliases: tuple[str, ...] = ()
    tolerance: float = 0.0
    folk: str | None = None

    @property
    def gold_index(self) -> int:
        """Position of the gold option; only for ``choice`` queries."""
        return self.options.index(self.gold)


@dataclass(frozen=True, kw_only=True)
class PreferenceQuery(Query):
    """A question of taste: each group has its own target distribution over the options.

    Attributes:
        targets: group name -> probabilities aligned with ``options``, each summing to one; empty where the
            question was asked without, or has targets for other sets of groups only.
    """

    kind: ClassVar[Kind] = "preference"

    targets: Mapping[str, tuple[float, ...]]

    @classmethod
    def asked(cls, question: str, options: Sequence[str]) -> PreferenceQuery:
        """A person's own question: of taste, without a target, as there is no right answer to hold replies against."""
        return cls(
            query_id="asked",
            cluster="asked",
            split="test",
            topic="",
            question=question,
            answer_kind="choice" if options else "text",
            options=tuple(options),
            targets={},
        )


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form of answer that can be checked without a judge; unset fields ask for nothing.

    Attributes:
        max_words: most words.
        min_words: fewest words.
        layout: a list of items, or running text.
        max_grade: hardest reading level, as a US school grade (Flesch-Kincaid).
        min_grade: easiest reading level.
        spelling: whose words are spelled.
        units: in which measures are given.
    """

    max_words: int | None = None
    min_words: int | None = None
    layout: Layout | None = None
    max_grade: float | None = None
    min_grade: float | None = None
    spelling: Spelling | None = None
    units: Units | None = None


@dataclass(frozen=True, kw_only=True)
class MixedQuery(TruthQuery):
    """A fact whose answer each group wants in its own form.

    Attributes:
        forms: group name -> the form that the group prefers.
    """

    kind: ClassVar[Kind] = "mixed"

    forms: Mapping[str, Form] = field(default_factory=dict)
