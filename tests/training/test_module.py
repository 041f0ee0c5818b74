"""The module around the objective: which weights a step uses, and how losses of its parts add up."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trialign.objectives.config import PairsConfig, WelfareConfig
from trialign.training.module import OVERFLOWS, OptimizerConfig, TrainingDivergedError, TriAlignModule
from trialign.trajectories.batches import build_episode_batch
from trialign.trajectories.datamodule import StepBatch
from trialign.trajectories.episodes import Episode
from trialign.updates.likelihood import Likelihood

from .agents import AUTO, Table, fact

pytestmark = [
    pytest.mark.unit,
    # Without a trainer there is nobody to log for.
    pytest.mark.filterwarnings("ignore:.*reference is not registered.*:UserWarning"),
]


def step_batch(mine: list[Episode], step: list[Episode]) -> StepBatch:
    return StepBatch(build_episode_batch(mine, (0, 1), AUTO), tuple(step))


def end_step(module: TriAlignModule, batch_idx: int | None = None) -> None:
    """One optimizer step that moves nothing, by default after the last micro-batch."""
    still = torch.optim.SGD(module.policy.parameters(), lr=0.0)
    module.optimizer_step(0, module.micro_batches - 1 if batch_idx is None else batch_idx, still, lambda: None)


def test_a_step_weighs_by_the_utilities_as_of_the_step_before(make_module: Callable[..., TriAlignModule]) -> None:
    module = make_module()
    batch = step_batch([fact("a", 0)], [fact("a", 0)])
    # Step 1: A = (1/2, 1/4), so the weights are 2 and 4, over their mean 2/3 and 4/3.
    assert module.training_step(batch, 0).item() == pytest.approx(-(2 / 3 * 0.8 + 4 / 3 * 0.5))
    assert module.utilities[:, 0].tolist() == [0.5, 0.25]
    end_step(module)
    # Half the old average, half the step's accuracy: (.5 + .8) / 2 and (.25 + .5) / 2.
    assert module.utilities[:, 0].tolist() == pytest.approx([0.65, 0.375])
    assert module.utilities[:, 1].isnan().all()
    # Step 2: weights 1/.65 and 1/.375, mean 2.1025641.
    expected = -(0.8 / 0.65 + 0.5 / 0.375) / ((1 / 0.65 + 1 / 0.375) / 2)
    assert module.training_step(batch, 1).item() == pytest.approx(expected)
    end_step(module)
    assert module.utilities[:, 0].tolist() == pytest.approx([0.725, 0.4375])


@pytest.mark.parametrize(("update", "logged"), [("auto", True), ("likelihood", False), ("mixed", True)])
def test_weights_are_logged_where_a_loss_reads_them(
    make_module: Callable[..., TriAlignModule], monkeypatch: pytest.MonkeyPatch, update: str, logged: bool
) -> None:
    module = make_module(update="auto" if update == "mixed" else update)
    if update == "mixed":
        module.updates = (*module.updates, Likelihood(module.objective, module.scoring))
    names: set[str] = set()
    monkeypatch.setattr(module, "log_dict", lambda values, **_: names.update(values))
    batch = StepBatch(build_episode_batch([fact("a", 0)], (0, 1), module.updates), (fact("a", 0),))
    module._log_weights(torch.ones(2, 2), batch.batch)
    assert ("weight/truth/north" in names) is logged
    assert "train/padding" in names


def test_the_temperature_of_the_scores_is_that_of_the_rewards(make_module: Callable[..., TriAlignModule]) -> None:
    module = make_module(temperature=2.0)
    # North's odds 4 become 2, south's stay 1. The weights come from the averages, as above.
    loss = module.training_step(step_batch([fact("a", 0)], [fact("a", 0)]), 0)
    assert loss.item() == pytest.approx(-(2 / 3 * 2 / 3 + 4 / 3 * 0.5))


def test_under_the_mean_score_a_longer_option_is_not_the_less_likely_one(
    make_module: Callable[..., TriAlignModule],
) -> None:
    module = make_module(kind="mean")
    # The first option has three tokens, the second one: north's scores are log(.8) / 3 and log(.2), south's log(.5) / 3
    # and log(.5). Gold is the first for the one fact and the second for the other.
    step = [fact("a", 0, ((3, 5, 6), (4,)), sizes=(3, 1)), fact("b", 1, ((3, 5, 6), (4,)), sizes=(3, 1))]
    weights = {"north": (0.8 ** (1 / 3), 0.2), "south": (0.5 ** (1 / 3), 0.5)}
    shares = {group: first / (first + second) for group, (first, second) in weights.items()}
    north, south = (shares["north"] + 1 - shares["north"]) / 2, (shares["south"] + 1 - shares["south"]) / 2
    assert module.training_step(step_batch(step, step), 0).item() == pytest.approx(-(2 / 3 * north + 4 / 3 * south))
    alone = make_module(kind="mean").training_step(step_batch(step[:1], step[:1]), 0)
    assert alone.item() == pytest.approx(-(2 / 3 * shares["north"] + 4 / 3 * shares["south"]))


def test_the_kl_is_taken_of_the_distributions_that_are_trained(make_module: Callable[..., TriAlignModule]) -> None:
    module = make_module(kind="mean", temperature=2.0, kl_weight=1.0, welfare=WelfareConfig(truth=0.0))
    step = [fact("a", 0, ((3, 5, 6), (4,)), ((0.125, 0.25), (0.5, 0.5)), sizes=(3, 1))]
    expected = 0.0
    for agent, reference in (((0.8, 0.2), (0.125, 0.25)), ((0.5, 0.5), (0.5, 0.5))):
        # Scores per token, over the temperature: powers 1/6 of the first option and 1/2 of the second.
        ours, theirs = ((first ** (1 / 6), second ** (1 / 2)) for first, second in (agent, reference))
        expected += sum(
            o / sum(ours) * math.log(o / sum(ours) * sum(theirs) / t) for o, t in zip(ours, theirs, strict=True)
        )
    assert expected > 0.005
    assert module.training_step(step_batch(step, step), 0).item() == pytest.approx(expected, rel=1e-4)


def baseline(module: TriAlignModule, step: list[Episode]) -> list[float]:
    """The losses of a step's micro-batches, one episode each, as they are before Lightning divides them."""
    batches = [StepBatch(build_episode_batch([one], (0, 1), module.updates), tuple(step)) for one in step]
    return [module.training_step(batch, place).item() / module.micro_batches for place, batch in enumerate(batches)]


