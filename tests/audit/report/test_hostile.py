"""Text from a model that would do harm goes from the server to the rows of an audit, to the terminal and into lines."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import httpx2
import pytest
from rich.console import Console

from trialign.audit.asking.endpoint import EndpointAgents
from trialign.audit.asking.run import AuditConfig, Auditor
from trialign.audit.files.items import read_items, write_items
from trialign.commands.ask import GroupAnswer, answer_table
from trialign.comparing.pairs import Comparison
from trialign.endpoint.answers import AnswerFile
from trialign.endpoint.client import Client
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.door import Agreed
from trialign.environment import PromptConfig
from trialign.groups import GroupSet
from trialign.queries import Query
from trialign.safe_output import json_text

pytestmark = pytest.mark.unit

HOSTILE = (
    "<script>alert(1)</script>",
    '=HYPERLINK("http://evil","x")',
    "[bold]red[/bold] [/]",
    "\x1b]0;owned\x07\x1b[2J\x9b31m",
    "\u202egnp.exe\u2066\u200f",
    "one\u2028two\x85three\x0bfour\r\nfive",
    "\x00 and more",
    '"}\n{"answer": "forged"}',
    "x" * 1_000_000,
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_servers_reply_becomes_a_row_to_the_letter(
    text: str, tmp_path: Path, groups: GroupSet, queries: Sequence[Query]
) -> None:
    def say(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"choices": [{"message": {"content": text}, "finish_reason": "stop"}]})

    config = EndpointConfig()
    for _ in range(2):  # the second time from what is kept
        client = Client("http://server.test/v1", None, config, transport=httpx2.MockTransport(say))
        answers = AnswerFile(tmp_path / "answers.jsonl")
        agents = EndpointAgents(client, "served", config, Agreed(), 8, answers, 0)
        items = Auditor(agents, groups, PromptConfig(options="lettered"), AuditConfig()).run(queries[:1], "test")
        write_items(tmp_path / "items.parquet", items)
        assert set(read_items(tmp_path / "items.parquet")["answer"]) == {text.strip()}
        assert {item.canonical for item in items} == {None}


def test_half_a_character_in_a_reply_is_replaced(groups: GroupSet) -> None:
    content = b'{"choices": [{"message": {"content": "a\\ud800b \\ud83d\\ude00"}, "finish_reason": "stop"}]}'
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=content))
    assert Client("http://server.test/v1", None, EndpointConfig(), transport=transport).chat({}).text == "a\ufffdb 😀"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_terminal_shows_an_answer_and_obeys_nothing(text: str) -> None:
    answers = [GroupAnswer("north", text, text, (1.0,), None, text, "scored")]
    shown = io.StringIO()
    Console(file=shown, width=400, force_terminal=True, color_system=None).print(answer_table(text, [text], answers))
    assert all(c.isprintable() or c == "\n" for c in shown.getvalue().replace("\x1b[3m", "").replace("\x1b[0m", ""))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_terminal_shows_what_a_reply_was_read_as_and_obeys_nothing(text: str) -> None:
    answers = [GroupAnswer(name, text, text, None, None, text, "contained") for name in ("north", "south")]
    shown = io.StringIO()
    table = answer_table(text, (), answers, [Comparison("other", "canonical")])
    Console(file=shown, width=400, force_terminal=True, color_system=None).print(table)
    assert all(c.isprintable() or c == "\n" for c in shown.getvalue().replace("\x1b[3m", "").replace("\x1b[0m", ""))


def test_a_line_of_predictions_is_one_line_and_reads_back() -> None:
    for text in HOSTILE:
        line = json_text({"question": text, "answers": {"north": text}})
        assert len(line.splitlines()) == 1
        assert all(c.isprintable() for c in line)
        assert json.loads(line)["answers"]["north"] == text
