"""TriAlign for programs and notebooks: what the command line's verbs do, with what they find as values.

`compose` makes a `Session` from configuration files, `open_run` from a run on disk; `fit`, `audit`,
`ask` and `adapt` take it.
`gate` and `assert_gate` hold a finished audit to rules.
They raise `trialign.errors.UserError` where the command line would exit with 2: one sentence, and the remedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from trialign import composition, config, distributed
from trialign.api import auditing, fitting, session
from trialign.api.adapting import Adapted, adapt
from trialign.api.asking import GroupAnswer, ask
from trialign.api.gates import assert_gate, gate
from trialign.api.results import Audit, Fitted
from trialign.api.session import Session
from trialign.errors import UserError
from trialign.places import at_home

__all__ = [
    "Adapted",
    "Audit",
    "Fitted",
    "GroupAnswer",
    "Session",
    "adapt",
    "ask",
    "assert_gate",
    "audit",
    "compose",
    "fit",
    "gate",
    "open_run",
]


def compose(config_file: str | Path, overrides: Sequence[str] = ()) -> Session:
    """A configuration, composed and checked; nothing is loaded yet.

    Args:
        config_file: a path inside the installed configuration (``conf/quickstart.yaml``), or a file of your own.
        overrides: ``key=value``, as on the command line: values (``trainer.steps=50``) or options of groups
            (``objective=utilitarian``).

    Raises:
        UserError: the file is missing, or a key or value is at fault.
    """
    words = [overrides] if isinstance(overrides, str) else list(overrides)
    composed = composition.compose(str(config_file), words)
    return Session(config.load(composed), composed)


def open_run(folder: str | Path) -> Session:
    """A run on disk, by the configuration that it was made with.

    Args:
        folder: of the run, such as ``runs/quickstart``.

    Raises:
        UserError: there is no run, or its configuration is torn.
    """
    return session.open_run(at_home(folder, "folder"))


def fit(run: Session, *, resume: bool = False, overwrite: bool = False) -> Fitted:
    """Collects what data is missing, audits, trains, audits again; a finished run is only read.

    Args:
        run: the configuration, see `compose`.
        resume: go on with a run that was stopped.
        overwrite: replace a run of this name.

    Returns:
        The two audits, and where the agents are.

    Raises:
        UserError: the configuration is at fault, the run exists and neither flag says what to do with it, or it is to
            be trained by several processes, which the command line alone starts.
        UnfinishedError: scores, loss, gradient or weights are not numbers.
    """
    ranks = run.config.trainer.ranks
    if ranks != distributed.world_size():
        raise UserError(
            f"trainer.devices x trainer.nodes is {ranks}, and this is {distributed.world_size()} process",
            "Start it by 'trialign fit', which starts the others, or set trainer.devices=1 trainer.nodes=1",
        )
    run.renew_policy()  # an adapter that was loaded or trained before is no beginning
    return fitting.fit(run, resume=resume, overwrite=overwrite)


def audit(run: Session, split: Literal["validation", "test"] = "test", *, step: int | None = None) -> Audit:
    """Puts every question of a split to every group's agent.

    Args:
        run: a run, or a configuration without one.
        split: the tuning or the held-out questions.
        step: which checkpoint; None: the last; 0: the base model. A model behind an address, or with adapters from
            elsewhere, is audited as it is.

    Returns:
        The audit, written below the run's folder as ``trialign test`` writes it.

    Raises:
        UserError: questions, groups or model are at fault, there is no such checkpoint, or a run of this name exists
            with another configuration.
    """
    trained = step != 0 and run.trainable
    auditing.check_audit(run, split, trained=trained)
    return auditing.audit(run, split, trained=trained, step=step if trained else None)
