"""The shared environment: what each agent sees at each turn, and who hears whom."""

from __future__ import annotations

import hashlib
import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import takewhile
from typing import Annotated, Any, Literal

from pydantic import Field

from trialign.errors import UserError
from trialign.groups import Exposure, SocialGroup
from trialign.models import FIXED_DAY, ChatRenderer, Content, check_date
from trialign.queries import Query
from trialign.queries.askable import needs_options
from trialign.queries.reading.labels import Shown
from trialign.scoring import Scoring
from trialign.writing import written

Topology = Literal["full", "ring", "star", "random"]


@dataclass(frozen=True)
class PromptConfig:
    """How a question is put to an agent.

    Attributes:
        system: the instruction that every agent gets, the control too.
        options: how the options of a choice stand in the question: ``hidden``, ``listed`` or ``lettered``.
        choose: the sentence before listed options.
        revise: the request of a revision turn, after the other agents' answers.
        clarify: the sentence that asks which of the options a reply meant, before the options.
        profile: where a stated profile stands: ``first``, in the instruction, or ``last``, in a system message after
            the question, so that all groups' prompts begin alike.
        date: the day that a chat template writes as today's, YYYY-MM-DD; most write none.
        question: whether questions with options are put at all; else agents have the options alone, where they are
            shown, and what they get right is what options give away. A question without options is always put.
    """

    system: str = "You are a helpful assistant."
    options: Shown = "hidden"
    choose: str = "Choose one answer:"
    revise: str = "Other assistants answered as above. Answer the question again."
    clarify: str = "Which of these did you mean? Answer with the letter."
    profile: Literal["first", "last"] = "first"
    date: str = FIXED_DAY
    question: bool = True


AdversaryKind = Literal["plain", "confident", "sourced", "majority"]
ADVERSARIES: tuple[AdversaryKind, ...] = ("plain", "confident", "sourced", "majority")


@dataclass(frozen=True)
class AdversaryConfig:
    """Neighbours who assert something, whatever the agents behind them think.

    Attributes:
        share: chance that an agent hears one in a revision turn on a fact with options; 0: nobody does.
        kinds: how it is asserted, drawn anew each time: by one neighbour ``plain``, ``confident`` or with a made-up
            source (``sourced``), or by several, plainly (``majority``).
        majority: how many neighbours are one.
        balanced: half of the times it is the agent that is made wrong, and the neighbours assert the right answer, so
            that agents do not learn to be deaf.
    """

    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    kinds: tuple[AdversaryKind, ...] = ADVERSARIES
    majority: Annotated[int, Field(ge=1, le=1000)] = 2
    balanced: bool = True


@dataclass(frozen=True)
class EnvironmentConfig:
    """The interaction between the groups.

    Attributes:
        turns: revision turns after turn 0.
        topology: whose answers of the turn before an agent sees: everyone's (``full``), the two neighbours'
            (``ring``), the first agent's while that one sees all (``star``), or one other agent's at random.
        revision_share: share of the queries that go through the revision turns, chosen by the query's hash.
        adversary: neighbours who assert something.
    """

    turns: Annotated[int, Field(ge=0, le=100)] = 1
    topology: Topology = "full"
    revision_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    adversary: AdversaryConfig = field(default_factory=AdversaryConfig)


@dataclass(frozen=True)
class Observation:
    """What one agent has before it when it answers.

    Attributes:
        prompt: token ids, ending where the reply begins.
    """

    query_id: str
    group: str
    exposure: Exposure
    wording: int
    turn: int
    prompt: tuple[int, ...]

    @property
    def called(self) -> str:
        """What an error calls it."""
        return f"'{self.query_id}', group '{self.group}', turn {self.turn}"


Conversation = tuple[tuple[str, Content], ...]


def asked_in_words(query: Query, config: PromptConfig) -> PromptConfig:
    """How a question is put as a person asks it: without its options, but where it makes no sense without them."""
    if not needs_options(query):
        return replace(config, options="hidden")
    return config if config.options != "hidden" else replace(config, options="listed")


def first_turn(
    query: Query, group: SocialGroup, exposure: Exposure, wording: int, config: PromptConfig
) -> Conversation:
    """The conversation of turn 0: the profile (stated, revealed, or in how the question is written), the question.

    Raises:
        UserError: a profile that earlier dialogue reveals is to stand after the question.
    """
    if exposure == "style" and group.role == "member":
        way = group.style[wording]
        query = replace(query, question=written(query.question, way, query.query_id, query.options))
        group = replace(group, role="control")  # nothing else tells who asks
    system = config.system
    if config.profile == "last" and group.role == "member":
        if exposure == "implicit":
            raise UserError(
                "An implicit profile is dialogue before the question, and prompt.profile=last puts profiles after it",
                "Ask with explicit profiles, or train with prompt.profile=first",
            )
        return _trimmed(("system", system), ("user", question_text(query, config)), ("system", group.explicit[wording]))
    dialogue: tuple[tuple[str, Content], ...] = ()
    if group.role == "member" and exposure == "explicit":
        system = f"{system} {group.explicit[wording]}"
    elif group.role == "member":
        dialogue = tuple((message.role, message.content) for message in group.implicit[wording])
    return _trimmed(("system", system), *dialogue, ("user", question_text(query, config)))


