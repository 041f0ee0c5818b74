"""Answers on disk: nothing that was paid for is asked for again."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialign.endpoint.answers import AnswerFile, request_key
from trialign.endpoint.pace import in_parallel
from trialign.endpoint.replies import Reply

pytestmark = pytest.mark.unit

PARIS = Reply("Paris", "stop", "served")
HOSTILE = 'a"\n\r\u2028\u202e</script>=1+1\x00\ud800 ' + "x" * 10**6


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    first = AnswerFile(tmp_path / "new" / "answers.jsonl")
    assert first.get("one") is None
    first.keep("one", {"model": "m"}, PARIS)
    first.keep("two", {"model": "m"}, Reply(HOSTILE, "length", "served"))
    scored = Reply("", "scored", "served", (-0.1, -1 / 3))
    first.keep("three", {"model": "m"}, scored)
    again = AnswerFile(first.path)
    assert len(again) == 3
    assert again.get("three") == scored
    assert again.get("one") == PARIS
    assert again.get("two") == Reply(HOSTILE, "length", "served")
    lines = [json.loads(line) for line in first.path.read_bytes().splitlines()]
    assert [line["request"] for line in lines] == [{"model": "m"}] * 3


@given(st.integers(1, 200))
def test_a_torn_line_costs_its_own_answer_alone(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("torn") / "answers.jsonl"
    whole = AnswerFile(path)
    whole.keep("one", {}, PARIS)
    size = path.stat().st_size
    whole.keep("two", {}, PARIS)
    content = path.read_bytes()
    path.write_bytes(content[: min(size + cut, len(content) - 2)])
    torn = AnswerFile(path)
    assert (torn.get("one"), torn.get("two")) == (PARIS, None)
    torn.keep("two", {}, PARIS)
    torn.keep("three", {}, PARIS)
    mended = AnswerFile(path)
    assert [mended.get(key) for key in ("one", "two", "three")] == [PARIS] * 3


def test_an_answer_is_on_the_disk_when_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = AnswerFile(tmp_path / "new" / "answers.jsonl")
    synced: list[bytes | None] = []  # what each sync found: a folder, or the file with so much in it
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synced.append(None if folder else file.path.read_bytes())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    file.keep("one", {}, PARIS)
    assert synced == [None, file.path.read_bytes()]
    file.keep("two", {}, PARIS)
    assert synced[2:] == [file.path.read_bytes()]
    assert len(file.path.read_bytes().splitlines()) == 2


def test_an_answer_that_finds_no_room_is_torn_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = AnswerFile(tmp_path / "answers.jsonl")
    file.keep("one", {}, PARIS)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:9]))
        with pytest.raises(OSError, match="No space left"):
            file.keep("two", {}, PARIS)
    assert file.get("two") is None
    file.keep("three", {}, PARIS)
    again = AnswerFile(file.path)
    assert [again.get(key) for key in ("one", "two", "three")] == [PARIS, None, PARIS]


def test_the_first_reply_to_a_request_stands(tmp_path: Path) -> None:
    file = AnswerFile(tmp_path / "answers.jsonl")
    file.keep("one", {}, PARIS)
    assert file.keep("one", {}, Reply("Lyon", "stop", "served")) == PARIS
    assert AnswerFile(file.path).get("one") == PARIS
    assert len(file.path.read_bytes().splitlines()) == 1


def test_threads_that_answer_the_same_request_keep_one_reply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def slow(descriptor: int) -> None:
        time.sleep(0.02)  # the others come in before this one is done
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    file = AnswerFile(tmp_path / "answers.jsonl")
    replies = [Reply(str(number), "stop", "served") for number in range(8)]
    kept = list(in_parallel(lambda reply: file.keep("one", {}, reply), replies, 8))
    assert len(set(kept)) == 1
    assert len(file.path.read_bytes().splitlines()) == 1


def test_lines_of_something_else_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'{"key": "x"}\n[1]\n\xff\xfe\n\nnull\n')
    file = AnswerFile(path)
    assert len(file) == 0
    file.keep("one", {}, PARIS)
    assert AnswerFile(path).get("one") == PARIS


def test_a_request_is_named_by_all_that_it_says() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "q"}], "temperature": 0.0}
    key = request_key("http://a/v1", body, 0)
    assert key == request_key("http://a/v1", dict(reversed(body.items())), 0)
    others = [
        request_key("http://b/v1", body, 0),
        request_key("http://a/v1", body, 1),
        request_key("http://a/v1", {**body, "temperature": 0.5}, 0),
        request_key("http://a/v1", {**body, "messages": [{"role": "user", "content": "r"}]}, 0),
        request_key("http://a/v1", {**body, "seed": 1}, 0),
    ]
    assert len({key, *others}) == 6
