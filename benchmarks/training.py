"""One training step against TRL and against a PEFT loop: the same weights, the same trajectories, the same loss.

Forward and backward pass of one optimizer step, on the embedded model with one LoRA adapter for all groups (the case
that suits the rivals: with an adapter a group they would train one group after the other). ``options``: questions with
four options, each option a trajectory. ``turns``: 8 groups, 4 samples, 2 turns of questions with free answers. ``sft``:
the likelihood of all trajectories; ``dpo``: the first answer of a prompt against each other one. The rivals get their
rows sorted by length and cut into micro-batches of the size that is fastest here (of those that ``--micro-batches``
names: a rival's memory grows with them); TRL: completion-only loss,
reference precomputed, no checkpointing, float32.

    python benchmarks/training.py --data options --rounds 5
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "30000")

import torch
import torch.nn.functional as F
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from side_by_side import Work, fastest, one_thread, peak_memory, setting, table, take_turns
from torch import Tensor, nn
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
from workloads import Prompted, prompted_options, prompted_turns, session_of

from trialign.api.session import Session
from trialign.models import load_model
from trialign.policy import ROOT, Segment, TreeBatch, TreeRow, build_tree_batch
from trialign.policy.adapters import SHARED
from trialign.policy.tree import pack_rows
from trialign.trajectories.batches import build_episode_batch
from trialign.updates.awr import Awr
from trialign.updates.likelihood import likelihood_loss
from trialign.updates.pairs import preference_pair_loss
from trialign.updates.sampled import SampleUnits

BETA = 0.1


@dataclass(frozen=True)
class Step:
    """One optimizer step.

    Attributes:
        prompts: each with its answers.
        tree: the same as the engine computes it.
        branches: branch of every answer, prompt by prompt.
        reference: log-probabilities of every answer under the base model.
    """

    prompts: tuple[Prompted, ...]
    tree: TreeBatch
    branches: Tensor
    reference: Tensor

    @property
    def answers(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """(prompt, answer), prompt by prompt."""
        return [(one.prompt, answer) for one in self.prompts for answer in one.answers]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(better, worse): the first answer of each prompt and each other one."""
        found, begin = [], 0
        for one in self.prompts:
            found.extend((begin, begin + place) for place in range(1, len(one.answers)))
            begin += len(one.answers)
        return found

    @property
    def useful_tokens(self) -> int:
        """Tokens of all trajectories, each with its prompt."""
        return sum(len(prompt) + len(answer) for prompt, answer in self.answers)

    @property
    def action_tokens(self) -> int:
        """Tokens of all answers."""
        return sum(len(answer) for _, answer in self.answers)


@dataclass(frozen=True)
class Side:
    """One way to compute the step.

    Attributes:
        model: whose trainable parameters get the gradients.
        work: forward and backward.
        padding: share of the computed positions that hold no token.
        settings: in words.
    """

    model: nn.Module
    work: Work
    padding: float
    settings: str


def step_of(session: Session, data: str, queries: int, groups: int, tokens: int) -> Step:
    """The step's trajectories, and the tree that the engine makes of them."""
    if data == "turns":
        episodes, prompts = prompted_turns(session, queries, groups, tokens)
        updates = (Awr(session.config.objective, session.config.scoring),)
        batch = build_episode_batch(episodes, [0] * len(episodes[0].turns[0]), updates)
        (units,) = batch.units
        assert isinstance(units, SampleUnits)
        # Units are episodes by turns, then groups: the order of the prompts.
        branches, tree = units.branches.flatten(), batch.tree
    else:
        prompts = prompted_options(session, queries)
        rows = [
            TreeRow(0, (Segment(one.prompt, ROOT), *(Segment(answer, 0, action=True) for answer in one.answers)))
            for one in prompts
        ]
        packed = pack_rows(rows)
        tree = build_tree_batch([one.row for one in packed])
        order = [member for one in packed for member in one.members]
        begins = torch.tensor([0, *(len(rows[index].segments) - 1 for index in order)]).cumsum(0)
        places = {index: int(begins[place]) for place, index in enumerate(order)}
        branches = torch.tensor([places[i] + k for i, row in enumerate(rows) for k in range(len(row.segments) - 1)])
    with torch.no_grad():
        reference = session.policy.score(tree, reference=True)[branches]
    return Step(tuple(prompts), tree, branches, reference)