def test_the_likelihood_is_that_of_gold_over_the_tokens_of_the_whole_step(
    make_module: Callable[..., TriAlignModule],
) -> None:
    module = make_module(Table((math.log(0.8), math.log(0.5))), micro_batches=2, update="likelihood")
    # One branch a group: gold. It has three tokens for the first fact and one for the second: 2 x (3 + 1) in all.
    step = [fact("a", 0, ((3, 5, 6), (4,)), sizes=(3, 1)), fact("b", 1, ((3, 5, 6), (4,)), sizes=(3, 1))]
    each = -(math.log(0.8) + math.log(0.5)) / 8
    assert baseline(module, step) == pytest.approx([each, each])


def test_pairs_are_held_against_the_reference_and_divided_by_those_of_the_step(
    make_module: Callable[..., TriAlignModule],
) -> None:
    module = make_module(micro_batches=2, update="pairs", pairs=PairsConfig(beta=0.5))
    # Under the reference gold's odds are 9 for north and 1/4 for south; under the policy 4 and 1.
    step = [fact("a", 0, reference=((0.9, 0.1), (0.2, 0.8))), fact("b", 0), fact("c", 1)]
    module.micro_batches = 3

    def loss(margin: float) -> float:
        return math.log(1 + math.exp(-0.5 * margin))

    first = loss(math.log(4) - math.log(9)) + loss(math.log(1) - math.log(1 / 4))
    second, third = loss(math.log(4)) + loss(0), loss(-math.log(4)) + loss(0)
    # Six pairs in the step, two in each micro-batch.
    assert baseline(module, step) == pytest.approx([first / 6, second / 6, third / 6])


