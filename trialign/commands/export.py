"""``trialign export``: the adapters as PEFT folders or merged models, with a model card."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from trialign.api.session import Session
from trialign.checkpoints import AgentCheckpoint, copy_adapter, read_agents
from trialign.commands.serving import is_converted, serving
from trialign.errors import UserError
from trialign.finite import not_finite
from trialign.gating.gate import GATE, is_gated
from trialign.models import load_model, read_config
from trialign.models.quantized import bits_of, distance, made_whole
from trialign.policy.peft_folders import WEIGHTS
from trialign.runs import MANIFEST
from trialign.safe_output import markdown_cell
from trialign.storage import as_readable_as_its_folder, sha256_of_file, write_text_atomic

# Of how far weights are apart, W being the whole ones.
_FORMULA = "||Q - W|| / ||W||, Frobenius norms over all layers in few bits"

_SAME = (
    "The base model's files are in few bits (bitsandbytes): the agents are merged into these very weights, made whole."
)


def export(session: Session, target: Path, *, step: int | None, merged: bool, scale: float = 1.0) -> None:
    """Copies a checkpoint out of its run.

    Args:
        session: the run.
        target: a new folder; ``<group>/`` inside is a PEFT adapter, or with ``merged`` a whole model.
        step: which checkpoint; None: the last.
        merged: fold each group's adapter into a copy of the base model.
        scale: what the adapters' effect on every layer is multiplied with; 1: as they were trained.

    Raises:
        UserError: the target exists, there is nothing to export, or the scale is not between 0 and 1.
    """
    if not 0 <= scale <= 1:  # nor is NaN
        raise UserError(f"--scale is {scale:g}", "Set it between 0, the base model, and 1, the agents as trained")
    if target.exists():
        raise UserError(f"{target} exists already", "Name a new folder with --output")
    chosen = max(session.run.steps(), default=None) if step is None else step
    if chosen is None:
        raise UserError(f"The run {session.run.folder} has no agents yet", "Train them with 'trialign fit'")
    checkpoint = read_agents(session.run.agents_at(chosen))
    if merged and session.config.policy.activation == "profile":
        raise UserError(
            "These adapters act from the profile on, and one set of weights cannot act on a part of a text",
            "Export without --merged: adapter_config.json says where an adapter begins, as PEFT reads it",
        )
    apart = None
    if merged:
        _check_base(session, checkpoint)
        apart = _apart(session)
    draft = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        for group in session.groups.names:
            adapter = draft / group
            copy_adapter(checkpoint, group, adapter)
            if scale != 1:
                _scale(adapter / WEIGHTS, scale)
            if merged:
                _merge(session, adapter)
        if is_gated(checkpoint):
            shutil.copy(checkpoint.folder / GATE, draft / GATE)
        _write_manifest(checkpoint, draft, scale, apart)
        layers = () if merged else _adapted(draft / session.groups.names[0] / WEIGHTS)
        card = model_card(session, checkpoint, merged=merged, layers=layers, scale=scale, apart=apart)
        write_text_atomic(draft / "README.md", card)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    scaled = "" if scale == 1 else f", their effect times {scale:g}"
    if apart == 0:
        print(_SAME)
    elif apart is not None:
        print(
            f"The agents are merged into whole weights, and they were trained over {session.config.model.quantization} "
            f"ones, {apart:.2%} apart ({_FORMULA}): audit the merged models before they are served"
        )
    print(f"Exported {len(session.groups.names)} agents of step {chosen}{scaled} to {target}")


def _adapted(weights: Path) -> tuple[str, ...]:
    """Names of the layers that an adapter adapts, as vLLM takes them: without the path to each."""
    with safe_open(weights, framework="pt") as file:
        paths = [name.partition(".lora_A.")[0] for name in file.keys() if ".lora_A." in name]  # noqa: SIM118
    return tuple(sorted({path.rpartition(".")[2] for path in paths}))


def _scale(weights: Path, scale: float) -> None:
    """Multiplies what an adapter adds to every layer, alpha / rank * B A x: in B, which every server reads alike."""
    state = {name: part * scale if ".lora_B." in name else part for name, part in load_file(weights).items()}
    save_file(state, weights, metadata={"format": "pt"})
    as_readable_as_its_folder(weights)


def _apart(session: Session) -> float | None:
    """How far the whole weights are from those in few bits that were trained over; None where these were whole, too.

    Of files that are in few bits themselves there are no others: these are made whole.
    """
    model = session.config.model
    if model.quantization == "none":
        return None if bits_of(read_config(session.files.folder, session.files.name), model) is None else 0.0
    return distance(load_model(session.files, model), load_model(session.files, replace(model, quantization="none")))


def _write_manifest(checkpoint: AgentCheckpoint, target: Path, scale: float, apart: float | None) -> None:
    """The checkpoint's own; of scaled or folded adapters, with the hashes of what they have become."""
    if scale == 1 and apart is None and not checkpoint.has_basis:
        shutil.copy(checkpoint.manifest_file, target)
        return
    files = {
        name: sha256_of_file(target / name) if (target / name).is_file() else digest
        for name, digest in checkpoint.manifest["files"].items()
    }
    if checkpoint.has_basis:
        files = {path.relative_to(target).as_posix(): sha256_of_file(path) for path in sorted(target.glob("*/*"))}
    said = {"scale": scale} if scale != 1 else {}
    if apart is not None:
        said["base_distance"] = apart
    manifest = {**checkpoint.manifest, **said, "files": files}
    write_text_atomic(target / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False))


