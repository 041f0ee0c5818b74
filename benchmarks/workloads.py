"""What the comparisons work on: prompts and answers of the embedded questions, as token ids."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from trialign.api.session import Session
from trialign.composition import compose
from trialign.config import load
from trialign.environment import first_turn, observe, option_actions
from trialign.trajectories.collection import Collector
from trialign.trajectories.episodes import Episode, episodes_of


@dataclass(frozen=True)
class Prompted:
    """One prompt of one group, and the answers to it."""

    group: str
    prompt: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]


def session_of(data: str, *words: str) -> Session:
    """The quick start's agents; for ``turns``, nine groups that answer number questions over two turns.

    Their adapters are not zero, so that every weight has a gradient.
    """
    groups = ["groups=[country,education]", "data.files=[embedded:numeric.jsonl]"] if data == "turns" else []
    composed = compose("conf/quickstart.yaml", [*groups, "environment.revision_share=1.0", *words])
    session = Session(load(composed), composed)
    torch.manual_seed(0)
    for name, parameter in session.policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    return session


def prompted_options(session: Session, count: int, options: int = 4) -> list[Prompted]:
    """The first questions with so many options: a prompt a question and group."""
    queries = [query for query in session.split("train") if len(query.options) == options][:count]
    prompts = []
    for query in queries:
        for group in session.groups.members:
            conversation = first_turn(query, group, "explicit", 0, session.config.prompt)
            prompt = observe(query, group, "explicit", 0, 0, conversation, session.renderer).prompt
            prompts.append(
                Prompted(group.name, prompt, option_actions(query, session.config.scoring, session.renderer))
            )
    return prompts


def prompted_free(session: Session, count: int) -> list[Prompted]:
    """The first questions without options: a prompt a question and group, no answers yet."""
    prompts = []
    for query in [query for query in session.split("train") if not query.options][:count]:
        for group in session.groups.members[:8]:
            conversation = first_turn(query, group, "explicit", 0, session.config.prompt)
            prompt = observe(query, group, "explicit", 0, 0, conversation, session.renderer).prompt
            prompts.append(Prompted(group.name, prompt, ()))
    return prompts


def prompted_turns(session: Session, count: int, size: int, tokens: int) -> tuple[list[Episode], list[Prompted]]:
    """Episodes of the first free questions over two turns and so many groups, and their prompts, turn by turn."""
    groups = replace(session.groups, members=session.groups.members[:size])
    config = session.config
    collector = Collector(
        session.policy,
        session.renderer,
        groups,
        config.prompt,
        config.environment,
        config.scoring,
        replace(config.collect, max_new_tokens=tokens),
    )
    queries = [query for query in session.split("train") if not query.options][:count]
    episodes = list(episodes_of(collector.collect(queries), groups.names, None))
    rows = [row for episode in episodes for turn in episode.turns for row in turn]
    return episodes, [Prompted(row.group, row.prompt, tuple(s.token_ids for s in row.samples)) for row in rows]