def test_the_averages_take_the_whole_step_and_begin_anew_after_it(make_module: Callable[..., TriAlignModule]) -> None:
    module = make_module(micro_batches=2)
    step = [fact("a", 0), fact("b", 1)]
    module.training_step(step_batch(step[:1], step), 0)
    # DeepSpeed is called after every micro-batch.
    end_step(module, batch_idx=0)
    assert module.utilities[:, 0].tolist() == [0.5, 0.25]
    module.training_step(step_batch(step[1:], step), 1)
    end_step(module)
    # Accuracy over both facts: north (.8 + .2) / 2, south (.5 + .5) / 2.
    assert module.utilities[:, 0].tolist() == pytest.approx([0.5, (0.25 + 0.5) / 2])
    end_step(module)
    # A step without observations leaves the averages as they are.
    assert module.utilities[:, 0].tolist() == pytest.approx([0.5, 0.375])


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_the_mean_over_micro_batches_is_the_steps_loss(
    make_module: Callable[..., TriAlignModule], penalty: float
) -> None:
    step = [fact("a", 0), fact("b", 1), fact("c", 0), fact("d", 0)]
    whole = make_module(penalty=penalty)
    loss = whole.training_step(step_batch(step, step), 0)
    loss.backward()
    parts = make_module(micro_batches=2, penalty=penalty)
    losses = [parts.training_step(step_batch(mine, step), 0) for mine in (step[:1], step[1:])]
    # Lightning divides each micro-batch's loss by their number.
    sum(part / 2 for part in losses).backward()  # type: ignore[union-attr]
    assert (sum(losses) / 2).item() == pytest.approx(loss.item(), abs=1e-6)
    policies: list[Any] = [whole.policy, parts.policy]
    torch.testing.assert_close(policies[1].scores.grad, policies[0].scores.grad)
    assert policies[0].scores.grad.abs().max() > 0.01


