"""Log files as other tools write them: samples with their places, and a sentence for what is no log.

The files below ``logs/`` were written by Inspect 0.3.285, lm-evaluation-harness 0.4.13 and
promptfoo 0.123.1 (`write_logs.py` there has them do it).
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from trialign.errors import UserError
from trialign.queries.log_files import log_files, log_rows

pytestmark = pytest.mark.unit

LOGS = Path(__file__).parent / "logs"


@pytest.mark.parametrize(
    ("name", "tool", "first"),
    [
        ("inspect.json", "inspect", "sample 1"),
        ("inspect.eval", "inspect", "samples/blue-f1_epoch_1.json"),
        ("promptfoo.json", "promptfoo", "sample 1"),
        ("samples_words.jsonl", "lm_eval", "row 1"),
        ("samples_choices.jsonl", "lm_eval", "row 1"),
    ],
)
def test_a_log_is_told_by_what_is_in_it(name: str, tool: str, first: str) -> None:
    found = list(log_rows(LOGS / name))
    assert [one for one, _ in found] == [tool] * 4
    assert found[0][1].place == f"{LOGS / name}, {first}"


def test_both_forms_of_an_inspect_log_hold_the_same_replies() -> None:
    said = [
        {row.values["id"]: row.values["output"]["completion"] for _, row in log_rows(LOGS / name)}
        for name in ("inspect.json", "inspect.eval")
    ]
    assert said[0] == said[1] == {"red-f1": "air", "red-f2": "water", "blue-f1": "It is air.", "blue-f2": "glass"}


def test_an_archive_that_is_packed_otherwise_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "plain.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples/a_epoch_1.json", '{"id": "a"}')
        archive.writestr("header.json", "{}")
    assert [row.values for _, row in log_rows(path)] == [{"id": "a"}]


def test_an_archive_whose_files_have_extra_fields_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "extra.eval"
    named = zipfile.ZipInfo("samples/a_epoch_1.json")
    named.extra = b"\xfe\xca\x02\x00ab"  # an id, a length, two bytes
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(named, pa.compress(b'{"id": "a"}', "zstd", asbytes=True))
    whole = bytearray(path.read_bytes())
    place = whole.index(b"PK\x01\x02") + 10  # the way of packing, as the archive's directory states it
    whole[place : place + 2] = (93).to_bytes(2, "little")
    path.write_bytes(whole)
    assert [row.values for _, row in log_rows(path)] == [{"id": "a"}]


@pytest.mark.parametrize(
    "text",
    ['{"results": [{"vars": {"id": "f1"}}]}', '{"evalId": "e", "results": {"results": [{"vars": {"id": "f1"}}]}}'],
)
def test_results_of_promptfoo_stand_in_either_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text)
    ((tool, row),) = log_rows(tmp_path / "results.json")
    assert (tool, row.values) == ("promptfoo", {"vars": {"id": "f1"}})


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("none.json", None, "does not exist"),
        ("table.csv", "a,b\n", "is no log that is read here"),
        ("torn.json", '{"eval": {', "is no valid JSON"),
        ("other.json", '{"answers": []}', "is no log that is read here"),
        ("list.json", "[1]", "is no log that is read here"),
        ("header.json", '{"eval": {}, "results": {}}', "holds no samples"),
        ("empty.json", '{"results": {"results": []}}', "holds no samples"),
        ("rows.jsonl", '{"question": "f1"}\n', "row 1: is no sample that lm-evaluation-harness logged"),
        ("torn.jsonl", '{"doc": {}, "resps": []}\n{"doc": \n', "row 2: no valid JSON"),
        ("torn.eval", "PK", "cannot be read"),
    ],
)
def test_what_is_no_log_is_refused_in_a_sentence(tmp_path: Path, name: str, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=said) as refused:
        list(log_rows(tmp_path / name))
    assert name in refused.value.problem


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    whole = bytearray((LOGS / "inspect.eval").read_bytes())
    with zipfile.ZipFile(LOGS / "inspect.eval") as archive:
        begin = archive.getinfo("samples/blue-f1_epoch_1.json").header_offset
    whole[begin + 200 : begin + 260] = bytes(60)
    (tmp_path / "torn.eval").write_bytes(whole)
    with pytest.raises(UserError, match="cannot be read"):
        list(log_rows(tmp_path / "torn.eval"))


def test_a_pattern_names_files_in_order_and_at_least_one() -> None:
    assert [path.name for path in log_files(f"{LOGS}/samples_*.jsonl")] == [
        "samples_choices.jsonl",
        "samples_words.jsonl",
    ]
    with pytest.raises(UserError, match="No log matches"):
        log_files(f"{LOGS}/nothing_*.jsonl")
