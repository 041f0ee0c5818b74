"""A collection whose groups are asked in languages of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from trialign.groups import GroupSet
from trialign.models import ChatRenderer
from trialign.queries import Query
from trialign.queries.types import Translation
from trialign.trajectories.collection import CollectConfig, Collector

pytestmark = pytest.mark.unit


def test_each_group_is_asked_in_its_language_and_agreement_is_told_across_languages(
    make_collector: Callable[..., Collector], groups: GroupSet, queries: tuple[Query, ...], renderer: ChatRenderer
) -> None:
    north, south, island = groups.members
    spoken = replace(groups, members=(north, replace(south, language="fr"), island))
    stated = next(query for query in queries if query.query_id == "capital")
    french = Translation(question="Quelle est la capitale ?", options=("Lyon (en français)", "Paris (en français)"))
    collector = replace(make_collector(config=CollectConfig(samples=8, temperature=9.0)), groups=spoken)
    rows = collector.collect([replace(stated, texts={"fr": french})])
    first = {row.group: row for row in rows if row.exposure == "explicit" and not row.turn}
    assert "Quelle est la capitale" in str(renderer.tokenizer.decode(list(first["south"].prompt)))
    assert "What is the capital" in str(renderer.tokenizer.decode(list(first["north"].prompt)))
    assert first["south"].options == tuple(renderer.reply(option) for option in french.options)
    assert {row.gold for row in first.values()} == {1}
    texts = {sample.text for sample in first["south"].samples}
    assert texts <= set(french.options)
    for row in first.values():
        others = [sample.canonical for one in first.values() if one is not row for sample in one.samples]
        for sample in row.samples:
            assert sample.canonical in stated.options
            assert sample.reward_truth == (sample.canonical == "Paris")
            assert sample.disagreement == pytest.approx(1 - others.count(sample.canonical) / len(others))
    shares = [sample.disagreement for row in first.values() for sample in row.samples]
    assert 0 < min(shares) < max(shares) < 1
