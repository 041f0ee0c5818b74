"""From the rows of one source to rows of the native schema: ids, clusters, splits and the order of the options."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from trialign.errors import UserError
from trialign.queries.answers import normal_text
from trialign.queries.benchmarks import LAYOUTS
from trialign.queries.cells import shown
from trialign.queries.fields import LeftOut, opinion_rows, truth_row
from trialign.queries.formats import Row, file_rows, hub_rows
from trialign.queries.keys import fault
from trialign.queries.placed import speaks_of_others
from trialign.queries.sources import SourceConfig, evaluation_only_fault
from trialign.queries.survey import Survey, absent_fault, has_path, mapped_paths
from trialign.queries.types import SPLITS, Split


def native_rows(source: SourceConfig, groups: Sequence[str], survey: Survey) -> Iterator[Row]:
    """The rows of a source in the native schema.

    Args:
        source: checked by `check_source`.
        groups: names of the member groups; targets that are the same for all are given to each of them.
        survey: takes what only shows over all rows.

    Yields:
        Rows whose values are a native row, a `UserError` where the row cannot be read, or `LEFT_OUT`.

    Raises:
        UserError: a file or data set as a whole cannot be read.
    """
    for row in _meant(source, groups, survey):
        if isinstance(row.values, UserError | LeftOut):
            yield row
            continue
        try:
            yield replace(row, values=_finished(row, source, survey))
        except UserError as error:
            yield replace(row, values=error)


def seeded(seed: int, *words: str) -> int:
    """A number from 0 to 2^64 - 1 that depends on the seed and the words alone, not on process or platform."""
    text = "\0".join((str(seed), *words))
    return int.from_bytes(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:8], "big")


def _meant(source: SourceConfig, groups: Sequence[str], survey: Survey) -> Iterator[Row]:
    """Rows of the native schema but for what all sources have in common."""
    rows = _seen(_raw_rows(source, survey.notes), source, survey)
    if source.map is not None and source.map.counts is not None:
        yield from opinion_rows(rows, source, source.map, groups)
        return
    for row in rows:
        if not isinstance(row.values, UserError):
            try:
                if source.map is not None:
                    row = replace(row, values=truth_row(row, source, source.map, survey))
                elif source.layout is not None:
                    row = replace(row, values=LAYOUTS[source.layout](row, source, groups))
            except UserError as error:
                row = replace(row, values=error)
        yield row


def _seen(rows: Iterator[Row], source: SourceConfig, survey: Survey) -> Iterator[Row]:
    """The rows, each seen by the survey.

    Raises:
        UserError: a table lacks a column that is mapped; no other row of it can have that.
    """
    part = None
    for row in rows:
        if isinstance(row.values, Mapping):
            if row.table and row.part != part and source.map is not None:
                part = row.part
                for key, path in mapped_paths(source.map):
                    if not has_path(row.values, path):
                        raise absent_fault(row.place.rpartition(", row ")[0], key, path, row.values)
            survey.saw(row.values)
        yield row


def _files(source: SourceConfig) -> list[Path]:
    """The files of a path or pattern, by name.

    Raises:
        UserError: no file matches the pattern.
    """
    path = source.path or ""
    if Path(path).exists() or not glob.has_magic(path):
        return [Path(path)]
    files = [Path(name) for name in sorted(glob.glob(path))]
    if not files:
        raise UserError(f"No file matches {path}, of the source '{source.name}'", "Check the folder and the pattern")
    return files


def _raw_rows(source: SourceConfig, notes: list[str]) -> Iterator[Row]:
    if source.hub is not None:
        yield from hub_rows(source.hub, source.subset, source.part or "", source.revision)
        return
    for file in _files(source):
        rows = file_rows(file, columns=source.columns, inside=source.rows, encoding=source.encoding, notes=notes)
        if source.beside is not None:
            rows = _completed(rows, file, Path(source.beside) / file.name, source)
        yield from rows


def _completed(rows: Iterator[Row], file: Path, partner: Path, source: SourceConfig) -> Iterator[Row]:
    """Rows with the keys that only the row of the same number in another file has."""
    others = file_rows(partner, columns=source.columns, inside=source.rows, encoding=source.encoding)
    for row, other in zip_longest(rows, others):
        if row is None or other is None:
            raise UserError(f"{file} and {partner} have different numbers of rows", "Use files that belong together")
        for values in (row.values, other.values):
            if not isinstance(values, Mapping):
                problem = values if isinstance(values, UserError) else fault(row, f"it is {shown(values)}", "Mend it")
                yield replace(row, values=problem)
                break
        else:
            if row.values.get("question") != other.values.get("question"):
                yield replace(
                    row, values=fault(row, f"{other.place} asks another question", "Use files of one version")
                )
            else:
                yield replace(row, values={**other.values, **row.values})


def _finished(row: Row, source: SourceConfig, survey: Survey) -> dict[str, Any]:
    """The native row with id, cluster, split, topic, source and the options in their order."""
    native = dict(row.values)
    native["id"] = f"{source.name}/{_text(row, native, 'id', f'{row.part}/{row.key or row.number}')}"
    native["cluster"] = f"{source.name}/{_text(row, native, 'cluster', _content(native))}"
    native["split"] = _split(row, source, native)
    if source.topic_pattern is not None:
        found = re.search(source.topic_pattern, row.part)
        native["topic"] = found[1] if found else None
    shuffled = source.shuffle and _shuffle(native, source.seed, survey)
    native["source"] = _origin(row, source, _text(row, native, "source", ""), shuffled)
    return {key: value for key, value in native.items() if value not in (None, "")}


def _text(row: Row, native: Mapping[str, Any], key: str, default: str) -> str:
    given = native.get(key)
    if given in (None, ""):
        return default
    if not isinstance(given, str):
        raise fault(row, f"'{key}' is {shown(given)}", "Let it be a text or a number")
    return given


def _content(native: Mapping[str, Any]) -> str:
    """A name that questions of equal text and equal options share, whatever their rows are called."""
    # What is no text is refused later.
    texts = [text for text in (native.get("question"), *(native.get("options") or ())) if isinstance(text, str)]
    return f"{seeded(0, *map(normal_text, texts[:1]), *sorted(texts[1:])):016x}"


def _split(row: Row, source: SourceConfig, native: Mapping[str, Any]) -> Split:
    split = source.split or (_drawn(source, native["cluster"]) if source.split_shares else None)
    if split is None:
        stated = native.get("split")
        names: dict[Any, Split] = {**{name: name for name in SPLITS}, **(source.split_names or {})}
        if not isinstance(stated, str) or stated not in names:
            raise fault(row, f"the split is {shown(stated)}", "Say what it means under 'split_names'")
        split = names[stated]
    if split == "train" and source.evaluation_only:
        raise evaluation_only_fault(f"{row.place}: the source '{source.name}'")
    return split


def _drawn(source: SourceConfig, cluster: str) -> Split:
    """The split of a cluster, by the seed: the shares are those of an endless number of clusters."""
    shares = {split: (source.split_shares or {}).get(split, 0.0) for split in SPLITS}
    drawn, passed = seeded(source.seed, "split", cluster) / 2**64, 0.0
    for split, share in shares.items():
        passed += share
        if drawn < passed:
            return split
    return max(shares, key=lambda split: shares[split])


def _shuffle(native: dict[str, Any], seed: int, survey: Survey) -> bool:
    """Orders the options, and the targets with them, by the seed and the question's id; False where it may not."""
    options = native.get("options") or []
    if not options or not all(isinstance(option, str) for option in options):
        return False
    placed = speaks_of_others(options)
    if placed is not None:
        survey.unshuffled += 1
        survey.example = survey.example or placed
        return False
    # By the text, so that the order does not depend on where the right answer stood before.
    order = sorted(range(len(options)), key=lambda at: (seeded(seed, native["id"], options[at]), at))
    native["options"] = [options[at] for at in order]
    targets = native.get("targets")
    if targets:
        native["targets"] = {group: [target[at] for at in order] for group, target in targets.items()}
    return True


def _origin(row: Row, source: SourceConfig, stated: str, shuffled: bool) -> str:
    """Where a question comes from, and what orders its options, so that an audit can be repeated."""
    data = Path(source.hub).name if source.hub and Path(source.hub).is_dir() else source.hub
    words = [word for word in (data, source.subset, row.part) if word]
    order = f"; options ordered by seed {source.seed}" if shuffled else ""
    return f"{f'{stated}; ' if stated else ''}{' '.join(words)}, row {row.number}{order}"
