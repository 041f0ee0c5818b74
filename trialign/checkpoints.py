"""Agent checkpoints: one PEFT folder per group and a manifest with the hash of every file."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from trialign.errors import UnfinishedError, UserError
from trialign.finite import not_finite
from trialign.models import BaseModelFiles
from trialign.policy import GroupPolicy
from trialign.policy.peft_folders import WEIGHTS
from trialign.runs import MANIFEST
from trialign.storage import as_readable_as_its_folder, sha256_of_file, sync, write_text_atomic

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class AgentCheckpoint:
    """A verified checkpoint on disk.

    Attributes:
        folder: ``agents/step=000200``.
        manifest: what its manifest holds.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def manifest_file(self) -> Path:
        """It holds the hash of every other file, and so stands for all of them."""
        return self.folder / MANIFEST

    @property
    def step(self) -> int:
        """Optimizer steps behind these agents."""
        return int(self.manifest["step"])

    def adapter_sha256(self, group: str) -> str | None:
        """Hash of a group's adapter file; None for a group that answers with the base weights."""
        digest = self.manifest["files"].get(f"{group}/{WEIGHTS}")
        return None if digest is None else str(digest)

    def verified(self, name: str) -> bytes:
        """What a file of the manifest holds: the very bytes that were hashed.

        Raises:
            UserError: it is missing, or is not the one that was written.
        """
        try:
            content = (self.folder / name).read_bytes()
        except OSError as error:
            raise _torn(self.folder / name) from error
        if hashlib.sha256(content).hexdigest() != self.manifest["files"][name]:
            raise _torn(self.folder / name)
        return content


