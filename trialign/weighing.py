"""What is asked as token ids, and options as what they count by, whoever scores them: weights here, or a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from trialign.environment import (
    Conversation,
    Observation,
    check_fits,
    observe,
    option_actions,
    option_sizes,
    without_question,
)
from trialign.groups import Exposure, SocialGroup
from trialign.models import ChatRenderer
from trialign.queries import Query
from trialign.queries.reading.labels import Shown
from trialign.scoring import ScoredOptions, Scoring

# Log-probabilities of actions after each observation, in nats; none where it has no actions.
Score = Callable[[Sequence[Observation], Sequence[Sequence[tuple[int, ...]]]], Sequence[tuple[float, ...]]]


@dataclass(frozen=True)
class Asked:
    """One question as it is put to one agent.

    Attributes:
        wording: which wording of the profile.
        repeat: which asking of the same agent in the same words, from 0.
        conversation: everything that the agent is told, ending with the question.
        shown: how the question shows its options; None: that is not known.
        follow_up: whether it asks what an earlier reply in the conversation meant; without an answer, that one stands.
        turn: 0 where the agent answers alone; in later ones it has heard others.
        in_words: whether an agent that could have its options scored writes a reply instead, as people get it.
        seed: draws that reply at temperature 1; None: the likeliest token is written at each place.
    """

    query: Query
    group: SocialGroup
    exposure: Exposure
    wording: int
    repeat: int
    conversation: Conversation
    shown: Shown | None = None
    follow_up: bool = False
    turn: int = 0
    in_words: bool = False
    seed: int | None = None

    @property
    def scored(self) -> bool:
        """Whether agents that can score options do so."""
        return bool(self.query.options) and not self.in_words


@dataclass(frozen=True)
class Weighing:
    """How what is asked becomes token ids, and scores become what options count by.

    Attributes:
        renderer: of the base model's tokenizer.
        scoring: how options become a distribution.
        max_new_tokens: longest reply.
        context_length: of the base model, in tokens; None: it does not say.
    """

    renderer: ChatRenderer
    scoring: Scoring
    max_new_tokens: int
    context_length: int | None

    def observe(self, asked: Sequence[Asked]) -> list[Observation]:
        """What each agent has before it, with room for the longest reply.

        Raises:
            UserError: a profile with a question does not fit the base model's context.
        """
        observations = []
        for one in asked:
            observation = observe(
                one.query, one.group, one.exposure, one.wording, one.turn, one.conversation, self.renderer
            )
            actions = self.actions(one.query) if one.scored else ()
            check_fits(observation, max(map(len, actions), default=self.max_new_tokens), self.context_length)
            observations.append(observation)
        return observations

    def actions(self, query: Query) -> tuple[tuple[int, ...], ...]:
        """The token ids that stand for each option; none where the answers cannot be enumerated."""
        return option_actions(query, self.scoring, self.renderer)

    def weigh(self, asked: Sequence[Asked], observations: Sequence[Observation], score: Score) -> list[ScoredOptions]:
        """The options of every question, after what the agents have before them; empty where there are none.

        Args:
            asked: the questions.
            observations: as `observe` makes them of these.
            score: is called once.
        """
        actions = [self.actions(one.query) if one.scored else () for one in asked]
        bare = self._unasked(asked, observations) if self.scoring.kind == "pmi" else []
        # One call: rows with and without the question share batches.
        scores = score([*observations, *bare], [*actions, *actions[: len(bare)]])
        unasked = scores[len(asked) :] or [()] * len(asked)
        return [
            ScoredOptions(
                own,
                scores[place],
                option_sizes(one.query, self.scoring, own),
                bare[place].prompt if bare and own else (),
                unasked[place],
            )
            for place, (one, own) in enumerate(zip(asked, actions, strict=True))
        ]

    def _unasked(self, asked: Sequence[Asked], observations: Sequence[Observation]) -> list[Observation]:
        """The observations with an empty question; as they are where no options are scored."""
        return [
            replace(observation, prompt=self.renderer.render(without_question(one.conversation, one.query)))
            if one.scored
            else observation
            for one, observation in zip(asked, observations, strict=True)
        ]
