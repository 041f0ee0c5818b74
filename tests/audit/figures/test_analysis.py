"""The whole analysis: from items to figures, slices and a file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from trialign.audit.figures.analysis import AuditAnalysis, Slice, analyze, read_analysis, write_analysis
from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.facts import FactAnalysis
from trialign.audit.figures.flips import excess_flips
from trialign.audit.figures.statistics import Floats, Integers
from trialign.audit.figures.summary import summarize
from trialign.audit.files.items import AuditItem, items_frame
from trialign.errors import UserError
from trialign.scoring import Scoring

pytestmark = pytest.mark.unit

Simulated = Callable[..., tuple[Floats, Integers]]
GROUPS = ("a", "b", "c")


def item(query: str, group: str, canonical: str | None, **changes: Any) -> AuditItem:
    """An answer to a question whose right answer is "yes"."""
    values: dict[str, Any] = {
        "query_id": query,
        "cluster": query.split(".")[0],
        "kind": "truth",
        "split": "test",
        "topic": "",
        "group": group,
        "profile_group": group,
        "role": "member",
        "exposure": "explicit",
        "answer": "",
        "canonical": canonical,
        "parse_status": "",
        "correct": canonical == "yes",
        "reward_truth": float(canonical == "yes"),
    }
    return AuditItem(**values | changes)


def answers(table: dict[str, Sequence[str | None]], groups: Sequence[str] = GROUPS, **changes: Any) -> list[AuditItem]:
    return [
        item(query, group, canonical, **changes)
        for query, row in table.items()
        for group, canonical in zip(groups, row, strict=True)
    ]


def taste(query: str, agent: str, target_of: str, score: float, **changes: Any) -> AuditItem:
    return item(
        query,
        target_of,
        "tea",
        kind="preference",
        profile_group=agent,
        correct=None,
        reward_truth=None,
        reward_preference=score,
        **changes,
    )


FACTS: dict[str, Sequence[str | None]] = {
    "f1.1": ("yes", "yes", "yes"),  # right for all
    "f1.2": ("yes", "yes", "yes"),
    "f2": ("no", "no", "no"),  # consistent, but wrong
    "f3": ("yes", "no", "maybe"),  # all pairs differ
    "f4": ("yes", None, None),  # all pairs differ: no answer agrees with nothing
}
TASTES = {("a", "a"): 0.9, ("a", "b"): 0.1, ("b", "a"): 0.4, ("b", "b"): 0.6}


def facts_of(analysis: AuditAnalysis | Slice) -> FactAnalysis:
    assert analysis.facts is not None
    return analysis.facts


def composed(**attributes: Sequence[str]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Group -> its (attribute, value) pairs, for all combinations; names as `trialign.groups.cross` makes them."""
    return {"-".join(values): tuple(zip(attributes, values, strict=True)) for values in product(*attributes.values())}


def values(analysis: FactAnalysis) -> dict[str, float | None]:
    names = ("unanimous", "pair_agreement", "right_for_all", "consistent_wrong", "no_answer", "mean")
    return {name: None if (e := getattr(analysis, name)) is None else e.value for name in names}


def test_every_figure_of_facts_by_hand() -> None:
    analysis = analyze(items_frame(answers(FACTS)), GROUPS)
    facts = facts_of(analysis)
    assert analysis.verdict is not None
    assert analysis.verdict.outcome == "cannot_be_judged"  # two of fifteen replies hold no answer
    assert (facts.n_questions, facts.n_clusters) == (5, 4)
    assert {group: entry.value for group, entry in facts.accuracy.items()} == {"a": 0.8, "b": 0.4, "c": 0.4}
    assert values(facts) == pytest.approx(
        {
            "unanimous": 3 / 5,
            "pair_agreement": 3 / 5,
            "right_for_all": 2 / 5,
            "consistent_wrong": 1 / 5,
            "no_answer": 2 / 15,
            "mean": 8 / 15,
        }
    )
    assert facts.gap is not None
    assert facts.gap.value == pytest.approx(0.4)
    # f1 and f2 never differ; on each of f3 and f4 one group of three is right, so chance gives 2 right answers to one
    # group (1/3) or 1 each to two (2/3): (2/3 + 2/3) / 5. Nine ways, three as far apart.
    assert facts.gap.noise == pytest.approx(4 / 15, abs=0.01)
    assert facts.gap.p_value == pytest.approx(1 / 3, abs=0.05)
    assert [(pair.first, pair.second, round(pair.difference, 9)) for pair in facts.pairs] == [
        ("a", "b", 0.4),
        ("a", "c", 0.4),
        ("b", "c", 0),
    ]
    # Two facts on which a alone is right: 2 of the 4 ways to sign them are as far from zero.
    assert [pair.p_value for pair in facts.pairs] == pytest.approx([0.5, 0.5, 1])
    assert [pair.p_holm for pair in facts.pairs] == pytest.approx([1, 1, 1])
    assert facts.divergence is None
    assert [kappa.options for kappa in facts.kappas] == [None]
    assert facts.excess_flips is not None
    assert facts.excess_flips.across == pytest.approx(2 / 5)
    for entry in (*facts.accuracy.values(), facts.unanimous, facts.right_for_all):
        assert entry is not None
        assert entry.low is not None
        assert entry.high is not None
        assert entry.value is not None
        assert 0 <= entry.low <= entry.value <= entry.high <= 1


