"""A tiny classifier whose class is planted in the last word that it reads, and a judge whose server is a function."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from trialign.comparing.judge import Judge, JudgeConfig
from trialign.endpoint.answers import AnswerFile
from trialign.endpoint.client import Client
from trialign.endpoint.pace import Pace

WORDS = ("entails", "neutral", "opposes")
CLASSES = {0: "entailment", 1: "neutral", 2: "contradiction"}


@pytest.fixture
def make_classifier(tmp_path: Path) -> Callable[..., Path]:
    """Writes a Llama without layers: the last word of the hypothesis alone decides the class.

    ``entails``, ``neutral`` and ``opposes`` give the classes 0, 1 and 2, any other word class 1.
    """
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast

    def make(classes: Mapping[int, str] = CLASSES, *, longest: int = 64, layers: int = 0, padding: bool = True) -> Path:
        torch.manual_seed(0)
        vocabulary = {word: place for place, word in enumerate((*WORDS, "other", "pad"))}
        backend = Tokenizer(models.WordLevel(vocabulary, unk_token="other"))
        backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        special = {"pad_token": "pad"} if padding else {}
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="other", **special)
        config = LlamaConfig(
            vocab_size=5,
            hidden_size=8,
            intermediate_size=16,
            num_hidden_layers=layers,
            num_attention_heads=2,
            max_position_embeddings=longest + 2,
            initializer_range=0.5,
            id2label=dict(classes),
            label2id={name: place for place, name in classes.items()},
        )
        model = LlamaForSequenceClassification(config)
        if not layers:
            model.model.embed_tokens.weight.data = torch.eye(5, 8)
            head = torch.zeros(len(classes), 8)
            for place in range(5):
                head[place if place < len(classes) else 1, place] = 1.0
            model.score.weight.data = head
        folder = tmp_path / "nli"
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture
def make_judge(tmp_path: Path) -> Callable[..., tuple[Judge, list[str]]]:
    """Makes a judge of a function from what it is told to what it says, and the list of all that it was told."""

    def make(
        say: Callable[[str], str | httpx2.Response], door: str | httpx2.Response = "Hello!", **values: Any
    ) -> tuple[Judge, list[str]]:
        told: list[str] = []
        clock = [0.0]

        def sleep(seconds: float) -> None:
            clock[0] += seconds

        def handle(request: httpx2.Request) -> httpx2.Response:
            content = json.loads(request.content)["messages"][-1]["content"]
            told.append(content)
            said = door if content == "Say hello." else say(content)
            if isinstance(said, httpx2.Response):
                return said
            choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
            return httpx2.Response(200, json={"model": "judge", "choices": [choice]})

        config = JudgeConfig(base_url="http://judge.test/v1", name="judge", concurrent_requests=1, **values)
        transport = httpx2.MockTransport(handle)
        pace = Pace(0, lambda: clock[0], sleep)
        client = Client(
            "http://judge.test/v1", None, config.endpoint, transport=transport, pace=pace, chance=lambda: 0.0
        )
        judge = Judge.of_client(client, config, AnswerFile(tmp_path / "judge.jsonl"))
        told.clear()
        return judge, told

    return make
