"""The table of answers and its filters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trialign.dashboard.components.grid import letters
from trialign.dashboard.reading import records
from trialign.dashboard.reading.answers import AnswerTable, Filters, answer_table, chosen
from trialign.dashboard.reading.catalog import scan

from ..conftest import SyntheticRun

pytestmark = pytest.mark.unit

GROUPS = ("north", "south", "island")


@pytest.fixture
def table(runs: Path) -> AnswerTable:
    """Twelve facts in two wordings and two tastes; fact 0 is wrong for north, fact 1 for all alike."""
    SyntheticRun(runs / "house").write().audit(0)
    return table_of(runs)


def table_of(runs: Path) -> AnswerTable:
    catalog = scan(runs)
    return answer_table(catalog, catalog.runs[0].audits[0], GROUPS, "explicit")


def found(table: AnswerTable, **filters: object) -> set[str]:
    return set(table.ids[chosen(table, Filters(**filters))])  # type: ignore[arg-type]


def test_no_filter_leaves_out_nothing(table: AnswerTable) -> None:
    assert len(found(table)) == 12 * 2 + 2


def test_every_filter_leaves_what_it_names(table: AnswerTable) -> None:
    first, second = ({f"test-fact-{fact:02d}-{part}" for part in range(2)} for fact in range(2))
    assert found(table, show="Groups disagree") == found(table, show="Wrong for some") == first
    assert found(table, show="Same wrong answer for all") == second
    assert len(found(table, show="Right for all")) == 20
    assert found(table, kind="Tastes") == {"test-taste-0", "test-taste-1"}
    assert found(table, topic="rivers", wrong_for="south") == second
    assert found(table, pair=("north", "island")) == first
    assert found(table, pair=("south", "island")) == set()
    assert found(table, words="  FACT 11, ") == {"test-fact-11-0", "test-fact-11-1"}
    assert found(table, words="test-taste-1") == {"test-taste-1"}
    assert found(table, words="nowhere") == set()


def test_the_worst_come_first_and_tastes_last(runs: Path) -> None:
    run = SyntheticRun(runs / "other", wrong={4: GROUPS, 9: ("south",)}).write()
    run.audit(4)
    table = table_of(runs)
    ordered = list(table.ids[chosen(table, Filters())])
    assert ordered[:5] == [f"test-fact-{n}" for n in ("09-0", "09-1", "04-0", "04-1", "00-0")]
    assert ordered[-2:] == ["test-taste-0", "test-taste-1"]
    assert list(table.ids[chosen(table, Filters(order="As asked"))]) == list(table.ids)
    assert sorted(ordered) == sorted(table.ids)


def test_an_answer_that_cannot_be_read_is_like_no_other() -> None:
    # Right for all; the same wrong answer; none of which can be read; two alike, and one or two that cannot be read.
    codes = np.array([[0, 0, 0], [1, 1, 1], [-1, -1, -1], [0, 0, -1], [-1, -1, 1], [1, 2, 1]])
    nothing = np.full(6, "", dtype=object)
    table = AnswerTable(
        groups=GROUPS,
        ids=np.array(["right", "wrong", "unread", "one", "two", "apart"], dtype=object),
        kinds=np.full(6, "truth", dtype=object),
        topics=nothing,
        texts=nothing,
        answers=np.full((6, 3), None, dtype=object),
        codes=codes,
        correct=(codes == 0).astype(float),
        worst=np.arange(6),
    )
    assert found(table, show="Same wrong answer for all") == {"wrong"}
    assert found(table, show="Groups disagree") == {"unread", "one", "two", "apart"}
    assert found(table, pair=("north", "south")) == {"unread", "two", "apart"}
    assert found(table, pair=("south", "north")) == {"unread", "two", "apart"}
    assert found(table, pair=("south", "island")) == {"unread", "one", "two", "apart"}
    assert found(table, pair=("north", "island")) == {"unread", "one", "two"}
    same = table.agreement()
    # North and south agree on right, wrong and one; either with island on right and wrong, north also on apart.
    assert (same[0, 1], same[0, 2], same[1, 2]) == pytest.approx((3 / 6, 3 / 6, 2 / 6))


def test_agreement_of_pairs_has_the_analysis_mean(runs: Path, table: AnswerTable) -> None:
    catalog = scan(runs)
    analysis = records.analysis(catalog, catalog.runs[0].audits[0])
    same = table.agreement()
    assert same[np.triu_indices(3, k=1)].mean() == pytest.approx(analysis.facts.pair_agreement.value)
    assert same[0, 1] == pytest.approx(11 / 12)
    assert same[1, 2] == 1
    assert (same == same.T).all()


def test_letters_are_those_of_the_options_or_of_the_order_of_coming() -> None:
    assert letters(["c", "a", None], ["a", "b", "c"]) == ["C", "A", "–"]
    assert letters(["12", "13", "12"], []) == ["A", "B", "A"]
    assert letters(["a", "other"], ["a", "b"]) == ["A", "C"]
