"""What training takes: parameters counted without weights, and what each of the ranks holds of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from transformers import AutoConfig, BitsAndBytesConfig, LlamaConfig

from trialign.models import BaseModelFiles
from trialign.models.quantized import FewBits
from trialign.policy import AdapterConfig, GroupPolicy
from trialign.policy.cpu import SHORT_ROW
from trialign.training.memory import PUBLISHED, ModelSize, Sharing, Strategy, Work, memory_of, size_of

pytestmark = pytest.mark.unit

# Small enough to add up by hand.
SIZE = ModelSize(
    parameters=1000,
    layer=100,
    largest=300,
    adapter=10,
    layers=4,
    hidden=8,
    intermediate=16,
    heads=2,
    keys=4,
    vocabulary=50,
)
WORK = Work(rows=2, length=5, actions=3)
ALONE = Sharing(
    ranks=1,
    strategy=Strategy(),
    bucket=0,
    weight_bytes=4,
    mixed=False,
    on_cpu=False,
    checkpointing=False,
    adapters=3,
)


def test_parameters_are_counted_as_they_are(
    make_policy: Callable[..., GroupPolicy], base_files: BaseModelFiles
) -> None:
    policy = make_policy()
    size = size_of(AutoConfig.from_pretrained(base_files.folder), AdapterConfig(rank=4, alpha=8))
    trained = sum(p.numel() for p in policy.parameters() if p.requires_grad)
    assert size.parameters == sum(p.numel() for p in policy.parameters()) - trained
    assert size.adapter * len(policy.adapters) == trained
    assert (size.layers, size.hidden, size.keys) == (2, 32, 16)


@pytest.mark.parametrize(("name", "billions"), [("7B", 6.74), ("13B", 13.02), ("70B", 68.98)])
def test_the_published_sizes_have_the_published_parameters(name: str, billions: float) -> None:
    size = size_of(LlamaConfig.from_dict(PUBLISHED[name]), AdapterConfig(target_modules=("q_proj",)))
    assert size.parameters / 1e9 == pytest.approx(billions, abs=0.005)


def test_factors_take_as_many_bits_as_were_published() -> None:
    """0.127 for each parameter where they are quantised too, and 0.5 else (Dettmers et al. 2023, section 3)."""
    for too, bits in ((True, 4.127), (False, 4.5)):
        asked = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=too)
        size = size_of(LlamaConfig.from_dict(PUBLISHED["7B"]), AdapterConfig(target_modules=("q_proj",)), asked)
        assert 8 * size.few.packed / size.few.elements == pytest.approx(bits, abs=5e-4)
        # All but two matrices of the vocabulary, and the norms.
        assert size.parameters - size.few.elements == 2 * 32000 * 4096 + 65 * 4096
        assert size.few.largest == 4096 * 11008


def test_weights_in_few_bits_by_hand() -> None:
    few = replace(SIZE, few=FewBits(elements=600, packed=350, largest=100))
    # The others as ever, and one layer made whole.
    assert memory_of(few, WORK, ALONE).weights == 400 * 4 + 350 + 100 * 4
    # torch casts and keeps those that are whole alone.
    assert memory_of(few, WORK, replace(ALONE, mixed=True)).weights == 400 * (4 + 2) + 350 + 100 * 4


def test_one_process_by_hand() -> None:
    memory = memory_of(SIZE, WORK, ALONE)
    assert memory.weights == 1000 * 4
    # Weights, gradients and two moments of three adapters.
    assert memory.trained == 30 * 4 * 4
    assert memory.output == 3 * 3 * 50 * 4
    # A position of a layer: two norms of 8 in three tensors, five of 8 and two of 4 of attention, four of 16.
    layer = 10 * 4 * (2 * 8 * 3 + 5 * 8 + 2 * 4 + 4 * 16)
    passing = 10 * 4 * (2 * 8 + 3 * 16)
    assert memory.activations == 4 * layer + passing
    assert memory.host == 0
    assert memory.total == memory.weights + memory.trained + memory.activations + memory.output
    again = memory_of(SIZE, WORK, replace(ALONE, checkpointing=True))
    assert again.activations == 4 * 10 * 8 * 4 + layer + passing


def test_half_precision_by_hand() -> None:
    mixed = memory_of(SIZE, WORK, replace(ALONE, mixed=True))
    # torch casts each weight, and keeps both; the norms' inputs stay in float32, all else takes two bytes.
    assert mixed.weights == 1000 * (4 + 2)
    assert mixed.trained == 30 * 4 * 4
    layer = 10 * (2 * 8 * (4 + 2 * 2) + 2 * (5 * 8 + 2 * 4) + 2 * 4 * 16)
    assert mixed.activations == 4 * layer + 10 * 2 * (2 * 8 + 3 * 16)
    assert memory_of(SIZE, WORK, replace(ALONE, mixed=True, weight_bytes=2)).weights == 1000 * 2
    sharded = memory_of(SIZE, WORK, replace(ALONE, mixed=True, ranks=2, strategy=Strategy(2)))
    # DeepSpeed casts the model, the adapters too; gradients are halved, and of the optimizer three in float32.
    assert sharded.weights == 1000 * 2
    assert sharded.trained == 30 * 2 + 30 * 4 // 2 + 30 * 4 * 3 // 2


def test_short_rows_on_a_cpu_keep_their_scores_of_attention() -> None:
    short, long = (replace(WORK, length=length) for length in (SHORT_ROW, SHORT_ROW + 1))
    for work, scores in ((short, 2 * SHORT_ROW), (long, 0)):
        there, here = (memory_of(SIZE, work, replace(ALONE, on_cpu=on_cpu)).activations for on_cpu in (False, True))
        # Of two heads, for each position and layer.
        assert here - there == 4 * scores * 4 * work.rows * work.length


def test_each_stage_shares_one_thing_more() -> None:
    def trained(stage: int) -> int:
        return memory_of(SIZE, WORK, replace(ALONE, ranks=2, strategy=Strategy(stage))).trained

    # 30 parameters of 4 bytes: weights, gradients, and of the optimizer two moments and DeepSpeed's copy.
    assert trained(1) == 120 + 120 + 360 // 2
    assert trained(2) == 120 + 120 // 2 + 360 // 2
    assert trained(3) == (120 + 120 + 360) // 2
    whole, share = (
        memory_of(SIZE, WORK, replace(ALONE, ranks=2, strategy=Strategy(stage))).weights for stage in (2, 3)
    )
    assert whole == 4000
    # Half of the weights, and the vocabulary's, which is more than two layers.
    assert share == 2000 + 300 * 4


def test_what_waits_on_the_host_is_not_on_the_device() -> None:
    here = memory_of(SIZE, WORK, replace(ALONE, ranks=2, strategy=Strategy(3)))
    offloaded = memory_of(SIZE, WORK, replace(ALONE, ranks=2, strategy=Strategy(3, offload=True)))
    assert offloaded.host == 2000 + 180
    assert here.total - offloaded.total == offloaded.host


def test_under_fsdp2_the_layers_lie_in_shares_and_all_else_is_whole() -> None:
    shared = replace(ALONE, ranks=4, strategy=Strategy(layers=True))
    memory = memory_of(SIZE, WORK, shared)
    # Outside of the layers 600; a quarter of 4 layers of 100; the layer that computes, and the next one.
    assert memory.weights == (600 + 400 // 4 + 200) * 4
    # Weights, gradients and two moments of three adapters, a quarter of each.
    assert memory.trained == 3 * (30 * 4 // 4) + 30 * 4 // 4
    assert memory.host == 0
    # torch casts each weight that is wider, and keeps it for the backward pass.
    assert memory_of(SIZE, WORK, replace(shared, mixed=True)).weights == memory.weights + 2 * 1000
    assert memory_of(SIZE, WORK, replace(shared, mixed=True, weight_bytes=2)).weights == memory.weights // 2
