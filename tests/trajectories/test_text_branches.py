"""A teacher's reply as another branch of the tree: where it stands, and that neighbours change nothing in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch

from trialign.groups import GroupSet
from trialign.objectives.config import ObjectiveConfig
from trialign.objectives.text import text_divergence
from trialign.policy import GroupPolicy
from trialign.policy.output import Watched
from trialign.scoring import Scoring
from trialign.trajectories.batches import EpisodeBatch, build_episode_batch
from trialign.trajectories.episodes import Episode, Taught, episodes_of
from trialign.trajectories.records import Trajectory
from trialign.trajectories.texts import Text
from trialign.updates import updates_of

pytestmark = pytest.mark.unit

AUTO = updates_of(ObjectiveConfig(), Scoring())
ADAPTERS = (0, 1, 2)


def said(name: str, group: str, ids: tuple[int, ...]) -> Text:
    """A reply whose teacher has its own shares in each place."""
    shares = [(0.5 + 0.02 * place, 0.3 - 0.015 * place) for place in range(len(ids))]
    logs = tuple(tuple(torch.tensor(pair).log().tolist()) for pair in shares)
    tops = tuple((token, (token + 7) % 300) for token in ids)
    return Text(name, group, None, True, "", ids, tops, logs, tuple(1 - sum(pair) for pair in shares))


def with_texts(episode: Episode, length: int, prompt: tuple[int, ...] | None = None) -> Episode:
    """The episode with a reply of its own for each group, of different lengths."""
    texts = tuple(
        Taught(prompt or row.prompt, said(row.query_id, row.group, tuple(range(20 + 3 * g, 20 + 3 * g + length + g))))
        for g, row in enumerate(episode.turns[0])
    )
    return replace(episode, texts=texts)


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., GroupPolicy]) -> GroupPolicy:
    return make_policy(double=True).eval()


@pytest.fixture(scope="module")
def episodes(collected: tuple[Trajectory, ...], groups: GroupSet) -> list[Episode]:
    plain = episodes_of(collected, groups.names, None)
    ordinary = Episode("instruction:1", "explicit", "train", "instruction", ())
    beside = replace(with_texts(plain[2], 3, (5, 6, 7, 8)), turns=())
    with_some = [with_texts(one, 2 + place) if place % 2 else one for place, one in enumerate(plain)]
    return [*with_some, replace(ordinary, texts=beside.texts)]


def divergences(policy: GroupPolicy, batch: EpisodeBatch) -> torch.Tensor:
    assert batch.texts is not None
    _, of_agent = policy.score_watched(batch.tree, Watched(batch.texts.places, batch.texts.tokens))
    return text_divergence(of_agent, batch.texts.log_probabilities.double(), batch.texts.rest.double())


def built(episodes: Sequence[Episode], **words: bool) -> EpisodeBatch:
    return build_episode_batch(episodes, ADAPTERS, AUTO, **words)


def test_each_reply_alone_is_what_it_is_in_a_batch_of_all(policy: GroupPolicy, episodes: list[Episode]) -> None:
    """Batched = alone, tree = rows: against a plain forward pass of one agent over prompt and reply."""
    with torch.no_grad():
        together = divergences(policy, built(episodes))
        expected = []
        for episode in episodes:
            for adapter, taught in enumerate(episode.texts):
                policy.routing.rows = torch.tensor([adapter])
                ids = torch.tensor([[*taught.prompt, *taught.text.token_ids]])
                logits = policy.base(input_ids=ids, use_cache=False).logits[0, len(taught.prompt) - 1 : -1]
                shares = logits.softmax(1)
                for place, top in enumerate(taught.text.top_ids):
                    q = shares[place, list(top)]
                    p = torch.tensor(taught.text.top_log_probabilities[place], dtype=torch.float64).exp()
                    rest = 1 - p.sum()
                    expected.append(float((p * (p / q).log()).sum() + rest * (rest / (1 - q.sum())).log()))
    assert len(expected) > 40
    assert sorted(together.tolist()) == pytest.approx(sorted(expected), abs=1e-6)


def test_packing_changes_no_sum(policy: GroupPolicy, episodes: list[Episode]) -> None:
    with torch.no_grad():
        values = [divergences(policy, built(episodes, pack=pack)).sum().item() for pack in (True, False)]
        values.append(sum(divergences(policy, built([one])).sum().item() for one in episodes if one.texts))
    assert values == pytest.approx([values[0]] * 3, abs=1e-8)


def test_the_options_of_a_question_score_as_they_did_without_the_reply(
    policy: GroupPolicy, episodes: list[Episode]
) -> None:
    with torch.no_grad():
        for episode in episodes[:4]:
            batch, plain = built([episode]), built([replace(episode, texts=())])
            assert plain.texts is None
            scores, others = policy.score(batch.tree), policy.score(plain.tree)
            for units, same in zip(batch.units, plain.units, strict=True):
                assert (units is None) == (same is None)
                for name in ("branches", "answers"):
                    if hasattr(units, name):
                        ours, theirs = getattr(units, name), getattr(same, name)
                        present = theirs >= 0
                        torch.testing.assert_close(scores[ours[present]], others[theirs[present]])


def test_a_reply_to_the_same_prompt_costs_its_own_tokens_alone(episodes: list[Episode]) -> None:
    episode = episodes[1]
    batch, plain = built([episode], pack=False), built([replace(episode, texts=())], pack=False)
    tokens = [int((one.tree.position_ids >= 0).sum()) for one in (batch, plain)]
    assert tokens[0] - tokens[1] == episode.text_tokens
    elsewhere = built([with_texts(replace(episode, texts=()), 2, (9, 9, 9))], pack=False)
    added = int((elsewhere.tree.position_ids >= 0).sum()) - tokens[1]
    assert added == 3 * 3 + (2 + 3 + 4)


def test_an_instruction_has_a_row_a_group_and_nothing_that_an_update_reads(episodes: list[Episode]) -> None:
    batch = built([episodes[-1]], pack=False)
    assert batch.units == (None, None)
    assert batch.tree.adapters.tolist() == [0, 1, 2]
    assert batch.texts is not None
    assert len(batch.texts.places) == episodes[-1].text_tokens == 3 + 4 + 5