def told_of(
    conversation: Conversation, group: SocialGroup, other: SocialGroup, exposure: Exposure, wording: int
) -> Conversation:
    """The same conversation, whatever came after its first turn, had the agent been told of another group.

    Args:
        conversation: begins as `first_turn` made it for the group.
        group: a member.
        other: who takes its place: a member with as many wordings, or a control, of whom nothing is told.
        exposure: how the profile was told.
        wording: which one.
    """
    if exposure == "style":
        return conversation  # the question is the user's own, however it is written
    known = other.role == "member"
    if exposure == "implicit":
        told = other.implicit[wording] if known else ()
        dialogue = _trimmed(*((message.role, message.content) for message in told))
        return (conversation[0], *dialogue, *conversation[1 + len(group.implicit[wording]) :])
    profile, stated = group.explicit[wording].strip(), other.explicit[wording].strip() if known else ""
    (role, content), *rest = conversation
    if isinstance(content, str) and content.endswith(profile):
        return (*_trimmed((role, f"{content.removesuffix(profile).rstrip()} {stated}")), *rest)
    last = (("system", stated),) if stated else ()
    place = conversation.index(("system", profile))
    return (*conversation[:place], *last, *conversation[place + 1 :])


def revision_turn(
    conversation: Conversation, own_reply: Content, heard: Sequence[str], config: PromptConfig
) -> Conversation:
    """The conversation of the next turn: the agent's own reply, then the replies that it hears.

    Neither the gold answer nor anything about the other groups' profiles is in it.
    """
    answers = "\n".join(f"- {reply}" for reply in heard)
    return (*conversation, *_trimmed(("assistant", own_reply), ("user", f"{answers}\n{config.revise}")))


def _trimmed(*messages: tuple[str, Content]) -> Conversation:
    """The messages without blanks around them, which some chat templates keep and some do not."""
    return tuple((role, content.strip() if isinstance(content, str) else content) for role, content in messages)


def question_text(query: Query, config: PromptConfig) -> str:
    """The user message that asks a query."""
    asked = query.question if config.question or not query.options else ""
    if not query.options or config.options == "hidden":
        return asked
    marks = (
        [f"{letter}. " for letter in letters(query)] if config.options == "lettered" else ["- "] * len(query.options)
    )
    listing = "\n".join(mark + option for mark, option in zip(marks, query.options, strict=True))
    return f"{asked}\n{config.choose}\n{listing}"


def letters(query: Query) -> list[str]:
    """The letters that stand for the options, in order.

    Raises:
        UserError: there are more options than letters.
    """
    if len(query.options) > len(string.ascii_uppercase):
        raise UserError(
            f"The question '{query.query_id}' has {len(query.options)} options, more than there are letters",
            "Set prompt.options to listed or hidden, and scoring.kind to another than letter",
        )
    return list(string.ascii_uppercase[: len(query.options)])


def option_actions(query: Query, scoring: Scoring, renderer: ChatRenderer) -> tuple[tuple[int, ...], ...]:
    """The token ids that stand for each option when it is scored: text and end token, text alone, or its letter."""
    if scoring.kind == "letter":
        return tuple(renderer.encode(letter) for letter in letters(query))
    made = renderer.encode if scoring.kind == "bytes" else renderer.reply
    return tuple(made(option) for option in query.options)


