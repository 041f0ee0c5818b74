"""How long a server asks to wait: what is read, and what is nonsense."""

from __future__ import annotations

from email.utils import format_datetime, parsedate_to_datetime

import pytest

from trialign.endpoint.waits import asked_wait, limit_reset, retry_after

pytestmark = pytest.mark.unit

NOON = parsedate_to_datetime("Fri, 31 Dec 1999 12:00:00 GMT")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0.5", 0.5),
        ("-3", 0),
        (format_datetime(NOON.replace(second=20), usegmt=True), 20),
        (format_datetime(NOON.replace(hour=11), usegmt=True), 0),
        ("Fri, 31 Dec 1999 12:00:20 -0000", 20),
        ("Fri, 31 Dec 1999 13:00:20 +0100", 20),
        ("9999999999999", 9999999999999),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 252455659199),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Fri, 99 Foo 1999", None),
        ("soon", None),
        ("inf", None),
        ("1e999", None),
        ("nan", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": header}, NOON.timestamp()) == seconds
    assert retry_after({}, NOON.timestamp()) is None


def test_a_date_is_counted_from_the_servers_own() -> None:
    # The clock here is an hour ahead, and a day behind.
    until, sent = "Fri, 31 Dec 1999 12:00:20 GMT", "Fri, 31 Dec 1999 12:00:00 GMT"
    for now in (NOON.timestamp() + 3600, NOON.timestamp() - 86400):
        assert retry_after({"Retry-After": until, "Date": sent}, now) == 20
    assert retry_after({"Retry-After": until, "Date": "nonsense"}, NOON.timestamp() + 10) == 10


def test_milliseconds_are_the_more_exact_word() -> None:
    assert retry_after({"retry-after-ms": "1500", "Retry-After": "2"}, 0) == 1.5
    assert retry_after({"retry-after-ms": "soon", "Retry-After": "2"}, 0) == 2
    assert retry_after({"retry-after-ms": "-5"}, 0) == 0


NOW = NOON.timestamp()


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("7", 7),
        ("7.66s", 7.66),
        ("20ms", 0.02),
        ("6m0s", 360),
        ("2m59.56s", 179.56),
        ("1h2m3s", 3723),
        ("1d", 86400),
        (f"{NOW + 30:.0f}", 30),
        (f"{1000 * (NOW + 30):.0f}", 30),
        ("1999-12-31T12:00:45Z", 45),
        ("1999-12-31T13:00:45+01:00", 45),
        ("Fri, 31 Dec 1999 12:00:20 GMT", 20),
        # Nonsense, and moments that are past: as if nothing were asked.
        ("0", None),
        ("-5", None),
        (f"{NOW - 30:.0f}", None),
        ("Fri, 31 Dec 1999 11:00:00 GMT", None),
        ("5 weeks", None),
        ("40d", None),
        ("9999999999999999", None),
        ("9999-12-31T00:00:00Z", None),
        ("1e999", None),
        ("nan", None),
        ("soon", None),
        ("1s1", None),
        ("m", None),
        ("", None),
    ],
)
def test_a_limit_begins_anew_after_a_time_or_at_a_moment(reset: str, seconds: float | None) -> None:
    for name in (
        "x-ratelimit-reset",
        "X-RateLimit-Reset-Requests",
        "anthropic-ratelimit-tokens-reset",
        "RateLimit-Reset",
    ):
        assert limit_reset({name: reset}, NOW) == (None if seconds is None else pytest.approx(seconds))


def test_the_limit_that_was_reached_counts() -> None:
    def said(requests: str, tokens: str) -> dict[str, str]:
        resets = {"x-ratelimit-reset-requests": "10s", "x-ratelimit-reset-tokens": "1m0s"}
        left = {"x-ratelimit-remaining-requests": requests, "x-ratelimit-remaining-tokens": tokens}
        return {**resets, **{name: value for name, value in left.items() if value}}

    assert limit_reset(said("0", "150"), NOW) == 10
    assert limit_reset(said("15", "0"), NOW) == 60
    assert limit_reset(said("0", "0"), NOW) == 60
    assert limit_reset(said("", "0"), NOW) == 60
    assert limit_reset(said("", ""), NOW) == 10
    # Something else was too much: neither of these limits.
    assert limit_reset(said("15", "150"), NOW) is None
    assert limit_reset({"RateLimit": '"minute";r=0;t=30, "day";r=120;t=4000'}, NOW) == 30
    assert limit_reset({"RateLimit": "nonsense;=;;,"}, NOW) is None
    assert limit_reset({"x-reset": "30", "x-ratelimit-limit": "30", "x-unlimited-reset": "30"}, NOW) is None


def test_a_moment_is_counted_from_the_servers_own_date() -> None:
    headers = {"x-ratelimit-reset": f"{NOW + 30:.0f}", "Date": "Fri, 31 Dec 1999 12:00:10 GMT"}
    assert limit_reset(headers, NOW + 3600) == 20


def test_a_reset_speaks_where_a_limit_was_reached_and_nothing_else_was_asked() -> None:
    reset = {"x-ratelimit-reset": "30"}
    assert asked_wait(429, reset, NOW) == 30
    assert asked_wait(429, {**reset, "Retry-After": "2"}, NOW) == 2
    assert asked_wait(429, {**reset, "Retry-After": "soon"}, NOW) == 30
    # Every answer of some servers carries these headers.
    assert asked_wait(500, reset, NOW) is None
    assert asked_wait(503, {"Retry-After": "2"}, NOW) == 2
