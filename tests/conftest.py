"""Settings and parts that hold for every test.

Markers: ``unit`` (in memory or a temporary folder, within a second), ``integration`` (several parts, a real
command, a model or a build) and ``slow`` (minutes; left out unless asked for with ``-m slow``). Every test
module sets one as ``pytestmark``.

The model is a random Llama of two layers with a byte-level tokenizer, both built here, so that no test needs
the network. Its weights are large enough that the answers' probabilities differ clearly.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from trialign.groups import GroupSet, Message, SocialGroup
from trialign.queries import Form, MixedQuery, PreferenceQuery, Query, TruthQuery

from .projects import make_project, project, quiet, trained, trained_copy, trained_project

if TYPE_CHECKING:
    from trialign.models import BaseModelFiles, ChatRenderer, ModelConfig
    from trialign.policy import GroupPolicy

# Set before any test module imports torch or transformers: both read these only once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_NUM_THREADS"] = "2"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A shell that starts the tests in the background has interrupts ignored, here and in every process begun here.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Machines are shared and noisy: no test fails for its time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Fixtures of a user's project, for tests of the command line and of the package's own functions.
__all__ = ["make_project", "project", "quiet", "trained", "trained_copy", "trained_project"]

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are Tiny, a model of the test house.<|im_end|>\n' }}"
    "{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GROUPS = GroupSet(
    name="regions",
    attribute="where people live",
    members=(
        SocialGroup(
            "north",
            "Northerners",
            explicit=("The user lives beside a glacier.", "Snow lies around the user's house."),
            implicit=((Message("user", "My sledge broke."), Message("assistant", "Mend its runner.")),),
        ),
        SocialGroup(
            "south",
            "Southerners",
            explicit=("The user owns a camel in the desert.",),
            implicit=((Message("user", "Dunes moved again."), Message("assistant", "Plant some shrubs.")),),
        ),
        SocialGroup(
            "island",
            "Islanders",
            explicit=("The user fishes in a lagoon.",),
            implicit=((Message("user", "My canoe leaks."), Message("assistant", "Seal it with tar.")),),
        ),
    ),
    control=SocialGroup("control", "No profile", role="control"),
)


def _query(kind: type[Query], query_id: str, question: str, **values: Any) -> Query:
    return kind(query_id=query_id, cluster=query_id, split="train", topic="test", question=question, **values)


QUERIES = (
    _query(TruthQuery, "capital", "What is the capital of France?", options=("Lyon", "Paris"), gold="Paris"),
    _query(
        PreferenceQuery,
        "drink",
        "Which drink is best?",
        options=("Tea", "Coffee", "Cold milk"),
        targets={"north": (0.7, 0.2, 0.1), "south": (0.1, 0.8, 0.1), "island": (0.2, 0.2, 0.6)},
    ),
    _query(TruthQuery, "planet", "Which planet is largest?", options=("Jupiter", "Mars", "Venus"), gold="Jupiter"),
    _query(TruthQuery, "sum", "How much is 5 and 7?", answer_kind="numeric", gold="12"),
    _query(
        TruthQuery,
        "metal",
        "Which metal is liquid?",
        options=("Iron", "Gold", "Mercury", "Pure tin"),
        gold="Mercury",
    ),
    _query(
        MixedQuery,
        "bird",
        "Which bird cannot fly?",
        answer_kind="text",
        gold="Ostrich",
        forms={group: Form(max_words=3) for group in GROUPS.names},
    ),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test without a marker would run with no kind of test that is asked for by its name."""
    unmarked = [
        item.nodeid for item in items if not {"unit", "integration", "slow"} & {m.name for m in item.iter_markers()}
    ]
    if unmarked:
        raise pytest.UsageError(f"Tests without a marker (unit, integration or slow): {', '.join(unmarked[:5])}")


@pytest.fixture(scope="session")
def groups() -> GroupSet:
    """Three members and the control."""
    return GROUPS


@pytest.fixture(scope="session")
def queries() -> tuple[Query, ...]:
    """Facts with 2, 3 and 4 options, a number, a taste, and a fact in free text with preferred forms."""
    return QUERIES


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run of the embedded model, as the command makes it. Tests change nothing in it or beside it."""
    folder = tmp_path_factory.mktemp("smoke")
    command = [sys.executable, "-m", "trialign.cli", "fit", "--config", "conf/smoke.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "smoke"


@pytest.fixture(scope="session")
def tiny_config(tmp_path_factory: pytest.TempPathFactory) -> ModelConfig:
    """The tiny model on disk, as ``save_pretrained`` writes it."""
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    from trialign.models import ModelConfig

    folder = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = _tokenizer()
    set_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=1024,
            initializer_range=0.2,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return ModelConfig(source="folder", name="house/tiny-llama", path=str(folder))


@pytest.fixture(scope="session")
def base_files(tiny_config: ModelConfig) -> BaseModelFiles:
    """The tiny model, located."""
    from trialign.models import locate_base_model

    return locate_base_model(tiny_config)


@pytest.fixture(scope="session")
def renderer(base_files: BaseModelFiles) -> ChatRenderer:
    """Chat rendering with the tiny tokenizer."""
    from trialign.models import ChatRenderer, load_tokenizer

    return ChatRenderer(load_tokenizer(base_files))


@pytest.fixture(scope="session")
def make_policy(base_files: BaseModelFiles, tiny_config: ModelConfig) -> Callable[..., GroupPolicy]:
    """Makes a policy on a fresh copy of the tiny model.

    Keyword arguments: ``groups``, ``double`` (float64), ``untrained`` (leaves lora_B and z at zero, so that every
    agent is the base model), ``invocation``, and those of ``AdapterConfig``.
    """
    import torch

    from trialign.models import load_model
    from trialign.policy import AdapterConfig, GroupPolicy

    def make(
        groups: tuple[str, ...] = GROUPS.names,
        *,
        double: bool = False,
        untrained: bool = False,
        rank: int = 4,
        alpha: int = 8,
        invocation: tuple[int, ...] = (),
        **adapter: Any,
    ) -> GroupPolicy:
        torch.manual_seed(1)
        model = load_model(base_files, tiny_config)
        if double:
            model = model.double()
        policy = GroupPolicy(model, groups, AdapterConfig(rank=rank, alpha=alpha, **adapter), invocation)
        for name, parameter in policy.named_parameters():
            if "lora_B" in name and not untrained:
                torch.nn.init.normal_(parameter, std=0.3)
        if policy.coordinates is not None and not untrained:
            for index in range(len(groups)):
                policy.coordinates.set(index, torch.randn(policy.config.basis.dimensions))
        return policy

    return make


def _tokenizer() -> Any:
    """Byte-level BPE whose few merges come from the words of the tests' own questions and profiles."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    texts = [text for query in QUERIES for text in (query.question, *query.options)]
    texts += [text for group in GROUPS.members for text in group.explicit]
    texts += ["You are a helpful assistant.", "system user assistant", "Choose one answer:"]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
    )
