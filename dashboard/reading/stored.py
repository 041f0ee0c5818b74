"""What an audit recorded, in the form of live answers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from trialign.groups import Exposure
from trialign.queries import Query

from ..live.asking import Answers, Reply
from ..live.engine import Setting
from . import records
from .catalog import AuditEntry, Catalog, RunEntry


def stored_answers(
    catalog: Catalog, run: RunEntry, audit: AuditEntry, setting: Setting, query: Query, exposure: Exposure
) -> Answers | None:
    """All groups' recorded answers to an audited question; None where the audit has none of this exposure."""
    frame = records.items(catalog, audit)
    rows = frame[
        (frame.query_id == query.query_id)
        & (frame.exposure == exposure)
        & (frame.wording == 0)
        & (frame.turn == 0)
        & (frame.repeat == 0)
        & (frame.group == frame.profile_group)
    ]
    by_group = {str(row.group): row for _, row in rows.iterrows()}
    replies = tuple(_reply(name, setting, by_group[name]) for name in setting.everyone if name in by_group)
    if not replies:
        return None
    return Answers(run.id, audit.step, None, replies, _likelihood(query, replies))


def _reply(name: str, setting: Setting, row: pd.Series[Any]) -> Reply:
    shares = row.option_probabilities
    return Reply(
        group=name,
        label=setting.everyone[name].label,
        text=row.answer,
        canonical=None if pd.isna(row.canonical) else row.canonical,
        finished=True,
        probabilities=None if shares is None else tuple(float(share) for share in shares),
        adapter_sha256=None if pd.isna(row.adapter_sha256) else row.adapter_sha256,
    )


def _likelihood(query: Query, replies: tuple[Reply, ...]) -> tuple[tuple[float, ...], ...]:
    """Known of recorded answers only where they were chosen from options."""
    if any(reply.probabilities is None or reply.canonical not in query.options for reply in replies):
        return ()
    places = [query.options.index(str(reply.canonical)) for reply in replies]
    return tuple(tuple((reply.probabilities or ())[place] for place in places) for reply in replies)
