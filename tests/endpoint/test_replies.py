"""What is read out of a server's answer."""

from __future__ import annotations

from typing import Any

import pytest

from trialign.endpoint.replies import Echo, Reply, chat_reply, completion, echoes

pytestmark = pytest.mark.unit


def message(content: Any = None, finish: Any = "stop", **values: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"message": {"content": content, **values}, "finish_reason": finish}]}


TEXT = {"type": "text", "text": "A. Rome"}
THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "B. Milan?"}]}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("A. Rome", "A. Rome"),
        (" A. Rome\n", "A. Rome"),
        ("", ""),
        (None, ""),
        ([THOUGHT, TEXT], "A. Rome"),
        ([{"type": "reasoning", "text": "B"}, TEXT], "A. Rome"),
        ([{"type": "redacted_thinking", "data": "B"}, TEXT], "A. Rome"),
        ([{"text": "B?", "thought": True}, {"text": "A. Rome"}], "A. Rome"),
        ([{"type": "text", "text": "A. "}, {"type": "output_text", "text": "Rome"}], "A. Rome"),
        ([{"type": "text", "text": {"value": "A. Rome", "annotations": []}}], "A. Rome"),
        (["A. ", "Rome"], "A. Rome"),
        ([], ""),
        ([None, {"type": "image_url", "image_url": {"url": "x"}}], ""),
        (TEXT, "A. Rome"),
        (4, "4"),
        (0.5, "0.5"),
        ({"answer": "Zürich"}, '{"answer": "Zürich"}'),
        ("\ud83d\ude00 \ud800", "\U0001f600 \ufffd"),
    ],
)
def test_the_text_of_a_message_in_every_form(content: Any, text: str) -> None:
    assert chat_reply(message(content)) == Reply(text, "stop", "m")


@pytest.mark.parametrize(
    "said",
    [
        message(None, reasoning_content="The answer is B."),
        message("", reasoning="The answer is B."),
        message(None, tool_calls=[{"function": {"name": "B", "arguments": "{}"}}]),
        message(None, refusal=None),
    ],
)
def test_thoughts_and_calls_are_no_reply(said: dict[str, Any]) -> None:
    assert chat_reply(said).text == ""


@pytest.mark.parametrize(
    "said",
    [
        message(None, refusal=" I cannot help. "),
        message("", refusal="I cannot help."),
        message([{"type": "refusal", "refusal": "I cannot help."}]),
    ],
)
def test_a_refusal_under_its_own_name_is_one(said: dict[str, Any]) -> None:
    assert chat_reply(said) == Reply("I cannot help.", "refusal", "m")


def test_the_older_kind_of_choice_is_read() -> None:
    assert chat_reply({"choices": [{"text": " A. Rome", "finish_reason": "stop"}]}) == Reply("A. Rome", "stop", "None")
    assert chat_reply({"error": None, **message("A")}).text == "A"
    # A warning beside an answer is no error.
    assert chat_reply({"error": {"message": "deprecated"}, **message("A")}).text == "A"


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ("stop", "stop"),
        (None, "None"),
        ("length", "length"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("content_filter", "content_filter"),
        ("content_filter: PROHIBITED_CONTENT", "content_filter"),
        ("SAFETY", "content_filter"),
        ("sensitive", "content_filter"),
        (7, "7"),
    ],
)
def test_why_a_reply_ended_in_one_word_of_many(said: Any, finish: str) -> None:
    assert chat_reply(message("A", said)).finish == finish


def test_a_completion_tells_what_it_can() -> None:
    choice = {"text": "x", "finish_reason": "stop", "token_ids": [5, 6], "logprobs": {"token_logprobs": [-0.5, -1]}}
    whole = completion({"choices": [choice]})
    assert (whole.token_ids, whole.log_probabilities) == ((5, 6), (-0.5, -1.0))
    for logprobs in (None, {}, {"token_logprobs": None}, {"token_logprobs": [None, -1]}, [1]):
        bare = completion({"choices": [{"text": "x", "finish_reason": "stop", "logprobs": logprobs}]})
        assert (bare.token_ids, bare.log_probabilities) == (None, None)


def test_prompts_sent_back_say_by_which_model() -> None:
    choices = [
        {"index": index, "text": "", "logprobs": {"tokens": [word], "token_logprobs": [value]}}
        for index, word, value in ((1, "b", -0.5), (0, "a", None))
    ]
    assert echoes({"model": "house", "choices": choices}) == [
        Echo(("a",), (None,), "house"),
        Echo(("b",), (-0.5,), "house"),
    ]
