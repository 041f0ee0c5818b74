"""How long a server asks to wait, in the headers of its response."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# No limit is counted over more than a month: a longer time is a mistake of the server or of its clock.
_LONGEST_WINDOW = 31 * 86400.0
_EPOCH = 1e8  # seconds: a number from here on is a moment, not a time to wait
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|us|µs|ns|d|h|m|s))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)", re.ASCII)
_LIMIT = re.compile(r"(?:^|-)rate-?limit(?:-|$)")


def asked_wait(status: int, headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a server asks to wait: `retry_after`, else, where a limit is reached (429), `limit_reset`."""
    wait = retry_after(headers, now)
    return limit_reset(headers, now) if wait is None and status == 429 else wait


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a server asks to wait, by ``Retry-After`` (RFC 9110, section 10.2.3: seconds, or a date).

    A date is counted from the server's own ``Date``, for its clock may be another one. ``retry-after-ms``, which Azure
    and OpenAI send as well, says the same more exactly.

    Args:
        headers: of the response, found by any case.
        now: seconds since the epoch, for a server that tells no date.

    Returns:
        At least 0; None where nothing readable is asked for.
    """
    asked, exact = headers.get("Retry-After"), _number(headers.get("retry-after-ms"))
    seconds = _number(asked) if exact is None else exact / 1000
    if seconds is None:
        until, sent = _date(asked), _date(headers.get("Date"))
        if until is None:
            return None
        seconds = until - (now if sent is None else sent)
    return max(0.0, seconds)


def limit_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until a reached limit begins anew, by headers such as ``x-ratelimit-reset-requests``.

    Servers name them in many ways (``x-ratelimit-reset``, ``anthropic-ratelimit-tokens-reset``, ``RateLimit-Reset``,
    ``RateLimit: "minute";r=0;t=30``) and say the time as seconds, as a duration (``6m0s``, ``20ms``), or as a moment (a
    date, or seconds or milliseconds since the epoch). A limit of which something remains is not the one that was
    reached. Of those of which nothing remains the last one to begin anew counts; where none tells what remains, the
    first one.

    Args:
        headers: of the response.
        now: seconds since the epoch, for a server that tells no date.

    Returns:
        Above 0, and a month at most; None where no such time is told.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    sent = _date(lower.get("date"))
    told = [
        (wait, left)
        for left, reset in _limits(lower)
        if (wait := _until(reset, now if sent is None else sent)) is not None and not (left and left > 0)
    ]
    reached = [wait for wait, left in told if left is not None]
    return max(reached) if reached else min((wait for wait, _ in told), default=None)


def _limits(headers: Mapping[str, str]) -> Iterator[tuple[float | None, str]]:
    """What remains of each limit (None: that is not told), and when it begins anew, as it is told."""
    for name, value in headers.items():
        if not _LIMIT.search(name):
            continue
        if "reset" in name.split("-"):
            yield _number(headers.get(name.replace("reset", "remaining"))), value
        elif name == "ratelimit":
            for policy in value.split(","):
                parts = dict(part.strip().split("=", 1) for part in policy.split(";") if "=" in part)
                yield _number(parts.get("r")), parts.get("t", "")


def _until(reset: str, now: float) -> float | None:
    reset = reset.strip()
    number = _number(reset)
    if number is not None and number >= _EPOCH:
        number = number / (1000 if number >= 100 * _EPOCH else 1) - now
    elif number is None and _DURATION.fullmatch(reset):
        number = math.fsum(float(count) * _UNITS[unit] for count, unit in _PART.findall(reset))
    elif number is None and (moment := _moment(reset)) is not None:
        number = moment - now
    return number if number is not None and 0 < number <= _LONGEST_WINDOW else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _date(text: str | None) -> float | None:
    """Seconds since the epoch of a date as HTTP writes it, which is always in UTC."""
    try:
        return _seconds(parsedate_to_datetime(text or ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _moment(text: str) -> float | None:
    """The same of a date as HTTP or ISO 8601 writes it."""
    try:
        return _seconds(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return _date(text)


def _seconds(date: datetime) -> float:
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
