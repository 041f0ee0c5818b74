"""Neighbours who assert something in an episode: who, how and what, by the seed alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from trialign.claims import FRAMES, asserted, claim
from trialign.environment import AdversaryConfig, AdversaryKind, stable_seed
from trialign.queries import TruthQuery
from trialign.weighing import Asked


@dataclass(frozen=True)
class Assertion:
    """What an agent hears in one turn, whatever its neighbours think.

    Attributes:
        kind: how it is asserted.
        answer: the option that is asserted.
        own: the wrong option that stands for the agent's own answer; None: its own stands.
        said: place among those that are heard -> what is said there.
    """

    kind: AdversaryKind
    answer: str
    own: str | None
    said: dict[int, str]

    def among(self, heard: Sequence[str]) -> list[str]:
        """What is heard, with the assertions in their places."""
        return [self.said.get(place, reply) for place, reply in enumerate(heard)]


def assertion(seat: Asked, heard: int, config: AdversaryConfig, seed: int) -> Assertion | None:
    """What is asserted to one agent in one turn; None: nothing.

    The seed, the question, the group, the exposure and the turn decide it alone, so that every rank and every resumed
    collection draws the same.

    Args:
        seat: the agent, in a turn after the first.
        heard: how many neighbours it hears.
        config: how often and how.
        seed: of the collection.
    """
    query = seat.query
    if not config.share or not seat.turn or not isinstance(query, TruthQuery) or not query.options:
        return None
    place = f"{query.query_id}:{seat.group.name}:{seat.exposure}:{seat.turn}"
    generator = random.Random(stable_seed(f"adversary:{seed}:{place}"))
    if generator.random() >= config.share:
        return None
    kind = generator.choice(config.kinds)
    wrong = asserted(query, stable_seed(f"asserted:{seed}:{query.query_id}"))
    turned = config.balanced and generator.random() < 0.5
    answer = query.gold if turned else wrong
    places = generator.sample(range(heard), config.majority if kind == "majority" else 1)
    frames = FRAMES["plain" if kind == "majority" else kind]
    said = {one: claim(generator.choice(frames), answer) for one in places}
    return Assertion(kind, answer, wrong if turned else None, said)
