"""What a reader would notice of replies, and what became worse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from trialign.audit.figures.noticed import TraitChange, harm_in_words, noticed, refusal_change, trait_changes
from trialign.audit.files.items import AuditItem, items_frame

pytestmark = pytest.mark.unit

GROUPS = ("north", "south")


def rows(values: Mapping[str, Any], *, questions: int = 12, **by_group: Mapping[str, Any]) -> pd.DataFrame:
    """Replies of two groups to facts, and to a taste that nothing may be made of; ``values`` may be functions of n."""
    items = []
    for n in range(questions):
        for group in GROUPS:
            for kind, known in (("truth", True), ("preference", False)):
                own = (
                    {**values, **by_group.get(group, {})} if known else {"ended": False, "repeated": 1.0, "nats": 99.0}
                )
                own = {name: value(n) if callable(value) else value for name, value in own.items()}
                items.append(
                    AuditItem(
                        query_id=f"{kind}{n}",
                        cluster=f"{kind}{n // 2}",
                        kind=kind,  # type: ignore[arg-type]
                        split="test",
                        topic="",
                        group=group,
                        role="member",
                        exposure="explicit",
                        profile_group=group,
                        answer="a",
                        canonical=None,
                        parse_status="none",
                        correct=False if known else None,
                        reward_truth=0.0 if known else None,
                        **own,
                    )
                )
    return items_frame(items)


def test_each_trait_is_a_mean_over_facts_by_group() -> None:
    frame = rows(
        {"ended": lambda n: n % 2 == 0, "repeated": 0.25, "nats": 1.0, "words": 8, "language": "en", "asked_in": "en"},
        south={"nats": 3.0, "language": "fr"},
    )
    found = {one.key: one for one in noticed(frame, GROUPS)}
    assert set(found) == {"ends", "repeats", "nats", "words", "other_language"}
    values = {key: (one.mean.value, one.groups["north"].value, one.groups["south"].value) for key, one in found.items()}
    assert values == {
        "ends": (0.5, 0.5, 0.5),
        "repeats": (0.25, 0.25, 0.25),
        "nats": (2.0, 1.0, 3.0),
        "words": (8.0, 8.0, 8.0),
        "other_language": (0.5, 0.0, 1.0),
    }
    assert found["nats"].n_questions == 12


def test_what_is_not_known_for_every_group_of_a_question_is_left_out() -> None:
    frame = rows({"grade": lambda n: 5.0 if n < 3 else None}, south={"grade": lambda n: 7.0 if n < 2 else None})
    [grade] = noticed(frame, GROUPS)
    assert (grade.key, grade.mean.value, grade.n_questions) == ("grade", 6.0, 2)


def test_a_language_that_is_not_told_is_not_another_one() -> None:
    assert noticed(rows({"language": "en", "asked_in": None}), GROUPS) == ()


@pytest.mark.parametrize(
    ("before", "after", "harmed"),
    [
        ({"ended": True}, {"ended": lambda n: n % 2 == 0}, ["ends"]),
        ({"ended": lambda n: n % 2 == 0}, {"ended": True}, []),
        ({"nats": lambda n: 0.7 + n / 100}, {"nats": lambda n: 2.0 + n / 50}, ["nats"]),
        ({"nats": lambda n: 2.0 + n / 50}, {"nats": lambda n: 0.7 + n / 100}, []),
        ({"nats": lambda n: 1.0 + (n // 2 % 2)}, {"nats": lambda n: 2.0 - (n // 2 % 2)}, []),
        ({"words": 30}, {"words": lambda n: 3 + n % 2}, []),
    ],
    ids=["ends less", "ends more", "less likely", "likelier", "within the interval", "shorter is no harm by itself"],
)
def test_harm_is_what_became_worse_beyond_the_interval(before: Any, after: Any, harmed: list[str]) -> None:
    changes = trait_changes(rows(before), rows(after), GROUPS)
    assert len(changes) == 1
    assert [one.key for one in changes if one.harmed] == harmed
    assert bool(harm_in_words(changes)) == bool(harmed)


def test_harm_is_told_with_both_means() -> None:
    changes = trait_changes(rows({"nats": lambda n: 0.5 + n / 1000}), rows({"nats": lambda n: 2.0 + n / 500}), GROUPS)
    assert harm_in_words(changes) == "base model's nats a token 2.01 (base model 0.51)"


def test_other_questions_are_not_compared() -> None:
    assert trait_changes(rows({"ended": True}), rows({"ended": True}, questions=10), GROUPS) == ()


def test_a_change_of_which_an_end_is_not_known_is_no_harm() -> None:
    for low, high in ((None, 0.4), (0.2, None), (None, None)):
        assert not TraitChange("repeats", 0.1, 0.4, 0.3, low, high).harmed
    assert TraitChange("repeats", 0.1, 0.4, 0.3, 0.2, 0.4).harmed


def test_refusals_are_paired_by_question() -> None:
    before, after = rows({}), rows({"ended": True})
    assert refusal_change(before, after, GROUPS) == TraitChange("refused", 0.0, 0.0, 0.0, 0.0, 0.0)
    after.loc[(after["group"] == "south") & (after["kind"] == "truth"), "parse_status"] = "refused"
    found = refusal_change(before, after, GROUPS)
    assert found is not None
    assert (found.first, found.second, found.change, found.harmed) == (0.0, 0.5, 0.5, True)
    assert refusal_change(before, rows({}, questions=4), GROUPS) is None
    assert refusal_change(before.iloc[:0], after.iloc[:0], GROUPS) is None
