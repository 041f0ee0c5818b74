"""Words of the command line that Hydra's grammar lacks are read as texts, or refused with what to write."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialign.composition import compose
from trialign.errors import UserError
from trialign.overrides import readable

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "text",
    [
        "é",
        "日本語",
        "it's",
        "What's 'that'?",
        "a=b",
        "http://127.0.0.1/v1?api-version=2024-02-01",
        "f(x)",
        "$HOME",
        "ends with a backslash\\",
        "a backslash before a quote \\'",
        "پاسخ بده",
    ],
)
def test_a_text_is_read_as_it_was_written(text: str) -> None:
    assert compose("conf/smoke.yaml", [f"prompt.system={text}"])["prompt"]["system"] == text


@pytest.mark.parametrize("override", ["seed=3", "data.files=[a.jsonl,b.jsonl]", "prompt.system='a, b'", "+x.y=1", "~x"])
def test_what_hydra_reads_is_left_as_it_is(override: str) -> None:
    assert readable([override]) == [override]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.steps", r"The word 'trainer\.steps' is no override\. Write key=value"),
        ("é=3", "The word 'é=3' is no override"),
        ("trainer.steps=[1", r"The value of trainer\.steps cannot be read: \[1\. Close every quote and bracket"),
        ('prompt.system="a', r"The value of prompt\.system cannot be read"),
        ("data.files=[é.jsonl]", r"data\.files cannot be read.* put texts inside a list .* in double quotes"),
        ("prompt.system=a, b", r"""lists several values, which only .* 'prompt\.system="a, b"'"""),
        ("seed=0,1", "lists several values"),
    ],
)
def test_a_word_that_cannot_be_read_is_refused_with_what_to_write(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        compose("conf/smoke.yaml", [override])


def test_the_remedy_works() -> None:
    composed = compose("conf/smoke.yaml", ['prompt.system="a, b"', 'data.files=["é.jsonl"]'])
    assert (composed["prompt"]["system"], composed["data"]["files"]) == ("a, b", ["é.jsonl"])


@given(st.text(max_size=20))
def test_any_word_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UserError):
        assert len(readable([f"prompt.system={text}", text])) == 2
