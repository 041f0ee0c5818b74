"""The reference behind an address: what a collection asks of the base model where its weights are not here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trialign.asking import Answer
from trialign.environment import Observation
from trialign.policy.scoring import length_batches
from trialign.scoring import ScoredOptions
from trialign.trajectories.served import ServedReplies
from trialign.weighing import Asked, Weighing


@dataclass(frozen=True)
class ServedAgents:
    """The base model, told the profiles and scored by its server, as `LocalAgents` are by weights in this process.

    Attributes:
        weighing: what makes token ids of what is asked.
        batch_tokens: most positions in the replies that are asked for together.
    """

    served: ServedReplies
    weighing: Weighing
    batch_tokens: int

    def observe(self, asked: Sequence[Asked]) -> list[Observation]:
        """What each agent has before it, with room for the longest reply.

        Raises:
            UserError: a profile with a question does not fit the base model's context.
        """
        return self.weighing.observe(asked)

    def weigh(self, asked: Sequence[Asked], observations: Sequence[Observation]) -> list[ScoredOptions]:
        """The options of every question, after what the agents have before them; empty where there are none.

        Raises:
            UserError, UnfinishedError: see `ServedReplies.score`.
        """
        return self.weighing.weigh(asked, observations, self.score)

    def score(
        self, observations: Sequence[Observation], actions: Sequence[Sequence[tuple[int, ...]]]
    ) -> list[tuple[float, ...]]:
        """Log-probabilities of actions after each observation, in nats; none where it has no actions.

        Raises:
            UserError, UnfinishedError: see `ServedReplies.score`.
        """
        return self.served.score([(one.prompt, own) for one, own in zip(observations, actions, strict=True)])

    def batches(self, observations: Sequence[Observation], samples: int = 1) -> list[list[int]]:
        """Places of the observations whose replies are asked for together: as many as ``batch_tokens`` allow."""
        longest = self.weighing.max_new_tokens
        return length_batches([samples * (len(one.prompt) + longest) for one in observations], self.batch_tokens)

    def said(self, group: str, ids: tuple[int, ...]) -> Answer:
        """The answer that token ids are; no group has an adapter."""
        renderer = self.weighing.renderer
        return Answer(renderer.decode(ids), cut_off=not renderer.ended(ids), token_ids=ids)
