"""What of a reply is said to the person, and what the model only said to itself."""

from __future__ import annotations

import pytest

from trialign.queries.reading.cleaning import without_thinking

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("reply", "kept", "within"),
    [
        ("Rome.<think>or Bern?</think>", "Rome.", False),  # thought about afterwards
        ("<think>or Bern?</think>Rome.", "Rome.", False),
        ("or Bern?</think>Rome.", "Rome.", False),  # the template had opened it
        ("Rome. <think>or Bern?</think> In Italy.", "Rome.   In Italy.", False),
        ("<think>or <think>Bern</think>?</think>Rome.", "Rome.", False),
        ("Rome.<think>or Bern?", "Rome.", True),  # cut off while it thought
        ("Rome.", "Rome.", False),
    ],
)
def test_what_stands_around_thinking_is_the_reply(reply: str, kept: str, within: bool) -> None:
    text, thinking = without_thinking(reply)
    assert (text.strip(), thinking) == (kept, within)
