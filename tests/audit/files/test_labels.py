from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trialign.audit.files.labels import LONGEST_NAME, LabelStore
from trialign.errors import UserError

pytestmark = pytest.mark.unit

SHA = "ab" * 32


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    root = tmp_path / "runs"
    root.mkdir()
    return LabelStore(root, "house", "step=000004.house.test", SHA)


def say(store: LabelStore, pair: str = "p1", name: str = "Ana", label: str = "same", settles: bool = False) -> None:
    store.add(user="account", name=name, pair=pair, label=label, settles=settles)  # type: ignore[arg-type]


def test_labels_are_kept_in_their_order_with_who_gave_them(store: LabelStore) -> None:
    assert store.given() == ()
    say(store)
    say(store, name="  Bo   Li ", label="other")
    say(store, label="cannot tell", settles=True)
    assert [(one.name, one.pair, one.label, one.settles) for one in store.given()] == [
        ("Ana", "p1", "same", False),
        ("Bo Li", "p1", "other", False),
        ("Ana", "p1", "cannot tell", True),
    ]
    assert {one.user for one in store.given()} == {"account"}
    assert all(one.time.endswith("+00:00") for one in store.given())


def test_reading_writes_nothing(store: LabelStore) -> None:
    store.given()
    assert list(store.root.iterdir()) == []


def test_replies_that_are_made_anew_have_labels_of_their_own(store: LabelStore) -> None:
    say(store)
    other = LabelStore(store.root, store.run, store.audit, "cd" * 32)
    assert other.given() == ()
    say(other, label="other")
    assert [one.label for one in store.given()] == ["same"]


def test_nothing_of_several_at_once_is_lost(store: LabelStore) -> None:
    """Each adds a label and writes what follows from all: the last to write has seen every label."""

    def label(number: int) -> None:
        own = LabelStore(store.root, store.run, store.audit, SHA)
        with own.held():
            say(own, pair=f"p{number}", name=f"person {number % 4}")
            own.write_pairs("\n".join(sorted(one.pair for one in own.given())))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(label, range(24)))
    pairs = sorted(f"p{number}" for number in range(24))
    assert sorted(one.pair for one in store.given()) == pairs
    assert store.pairs_file.read_text(encoding="utf-8").split("\n") == pairs


def test_who_comes_second_waits(store: LabelStore) -> None:
    def second() -> list[str]:
        with LabelStore(store.root, store.run, store.audit, SHA).held():
            return [one.pair for one in store.given()]

    with ThreadPoolExecutor(1) as pool:
        with store.held():
            waiting = pool.submit(second)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
            say(store)
        assert waiting.result(timeout=30) == ["p1"]


def test_a_torn_line_is_passed_over_and_the_next_one_begins_anew(store: LabelStore) -> None:
    say(store)
    with store.file.open("ab") as file:
        file.write(b'{"time": "2026')
    say(store, pair="p2")
    assert [one.pair for one in store.given()] == ["p1", "p2"]


@pytest.mark.parametrize("line", ["7", "[]", "{}", '{"label": "same"}', "null", '{"pair": 1, "more": 2}'])
def test_a_line_that_is_no_label_is_passed_over(store: LabelStore, line: str) -> None:
    say(store)
    with store.file.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    row = json.loads(store.file.read_text(encoding="utf-8").splitlines()[0])
    with store.file.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**row, "label": "equal"}) + "\n")
    assert len(store.given()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"name": " \t"}, "Nobody is named"),
        ({"name": "x" * (LONGEST_NAME + 1)}, "has 81 characters"),
        ({"label": "equal"}, "no label 'equal'"),
    ],
)
def test_what_is_no_label_is_refused(store: LabelStore, words: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        say(store, **words)  # type: ignore[arg-type]
    assert not store.file.exists()


def test_a_link_out_of_the_folder_of_runs_is_not_followed(store: LabelStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (store.root / ".labels").symlink_to(outside)
    for act in (store.given, lambda: say(store), lambda: store.held().__enter__()):
        with pytest.raises(UserError, match="behind a link"):
            act()
    assert list(outside.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_said(store: LabelStore) -> None:
    (store.root / ".labels").write_text("no folder")
    with pytest.raises(UserError, match="cannot be"):
        say(store)
    with pytest.raises(UserError, match="cannot be"), store.held():
        pass