def loss_of(step: Step, objective: str, scores: Tensor, picked: Sequence[int] | None = None) -> Tensor:
    """The step's loss, or the part of some of its answers (sft) or pairs (dpo).

    Args:
        step: the whole step.
        objective: ``sft`` or ``dpo``.
        scores: [answers], of those that are picked; for pairs, all better ones and then all worse ones.
        picked: indices of answers or pairs; None: all, scores in the step's order.
    """
    if objective == "sft":
        return likelihood_loss(scores, step.action_tokens)
    pairs = torch.tensor(step.pairs)
    if picked is None:
        ratios = scores - step.reference
        return preference_pair_loss(ratios[pairs[:, 0]], ratios[pairs[:, 1]], len(pairs), BETA)
    better, worse = scores.chunk(2)
    reference = step.reference[pairs[list(picked)]]
    return preference_pair_loss(better - reference[:, 0], worse - reference[:, 1], len(pairs), BETA)


def engine(session: Session, step: Step, objective: str) -> Side:
    """This project's forward and backward."""

    def work() -> None:
        loss_of(step, objective, session.policy.score(step.tree)[step.branches]).backward()

    return Side(session.policy, work, step.tree.padding_share, "one pass")


def engine_again(session: Session, step: Step, objective: str) -> Side:
    """The same with less memory: layers are computed again in the backward pass."""
    plain = engine(session, step, objective)

    def work() -> None:
        session.policy.train().checkpoint_activations()
        plain.work()
        session.policy.base.activation_checkpointing_disable()

    return replace(plain, work=work, settings="one pass, layers computed again")


def units_of(step: Step, objective: str) -> list[list[int]]:
    """What a rival's rows hold: an answer each (sft), or two of a pair (dpo); indices of answers."""
    return [[i] for i in range(len(step.answers))] if objective == "sft" else [list(pair) for pair in step.pairs]


def micro_batches(step: Step, objective: str, size: int) -> list[list[int]]:
    """Indices of units, from long to short, a micro-batch each."""
    units, answers = units_of(step, objective), step.answers
    length = [max(sum(map(len, answers[i])) for i in unit) for unit in units]
    order = sorted(range(len(units)), key=lambda unit: -length[unit])
    return [order[begin : begin + size] for begin in range(0, len(order), size)]


def padding_of(step: Step, objective: str, size: int) -> float:
    """Share of padding in the rivals' micro-batches."""
    units, tokens, positions = units_of(step, objective), 0, 0
    for batch in micro_batches(step, objective, size):
        lengths = [sum(map(len, step.answers[i])) for unit in batch for i in units[unit]]
        tokens += sum(lengths)
        positions += len(lengths) * max(lengths)
    return 1 - tokens / positions


def rival_model(session: Session) -> PeftModel:
    """The base model in plain PEFT, with the engine's adapter."""
    config = session.config.policy
    lora = LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(load_model(session.files, session.config.model), lora)
    assert isinstance(model, PeftModel)
    set_peft_model_state_dict(model, session.policy.adapter_state(SHARED))
    return model.train()


def rival(
    name: str,
    step: Step,
    objective: str,
    model: nn.Module,
    part: Callable[[list[int]], Tensor],
    sizes: Sequence[int],
) -> Side:
    """A side that computes the loss part by part, in micro-batches of the size that is fastest."""

    def work(size: int) -> None:
        for units in micro_batches(step, objective, size):
            part(units).backward()

    size = fastest({size: partial(work, size) for size in sizes})
    return Side(model, partial(work, size), padding_of(step, objective, size), f"{name}, micro-batches of {size}")


def peft_loop(session: Session, step: Step, objective: str, sizes: Sequence[int]) -> Side:
    """What one writes by hand: pad, forward, log-softmax, gather."""
    model, units, answers = rival_model(session), units_of(step, objective), step.answers

    def part(picked: list[int]) -> Tensor:
        chosen = [units[unit][place] for place in range(len(units[0])) for unit in picked]
        rows = [answers[i] for i in chosen]
        length = max(len(prompt) + len(answer) for prompt, answer in rows)
        ids = torch.zeros(len(rows), length, dtype=torch.long)
        mask, answered = torch.zeros_like(ids), torch.zeros(len(rows), length - 1)
        for place, (prompt, answer) in enumerate(rows):
            end = len(prompt) + len(answer)
            ids[place, :end] = torch.tensor([*prompt, *answer])
            mask[place, :end] = 1
            answered[place, len(prompt) - 1 : end - 1] = 1
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
        tokens = -F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none").view_as(answered)
        return loss_of(step, objective, (tokens * answered).sum(dim=1), picked)

    return rival("full logits", step, objective, model, part, sizes)


