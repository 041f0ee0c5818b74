"""Somebody whom no group stands for, asked beside the groups: told of values of the attributes that a set states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from trialign.api.session import Session
from trialign.asking import LocalAgents
from trialign.attribute_agents import agent_of, maps_of
from trialign.attributes import Value
from trialign.audit.asking.run import Auditor
from trialign.audit.files.items import AuditItem
from trialign.checkpoints import AgentCheckpoint
from trialign.errors import UserError
from trialign.groups import Exposure, GroupSet
from trialign.queries import Query


@dataclass(frozen=True)
class PersonAnswer:
    """What somebody's agent said.

    Attributes:
        name: the values in words, ``age=30``.
        label: how a group of these values is shown.
        item: the answer, of the agent of these values where z is made of them, else of the nearest group's.
        beyond: a sentence for each number outside those that were trained.
    """

    name: str
    label: str
    item: AuditItem
    beyond: tuple[str, ...]


def stated_values(groups: GroupSet, text: str) -> dict[str, Value]:
    """Values as a command line states them: ``age=30``, or ``age=30,country=iran``.

    Args:
        groups: whose set, or sets, state the attributes.
        text: one value for each attribute.

    Raises:
        UserError: the set states no attributes, a value is missing, or there is no such one.
    """
    attributes, _ = groups.audited
    if not attributes or len(attributes) != len(groups.attributes):
        raise UserError(
            f"The groups of the set '{groups.name}' state no attributes, so nobody can be told of by them",
            "Ask the groups alone, or train on a set that states attributes, such as groups=age_years",
        )
    known, found = {one.name: one for one in attributes}, dict[str, Value]()
    for part in text.split(","):
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in known or not value:
            raise UserError(
                f"'{part.strip()}' states no value of {', '.join(known)}", f"Write {next(iter(known))}=VALUE"
            )
        found[name] = known[name].within(_number(name, value), name) if known[name].numeric else value
    for name in known:
        if name not in found:
            raise UserError(f"'{text}' states no '{name}'", f"Add ,{name}=VALUE")
    groups.standardised(found)  # refuses values that there are not
    return found


def _number(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise UserError(f"'{name}' is '{value}', not a number", f"Write {name}=30") from error


def asked_as(
    session: Session,
    checkpoint: AgentCheckpoint | None,
    query: Query,
    people: Sequence[Mapping[str, Value]],
    exposure: Exposure,
) -> list[PersonAnswer]:
    """Somebody's answer to one question, for each of some people.

    Args:
        session: with the agents loaded.
        checkpoint: where they come from; None: the base model answers, told of the values.
        query: needs no right answer.
        people: attribute -> value, of each.
        exposure: how they are told of.

    Raises:
        UserError: no template tells of them, or the agents are not at hand.
    """
    agents = session.agents(checkpoint)
    if not isinstance(agents, LocalAgents):
        raise UserError("Somebody of other values is asked of agents whose weights are here", "Ask the groups alone")
    maps = maps_of(checkpoint) if checkpoint else None
    found = []
    for values in people:
        name = ",".join(
            f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items()
        )
        told, asks = session.groups.told(name, values), agents
        if checkpoint and maps:
            own = agent_of(checkpoint, maps, values)
            agents.policy.seat({name: own.z})
            asks = replace(agents, adapter_sha256={**agents.adapter_sha256, name: own.sha256})
        else:
            told = replace(told, name=session.groups.nearest(values).name)
        alone = replace(session.groups, members=(told,), control=None, factors=(), stated=())
        auditor = Auditor(asks, alone, session.config.prompt, session.config.audit)
        [item] = [one for one in auditor.answer([query], exposure) if one.group == one.profile_group]
        agents.policy.seat({})
        found.append(PersonAnswer(name, told.label, item, tuple((maps or session.groups).beyond(values))))
    return found
