"""Benchmarks whose rows a field map cannot describe: one function each, from a foreign row to a native one."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trialign.errors import UserError
from trialign.queries.cells import shown
from trialign.queries.fields import LEFT_OUT, LeftOut, find, pooled
from trialign.queries.formats import Row
from trialign.queries.keys import clean, fault, numbers
from trialign.queries.sources import Layout, SourceConfig

# StereoSet's hub form writes its labels as numbers, in this order.
_STEREOSET_LABELS = ("anti-stereotype", "stereotype", "unrelated")
_BLANK = "BLANK"
# The longest literal that is parsed; GlobalOpinionQA's are below 10,000 characters.
_LONGEST_LITERAL = 100_000


def truthfulqa_row(row: Row, source: SourceConfig, groups: Sequence[str]) -> dict[str, Any]:
    """TruthfulQA's CSV form: the best answer among the incorrect ones, which are joined with semicolons.

    An answer that the row lists as correct as well is no wrong option. The best incorrect answer is the folk one.
    """
    best = _text(row, "Best Answer")
    correct = {clean(answer) for answer in _text(row, "Correct Answers").split(";")} | {best}
    wrong = [answer for answer in map(clean, _text(row, "Incorrect Answers").split(";")) if answer]
    options = [best, *dict.fromkeys(answer for answer in wrong if answer not in correct)]
    folk = clean(find(row.values, "Best Incorrect Answer"))
    return {
        "kind": "truth",
        "question": _text(row, "Question"),
        "options": options,
        "gold": best,
        "folk": folk if folk in options and folk != best else None,
        "topic": find(row.values, "Category"),
        "source": find(row.values, "Source"),
    }


def global_opinions_row(row: Row, source: SourceConfig, groups: Sequence[str]) -> dict[str, Any] | LeftOut:
    """GlobalOpinionQA: for each country, the share of people who chose each option; both are written as Python text.

    Several countries of one group are averaged. A question that was not asked in every group's country is left out.
    """
    options = [clean(option) for option in _literal(row, "options", list)]
    answers = {}
    for country, shares in _literal(row, "selections", dict).items():
        given = numbers(row, shares, len(options), f"the answer of {country}")
        if sum(given) > 0:
            answers[str(country)] = [share / sum(given) for share in given]
    targets = pooled(answers, source.groups or {group: group for group in groups})
    if targets is None:
        return LEFT_OUT
    native = {"kind": "preference", "question": _text(row, "question"), "options": options, "targets": targets}
    return {**native, "topic": find(row.values, "source")}


def stereoset_row(row: Row, source: SourceConfig, groups: Sequence[str]) -> dict[str, Any]:
    """StereoSet, inter- or intrasentence: taste without truth, the same target for every group.

    Stereotype and anti-stereotype should be equally likely and the unrelated sentence should not be chosen, whoever
    asks. Rows about one target word are one cluster.
    """
    context, sentences = _text(row, "context"), find(row.values, "sentences")
    texts, labels = find(sentences, "sentence"), find(sentences, "gold_label")
    if not isinstance(texts, list) or not isinstance(labels, list) or len(texts) != len(labels):
        raise fault(row, "'sentences' has not a 'sentence' and a 'gold_label' for each", "Use StereoSet's own form")
    named = [_stereoset_label(label) for label in labels]
    if sorted(map(str, named)) != sorted(_STEREOSET_LABELS):
        raise fault(row, f"the labels are {shown(labels)}", f"Give one sentence each: {', '.join(_STEREOSET_LABELS)}")
    target = [0.0 if label == "unrelated" else 0.5 for label in named]
    ask = "Which sentence fills the blank?" if _BLANK in context else "Which sentence comes next?"
    return {
        "kind": "preference",
        "id": find(row.values, "id"),
        "cluster": _text(row, "target"),
        "question": f"{context.replace(_BLANK, '___')}\n{ask}",
        "options": [clean(text) for text in texts],
        "targets": dict.fromkeys(groups, target),
        "topic": find(row.values, "bias_type"),
    }


def prefeval_row(row: Row, source: SourceConfig, groups: Sequence[str]) -> dict[str, Any]:
    """PrefEval's choice form: the first of the options respects what the user said before, for every group.

    The preference is stated, or, where the row holds a ``conversation``, revealed by it and not stated. Rows of one
    number and topic share their preference: they are one cluster, stated or not.
    """
    conversation = find(row.values, "conversation")
    told = _text(row, "preference") if conversation is None else _dialogue(row, conversation)
    form = "stated" if conversation is None else "persona" if find(row.values, "persona") else "choice"
    options = find(row.values, "classification_task_options")
    if not isinstance(options, list) or len(options) < 2:
        raise fault(
            row,
            f"'classification_task_options' is {shown(options)}, not a list of options",
            "Name the folder mcq_options under 'beside'; rows without options cannot be scored",
        )
    return {
        "kind": "preference",
        "id": f"{form}/{row.part}/{row.number}",
        "cluster": f"{row.part}/{row.number}",
        "question": f"{told}\n\n{_text(row, 'question')}",
        "options": [clean(option) for option in options],
        "targets": dict.fromkeys(groups, [1.0] + [0.0] * (len(options) - 1)),
        "topic": row.part,
    }


LAYOUTS: dict[Layout, Callable[[Row, SourceConfig, Sequence[str]], dict[str, Any] | LeftOut]] = {
    "truthfulqa": truthfulqa_row,
    "global_opinions": global_opinions_row,
    "stereoset": stereoset_row,
    "prefeval": prefeval_row,
}


def _text(row: Row, key: str) -> str:
    value = find(row.values, key)
    if not isinstance(value, str) or not value.strip():
        raise fault(row, f"'{key}' is {shown(value)}, not a text", f"Add a text under '{key}'")
    return value.strip()


def _literal(row: Row, key: str, kind: type) -> Any:
    """A list or mapping written as Python text; only literals are read, nothing is executed."""
    value = find(row.values, key)
    if isinstance(value, kind):
        return value
    text = value.strip() if isinstance(value, str) and len(value) <= _LONGEST_LITERAL else ""
    if text.startswith("defaultdict(") and text.endswith(")"):
        text = text.partition(",")[2][:-1].strip()
    try:
        with warnings.catch_warnings(action="ignore"):  # of odd escapes inside the text
            parsed = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise _no_literal(row, key, value, kind) from error
    if not isinstance(parsed, kind):
        raise _no_literal(row, key, value, kind)
    return parsed


def _no_literal(row: Row, key: str, value: Any, kind: type) -> UserError:
    what = "list" if kind is list else "mapping"
    return fault(row, f"'{key}' is {shown(value)}, not a {what}", f"Write it as a {what}, as the benchmark does")


def _stereoset_label(label: Any) -> Any:
    return _STEREOSET_LABELS[label] if type(label) is int and 0 <= label < len(_STEREOSET_LABELS) else label


def _dialogue(row: Row, conversation: Any) -> str:
    """PrefEval's two kinds of dialogue as one text: numbered turns, or a choice that the user made."""
    if not isinstance(conversation, Mapping):
        raise fault(row, f"'conversation' is {shown(conversation)}, not a mapping", "Use PrefEval's own form")
    turns = [turn for turn in conversation.values() if isinstance(turn, Mapping)]
    if turns:
        lines = [(speaker, turn.get(speaker)) for turn in turns for speaker in ("user", "assistant")]
    else:
        lines = [
            ("user", conversation.get("query")),
            ("assistant", conversation.get("assistant_options")),
            ("user", conversation.get("user_selection")),
            ("assistant", conversation.get("assistant_acknowledgment")),
        ]
    for speaker, text in lines:
        if not isinstance(text, str) or not text.strip():
            raise fault(row, f"the {speaker} says {shown(text)} in 'conversation'", "Give every turn its text")
    return "\n".join(f"{speaker.capitalize()}: {str(text).strip()}" for speaker, text in lines)
