"""Weights and scores that are not numbers: found where they arise, before an answer or a file is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from trialign.errors import UserError


def not_finite(tensors: Iterable[tuple[str, Tensor]]) -> str | None:
    """The first tensor that holds NaN or an infinity, as words: ``NaN in layers.0.weight``.

    Args:
        tensors: their names beside them; only floating point numbers are looked at.

    Returns:
        None where all are finite.
    """
    for name, tensor in tensors:
        if not tensor.is_floating_point() or not tensor.numel():
            continue
        values = tensor.detach()
        # The extremes alone need no second tensor of this size; NaN is carried through both.
        low, high = (values.float() if values.element_size() == 1 else values).aminmax()
        if not bool(torch.isfinite(low)) or not bool(torch.isfinite(high)):
            return f"{'NaN' if bool(low.isnan()) else 'an infinity'} in {name}"
    return None


def refuse_broken_base(weights: Iterable[tuple[str, Tensor]], folder: Path, dtype: str) -> None:
    """Refuses a base model that has weights which are not numbers.

    Args:
        weights: as they were loaded, with their names.
        folder: where its safetensors lie.
        dtype: the number format that they were loaded in.

    Raises:
        UserError: names the tensor and the file; one that is whole on disk is too large for the format.
    """
    found = not_finite(weights)
    if found is None:
        return
    name = found.rsplit(" ", 1)[-1]
    file, stored = _stored(folder, name)
    if stored is not None and not_finite([(name, stored)]) is None:
        raise UserError(
            f"The weights {name} of the base model in {file} are too large for model.dtype={dtype}",
            "Set model.dtype to float32, or to bfloat16, which holds numbers as large",
        )
    raise UserError(
        f"The base model has weights that are not numbers: {found}, in {file}",
        "Get its files again; where it was trained or merged here, do that in float32 and with a smaller learning rate",
    )


def stored_weights(folder: Path, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a folder's safetensors files with their names, one after the other, in a number format."""
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - the file is no mapping
                tensor: Tensor = tensors.get_tensor(name)
                yield name, tensor.to(dtype) if tensor.is_floating_point() else tensor


def _stored(folder: Path, name: str) -> tuple[Path, Tensor | None]:
    """The file that holds a tensor, and the tensor; the folder alone where none has it under this name."""
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            if name in tensors.keys():  # noqa: SIM118 - the file is no mapping
                stored: Tensor = tensors.get_tensor(name)
                return file, stored
    return folder, None
