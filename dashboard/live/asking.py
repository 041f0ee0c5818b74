"""One question to all agents of a checkpoint as one batch, and what each thinks of the others' answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from trialign.asking import Answer, LocalAgents, Watch, read
from trialign.environment import PromptConfig, asked_in_words, first_turn
from trialign.errors import UserError
from trialign.groups import Exposure, SocialGroup
from trialign.queries import PreferenceQuery, Query
from trialign.queries.translated import known, told_in
from trialign.scoring import likeliest
from trialign.weighing import Asked

from .replies import Question, Reply

LONGEST_QUESTION = 4000  # characters
LONGEST_OPTION = 400  # characters
MOST_OPTIONS = 12
LONGEST_REPLY = 64  # tokens
BATCH_TOKENS = 4096  # most positions in one forward pass


def typed_query(question: str, options: Sequence[str]) -> Query:
    """A question as a person types it, refused at the door if it is too long or malformed.

    Raises:
        UserError: says what is wrong with it.
    """
    question, options = question.strip(), [option.strip() for option in options]
    if not question:
        raise UserError("The question is empty", "Write one, or pick one of the audited questions")
    if len(question) > LONGEST_QUESTION:
        raise UserError(
            f"The question has {len(question):,} characters, and at most {LONGEST_QUESTION:,} are taken", "Shorten it"
        )
    if len(options) == 1 or len(set(options)) < len(options) or not all(options):
        raise UserError("The options are one alone, empty, or one twice", "Give none, or at least two different ones")
    if len(options) > MOST_OPTIONS or any(len(option) > LONGEST_OPTION for option in options):
        raise UserError(
            "There are too many options, or one is too long",
            f"Give at most {MOST_OPTIONS}, each of at most {LONGEST_OPTION} characters",
        )
    return PreferenceQuery.asked(question, options)


@torch.inference_mode()
def ask(
    question: Question,
    agents: LocalAgents,
    groups: Mapping[str, SocialGroup],
    prompt: PromptConfig,
    watch: Watch,
) -> tuple[tuple[Reply, ...], tuple[tuple[float, ...], ...]]:
    """All groups' replies, as one batch, and the likelihood that each gives to the others'.

    Args:
        question: who is asked what.
        agents: those that are loaded.
        groups: who there is to ask, by name, the control included. A name may be another than its group's, where an
            agent is told of somebody else than the group whose adapter it has.
        prompt: how the question is put.
        watch: is shown the replies so far, in the groups' order; if it returns True they end there, and nothing more
            is computed.

    Returns:
        The replies, and the likelihoods (see `Answers`); none of these where the replies were ended.

    Raises:
        UserError: there is no such group, it has no such profile, or profile and question do not fit the
            base model's context.
    """
    ended = False

    def watched(texts: Sequence[str]) -> bool:
        nonlocal ended
        ended = watch(texts)
        return ended

    asked = [as_asked(question, _group(groups, name, question.exposure), prompt) for name in question.groups]
    answers = list(agents.answer(asked, watched))
    replies = tuple(as_reply(*given) for given in zip(question.groups, asked, answers, strict=True))
    return replies, () if ended else _likelihood(agents, asked, answers)


def _group(groups: Mapping[str, SocialGroup], name: str, exposure: Exposure) -> SocialGroup:
    group = groups.get(name)
    if group is None or not group.wordings(exposure):
        raise UserError(
            f"The agents have no group '{name}'" if group is None else f"'{group.label}' has no {exposure} profile",
            "Choose other groups, other agents or the other kind of profile",
        )
    return group


def as_asked(question: Question, group: SocialGroup, prompt: PromptConfig) -> Asked:
    """The question as it is put to one group's agent."""
    prompt = asked_in_words(question.query, prompt) if question.in_words else prompt
    query = told_in(question.query, group.language)
    conversation = first_turn(query, group, question.exposure, 0, prompt)
    asked = Asked(query, group, question.exposure, 0, 0, conversation, prompt.options)
    return replace(asked, in_words=question.in_words)


def as_reply(name: str, asked: Asked, answer: Answer) -> Reply:
    """What an agent said that was asked under a name, and what it is read as."""
    parsed = read(asked, answer)
    return Reply(
        group=name,
        label=asked.group.label,
        text=answer.text,
        canonical=known(asked.query, parsed.canonical),
        finished=not answer.cut_off,
        probabilities=answer.option_probabilities,
        adapter_sha256=answer.adapter_sha256,
        status=parsed.status,
    )


def _likelihood(
    agents: LocalAgents, asked: Sequence[Asked], answers: Sequence[Answer]
) -> tuple[tuple[float, ...], ...]:
    """See `Answers`."""
    shares = [answer.option_probabilities for answer in answers if answer.option_probabilities is not None]
    if shares:
        chosen = [likeliest(own) for own in shares]
        return tuple(tuple(own[place] for place in chosen) for own in shares)
    texts = [answer.token_ids for answer in answers]
    scores = agents.score(agents.observe(asked), [texts] * len(asked))
    return tuple(
        tuple(math.exp(score / len(text)) for score, text in zip(values, texts, strict=True)) for values in scores
    )