def model_card(
    session: Session,
    checkpoint: AgentCheckpoint,
    *,
    merged: bool,
    layers: Sequence[str] = (),
    scale: float = 1.0,
    apart: float | None = None,
) -> str:
    """A model card that says what the agents are and how they are served.

    Args:
        session: the run.
        checkpoint: of the agents.
        merged: each group has a whole model.
        layers: names of the layers that the adapters adapt.
        scale: what the adapters' effect is multiplied with.
        apart: how far the weights that they are merged into are from those that were trained over, if they are.
    """
    base = checkpoint.manifest["base_model"]["name"]
    profiles = "\n".join(
        f"| {markdown_cell(group.name)} | {markdown_cell(group.explicit[0]) if group.explicit else '-'} |"
        for group in session.groups.members
    )
    return f"""---
base_model: {base}
library_name: {"transformers" if merged else "peft"}
tags: [trialign]
---

# Agents of the run {session.config.name}, step {checkpoint.step}

One {"model" if merged else "LoRA adapter"} for each group of "{session.groups.attribute}", trained with TriAlign
(objective `{session.config.objective.name}`) on `{base}`
(SHA-256 of {_hashed(session)}: {checkpoint.manifest["base_model"]["sha256"]}).
{_in_bits(checkpoint, apart)}{_scaled(scale)}
{_placement(session, checkpoint)}
|---|---|
{profiles}

{serving(session, merged=merged, layers=layers)}
{_rendering(checkpoint)}{_gated(checkpoint)}
The audits of these agents, with intervals, lie in the run's folder `audits/`.
"""


def _hashed(session: Session) -> str:
    """What the base model's hash is of."""
    return "the GGUF file whose dequantised weights it is" if is_converted(session) else "its weights"


def _in_bits(checkpoint: AgentCheckpoint, apart: float | None) -> str:
    """What a card says of agents that were trained over weights in few bits; a line of its own."""
    if apart == 0:
        return f"\n{_SAME}\n"
    bits = checkpoint.manifest["base_model"].get("quantization")
    if not bits:
        return ""
    said = f"\nThe agents were trained over linear layers in {bits} (bitsandbytes), all but the output layer"
    if apart is None:
        return f"{said}: over other weights they answer otherwise.\n"
    return (
        f"{said}, and are merged here into the whole weights W. From these, those in {bits}, Q, are {apart:.2%} apart "
        f"({_FORMULA}): audit these models before they are served.\n"
    )


