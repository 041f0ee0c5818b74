"""Audits whose replies are held to the options, or asked about, over real sockets: a stub on loopback, the command."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from trialign.audit.figures.analysis import read_analysis
from trialign.audit.figures.summary import read_summary
from trialign.audit.files.items import read_items
from trialign.cli import main
from trialign.endpoint.answers import AnswerFile

pytestmark = pytest.mark.integration

Body = dict[str, Any]
AUDIT = "audits/step=000000.t.test"
TOWNS = ("Milan", 'The town "of towns", Rome', "Napoli é bella")
RIGHT = TOWNS[1]
N = 6


def choice(content: Any, finish: str = "stop", **message: Any) -> Body:
    return {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}


@contextmanager
def stub(say: Callable[[Body], Body | None], busy: dict[str, str] | None = None) -> Iterator[str]:
    """A server whose answer is a function of the request; None: it is refused; an error: it is busy, with a header."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *values: Any) -> None:
            pass

        def send(self, status: int, content: Any, **headers: str) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(data)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self.send(200, {"data": [{"id": "m"}]})

        def do_POST(self) -> None:
            found = say(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if found is None:
                self.send(400, {"error": {"message": "Unrecognized request argument supplied"}})
            elif "error" in found:
                self.send(429, found, **(busy or {}))
            else:
                self.send(200, {"model": "m", "choices": [found]})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def texts_of(body: Body) -> list[str] | None:
    """What a reply is held to."""
    if "response_format" in body:
        enum: list[str] = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"]
        return enum
    return body.get("structured_outputs", {}).get("choice") or body.get("guided_choice")


def right_of(body: Body, texts: list[str]) -> str:
    """The text that stands for the right option: itself, or the letter before it in the last message."""
    if RIGHT in texts:
        return RIGHT
    lines = str(body["messages"][-1]["content"]).splitlines()
    return next((line[0] for line in lines if line.endswith(f". {RIGHT}")), texts[0])


@dataclass
class Audits:
    """Audits of one set of questions."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    log: pytest.LogCaptureFixture

    def test(self, url: str, *words: str, name: str = "t") -> tuple[int, str]:
        facts = [
            {
                "id": f"q{n}",
                "split": "test",
                "kind": "truth",
                "question": f"Which town has number {n}?",
                "options": list(TOWNS),
                "gold": RIGHT,
            }
            for n in range(N)
        ]
        taste = {
            "id": "taste",
            "split": "test",
            "kind": "preference",
            "question": "Which town is best?",
            "options": list(TOWNS),
            "targets": {group: [0.2, 0.5, 0.3] for group in ("usa", "iran", "china")},
        }
        file = self.folder / "q.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in [*facts, taste]), encoding="utf-8")
        stated = [f"name={name}", "model.name=m", f"model.base_url={url}", f"runs={self.folder}/runs"]
        data = ["groups=country", "data=files", "data.name=t", f"data.files=[{file}]", "model.endpoint.attempts=2"]
        self.capture.readouterr()
        self.log.clear()
        code = main(["test", "--config", "conf/audit/endpoint.yaml", *stated, *data, *words])
        text = self.capture.readouterr()
        return code, text.out + text.err + self.log.text

    def items(self, name: str = "t") -> pd.DataFrame:
        items = read_items(self.folder / "runs" / name / AUDIT / "items.parquet")
        return items[items["group"] == items["profile_group"]]

    def summary(self, name: str = "t") -> Body:
        return read_summary(self.folder / "runs" / name / AUDIT / "summary.json")


@pytest.fixture
def audits(tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Audits:
    caplog.set_level(logging.INFO, "trialign")
    return Audits(tmp_path, capsys, caplog)


def heeding(form: str, others: str = "ignore") -> Callable[[Body], Body | None]:
    """Heeds one form and answers nothing that can be read without it; refuses or ignores the others."""

    def say(body: Body) -> Body | None:
        texts = texts_of(body)
        if texts is None:
            return choice("Well, well.")
        if form not in body:
            return None if others == "refuse" else choice("Well, well.")
        found = right_of(body, texts)
        return choice(json.dumps({"answer": found}) if form == "response_format" else found)

    return say


@pytest.mark.parametrize("options", ["lettered", "listed"])
@pytest.mark.parametrize(
    ("form", "others"),
    [
        ("response_format", "refuse"),
        ("response_format", "ignore"),
        ("structured_outputs", "ignore"),
        ("guided_choice", "refuse"),
    ],
)
def test_replies_are_held_to_the_options_where_the_server_does_that(
    audits: Audits, form: str, others: str, options: str
) -> None:
    with stub(heeding(form, others)) as url:
        code, said = audits.test(url, f"prompt.options={options}")
    assert code == 0, said
    assert f"holds replies to choices to their options ({form})" in said
    items, summary = audits.items(), audits.summary()
    assert set(items["parse_status"]) == {"structured"}
    assert set(items["canonical"]) == {RIGHT}
    assert "Answer to a choice: the option in the model's reply, which the server holds" in " ".join(said.split())
    assert summary["scoring"] == "structured"
    assert summary["model"]["structured"] == form
    assert summary["statuses"] == {group: {"structured": N + 1} for group in summary["groups"]}
    assert summary["truth"]["mean"] == 1.0


def test_a_key_that_the_server_takes_and_does_not_heed_is_not_sent(audits: Audits) -> None:
    asked: list[Body] = []

    def say(body: Body) -> Body:
        asked.append(body)
        return choice(f"{right_of(body, ['A'])}. as the sources say")

    with stub(say) as url:
        code, said = audits.test(url)
    assert code == 0, said
    assert "does not hold them to the options" in said
    # One knock, three forms tried, then every question as it is.
    assert [texts_of(body) is None for body in asked[:5]] == [True, False, False, False, True]
    assert all(texts_of(body) is None for body in asked[4:])
    assert "structured" not in audits.summary()["model"]
    assert audits.summary()["scoring"] == "sampled"


def test_never_asks_for_no_form(audits: Audits) -> None:
    asked: list[Body] = []

    def say(body: Body) -> Body | None:
        asked.append(body)
        return heeding("structured_outputs")(body) if texts_of(body) else choice(right_of(body, ["A"]))

    with stub(say) as url:
        assert audits.test(url, "model.endpoint.structured=never")[0] == 0
    assert not any(texts_of(body) for body in asked)
    assert len(asked) == 1 + (N + 1) * 4
    assert audits.summary()["scoring"] == "sampled"


def test_what_was_not_held_is_read_and_counted(audits: Audits) -> None:
    """By question: held, cut off inside the JSON, declined in a field of its own, a text beside the JSON."""
    strange = {
        "number 1?": choice('{"ans', "length"),
        "number 2?": choice(None, refusal="I cannot say."),
        "number 3?": choice("The answer is B."),
        "number 4?": choice(None, "content_filter"),
    }

    def say(body: Body) -> Body | None:
        question = str(body["messages"][-1]["content"])
        found = next((said for place, said in strange.items() if place in question), None)
        return found or heeding("response_format", "refuse")(body)

    with stub(say) as url:
        code, said = audits.test(url, "audit.clarify=false")
    assert code == 0, said
    items = audits.items()
    rows = items[items["query_id"] != "q3"].astype(object).where(items.notna(), None)
    found = {row.query_id: (row.parse_status, row.canonical) for row in rows.itertuples()}
    assert found == {
        "q0": ("structured", RIGHT),
        "q1": ("cut_off", None),
        "q2": ("refused", None),
        "q4": ("filtered", None),
        "q5": ("structured", RIGHT),
        "taste": ("structured", RIGHT),
    }
    assert set(items.loc[items["query_id"] == "q3", "parse_status"]) <= {"label", "contained", "none"}
    assert set(items.loc[items["query_id"] == "q2", "answer"]) == {"I cannot say."}
    assert "4 of 28 replies were cut off at audit.max_new_tokens=64" in said


def meaning(second: Callable[[Body], Body]) -> Callable[[Body], Body | None]:
    """A server that offers no forms, says nothing first, and something else when it is asked what it meant."""

    def say(body: Body) -> Body | None:
        if texts_of(body):
            return None
        return second(body) if body["messages"][-2]["role"] == "assistant" else choice("Well, well.")

    return say


def knock_apart(say: Callable[[Body], Body | None]) -> Callable[[Body], Body | None]:
    return lambda body: choice("Hello") if len(body["messages"]) < 2 else say(body)


def test_a_reply_that_names_nothing_is_asked_about_and_read(audits: Audits) -> None:
    with stub(knock_apart(meaning(lambda body: choice(right_of(body, ["A"]))))) as url:
        code, said = audits.test(url)
    assert code == 0, said
    items, summary = audits.items(), audits.summary()
    assert set(items["parse_status"]) == {"clarified"}
    assert set(items["canonical"]) == {RIGHT}
    assert set(items["answer"]) == {"Well, well."}
    letters = {RIGHT: ["ABC"[list(row.clarification_options).index(RIGHT)] for row in items.itertuples()]}
    assert list(items["clarification"]) == letters[RIGHT]
    assert summary["statuses"] == {group: {"clarified": N + 1} for group in summary["groups"]}
    assert summary["truth"]["mean"] == 1.0
    verdict = read_analysis(audits.folder / "runs" / "t" / AUDIT / "analysis.json").verdict
    assert verdict is not None
    assert verdict.parts["answered"].outcome != "fails"


def test_a_reply_that_stays_unread_keeps_its_status(audits: Audits) -> None:
    with stub(knock_apart(meaning(lambda body: choice("Who knows?")))) as url:
        code, said = audits.test(url)
    assert code == 0, said
    items = audits.items()
    assert set(items["parse_status"]) == {"none"}
    assert set(items["clarification"]) == {"Who knows?"}
    assert "cannot be judged" in said.lower().replace("\n", " ")


def test_an_audit_that_was_cut_off_goes_on_with_its_second_questions(
    audits: Audits, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def second(body: Body) -> Body:
        asked.append(json.dumps(body, sort_keys=True))
        return choice(right_of(body, ["A"]))

    original, kept = AnswerFile.keep, []

    def keep(self: AnswerFile, *values: Any) -> Any:
        result = original(self, *values)
        kept.append(result)
        if len(kept) == 40:  # 28 first questions, 12 of the second
            raise KeyboardInterrupt
        return result

    with stub(knock_apart(meaning(second))) as url:
        with monkeypatch.context() as patch:
            patch.setattr(AnswerFile, "keep", keep)
            code, _ = audits.test(url, "model.endpoint.concurrent_requests=1")
        assert code != 0
        before = len(asked)
        assert 12 <= before < 28
        code, said = audits.test(url, "model.endpoint.concurrent_requests=1")
    assert code == 0, said
    assert len(asked) == len(set(asked)) == 28  # nothing was asked twice
    assert set(audits.items()["parse_status"]) == {"clarified"}


def test_audits_that_were_answered_otherwise_are_not_compared_silently(audits: Audits) -> None:
    with stub(heeding("structured_outputs")) as url:
        assert audits.test(url, name="held")[0] == 0
    with stub(lambda body: choice(right_of(body, ["A"]))) as url:
        assert audits.test(url, name="read")[0] == 0
        assert audits.test(url, name="again")[0] == 0
    runs = audits.folder / "runs"
    audits.capture.readouterr()
    assert main(["compare", str(runs / "held"), str(runs / "read"), "--output", str(audits.folder / "out")]) == 0
    said = " ".join(audits.capture.readouterr().out.split())
    assert "came about in different ways" in said
    assert "structured_outputs" in said
    assert "different ways" in (audits.folder / "out" / "comparison.md").read_text(encoding="utf-8")
    assert main(["compare", str(runs / "read"), str(runs / "again")]) == 0
    assert "different ways" not in audits.capture.readouterr().out


def test_without_a_choice_no_form_is_tried(audits: Audits) -> None:
    asked: list[Body] = []

    def say(body: Body) -> Body:
        asked.append(body)
        return choice("It is 12.")

    file = audits.folder / "numbers.jsonl"
    fact = {"id": "q", "split": "test", "kind": "truth", "question": "7 + 5?", "answer_kind": "numeric", "gold": "12"}
    file.write_text(json.dumps(fact) + "\n", encoding="utf-8")
    with stub(say) as url:
        code, said = audits.test(url, f"data.files=[{file}]")
    assert code == 0, said
    assert len(asked) == 1 + 4  # one knock, three groups and the control
    assert set(audits.items()["parse_status"]) == {"number"}


def test_a_server_that_is_busy_while_a_form_is_tried_is_not_taken_for_one_without(audits: Audits) -> None:
    tried: list[Body] = []

    def say(body: Body) -> Body:
        if texts_of(body):
            tried.append(body)
            return {"error": {"message": "slow down", "code": 429}}
        return choice("A")

    with stub(say, {"Retry-After": "99999"}) as url:
        code, said = audits.test(url)
    assert code == 1, said
    assert "asks for" in said
    assert len(tried) == 1
