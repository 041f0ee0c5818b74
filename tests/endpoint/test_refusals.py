"""What a refusal is about: as servers put it."""

from __future__ import annotations

from typing import Any

import pytest

from trialign.endpoint.refusals import matter, message, one_line

pytestmark = pytest.mark.unit


def error(text: str = "x", **values: Any) -> dict[str, Any]:
    return {"error": {"message": text, **values}}


FILTERS: list[tuple[int, Any]] = [
    (400, error("The response was filtered due to the prompt triggering Azure's policy", code="content_filter")),
    (400, error(code=None, innererror={"code": "ResponsibleAIPolicyViolation"})),
    (400, error("Invalid prompt: your prompt was flagged as potentially violating our usage policy.")),
    (400, error(code="content_policy_violation")),
    (400, error("Input data may contain inappropriate content.", code="data_inspection_failed")),
    (400, error("Content Exists Risk", type="invalid_request_error")),
    (400, {"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"}}),
    (400, error("The request was rejected because it was considered high risk")),
    (400, error(code="SensitiveContentDetected")),
    (403, error("Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO")),
    (403, error("Your chosen model requires moderation and your input was flagged", code=403)),
    (422, error("Output blocked by content filtering policy")),
    (200, {"blockReason": "PROHIBITED_CONTENT"}),
    (400, {"stop_reason": "x", "type": "guardrail_intervened"}),
]
ACCESSES: list[tuple[int, Any]] = [(401, error("Incorrect API key")), (403, error("not yours")), (403, "Forbidden")]
QUOTAS: list[tuple[int, Any]] = [
    (429, error("You exceeded your current quota, please check your plan", code="insufficient_quota")),
    (429, error("You exceeded your current quota")),
    (402, error("Insufficient Balance")),
    (402, "Payment required"),
    (403, error("billing", code="billing_not_active")),
    (200, error("Insufficient credits", code=402)),
]
LENGTHS: list[tuple[int, Any]] = [
    (400, error("This model's maximum context length is 4096 tokens.", code="context_length_exceeded")),
    (400, error("the request exceeds the available context size", type="exceed_context_size_error")),
    (500, error("Context size has been exceeded.")),
    (413, error("Prompt is too long: 9000 tokens")),
    (422, error("`inputs` must have less than 4096 tokens: too many tokens")),
]
SYSTEMS: list[tuple[int, Any]] = [
    (500, error("System role not supported")),
    (400, error("Unsupported value: 'messages[0].role' does not support 'system' with this model.")),
    (400, error("Only user and assistant roles are supported!")),
]
PASSINGS: list[tuple[int, Any]] = [
    *((status, error("later")) for status in (408, 409, 425, 429, 500, 502, 503, 504, 529)),
    (429, error("Rate limit reached for requests", code="rate_limit_exceeded")),
    # Google's words for a minute's limit are those of a used-up quota, but that it says when to come again.
    (429, error("You exceeded your current quota. Please retry in 33.1s.", status="RESOURCE_EXHAUSTED")),
    (200, error("Provider returned error", code=502)),
    (200, "nothing"),
    (400, error("Failed to call a function", code="tool_use_failed")),
]
OTHERS: list[tuple[int, Any]] = [
    (400, error("Unrecognized request argument supplied: top_k")),
    (404, error("The model `x` does not exist", code="model_not_found")),
    (404, "Not Found"),
    (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "min_p"]}]}),
    (400, None),
    (400, []),
    (418, {"error": {"error": {"error": "deep"}}}),
]


@pytest.mark.parametrize(
    ("about", "status", "content"),
    [
        *(("filter", *one) for one in FILTERS),
        *(("access", *one) for one in ACCESSES),
        *(("quota", *one) for one in QUOTAS),
        *(("length", *one) for one in LENGTHS),
        *(("system", *one) for one in SYSTEMS),
        *(("passing", *one) for one in PASSINGS),
        *(("other", *one) for one in OTHERS),
        ("proxy", 407, "Proxy Authentication Required"),
    ],
)
def test_what_a_refusal_is_about(about: str, status: int, content: Any) -> None:
    assert matter(status, content) == about


def test_a_message_is_one_line_whatever_it_is() -> None:
    assert message({"error": {"message": "a\r\nb\tc"}}) == "a b c"
    assert message({"error": None, "message": "plain"}) == "plain"
    assert message({"error": {}}) == "{'error': {}}"
    assert message("") == ""
    # What FastAPI says, without the question that it repeats.
    fault = {"type": "extra_forbidden", "loc": ["body", "min_p"], "msg": "Extra inputs", "input": "moderation"}
    assert message({"detail": [fault, {"msg": "x"}]}) == "body.min_p: Extra inputs; : x"
    assert matter(422, {"detail": [fault]}) == "other"
    assert one_line("\x1b]0;title\x07x\u2028y\u202ez") == "]0;title x y z"
    assert len(one_line("x" * 10**6)) == 300
