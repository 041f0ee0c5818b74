from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from torch import Tensor

from trialign.errors import UserError
from trialign.models import BaseModelFiles, ModelConfig, load_model
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.adapters import SHARED, BasisConfig
from trialign.policy.basis import BasisLoraLinear, Coordinates, Draws, draw, folded
from trialign.policy.group_policy import Sampling

pytestmark = pytest.mark.unit

MakePolicy = Callable[..., GroupPolicy]
NAMES = ("north", "south", "island")
ORDER = ("south", "control", "north", "island", "south")
PROMPTS = ((5, 90, 41, 7), (301, 12, 12, 80, 33, 6), (44, 45), (9, 8, 7, 6, 5), (11, 12, 13))
ANSWERS = ((17, 200, 2), (3, 2), (70, 71, 72, 2), (150, 2), (60, 61, 2))
WEIGHTS = (1.0, 5.0, -2.0, 0.5, 3.0)


def rows_of(policy: GroupPolicy, order: Sequence[str] = ORDER) -> list[TreeRow]:
    return [
        TreeRow(policy.adapter_index(name), (Segment(prompt, ROOT), Segment(answer, 0, action=True)))
        for name, prompt, answer in zip(order, PROMPTS, ANSWERS, strict=False)
    ]


def plain_peft(policy: GroupPolicy, files: BaseModelFiles, config: ModelConfig) -> PeftModel:
    """Each group's agent folded into an adapter of PEFT's own, in PEFT's own forward pass."""
    lora = LoraConfig(
        r=policy.config.rank, lora_alpha=policy.config.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    model: Any = get_peft_model(load_model(files, config).double(), lora, adapter_name=NAMES[0])
    for name in NAMES[1:]:
        model.add_adapter(name, lora)
    for name in NAMES:
        set_peft_model_state_dict(model, policy.adapter_state(name), adapter_name=name)
    assert isinstance(model, PeftModel)
    return model


def plain_score(model: PeftModel, name: str, prompt: Sequence[int], answer: Sequence[int]) -> Tensor:
    if name in NAMES:
        model.set_adapter(name)
    with nullcontext() if name in NAMES else model.disable_adapter():
        logits = model(torch.tensor([[*prompt, *answer]])).logits[0]
    tokens = logits.log_softmax(dim=1)[len(prompt) - 1 : -1]
    return tokens.gather(1, torch.tensor(answer).unsqueeze(1)).sum()


def layers_of(policy: GroupPolicy) -> dict[str, BasisLoraLinear]:
    return {
        name.removeprefix("base_model.model."): module
        for name, module in policy.model.named_modules()
        if isinstance(module, BasisLoraLinear)
    }


def test_scaled_rows_equal_folded_peft_adapters_in_scores_and_gradients(
    make_policy: MakePolicy, base_files: BaseModelFiles, tiny_config: ModelConfig
) -> None:
    policy = make_policy(double=True, adapters="basis")
    scores = policy.score(build_tree_batch(rows_of(policy)))
    (scores * torch.tensor(WEIGHTS)).sum().backward()

    plain, values = plain_peft(policy, base_files, tiny_config), []
    for name, prompt, answer, weight in zip(ORDER, PROMPTS, ANSWERS, WEIGHTS, strict=True):
        value = plain_score(plain, name, prompt, answer)
        if name in NAMES:
            (value * weight).backward()
        values.append(value.detach())
    torch.testing.assert_close(scores.detach(), torch.stack(values), atol=1e-5, rtol=1e-5)

    # By the chain rule from PEFT's gradients of A_g = A and B_g = B diag(1 + U z_g).
    theirs = {name: module for name, module in plain.named_modules() if hasattr(module, "lora_A")}
    z = torch.stack([policy.coordinates.of(index) for index in range(3)]) if policy.coordinates else torch.empty(0)
    of_z, compared = torch.zeros_like(z), 0
    for name, layer in layers_of(policy).items():
        other = next(module for key, module in theirs.items() if key.endswith(name))
        scales, up = layer.group_scales.detach(), layer.lora_B[SHARED].weight.detach()
        gates = 1 + z @ scales.T
        downs = torch.stack([other.lora_A[group].weight.grad for group in NAMES])
        ups = torch.stack([other.lora_B[group].weight.grad for group in NAMES])
        of_gates = (ups * up).sum(dim=1)
        expected = {
            "A": downs.sum(dim=0),
            "B": (ups * gates.unsqueeze(1)).sum(dim=0),
            "U": of_gates.T @ z,
        }
        found = {"A": layer.lora_A[SHARED].weight.grad, "B": layer.lora_B[SHARED].weight.grad}
        found["U"] = layer.group_scales.grad
        for key, gradient in found.items():
            assert gradient is not None
            assert gradient.abs().max() > 1e-3, f"{name}.{key} gets no gradient: nothing was compared"
            torch.testing.assert_close(gradient, expected[key], atol=1e-5, rtol=1e-5, msg=f"{name}.{key}")
            compared += 1
        of_z += of_gates @ scales
    assert compared == 3 * 14  # 2 layers of 7 linear maps
    assert policy.coordinates is not None
    assert policy.coordinates.own.grad is not None
    # z = speed * own.
    torch.testing.assert_close(policy.coordinates.own.grad, 32 * of_z, atol=1e-4, rtol=1e-5)


def test_a_batch_scores_each_row_as_alone(make_policy: MakePolicy) -> None:
    policy = make_policy(double=True, adapters="basis")
    rows = rows_of(policy)
    together = policy.score(build_tree_batch(rows))
    alone = torch.cat([policy.score(build_tree_batch([row])) for row in rows])
    torch.testing.assert_close(together, alone, atol=1e-9, rtol=1e-9)


def test_a_tree_scores_as_its_rows(make_policy: MakePolicy) -> None:
    policy = make_policy(double=True, adapters="basis")
    answers = [Segment(answer, 0, action=True) for answer in ANSWERS]
    tree = policy.score(build_tree_batch([TreeRow(1, (Segment(PROMPTS[0], ROOT), *answers))]))
    rows = [TreeRow(1, (Segment(PROMPTS[0], ROOT), answer)) for answer in answers]
    torch.testing.assert_close(tree, policy.score(build_tree_batch(rows)), atol=1e-9, rtol=1e-9)


def test_groups_differ_by_z_alone_and_z_0_is_the_shared_adapter(make_policy: MakePolicy) -> None:
    policy = make_policy(adapters="basis")
    shared = make_policy(adapters="shared")
    shared.load_adapter_state(SHARED, policy.adapter_state(SHARED))
    ask = [TreeRow(index, rows_of(policy)[0].segments) for index in range(4)]
    scores = policy.score(build_tree_batch(ask)).tolist()
    assert min(abs(a - b) for i, a in enumerate(scores) for b in scores[:i]) > 0.01
    assert policy.coordinates is not None
    for index in range(3):
        policy.coordinates.set(index, torch.zeros(8))
    of_shared = shared.score(build_tree_batch([ask[0]] * 3))
    torch.testing.assert_close(policy.score(build_tree_batch(ask[:3])), of_shared)


def test_rows_of_the_control_go_through_the_base_weights(make_policy: MakePolicy) -> None:
    policy = make_policy(adapters="basis")
    control = build_tree_batch(rows_of(policy, ["control"] * 5))
    assert policy.adapter_index("control") == 3
    torch.testing.assert_close(policy.score(control), policy.score(control, reference=True), atol=0, rtol=0)
    mine = build_tree_batch(rows_of(policy, ["north"] * 5))
    assert not torch.allclose(policy.score(mine), policy.score(mine, reference=True), atol=0.01)


def test_at_the_beginning_all_agents_are_the_base_and_both_z_and_u_come_to_learn(make_policy: MakePolicy) -> None:
    policy = make_policy(adapters="basis", untrained=True)
    batch = build_tree_batch(rows_of(policy))
    torch.testing.assert_close(policy.score(batch), policy.score(batch, reference=True))
    weights = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-3)
    seen = []
    for _ in range(3):
        optimizer.zero_grad()
        (policy.score(batch) * torch.tensor(WEIGHTS)).sum().backward()
        layer = next(iter(layers_of(policy).values()))
        own = policy.coordinates.own if policy.coordinates else None
        assert own is not None
        assert own.grad is not None
        assert layer.group_scales.grad is not None
        seen.append((bool(own.grad.abs().max() > 0), bool(layer.group_scales.grad.abs().max() > 0)))
        optimizer.step()
    # First B moves, then z, then U.
    assert seen == [(False, False), (True, False), (True, True)]


