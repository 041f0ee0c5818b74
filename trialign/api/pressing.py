"""Pressure in an audit: checked before anything is asked, asked after the plain answers, written beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from trialign import distributed
from trialign.api.session import Session
from trialign.asking import LocalAgents
from trialign.audit.asking.attacks import attacks_of
from trialign.audit.asking.pressing import check_turns, facts_with_options, press
from trialign.audit.asking.run import Auditor, Unasked
from trialign.audit.figures.pressure import PressureAnalysis, analyze_pressure
from trialign.audit.files.items import AuditItem
from trialign.audit.files.pressed import KeptPressed, PressedItem, pressed_frame, write_pressed
from trialign.errors import UserError
from trialign.queries import Query, Split
from trialign.runs import PRESSURE


def check_pressure(session: Session, split: Split) -> None:
    """Everything that can be wrong with an audit under pressure, before weights are loaded.

    Behind an address the template is the server's: what it does not hold, it refuses when it is asked.

    Raises:
        UserError: an attack is not known or needs more neighbours than there are, no fact has wrong options, or the
            model's template or context does not hold the turns.
    """
    config = session.config
    attacks = attacks_of(config.audit.pressure, len(session.audited_groups.members))
    if not config.audit.pressure:
        return
    if not attacks:
        raise UserError(
            f"audit.pressure is {list(config.audit.pressure)}, and an agent without neighbours hears nobody",
            "Name other attacks, or audit more groups",
        )
    if not config.prompt.question:
        raise UserError(
            "audit.pressure pushes agents away from what they answered, and prompt.question=false puts no question",
            "Leave audit.pressure out, or put the questions",
        )
    if config.audit.exposures[0] == "style" and any(attack.channel == "profile" for attack in attacks):
        raise UserError(
            "audit.pressure pushes through the profile, and with the exposure style there is none",
            "Name other attacks, or another exposure first in audit.exposures",
        )
    facts = facts_with_options(session.require_split(split))
    if config.model.source != "endpoint":
        asker = Auditor(Unasked(), session.audited_groups, config.prompt, config.audit, seed=config.seed)
        check_turns(facts, asker, attacks, session.renderer, session.context_length)


def under_pressure(
    session: Session, auditor: Auditor, items: Sequence[AuditItem], queries: Sequence[Query], title: str, folder: Path
) -> list[PressedItem] | None:
    """The answers under pressure; goes on where an audit was cut off. None where ``audit.pressure`` names no attack.

    Args:
        session: the run, or a configuration without one.
        auditor: who asks.
        items: the plain answers, of all ranks.
        queries: that were asked.
        title: of the progress.
        folder: of the audit.
    """
    attacks = attacks_of(session.config.audit.pressure, len(session.audited_groups.members))
    if not attacks:
        return None
    kept = None
    if isinstance(auditor.agents, LocalAgents):  # behind an address, every answer is kept anyway
        config, agents = session.config, auditor.agents
        weights = [session.files.sha256, config.model.numbers, asdict(config.scoring), dict(agents.adapter_sha256)]
        kept = KeptPressed(folder, json.dumps(weights), distributed.rank())
    return press(auditor, items, queries, attacks, title, kept)


def write_pressure(session: Session, folder: Path, pressed: Sequence[PressedItem] | None) -> PressureAnalysis | None:
    """Writes the answers under pressure, and what they say; None, and no file, where nobody was pushed."""
    if pressed is None:
        (folder / PRESSURE).unlink(missing_ok=True)  # of an audit that was here before
        return None
    write_pressed(folder / PRESSURE, pressed)
    confidence = 1 - session.config.audit.alpha
    return analyze_pressure(pressed_frame(pressed), session.audited_groups.names, confidence=confidence)
