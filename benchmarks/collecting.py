"""Replies of all groups at once against `generate` group by group; scored options against lm-evaluation-harness.

``collecting``: K replies of every group to free questions, an adapter a group. The rival is plain PEFT: set a group's
adapter, `generate` its prompts as one batch with `num_return_sequences`. Greedy replies of both sides are compared.
``auditing``: log-probabilities of all options of all questions for one group after the other, against the harness's own
`HFLM` on a plain PEFT model, which sorts by length; the batch size that is fastest here is taken.

    python benchmarks/collecting.py --questions 4 --rounds 3
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "30000")

import torch
from lm_eval.models.huggingface import HFLM
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from side_by_side import Work, fastest, one_thread, peak_memory, setting, table, take_turns
from workloads import Prompted, prompted_free, prompted_options, session_of

from trialign.api.session import Session
from trialign.models import load_model
from trialign.policy import ROOT, Segment, TreeRow
from trialign.policy.group_policy import Sampling
from trialign.policy.scoring import score_rows

BATCH_SIZES = (8, 32)


def plain_peft(session: Session) -> PeftModel:
    """The same base model and adapters in plain PEFT, one adapter a group."""
    config, model = session.config.policy, None
    for name in session.policy.adapters:
        lora = LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
        if model is None:
            base = load_model(session.files, session.config.model)
            model = get_peft_model(base, lora, adapter_name=name)
        else:
            model.add_adapter(name, lora)
        set_peft_model_state_dict(model, session.policy.adapter_state(name), adapter_name=name)
    assert isinstance(model, PeftModel)
    return model.eval()


def group_by_group(
    session: Session, model: PeftModel, asked: list[Prompted], samples: int, tokens: int, sampled: bool
) -> list[tuple[int, ...]]:
    """Replies of plain PEFT, in the order of the prompts."""
    replies: dict[int, list[tuple[int, ...]]] = {}
    end = session.renderer.end_id
    for group in dict.fromkeys(one.group for one in asked):
        model.set_adapter(group)
        mine = [index for index, one in enumerate(asked) if one.group == group]
        length = max(len(asked[index].prompt) for index in mine)
        ids = torch.full((len(mine), length), end)
        mask = torch.zeros_like(ids)
        for row, index in enumerate(mine):
            ids[row, length - len(asked[index].prompt) :] = torch.tensor(asked[index].prompt)
            mask[row, length - len(asked[index].prompt) :] = 1
        with torch.no_grad():
            output = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=tokens,
                do_sample=sampled,
                num_return_sequences=samples,
                top_k=0,
                eos_token_id=end,
                pad_token_id=end,
            )
        for row, reply in enumerate(output[:, length:].tolist()):
            cut = tuple(reply[: reply.index(end) + 1] if end in reply else reply)
            replies.setdefault(mine[row // samples], []).append(cut)
    return [reply for index in sorted(replies) for reply in replies[index]]


def collecting(session: Session, questions: int, samples: int, tokens: int, rounds: int) -> None:
    """Prints the table of sampled replies."""
    asked, model, policy = prompted_free(session, questions), plain_peft(session), session.policy.eval()
    prompts, groups = [one.prompt for one in asked], [one.group for one in asked]

    def own(temperature: float, count: int) -> list[tuple[int, ...]]:
        sampling = Sampling(tokens, temperature, seed=0)
        return policy.generate(prompts, groups, session.renderer.end_ids, sampling, samples=count)

    greedy = own(0.0, 1), group_by_group(session, model, asked, 1, tokens, False)
    equal = sum(one == other for one, other in zip(*greedy, strict=True))
    rival = partial(group_by_group, session, model, asked, samples, tokens, True)
    print(
        f"\ncollecting: {len(asked)} prompts of {len(set(groups))} groups, {samples} samples, {tokens} tokens; ", end=""
    )
    print(f"greedy replies equal: {equal} of {len(asked)}\n")
    show({"TriAlign": partial(own, 1.0, samples), "PEFT, group by group": rival}, len(asked) * samples, rounds)


def auditing(session: Session, questions: int, rounds: int) -> None:
    """Prints the table of scored options."""
    asked, model, policy = prompted_options(session, questions), plain_peft(session), session.policy.eval()
    rows = [
        TreeRow(
            policy.adapter_index(one.group),
            (Segment(one.prompt, ROOT), *(Segment(answer, 0, action=True) for answer in one.answers)),
        )
        for one in asked
    ]
    tokenizer: Any = session.renderer.tokenizer

    def harness(size: int) -> list[float]:
        evaluated = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=size, device="cpu")
        scores: dict[tuple[int, int], float] = {}
        for group in session.groups.names:
            model.set_adapter(group)
            keys = [(i, k) for i, one in enumerate(asked) if one.group == group for k in range(len(one.answers))]
            requests = [
                ((str(key), ""), list(asked[key[0]].prompt), list(asked[key[0]].answers[key[1]])) for key in keys
            ]
            found = evaluated._loglikelihood_tokens(requests, disable_tqdm=True)
            scores |= {key: value for key, (value, _) in zip(keys, found, strict=True)}
        return [scores[key] for key in sorted(scores)]

    own = [value for values in score_rows(policy, rows) for value in values]
    size = fastest({size: partial(harness, size) for size in BATCH_SIZES})
    furthest = max(abs(one - other) for one, other in zip(own, harness(size), strict=True))
    print(
        f"\nauditing: {len(asked)} prompts, {len(own)} options; scores differ by {furthest:.0e} nats at most; ", end=""
    )
    print(f"the harness in batches of {size}\n")
    show({"TriAlign": partial(score_rows, policy, rows), "lm-eval": partial(harness, size)}, len(own), rounds)


def show(sides: dict[str, Work], pieces: int, rounds: int) -> None:
    """Measures the sides and prints their table."""
    measured = take_turns(sides, rounds)
    own = measured["TriAlign"].median
    rows = [
        [
            name,
            f"{m.median:.2f}",
            m.spread,
            f"{pieces / m.median:.1f}",
            f"{peak_memory(sides[name]):.0f}",
            f"{m.median / own:.2f}",
        ]
        for name, m in measured.items()
    ]
    print(table(["side", "median, CPU s", "range", "a second", "peak MB", "time / TriAlign"], rows), flush=True)


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", nargs="+", default=["collecting", "auditing"], choices=["collecting", "auditing"])
    parser.add_argument("--questions", type=int, default=4)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    one_thread()
    print(setting("lm_eval"))
    for work in arguments.work:
        session = session_of("turns" if work == "collecting" else "options", "policy=per_group")
        if work == "collecting":
            collecting(session, arguments.questions, arguments.samples, arguments.tokens, arguments.rounds)
        else:
            auditing(session, arguments.questions, arguments.rounds)


if __name__ == "__main__":
    main()