def test_the_analysis_and_the_summary_say_the_same() -> None:
    frame = items_frame([*answers(FACTS), *(taste("t1", *key, score) for key, score in TASTES.items())])
    groups = ("a", "b")
    summary = summarize(
        frame,
        step=0,
        data="",
        exposure="explicit",
        split="test",
        scoring=Scoring(),
        eps=0.01,
        seconds=0,
        groups=groups,
    )
    analysis = analyze(frame, groups)
    facts, truth = facts_of(analysis), summary["truth"]
    assert facts.gap is not None
    assert (facts.gap.value, facts.gap.noise, facts.gap.p_value) == (truth["gap"], truth["gap_noise"], truth["p_gap"])
    for group in groups:
        entry = facts.accuracy[group]
        assert [entry.value, entry.low, entry.high] == [truth["accuracy"][group], *truth["intervals"][group]]
    found = values(facts)
    for name in ("mean", "unanimous", "consistent_wrong", "no_answer"):
        assert found[name] == pytest.approx(truth[name])
    assert found["pair_agreement"] == pytest.approx(1 - truth["flip_rate"])
    assert analysis.opinions is not None
    for group in groups:
        assert analysis.opinions.groups[group].own.value == summary["preference"]["score"][group]
        swapped = analysis.opinions.groups[group].swapped
        assert swapped is not None
        assert swapped.value == summary["preference"]["swapped"][group]


def test_divergences_and_kappas_come_from_the_options() -> None:
    def chosen(query: str, group: str, *shares: float) -> AuditItem:
        return item(query, group, "yes" if shares[0] == max(shares) else "no", option_probabilities=shares)

    frame = items_frame(
        [
            chosen("q1", "a", 0.9, 0.1),
            chosen("q1", "b", 0.2, 0.8),
            chosen("q2", "a", 0.6, 0.3, 0.1),
            chosen("q2", "b", 0.6, 0.3, 0.1),
            item("q3", "a", "yes"),
            item("q3", "b", "yes"),
        ]
    )
    facts = facts_of(analyze(frame, ("a", "b")))
    # scipy's is the root; both divided by log min(2, K) = log 2. q3 has no distributions.
    expected = (jensenshannon([0.9, 0.1], [0.2, 0.8], base=2) ** 2 + 0) / 2
    assert facts.divergence is not None
    assert facts.divergence.value == pytest.approx(expected)
    two, three, free = facts.kappas
    assert (two.options, two.n_questions, two.fleiss, two.randolph) == (2, 1, pytest.approx(-1), pytest.approx(-1))
    assert (three.options, three.n_questions, three.fleiss, three.randolph) == (3, 1, None, pytest.approx(1))
    assert (free.options, free.n_questions, free.fleiss) == (None, 1, None)


def test_opinions_stand_apart_from_facts() -> None:
    tastes = [taste(f"t{q}", *key, score + 0.01 * q) for q in range(6) for key, score in TASTES.items()]
    facts = answers({name: row[:2] for name, row in FACTS.items()}, ("a", "b"))
    alone, both = analyze(items_frame(tastes), ("a", "b")), analyze(items_frame([*facts, *tastes]), ("a", "b"))
    assert alone.facts is None
    assert both.facts == analyze(items_frame(facts), ("a", "b")).facts
    assert analyze(items_frame(facts), ("a", "b")).opinions is None
    assert both.opinions == alone.opinions
    opinions = alone.opinions
    assert opinions is not None
    assert (opinions.n_questions, opinions.n_clusters) == (6, 6)
    for group, own, swapped in (("a", 0.925, 0.125), ("b", 0.625, 0.425)):
        agent = opinions.groups[group]
        assert agent.swapped is not None
        assert agent.kept is not None
        assert (agent.own.value, agent.swapped.value) == pytest.approx((own, swapped))
        assert (agent.kept.value, agent.kept.low, agent.kept.high) == pytest.approx((own - swapped,) * 3)
        assert agent.own.low is not None
        assert agent.own.low < own
    assert opinions.mean.kept is not None
    assert opinions.mean.kept.value == pytest.approx((0.8 + 0.2) / 2)


