"""A last look before agents are asked: are scores in a tree those of plain rows, on this very model?"""

from __future__ import annotations

import math

import torch

from trialign.errors import UserError
from trialign.policy.group_policy import GroupPolicy
from trialign.policy.scoring import score_rows
from trialign.policy.tree import ROOT, Segment, TreeRow
from trialign.shortage import lacks_memory

# Nats; of rounding in half precision, and in single. Positions or masks that a model does not heed differ by more.
_HALF, _SINGLE = 0.5, 1e-3


@torch.inference_mode()
def check_exact(policy: GroupPolicy) -> None:
    """Scores three answers to two prompts in the policy's way and as the base model itself does.

    A family may pass by every rule and still do something of its own with masks, positions or rows.

    Raises:
        UserError: the scores differ, or the model cannot be asked in this way at all.
    """
    if policy.invocation:
        return  # activated adapters need a prompt of their own kind
    rows = [
        TreeRow(adapter, (Segment(prompt, ROOT), *(Segment(answer, 0, action=True) for answer in _ANSWERS)))
        for adapter, prompt in ((0, _PROMPT), (len(policy.adapters) - 1, _PROMPT[:5]))
    ]
    name = policy.base.config.name_or_path or policy.base.config.model_type
    training = policy.training
    policy.eval()
    try:
        scored = [score for row in score_rows(policy, rows) for score in row]
        plain = [_plainly(policy, row.adapter, row.segments[0].tokens, answer) for row in rows for answer in _ANSWERS]
    except UserError:
        raise
    except Exception as error:  # a family's code fails in any way where it is asked as its authors never did
        if lacks_memory(error):
            raise
        raise UserError(
            f"The base model {name} cannot be asked in batches of groups ({' '.join(str(error).split())[:200]})",
            "Choose another base model, or other layers in policy.target_modules",
        ) from error
    finally:
        policy.train(training)
    if not all(map(math.isfinite, (*scored, *plain))):
        return  # weights that are no numbers are refused by name where they are read and where they score
    bound = _HALF if policy.base.dtype in (torch.float16, torch.bfloat16) else _SINGLE
    apart = max(abs(a - b) / max(1.0, abs(b) / 10) for a, b in zip(scored, plain, strict=True))
    if apart > bound:
        raise UserError(
            f"The base model {name} gives answers other scores in the prefix tree than in rows of their own (they "
            f"differ by {apart:.2g} nats)",
            "Choose another base model (Llama, Qwen2/3 and SmolLM2 are exact)",
        )


def _plainly(policy: GroupPolicy, adapter: int, prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
    ids = torch.tensor([[*prompt, *answer]], device=policy.device)
    policy.routing.rows = torch.tensor([adapter], device=policy.device)
    logits = policy.base(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1]
    likely = logits.to(policy.score_dtype).log_softmax(dim=-1)
    return float(likely.gather(1, ids[0, len(prompt) :, None]).sum())


_PROMPT = (5, 11, 7, 23, 13, 5, 17, 9, 21)
_ANSWERS = ((8, 19), (14,), (6, 10, 12))
