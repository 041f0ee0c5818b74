from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from trialign import distributed
from trialign.errors import UserError
from trialign.queries import Query
from trialign.queries.readers import read_queries
from trialign.trajectories.records import Sample, Trajectory, read_part
from trialign.trajectories.store import TrajectoryStore

pytestmark = pytest.mark.unit

IDENTITY = {"model": "abc", "seed": 3}


def rows_of(queries: Sequence[Query]) -> tuple[Trajectory, ...]:
    """Two rows a query, of two samples each; a stand-in for the agents."""
    return tuple(
        Trajectory(
            query_id=query.query_id,
            cluster=query.cluster,
            split=query.split,
            kind=query.kind,
            group=group,
            exposure="explicit",
            wording=0,
            turn=0,
            topology="full",
            prompt=(1, 2, 3),
            options=((4, 2), (5, 6, 2)),
            option_log_probabilities=(-1.0, -2.0),
            gold=0,
            target=None,
            samples=(Sample((4, 2), -1.0, "x", "x", "scored", 1.0, None, 0.5),) * 2,
        )
        for query in queries
        for group in ("north", "south")
    )


class CutError(Exception):
    pass


class Collect:
    """Counts what it is asked for; breaks at the given call."""

    def __init__(self, breaks_at: int | None = None) -> None:
        self.asked: list[list[str]] = []
        self.breaks_at = breaks_at

    def __call__(self, queries: Sequence[Query]) -> tuple[Trajectory, ...]:
        if len(self.asked) == self.breaks_at:
            raise CutError
        self.asked.append([query.query_id for query in queries])
        return rows_of(queries)


def files_of(store: TrajectoryStore) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.folder.iterdir()}


def test_a_collection_is_complete_only_once_its_manifest_is_durable(
    tmp_path: Path, queries: tuple[Query, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TrajectoryStore.under(tmp_path, IDENTITY)
    synced: dict[str, bool] = {}

    def fsync(descriptor: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
        synced[name] = store.complete

    monkeypatch.setattr(os, "fsync", fsync)
    store.collect(queries, 4, Collect())
    parts = [(name.split(".")[1], complete) for name, complete in synced.items() if name.startswith(".")]
    assert parts == [("part-00000", False), ("part-00001", False), ("questions", False), ("manifest", False)]
    assert synced[store.folder.name]


def test_a_collection_comes_back_whole_and_in_order(tmp_path: Path, queries: tuple[Query, ...]) -> None:
    store = TrajectoryStore.under(tmp_path, IDENTITY)
    assert not store.complete
    collect = Collect()
    store.collect(queries, 4, collect)
    assert store.complete
    assert collect.asked == [["capital", "drink", "planet", "sum"], ["metal", "bird"]]
    assert store.read() == rows_of(queries)
    manifest = json.loads(store.manifest_file.read_text())
    assert list(manifest["parts"]) == ["part-00000.parquet", "part-00001.parquet"]
    # 6 queries x 2 groups, of 2 samples, 3 prompt tokens and 2 + 3 option tokens each.
    assert manifest["counts"] == {
        "trajectories": 12,
        "samples": 24,
        "prompt_tokens": 36,
        "option_tokens": 60,
    }
    assert (manifest["model"], manifest["seed"]) == ("abc", 3)


def test_equal_contents_share_one_folder(tmp_path: Path) -> None:
    first = TrajectoryStore.under(tmp_path, IDENTITY)
    assert first.folder.parent == tmp_path / ".trajectories"
    assert TrajectoryStore.under(tmp_path, {"seed": 3, "model": "abc"}).folder == first.folder
    assert TrajectoryStore.under(tmp_path, {**IDENTITY, "seed": 4}).folder != first.folder


def test_an_interrupted_collection_goes_on_and_ends_like_an_uninterrupted_one(
    tmp_path: Path, queries: tuple[Query, ...]
) -> None:
    whole = TrajectoryStore.under(tmp_path / "whole", IDENTITY)
    whole.collect(queries, 2, Collect())
    store = TrajectoryStore.under(tmp_path / "cut", IDENTITY)
    with pytest.raises(CutError):
        store.collect(queries, 2, Collect(breaks_at=1))
    assert not store.complete
    assert list(files_of(store)) == ["part-00000.parquet"]
    with pytest.raises(UserError, match="no complete collection"):
        store.read()
    resumed = Collect()
    store.collect(queries, 2, resumed)
    assert resumed.asked == [["planet", "sum"], ["metal", "bird"]]
    assert files_of(store) == files_of(whole)
    again = Collect()
    store.collect(queries, 2, again)
    assert again.asked == []


def test_ranks_share_the_parts(tmp_path: Path, queries: tuple[Query, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TrajectoryStore.under(tmp_path / "whole", IDENTITY)
    whole.collect(queries, 1, Collect())
    store = TrajectoryStore.under(tmp_path / "shared", IDENTITY)
    asked = {}
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    for rank in (1, 0):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        collect = Collect()
        store.collect(queries, 1, collect)
        asked[rank] = [name for part in collect.asked for name in part]
        # The manifest comes when all parts are there, from rank 0.
        assert store.complete == (rank == 0)
    assert asked == {0: ["capital", "planet", "metal"], 1: ["drink", "sum", "bird"]}
    assert files_of(store) == files_of(whole)


@pytest.fixture
def collected(tmp_path: Path, queries: tuple[Query, ...]) -> TrajectoryStore:
    store = TrajectoryStore.under(tmp_path, IDENTITY)
    store.collect(queries, 3, Collect())
    return store


def test_a_torn_part_is_found_before_the_manifest_and_made_again(
    collected: TrajectoryStore, queries: tuple[Query, ...]
) -> None:
    before = files_of(collected)
    part = collected.folder / "part-00001.parquet"
    collected.manifest_file.unlink()
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"part-00001\.parquet cannot be read") as refusal:
        collected.collect(queries, 3, Collect())
    assert "Delete this file" in refusal.value.remedy
    part.unlink()
    collected.collect(queries, 3, Collect())
    assert files_of(collected) == before


def test_a_part_that_is_not_the_collected_one_is_refused(
    collected: TrajectoryStore, queries: tuple[Query, ...]
) -> None:
    part = collected.folder / "part-00001.parquet"
    # A readable part with other rows.
    part.write_bytes((collected.folder / "part-00000.parquet").read_bytes())
    read_part(part)
    with pytest.raises(UserError, match=r"part-00001\.parquet is missing or not the one that was collected"):
        collected.read()


@pytest.mark.parametrize("spoil", ["cut", "absent"])
def test_a_torn_part_of_a_complete_collection_is_refused(collected: TrajectoryStore, spoil: str) -> None:
    part = collected.folder / "part-00001.parquet"
    if spoil == "cut":
        part.write_bytes(part.read_bytes()[:-9])
    else:
        part.unlink()
    with pytest.raises(UserError, match=r"part-00001\.parquet is missing or not") as refusal:
        collected.read()
    # Deleting the part alone would not help: the manifest says that nothing is missing.
    assert str(collected.folder) in refusal.value.remedy


@pytest.mark.parametrize("text", ["", "{", "[]", '{"parts": 3}'])
def test_a_torn_manifest_is_refused(collected: TrajectoryStore, text: str) -> None:
    collected.manifest_file.write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json"):
        collected.read()


def test_the_questions_lie_beside_their_trajectories(tmp_path: Path, queries: tuple[Query, ...]) -> None:
    store = TrajectoryStore.under(tmp_path, IDENTITY)
    store.collect(queries, 2, rows_of)
    assert read_queries(store.questions_file) == queries
