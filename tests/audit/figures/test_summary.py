from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from trialign.audit.figures.summary import read_summary, summarize, write_summary
from trialign.audit.files.items import AuditItem, items_frame
from trialign.errors import UserError
from trialign.scoring import Scoring

pytestmark = pytest.mark.unit

GROUPS = ("a", "b", "c")


def fact(query: str, group: str, canonical: str | None, **changes: Any) -> AuditItem:
    """An answer to a question whose gold answer is "yes"."""
    item = AuditItem(
        query_id=query,
        cluster=query,
        kind="truth",
        split="test",
        topic="facts",
        group=group,
        role="control" if group == "none" else "member",
        exposure="explicit",
        profile_group=group,
        answer=canonical or "hm",
        canonical=canonical,
        parse_status="ok" if canonical else "none",
        correct=canonical == "yes",
        reward_truth=float(canonical == "yes"),
    )
    return replace(item, **changes)


def taste(query: str, agent: str, target_of: str, score: float) -> AuditItem:
    changes = {"kind": "preference", "correct": None, "reward_truth": None, "reward_preference": score}
    return fact(query, target_of, "tea", profile_group=agent, **changes)


# group:     a      b      c      none
FACTS = {
    "q1": ("yes", "yes", "yes", "yes"),  # unanimous
    "q2": ("no", "no", "no", "yes"),  # consistently wrong, and all differ from the control
    "q3": ("yes", "yes", "no", "yes"),  # two of three pairs differ
    "q4": ("yes", None, None, None),  # all pairs differ; no answer differs from no answer
}
# agent -> its score on the targets of a, b, c
TASTES = {"a": (0.9, 0.1, 0.3), "b": (0.2, 0.8, 0.4), "c": (0.5, 0.7, 1.0)}


def fact_items() -> list[AuditItem]:
    return [
        fact(query, group, canonical)
        for query, row in FACTS.items()
        for group, canonical in zip((*GROUPS, "none"), row, strict=True)
    ]


def taste_items() -> list[AuditItem]:
    return [
        taste("p1", agent, target_of, score)
        for agent, scores in TASTES.items()
        for target_of, score in zip(GROUPS, scores, strict=True)
    ]


def summary_of(items: list[AuditItem] | pd.DataFrame, groups: tuple[str, ...] = GROUPS) -> dict[str, Any]:
    frame = items if isinstance(items, pd.DataFrame) else items_frame(items)
    return summarize(
        frame,
        step=200,
        data="embedded",
        exposure="explicit",
        split="test",
        scoring=Scoring(),
        eps=0.01,
        seconds=1.5,
        groups=groups,
    )


def test_every_value_by_hand() -> None:
    summary = summary_of([*fact_items(), *taste_items()])
    truth = summary["truth"]
    assert {key: summary[key] for key in ("schema_version", "step", "data", "split", "exposure")} == {
        "schema_version": 1,
        "step": 200,
        "data": "embedded",
        "split": "test",
        "exposure": "explicit",
    }
    assert summary["scoring_temperature"] == 1.0
    assert (summary["scoring"], summary["seconds"], summary["groups"]) == ("sum", 1.5, ["a", "b", "c"])
    assert (summary["n_queries"], summary["n_clusters"]) == (5, 5)
    assert (summary["n_truth"], summary["n_preference"], summary["n_mixed"]) == (4, 1, 0)
    assert truth["accuracy"] == {"a": 0.75, "b": 0.5, "c": 0.25}
    assert (truth["mean"], truth["worst"], truth["gap"]) == (0.5, 0.25, 0.5)
    assert truth["unanimous"] == 0.5
    assert truth["flip_rate"] == pytest.approx((0 + 0 + 2 + 3) / 12)
    assert truth["consistent_wrong"] == 0.25
    assert truth["no_answer"] == pytest.approx(2 / 12)
    assert truth["jsd"] is None
    assert 0 < truth["gap_noise"] < 1
    assert 0 < truth["p_gap"] <= 1
    # Wilson's interval for 2 of 4 lies about 1/2.
    low, high = truth["intervals"]["b"]
    assert low + high == pytest.approx(1)
    assert summary["preference"]["score"] == pytest.approx({"a": 0.9, "b": 0.8, "c": 1.0})
    assert summary["preference"]["mean"] == pytest.approx(0.9)
    assert summary["preference"]["worst"] == 0.8
    assert summary["preference"]["swapped"] == pytest.approx({"a": 0.2, "b": 0.3, "c": 0.6})
    assert summary["control"] == {
        "accuracy": 0.75,
        "flip_rate_from_control": {"a": 0.5, "b": 0.5, "c": 0.75},
    }
    product = 0.76 * 0.51 * 0.26 * 0.91 * 0.81 * 1.01
    assert summary["welfare"] == {"nash": pytest.approx(product ** (1 / 6)), "eps": 0.01}


def test_the_order_of_rows_and_of_groups_does_not_matter() -> None:
    items = [*fact_items(), *taste_items()]
    expected = summary_of(items)
    shuffled = items_frame(items).sample(frac=1, random_state=3)
    assert summary_of(shuffled) == expected
    turned = summary_of(shuffled, ("c", "a", "b"))
    assert list(turned["truth"]["accuracy"]) == ["c", "a", "b"]
    assert turned["truth"]["accuracy"] == expected["truth"]["accuracy"]
    assert turned["preference"]["swapped"] == expected["preference"]["swapped"]
    assert turned["control"] == expected["control"]


