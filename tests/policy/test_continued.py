"""Answers that go on from copies of their prompt's states: how much is read, and when rows of their own are taken."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import Mamba2Config, Mamba2ForCausalLM

from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.continued import LONGEST
from trialign.policy.door import check_exact
from trialign.policy.tree import pack_rows

pytestmark = pytest.mark.unit

PROMPTS = (tuple(range(5, 17)), tuple(range(20, 27)), (9, 8))
LONG = LONGEST + 2
ANSWERS = ((30, 31, 32), (40,), (41, 42), (30, 33, 35))


@pytest.fixture(scope="module")
def policy() -> GroupPolicy:
    """Two agents over a model of recurrent layers alone."""
    torch.manual_seed(0)
    config = Mamba2Config(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        state_size=8,
        num_heads=8,
        head_dim=8,
        n_groups=2,
        chunk_size=8,
        initializer_range=0.4,
    )
    model = Mamba2ForCausalLM(config).eval().requires_grad_(False)
    made = GroupPolicy(model, ("men", "women"), AdapterConfig(rank=2, alpha=4)).eval()
    for name, parameter in made.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    check_exact(made)
    assert made.continues
    return made


def rows() -> list[TreeRow]:
    branches = [Segment(answer, 0, action=True) for answer in ANSWERS]
    return [TreeRow(place, (Segment(prompt, ROOT), *branches)) for place, prompt in enumerate(PROMPTS)]


@pytest.fixture
def read(policy: GroupPolicy, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shape of what the decoder is given, call by call."""
    shapes: list[tuple[int, ...]] = []
    decoder = policy.base.get_decoder()
    forward = decoder.forward

    def spied(*inputs: Any, **given: Any) -> Any:
        shapes.append(tuple(given["input_ids"].shape))
        return forward(*inputs, **given)

    monkeypatch.setattr(decoder, "forward", spied)
    return shapes


def test_a_prompt_is_read_once_and_answers_token_by_token(policy: GroupPolicy, read: list[tuple[int, ...]]) -> None:
    batch = build_tree_batch(rows())
    with torch.no_grad():
        found = policy.score(batch)
    # What the four answers share is the prompt; two of them have two tokens to be read, one has one, and 40 none.
    assert read == [(3, 12), (9, 1), (9, 1)]
    read.clear()
    plain = policy.score(batch)
    assert read == [(9, 14)]
    torch.testing.assert_close(found, plain.detach(), rtol=1e-5, atol=1e-5)
    assert found.std() > 1


def test_each_row_has_its_own_adapter_and_the_reference_has_none(policy: GroupPolicy) -> None:
    batch = build_tree_batch([TreeRow(place, rows()[0].segments) for place in range(3)])
    with torch.no_grad():
        own, base = policy.score(batch).view(3, -1), policy.score(batch, reference=True).view(3, -1)
    torch.testing.assert_close(own[2], base[0])
    torch.testing.assert_close(base[0], base[1])
    assert (own[0] - own[1]).abs().max() > 0.1
    assert (own[0] - base[0]).abs().max() > 0.1


def test_rows_side_by_side_have_their_own_prompts(policy: GroupPolicy, read: list[tuple[int, ...]]) -> None:
    long = (Segment(tuple(range(5, 50)), ROOT), *rows()[0].segments[1:])
    apart = [TreeRow(0, segments) for segments in (long, rows()[1].segments, rows()[2].segments)]
    packed = pack_rows(apart)
    assert len(packed) < len(apart)
    batch = build_tree_batch([one.row for one in packed])
    with torch.no_grad():
        found = policy.score(batch)
    assert read[0] == (3, 45)
    torch.testing.assert_close(found, policy.score(batch).detach(), rtol=1e-5, atol=1e-5)


def test_ranks_that_share_the_weights_call_the_layers_once(
    policy: GroupPolicy, read: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = next(policy.base.parameters())
    monkeypatch.setattr(weight, "ds_id", 0, raising=False)  # as DeepSpeed's stage 3 marks it
    with torch.no_grad():
        policy.score(build_tree_batch(rows()))
    assert read == [(9, 14)]


@pytest.mark.parametrize(
    "segments",
    [
        (Segment((5, 6, 7), ROOT), Segment((8,) * LONG, 0, action=True), Segment((9,) * LONG, 0, action=True)),
        (Segment((5,), ROOT), Segment((7,), 0, action=True), Segment((9,), 0, action=True)),
    ],
    ids=["too long", "nothing shared"],
)
def test_paths_that_share_little_have_rows_of_their_own(
    policy: GroupPolicy, read: list[tuple[int, ...]], segments: tuple[Segment, ...]
) -> None:
    batch = build_tree_batch([TreeRow(0, segments)])
    with torch.no_grad():
        found = policy.score(batch)
    assert len(read) == 1
    torch.testing.assert_close(found, policy.score(batch).detach(), rtol=1e-5, atol=1e-5)
