"""The folder of one collection: parts that appear whole, then a manifest that says that all are there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from trialign import distributed
from trialign.errors import UserError
from trialign.progress import Progress
from trialign.queries import Query
from trialign.queries.writer import write_queries
from trialign.runs import MANIFEST, QUESTIONS, trajectories_folder
from trialign.scoring import Scoring
from trialign.storage import sha256_of_file, write_text_atomic
from trialign.trajectories.behaviour import completed
from trialign.trajectories.records import Trajectory, read_part, write_part

Collect = Callable[[Sequence[Query]], tuple[Any, ...]]


@dataclass(frozen=True)
class TrajectoryStore:
    """One collection under the folder of all runs.

    Attributes:
        folder: ``runs/.trajectories/<content hash>``.
        identity: everything that the trajectories depend on; its hash names the folder.
    """

    folder: Path
    identity: Mapping[str, Any]

    @classmethod
    def under(cls, runs: Path, identity: Mapping[str, Any]) -> Self:
        """The store of these contents: equal identities share one folder."""
        # The first version's, for good: later ones complete what it wrote, so that old and new runs share collections.
        identity = {"schema_version": 1, **identity}
        text = json.dumps(identity, sort_keys=True)
        return cls(trajectories_folder(runs, hashlib.sha256(text.encode()).hexdigest()[:16]), identity)

    @property
    def manifest_file(self) -> Path:
        """Present exactly when the collection is complete."""
        return self.folder / MANIFEST

    @property
    def questions_file(self) -> Path:
        """The questions that were asked, as a question file."""
        return self.folder / QUESTIONS

    @property
    def complete(self) -> bool:
        """Whether every part is there."""
        return self.manifest_file.is_file()

    def collect(
        self,
        queries: Sequence[Query],
        queries_per_part: int,
        collect: Collect,
        about: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """Makes the missing parts, shared out over the ranks; parts that are there are kept.

        Args:
            queries: all queries of the collection.
            queries_per_part: queries a part.
            collect: makes the trajectories of some queries; called in order of the parts.
            about: what the manifest says beside, as it is known at the end; it is no part of the identity.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        chunks = [queries[i : i + queries_per_part] for i in range(0, len(queries), queries_per_part)]
        paths = [self.folder / f"part-{index:05d}.parquet" for index in range(len(chunks))]
        rank, ranks = distributed.rank(), distributed.world_size()
        mine = [index for index in range(len(chunks)) if index % ranks == rank]
        total = sum(len(chunks[index]) for index in mine)
        with Progress("Collecting", total, "questions", shown=rank == 0) as progress:
            for index in mine:
                if not paths[index].is_file():
                    self._write_rows(paths[index], collect(chunks[index]))
                progress.advance(len(chunks[index]))
        distributed.barrier()
        if rank == 0:
            self._write_questions(queries)
            self._write_manifest(paths, about())
        distributed.barrier()

    def read(self) -> tuple[Trajectory, ...]:
        """All trajectories, verified against the manifest.

        Raises:
            UserError: the collection is missing or incomplete, or a part is not what was written.
        """
        return tuple(self._completed(row) for part in self._verified_parts() for row in self._read_rows(part))

    def _verified_parts(self) -> Iterator[Path]:
        """The parts, each when its hash has been compared."""
        if not self.complete:
            raise UserError(f"There is no complete collection in {self.folder}", "Run 'trialign collect' first")
        for name, digest in self._parts().items():
            part = self.folder / name
            # The hash first: beside a manifest, a part that cannot be read would not be collected anew.
            if not part.is_file() or sha256_of_file(part) != digest:
                raise self._changed(part)
            yield part

    def _write_rows(self, path: Path, rows: Sequence[Any]) -> None:
        write_part(path, rows)

    def _read_rows(self, path: Path) -> tuple[Any, ...]:
        return read_part(path)

    def _write_questions(self, queries: Sequence[Query]) -> None:
        write_queries(self.questions_file, queries)

    def _counts(self, rows: Sequence[Any]) -> Mapping[str, int]:
        """What the manifest says of the rows."""
        return {
            "trajectories": len(rows),
            "samples": sum(len(row.samples) for row in rows),
            "prompt_tokens": sum(len(row.prompt) for row in rows),
            "option_tokens": sum(len(option) for row in rows for option in row.options),
        }

    def _completed(self, row: Trajectory) -> Trajectory:
        if not {"scoring", "collect"} <= self.identity.keys():
            return row
        return completed(row, Scoring(**self.identity["scoring"]), self.identity["collect"]["temperature"])

    def _parts(self) -> dict[str, str]:
        """The parts' hashes by file name."""
        try:
            return dict(json.loads(self.manifest_file.read_text(encoding="utf-8"))["parts"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._changed(self.manifest_file) from error

    def _changed(self, path: Path) -> UserError:
        return UserError(
            f"The trajectory file {path} is missing or not the one that was collected",
            f"Delete the folder {self.folder} and collect again",
        )

    def _write_manifest(self, paths: Sequence[Path], about: Mapping[str, Any]) -> None:
        rows = [row for path in paths for row in self._read_rows(path)]
        manifest = {
            **about,
            **self.identity,
            "counts": self._counts(rows),
            "parts": {path.name: sha256_of_file(path) for path in paths},
        }
        write_text_atomic(self.manifest_file, json.dumps(manifest, indent=2))
