"""LoRA adapters that somebody else trained, from their PEFT folders into one policy."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn
from transformers import PreTrainedModel

from trialign.errors import UserError
from trialign.finite import not_finite
from trialign.places import at_home
from trialign.policy.adapters import SHARED, AdapterConfig
from trialign.policy.group_policy import GroupPolicy
from trialign.policy.peft_settings import SETTINGS, damaged, read_settings, refused, scale_of

log = logging.getLogger("trialign")
WEIGHTS = "adapter_model.safetensors"
_PREFIX, _DOWN, _UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"
_QUANTISED = re.compile(r"(-unsloth)?-bnb-[48]bit$|-unsloth$")
# No owner on the hub has such a name: what begins with it is a path.
_FOLDERS = {"models", "model", "checkpoints", "checkpoint", "weights", "ckpts", "outputs", "output", "data"}
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class PeftFolder:
    """A LoRA adapter as read from disk.

    Attributes:
        base_model: what its author calls the base model; None where nothing is said.
        sha256: hash of the weights' file.
        factors: module name -> (A [rank, in], B [out, rank]), with the scale of the adapter in B.
    """

    folder: Path
    base_model: str | None
    sha256: str
    factors: Mapping[str, tuple[Tensor, Tensor]]

    @property
    def rank(self) -> int:
        """The largest rank of its layers."""
        return max(down.shape[0] for down, _ in self.factors.values())


def read_peft_folder(folder: Path) -> PeftFolder:
    """Reads ``adapter_config.json`` and ``adapter_model.safetensors``.

    Raises:
        UserError: a file is missing or damaged, or the adapter is of a kind that cannot be added to frozen base
            weights as a product of two matrices.
    """
    for name in (SETTINGS, WEIGHTS):
        if not (folder / name).is_file():
            raise _absent(folder, name)
    config = read_settings(folder)
    try:
        content = (folder / WEIGHTS).read_bytes()
        tensors = load(content)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(f"The PEFT adapter in {folder} cannot be read ({error})", "Save it again") from error
    if any(name.startswith((f"{_PREFIX}lm_head.", f"{_PREFIX}model.embed_tokens.")) for name in tensors):
        raise refused(folder, "changes the input or output embeddings (embed_tokens, lm_head)")
    modules = {name.removeprefix(_PREFIX).removesuffix(_DOWN).removesuffix(_UP) for name in tensors}
    whole = {f"{_PREFIX}{module}{part}" for module in modules for part in (_DOWN, _UP)}
    if not tensors or whole != set(tensors):
        odd = min(whole ^ set(tensors), default="no tensor at all")
        raise refused(folder, f"does not consist of pairs of low-rank factors (see {odd})")
    factors = {
        module: _factors(folder, config, module, tensors[_PREFIX + module + _DOWN], tensors[_PREFIX + module + _UP])
        for module in sorted(modules)
    }
    _refuse_broken(folder, factors)
    return PeftFolder(folder, config.base_model_name_or_path or None, hashlib.sha256(content).hexdigest(), factors)


def read_peft_folders(
    stated: Mapping[str, str] | str, groups: Sequence[str], base_model: str, key: str = "model.adapters"
) -> dict[str, PeftFolder]:
    """Group -> its adapter.

    Args:
        stated: one folder for all groups, or one for each.
        groups: the members.
        base_model: name of the base model.
        key: the configuration's, that states them.

    Raises:
        UserError: see `read_peft_folder`; a group has no adapter, or one was trained on another base model.
    """
    if not isinstance(stated, str) and set(stated) != set(groups):
        odd = ", ".join(sorted(set(stated) ^ set(groups)))
        raise UserError(
            f"{key} does not name one folder for each group (see {odd})",
            f"Name one for each of {', '.join(groups)}, or a single one for all",
        )
    named = dict.fromkeys(groups, stated) if isinstance(stated, str) else stated
    places = {group: at_home(named[group], key) for group in groups}
    read = {place.resolve(): read_peft_folder(place) for place in dict.fromkeys(places.values())}
    adapters = {group: read[place.resolve()] for group, place in places.items()}
    for adapter in read.values():
        _refuse_other_base(adapter, base_model)
    return adapters


def policy_of_folders(
    model: PreTrainedModel, groups: tuple[str, ...], folders: Mapping[str, PeftFolder]
) -> GroupPolicy:
    """A policy in which every group answers through an adapter of its own, or all through one.

    Smaller ranks are filled up with zeros, and so are layers that only other adapters change: the products, and so
    the agents, are those of the folders.

    Args:
        model: the base model; it is changed in place.
        groups: the members, in order.
        folders: group -> its adapter; the same object for all groups makes one shared adapter.

    Raises:
        UserError: an adapter has layers that the base model lacks, or of other sizes.
    """
    different = {id(folder): folder for folder in folders.values()}
    for folder in different.values():
        _refuse_unfit(model, folder)
    rank = max(folder.rank for folder in different.values())
    modules = tuple(sorted({module for folder in different.values() for module in folder.factors}))
    shared = len(different) == 1
    config = AdapterConfig("shared" if shared else "per_group", rank=rank, alpha=rank, target_modules=modules)
    policy = GroupPolicy(model, groups, config)
    for adapter in policy.adapters:
        folder = folders[groups[0] if adapter == SHARED and shared else adapter]
        state = {name: torch.zeros_like(tensor) for name, tensor in policy.adapter_state(adapter).items()}
        for module, (down, up) in folder.factors.items():
            state[_PREFIX + module + _DOWN][: down.shape[0]] = down
            state[_PREFIX + module + _UP][:, : up.shape[1]] = up
        policy.load_adapter_state(adapter, state)
    return policy


def start_from(policy: GroupPolicy, folders: Mapping[str, PeftFolder]) -> None:
    """Puts adapters from elsewhere in the place of a policy's untrained ones.

    Where a folder's rank is smaller, the rows of A that are left keep their random start and those columns of B are
    0, and so is B in layers that the folder does not change: the product is the folder's, and all of it can be
    trained. Doing it twice is doing it once.

    Args:
        policy: untrained, with an adapter for each group or one for all.
        folders: group -> its adapter.

    Raises:
        UserError: an adapter has a larger rank than the policy, or layers that the policy or the base model lacks.
    """
    scale = policy.config.alpha / policy.config.rank
    for group, folder in folders.items():
        name = policy.adapter_of(group)
        if name is not None:
            state = dict(policy.adapter_state(name))
            _refuse_other_shape(folder, policy, state)
            for key, tensor in state.items():
                state[key] = torch.zeros_like(tensor) if key.endswith(_UP) else tensor.clone()
            for module, (down, up) in folder.factors.items():
                state[_PREFIX + module + _DOWN][: down.shape[0]] = down
                state[_PREFIX + module + _UP][:, : up.shape[1]] = up / scale
            policy.load_adapter_state(name, state)


def refuse_larger(folder: PeftFolder, rank: int) -> None:
    """Refuses an adapter that one of ``rank`` cannot hold.

    Raises:
        UserError: names both.
    """
    if folder.rank > rank:
        raise UserError(
            f"The adapter in {folder.folder} has rank {folder.rank}, and policy.rank is {rank}",
            f"Set policy.rank={folder.rank}, or a larger one: it is filled up, and the agents stay the same",
        )


def _refuse_other_shape(folder: PeftFolder, policy: GroupPolicy, state: Mapping[str, Tensor]) -> None:
    refuse_larger(folder, policy.config.rank)
    for module, (down, up) in folder.factors.items():
        there = state.get(_PREFIX + module + _UP)
        if there is None:
            raise UserError(
                f"The adapter in {folder.folder} changes {module}, which the agents' adapters do not",
                "Set policy.target_modules (and policy.train_layers=all) to all layers that it changes",
            )
        wanted = (there.shape[0], state[_PREFIX + module + _DOWN].shape[1])
        if (up.shape[0], down.shape[1]) != wanted:
            raise UserError(
                f"The adapter in {folder.folder} does not fit the base model: it changes {module}, "
                f"{(up.shape[0], down.shape[1])}, and the base model has it as {wanted}",
                f"Train it over the base model that it was made for ({folder.base_model or 'its author knows it'})",
            )


def _factors(folder: Path, config: LoraConfig, module: str, down: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    if down.dim() != 2 or up.dim() != 2 or up.shape[1] != down.shape[0]:
        raise damaged(folder, f"has factors of different rank in {module}: {tuple(down.shape)}, {tuple(up.shape)}")
    if not (down.is_floating_point() and up.is_floating_point()):
        raise refused(folder, f"has factors in {module} that are quantised ({down.dtype}, {up.dtype})")
    return down.float(), up.float() * scale_of(folder, config, module, down.shape[0])


def _absent(folder: Path, name: str) -> UserError:
    if name == WEIGHTS and (folder / "adapter_model.bin").is_file():
        return UserError(
            f"The PEFT adapter in {folder} has its weights as a pickle (adapter_model.bin), not read: it could "
            "run any code",
            "Save it again with a PEFT of today, which writes safetensors",
        )
    inside = sorted(path.parent.name for path in folder.glob(f"*/{SETTINGS}"))
    remedy = "Name a folder that PEFT's save_pretrained wrote, with safetensors weights"
    return UserError(
        f"There is no PEFT adapter in {folder}: it has no {name}",
        f"{remedy}, such as {folder / inside[0]}" if name == SETTINGS and inside else remedy,
    )


def _refuse_broken(folder: Path, factors: Mapping[str, tuple[Tensor, Tensor]]) -> None:
    named = (
        (f"{module}{part}", t) for module, pair in factors.items() for part, t in zip((_DOWN, _UP), pair, strict=True)
    )
    found = not_finite(named)
    if found:
        raise UserError(
            f"The PEFT adapter in {folder} holds weights that are not numbers: {found}, in {WEIGHTS}",
            "Its training diverged: take an earlier step of it, or train it again in float32 or more slowly",
        )


def _refuse_other_base(adapter: PeftFolder, base_model: str) -> None:
    """Refuses another hub id; a path says nothing about what lies there, and a quantised copy is the same model."""
    stated = adapter.base_model
    if not stated or not _HUB_ID.fullmatch(stated) or _plain_name(stated) == _plain_name(base_model):
        return
    if stated.partition("/")[0] in _FOLDERS:
        log.warning("The adapter in %s was trained on '%s', a folder of its author's", adapter.folder, stated)
    elif not any((place / stated).exists() for place in (Path(), *adapter.folder.resolve().parents)):
        raise UserError(
            f"The adapter in {adapter.folder} was trained on {stated}, and the base model is {base_model}",
            f"Audit it over {stated}; with model=folder, model.name says which model the folder holds",
        )


def _plain_name(base_model: str) -> str:
    """The name without its owner, and without what says that the same weights were quantised for training."""
    return _QUANTISED.sub("", base_model.rpartition("/")[2].casefold())


def _refuse_unfit(model: PreTrainedModel, folder: PeftFolder) -> None:
    layers = dict(model.named_modules())
    for module, (down, up) in folder.factors.items():
        layer = layers.get(module)
        wanted = (up.shape[0], down.shape[1])
        if isinstance(layer, nn.Linear) and "experts" not in module.split("."):
            there = (layer.out_features, layer.in_features)  # weights in few bits are packed in another shape
            if there == wanted:
                continue
            found = f"has it as {there}"
        else:
            found = "has no such layer" if layer is None else "has it, but not as a plain linear layer"
        raise UserError(
            f"The adapter in {folder.folder} does not fit the base model: it changes {module}, "
            f"{wanted}, and the base model {found}",
            f"Audit it over the base model that it was trained on ({folder.base_model or 'its author knows it'})",
        )
