"""The text term's own collection, beside the run's trajectories, and the episodes that a teacher's replies join."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace

from trialign import distributed
from trialign.api.session import Session
from trialign.api.steps import panels_of
from trialign.asking import LocalAgents
from trialign.groups import Exposure, SocialGroup
from trialign.queries import Query
from trialign.trajectories.episodes import Episode, Taught
from trialign.trajectories.teacher import (
    OF_FACTS,
    OF_TASTES,
    Teacher,
    asked_openly,
    instructions,
    is_taught,
    wording_of,
)
from trialign.trajectories.texts import EVERYONE, Text, TextStore, counts

log = logging.getLogger("trialign")


def collect(session: Session) -> None:
    """Makes the replies that are missing; like the run's own collection, over all ranks and resumable."""
    store = text_store(session)
    if not store.complete:
        store.collect(_asked(session), session.config.collect.queries_per_part, teacher_of(session).write)
    if distributed.rank() == 0:
        found = counts(store.texts())
        log.info("Texts: %s", store.folder)
        log.info(
            "%d of %d replies of the teacher do not state the answer that it was given, and are left out",
            found["left_out"],
            found["replies"],
        )


def teacher_of(session: Session) -> Teacher:
    """The teacher that a configuration asks for."""
    config = session.config
    return Teacher(
        _agents(session),
        session.groups,
        config.prompt,
        config.collect.exposures[0],
        config.collect.seed,
        config.objective.text.top_k,
        panels_of(session),
    )


def joined(session: Session, training: Sequence[Episode]) -> tuple[list[Episode], list[Episode]]:
    """The training episodes with what their teacher said, and the episodes of ordinary instructions.

    An episode of which a group's reply was left out has none at all: the groups stay alike in what they learn from.

    Raises:
        UserError: the collection is not what was written, or a reply does not fit the base model's context.
    """
    said = {(text.query_id, text.group): text for text in text_store(session).texts() if text.stated}
    queries = {query.query_id: query for query in _asked(session)}
    everyone, agents, panels = session.groups.members, _agents(session), panels_of(session)

    def texts(query: Query, exposure: Exposure, seats: tuple[int, ...] | None) -> tuple[Taught, ...]:
        members = everyone if seats is None else tuple(everyone[place] for place in seats)
        found = [
            said.get((query.query_id, name)) or said.get((query.query_id, EVERYONE)) for name in map(_name, members)
        ]
        kept = [text for text in found if text is not None]
        if len(kept) < len(members):
            return ()
        return _taught(session, agents, query, exposure, members, kept)

    with_texts = [
        replace(one, texts=texts(queries[one.query_id], one.exposure, one.seats)) if one.query_id in queries else one
        for one in training
    ]
    beside = [
        Episode(query.query_id, exposure, query.split, "instruction", (), texts(query, exposure, seats), seats)
        for query in instructions()
        if query.query_id in queries
        for exposure in session.config.collect.exposures
        for seats in ([None] if panels is None else map(panels.places, panels.of(query.query_id)))
    ]
    return with_texts, beside


def _taught(
    session: Session,
    agents: LocalAgents,
    query: Query,
    exposure: Exposure,
    members: Sequence[SocialGroup],
    said: Sequence[Text],
) -> tuple[Taught, ...]:
    """What the agent of each group is to say after the question as it is asked it."""
    seed, prompt = session.config.collect.seed, session.config.prompt
    asked = [
        asked_openly(query, group, exposure, wording_of(seed, query.query_id, exposure, group), prompt)
        for group in members
    ]
    return tuple(Taught(seen.prompt, text) for seen, text in zip(agents.observe(asked), said, strict=True))


def _name(group: SocialGroup) -> str:
    return group.name


def _agents(session: Session) -> LocalAgents:
    """The base model, which the teacher is, with room for its longest reply."""
    config = session.config
    return LocalAgents(
        session.policy.eval(),
        session.renderer,
        config.scoring,
        config.objective.text.tokens,
        config.collect.batch_tokens,
        reference=True,
    )


def _asked(session: Session) -> list[Query]:
    """What the teacher is asked: a share of the training questions, and of the instructions where a step has some."""
    objective = session.config.objective
    ordinary = session.limited(instructions()) if objective.text.instructions else ()
    questions = [query for query in session.split("train") if query.kind in objective.kinds]
    return [query for query in (*questions, *ordinary) if is_taught(query, objective.text.share)]


def text_store(session: Session) -> TextStore:
    """The collection of the teacher's replies that this configuration asks for; equal ones are shared by runs."""
    text, collected = session.config.objective.text, session.store.identity
    names = ("model", "tokenizer_sha256", "groups", "prompt", "chat", "panels")
    asked = [(query.query_id, query.question, _given(query)) for query in _asked(session)]
    identity = {name: collected[name] for name in names if name in collected}
    identity["text"] = {
        "tokens": text.tokens,
        "top_k": text.top_k,
        "told": [asdict(OF_FACTS), asdict(OF_TASTES)],
        "exposure": session.config.collect.exposures[0],
        "seed": session.config.collect.seed,
        "queries_per_part": session.config.collect.queries_per_part,
        "asked_sha256": hashlib.sha256(json.dumps(asked).encode()).hexdigest(),
    }
    return TextStore.under(session.runs, identity)


def _given(query: Query) -> object:
    """What beside the question a teacher's reply depends on."""
    return {name: value for name, value in asdict(query).items() if name in ("gold", "aliases", "options", "targets")}
