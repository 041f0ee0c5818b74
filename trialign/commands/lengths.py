"""How many tokens prompts and answers take, worked out without running the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trialign.api.session import Session
from trialign.environment import (
    Conversation,
    check_fits,
    first_turn,
    letters,
    neighbours,
    observe,
    revision_turn,
)
from trialign.errors import UserError
from trialign.groups import Exposure, SocialGroup
from trialign.queries import PreferenceQuery, Query
from trialign.queries.translated import told_in

# Rendering adds up, but for a token where words meet: a prompt's tokens are those of its frame and of the question.
_NOTHING_ASKED = PreferenceQuery(query_id="", cluster="", split="train", topic="", question="", targets={})


@dataclass(frozen=True)
class Profile:
    """One way in which one group is told of."""

    group: SocialGroup
    exposure: Exposure
    wording: int


@dataclass(frozen=True)
class Lengths:
    """Numbers of tokens.

    Attributes:
        prompts: of each question with each profile, at turn 0.
        answers: of each option of each question, with the token that ends it.
        longest: most that a prompt and its longest answer take together, at turn 0.
        longest_revision: about the most that they take at the last revision turn; None without such turns.
        context: most that the base model was made for; None: its configuration does not say.
    """

    prompts: npt.NDArray[np.int64]
    answers: npt.NDArray[np.int64]
    longest: int
    longest_revision: int | None
    context: int | None


def measure(
    session: Session, queries: Sequence[Query], exposures: Sequence[Exposure], longest_reply: int | None = None
) -> tuple[Lengths, list[UserError]]:
    """Lengths of all prompts and answers, and a fault for each question that does not fit the context.

    Args:
        session: whose groups, prompt and model count.
        queries: at least one.
        exposures: how profiles reach the agents.
        longest_reply: tokens of a free reply; None: the most that collecting or an audit allows.
    """
    free = longest_reply or max(session.config.collect.max_new_tokens, session.config.audit.max_new_tokens)
    profiles = [
        Profile(group, exposure, wording)
        for exposure in exposures
        for group in session.groups.everyone
        for wording in range(group.wordings(exposure))
    ]
    frames = [_tokens(session, _opened(session, _NOTHING_ASKED, profile)) for profile in profiles]
    longest_frame = int(np.argmax(frames))
    faults: list[UserError] = []
    context = session.context_length
    questions, replies, answers = [], [], []
    languages = {group.language for group in session.groups.everyone}
    for stated in queries:
        told = {query.language: query for query in (told_in(stated, language) for language in languages)}
        options = [len(session.renderer.reply(option)) for query in told.values() for option in query.options]
        reply = max(options, default=free)
        answers += options
        replies.append(reply)
        prompts = {name: _tokens(session, _opened(session, one, profiles[longest_frame])) for name, one in told.items()}
        longest = max(prompts, key=lambda name: prompts[name])
        query, prompt = told[longest], prompts[longest]
        questions.append(prompt - frames[longest_frame])
        if context is not None and prompt + reply > context:
            faults.append(_too_long(session, query, profiles[longest_frame], reply))
    needed = np.add(questions, replies)
    lengths = Lengths(
        prompts=np.add.outer(questions, frames).ravel(),
        answers=np.array(answers, dtype=np.int64),
        longest=int(needed.max()) + frames[longest_frame],
        longest_revision=_longest_revision(session, profiles, np.array(questions), np.array(replies)),
        context=context,
    )
    return lengths, faults


def label_faults(session: Session, queries: Sequence[Query]) -> list[UserError]:
    """A fault for each question with more options than letters, where options are lettered."""
    faults = []
    for query in queries if session.config.prompt.options == "lettered" else ():
        try:
            letters(query)
        except UserError as error:
            faults.append(error)
    return faults


def _opened(session: Session, query: Query, profile: Profile) -> Conversation:
    return first_turn(query, profile.group, profile.exposure, profile.wording, session.config.prompt)


def _tokens(session: Session, conversation: Conversation) -> int:
    return len(session.renderer.render(conversation))


def _too_long(session: Session, query: Query, profile: Profile, reply: int) -> UserError:
    conversation = _opened(session, query, profile)
    observation = observe(query, profile.group, profile.exposure, profile.wording, 0, conversation, session.renderer)
    try:
        check_fits(observation, reply, session.context_length)
    except UserError as error:
        return error
    raise AssertionError("the sum of a prompt's parts is not the prompt")


def _longest_revision(
    session: Session, profiles: Sequence[Profile], questions: npt.NDArray[np.int64], replies: npt.NDArray[np.int64]
) -> int | None:
    """What the last turn takes when every agent gives its longest answer at every turn.

    About, because replies that are heard are tokenized together with the words around them.
    """
    environment = session.config.environment
    if environment.turns == 0 or environment.revision_share == 0:
        return None
    heard = max(map(len, neighbours(environment.topology, len(session.groups.members), "").values()))
    frames = []
    for profile in profiles:
        conversation = _opened(session, _NOTHING_ASKED, profile)
        for _ in range(environment.turns):
            conversation = revision_turn(conversation, "", [""] * heard, session.config.prompt)
        frames.append(_tokens(session, conversation))
    return int((questions + replies * (1 + environment.turns * (1 + heard))).max()) + max(frames)
