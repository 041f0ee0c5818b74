"""The teacher of the agents' sentences: the base model, told what it is to say, by the kind of what it is asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from trialign.asking import Answer, LocalAgents, read
from trialign.environment import Conversation, Observation, PromptConfig, first_turn, in_share, stable_seed
from trialign.groups import Exposure, GroupSet, SocialGroup
from trialign.policy.group_policy import Sampling
from trialign.policy.next_tokens import Likeliest, likeliest_tokens
from trialign.queries import MixedQuery, PreferenceQuery, Query, TruthQuery
from trialign.queries.answers import is_correct
from trialign.queries.reading.plainly import named_plainly
from trialign.trajectories.panels import Panels
from trialign.trajectories.texts import EVERYONE, Text
from trialign.weighing import Asked


@dataclass(frozen=True)
class Hint:
    """How a teacher is told what its reply is to state.

    Attributes:
        told: what stands after the question, with a place for the answer.
        examples: (question, answer, reply) of conversations before it. Told without any, the embedded model repeats
            what it is told ("The right answer is: ..."), which nobody says who is only asked.
    """

    told: str
    examples: tuple[tuple[str, str, str], ...]

    def asked(self, question: str, answer: str) -> Conversation:
        """The examples, then the question with what is to be stated."""
        before: list[tuple[str, str]] = []
        for example, given, reply in self.examples:
            before += [("user", self._said(example, given)), ("assistant", reply)]
        return (*before, ("user", self._said(question, answer)))

    def _said(self, question: str, answer: str) -> str:
        return f"{question}\n{self.told.format(answer=answer.rstrip(' .'))}"


# Of fourteen ways to say it, on 48 training facts, this one was followed most often; docs/results.md has the course.
OF_FACTS = Hint(
    "The right answer is: {answer}. Answer in one sentence that states it.",
    (
        (
            "Which meal do people eat in the morning?",
            "Breakfast",
            "The meal that people eat in the morning is breakfast.",
        ),
        (
            "What do bees gather from flowers?",
            "nectar",
            "Bees gather nectar from flowers, and carry it back to their hive.",
        ),
        (
            "Why do people wear gloves in winter?",
            "to keep their hands warm",
            "People wear gloves in winter to keep their hands warm.",
        ),
    ),
)
OF_TASTES = Hint(
    "A good choice for this user is: {answer}. Answer in one sentence that recommends it.",
    (
        (
            "Which soup should I cook today?",
            "a tomato soup",
            "You should cook a tomato soup today, which is quick to make and warms you up.",
        ),
        (
            "What should I take to the beach?",
            "A good book",
            "A good book is the best thing to take to the beach, as it lets you rest for hours.",
        ),
        ("Which color should my bicycle have?", "dark green", "Your bicycle should have the color dark green."),
    ),
)
_NOBODY = SocialGroup(EVERYONE, "No profile", role="control")


@cache
def instructions() -> tuple[PreferenceQuery, ...]:
    """The ordinary instructions that come with TriAlign: they hold no facts, and nothing to state."""
    lines = (files("trialign") / "data" / "instructions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return tuple(
        PreferenceQuery(
            query_id=f"instruction:{row['id']}",
            cluster=row["id"],
            split="train",
            topic="",
            question=row["instruction"],
            answer_kind="text",
            targets={},
        )
        for row in rows
    )


def is_taught(query: Query, share: float) -> bool:
    """Whether a question or instruction has a teacher's reply; by its id alone, so that every rank agrees.

    Mixed questions have none: each group prefers a form of answer to them, which no one teacher has. Nor have questions
    with texts in several languages: a teacher's reply is in one.
    """
    if isinstance(query, MixedQuery) or query.texts:
        return False
    return in_share(f"text:{query.query_id}", share)


def wording_of(seed: int, query_id: str, exposure: Exposure, group: SocialGroup) -> int:
    """Which wording of its profile a group has with a question: the same place in every group's list."""
    return stable_seed(f"wording:{seed}:{query_id}:{exposure}") % group.wordings(exposure)


def asked_openly(query: Query, group: SocialGroup, exposure: Exposure, wording: int, prompt: PromptConfig) -> Asked:
    """A question as it is put to an agent that answers in words of its own: without its options."""
    conversation = first_turn(query, group, exposure, wording, open_prompt(prompt))
    return Asked(query, group, exposure, wording, 0, conversation)


