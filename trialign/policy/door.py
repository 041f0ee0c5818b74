"""A last look before agents are asked: are their scores those of the model's own forward pass, on this very model?"""

from __future__ import annotations

import logging
import math

import torch

from trialign import distributed
from trialign.errors import UserError
from trialign.models.families import sees_all
from trialign.policy.group_policy import GroupPolicy
from trialign.policy.scoring import score_rows
from trialign.policy.tree import ROOT, Segment, TreeRow
from trialign.shortage import lacks_memory

log = logging.getLogger("trialign")

# Nats; of rounding in half precision, and in single. Positions or masks that a model does not heed differ by more.
_HALF, _SINGLE = 0.5, 1e-3


@torch.inference_mode()
def check_exact(policy: GroupPolicy) -> None:
    """Scores three answers to two prompts in the policy's way and as the base model itself does.

    A family may pass by every rule and still do something of its own with masks, positions or rows. Where the prefix
    tree is not exact, plain rows are taken, and tried in the same way, and the log says so; then whether answers can go
    on from copies of a prompt's states where there is no backward pass.

    Raises:
        UserError: plain rows differ too, or the model cannot be asked in this way at all.
    """
    if policy.invocation:
        return  # activated adapters need a prompt of their own kind
    name = policy.base.config.name_or_path or policy.base.config.model_type
    training = policy.training
    policy.eval()
    try:
        if not policy.plain and (fault := _fault(policy)):
            policy.plain = f"a prefix tree that {fault}"
        policy.continues = False
        if policy.plain and (fault := _fault(policy)):
            raise UserError(
                f"The base model {name} cannot be asked in batches of groups: what it gives there {fault}",
                "Choose another base model, or other layers in policy.target_modules",
            )
        if policy.plain and sees_all(policy.base.config):  # a window would not show in prompts this short
            policy.continues = True
            policy.continues = not _fault(policy)
    finally:
        policy.train(training)
    if distributed.rank() == 0:  # the tree is what nearly all models go by, and no news
        level, copied = logging.INFO if policy.plain else logging.DEBUG, "; audits go on from copies of its states"
        log.log(level, "Branches go by %s%s", path_of(policy.plain), copied if policy.continues else "")


def path_of(plain: str) -> str:
    """How branches are computed, in words; ``plain`` is `GroupPolicy.plain`."""
    return f"plain rows, each with its whole prompt, for the model has {plain}" if plain else "the prefix tree"


def _fault(policy: GroupPolicy) -> str:
    """How scores differ from those of the model's own forward pass; empty where they do not."""
    rows = [
        TreeRow(adapter, (Segment(prompt, ROOT), *(Segment(answer, 0, action=True) for answer in _ANSWERS)))
        for adapter, prompt in ((0, _PROMPT), (len(policy.adapters) - 1, _PROMPT[:5]))
    ]
    try:
        scored = [score for row in score_rows(policy, rows) for score in row]
        plain = [_plainly(policy, row.adapter, row.segments[0].tokens, answer) for row in rows for answer in _ANSWERS]
    except UserError:
        raise
    except Exception as error:  # a family's code fails in any way where it is asked as its authors never did
        if lacks_memory(error):
            raise
        return f"fails ({' '.join(str(error).split())[:200]})"
    if not all(map(math.isfinite, (*scored, *plain))):
        return ""  # weights that are no numbers are refused by name where they are read and where they score
    bound = _HALF if policy.base.dtype in (torch.float16, torch.bfloat16) else _SINGLE
    apart = max(abs(a - b) / max(1.0, abs(b) / 10) for a, b in zip(scored, plain, strict=True))
    return f"differs by {apart:.2g} nats from rows of their own" if apart > bound else ""


def _plainly(policy: GroupPolicy, adapter: int, prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
    ids = torch.tensor([[*prompt, *answer]], device=policy.device)
    policy.routing.rows = torch.tensor([adapter], device=policy.device)
    logits = policy.base(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1]
    likely = logits.to(policy.score_dtype).log_softmax(dim=-1)
    return float(likely.gather(1, ids[0, len(prompt) :, None]).sum())


_PROMPT = (5, 11, 7, 23, 13, 5, 17, 9, 21)
_ANSWERS = ((8, 19), (14,), (6, 10, 12))
