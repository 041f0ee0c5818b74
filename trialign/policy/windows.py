"""Attention masks of a prefix tree as a family's layers take them: within windows, layer by layer, added or not.

A window counts positions along a branch: a token sees so many of its ancestors, itself among them, as in a row of its
own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trialign.models.families import Windows

Masks = Tensor | dict[str, Tensor]


def layer_masks(mask: Tensor, position_ids: Tensor, windows: Windows | None, added: torch.dtype | None = None) -> Masks:
    """What a decoder is given in the place of a tree's mask.

    Args:
        mask: [rows, 1, length, length] bool; a token sees its ancestors and itself.
        position_ids: [rows, length]; a branch continues the position of its parent.
        windows: of the decoder's layers; None: every layer sees all.
        added: number format of masks that are added to the attention's scores; None: it takes bool ones.

    Returns:
        One mask for all layers, or one for each kind of layer, by transformers' name of the kind.
    """
    full = mask if added is None else _added(mask, added)
    if windows is None:
        return full
    near = full
    if mask.shape[-1] > windows.size:
        apart = position_ids.unsqueeze(2) - position_ids.unsqueeze(1)
        seen = mask & (apart < windows.size).unsqueeze(1)
        near = seen if added is None else _added(seen, added)
    return {"full_attention": full, "sliding_attention": near} if windows.by_layer else near


def added_as(model: nn.Module) -> torch.dtype | None:
    """The number format of masks that a model's attention adds to its scores; None: it takes bool ones."""
    config, dtype = getattr(model, "config", None), getattr(model, "dtype", None)
    return dtype if getattr(config, "_attn_implementation", None) == "eager" else None


def _added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(~mask, torch.finfo(dtype).min)
