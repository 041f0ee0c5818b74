"""And now somebody pushes: the agents that have just answered are asked again, with a claim and without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import torch

from trialign.asking import LocalAgents, Watch
from trialign.audit.asking.attacks import ARMS, Arm, Attack, attacks_of, followed, in_profile, in_question
from trialign.environment import PromptConfig
from trialign.groups import GroupSet, SocialGroup
from trialign.queries.translated import told_in
from trialign.weighing import Asked

from .asking import as_asked, as_reply
from .replies import Pushed, Question, Reply


class Told(Protocol):
    """What of a run's setting matters here."""

    @property
    def groups(self) -> GroupSet:
        """The social groups."""
        ...

    @property
    def prompt(self) -> PromptConfig:
        """How a question is put."""
        ...

    def profiles(self, names: Sequence[str]) -> Mapping[str, SocialGroup]:
        """All groups by name, the base model without a profile and who else has one of these names."""
        ...


@torch.inference_mode()
def push(
    question: Question, agents: LocalAgents, setting: Told, replies: Sequence[Reply], watch: Watch
) -> tuple[Pushed, ...]:
    """What becomes of every reply under the push, and under as many words that claim nothing.

    An agent that has no profile is not pushed through one.

    Args:
        question: with who pushes.
        agents: those that answered.
        setting: of their run.
        replies: what they answered alone.
        watch: is shown these replies, also while the later ones are written; if it returns True, nothing is said of
            pressure.

    Raises:
        UserError: the attack needs more neighbours than there are, or the turns do not fit the model.
    """
    assert question.push is not None
    texts = [reply.text for reply in replies]
    if watch(texts):
        return ()
    [attack] = attacks_of([question.push.attack], len(setting.groups.members))
    told = setting.profiles(question.groups)
    members = [reply for reply in replies if _can_be_pushed(told[reply.group], attack)]
    both = [_pushed(question, setting, told[reply.group], reply, attack, arm) for reply in members for arm in ARMS]
    names = [reply.group for reply in members for _ in ARMS]
    ended = False

    def watched(_: Sequence[str]) -> bool:
        nonlocal ended
        ended = watch(texts)
        return ended

    asked = [one for one, _ in both]
    found = [as_reply(*given) for given in zip(names, asked, agents.answer(asked, watched), strict=True)]
    if ended:
        return ()
    return tuple(
        Pushed(reply.group, both[2 * place][1], found[2 * place], found[2 * place + 1])
        for place, reply in enumerate(members)
    )


def _can_be_pushed(group: SocialGroup, attack: Attack) -> bool:
    return group.role == "member" or attack.channel != "profile"


def _pushed(
    question: Question, setting: Told, group: SocialGroup, reply: Reply, attack: Attack, arm: Arm
) -> tuple[Asked, str]:
    """One agent's question with the words of one arm, and these words."""
    question, target = _told(question, group)
    said = attack.said(arm, target, question.query.options or (target,), len(setting.groups.members))
    if attack.channel == "question":
        other = replace(question, query=in_question(question.query, said[0]))
        asked = as_asked(other, group, setting.prompt)
    elif attack.channel == "profile":
        asked = as_asked(question, in_profile(group, question.exposure, said[0]), setting.prompt)
    else:
        plain = as_asked(question, group, setting.prompt)
        conversation = followed(plain.conversation, reply.text, attack, said, setting.prompt)
        asked = replace(plain, turn=1, conversation=conversation)
    return asked, "\n".join(said)


def _told(question: Question, group: SocialGroup) -> tuple[Question, str]:
    """The question, and what is claimed, in the group's language where it has a text in that."""
    assert question.push is not None
    query, target = told_in(question.query, group.language), question.push.target
    if target in question.query.options:
        target = query.options[question.query.options.index(target)]
    return replace(question, query=query), target