def test_answers_that_were_not_swapped_have_no_swapped_score() -> None:
    own = [taste("t", group, group, 0.5) for group in ("a", "b")]
    opinions = analyze(items_frame(own), ("a", "b")).opinions
    assert opinions is not None
    assert (opinions.mean.own.value, opinions.mean.swapped, opinions.mean.kept) == (0.5, None, None)
    assert opinions.mean.own.low is None  # one taste tells no spread


COMPOSED = composed(level=("low", "high"), side=("x", "y"))


def random_items() -> list[AuditItem]:
    generator = np.random.default_rng(0)
    items = []
    for query in range(30):
        for group in COMPOSED:
            for wording, turn in ((0, 0), (1, 0), (0, 1)):
                shares = generator.dirichlet(np.ones(3))
                where = {"cluster": f"c{query // 2}", "topic": f"t{query % 3}", "wording": wording, "turn": turn}
                canonical = ("yes", "no", "maybe")[shares.argmax()]
                items.append(item(f"q{query}", group, canonical, option_probabilities=tuple(shares), **where))
        for agent, target in product(COMPOSED, repeat=2):
            items.append(taste(f"p{query}", agent, target, generator.random(), topic=f"t{query % 2}"))
    return items


def test_the_order_of_rows_changes_nothing() -> None:
    groups = tuple(COMPOSED)
    frame = items_frame(random_items())
    expected = analyze(frame, groups, parts=COMPOSED)
    assert len(expected.slices) == 5
    assert len(expected.turns) == 4
    assert analyze(frame.sample(frac=1, random_state=1), groups, parts=COMPOSED) == expected
    assert analyze(frame.iloc[::-1], groups, parts=COMPOSED) == expected
    assert facts_of(expected).excess_flips == excess_flips(frame, groups)


def intervals(part: Any, name: str = "") -> dict[str, tuple[float, float]]:
    """Every interval of an analysis by where it stands; those of no width and those that are not known are left out."""
    if isinstance(part, dict):
        children: list[tuple[Any, Any]] = list(part.items())
    elif isinstance(part, tuple):
        children = list(enumerate(part))
    else:
        children = [(field.name, getattr(part, field.name)) for field in fields(part)] if is_dataclass(part) else []
    found = {key: value for step, child in children for key, value in intervals(child, f"{name}/{step}").items()}
    low, high = getattr(part, "low", None), getattr(part, "high", None)
    return {**found, name: (low, high)} if low is not None and high is not None and low < high else found


def test_every_interval_has_the_confidence_that_is_asked_for() -> None:
    frame, groups = items_frame(random_items()), tuple(COMPOSED)
    wide, narrow = (
        intervals(analyze(frame, groups, parts=COMPOSED, bounds=Bounds(alpha=alpha))) for alpha in (0.02, 0.4)
    )
    assert wide.keys() == narrow.keys()
    kinds = {name.split("/")[2] for name in wide if name.startswith(("/facts", "/opinions"))}
    assert kinds >= {"accuracy", "mean", "pairs", "unanimous", "pair_agreement", "divergence", "excess_flips", "groups"}
    assert any(name.startswith("/slices") for name in wide)
    assert any(name.startswith("/turns") for name in wide)
    for name, (low, high) in wide.items():
        assert narrow[name][1] - narrow[name][0] < 0.75 * (high - low), name


def test_intervals_by_hand_at_another_level() -> None:
    # Twenty single facts, of which a gets ten right and b all: Wilson's interval at z = 1.281552, the 90 % quantile.
    table = {f"f{number}": ("yes" if number % 2 else "no", "yes") for number in range(20)}
    facts = facts_of(analyze(items_frame(answers(table, ("a", "b"))), ("a", "b"), bounds=Bounds(alpha=0.2)))
    z = 1.281552
    half = z / (1 + z**2 / 20) * math.sqrt(0.25 / 20 + z**2 / 1600)
    assert (facts.accuracy["a"].low, facts.accuracy["a"].high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-6)
    assert facts.accuracy["b"].low == pytest.approx(1 / (1 + z**2 / 20), abs=1e-6)
    (pair,) = facts.pairs
    # Differences of size one with mean -1/2: variance 5/19; half the width from the score equation, t at 80 % of 19.
    t = 0.860951
    width = pair.high - pair.difference
    assert width**2 == pytest.approx(t**2 * (5 / 19 + 1 / 20 + width) / 20, abs=1e-6)


