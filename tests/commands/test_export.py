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
from trialign.models import BaseModelFiles

pytestmark = pytest.mark.unit


def card(project: Any, *overrides: str, merged: bool = False, **chat: Any) -> str:
    composed = compose(str(project.folder / "mine.yaml"), overrides)
    manifest = {"step": 4, "base_model": {"name": "house/tiny-llama", "sha256": "0" * 64}, **chat}
    session, checkpoint = Session(load(composed), composed), AgentCheckpoint(Path("agents"), manifest)
    return model_card(session, checkpoint, merged=merged, layers=["k_proj", "q_proj"])


def commands(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("vllm serve")]


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


@pytest.mark.parametrize(("rank", "taken"), [(1, 1), (2, 8), (8, 8), (9, 16), (100, 128), (512, 512)])
def test_vllm_holds_all_adapters_at_once_and_is_told_a_rank_that_it_takes(project: Any, rank: int, taken: int) -> None:
    (command,) = commands(card(project, f"policy.rank={rank}"))
    words = command.split()
    assert words[words.index("--max-lora-rank") + 1] == str(taken)
    assert words[words.index("--max-loras") + 1] == "3"
    assert words[words.index("--lora-target-modules") + 1 : words.index("--lora-modules")] == ["k_proj", "q_proj"]
    assert words[words.index("--lora-modules") + 1 :] == ["north=north", "south=south", "island=island"]
    assert words[2] == "house/tiny-llama"


def test_what_vllm_cannot_serve_gets_no_command(project: Any) -> None:
    beyond = card(project, "policy.rank=513")
    assert not commands(beyond)
    assert "up to rank 512, and these have 513" in beyond
    activated = card(project, "policy.activation=profile", "prompt.profile=last")
    assert not commands(activated)
    assert "cannot serve them" in activated


def test_whole_models_are_served_one_a_process(project: Any) -> None:
    assert commands(card(project, merged=True)) == [
        "vllm serve ./north --served-model-name north --port 8000",
        "vllm serve ./south --served-model-name south --port 8001",
        "vllm serve ./island --served-model-name island --port 8002",
    ]


def test_weights_that_were_converted_from_a_file_are_not_taken_for_a_repositorys(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "SHA-256 of its weights" in card(project)
    files = BaseModelFiles(Path("/cache/my model"), "0" * 64, "house/tiny-llama", None)
    monkeypatch.setattr(Session, "files", files)
    said = card(project, "model=smollm2")
    (command,) = commands(said)
    assert command.startswith("vllm serve '/cache/my model' --enable-lora")
    assert "SHA-256 of the GGUF file whose dequantised weights it is" in said
    assert "take it along" in said


def test_bits_are_named_and_served(project: Any) -> None:
    base = {"name": "house/tiny-llama", "sha256": "0" * 64}
    assert "bitsandbytes" not in card(project)
    for bits, flag in (("nf4", True), ("int8", False)):
        said = card(project, f"model.quantization={bits}", base_model={**base, "quantization": bits})
        assert f"trained over linear layers in {bits} (bitsandbytes)" in said
        assert ("--quantization bitsandbytes --enable-lora" in said) == flag
        assert ("over which the adapters were not trained" in said) == (not flag)
