"""Replies in the logs of other evaluation tools: which group's agent said what to which question.

Read are the logs of Inspect (``.eval`` and ``.json``), the sample logs of lm-evaluation-harness
(``samples_*.jsonl``) and the results of promptfoo (``.json``). Where things stand in them was read off files of Inspect
0.3.285, lm-evaluation-harness 0.4.13 and promptfoo 0.123.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from trialign.errors import UserError
from trialign.queries.cells import shown
from trialign.queries.fields import find
from trialign.queries.formats import Row
from trialign.queries.keys import clean
from trialign.queries.log_files import Tool, log_files, log_rows
from trialign.queries.statuses import UnreadStatus

_PATHS: Mapping[Tool, Mapping[str, str]] = {
    "inspect": {"question": "id", "group": "metadata.group", "reply": "output.completion"},
    "lm_eval": {"question": "doc.id", "group": "doc.group", "reply": "filtered_resps.0"},
    "promptfoo": {"question": "vars.id", "group": "vars.group", "reply": "response.output"},
}
_ENDS = {"inspect": "output.choices.0.stop_reason", "promptfoo": "response.finishReason"}
_CUT_OFF, _FILTERED = ("max_tokens", "model_length", "length"), ("content_filter",)


@dataclass(frozen=True)
class LogMap:
    """Where a logged sample holds what an audit needs, as dotted paths (see `FieldMap`); None: the tool's usual place.

    Attributes:
        question: the id of the question, as the data have it: ``id``, ``doc.id`` or ``vars.id``.
        group: the group that answered: ``metadata.group``, ``doc.group`` or ``vars.group``; unless ``files`` says it.
        reply: what was said: ``output.completion``, ``filtered_resps.0`` or ``response.output``.
    """

    question: str | None = None
    group: str | None = None
    reply: str | None = None


@dataclass(frozen=True)
class LogConfig:
    """Logs that hold the answers of an audit.

    Attributes:
        files: files or patterns such as ``logs/*.eval``; or group -> file or pattern, where each group has its own.
        map: where the samples hold question, group and reply.
        groups: group -> its name in the logs; a group that is not named has its own.
        repeats: how often each group answered each question: epochs of Inspect, repetitions of promptfoo.
        only: dotted path -> the value that it must lead to; other samples are passed over, such as those of another
            filter of lm-evaluation-harness or of another prompt of promptfoo.
    """

    files: dict[str, str] | tuple[str, ...] | str
    map: LogMap = field(default_factory=LogMap)
    groups: dict[str, str] = field(default_factory=dict)
    repeats: Annotated[int, Field(ge=1, le=1000)] = 1
    only: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Logged:
    """One reply.

    Attributes:
        place: file and sample, for messages.
        group: that gave it.
        question: its id.
        text: of the reply.
        unread: why there is none, whatever the text says.
        cut_off: whether it ended at the longest length allowed.
        scores: option, as it was put -> sum of the log-probabilities of its tokens; empty where the text is to be read.
    """

    place: str
    group: str
    question: str
    text: str
    unread: UnreadStatus | None = None
    cut_off: bool = False
    scores: Mapping[str, float] = field(default_factory=dict)


def read_logs(config: LogConfig, groups: Sequence[str]) -> tuple[Logged, ...]:
    """All replies, in the order of the files.

    Args:
        config: which files, and where they hold what.
        groups: the groups that there are, the control's name among them.

    Raises:
        UserError: a file is no such log, or a sample lacks question, group or reply; names file and sample.
    """
    for group in (*config.groups, *(config.files if isinstance(config.files, dict) else ())):
        if group not in groups:
            raise UserError(
                f"model.logs names the group '{group}', and the groups are: {', '.join(groups)}",
                "Correct model.logs, or choose other groups=...",
            )
    names = {config.groups.get(group, group): group for group in groups}
    found = [
        _logged(tool, row, config.map, names, whose)
        for whose, path in _stated(config)
        for tool, row in _rows(path)
        if all(str(find(row.values, key)) == value for key, value in config.only.items())
    ]
    if not found:
        raise UserError(
            f"No sample of {config.files} is as model.logs.only says ({config.only})", "Correct model.logs.only"
        )
    return tuple(found)


def _stated(config: LogConfig) -> Iterator[tuple[str | None, str]]:
    """(the group whose file it is, or None where the samples say it; file or pattern)."""
    if isinstance(config.files, dict):
        yield from config.files.items()
        return
    for path in (config.files,) if isinstance(config.files, str) else config.files:
        yield None, path


def _rows(path: str) -> Iterator[tuple[Tool, Row]]:
    return (one for file in log_files(path) for one in log_rows(file))


def _logged(tool: Tool, row: Row, paths: LogMap, names: Mapping[str, str], whose: str | None) -> Logged:
    question = _text(tool, row, paths, "question")
    group = whose if whose is not None else _group(_text(tool, row, paths, "group"), row, names)
    if _failed(tool, row):
        return Logged(row.place, group, question, "", "failed")
    scores = _scores(row) if tool == "lm_eval" and paths.reply is None else {}
    if scores:
        return Logged(row.place, group, question, max(scores, key=scores.__getitem__), scores=scores)
    end = find(row.values, _ENDS.get(tool, ""))
    unread: Literal["filtered"] | None = "filtered" if end in _FILTERED else None
    return Logged(row.place, group, question, _text(tool, row, paths, "reply"), unread, end in _CUT_OFF)


def _failed(tool: Tool, row: Row) -> bool:
    """Whether nothing was replied. In promptfoo an assertion that failed is an error too, and its reply is there."""
    if tool == "promptfoo":
        return find(row.values, "response.error") is not None or find(row.values, "failureReason") == 2
    return tool == "inspect" and find(row.values, "error") is not None


def _text(tool: Tool, row: Row, paths: LogMap, key: Literal["question", "group", "reply"]) -> str:
    path = getattr(paths, key) or _PATHS[tool][key]
    value = find(row.values, path)
    found = value if key == "reply" else clean(value)
    if isinstance(found, str) and (found or key == "reply"):
        return found
    what = "is missing" if found in (None, "") else f"is {shown(found)}, not a text"
    holds = ", ".join(list(row.values)[:30])
    raise UserError(
        f"{row.place}: the {key}, '{path}', {what}",
        f"Say where it is: model.logs.map.{key}=PATH, such as {_PATHS[tool][key]}; the sample has: {holds}",
    )


def _group(name: str, row: Row, names: Mapping[str, str]) -> str:
    if name in names:
        return names[name]
    raise UserError(
        f"{row.place}: the group is '{name}', and the groups are called {', '.join(names)}",
        "Say which one it is: model.logs.groups.GROUP=NAME, or choose other groups=...",
    )


def _scores(row: Row) -> dict[str, float]:
    """Option -> log-probability of a choice as lm-evaluation-harness logs it; empty where the sample is no choice.

    A choice is a request for each option: ``arguments.gen_args_2.arg_1`` is the text of the third one, and
    ``resps`` holds its [[log-probability, whether it is the greedy continuation]], as texts.
    """
    options = find(row.values, "arguments")
    replies = find(row.values, "resps")
    if not isinstance(options, Mapping) or not isinstance(replies, list) or len(options) != len(replies):
        return {}
    found = {}
    for asked, (reply, *_) in zip(options.values(), replies, strict=True):
        text = find(asked, "arg_1")
        if not isinstance(text, str) or not isinstance(reply, list) or len(reply) != 2:
            return {}
        try:
            found[text.strip()] = float(reply[0])
        except ValueError:
            return {}
    if not all(map(math.isfinite, found.values())):
        raise UserError(f"{row.place}: a log-probability is not a finite number", "Log the model's answers anew")
    return found


def files_of(config: LogConfig) -> list[Path]:
    """The files that are read, each once.

    Raises:
        UserError: a pattern fits none.
    """
    return list(dict.fromkeys(file for _, path in _stated(config) for file in log_files(path)))
