"""What the model card says of the prompts: each way of sending them in its own words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from trialign.audit.report.build import build_report
from trialign.audit.report.card import model_card
from trialign.audit.report.prompting import how_asked
from trialign.audit.report.types import Report

from .conftest import WriteAudit

pytestmark = pytest.mark.unit


@pytest.fixture
def report(write_audit: WriteAudit) -> Report:
    return build_report(write_audit())


USE = "An agent is to be used with its group's profile, which"
PROMPT = {"system": "You help.", "options": "hidden", "choose": "Choose one:", "profile": "first", "chat": {}}


def said(report: Report, exposure: Any = "explicit", **prompt: Any) -> list[str]:
    about = report.audit.about
    assert about is not None
    return list(how_asked(replace(about, prompt={**PROMPT, **prompt}), exposure))


@pytest.mark.parametrize(
    ("exposure", "prompt", "sentence"),
    [
        ("explicit", {}, 'stands in the system message, after "You help.".'),
        (
            "explicit",
            {"chat": {"system": "first user message"}},
            "stands at the beginning of the first user message (the chat template has no place for a system message), "
            'a blank line before the question, after "You help.".',
        ),
        (
            "explicit",
            {"profile": "last"},
            'stands in a second system message, after the question; "You help." stands in the first.',
        ),
        ("implicit", {}, 'earlier dialogue reveals; "You help." stands in the system message.'),
    ],
)
def test_where_the_profile_stands_is_named(report: Report, exposure: str, prompt: Any, sentence: str) -> None:
    assert said(report, exposure, **prompt)[0] == f"{USE} {sentence}"


def test_what_the_template_does_is_named(report: Report) -> None:
    chat = {"system": "system message", "thinking": "off", "behind_the_prompt": "<think>\n\n", "date": "2025-01-01"}
    assert said(report, options="lettered", chat=chat)[1:] == [
        'Where an answer is a choice, the question lists its options under letters, after "Choose one:".',
        "Thinking was off.",
        'Behind the chat template\'s own prompt stood "<think>\\n\\n" before every reply.',
        "The chat template writes the day; in all prompts it was 2025-01-01.",
    ]
    plain = {"system": "system message", "thinking": None, "behind_the_prompt": "", "date": None}
    assert said(report, chat=plain)[1:] == ["Where an answer is a choice, the question does not show its options."]
    assert said(report, chat=None)[-1].startswith("The conversation went to the server as messages")


def test_bits_are_named(report: Report) -> None:
    about = report.audit.about
    assert about is not None
    told = replace(about, base_model=replace(about.base_model, quantization="int8"))
    assert "all but the output layer, were kept in int8" in next(how_asked(told, "explicit"))


def test_an_audit_that_kept_no_record_says_what_is_always_so(report: Report) -> None:
    told = f"{USE} is part of its system message or of its dialogue."
    assert list(how_asked(None, "explicit")) == [told]


def test_the_card_holds_these_sentences(report: Report) -> None:
    about = report.audit.about
    assert about is not None
    told = replace(
        report, audit=replace(report.audit, about=replace(about, prompt={**PROMPT, "system": "<b>|You help.*"}))
    )
    use = model_card(told).partition("## Intended use and limitations\n")[2].partition("## Files")[0]
    assert "stands in the system message, after" in use
    assert "the question does not show its options" in use
    assert "<b>" not in use
