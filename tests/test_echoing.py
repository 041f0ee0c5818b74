"""What a server sends back of prompts, by hand."""

from __future__ import annotations

import pytest

from trialign.echoing import continuations, echo_body, values_of
from trialign.endpoint.client import RefusedError
from trialign.endpoint.replies import Echo

pytestmark = pytest.mark.unit

ECHO = Echo(("a", "b", "c", "d"), (None, -1.0, -2.0, -0.5), "m")


def test_a_continuation_is_worth_its_own_tokens() -> None:
    # The server added a token of its own to the first, which is none of what was sent.
    sent = [((1,), (2, 3)), ((1, 2), (3, 4))]
    assert continuations([ECHO, ECHO], sent) == [(-1.0, -2.0), (-2.0, -0.5)]


def test_what_is_asked_is_one_greedy_token_after_each_prompt() -> None:
    body = echo_body("m", [(1, 2), (3,)])
    assert body == {
        "model": "m",
        "prompt": [[1, 2], [3]],
        "echo": True,
        "logprobs": 1,
        "max_tokens": 1,
        "temperature": 0.0,
    }


@pytest.mark.parametrize(
    "values",
    [(None, -1.0), (None, None, -2.0), (None, 0.5, -2.0), (None, float("-inf"), -1.0), (None, float("nan"), -1.0)],
)
def test_what_is_not_all_there_is_refused(values: tuple[float | None, ...]) -> None:
    with pytest.raises(RefusedError, match="not all there"):
        values_of(Echo(("a", "b", "c"), values, "m"), 1, 3)


def test_another_number_of_prompts_is_refused() -> None:
    with pytest.raises(RefusedError, match="1 prompts came back of 2"):
        continuations([ECHO], [((1,), (2,)), ((1,), (3,))])