def test_only_the_basis_and_the_coordinates_are_trained(make_policy: MakePolicy) -> None:
    policy = make_policy(adapters="basis")
    trained = {name for name, parameter in policy.named_parameters() if parameter.requires_grad}
    assert len(trained) == 3 * 14 + 1
    assert all("lora_" in name or "group_scales" in name for name in trained - {"coordinates.own"})


def test_replies_are_those_of_the_folded_adapter(make_policy: MakePolicy) -> None:
    policy = make_policy(double=True, adapters="basis")
    apart = make_policy(double=True, adapters="per_group")
    for name in NAMES:
        apart.load_adapter_state(name, policy.adapter_state(name))
    asked = (PROMPTS[:4], ("south", "north", "island", "control"), 2, Sampling(8))
    assert policy.generate(*asked) == apart.generate(*asked)
    assert policy.generate(*asked, samples=2) == apart.generate(*asked, samples=2)


def test_z_is_the_speed_times_what_is_trained_and_the_prior_counts_z() -> None:
    one = Coordinates(2, BasisConfig(dimensions=2, speed=8.0))
    one.set(0, torch.tensor([3.0, 4.0]))
    one.set(1, torch.tensor([0.0, 2.0]))
    assert one.own.tolist() == [[0.375, 0.5], [0.0, 0.25]]
    assert one.of(0).tolist() == [3.0, 4.0]
    assert one.prior().item() == pytest.approx((9 + 16 + 4) / 2)
    # Two groups, then the base weights.
    assert one(torch.tensor([2, 1, 0, 2])).tolist() == [[0, 0], [0, 2], [3, 4], [0, 0]]