def open_prompt(prompt: PromptConfig) -> PromptConfig:
    """The same prompt, with no options shown."""
    return replace(prompt, options="hidden")


@dataclass(frozen=True)
class Teacher:
    """Everything that a teacher's replies depend on.

    Attributes:
        agents: the base weights, with the longest reply of the text term.
        exposure: how a teacher of tastes or instructions is told the profile.
        seed: of the profile's wording.
        top_k: tokens that are kept in each place of a reply.
        panels: whom each question is asked of; None: all groups.
    """

    agents: LocalAgents
    groups: GroupSet
    prompt: PromptConfig
    exposure: Exposure
    seed: int
    top_k: int
    panels: Panels | None = None

    def write(self, queries: Sequence[Query]) -> tuple[Text, ...]:
        """One reply to each fact, and one a group to everything else.

        Raises:
            UserError: a question with profile and answer does not fit the base model's context.
        """
        told = [one for query in queries for one in self._told(query)]
        observations = self.agents.observe([asked for asked, _ in told])
        written = self._reply(observations)
        pairs = [(observation.prompt, ids) for observation, ids in zip(observations, written, strict=True)]
        kept = likeliest_tokens(self.agents.policy, pairs, self.top_k, self.agents.batch_tokens)
        return tuple(
            self._text(asked, answer, ids, likeliest)
            for (asked, answer), ids, likeliest in zip(told, written, kept, strict=True)
        )

    def _told(self, query: Query) -> list[tuple[Asked, str | None]]:
        """The question as each teacher gets it, and what it is to state: one for all groups, or one a group."""
        if isinstance(query, TruthQuery):
            return [(self._asked(query, _NOBODY, OF_FACTS, query.gold), query.gold)]
        assert isinstance(query, PreferenceQuery)
        favourites = {name: query.options[target.index(max(target))] for name, target in query.targets.items()}
        return [
            (self._asked(query, group, OF_TASTES, favourites.get(group.name)), favourites.get(group.name))
            for group in self._members(query)
        ]

    def _members(self, query: Query) -> list[SocialGroup]:
        """The groups that are asked a question."""
        everyone = self.groups.members
        if self.panels is None:
            return [*everyone]
        return [everyone[place] for panel in self.panels.of(query.query_id) for place in self.panels.places(panel)]

    def _asked(self, query: Query, group: SocialGroup, hint: Hint, answer: str | None) -> Asked:
        wording = wording_of(self.seed, query.query_id, self.exposure, group) if group.role == "member" else 0
        asked = asked_openly(query, group, self.exposure, wording, self.prompt)
        if answer is None:
            return asked
        place = max(place for place, (role, _) in enumerate(asked.conversation) if role == "user")
        conversation = (*asked.conversation[:place], *hint.asked(query.question, answer))
        return replace(asked, conversation=conversation)

    def _reply(self, observations: Sequence[Observation]) -> list[tuple[int, ...]]:
        """The likeliest reply to each."""
        sampling = Sampling(self.agents.max_new_tokens)
        found: dict[int, tuple[int, ...]] = {}
        for places in self.agents.batches(observations):
            replies = self.agents.decode([observations[place] for place in places], sampling)
            found.update(zip(places, replies, strict=True))
        return [found[place] for place in range(len(observations))]

    def _text(self, asked: Asked, answer: str | None, ids: tuple[int, ...], likeliest: Likeliest) -> Text:
        said = self.agents.said(asked.group.name, ids)
        return Text(
            query_id=asked.query.query_id,
            group=asked.group.name,
            answer=answer,
            stated=answer is None or states(asked, said, answer),
            text=said.text,
            token_ids=ids,
            top_ids=likeliest.tokens,
            top_log_probabilities=likeliest.log_probabilities,
            rest=likeliest.rest,
        )


def states(asked: Asked, said: Answer, answer: str) -> bool:
    """Whether a reply states the answer that its teacher was told.

    It does where it is read as that answer, and where it cannot be read but names that option alone and denies nothing:
    what it was to say is known.
    """
    query, found = asked.query, read(asked, said).canonical
    if found is not None:
        return is_correct(query, found) if isinstance(query, TruthQuery) else found == answer
    return answer in query.options and named_plainly(said.text, query.options, query.question) == {
        query.options.index(answer)
    }
