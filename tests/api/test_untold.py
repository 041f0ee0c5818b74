"""Questions asked once more without a profile in the prompt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from trialign.api.fitting import collect, training_episodes
from trialign.api.session import Session
from trialign.api.untold import untold_episodes
from trialign.composition import compose
from trialign.config import load
from trialign.errors import UserError

pytestmark = pytest.mark.integration


def session_of(project: Any, *words: str) -> Session:
    composed = compose(str(project.folder / "mine.yaml"), ["policy=basis", "policy.rank=2", *words])
    return Session(load(composed), composed)


def test_the_first_turns_come_again_with_nothing_said_of_the_group(project: Any) -> None:
    session = session_of(project, "policy.basis.untold=1")
    collect(session)
    training, _ = training_episodes(session)
    found = untold_episodes(session, training)
    assert [one.query_id for one in found] == [one.query_id for one in training]
    for one, told in zip(found, training, strict=True):
        assert len(one.turns) == 1
        for row, before in zip(one.turns[0], told.turns[0], strict=True):
            said, known = (session.renderer.tokenizer.decode(list(ids)) for ids in (row.prompt, before.prompt))
            assert "The user" in known
            assert "The user" not in said
            assert said.split("user\n")[-1] == known.split("user\n")[-1]
            assert replace(row, prompt=before.prompt) == before
        assert len({row.prompt for row in one.turns[0]}) == 1
    # Of a panel, those that were asked.
    of_two = [replace(one.of_groups((0, 2)), seats=(0, 2)) for one in training]
    assert [len(one.turns[0]) for one in untold_episodes(session, of_two)] == [2] * len(of_two)


def test_the_share_is_of_the_questions_and_for_a_basis_alone(project: Any) -> None:
    session = session_of(project, "policy.basis.untold=1")
    collect(session)
    training, _ = training_episodes(session)
    some = session_of(project, "policy.basis.untold=0.5")
    ids = {one.query_id for one in untold_episodes(some, training)}
    assert 0 < len(ids) < len({one.query_id for one in training})
    assert untold_episodes(session_of(project, "policy.basis.untold=0"), training) == []
    shared = replace(some.config, policy=replace(some.config.policy, adapters="shared"))
    assert untold_episodes(replace(some, config=shared), training) == []


def test_untold_questions_take_part_in_training(project: Any) -> None:
    learned = []
    for share in ("0", "1"):
        words = (f"name=of-{share}", "policy=basis", "policy.rank=2", "trainer.steps=6", "trainer.validate_every=0")
        outcome = project.fit(*words, f"policy.basis.untold={share}", "trainer.audits=false")
        assert outcome.code == 0, outcome.err
        session = session_of(project, *words[2:], f"name=of-{share}")
        session.load_agents(None)
        assert session.policy.coordinates is not None
        learned.append(session.policy.coordinates.of(0))
    assert float((learned[0] - learned[1]).abs().max()) > 0.001


@pytest.mark.parametrize("word", ["scoring.kind=pmi", "objective.kl_weight=0.1"])
def test_what_was_scored_with_a_profile_is_refused_beside_it(project: Any, word: str) -> None:
    with pytest.raises(UserError, match=r"policy\.basis\.untold is 0\.5, and"):
        session_of(project, "policy.basis.untold=0.5", word)