def test_a_fold_by_hand() -> None:
    state = {"l.lora_A.weight": torch.ones(2, 3), "l.lora_B.weight": torch.tensor([[1.0, 10.0], [2.0, 20.0]])}
    scales = {"l.group_scales": torch.tensor([[1.0, 0.0], [0.5, 2.0]])}
    # 1 + U z = 1 + (2, 1 - 6) = (3, -4)
    made = folded(state, scales, torch.tensor([2.0, -3.0]))
    assert made["l.lora_A.weight"].equal(state["l.lora_A.weight"])
    assert made["l.lora_B.weight"].tolist() == [[3, -40], [6, -80]]


def test_what_cannot_be_combined_is_refused(make_policy: MakePolicy) -> None:
    with pytest.raises(UserError, match=r"policy\.activation=profile") as fault:
        make_policy(adapters="basis", activation="profile", invocation=(1, 2))
    assert "per_group" in fault.value.remedy
    base = make_policy().model.unload()
    with pytest.raises(UserError, match=r"an adapter of facts apart \(objective\.gate\.facts=adapter"):
        GroupPolicy(base, NAMES, AdapterConfig(adapters="basis"), apart=("facts",))


@pytest.mark.parametrize("cache", [0, 64])
def test_adapters_of_the_upper_layers_alone(make_policy: MakePolicy, cache: int) -> None:
    policy = make_policy(adapters="basis", train_layers="upper", lower_cache_mb=cache)
    assert len(layers_of(policy)) == 7
    batch = build_tree_batch(rows_of(policy))
    scores = policy.score(batch)
    with torch.no_grad():
        torch.testing.assert_close(scores.detach(), policy.score(batch), atol=1e-5, rtol=1e-5)
    scores.sum().backward()
    assert policy.coordinates is not None
    assert policy.coordinates.own.grad is not None
    assert (policy.coordinates.own.grad.abs().max(dim=1).values > 0).all()


