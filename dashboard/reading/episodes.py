"""The turns of stored episodes: what the agents said alone, and after they had heard each other.

Only the questions of training and validation were talked about; the held-out ones never are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from trialign.errors import UserError
from trialign.queries import Query
from trialign.queries.readers import read_queries
from trialign.runs import RunFolder, trajectories_folder
from trialign.trajectories.records import Trajectory
from trialign.trajectories.store import TrajectoryStore

from .catalog import Catalog, RunEntry, file_within

# A collection is read whole, since its hashes are of whole files; one above this size is not read into a server.
LARGEST_COLLECTION = 256 << 20


@dataclass(frozen=True)
class Episodes:
    """One collection.

    Attributes:
        turns: query id -> its trajectories, by turn, then exposure and wording; groups as they were collected.
        questions: query id -> question; empty for a collection of an older TriAlign, which kept none.
    """

    turns: Mapping[str, tuple[Trajectory, ...]]
    questions: Mapping[str, Query]

    def text(self, query_id: str) -> str:
        """The question; its id where none is known."""
        return self.questions[query_id].question if query_id in self.questions else query_id


def episodes(catalog: Catalog, run: RunEntry) -> Episodes | None:
    """The episodes that a run was trained on; None if there are none here.

    Raises:
        UserError: they are damaged, too large to be read here, or behind a link out of the root.
    """
    if not (run.config_file).is_file():
        return None
    file_within(catalog.root, run.config_file)
    name = RunFolder(run.folder).trajectories.strip()
    folder = trajectories_folder(catalog.root, name)
    if not name or Path(name).name != name or not TrajectoryStore(folder, {}).complete:
        return None
    files = [file_within(catalog.root, path) for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    if sum(path.stat().st_size for path in files) > LARGEST_COLLECTION:
        raise UserError(
            f"The collection {name} is larger than {LARGEST_COLLECTION >> 20} MiB, and its turns are not shown here",
            "Read it with trialign.trajectories.store",
        )
    found: Episodes = _read(str(folder), max(path.stat().st_mtime_ns for path in files))
    return found


@st.cache_resource(max_entries=4, show_spinner="Reading the episodes …")
def _read(folder: str, modified: int) -> Episodes:
    store = TrajectoryStore(Path(folder), {})
    turns: dict[str, list[Trajectory]] = defaultdict(list)
    for row in store.read():
        turns[row.query_id].append(row)
    ordered = {
        name: tuple(sorted(rows, key=lambda row: (row.turn, row.exposure, row.wording))) for name, rows in turns.items()
    }
    asked = read_queries(store.questions_file) if store.questions_file.is_file() else ()
    return Episodes(ordered, {query.query_id: query for query in asked})
