"""When a server that fails at questions is given up."""

from __future__ import annotations

import pytest

from trialign.endpoint.failures import Failures

pytestmark = pytest.mark.unit


def test_three_questions_in_a_row_are_the_server() -> None:
    failures = Failures()
    assert [failures.failed(question) for question in ("a", "b")] == [None, None]
    assert failures.failed("c") == "it gave no reply to 3 questions in a row"


def test_one_question_is_one_however_many_groups_it_is_put_to() -> None:
    failures = Failures()
    assert {failures.failed("a") for _ in range(100)} == {None}
    assert failures.failed("b") is None


def test_a_reply_between_ends_the_row_and_the_share_counts_on() -> None:
    failures = Failures()
    for question in range(40):
        failures.answered(str(question))
    assert failures.failed("40") is None
    failures.answered("41")
    assert failures.failed("42") is None
    failures.answered("43")
    # 3 of 45 are 6.7 %.
    assert failures.failed("44") == "it gave no reply to 3 of 45 questions"


def test_five_of_a_hundred_are_borne() -> None:
    failures = Failures()
    for question in range(100):
        failures.answered(str(question))
    for question in range(5):
        assert failures.failed(f"failed {question}") is None
        failures.answered("0")
    assert failures.failed("failed 5") == "it gave no reply to 6 of 106 questions"