def write_agents(
    folder: Path,
    policy: GroupPolicy,
    step: int,
    base: BaseModelFiles,
    about: Mapping[str, Any],
    beside: Callable[[Path], None] | None = None,
) -> AgentCheckpoint:
    """Writes all groups' adapters; the folder appears whole or not at all.

    Args:
        folder: the final name; one that is there already is replaced.
        policy: the agents.
        step: optimizer steps taken.
        base: the base model's files, named in the manifest and in every adapter.
        about: further entries of the manifest (groups, profiles, prompt, scoring).
        beside: writes further files into the folder that it is given, the checkpoint's; their hashes are kept too.

    Raises:
        UnfinishedError: weights are not numbers; nothing is written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex
    draft = folder.with_name(f".{folder.name}.{mark}.tmp")
    replaced = folder.with_name(f".{folder.name}.{mark}.old")
    try:
        for group in policy.groups:
            _write_adapter(draft / group, policy, group, base)
        if beside is not None:
            beside(draft)
        files = {
            path.relative_to(draft).as_posix(): sha256_of_file(path)
            for path in sorted(draft.rglob("*"))
            if path.is_file()
        }
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "step": step,
            "base_model": {"name": base.name, "revision": base.revision, "sha256": base.sha256},
            "adapters": adapters_of(policy),
            **about,
            "files": files,
        }
        write_text_atomic(draft / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False))
        if folder.exists():
            folder.rename(replaced)
        draft.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
    return AgentCheckpoint(folder, manifest)


def read_agents(folder: Path) -> AgentCheckpoint:
    """Reads and verifies a checkpoint.

    Raises:
        UserError: there is none, it is of another schema, or a file is missing or not the one that was
            written.
    """
    manifest_file = folder / MANIFEST
    try:
        manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
        version, files = manifest["schema_version"], dict(manifest["files"])
    except FileNotFoundError as error:
        raise UserError(
            f"There is no agent checkpoint in {folder}", "Run 'trialign fit', or name another step"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _torn(manifest_file) from error
    if version != SCHEMA_VERSION:
        raise UserError(
            f"The checkpoint {folder} has schema version {version}, and this version reads {SCHEMA_VERSION}",
            "Use the version of TriAlign that wrote it",
        )
    if not manifest.keys() >= {"step", "base_model", "adapters"}:
        raise _torn(manifest_file)
    for name, digest in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file() or sha256_of_file(path) != digest:
            raise _torn(path)
    return AgentCheckpoint(folder, manifest)


def load_agents(policy: GroupPolicy, checkpoint: AgentCheckpoint, base: BaseModelFiles) -> None:
    """Puts a checkpoint's adapters into the policy.

    Raises:
        UserError: the checkpoint was trained on another base model, or with other groups or adapters; a file
            is no longer the one that was written, holds no safetensors, or weights that are not numbers.
    """
    trained_on = checkpoint.manifest["base_model"]
    if trained_on["sha256"] != base.sha256:
        raise UserError(
            f"The adapters in {checkpoint.folder} do not fit the base model {base.name}: they were trained "
            f"on {trained_on['name']} with SHA-256 {trained_on['sha256'][:12]}, and this one has "
            f"{base.sha256[:12]}",
            "Choose the base model that the manifest names",
        )
    # The weights alone would fit another alpha, and a shared adapter would become that of the last group.
    if checkpoint.manifest["adapters"] != adapters_of(policy):
        raise UserError(
            f"The agents in {checkpoint.folder} have the adapters {checkpoint.manifest['adapters']}, and "
            f"{adapters_of(policy)} are asked for",
            "Set policy.adapters, policy.rank, policy.alpha and policy.activation as they were trained",
        )
    for group in policy.groups:
        if checkpoint.adapter_sha256(group) is None:
            raise UserError(
                f"The checkpoint {checkpoint.folder} has no adapter for group '{group}'",
                "Use the groups that it was trained with",
            )
        adapter = policy.adapter_of(group)
        assert adapter is not None
        policy.load_adapter_state(adapter, adapter_state(checkpoint, group))


def adapter_state(checkpoint: AgentCheckpoint, group: str) -> dict[str, Tensor]:
    """The tensors of a group's adapter, under PEFT's names.

    Raises:
        UserError: the file is no longer the one that was written, holds no safetensors, or weights that are not
            numbers.
    """
    name = f"{group}/{WEIGHTS}"
    file = checkpoint.folder / name
    try:
        state = load(checkpoint.verified(name))
    except SafetensorError as error:
        raise _torn(file) from error
    found = not_finite(state.items())
    if found:
        raise UserError(
            f"The adapter {file} holds weights that are not numbers: {found}",
            "Take an earlier step's agents, or train again with a smaller optimizer.learning_rate",
        )
    return state


def adapters_of(policy: GroupPolicy) -> dict[str, Any]:
    """How a policy's adapters are made, as the manifest says it."""
    config = policy.config
    made: dict[str, Any] = {"mode": config.adapters, "rank": config.rank, "alpha": config.alpha}
    return made if config.activation == "always" else {**made, "activation": config.activation}


def _write_adapter(folder: Path, policy: GroupPolicy, group: str, base: BaseModelFiles) -> None:
    adapter = policy.adapter_of(group)
    assert adapter is not None
    state = policy.adapter_state(adapter)
    found = not_finite(state.items())
    if found:
        raise UnfinishedError(
            f"The agent of group '{group}' has weights that are not numbers ({found}): it is not written",
            "Train again with a smaller optimizer.learning_rate or trainer.precision=32-true; earlier steps are kept",
        )
    # A parameter whose elements lie with other ranks looks empty from here.
    assert all(tensor.numel() for tensor in state.values()), "adapters must be gathered before they are written"
    folder.mkdir(parents=True)
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    as_readable_as_its_folder(folder / WEIGHTS)
    config = copy.deepcopy(policy.model.peft_config[adapter])
    config.base_model_name_or_path = base.name
    config.revision = base.revision
    config.inference_mode = True
    config.save_pretrained(str(folder))


def _torn(path: Path) -> UserError:
    return UserError(
        f"The checkpoint file {path} is missing or is not the one that was written",
        "Use another step, or train again with 'trialign fit --overwrite'",
    )