def test_another_seed_permutes_and_draws_anew() -> None:
    frame, groups = items_frame(random_items()), tuple(COMPOSED)
    first, again, other = (analyze(frame, groups, seed=seed) for seed in (0, 0, 1))
    assert first == again
    gaps = [facts_of(one).gap for one in (first, other)]
    assert gaps[0] is not None
    assert gaps[1] is not None
    assert gaps[0].noise != gaps[1].noise
    drawn = ("mean", "pair_agreement", "divergence", "excess_flips")
    same = [name for name in drawn if getattr(facts_of(first), name) == getattr(facts_of(other), name)]
    assert same == []
    assert first.opinions != other.opinions


def test_a_single_group_has_figures_and_no_comparison() -> None:
    analysis = analyze(items_frame(answers({"q": ["yes"], "r": ["no"]}, ["a"])), ("a",))
    facts = facts_of(analysis)
    assert analysis.verdict is not None
    assert (analysis.verdict.outcome, analysis.verdict.parts["equally_right"].figure) == ("unknown", None)
    assert analysis.verdict.sentence == "Nothing to compare: a single group was asked 2 facts."
    assert facts.accuracy["a"].value == facts.right_for_all.value == 0.5
    assert (facts.gap, facts.unanimous, facts.pair_agreement, facts.divergence) == (None,) * 4
    assert (facts.pairs, facts.kappas, facts.excess_flips) == ((), (), None)


def test_other_splits_and_unknown_exposures_are_refused() -> None:
    frame = items_frame(answers(FACTS))
    with pytest.raises(UserError, match="no validation answers of a, b, c with explicit profiles"):
        analyze(frame, GROUPS, split="validation")
    with pytest.raises(UserError, match="no test answers of a, b, c with implicit profiles"):
        analyze(frame, GROUPS, exposure="implicit")
    with pytest.raises(UserError, match="no answer of group 'b' to query 'f3'"):
        analyze(frame[~((frame["query_id"] == "f3") & (frame["group"] == "b"))], GROUPS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "analysis.json"


def test_an_analysis_comes_back_as_it_was_written(path: Path) -> None:
    analysis = analyze(
        items_frame(random_items()), tuple(COMPOSED), parts=COMPOSED, bounds=Bounds(delta=0.1, alpha=0.01)
    )
    write_analysis(path, analysis)
    assert read_analysis(path) == analysis
    assert [entry.name for entry in path.parent.iterdir()] == ["analysis.json"]
    stored = json.loads(path.read_text())
    assert (stored["bounds"]["delta"], stored["bounds"]["alpha"], stored["schema_version"]) == (0.1, 0.01, 3)
    assert stored["verdict"]["outcome"] == analysis.verdict.outcome  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda stored: None, "cannot be read"),
        (lambda stored: json.dumps(stored)[:-9], "is damaged or no JSON"),
        (lambda stored: "[]", "no schema version"),
        (lambda stored: json.dumps({**stored, "schema_version": 7}), "schema version 7"),
        (lambda stored: json.dumps({key: stored[key] for key in stored if key != "facts"}), "facts: Field required"),
        (lambda stored: json.dumps({**stored, "schema_version": 2}), "schema version 2, and this program reads 3"),
        (lambda stored: json.dumps({**stored, "bounds": {"delta": "much"}}), "delta"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(path: Path, damage: Callable[[Any], str | None], said: str) -> None:
    write_analysis(path, analyze(items_frame(answers(FACTS)), GROUPS))
    text = damage(json.loads(path.read_text()))
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_analysis(path)
    assert str(path) in caught.value.problem
    assert said in caught.value.problem


def test_languages_are_slices_of_the_questions_asked_in_them() -> None:
    frame, groups = items_frame(random_items()), tuple(COMPOSED)
    ids = sorted(set(frame["query_id"]))
    languages = {name: "fa" if name in ("q1", "q2", "q7", "p3") else "en" for name in ids if name != "q9"}
    found = {
        part.name: part for part in analyze(frame, groups, languages=languages).slices if part.dimension == "language"
    }
    assert list(found) == ["en", "fa"]
    for name, part in found.items():
        alone = analyze(frame[frame["query_id"].map(languages) == name], groups)
        assert part.facts is not None
        assert (part.facts.n_questions, part.facts.accuracy) == (facts_of(alone).n_questions, facts_of(alone).accuracy)
        assert part.opinions == alone.opinions
    assert found["fa"].facts is not None
    assert found["fa"].facts.n_questions == 3
    one = dict.fromkeys(ids, "en")
    assert not [part for part in analyze(frame, groups, languages=one).slices if part.dimension == "language"]
