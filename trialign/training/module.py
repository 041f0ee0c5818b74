"""TriAlignModule: all groups' policies under one objective."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule
from pydantic import Field
from torch import Tensor, nn
from torchmetrics import Metric
from transformers import get_cosine_schedule_with_warmup

from trialign import distributed
from trialign.finite import not_finite
from trialign.metrics import AnswerDivergence, PreferenceAlignment, TruthDisparity, nash
from trialign.objectives.config import ObjectiveConfig
from trialign.objectives.distributions import log_distributions
from trialign.objectives.inconsistency import inconsistency, moved_penalty
from trialign.objectives.text import text_divergence
from trialign.objectives.welfare import moving_average, welfare_weights
from trialign.policy import GroupPolicy
from trialign.policy.output import Watched
from trialign.scoring import Scoring
from trialign.training.fsdp import own_share, whole
from trialign.training.steps import step_counts
from trialign.trajectories.batches import EpisodeBatch
from trialign.trajectories.choices import ChoiceUnits
from trialign.trajectories.datamodule import StepBatch
from trialign.updates.update import Step, StepCounts, Update, UpdateLoss

# Figures of a whole optimizer step: summed over its micro-batches and ranks.
_LOGGED = ("train/loss", "train/inconsistency", "train/kl", "train/text", "train/unseen")
# A float16 training begins at a loss scale of 2^16 and halves it at each overflow: more in a row help no further.
OVERFLOWS = 24


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW with linear warm-up and cosine decay.

    Attributes:
        learning_rate: its highest value.
        warmup_steps: optimizer steps until it is reached.
        weight_decay: decoupled weight decay.
    """

    learning_rate: Annotated[float, Field(ge=0, le=1e3)] = 3e-4
    warmup_steps: Annotated[int, Field(ge=0, le=10**9)] = 10
    weight_decay: Annotated[float, Field(ge=0, le=1e3)] = 0.0


class TrainingDivergedError(RuntimeError):
    """Scores, loss, gradient or weights are not numbers; the message names which, and the step."""


