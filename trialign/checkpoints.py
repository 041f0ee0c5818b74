"""Agent checkpoints: one PEFT folder per group and a manifest with the hash of every file.

With ``policy.adapters=basis``, one PEFT folder for all (`BASIS`, the agent of an unknown group), with U beside it (and
the maps, where z is made of attributes), and a file of a few numbers per group.
"""

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
from trialign.policy.adapters import SHARED
from trialign.policy.basis import folded, scales_of, set_scales
from trialign.policy.peft_folders import WEIGHTS
from trialign.policy.peft_settings import SETTINGS
from trialign.runs import MANIFEST
from trialign.storage import as_readable_as_its_folder, sha256_of_file, sync, write_text_atomic

SCHEMA_VERSION = 1
# What all groups share where each owns a few numbers; no group has a name with a dot.
BASIS = "basis.shared"
SCALES, COORDINATES, MAPS = "scales.safetensors", "coordinates.safetensors", "maps.json"
FORMAT = {"format": "pt"}


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
        """Hash of a group's adapter file; None for a group that answers with the base weights.

        With a basis, of the hashes of the three files that its adapter is made of.
        """
        files = self.manifest["files"]
        if f"{group}/{COORDINATES}" in files:
            return self.sha256_with(files[f"{group}/{COORDINATES}"])
        digest = files.get(f"{group}/{WEIGHTS}")
        return None if digest is None else str(digest)

    def sha256_with(self, coordinates: str) -> str:
        """Hash of an agent of the basis, by that of the file of its z."""
        made_of = *(str(self.manifest["files"][f"{BASIS}/{name}"]) for name in (WEIGHTS, SCALES)), coordinates
        return hashlib.sha256("".join(made_of).encode()).hexdigest()

    @property
    def has_basis(self) -> bool:
        """Whether the groups share one adapter whose rank dimensions each scales."""
        return f"{BASIS}/{WEIGHTS}" in self.manifest["files"]

    def verified(self, name: str) -> bytes:
        """What a file of the manifest holds: the very bytes that were hashed.

        Raises:
            UserError: it is missing, or is not the one that was written.
        """
        try:
            content = (self.folder / name).read_bytes()
        except OSError as error:
            raise torn(self.folder / name) from error
        if hashlib.sha256(content).hexdigest() != self.manifest["files"][name]:
            raise torn(self.folder / name)
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
        if policy.coordinates is None:
            for group in policy.groups:
                _write_adapter(draft / group, policy, group, base)
        else:
            _write_basis(draft, policy, base)
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
            "base_model": base.record(),
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


def extend_agents(
    checkpoint: AgentCheckpoint, folder: Path, coordinates: Mapping[str, Tensor], about: Mapping[str, Any]
) -> AgentCheckpoint:
    """Writes the agents of a basis again, with further groups beside them: what was there stays to the byte.

    Args:
        checkpoint: with a basis.
        folder: a new one; it appears whole or not at all.
        coordinates: new group -> its z.
        about: entries of the manifest that differ from the checkpoint's.

    Raises:
        UserError: a file of the checkpoint is not the one that was written.
        UnfinishedError: a z is not made of numbers; nothing is written.
    """
    draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    files = dict(checkpoint.manifest["files"])
    try:
        for name in files:
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_bytes(checkpoint.verified(name))
        for group, z in coordinates.items():
            write_coordinates(draft / group, group, z)
            files[f"{group}/{COORDINATES}"] = sha256_of_file(draft / group / COORDINATES)
        manifest = {**checkpoint.manifest, **about, "files": files}
        write_text_atomic(draft / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False))
        draft.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
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
        raise torn(manifest_file) from error
    if version != SCHEMA_VERSION:
        raise UserError(
            f"The checkpoint {folder} has schema version {version}, and this version reads {SCHEMA_VERSION}",
            "Use the version of TriAlign that wrote it",
        )
    if not manifest.keys() >= {"step", "base_model", "adapters"}:
        raise torn(manifest_file)
    for name, digest in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file() or sha256_of_file(path) != digest:
            raise torn(path)
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
            f"The adapters in {checkpoint.folder} do not fit the base model {base.name}: they were trained on "
            f"{trained_on['name']} with SHA-256 {trained_on['sha256'][:12]}, and this one has {base.sha256[:12]}",
            "Choose the base model that the manifest names",
        )
    if trained_on.get("quantization", "none") != base.quantization:
        raise UserError(
            f"The adapters in {checkpoint.folder} were trained over weights with model.quantization="
            f"{trained_on.get('quantization', 'none')}, and it is {base.quantization}",
            "Set it as it was; over other weights, export the adapters and audit them with model.adapters=FOLDER",
        )
    # The weights alone would fit another alpha, and a shared adapter would become that of the last group.
    if checkpoint.manifest["adapters"] != adapters_of(policy):
        raise UserError(
            f"The agents in {checkpoint.folder} have the adapters {checkpoint.manifest['adapters']}, and "
            f"{adapters_of(policy)} are asked for",
            "Set policy.adapters, policy.rank, policy.alpha, policy.activation and policy.basis as they were trained",
        )
    for group in policy.groups:
        if checkpoint.adapter_sha256(group) is None:
            raise UserError(
                f"The checkpoint {checkpoint.folder} has no adapter for group '{group}'",
                "Use the groups that it was trained with",
            )
    if policy.coordinates is not None:
        load_basis(policy, checkpoint)
        for index, group in enumerate(policy.groups):
            policy.coordinates.set(index, coordinates_of(checkpoint, group))
        return
    for group in policy.groups:
        adapter = policy.adapter_of(group)
        assert adapter is not None
        policy.load_adapter_state(adapter, adapter_state(checkpoint, group))


