"""Questions in several languages: each group is asked in its own, and answers are compared under one name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from trialign.groups import SocialGroup
from trialign.queries.answers import is_correct, normal_text
from trialign.queries.cells import Cells, shown
from trialign.queries.types import AnswerKind, Query, Translation, TruthQuery

_Asked = TypeVar("_Asked", bound=Query)
_KEYS = ("question", "options", "gold", "aliases")


def told_in(query: _Asked, language: str) -> _Asked:
    """The question as a group is asked it: in the group's language, where it has a text in that.

    Args:
        query: as the data states it.
        language: of the group; "": none is stated.
    """
    told = query.texts.get(language)
    if told is None:
        return query
    changes: dict[str, Any] = {"question": told.question, "options": told.options, "named": query.options}
    if isinstance(query, TruthQuery) and query.options:
        changes["gold"] = told.options[query.gold_index]
        changes["folk"] = told.options[query.options.index(query.folk)] if query.folk else None
    elif isinstance(query, TruthQuery) and query.answer_kind == "text":
        right = (query.gold, *query.aliases)  # a name or a number may be right as it is written elsewhere
        changes["gold"] = told.gold or query.gold
        changes["aliases"] = (*told.aliases, *(one for one in right if one != changes["gold"]))
        changes["named"] = (query.gold,)
    return replace(query, **changes, language=language, texts={})


def known(query: Query, canonical: str | None) -> str | None:
    """A canonical answer under the name by which answers to the question are compared, whatever language it is in.

    Args:
        query: as it was asked, see `told_in`.
        canonical: the answer as `trialign.queries.answers.parse_answer` gives it.
    """
    if canonical is None or not query.named:
        return canonical
    if query.options:
        return query.named[query.options.index(canonical)] if canonical in query.options else canonical
    right = isinstance(query, TruthQuery) and is_correct(query, canonical)
    return normal_text(query.named[0]) if right else canonical


def languages_of(queries: Iterable[Query], groups: Iterable[SocialGroup]) -> dict[str, str]:
    """Query id -> the language in which all groups are asked it; without those of which none or several are stated."""
    spoken = {group.language for group in groups}
    asked = {query.query_id: {told_in(query, language).language for language in spoken} for query in queries}
    return {query_id: found for query_id, (found, *others) in asked.items() if found and not others}


def untold(queries: Sequence[Query], groups: Sequence[SocialGroup]) -> list[str]:
    """A sentence for each language of a group in which some questions have no text: these are asked as they stand."""
    found = []
    for language in dict.fromkeys(group.language for group in groups if group.language):
        lacking = sum(told_in(query, language).language != language for query in queries)
        if lacking:
            names = ", ".join(f"'{group.name}'" for group in groups if group.language == language)
            found.append(
                f"{lacking:,} of {len(queries):,} questions have no text in '{language}', the language of {names}, "
                "and are asked as they stand"
            )
    return found


def texts_row(query: Query) -> dict[str, dict[str, Any]] | None:
    """The cell of a query's texts in other languages; None where it has none."""
    found = {}
    for language, told in query.texts.items():
        row = {"question": told.question, "options": list(told.options), "gold": told.gold, "aliases": [*told.aliases]}
        found[language] = {key: value for key, value in row.items() if value}
    return found or None


def read_texts(cells: Cells, answer_kind: AnswerKind, options: tuple[str, ...]) -> dict[str, Translation]:
    """A question's texts in other languages.

    Args:
        cells: of the row.
        answer_kind: of the question.
        options: of the question.

    Raises:
        UserError: a text is missing, there are other options than the question's, or the language is its own.
    """
    return {
        language: _translation(language, values, cells, answer_kind, options)
        for language, values in cells.by_group("texts").items()
    }


def _translation(
    language: str, values: Any, cells: Cells, answer_kind: AnswerKind, options: tuple[str, ...]
) -> Translation:
    if not language.strip() or language == cells.values.get("language"):
        raise cells.fault(
            f"'texts' has the language '{language}', which is "
            + ("empty" if not language.strip() else "the question's own"),
            "Name each other language once, such as fa",
        )
    if not isinstance(values, Mapping):
        raise cells.fault(f"'texts.{language}' is {shown(values)}, not a mapping", "Write it as {question: ...}")
    for key in values:
        if key not in _KEYS:
            raise cells.fault(f"'texts.{language}' has the unknown key '{key}'", f"Use one of: {', '.join(_KEYS)}")
    stated = {key: value for key, value in values.items() if value is not None}
    told = Cells(stated, f"{cells.place}, texts.{language}")
    unused = ("gold", "aliases") if answer_kind != "text" else ()
    told.refuse(unused, f"a text of a {answer_kind} answer")
    found = told.texts("options")
    if len(found) != len(options) or len({one.strip() for one in found}) < len(found) or not all(map(str.strip, found)):
        raise told.fault(
            f"there are {len(found)} options, and the question has {len(options)}"
            if len(found) != len(options)
            else "an option is empty, or there twice",
            "Give each option its text, in the question's order",
        )
    return Translation(
        question=told.text("question"), options=found, gold=told.text("gold", ""), aliases=told.texts("aliases")
    )
