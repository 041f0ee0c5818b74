"""Revision turns: every group's agent hears others, as while collecting, and is asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trialign.asking import Answer
from trialign.environment import PromptConfig, Topology, neighbours, revision_turn
from trialign.weighing import Asked


def revised(
    asked: Sequence[Asked], answers: Sequence[Answer], members: Sequence[str], topology: Topology, prompt: PromptConfig
) -> list[Asked]:
    """What is asked in the next turn: of the members alone, each profile's first wording, once.

    An agent has its own reply and those of its neighbours before it, as they were given: never the right answer, nor a
    profile of another group.

    Args:
        asked: of one turn; every member with every question.
        answers: to these.
        members: the groups whose agents hear each other, in their order.
        topology: who hears whom.
        prompt: asks again.
    """
    seats = {
        (one.query.query_id, one.exposure, one.group.name): (one, answer)
        for one, answer in zip(asked, answers, strict=True)
        if one.wording == 0 and one.repeat == 0 and one.group.name in members
    }
    episodes = dict.fromkeys((query_id, exposure) for query_id, exposure, _ in seats)
    following = []
    for query_id, exposure in episodes:
        table = [seats[query_id, exposure, name] for name in members]
        heard = neighbours(topology, len(table), f"edges:audit:{query_id}:{table[0][0].turn}")
        for place, (one, answer) in enumerate(table):
            replies = [_said(table[other][1]) for other in heard[place]]
            conversation = revision_turn(one.conversation, _said(answer), replies, prompt)
            following.append(replace(one, turn=one.turn + 1, conversation=conversation))
    return following


def _said(answer: Answer) -> str:
    """A reply as others hear it: where a server held it to the options, that option."""
    return answer.text if answer.held is None else answer.held