def adapter_state(checkpoint: AgentCheckpoint, group: str) -> dict[str, Tensor]:
    """The tensors of a group's adapter, under PEFT's names.

    Raises:
        UserError: the file is no longer the one that was written, holds no safetensors, or weights that are not
            numbers.
    """
    if not checkpoint.has_basis:
        return _tensors(checkpoint, f"{group}/{WEIGHTS}")
    shared, scales = (_tensors(checkpoint, f"{BASIS}/{name}") for name in (WEIGHTS, SCALES))
    return folded(shared, scales, coordinates_of(checkpoint, group))


def coordinates_of(checkpoint: AgentCheckpoint, group: str) -> Tensor:
    """[dimensions] a group's z, with a basis.

    Raises:
        UserError: as `adapter_state` does.
    """
    return _tensors(checkpoint, f"{group}/{COORDINATES}")["z"]


def load_basis(policy: GroupPolicy, checkpoint: AgentCheckpoint) -> None:
    """Puts what all groups share into a policy with a basis.

    Raises:
        UserError: as `adapter_state` does.
    """
    policy.load_adapter_state(SHARED, _tensors(checkpoint, f"{BASIS}/{WEIGHTS}"))
    set_scales(policy.model, _tensors(checkpoint, f"{BASIS}/{SCALES}"))


def copy_adapter(checkpoint: AgentCheckpoint, group: str, target: Path) -> None:
    """A group's agent as a PEFT folder outside the checkpoint; with a basis, its scale is folded into B.

    Raises:
        UserError: as `adapter_state` does.
    """
    if not checkpoint.has_basis:
        shutil.copytree(checkpoint.folder / group, target)
        return
    target.mkdir(parents=True)
    _save(adapter_state(checkpoint, group), target / WEIGHTS)
    (target / SETTINGS).write_bytes(checkpoint.verified(f"{BASIS}/{SETTINGS}"))


def _tensors(checkpoint: AgentCheckpoint, name: str) -> dict[str, Tensor]:
    file = checkpoint.folder / name
    try:
        state = load(checkpoint.verified(name))
    except SafetensorError as error:
        raise torn(file) from error
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
    if config.adapters == "basis":
        made["dimensions"] = config.basis.dimensions
    return made if config.activation == "always" else {**made, "activation": config.activation}


def _write_adapter(folder: Path, policy: GroupPolicy, group: str, base: BaseModelFiles) -> None:
    adapter = policy.adapter_of(group)
    assert adapter is not None
    state = policy.adapter_state(adapter)
    _refuse_broken(state, f"The agent of group '{group}'")
    folder.mkdir(parents=True)
    _write_peft(folder, policy, adapter, state, base)


def _write_basis(draft: Path, policy: GroupPolicy, base: BaseModelFiles) -> None:
    """What all groups share, as an adapter and the scales beside it, and what each owns."""
    assert policy.coordinates is not None
    state, scales, maps = policy.adapter_state(SHARED), scales_of(policy.model), policy.coordinates.maps
    _refuse_broken({**state, **scales, **({"maps": maps.weights} if maps else {})}, "The basis of all agents")
    (draft / BASIS).mkdir(parents=True)
    if maps:
        write_text_atomic(draft / BASIS / MAPS, maps.to_json())
    _write_peft(draft / BASIS, policy, SHARED, state, base)
    _save(scales, draft / BASIS / SCALES)
    for index, group in enumerate(policy.groups):
        write_coordinates(draft / group, group, policy.coordinates.of(index))


def write_coordinates(folder: Path, group: str, z: Tensor) -> None:
    """Writes what a group owns with a basis, into a new folder.

    Raises:
        UnfinishedError: it is not made of numbers.
    """
    _refuse_broken({"z": z}, f"The agent of group '{group}'")
    folder.mkdir(parents=True)
    _save({"z": z.float()}, folder / COORDINATES)


def _refuse_broken(state: Mapping[str, Tensor], whose: str) -> None:
    found = not_finite(state.items())
    if found:
        raise UnfinishedError(
            f"{whose} has weights that are not numbers ({found}): it is not written",
            "Train again with a smaller optimizer.learning_rate or trainer.precision=32-true; earlier steps are kept",
        )
    # A parameter whose elements lie with other ranks looks empty from here.
    assert all(tensor.numel() for tensor in state.values()), "adapters must be gathered before they are written"


def _save(state: dict[str, Tensor], file: Path) -> None:
    save_file(state, file, metadata=FORMAT)
    as_readable_as_its_folder(file)


def _write_peft(
    folder: Path, policy: GroupPolicy, adapter: str, state: dict[str, Tensor], base: BaseModelFiles
) -> None:
    _save(state, folder / WEIGHTS)
    config = copy.deepcopy(policy.model.peft_config[adapter])
    config.base_model_name_or_path = base.name
    config.revision = base.revision
    config.inference_mode = True
    config.save_pretrained(str(folder))


def torn(path: Path) -> UserError:
    """That a file of a checkpoint is not what was written."""
    return UserError(
        f"The checkpoint file {path} is missing or is not the one that was written",
        "Use another step, or train again with 'trialign fit --overwrite'",
    )
