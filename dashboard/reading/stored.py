"""What an audit recorded, in the form of live answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from trialign.groups import Exposure

from ..live.replies import Answers, Reply
from . import records
from .answers import Way, given
from .catalog import AuditEntry, Catalog, RunEntry


def stored_answers(
    catalog: Catalog,
    run: RunEntry,
    audit: AuditEntry,
    labels: Mapping[str, str],
    query_id: str,
    exposure: Exposure,
    groups: Sequence[str],
    way: Way = "Scored",
) -> Answers | None:
    """The recorded answers to an audited question; None where the audit has none of this exposure and way.

    Args:
        catalog: all runs.
        run: the chosen one.
        audit: one of its audits, which asked this question.
        labels: group -> how it is shown.
        query_id: of the question.
        exposure: how the profile reached the agents; answers are those to its first wording.
        groups: whose answers, in this order; those that were not asked are left out.
        way: how the question was answered.
    """
    frame = given(catalog, audit, way)
    if frame is None:
        return None
    rows = frame[
        (frame.query_id == query_id)
        & (frame.exposure == exposure)
        & (frame.wording == 0)
        & (frame.turn == 0)
        & (frame.repeat == 0)
        & (frame.group == frame.profile_group)
    ]
    by_group = {str(row.group): row for _, row in rows.iterrows()}
    replies = tuple(_reply(name, labels.get(name, name), by_group[name]) for name in groups if name in by_group)
    if not replies:
        return None
    query = records.questions(catalog, audit).get(query_id)
    return Answers(run.id, audit.step, None, replies, _likelihood(query.options if query else (), replies))


def _reply(name: str, label: str, row: pd.Series[Any]) -> Reply:
    shares = row.option_probabilities
    return Reply(
        group=name,
        label=label,
        text=row.answer,
        canonical=None if pd.isna(row.canonical) else row.canonical,
        finished=row.parse_status != "cut_off" if pd.isna(row.ended) else bool(row.ended),
        probabilities=None if shares is None else tuple(float(share) for share in shares),
        adapter_sha256=None if pd.isna(row.adapter_sha256) else row.adapter_sha256,
        status=row.parse_status,
    )


def _likelihood(options: Sequence[str], replies: tuple[Reply, ...]) -> tuple[tuple[float, ...], ...]:
    """Known of recorded answers only where they were chosen from options."""
    if any(reply.probabilities is None or reply.canonical not in options for reply in replies):
        return ()
    places = [options.index(str(reply.canonical)) for reply in replies]
    return tuple(tuple((reply.probabilities or ())[place] for place in places) for reply in replies)