def option_sizes(query: Query, scoring: Scoring, actions: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """What each option's score is divided by: its tokens (``mean``), its text's bytes in UTF-8 (``bytes``), else 1.

    Args:
        query: whose options they are.
        scoring: its kind.
        actions: as `option_actions` gives them.
    """
    if scoring.kind == "mean":
        return tuple(map(len, actions))
    if scoring.kind == "bytes":
        return tuple(len(option.strip().encode()) for option in query.options)
    return (1,) * len(actions)


def without_question(conversation: Conversation, query: Query) -> Conversation:
    """Turn 0 of a conversation with an empty question: the same instruction, profile and list of options, if shown.

    It is what ``scoring.kind=pmi`` holds an option against, in later turns too: nothing was asked, nothing heard.
    """
    question = query.question.strip()
    place, rest = next(
        (place, content[len(question) :].strip())
        for place, (role, content) in reversed([*enumerate(conversation)])
        if role == "user" and isinstance(content, str) and content.startswith(question)
    )
    behind = takewhile(lambda message: message[0] != "assistant", conversation[place + 1 :])
    return (*conversation[:place], ("user", rest), *behind)


def prompt_identity(config: PromptConfig) -> dict[str, Any]:
    """What of the prompt a collection depends on, as its hash takes it."""
    values = asdict(config)
    del values["clarify"]  # audits alone ask that
    del values["date"]  # it is in the name of a collection whose prompts hold it, with what else the template does
    # Collections that were made before there was a choice keep their name.
    if config.profile == "first":
        del values["profile"]
    if config.question:
        del values["question"]
    return values


def environment_identity(config: EnvironmentConfig) -> dict[str, Any]:
    """What of the environment a collection depends on, as its hash takes it."""
    values = asdict(config)
    # Collections without adversaries keep the name that they had before there were any.
    if not config.adversary.share:
        del values["adversary"]
    return values


def check_adversary(config: EnvironmentConfig, agents: int) -> None:
    """Refuses adversaries whom nobody can hear.

    Args:
        config: of the environment.
        agents: how many hear each other.

    Raises:
        UserError: there are no revision turns, no kinds, or fewer neighbours than adversaries.
    """
    adversary = config.adversary
    if not adversary.share:
        return
    if not config.turns or not config.revision_share:
        raise UserError(
            "environment.adversary.share is above 0, and without revision turns nobody hears a neighbour",
            "Set environment=revision, or the share to 0",
        )
    if not adversary.kinds:
        raise UserError("environment.adversary.kinds is empty", f"Name some of: {', '.join(ADVERSARIES)}")
    fewest = min(map(len, neighbours(config.topology, agents, "").values()))
    needed = adversary.majority if "majority" in adversary.kinds else 1
    if needed > fewest:
        raise UserError(
            f"environment.adversary needs {needed} neighbours, and with {agents} groups along "
            f"environment.topology={config.topology} an agent may hear {fewest}",
            "Set environment.adversary.majority lower, leave majority out of environment.adversary.kinds, or "
            "environment.topology=full",
        )


def check_prompt_and_scoring(config: PromptConfig, scoring: Scoring) -> None:
    """Refuses letters that the agents never saw, and a day that there is not.

    Raises:
        UserError: scoring by letter without lettered options, or against a question that is not put, or prompt.date is
            no day.
    """
    check_date(config.date)
    if scoring.kind == "pmi" and not config.question:
        raise UserError(
            "scoring.kind=pmi takes away the score without the question, and prompt.question=false puts none",
            "Set scoring.kind=sum, mean or bytes",
        )
    if scoring.kind == "letter" and config.options != "lettered":
        raise UserError(
            f"scoring.kind=letter needs the options lettered in the prompt, and prompt.options is {config.options}",
            "Set prompt.options=lettered, or scoring.kind=sum",
        )


def observe(
    query: Query,
    group: SocialGroup,
    exposure: Exposure,
    wording: int,
    turn: int,
    conversation: Conversation,
    renderer: ChatRenderer,
) -> Observation:
    """Renders a conversation into the observation of one turn."""
    prompt = renderer.render(conversation)
    return Observation(query.query_id, group.name, exposure, wording, turn, prompt)


def check_fits(observation: Observation, longest_reply: int, context_length: int | None) -> None:
    """Refuses an observation that leaves no room for its replies.

    Raises:
        UserError: prompt and longest reply are more tokens than the base model was made for.
    """
    needed = len(observation.prompt) + longest_reply
    if context_length is not None and needed > context_length:
        raise UserError(
            f"The {observation.exposure} profile of group '{observation.group}' with question "
            f"'{observation.query_id}' takes {needed} tokens at turn {observation.turn}, and the base "
            f"model's context has {context_length}",
            "Shorten the profile or the question, or choose a base model with a longer context",
        )


def neighbours(topology: Topology, agents: int, key: str) -> Mapping[int, tuple[int, ...]]:
    """Whom each agent hears.

    Args:
        topology: see `EnvironmentConfig`.
        agents: number of agents; a single one hears nobody.
        key: seeds the ``random`` topology; the same key gives the same edges.

    Returns:
        Agent -> the agents whose answers it sees, in ascending order, never itself.
    """
    everyone = range(agents)
    others = {agent: tuple(other for other in everyone if other != agent) for agent in everyone}
    if topology == "full" or agents <= 2:
        return others
    if topology == "ring":
        return {agent: tuple(sorted({(agent - 1) % agents, (agent + 1) % agents})) for agent in everyone}
    if topology == "star":
        return {agent: others[0] if agent == 0 else (0,) for agent in everyone}
    generator = random.Random(stable_seed(key))
    return {agent: (generator.choice(others[agent]),) for agent in everyone}


def is_revised(query_id: str, config: EnvironmentConfig) -> bool:
    """Whether a query goes through the revision turns; decided by its id alone, so that every rank agrees."""
    return config.turns > 0 and in_share(f"revise:{query_id}", config.revision_share)


def in_share(key: str, share: float) -> bool:
    """Whether a text is among such a share of all texts; by the text alone."""
    return stable_seed(key) % 10_000 < share * 10_000


def stable_seed(key: str) -> int:
    """A 63-bit seed that depends on the text alone, not on process or platform."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") >> 1