def test_draws_are_of_the_step_and_seed_alone_and_half_of_them_lie_between_groups() -> None:
    config = BasisConfig(dimensions=3, draws=4)
    one, again, later, other = (draw(*args, 5, config) for args in ((7, 2), (7, 2), (7, 3), (8, 2)))
    assert one.prompts == again.prompts
    assert one.mix.equal(again.mix)
    assert one.noise.equal(again.noise)
    assert not one.noise.equal(later.noise)
    assert not one.noise.equal(other.noise)
    assert one.mix.sum(dim=1).tolist() == pytest.approx([0, 1, 0, 1])
    assert [int((row > 0).sum()) for row in one.mix] == [0, 2, 0, 2]
    assert [bool(row.abs().sum() > 0) for row in one.noise] == [True, False, True, False]
    # Told of the nearer group.
    assert [int(one.mix[place].argmax()) for place in (1, 3)] == [one.prompts[1], one.prompts[3]]


def test_draws_are_those_of_the_prior_and_any_pair_of_groups() -> None:
    config = BasisConfig(dimensions=2, draws=2)
    drawn = [draw(0, step, 3, config) for step in range(2000)]
    noise = torch.stack([one.noise[0] for one in drawn])
    # 2000 draws: mean within 4 standard errors of 0, standard deviation of 1.
    assert noise.mean(dim=0).abs().max() < 4 / 2000**0.5
    assert (noise.std(dim=0) - 1).abs().max() < 4 / 4000**0.5
    mix = torch.stack([one.mix[1] for one in drawn])
    assert (mix.mean(dim=0) - 1 / 3).abs().max() < 0.04
    assert {one.prompts for one in drawn} == {(a, b) for a in range(3) for b in range(3)}
    assert draw(0, 0, 1, config).mix[1].tolist() == [1]


def test_draws_are_told_of_those_whose_prompts_are_there() -> None:
    config = BasisConfig(dimensions=2, draws=2)
    drawn = [draw(0, step, 5, config, (1, 4)) for step in range(400)]
    assert {one.prompts for one in drawn} == {(a, b) for a in (1, 4) for b in (1, 4)}
    mixed = [set(one.mix[1].nonzero().flatten().tolist()) for one in drawn]
    assert all(len(two) == 2 for two in mixed)
    assert set().union(*mixed) == set(range(5))  # the other one is any group
    assert all(int(one.mix[1].argmax()) == one.prompts[1] for one in drawn)


def test_rows_of_draws_are_mixed_of_the_groups_and_have_a_gradient() -> None:
    one = Coordinates(2, BasisConfig(dimensions=2, speed=8.0))
    one.set(0, torch.tensor([3.0, 4.0]))
    one.set(1, torch.tensor([0.0, 2.0]))
    one.draws = Draws((0, 1), torch.tensor([[0.0, 0.0], [0.75, 0.25]]), torch.tensor([[1.0, -1.0], [0.0, 0.0]]))
    z = one(torch.tensor([4, 3, 2, 1]))
    # .75 (3, 4) + .25 (0, 2)
    assert z.tolist() == [[2.25, 3.5], [1, -1], [0, 0], [0, 2]]
    z[0].sum().backward()
    assert one.own.grad is not None
    assert one.own.grad.tolist() == [[6, 6], [2, 2]]


def test_agents_of_no_group_score_as_agents_of_their_z(make_policy: MakePolicy) -> None:
    policy = make_policy(double=True, adapters="basis")
    assert policy.coordinates is not None
    z = torch.stack([policy.coordinates.of(index) for index in range(3)])
    noise = torch.randn(1, 8, dtype=torch.float64)
    mix = torch.tensor([[0.0, 0.75, 0.25]])
    policy.coordinates.draws = Draws((1, 0), torch.cat([mix, 0 * mix]), torch.cat([0 * noise, noise]))
    segments = rows_of(policy)[0].segments
    drawn = policy.score(build_tree_batch([TreeRow(4, segments), TreeRow(5, segments)]))
    policy.coordinates.set(0, 0.75 * z[1] + 0.25 * z[2])
    policy.coordinates.set(1, noise[0])
    same = policy.score(build_tree_batch([TreeRow(0, segments), TreeRow(1, segments)]))
    torch.testing.assert_close(drawn, same, atol=1e-6, rtol=1e-6)
