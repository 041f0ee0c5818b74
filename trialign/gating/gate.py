"""The gate as it is fitted, and as a checkpoint keeps it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trialign.checkpoints import AgentCheckpoint
from trialign.errors import UserError
from trialign.gating.classifier import Classifier, fit_validated
from trialign.gating.states import Reader
from trialign.policy.steering import Steering, steered
from trialign.queries import Query
from trialign.storage import write_text_atomic

GATE = "gate.json"


@dataclass(frozen=True)
class Gate:
    """What tells facts from tastes, and what becomes of facts.

    Attributes:
        facts: see ``objective.gate.facts``.
        system: the instruction before the question, as the classifier reads it.
        classifier: of the base model's last hidden state; its first class are the facts.
        steering: how agents that answer facts are moved; None: they are not.
    """

    facts: str
    system: str
    classifier: Classifier
    steering: Steering | None = None

    def write(self, folder: Path) -> None:
        """Writes ``gate.json``; numbers come back as they were."""
        found, steering = self.classifier, self.steering
        values: dict[str, Any] = {
            "facts": self.facts,
            "system": self.system,
            "bias": found.bias,
            "weights": found.weights.tolist(),
        }
        if steering is not None:
            moves = {group: move.tolist() for group, move in steering.moves.items()}
            values["steering"] = {"layer": steering.layer, "moves": moves}
        write_text_atomic(folder / GATE, json.dumps(values, ensure_ascii=False))


def fit_gate(
    facts: str,
    system: str,
    reader: Reader,
    training: Sequence[Query],
    validation: Sequence[Query],
    steering: Steering | None = None,
) -> Gate:
    """Fits the classifier to the kinds of the training questions; mixed ones are both, and left out.

    Args:
        facts: what becomes of facts.
        system: the instruction before the question.
        reader: of the base model's hidden states.
        training: the questions whose kinds are learned.
        validation: those by which the strength of the penalty on the weights is chosen.
        steering: how agents that answer facts are moved; None: they are not.

    Raises:
        UserError: the training questions are all facts, or all tastes.
    """
    parts = []
    for queries in (training, validation):
        pure = [query for query in queries if query.kind != "mixed"]
        states = reader.states(system, [query.question for query in pure])
        parts.append((states, torch.tensor([query.kind == "truth" for query in pure], dtype=torch.bool)))
    return Gate(facts, system, fit_validated(parts[0], parts[1]), steering)


def is_gated(checkpoint: AgentCheckpoint) -> bool:
    """Whether a gate stands before the agents of a checkpoint."""
    return GATE in checkpoint.manifest.get("files", {})


def read_gate(checkpoint: AgentCheckpoint) -> Gate | None:
    """The gate that a checkpoint keeps, from the very bytes that its manifest has the hash of; None: it has none.

    Raises:
        UserError: the file is not the one that was written.
    """
    if not is_gated(checkpoint):
        return None
    try:
        values = json.loads(checkpoint.verified(GATE))
        weights = torch.tensor(values["weights"], dtype=torch.float64)
        classifier = Classifier(weights, float(values["bias"]))
        return Gate(str(values["facts"]), str(values["system"]), classifier, _steering(values.get("steering")))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"The gate in {checkpoint.folder / GATE} is damaged ({error})", "Train again") from error


def _steering(values: Mapping[str, Any] | None) -> Steering | None:
    if values is None:
        return None
    return Steering(int(values["layer"]), {group: torch.tensor(move) for group, move in values["moves"].items()})


def adapter_hashes(checkpoint: AgentCheckpoint, groups: Sequence[str]) -> dict[str, str | None]:
    """Name -> hash of what answers under it: of a group its adapter, of a steered one its name, that and the gate."""
    hashes = {name: checkpoint.adapter_sha256(name) for name in groups}
    if not is_gated(checkpoint):
        return hashes
    gate = checkpoint.manifest["files"][GATE]
    both = {steered(name): hashlib.sha256(f"{name} {own} {gate}".encode()).hexdigest() for name, own in hashes.items()}
    return {**hashes, **both}
