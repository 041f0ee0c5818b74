"""Adapters that act from the profile on: PEFT's activated LoRA, with the question computed once for all groups."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from torch import Tensor

from trialign.errors import UserError
from trialign.models import BaseModelFiles, ModelConfig, load_model
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.activated import activation_start, active_positions, prefixes_of
from trialign.policy.group_policy import Sampling
from trialign.policy.scoring import score_rows

pytestmark = pytest.mark.unit

MakePolicy = Callable[..., GroupPolicy]
NAMES = ("men", "women", "others")
OPENING = (11, 12)
# Two questions of different lengths; the first holds a token of the opening, and nobody's profile is like another's.
QUESTIONS = ((5, 11, 41, 7, 60, 61, 62), (301, 80, 33))
PROFILES = {"men": (*OPENING, 70, 71), "women": (*OPENING, 90), "others": (*OPENING, 44, 45, 46, 47)}
ANSWERS = ((17, 200, 2), (3, 2), (150, 151))
NO_END = 1


def activated(make_policy: MakePolicy, **options: object) -> GroupPolicy:
    return make_policy(NAMES, activation="profile", invocation=OPENING, **options)


def rows_of(policy: GroupPolicy) -> list[TreeRow]:
    """Every question and group with its answers, and a later turn behind the second answer."""
    return [
        TreeRow(
            policy.adapter_index(name),
            (
                Segment(question + profile, ROOT),
                *(Segment(answer, 0, action=True) for answer in ANSWERS),
                Segment((8, 9, 10), 0),
                Segment((77, 2), 4, action=True),
            ),
        )
        for question in QUESTIONS
        for name, profile in PROFILES.items()
    ]


def gradients(module: torch.nn.Module) -> dict[str, Tensor]:
    return {
        name.split("base_model.", 1)[1]: p.grad.clone()
        for name, p in module.named_parameters()
        if "lora_" in name and p.grad is not None
    }


def weights(count: int) -> Tensor:
    return torch.linspace(-1.0, 2.0, count, dtype=torch.float64)


def test_scores_and_gradients_are_those_of_pefts_activated_lora(
    make_policy: MakePolicy, base_files: BaseModelFiles, tiny_config: ModelConfig
) -> None:
    policy = activated(make_policy, double=True)
    rows = rows_of(policy)
    batch = build_tree_batch(rows, OPENING)
    scores = policy.score(batch)
    (scores * weights(len(scores))).sum().backward()

    lora = LoraConfig(
        r=policy.config.rank,
        lora_alpha=policy.config.alpha,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        alora_invocation_tokens=list(OPENING),
    )
    plain = get_peft_model(load_model(base_files, tiny_config).double(), lora, adapter_name=NAMES[0])
    for name in NAMES[1:]:
        plain.add_adapter(name, lora)
    for name in NAMES:
        set_peft_model_state_dict(plain, policy.adapter_state(name), adapter_name=name)
    values = []
    for row, name in zip(rows, NAMES * 2, strict=True):
        plain.set_adapter(name)
        prompt = row.segments[0].tokens
        for before, answer in [*((prompt, answer) for answer in ANSWERS), ((*prompt, 8, 9, 10), (77, 2))]:
            logits = plain(torch.tensor([before + answer])).logits[0, len(before) - 1 : -1]
            values.append(logits.log_softmax(1).gather(1, torch.tensor(answer).unsqueeze(1)).sum())
            (values[-1] * weights(len(scores))[len(values) - 1]).backward()
    torch.testing.assert_close(scores.detach(), torch.stack(values).detach(), atol=1e-10, rtol=1e-10)
    own, theirs = gradients(policy), gradients(plain)
    assert own.keys() == theirs.keys()
    for name, gradient in own.items():
        # The adapters are float32: PEFT's gradients are summed row by row in it.
        torch.testing.assert_close(gradient, theirs[name], atol=1e-5, rtol=1e-5)
        assert gradient.abs().max() > 0, name


def test_the_shared_question_equals_whole_rows_with_the_adapters_off_in_it(make_policy: MakePolicy) -> None:
    policy = activated(make_policy)
    rows = rows_of(policy)
    shared = policy.score(build_tree_batch(rows, OPENING))
    shared.sum().backward()
    first = gradients(policy)
    policy.zero_grad()
    whole = build_tree_batch(rows)
    policy.routing.active = active_positions(whole.input_ids, OPENING)
    expected = policy.score(whole)
    policy.routing.active = None
    expected.sum().backward()
    torch.testing.assert_close(shared, expected, atol=1e-5, rtol=1e-5)
    for name, gradient in gradients(policy).items():
        torch.testing.assert_close(first[name], gradient, atol=1e-5, rtol=1e-4)
    # The adapters do something in the question when they always act.
    assert (policy.score(whole) - expected).abs().max() > 1e-3


def test_a_question_is_computed_once_for_all_groups(make_policy: MakePolicy) -> None:
    policy = activated(make_policy)
    rows = rows_of(policy)
    batch = build_tree_batch(rows, OPENING)
    assert batch.prefix is not None
    assert batch.prefix.input_ids.shape == (2, 7)
    assert batch.prefix.lengths.tolist() == [7, 7, 7, 3, 3, 3]
    assert batch.input_ids.shape[1] == max(row.tokens for row in rows) - 7
    # Positions go on where the question ends.
    assert batch.position_ids[0, 0] == 7
    assert batch.position_ids[3, 0] == 3


def test_the_reference_and_the_control_answer_with_the_base_weights(make_policy: MakePolicy) -> None:
    policy, always = activated(make_policy), make_policy(NAMES)
    rows = rows_of(policy)
    reference = score_rows(policy, rows, reference=True)
    expected = score_rows(always, rows, reference=True)
    for one, other in zip(reference, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    control = TreeRow(policy.adapter_index("control"), (Segment(QUESTIONS[0], ROOT), Segment((3, 2), 0, action=True)))
    mixed = score_rows(policy, [control, *rows])
    assert mixed[0] == pytest.approx(score_rows(always, [control])[0], abs=1e-5)
    for one, other in zip(mixed[1:], score_rows(policy, rows), strict=True):
        assert one == pytest.approx(other, abs=1e-5)


@pytest.mark.parametrize("samples", [1, 3])
def test_greedy_replies_follow_the_scored_policy(make_policy: MakePolicy, samples: int) -> None:
    policy = activated(make_policy)
    prompts = [QUESTIONS[0] + PROFILES["men"], QUESTIONS[1] + PROFILES["others"], QUESTIONS[1]]
    agents = ["men", "others", "control"]
    replies = policy.generate(prompts, agents, NO_END, Sampling(4), samples=samples)
    every_token = tuple(Segment((token,), 0, action=True) for token in range(policy.base.config.vocab_size))
    for place, (prompt, agent) in enumerate(zip(prompts, agents, strict=True)):
        expected: tuple[int, ...] = ()
        for _ in range(4):
            row = TreeRow(policy.adapter_index(agent), (Segment(prompt + expected, ROOT), *every_token))
            expected += (int(policy.score(build_tree_batch([row], OPENING)).argmax()),)
        assert replies[place * samples : (place + 1) * samples] == [expected] * samples


def test_the_last_invocation_counts() -> None:
    assert activation_start((11, 12, 5, 11, 12, 6), OPENING) == 3
    assert activation_start((11, 12), OPENING) == 0
    assert activation_start((12, 11), OPENING) is None
    assert activation_start((11,), OPENING) is None
    ids = torch.tensor([[11, 12, 5], [0, 11, 12], [5, 5, 5]])
    assert active_positions(ids, OPENING).int().tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 0]]
    assert prefixes_of([(), ()]) is None


def test_prompts_of_one_row_must_share_their_question() -> None:
    row = TreeRow(0, (Segment((5, *OPENING), ROOT), Segment((6, *OPENING), ROOT), Segment((2,), 0, action=True)))
    with pytest.raises(ValueError, match="begin differently"):
        build_tree_batch([row], OPENING)


def test_activation_and_invocation_belong_together(make_policy: MakePolicy) -> None:
    with pytest.raises(ValueError, match="0 invocation tokens"):
        make_policy(NAMES, activation="profile")
    with pytest.raises(ValueError, match="activation is always"):
        make_policy(NAMES, invocation=OPENING)
    assert AdapterConfig().activation == "always"


def test_layers_that_are_computed_twice_are_refused(make_policy: MakePolicy) -> None:
    policy = activated(make_policy)
    policy.base.gradient_checkpointing_enable()
    with pytest.raises(UserError, match="activation checkpointing"):
        policy.score(build_tree_batch(rows_of(policy), OPENING))