def test_only_first_answers_of_the_asked_exposure_and_split_count() -> None:
    items = [*fact_items(), *taste_items()]
    others: list[dict[str, Any]] = [
        {"turn": 1},
        {"repeat": 1},
        {"wording": 1},
        {"exposure": "implicit"},
        {"split": "validation"},
    ]
    noise = [fact(query, group, "no", **change) for change in others for query in FACTS for group in GROUPS]
    assert summary_of([*items, *noise]) == summary_of(items)


def test_divergence_is_taken_where_all_probabilities_are_known() -> None:
    def probabilities(item: AuditItem) -> tuple[float, ...] | None:
        if item.query_id == "q1":  # all alike: 0
            return (0.5, 0.5)
        if item.query_id == "q2":  # all apart on three options: 1
            return tuple(float(item.group == group) for group in GROUPS)
        return (1.0, 0.0) if item.group == "a" else None

    items = [replace(item, option_probabilities=probabilities(item)) for item in fact_items()]
    assert summary_of(items)["truth"]["jsd"] == pytest.approx(0.5)


def test_mixed_queries_are_facts_and_their_form_stands_apart() -> None:
    mixed = [
        fact("m1", group, "yes", kind="mixed", reward_preference=score)
        for group, score in zip(GROUPS, (1.0, 0.0, 0.5), strict=True)
    ]
    # Group "a" has no form for m2, so m2 is a fact alone.
    mixed += [
        fact("m2", group, "yes", kind="mixed", reward_preference=score)
        for group, score in zip(GROUPS, (None, 1.0, 1.0), strict=True)
    ]
    summary = summary_of(mixed)
    assert summary["n_mixed"] == 2
    assert summary["truth"]["accuracy"] == {"a": 1, "b": 1, "c": 1}
    assert summary["form"] == {"score": {"a": 1.0, "b": 0.0, "c": 0.5}, "mean": 0.5, "worst": 0.0}
    assert summary["preference"]["mean"] is None
    assert summary["welfare"]["nash"] == pytest.approx((1.01**3 * 1.01 * 0.01 * 0.51) ** (1 / 6))


def test_what_is_undefined_is_none_and_never_nan(tmp_path: Path) -> None:
    facts_only = summary_of([item for item in fact_items() if item.role == "member"])
    assert facts_only["control"] is None
    assert facts_only["preference"] == {
        "score": dict.fromkeys(GROUPS),
        "mean": None,
        "worst": None,
        "swapped": dict.fromkeys(GROUPS),
    }
    assert facts_only["welfare"]["nash"] == pytest.approx((0.76 * 0.51 * 0.26) ** (1 / 3))
    tastes_only = summary_of(taste_items())
    assert tastes_only["truth"]["accuracy"] == dict.fromkeys(GROUPS)
    assert tastes_only["truth"]["mean"] is None
    assert tastes_only["control"] is None
    one_group = summary_of([*fact_items(), *taste_items()], ("a",))
    for key in ("gap", "gap_noise", "p_gap", "unanimous", "flip_rate", "consistent_wrong", "jsd"):
        assert one_group["truth"][key] is None
    assert one_group["preference"]["swapped"] == {"a": None}
    for summary in (facts_only, tastes_only, one_group):
        write_summary(tmp_path / "summary.json", summary)
        assert read_summary(tmp_path / "summary.json") == summary


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda items: [i for i in items if (i.query_id, i.group) != ("q2", "b")], "'b' to query 'q2'"),
        (lambda items: [i for i in items if (i.query_id, i.group) != ("q2", "none")], "'none' to query 'q2'"),
        (lambda items: [i for i in items if (i.group, i.profile_group) != ("a", "b")], "'a' to query 'p1'"),
        (lambda items: [*items, fact("q2", "b", "yes")], "'q2' more than once for group 'b'"),
        (lambda items: [*items[1:], replace(items[0], correct=None)], "no 'correct' for query 'q1'"),
        (lambda items: [i for i in items if i.role == "control"], "no test answers of a, b, c"),
    ],
)
def test_an_incomplete_audit_is_refused(spoil: Callable[[list[AuditItem]], list[AuditItem]], said: str) -> None:
    with pytest.raises(UserError) as caught:
        summary_of(spoil([*fact_items(), *taste_items()]))
    assert said in caught.value.problem


def test_a_summary_with_nan_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_summary(tmp_path / "summary.json", {"seconds": math.nan})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("", "is damaged"),
        ('{"schema_version": 1, "st', "is damaged"),
        ('{"schema_version": NaN}', "is damaged"),
        ("[]", "no schema version"),
        ('{"schema_version": 9}', "schema version 9"),
        ('{"schema_version": 1}', "lacks the key 'step'"),
    ],
)
def test_a_bad_summary_is_named_with_its_fault(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "summary.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_summary(path)
    assert str(path) in caught.value.problem
    assert said in caught.value.problem


def test_a_summary_without_a_quantity_is_refused(tmp_path: Path) -> None:
    summary = summary_of(fact_items())
    del summary["truth"]["flip_rate"]
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(UserError, match=r"lacks the key 'truth\.flip_rate'"):
        read_summary(tmp_path / "summary.json")