def test_what_is_logged_is_the_whole_steps(
    make_module: Callable[..., TriAlignModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = [fact("a", 0), fact("b", 1), fact("c", 0), fact("d", 0)]
    logged: list[dict[str, float]] = []
    for cuts in ([step], [step[:1], step[1:]]):
        module = make_module(micro_batches=len(cuts), penalty=0.5)
        seen: dict[str, Tensor] = {}
        monkeypatch.setattr(module, "log_dict", lambda values, seen=seen, **_: seen.update(values))
        for _ in range(2):  # the second step does not carry the first one's figures
            losses = [module.training_step(step_batch(mine, step), 0) for mine in cuts]
            end_step(module)
        logged.append({name: float(value) for name, value in seen.items() if name.startswith("train/")})
        assert logged[-1]["train/loss"] == pytest.approx((sum(losses) / len(losses)).item(), abs=1e-6)
    # S_north = (.8, .2), S_south = (.5, .5): D = [H(M) - mean H(S_g)] / log min(G, K), alike for every fact.
    own = (entropy(0.8, 0.2) + entropy(0.5, 0.5)) / 2
    expected = (entropy(0.65, 0.35) - own) / math.log(2)
    for values in logged:
        assert values["train/inconsistency"] == pytest.approx(expected, abs=1e-6)
        # The reference is (.5, .5) for both groups: KL = log 2 - H(S_g), summed over groups.
        assert values["train/kl"] == pytest.approx(math.log(2) - entropy(0.8, 0.2), abs=1e-6)


def entropy(*shares: float) -> float:
    return -sum(share * math.log(share) for share in shares)


def test_the_groups_that_learn_worst_count_more_from_the_next_step_on(
    make_module: Callable[..., TriAlignModule],
) -> None:
    module = make_module(micro_batches=2, update="pairs", pairs=PairsConfig(beta=1.0, group_step=2.0))
    step = [fact("a", 0, reference=((0.8, 0.2), (0.75, 0.25))), fact("b", 0)]

    def loss() -> float:
        return sum(baseline(module, step))

    # Margins log 4 and 0, and of the first fact log 4 and log 3 under the reference: north's losses are log 2 and
    # log 5/4, south's log(1 + 3) and log 2; first weighed alike.
    north, south = (math.log(2) + math.log(5 / 4)) / 2, (math.log(4) + math.log(2)) / 2
    assert loss() == pytest.approx((north + south) / 2)
    end_step(module)
    assert module.pair_losses.tolist() == pytest.approx([north, south])
    weights = [math.exp(2 * north), math.exp(2 * south)]
    assert loss() == pytest.approx((weights[0] * north + weights[1] * south) / sum(weights))
    end_step(module)
    assert module.pair_losses.tolist() == pytest.approx([2 * north, 2 * south])
    # No rewards were estimated: the utilities stand where they stood.
    assert module.utilities[:, 0].tolist() == [0.5, 0.25]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_that_are_no_numbers_name_step_and_questions(
    make_module: Callable[..., TriAlignModule], value: float
) -> None:
    module = make_module(Table((value, 0.0, 0.0, 0.0)))
    step = [fact("first", 0), fact("second", 1)]
    words = r"The model's scores are not numbers at step 0, in the questions first, second"
    with pytest.raises(TrainingDivergedError, match=words):
        module.training_step(step_batch(step, step), 0)
    with pytest.raises(TrainingDivergedError, match=words):
        module.validation_step(step_batch(step, step).batch, 0)


def test_a_loss_that_is_no_number_names_its_part(make_module: Callable[..., TriAlignModule]) -> None:
    module = make_module()
    module.utilities = torch.zeros_like(module.utilities)  # without epsilon, infinite weights
    step = [fact("first", 0)]
    with pytest.raises(
        TrainingDivergedError, match=r"The loss of the choices is nan at step 0, in the questions first"
    ):
        module.training_step(step_batch(step, step), 0)


@pytest.mark.parametrize(
    ("value", "words"), [(math.nan, "NaN in scores"), (-math.inf, "infinity in scores"), (3e30, "its norm overflows")]
)
def test_a_gradient_that_is_no_number_is_not_used(
    make_module: Callable[..., TriAlignModule], value: float, words: str
) -> None:
    module = make_module()
    optimizer = torch.optim.SGD(module.policy.parameters(), lr=1.0)
    module.policy.scores.grad = torch.tensor([0.0, 1.0, 2.0, 3.0])
    module.on_before_optimizer_step(optimizer)
    module.policy.scores.grad[0] = value
    with pytest.raises(TrainingDivergedError, match=rf"The gradient is not a number at step 0, before it .*{words}"):
        module.on_before_optimizer_step(optimizer)


def test_float16_training_looks_for_its_scale_but_not_for_ever(
    make_module: Callable[..., TriAlignModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TriAlignModule, "precision", "16-mixed")
    module = make_module()
    optimizer = torch.optim.SGD(module.policy.parameters(), lr=1.0)
    overflow, whole = torch.full((4,), math.inf), torch.ones(4)
    for _ in range(2):  # a whole gradient between them begins the count anew
        for gradient in [*[overflow] * OVERFLOWS, whole]:
            module.policy.scores.grad = gradient
            module.on_before_optimizer_step(optimizer)
    module.policy.scores.grad = overflow
    for _ in range(OVERFLOWS):
        module.on_before_optimizer_step(optimizer)
    with pytest.raises(TrainingDivergedError, match="The gradient is not a number"):
        module.on_before_optimizer_step(optimizer)


def test_weights_that_are_no_numbers_after_a_step_end_the_training(make_module: Callable[..., TriAlignModule]) -> None:
    module = make_module()
    step = [fact("a", 0)]
    module.training_step(step_batch(step, step), 0)
    with torch.no_grad():
        module.policy.scores[2] = math.inf
    with pytest.raises(TrainingDivergedError, match="The agents' weights are not numbers at step 0"):
        end_step(module)


def test_a_share_that_is_no_number_is_found_where_its_rank_holds_it(make_module: Callable[..., TriAlignModule]) -> None:
    module = make_module()
    module.training_step(step_batch([fact("a", 0)], [fact("a", 0)]), 0)
    policy: Any = module.policy
    # With ZeRO 3 the parameter itself is empty, and the rank's share lies beside it.
    policy.scores.ds_tensor = torch.tensor([1.0, math.nan])
    with pytest.raises(TrainingDivergedError, match="weights are not numbers"):
        end_step(module)


def test_validation_measures_each_group_and_what_they_share(make_module: Callable[..., TriAlignModule]) -> None:
    module = make_module()
    facts = [fact("a", 0), fact("b", 1)]
    module.validation_step(step_batch(facts, facts).batch, 0)
    found = {name: float(value) for name, value in module._validation_metrics().items()}
    # North answers (.8, .2) and south (.5, .5), whose first option stands first: each is right on the first fact alone.
    assert (found["truth/accuracy/north"], found["truth/accuracy/south"]) == (0.5, 0.5)
    assert found["truth/gap"] == 0
    assert found["welfare/nash"] == pytest.approx(0.5)
    assert "preference/mean" not in found
    assert module._validation_metrics() == {}  # begun anew


def test_overflows_in_a_row_are_more_than_a_loss_scale_has_halves() -> None:
    # It begins at 2^16 and is 2^-8 after them.
    assert OVERFLOWS == 16 + 8


def test_only_the_trained_weights_and_the_averages_are_stored(make_module: Callable[..., TriAlignModule]) -> None:
    module = make_module()
    module.policy.register_parameter("frozen", nn.Parameter(torch.zeros(3), requires_grad=False))
    module.policy.tied = nn.ParameterDict({"frozen": module.policy.frozen})
    assert set(module.state_dict()) == {"policy.scores", "utilities"}
    assert set(module.state_dict(prefix="engine.")) == {"engine.policy.scores", "engine.utilities"}
    # The losses by which groups are weighed are part of a state only where they are.
    assert set(make_module(update="pairs", pairs=PairsConfig(group_step=0.1)).state_dict()) == {
        "policy.scores",
        "utilities",
        "pair_losses",
    }


def test_weights_decay_by_their_share_of_the_learning_rate(make_module: Callable[..., TriAlignModule]) -> None:
    module = make_module(Table((1.0, 2.0, 3.0, 4.0)))
    module.optimizer_config = OptimizerConfig(learning_rate=0.5, warmup_steps=0, weight_decay=0.25)
    optimizer = module.configure_optimizers()["optimizer"]
    policy: Any = module.policy
    policy.scores.grad = torch.zeros(4)
    optimizer.step()
    # Without a gradient AdamW only shrinks: by 1 - 0.5 x 0.25.
    assert policy.scores.tolist() == pytest.approx([0.875, 1.75, 2.625, 3.5])


def test_the_learning_rate_warms_up_and_decays(make_module: Callable[..., TriAlignModule]) -> None:
    module = make_module()
    module.optimizer_config = OptimizerConfig(learning_rate=0.1, warmup_steps=2, weight_decay=0.0)
    made = module.configure_optimizers()
    schedule = made["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(module.steps + 1):
        rates.append(schedule.get_last_lr()[0])
        made["optimizer"].step()
        schedule.step()
    # Linear over 2 steps, then half a cosine over the other 8: half-way, at step 6, half the highest rate.
    assert rates[0] == 0
    assert rates[2] == pytest.approx(0.1)
    assert rates[6] == pytest.approx(0.05)
    assert rates[10] == pytest.approx(0, abs=1e-12)