def trl_side(session: Session, step: Step, objective: str, folder: str, sizes: Sequence[int]) -> Side:
    """TRL's own collator and loss."""
    common: dict[str, Any] = {
        "output_dir": folder,
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "max_length": None,
        "train_sampling_strategy": "group_by_length",
    }
    tokenizer, model = session.renderer.tokenizer, rival_model(session)
    answers, units = step.answers, units_of(step, objective)
    if objective == "sft":
        rows = [{"input_ids": [*p, *a], "completion_mask": [0] * len(p) + [1] * len(a)} for p, a in answers]
        trainer: Any = SFTTrainer(
            model,
            SFTConfig(completion_only_loss=True, **common),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
        )
        examples = [{"input_ids": [*p, *a], "labels": [-100] * len(p) + list(a)} for p, a in answers]
    else:
        # The trainer computes the references of a data set of texts; here they are computed already, by the engine.
        texts = Dataset.from_list([{"prompt": "a", "chosen": "b", "rejected": "c"}])
        config = DPOConfig(beta=BETA, precompute_ref_log_probs=True, **common)
        trainer = DPOTrainer(model, args=config, train_dataset=texts, processing_class=tokenizer)
        examples = [
            {
                "prompt_ids": list(answers[better][0]),
                "chosen_ids": list(answers[better][1]),
                "rejected_ids": list(answers[worse][1]),
                "ref_chosen_logps": float(step.reference[better]),
                "ref_rejected_logps": float(step.reference[worse]),
            }
            for better, worse in step.pairs
        ]
    trainer.model.train()

    def part(picked: list[int]) -> Tensor:
        inputs = trainer.data_collator([examples[unit] for unit in picked])
        if objective == "sft":
            loss: Tensor = trainer.compute_loss(trainer.model, inputs, num_items_in_batch=step.action_tokens)
            return loss
        mean: Tensor = trainer.compute_loss(trainer.model, inputs)
        return mean * (len(picked) / len(units))

    return rival("completion-only loss, length-grouped", step, objective, trainer.model, part, sizes)


def gradients(side: Side) -> Tensor:
    """All adapters' gradients of one step, in one vector."""
    side.model.zero_grad()
    side.work()
    found = [p.grad.flatten() for _, p in side.model.named_parameters() if p.requires_grad and p.grad is not None]
    side.model.zero_grad()
    return torch.cat(found)


def compare(session: Session, data: str, objective: str, step: Step, arguments: argparse.Namespace) -> None:
    """Prints one table."""
    rounds, sizes = arguments.rounds, arguments.micro_batches
    with tempfile.TemporaryDirectory() as folder:
        sides = {"TriAlign": engine(session, step, objective)}
        if data == "turns":
            sides["TriAlign, checkpointing"] = engine_again(session, step, objective)
        if "peft" in arguments.rivals:
            sides["PEFT loop"] = peft_loop(session, step, objective, sizes)
        if "trl" in arguments.rivals:
            sides["TRL"] = trl_side(session, step, objective, folder, sizes)
        found: dict[str, Tensor] = {}
        memory = {
            name: peak_memory(lambda name=name, side=side: found.update({name: gradients(side)}))
            for name, side in sides.items()
        }
        own = found["TriAlign"]
        differences = {name: float((gradient - own).norm() / own.norm()) for name, gradient in found.items()}
        measured = take_turns({name: side.work for name, side in sides.items()}, rounds, warm_up=False)
    trajectories = len(units_of(step, objective)) * len(units_of(step, objective)[0])
    rows = [
        [
            name,
            f"{measured[name].median:.2f}",
            measured[name].spread,
            f"{len(step.answers) / measured[name].median:.1f}",
            f"{step.useful_tokens / measured[name].median:.0f}",
            f"{side.padding:.2f}",
            f"{memory[name]:.0f}",
            f"{differences[name]:.0e}",
            f"{measured[name].median / measured['TriAlign'].median:.2f}",
            side.settings,
        ]
        for name, side in sides.items()
    ]
    header = ["side", "median, CPU s", "range", "trajectories/s", "useful tokens/s", "padding", "peak MB"]
    print(f"\n{data}, {objective}: {len(step.answers)} trajectories of {step.useful_tokens} tokens ", end="")
    print(f"({trajectories} rows for the rivals)\n")
    print(table([*header, "gradients differ by", "time / TriAlign", "settings"], rows), flush=True)


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["options", "turns"], choices=["options", "turns"])
    parser.add_argument("--objectives", nargs="+", default=["sft", "dpo"], choices=["sft", "dpo"])
    parser.add_argument("--queries", type=int, default=4, help="questions in the step; a quarter with turns")
    parser.add_argument("--groups", type=int, default=8, help="groups with turns")
    parser.add_argument("--micro-batches", type=int, nargs="+", default=[8, 32], help="rows of a rival's at a time")
    parser.add_argument("--rivals", nargs="+", default=["peft", "trl"], choices=["peft", "trl"])
    parser.add_argument("--tokens", type=int, default=24, help="longest reply with turns")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    one_thread()
    print(setting("trl"))
    for data in arguments.data:
        session = session_of(data)
        queries = max(arguments.queries // (4 if data == "turns" else 1), 1)
        step = step_of(session, data, queries, arguments.groups, arguments.tokens)
        for objective in arguments.objectives:
            compare(session, data, objective, step, arguments)


if __name__ == "__main__":
    main()
