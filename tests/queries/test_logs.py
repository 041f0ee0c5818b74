"""Replies in the logs of other tools: who said what to which question, by a map."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from trialign.errors import UserError
from trialign.queries.logs import LogConfig, Logged, LogMap, files_of, read_logs

pytestmark = pytest.mark.unit

LOGS = Path(__file__).parent / "logs"
GROUPS = ("red", "blue", "control")
# What the groups say in every log below `logs/`.
SAID = {("red", "f1"): "air", ("red", "f2"): "water", ("blue", "f1"): "It is air.", ("blue", "f2"): "glass"}


def read(files: Any, **more: Any) -> tuple[Logged, ...]:
    return read_logs(LogConfig(files, **more), GROUPS)


def said(found: tuple[Logged, ...]) -> dict[tuple[str, str], str]:
    return {(one.group, one.question): one.text for one in found}


@pytest.mark.parametrize("name", ["inspect.json", "inspect.eval"])
def test_inspect(name: str) -> None:
    found = read(str(LOGS / name), map=LogMap(question="metadata.question"))
    assert said(found) == SAID
    assert not any(one.cut_off or one.unread or one.scores for one in found)


def test_lm_eval_replies() -> None:
    assert said(read(str(LOGS / "samples_words.jsonl"))) == SAID


def test_lm_eval_scores_of_options() -> None:
    found = {(one.group, one.question): one.scores for one in read(str(LOGS / "samples_choices.jsonl"))}
    assert found[("red", "f1")] == {"air": -1.0, "sand": -3.0, "iron": -3.0}
    assert found[("blue", "f2")] == {"salt": -3.0, "water": -3.0, "glass": -1.0}


def promptfoo(tmp_path: Path, *results: Mapping[str, Any]) -> str:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"evalId": "e", "results": {"version": 3, "results": results}}))
    return str(path)


def result(group: str = "red", question: str = "f1", **response: Any) -> dict[str, Any]:
    return {"vars": {"group": group, "id": question}, "response": response}


def test_promptfoo(tmp_path: Path) -> None:
    path = promptfoo(
        tmp_path,
        result(output="air"),
        result("blue", output="", finishReason="length"),
        result(question="f2", error="429"),
        result("blue", "f2", output="no", finishReason="content_filter"),
        {"vars": {"group": "blue", "id": "f3"}, "error": "Error: gone", "failureReason": 2},
    )
    one, cut, failed, filtered, thrown = read(path)
    assert (one.text, one.cut_off, one.unread) == ("air", False, None)
    assert (cut.text, cut.cut_off, cut.unread) == ("", True, None)
    assert (failed.text, failed.unread) == ("", "failed")
    assert filtered.unread == "filtered"
    assert thrown.unread == "failed"


def test_promptfoo_results_whose_assertion_failed_hold_a_reply() -> None:
    assert said(read(str(LOGS / "promptfoo.json"))) == SAID


def inspect(tmp_path: Path, **sample: Any) -> str:
    path = tmp_path / "log.json"
    whole = {"id": "f1", "metadata": {"group": "red"}, "output": {"completion": "air"}, **sample}
    path.write_text(json.dumps({"eval": {}, "samples": [whole]}))
    return str(path)


def test_a_sample_that_failed_in_inspect_has_no_reply(tmp_path: Path) -> None:
    (one,) = read(inspect(tmp_path, output={"choices": [], "completion": ""}, error={"message": "Timeout"}))
    assert (one.text, one.unread) == ("", "failed")


def test_a_reply_that_inspect_cut_off(tmp_path: Path) -> None:
    (one,) = read(inspect(tmp_path, output={"choices": [{"stop_reason": "max_tokens"}], "completion": "It is"}))
    assert (one.text, one.cut_off) == ("It is", True)


def test_groups_may_have_other_names_and_files_of_their_own(tmp_path: Path) -> None:
    (one,) = read(inspect(tmp_path, metadata={"group": "R"}), groups={"red": "R"})
    assert one.group == "red"
    (one,) = read({"blue": inspect(tmp_path, metadata={})})
    assert one.group == "blue"


def test_samples_that_are_not_meant_are_passed_over() -> None:
    found = read(str(LOGS / "inspect.json"), map=LogMap(question="metadata.question"), only={"metadata.group": "blue"})
    assert {one.group for one in found} == {"blue"}
    with pytest.raises(UserError, match="No sample of"):
        read(str(LOGS / "inspect.json"), only={"metadata.group": "green"})


@pytest.mark.parametrize(
    ("sample", "more", "said"),
    [
        ({"metadata": {}}, {}, r"log.json, sample 1: the group, 'metadata.group', is missing. Say where it is: "),
        ({"metadata": {"group": "green"}}, {}, "sample 1: the group is 'green', and the groups are called red, blue"),
        ({"id": None}, {}, "sample 1: the question, 'id', is missing"),
        ({"output": {}}, {}, "sample 1: the reply, 'output.completion', is missing"),
        ({"output": {"completion": ["air"]}}, {}, r"the reply, 'output.completion', is \['air'\], not a text"),
        ({}, {"map": LogMap(question="metadata.asked")}, "the question, 'metadata.asked', is missing"),
        ({}, {"groups": {"green": "G"}}, "model.logs names the group 'green'"),
    ],
)
def test_faults_name_file_sample_and_key(tmp_path: Path, sample: Any, more: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read(inspect(tmp_path, **sample), **more)


def test_scores_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    text = (LOGS / "samples_choices.jsonl").read_text().replace('"-1.0"', '"nan"')
    (tmp_path / "samples.jsonl").write_text(text)
    with pytest.raises(UserError, match="row 1: a log-probability is not a finite number"):
        read(str(tmp_path / "samples.jsonl"))


def test_a_file_that_is_named_twice_is_one_file() -> None:
    config = LogConfig((f"{LOGS}/samples_*.jsonl", f"{LOGS}/samples_words.jsonl"))
    assert [path.name for path in files_of(config)] == ["samples_choices.jsonl", "samples_words.jsonl"]
