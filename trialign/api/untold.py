"""Training questions asked once more of agents that are not told who they are, so that z alone can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trialign.api.session import Session
from trialign.environment import first_turn, in_share
from trialign.groups import SocialGroup
from trialign.queries.translated import told_in
from trialign.trajectories.episodes import Episode

_NOBODY = SocialGroup("nobody", "No profile", role="control")


def untold_episodes(session: Session, training: Sequence[Episode]) -> list[Episode]:
    """The first turns of a share of the questions with options, without a profile in any prompt.

    Told of its profile in every prompt, an agent needs no z: what the groups share learns to read the profile, and z
    stays near 0, where the answers of a new group could not move it.

    Args:
        session: with ``policy.basis.untold``, the share; 0, or no basis: there are none.
        training: the episodes, told.
    """
    policy, config = session.config.policy, session.config
    if policy.adapters != "basis" or not policy.basis.untold:
        return []
    queries = {query.query_id: query for query in session.split("train")}
    members = session.groups.members

    def prompt(episode: Episode, group: SocialGroup) -> tuple[int, ...]:
        query = told_in(queries[episode.query_id], group.language)
        return session.renderer.render(first_turn(query, _NOBODY, episode.exposure, 0, config.prompt))

    found = []
    for episode in training:
        # By the question's id alone, so that every rank agrees.
        if not episode.turns[0][0].options or not in_share(f"untold:{episode.query_id}", policy.basis.untold):
            continue
        seated = members if episode.seats is None else [members[place] for place in episode.seats]
        rows = zip(episode.turns[0], seated, strict=True)
        first = tuple(replace(row, prompt=prompt(episode, group)) for row, group in rows)
        found.append(replace(episode, turns=(first,), texts=()))
    return found
