"""What a server's refusal is about: there are many ways to say the same few things."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

Matter = Literal["filter", "access", "quota", "length", "system", "proxy", "passing", "other"]

LONGEST_MESSAGE = 300
_DEEPEST = 6
# Timeouts, conflicts, too many requests, and the server's own faults.
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_CODE_KEYS = ("code", "type", "status", "reason", "blockReason", "block_reason")

# Without blanks, hyphens and underscores. In this order: Azure and OpenAI, Google, Bedrock, Alibaba, Volcengine.
_FILTER_CODES = re.compile(
    r"contentfilter(ed)?|contentpolicyviolation|responsibleaipolicyviolation|moderationblocked|contentmoderation"
    r"|safety|prohibitedcontent|blocklist|spii|recitation|guardrailintervened|contentfiltered|datainspectionfailed"
    r"|\w*sensitivecontentdetected|sensitive"
)
_FILTER_WORDS = re.compile(
    r"content[ _-]?(filter|management policy|policy|exists risk|violates)|(was|were|been) flagged|moderation"
    r"|safety (system|filter|check)|violat\w+ our usage polic|usage guidelines|inappropriate content"
    r"|considered high risk|guardrail|敏感",
    re.IGNORECASE,
)
_LENGTH_CODES = re.compile(r"contextlengthexceeded|exceedcontextsizeerror")
_LENGTH_WORDS = re.compile(
    r"context (length|window|size)|maximum (input|prompt|model) length|(prompt|input) is too long|too many tokens"
    r"|max_model_len|reduce the length",
    re.IGNORECASE,
)
_QUOTA_CODES = re.compile(r"insufficientquota|insufficientbalance|billinghardlimitreached|billingnotactive|arrearage")
_QUOTA_WORDS = re.compile(
    r"(exceeded|used up|reached) (your|the) (current |monthly )?(quota|spending limit)"
    r"|insufficient (balance|credit|quota|funds)"
    r"|out of credits|credit balance is too low",
    re.IGNORECASE,
)
_SOON = re.compile(r"retry[ _-]?(in|after|delay)|try again in|per (minute|second)", re.IGNORECASE)
_SYSTEM_WORDS = re.compile(
    r"system (role|message|prompt)s? (is |are )?(not |un)supported|does not support '?system|no system role"
    r"|only user and assistant roles",
    re.IGNORECASE,
)
# A reply that the server itself could not make sense of (Groq).
_OWN_CODES = re.compile(r"toolusefailed|jsonvalidatefailed|outputparsefailed")


def matter(status: int, content: Any) -> Matter:
    """What a refusal is about.

    Args:
        status: of HTTP; 200 for an error that came as an answer.
        content: of the response: what its JSON says, or its text.

    Returns:
        ``filter``: a content filter holds back the question or the reply. ``access``: the key, or what it may.
        ``quota``: no credit is left. ``length``: the question does not fit. ``system``: the model takes no system
        message. ``proxy``: a proxy wants a password. ``passing``: it may go another time. ``other``.
    """
    codes, said = [*_codes(content)], message(content)
    if status == 402 or (status in (200, 403, 429) and _matches(_QUOTA_CODES, codes)):
        return "quota"
    if status in (200, 403, 429) and _QUOTA_WORDS.search(said) and not _SOON.search(str(content)):
        return "quota"
    if status == 407:
        return "proxy"
    if status in (200, 400, 403, 422, 451) and (_matches(_FILTER_CODES, codes) or _FILTER_WORDS.search(said)):
        return "filter"
    if status in (401, 403):
        return "access"
    if status in (200, 400, 413, 422, 500) and (_matches(_LENGTH_CODES, codes) or _LENGTH_WORDS.search(said)):
        return "length"
    if _SYSTEM_WORDS.search(said):
        return "system"
    if status in _PASSING or status == 200 or _matches(_OWN_CODES, codes):
        return "passing"
    return "other"


def message(content: Any) -> str:
    """What a server says of a fault, on one line of printable characters; empty where it says nothing."""
    for key in ("error", "message", "detail"):
        if isinstance(content, dict) and content.get(key):
            content = content[key]
    if isinstance(content, list) and content and all(isinstance(one, dict) and "msg" in one for one in content):
        # FastAPI's faults of a request repeat all of it; what is wrong is their message, and where.
        places = (".".join(map(str, one["loc"])) if isinstance(one.get("loc"), list) else "" for one in content)
        content = "; ".join(f"{place}: {one['msg']}" for place, one in zip(places, content, strict=True))
    return one_line(content if isinstance(content, str) else str(content))


def one_line(text: str) -> str:
    """Foreign text for a terminal: no line breaks, no control characters, not long."""
    shown = "".join(character if character.isprintable() else " " for character in text[: 10 * LONGEST_MESSAGE])
    return " ".join(shown.split())[:LONGEST_MESSAGE]


def _matches(pattern: re.Pattern[str], codes: list[str]) -> bool:
    return any(pattern.fullmatch(code) for code in codes)


def _codes(content: Any, depth: int = 0) -> Iterator[str]:
    """The words that stand under keys for codes, wherever they are."""
    if depth > _DEEPEST:
        return
    if isinstance(content, dict):
        for key, value in content.items():
            if key in _CODE_KEYS and isinstance(value, str):
                yield re.sub(r"[\s_-]", "", value).lower()
            yield from _codes(value, depth + 1)
    elif isinstance(content, list):
        for value in content:
            yield from _codes(value, depth + 1)