def _scaled(scale: float) -> str:
    """What a card says of agents whose adapters are not applied wholly; a line of its own."""
    if scale == 1:
        return ""
    return (
        f"\nThe adapters' effect is multiplied by {scale:g} (`--scale`), in the weights themselves: serve them as they "
        "are. The audits below are of the agents as they were trained, at scale 1, not of these.\n"
    )


def _gated(checkpoint: AgentCheckpoint) -> str:
    """What a card says of agents that a gate stands before; a line of its own."""
    if not is_gated(checkpoint):
        return ""
    return (
        f"\nThese are not the agents that were audited: before those stood a classifier (`{GATE}`): what it takes for "
        "a fact goes another way (`objective.gate` in docs/method.md). Whoever serves them has to do the same.\n"
    )


def _placement(session: Session, checkpoint: AgentCheckpoint) -> str:
    """Where a profile belongs, and the head of the table that lists them."""
    system = session.config.prompt.system
    if checkpoint.manifest.get("chat", {}).get("system") == "first user message":
        return (
            "The base model's chat template has no place for a system message. Each agent was trained with its group's "
            "profile at the beginning of the first user message, a blank line before the question. Put it there when "
            f'you serve it:\n\n| group | first user message: "{system}" and then |'
        )
    if session.config.prompt.profile == "last":
        return (
            "Each agent was trained with its group's profile in a second system message, after the question. Put it "
            f'there when you serve it, behind "{system}":\n\n| group | system message after the question |'
        )
    return (
        "Each agent was trained with its group's profile in the system message. Put it there when you serve it:\n\n"
        f'| group | system message: "{system}" and then |'
    )


def _rendering(checkpoint: AgentCheckpoint) -> str:
    """What else of the prompts serving has to do as training did; a line of its own for each."""
    chat = checkpoint.manifest.get("chat", {})
    lines = []
    if chat.get("thinking") == "off":
        lines.append(
            'They were trained with thinking off: serve them with `chat_template_kwargs: {"enable_thinking": false}` '
            f"where the chat template knows it. {_behind(chat)}"
        )
    if chat.get("date"):
        lines.append(f"The chat template writes the day; in all training prompts it was {chat['date']}.")
    return "".join(f"\n{line.strip()}\n" for line in lines)


def _behind(chat: Mapping[str, Any]) -> str:
    text = json.dumps(chat.get("behind_the_prompt", ""), ensure_ascii=False)
    return f"Behind the template's own prompt stood {text} before every reply." if text != '""' else ""


def _check_base(session: Session, checkpoint: AgentCheckpoint) -> None:
    """Refuses to fold adapters into weights that they were not trained on."""
    base = checkpoint.manifest["base_model"]
    if base["sha256"] != session.files.sha256:
        raise UserError(
            f"The adapters in {checkpoint.folder} do not fit the base model {session.files.name}: they were trained "
            f"on weights with SHA-256 {base['sha256'][:12]}, and these have {session.files.sha256[:12]}",
            "Choose the base model that the manifest names, or export without --merged",
        )


def _merge(session: Session, adapter: Path) -> None:
    """Puts a whole model in the place of an adapter's folder."""
    # A fresh base for each group: merging changes the weights in place.
    config = session.config.model
    model = made_whole(load_model(session.files, replace(config, quantization="none")), getattr(torch, config.dtype))
    merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    found = not_finite(merged.named_parameters())
    if found:
        raise UserError(
            f"The agent of '{adapter.name}' merged in {session.config.model.dtype} is not made of numbers ({found})",
            "Set model.dtype=float32, or export without --merged",
        )
    shutil.rmtree(adapter)
    merged.save_pretrained(str(adapter))
    session.renderer.tokenizer.save_pretrained(str(adapter))
    for weights in adapter.glob("*.safetensors"):
        as_readable_as_its_folder(weights)
