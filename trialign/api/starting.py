"""Adapters that training begins with, in place of new ones (`policy.start`)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING

from trialign.errors import UserError
from trialign.models import check_kind, quantised_by
from trialign.models.families import plain_reason
from trialign.policy.peft_folders import PeftFolder, refuse_larger, start_from
from trialign.policy.steering import check_steerable

if TYPE_CHECKING:
    from trialign.api.session import Session


def check_start(session: Session) -> None:
    """Refuses adapters that training cannot begin with; the weights of the base model are not read.

    Raises:
        UserError: they are named by the wrong key, are none, or are of another base model.
    """
    if session.config.model.adapters is not None:
        raise UserError(
            "model.adapters names adapters to audit as they are, and training begins with others",
            "Audit them with 'trialign test', or name them in policy.start to train them further",
        )
    if session.starts and session.config.objective.in_parts:
        raise UserError(
            "policy.start names adapters, and this objective trains an adapter of facts apart, which begins anew",
            "Leave policy.start out, or set objective.gate.facts and objective.merge.facts otherwise",
        )
    for folder in session.starts.values():
        refuse_larger(folder, session.config.policy.rank)
    if session.config.policy.one_for_all and len({one.sha256 for one in session.starts.values()}) > 1:
        raise UserError(
            "policy.start names several adapters, and policy.adapters=shared trains one for all groups",
            "Name one folder, or set policy=per_group",
        )


def check_weights(session: Session) -> None:
    """Refuses weights on disk that nobody has seen to be trained rightly as they are asked to be; none is read.

    Raises:
        UserError: they are in few bits already, and are to be shared out over ranks or compiled.
    """
    trainer = session.config.trainer
    bits = quantised_by(check_kind(session.files, session.config.model))
    if bits and (trainer.shares or trainer.compile):
        asked, cure = ("trainer.compile=true", "trainer.compile=false")
        if trainer.shares:
            asked, cure = f"trainer.strategy={trainer.strategy}", "trainer.strategy=ddp"
        raise UserError(
            f"The weights of the base model {session.files.name} are quantised ({bits}), which {asked} has not been "
            "shown to train",
            f"Set {cure}, or choose the model that it was made from",
        )


def check_steering(session: Session) -> None:
    """Refuses facts answered by steered agents where nobody can be steered; no weights are read.

    Raises:
        UserError: names what stands against it.
    """
    if session.config.objective.gate.facts == "steered":
        kind = check_kind(session.files, session.config.model)
        check_steerable(session.config.policy, plain_reason(kind))


def check_compiler(session: Session) -> None:
    """Refuses `trainer.compile` where there is nothing to compile with.

    Raises:
        UserError: no C++ compiler is found.
    """
    compiler = os.environ.get("CXX", "g++")
    if session.config.trainer.compile and shutil.which(compiler) is None:
        raise UserError(
            f"trainer.compile is true, and there is no C++ compiler here ({compiler})",
            "Install one (apt-get install g++), or set trainer.compile=false",
        )


def begun(session: Session) -> Mapping[str, PeftFolder]:
    """Group -> the adapter that it has before training, which is put into the policy; empty where they are new.

    Raises:
        UserError: an adapter does not fit the policy or the base model.
    """
    if session.starts:
        start_from(session.policy, session.starts)
    return session.starts
