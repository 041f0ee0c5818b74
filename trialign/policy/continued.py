"""A prompt's state computed once, and its answers from copies of it: for recurrent layers, which a tree cannot hold.

Prompts are read as one batch, left-padded, with a cache; every path goes on from a copy of its prompt's states, token
by token, as replies are generated. There is no backward pass: the caches of state spaces are written in place.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from trialign.policy.plain import paths_of
from trialign.policy.replying import left_padded
from trialign.policy.tree import TreeBatch

# Tokens that paths go on for at most; beyond, a row of its own with its whole prompt is cheaper than so many steps.
LONGEST = 32


def continued(decoder: Any, routing: Any, batch: TreeBatch, *, reference: bool) -> Tensor | None:
    """The hidden states from which the output layer predicts each action token.

    Args:
        decoder: of the base model, with recurrent layers.
        routing: which adapter answers for each row (see ``Routing``).
        batch: without prefix.
        reference: with the base weights, whatever the rows' adapters.

    Returns:
        [actions, hidden]; None where paths go on for more than `LONGEST` tokens behind what they share.
    """
    found = paths_of(batch)
    groups = _groups([(row, path[0]) for (row, _), path in zip(found.leaves, found.paths, strict=True)])
    shared = {key: _shared([found.paths[place] for place in places]) for key, places in groups.items()}
    begun = [(key, place) for key, places in groups.items() for place in places]
    longest = max(len(found.paths[place]) - shared[key] for key, place in begun)
    if longest > LONGEST or not all(shared.values()):
        return None
    ids = batch.input_ids.cpu()
    device = batch.input_ids.device
    prompts = [ids[row, torch.tensor(found.paths[groups[row, root][0]][: shared[row, root]])] for row, root in groups]
    first, mask = (tensor.to(device) for tensor in left_padded([prompt.tolist() for prompt in prompts]))
    of_group = torch.tensor([row for row, _ in groups], device=device)
    of_path = torch.tensor([place for place, places in enumerate(groups.values()) for _ in places], device=device)
    _route(routing, batch, of_group, reference)
    read = decoder(input_ids=first, attention_mask=mask, use_cache=True)
    cache = getattr(read, "cache", None) or read.past_key_values
    cache.reorder_cache(of_path)
    _route(routing, batch, of_group[of_path], reference)
    later = torch.zeros(len(begun), longest, dtype=torch.long)
    for line, (key, place) in enumerate(begun):
        rest = found.paths[place][shared[key] :]
        later[line, : len(rest)] = ids[key[0], torch.tensor(rest)]
    later, mask, states = later.to(device), mask[of_path], []
    known = inspect.signature(decoder.forward).parameters
    # By its name from transformers 5.24 on, or one of those before.
    name = next((name for name in ("past_key_values", "cache_params") if name in known), "cache")
    for step in range(longest):
        mask = torch.cat([mask, mask.new_ones(len(begun), 1)], dim=1)
        one = decoder(input_ids=later[:, step : step + 1], attention_mask=mask, use_cache=True, **{name: cache})
        states.append(one.last_hidden_state[:, 0])
    width = first.shape[1]
    hidden = torch.cat([read.last_hidden_state[of_path], torch.stack(states, dim=1)], dim=1)
    line_of = {place: line for line, (_, place) in enumerate(begun)}
    sources = [
        (line_of[leaf], width - shared[found.leaves[leaf][0], found.paths[leaf][0]] + depth)
        for leaf, depth in found.sources
    ]
    lines, columns = (torch.tensor(part, device=device) for part in zip(*sources, strict=True))
    wanted: Tensor = hidden[lines, columns]
    return wanted


def _route(routing: Any, batch: TreeBatch, rows: Tensor, reference: bool) -> None:
    routing.rows = None if reference else batch.adapters[rows]


def _groups(keys: Sequence[tuple[int, int]]) -> Mapping[tuple[int, int], list[int]]:
    """Places of the paths that begin with the same token of the same row, in order."""
    groups: dict[tuple[int, int], list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    return groups


def _shared(paths: Sequence[Sequence[int]]) -> int:
    """How many tokens some paths begin with in common; each has one more at least."""
    longest = min(map(len, paths)) - 1
    return next((size for size in range(longest) if len({path[size] for path in paths}) > 1), longest)