class TriAlignModule(LightningModule):
    """Trains the adapters of all groups together.

    Args:
        policy: the agents; only their adapters are trained and stored in checkpoints.
        objective: what is optimised.
        updates: those that it names; the first that takes an observation learns from it.
        optimizer: how.
        scoring: how the scores of options become S_g.
        utilities: [groups, 2] A_g and P_g of the base model, NaN where the data has no such query.
        steps: optimizer steps in all, for the schedule.
        micro_batches: forward and backward passes in one optimizer step on each rank.
        validated: places of the groups that validation asks; None: all, as each step does.
    """

    utilities: Tensor
    pair_losses: Tensor
    penalty: Tensor

    def __init__(
        self,
        policy: GroupPolicy,
        objective: ObjectiveConfig,
        updates: Sequence[Update[Any]],
        optimizer: OptimizerConfig,
        scoring: Scoring,
        utilities: Tensor,
        steps: int,
        micro_batches: int,
        validated: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.policy, self.objective, self.optimizer_config = policy, objective, optimizer
        self.updates, self.scoring, self.steps, self.micro_batches = tuple(updates), scoring, steps, micro_batches
        self.strict_loading = False
        self.register_state_dict_post_hook(_keep_trained)  # type: ignore[no-untyped-call]
        self.register_buffer("utilities", utilities.clone())
        self._step_rewards = torch.zeros_like(utilities)
        self._step_counts = torch.zeros(2)
        self._step_shares = torch.zeros(len(_LOGGED))
        groups = len(policy.groups)
        # Mean losses, summed over the steps; a resumable state holds them where an update reads them.
        remembers = any(update.remembers for update in self.updates)
        self.register_buffer("pair_losses", utilities.new_zeros(groups), persistent=remembers)
        # lambda, where a budget moves it.
        self.register_buffer("penalty", utilities.new_tensor(objective.inconsistency.weight), persistent=self._budgeted)
        self._step_flips = torch.zeros(2)
        self._step_group_losses = torch.zeros_like(self.pair_losses)
        self._group_counts: tuple[int, ...] = ()
        self._overflows, self._drawing = 0, False
        self._seats, self.sampled = torch.arange(groups), validated is not None
        self.validated = tuple(policy.groups[place] for place in validated or range(groups))
        self.truth = TruthDisparity(len(self.validated))
        self.divergence = AnswerDivergence(len(self.validated))
        self.preference = PreferenceAlignment(len(self.validated))

    def training_step(self, batch: StepBatch, batch_idx: int) -> Tensor:
        """The loss of one micro-batch, scaled so that the mean over ranks and micro-batches is the step's loss.

        Raises:
            TrainingDivergedError: the scores or the loss are not finite.
        """
        if self.policy.coordinates is not None:
            self.policy.coordinates.draws, self._drawing = batch.draws, batch.draws is not None
        seats = range(len(self.utilities)) if batch.seats is None else batch.seats
        self._seats = torch.tensor(seats, device=self.utilities.device)
        counts, texts = step_counts(batch.step, self.updates), sum(one.text_tokens for one in batch.step)
        weights = welfare_weights(self.utilities, self.objective.welfare)
        parts = self._losses(batch.batch, weights, counts, texts)
        loss = torch.stack([part.loss for _, part in parts]).sum()
        if not torch.isfinite(loss):
            broken = [name for name, part in parts if not torch.isfinite(part.loss)]
            what = f"The loss of the {' and '.join(broken)} is {loss.item()}"
            raise self._diverged(what, self._where(batch.batch))
        self._gather([part for _, part in parts], loss, counts)
        self._log_weights(weights, batch.batch)
        # Lightning averages over micro-batches and DDP over ranks; the counts are of the whole step already.
        return loss * distributed.world_size() * self.micro_batches

    def optimizer_step(self, epoch: int, batch_idx: int, *args: Any, **kwargs: Any) -> None:
        """One optimizer step, then the moving averages: step s weighs by the utilities as of step s-1.

        Raises:
            TrainingDivergedError: weights are not finite after it, on any rank.
        """
        super().optimizer_step(epoch, batch_idx, *args, **kwargs)
        if (batch_idx + 1) % self.micro_batches:
            return  # DeepSpeed accumulates by itself and is called for every micro-batch
        broken = self._step_shares.new_tensor([not torch.isfinite(share).all() for share in self._trained_here()])
        of_groups = (self._step_rewards.flatten(), self._step_counts, self._step_group_losses)
        parts = (*of_groups, self._step_shares, self._step_flips.to(broken), broken)
        sums = torch.cat(parts)
        if distributed.world_size() > 1:
            dist.all_reduce(sums)
        rewards, counts, losses, shares, flips, broken = sums.split([part.numel() for part in parts])
        if broken.any():
            raise self._diverged("The agents' weights are not numbers", "after the optimizer used the gradient")
        logged = dict(zip(_LOGGED, shares, strict=True))
        for name, there in (("train/text", bool(self.objective.text.weight)), ("train/unseen", self._drawing)):
            if not there:
                del logged[name]
        if self._budgeted and flips[1]:
            logged |= {"train/flips": flips[0] / flips[1], "train/lambda": self.penalty}
            self.penalty = moved_penalty(self.penalty, flips[0] / flips[1], self.objective.inconsistency)
        self.log_dict(logged, batch_size=1)
        self.utilities = moving_average(
            self.utilities, rewards.view_as(self.utilities), counts, self.objective.welfare.decay, self._seats
        )
        if self._group_counts:
            means = losses / losses.new_tensor(self._group_counts).clamp(min=1)
            self.pair_losses = self.pair_losses + self._scale * means
        self._step_rewards = torch.zeros_like(self._step_rewards)
        self._step_counts = torch.zeros_like(self._step_counts)
        self._step_group_losses = torch.zeros_like(self._step_group_losses)
        self._step_shares = torch.zeros_like(self._step_shares)
        self._step_flips = torch.zeros_like(self._step_flips)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Looks at the gradient before it is clipped and used; DeepSpeed's is known only by the weights after it.

        Raises:
            TrainingDivergedError: it is not finite; in float16, for longer than its loss scale could be at fault.
        """
        gradients = {name: p.grad for name, p in self.policy.named_parameters() if p.grad is not None}
        if not gradients or torch.isfinite(whole(nn.utils.get_total_norm(gradients.values()))):
            self._overflows = 0
            return
        self._overflows += 1
        if self.precision != "16-mixed" or self._overflows > OVERFLOWS:
            found = not_finite(gradients.items()) or "its norm overflows"
            raise self._diverged("The gradient is not a number", f"before it was used ({found})")

    @property
    def precision(self) -> str | None:
        """Lightning's name for the number format of the training; None without a trainer."""
        return None if self._trainer is None else str(self.trainer.precision)

    def validation_step(self, batch: EpisodeBatch, batch_idx: int) -> None:
        """Scores turn 0 of validation episodes whose answers are enumerated; one without them only keeps step.

        Raises:
            TrainingDivergedError: the scores are not finite.
        """
        scores, choice = self._scores(batch), batch.units[0]
        if not isinstance(choice, ChoiceUnits):
            return
        places, present = choice.branches.clamp(min=0), choice.branches >= 0
        shares = log_distributions(batch.values(scores)[places], present, self.scoring).exp()
        facts, tastes = choice.gold >= 0, choice.has_target
        if facts.any():
            self.truth.update(shares[facts].argmax(dim=2), choice.gold[facts])
            self.divergence.update(shares[facts], present[facts, 0])
        if tastes.any():
            self.preference.update(shares[tastes], choice.targets[tastes])

    def on_validation_epoch_end(self) -> None:
        """Logs the disparity metrics, synced over the ranks."""
        self.log_dict({f"validation/{name}": value for name, value in self._validation_metrics().items()})

    def configure_optimizers(self) -> Any:
        """AdamW over the adapters, warm-up and cosine decay per optimizer step."""
        config = self.optimizer_config
        trained = [parameter for parameter in self.policy.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=config.learning_rate, weight_decay=config.weight_decay)
        schedule = get_cosine_schedule_with_warmup(optimizer, config.warmup_steps, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _scores(self, batch: EpisodeBatch) -> Tensor:
        return self._checked(self.policy.score(batch.tree), batch)

    def _checked(self, branches: Tensor, batch: EpisodeBatch) -> Tensor:
        # Not by the loss alone: an option of minus infinity looks like one that is not there.
        if not torch.isfinite(branches).all():
            raise self._diverged("The model's scores are not numbers", self._where(batch))
        return branches

    def _where(self, batch: EpisodeBatch) -> str:
        return f"in the questions {', '.join(batch.query_ids)}"

    def _diverged(self, what: str, where: str) -> TrainingDivergedError:
        return TrainingDivergedError(f"{what} at step {self.global_step}, {where}")

    def _trained_here(self) -> list[Tensor]:
        """The trained weights; with ZeRO 3 or FSDP2, this rank's share of them."""
        return [own_share(getattr(p, "ds_tensor", p)).detach() for p in self.policy.parameters() if p.requires_grad]

    def _losses(
        self, batch: EpisodeBatch, weights: Tensor, counts: Sequence[StepCounts], text_tokens: int
    ) -> list[tuple[str, UpdateLoss]]:
        """The loss of each update that takes some of the batch, in their order, then that of the text term.

        Args:
            batch: of this rank and micro-batch.
            weights: [groups, 2] welfare weights of all groups.
            counts: of the whole step with all groups, for each update.
            text_tokens: of the teachers' replies in the whole step with all groups.
        """
        if batch.texts is None:
            scores, texts = self._scores(batch), []
        else:
            scores, of_agent = self.policy.score_watched(batch.tree, Watched(batch.texts.places, batch.texts.tokens))
            scores = self._checked(scores, batch)
            divergence = text_divergence(of_agent, batch.texts.log_probabilities, batch.texts.rest).sum()
            share = self._scale * divergence / max(text_tokens, 1)
            texts = [("texts", UpdateLoss(self.objective.text.weight * share, text=share.detach()))]
        values = batch.values(scores)
        mine, seats, scale = weights[self._seats], self._seats, self._scale
        now = self._lambda
        parts = [
            (update.part, update.loss(units, scores, Step(mine, counted, self.pair_losses, values, seats, scale, now)))
            for update, units, counted in zip(self.updates, batch.units, counts, strict=True)
            if units is not None
        ]
        return [*parts, *texts, *self._prior(), *self._unseen(batch, values, counts[0].truth)]

    @property
    def _budgeted(self) -> bool:
        """Whether lambda moves by itself."""
        return self.objective.inconsistency.budget is not None

    @property
    def _lambda(self) -> float:
        """The penalty's weight as it stands."""
        return self.penalty.item() if self._budgeted else self.objective.inconsistency.weight

    @property
    def _scale(self) -> float:
        """All groups over those that the step asks."""
        return len(self.utilities) / len(self._seats)

    def _unseen(self, batch: EpisodeBatch, values: Tensor, truth: int) -> list[tuple[str, UpdateLoss]]:
        """The inconsistency penalty among the groups and agents of no group; none where none were drawn.

        Args:
            batch: of this rank and micro-batch.
            values: [branches] what each counts by in S_g.
            truth: observations of the whole step with a gold answer.
        """
        units, config = batch.unseen, self.objective.inconsistency
        if not isinstance(units, ChoiceUnits):
            return []
        places, present = units.branches.clamp(min=0), units.branches >= 0
        shares = log_distributions(values[places], present, self.scoring)
        found = inconsistency(shares, units.gold, present[:, 0].sum(dim=1), config).sum()
        return [("draws of no group", UpdateLoss(self._lambda * found / max(truth, 1), unseen=found.detach()))]

    def _prior(self) -> list[tuple[str, UpdateLoss]]:
        """What the groups' own numbers cost, with a basis; each micro-batch of each rank has its share."""
        if self.policy.coordinates is None:
            return []
        weight = self.policy.config.basis.prior / (distributed.world_size() * self.micro_batches)
        return [("groups' coordinates", UpdateLoss(weight * self.policy.coordinates.prior()))]

    def _gather(self, parts: Sequence[UpdateLoss], loss: Tensor, counts: Sequence[StepCounts]) -> None:
        """Adds what a micro-batch found to what is known of the optimizer step."""
        self._step_shares = self._step_shares.to(self.device) + _shares(parts, loss, counts[0].truth)
        for part in parts:
            if part.flips is not None:
                self._step_flips = self._step_flips.to(self.device) + part.flips
            if part.rewards is not None and part.counts is not None:
                self._step_rewards = self._of_all(self._step_rewards, part.rewards)
                self._step_counts = self._step_counts.to(self.device) + part.counts
            if part.group_losses is not None:
                self._step_group_losses = self._of_all(self._step_group_losses, part.group_losses)
        self._group_counts = next(
            (one.own for update, one in zip(self.updates, counts, strict=True) if update.remembers), ()
        )

    def _of_all(self, sums: Tensor, found: Tensor) -> Tensor:
        """Sums of all groups, with what was found of those of the step added."""
        return sums.to(self.device).index_add(0, self._seats, found.to(sums.dtype))

    def _log_weights(self, weights: Tensor, batch: EpisodeBatch) -> None:
        values: dict[str, Tensor | float] = {"train/padding": batch.tree.padding_share}
        weighted = any(update.weighted for update in self.updates)
        for column, kind in enumerate(("truth", "preference") if weighted else ()):
            for name, known in (("utility", self.utilities), ("weight", weights)):
                of_groups = dict(zip(self.policy.groups, known[:, column], strict=True))
                figures = _spread(known[:, column]) if self.sampled else of_groups
                values |= {f"{name}/{kind}/{group}": value for group, value in figures.items()}
        self.log_dict(values, batch_size=1)

    def _validation_metrics(self) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {}
        utilities: list[Tensor] = []
        if _seen(self.truth):
            truth = self.truth.compute()
            utilities.append(truth["accuracy"])
            values |= {f"truth/{name}": value for name, value in truth.items() if name != "accuracy"}
            values |= self._per_group("truth/accuracy", truth["accuracy"])
            values["truth/jsd"] = self.divergence.compute()
        if _seen(self.preference):
            preference = self.preference.compute()
            utilities.append(preference["score"])
            values |= {f"preference/{name}": preference[name] for name in ("mean", "worst")}
            values |= self._per_group("preference/score", preference["score"])
            values |= self._per_group("preference/swapped", preference["swapped"])
        if utilities:
            values["welfare/nash"] = nash(torch.cat(utilities), self.objective.welfare.epsilon)
        for metric in (self.truth, self.divergence, self.preference):
            metric.reset()
        return values

    def _per_group(self, name: str, values: Tensor) -> dict[str, Tensor]:
        # torchmetrics squeezes the values of a single group to a scalar.
        values = values.reshape(-1)
        return {f"{name}/{group}": values[index] for index, group in enumerate(self.validated)}


def _spread(values: Tensor) -> dict[str, Tensor]:
    """Of very many groups; no group has a name with a blank."""
    lowest, highest = values.nan_to_num(torch.inf).min(), values.nan_to_num(-torch.inf).max()
    return {"lowest of all": lowest, "mean of all": values.nanmean(), "highest of all": highest}


def _shares(parts: Sequence[UpdateLoss], loss: Tensor, truth: int) -> Tensor:
    """[5] what a micro-batch adds to the step's figures in the order of ``_LOGGED``; the counts are the step's."""
    nothing = loss.new_zeros(())
    divergence = sum((part.inconsistency for part in parts if part.inconsistency is not None), nothing)
    kl = sum((part.kl for part in parts if part.kl is not None), nothing)
    text = sum((part.text for part in parts if part.text is not None), nothing)
    unseen = sum((part.unseen for part in parts if part.unseen is not None), nothing)
    figures = [loss, divergence / max(truth, 1), kl, text, unseen / max(truth, 1)]
    return torch.stack(figures).detach().float()


def _keep_trained(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    """Keeps frozen weights out of every checkpoint, also under a second name that tied ones have."""
    trained = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    kept = trained | {"utilities", "pair_losses", "penalty"}
    for name in [name for name in state if name.removeprefix(prefix) not in kept]:
        del state[name]


def _seen(metric: Metric) -> bool:
    return any(distributed.gather(metric.update_called))
