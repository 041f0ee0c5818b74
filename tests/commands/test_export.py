"""What a model card says of serving: what training did to the prompts, serving has to do too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trialign.api.session import Session
from trialign.checkpoints import AgentCheckpoint
from trialign.commands.export import model_card
from trialign.composition import compose
from trialign.config import load

pytestmark = pytest.mark.unit


def card(project: Any, **chat: Any) -> str:
    composed = compose(str(project.folder / "mine.yaml"), [])
    manifest = {"step": 4, "base_model": {"name": "house/tiny-llama", "sha256": "0" * 64}, **chat}
    return model_card(Session(load(composed), composed), AgentCheckpoint(Path("agents"), manifest), merged=False)


PLAIN = {"date": None, "system": "system message", "thinking": None, "behind_the_prompt": "", "end_tokens": ["</s>"]}


@pytest.mark.parametrize("chat", [{}, {"chat": PLAIN}], ids=["of an earlier version", "plain"])
def test_a_plain_template_asks_for_the_system_message_alone(project: Any, chat: dict[str, Any]) -> None:
    said = card(project, **chat)
    assert "profile in the system message" in said
    assert "thinking" not in said
    assert "writes the day" not in said


def test_a_template_without_a_system_role_is_named(project: Any) -> None:
    said = card(project, chat={**PLAIN, "system": "first user message"})
    assert "no place for a system message" in said
    assert '| group | first user message: "You are a helpful assistant." and then |' in said
    assert "in the system message" not in said


def test_thinking_and_the_day_are_named(project: Any) -> None:
    said = card(project, chat={**PLAIN, "thinking": "off", "behind_the_prompt": "\n</think>\n\n", "date": "2025-01-01"})
    assert '`chat_template_kwargs: {"enable_thinking": false}`' in said
    assert '"\\n</think>\\n\\n"' in said
    assert "in all training prompts it was 2025-01-01" in said
    assert "Behind the template's own prompt" not in card(project, chat={**PLAIN, "thinking": "off"})
