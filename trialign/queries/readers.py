"""Question files and foreign sources, read and checked: each row alone (see `trialign.queries.rows`), then together."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trialign.errors import UserError
from trialign.groups import GroupSet
from trialign.queries.answers import is_correct, normal_text
from trialign.queries.conversion import native_rows, seeded
from trialign.queries.fields import LeftOut
from trialign.queries.formats import NATIVE_SUFFIXES, Row, file_rows
from trialign.queries.rows import ROW_KEYS, query_to_row, row_to_query
from trialign.queries.sources import SourceConfig, check_source
from trialign.queries.survey import Survey
from trialign.queries.types import PreferenceQuery, Query, Split, TruthQuery

__all__ = [
    "ROW_KEYS",
    "Reading",
    "check_queries",
    "queries_hash",
    "query_to_row",
    "read_data",
    "read_queries",
    "read_query_files",
    "row_to_query",
]

# A query, and where it comes from.
Placed = tuple[Query, str]
# Stands for all groups where nobody says which there are.
_EVERYONE = ("everyone",)


@dataclass(frozen=True)
class Reading:
    """What was read.

    Attributes:
        queries: in the order of the files and rows.
        faults: everything that is wrong, as far as it was looked for.
        left_out: what a run does without though it is no fault, a sentence each.
        notes: what is worth knowing of how files were read, a sentence each.
    """

    queries: tuple[Query, ...]
    faults: tuple[UserError, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def usable(self) -> tuple[Query, ...]:
        """The queries but for those ``elsewhere``."""
        return tuple(query for query in self.queries if not _lacks_targets(query))

    @property
    def elsewhere(self) -> tuple[Query, ...]:
        """Preference queries whose targets are all for other sets of groups; a run does without them."""
        return tuple(query for query in self.queries if _lacks_targets(query))


def read_queries(path: Path, groups: GroupSet | None = None) -> tuple[Query, ...]:
    """Read and check one question file.

    Two right answers to one question, which older records may hold, are let pass; `read_data` refuses them.

    Args:
        path: a ``.jsonl`` or ``.parquet`` file.
        groups: the groups in use. When given, a preference query has targets for each of them, or none at all
            where its row names groups of other sets only (``set:group``); names without a set are theirs.

    Raises:
        UserError: the file cannot be read, or a row is wrong; names the file, row and query.
    """
    return read_query_files((path,), groups)


def read_query_files(paths: Iterable[Path], groups: GroupSet | None = None) -> tuple[Query, ...]:
    """Read several question files, in the order given, and check them together; see `read_queries`."""
    return required(read_data([Path(path) for path in paths], groups, one_answer=False))


def required(reading: Reading) -> tuple[Query, ...]:
    """The queries of a reading without faults.

    Raises:
        UserError: the first fault.
    """
    if reading.faults:
        raise reading.faults[0]
    return reading.queries


def read_data(
    files: Sequence[Path | SourceConfig],
    groups: GroupSet | None = None,
    most_faults: int = 1,
    *,
    one_answer: bool = True,
) -> Reading:
    """Read question files and foreign sources, in the order given, and check them together.

    Args:
        files: native question files, and sources of foreign rows.
        groups: the groups in use, see `read_queries`.
        most_faults: reading ends when so many are found.
        one_answer: two right answers to one question are a fault.
    """
    stocks: list[_Stock] = []
    for file in files:
        wanted = most_faults - sum(len(stock.counted_faults) for stock in stocks)
        if wanted > 0:
            stocks.append(_read(file, groups, wanted))
    if sum(len(stock.counted_faults) for stock in stocks) < most_faults:
        _drop_contradictions(stocks, one_answer)
    faults = tuple(fault for stock in stocks for fault in stock.counted_faults)[:most_faults]
    queries = tuple(query for stock in stocks for query, _ in stock.placed)
    left_out = [sentence for stock in stocks for sentence in stock.left_out]
    elsewhere = sum(map(_lacks_targets, queries))
    if elsewhere:
        all_of_them = elsewhere == sum(isinstance(query, PreferenceQuery) for query in queries)
        rest = "; no taste is left, only facts" if all_of_them else ""
        left_out.append(f"{elsewhere} of the preference questions: they have targets for other groups only{rest}")
    notes = tuple(sentence for stock in stocks for sentence in stock.notes)
    return Reading(queries, faults, tuple(left_out), notes)


def check_queries(queries: Sequence[Query], places: Sequence[str] | None = None) -> None:
    """Check what only shows across rows: unique ids, one right answer a question, splits that share nothing.

    Splits share no cluster and no question.

    Args:
        queries: all queries of a run, of every split.
        places: where each query comes from, for the message; counted from 1 when not given.

    Raises:
        UserError: two rows contradict each other; names both places.
    """
    for fault in contradictions(zip(queries, places or _counted(len(queries)), strict=True)):
        if fault is not None:
            raise fault


def contradictions(placed: Iterable[Placed], one_answer: bool = True) -> Iterator[UserError | None]:
    """For each query, what it contradicts among those before it that contradict nothing; see `check_queries`."""
    by_id: dict[str, str] = {}
    by_cluster: dict[str, tuple[Split, str]] = {}
    by_question: dict[tuple[str, frozenset[str]], tuple[Split, str]] = {}
    by_answer: dict[tuple[str, frozenset[str]], tuple[TruthQuery, str]] = {}
    for query, place in placed:
        question = normal_text(query.question), frozenset(query.options)
        asked, first_asked = by_question.get(question, (query.split, place))
        shared, first_shared = by_cluster.get(query.cluster, (query.split, place))
        if query.query_id in by_id:
            yield UserError(
                f"{place}: the id '{query.query_id}' is taken already, at {by_id[query.query_id]}",
                "Give every query its own id, and name each file once",
            )
        elif shared != query.split:
            yield UserError(
                f"{place}, query '{query.query_id}': cluster '{query.cluster}' is in split "
                f"'{query.split}' here and in '{shared}' at {first_shared}",
                "Put all queries of a cluster into one split",
            )
        elif asked != query.split:
            yield UserError(
                f"{place}, query '{query.query_id}': the same question is in split '{query.split}' here "
                f"and in '{asked}' at {first_asked}",
                "Keep it in one split only",
            )
        elif (
            one_answer
            and isinstance(query, TruthQuery)
            and not _agree(query, by_answer.setdefault(question, (query, place))[0])
        ):
            first, first_place = by_answer[question]
            yield UserError(
                f"{place}, query '{query.query_id}': the right answer is '{query.gold}' here, and '{first.gold}' to "
                f"the same question at {first_place}",
                "Correct or remove one of them",
            )
        else:
            by_id[query.query_id] = place
            by_cluster.setdefault(query.cluster, (query.split, place))
            by_question.setdefault(question, (query.split, place))
            yield None


def _agree(one: TruthQuery, other: TruthQuery) -> bool:
    """Whether some answer is right for both of two rows that ask the same question."""
    if one.answer_kind != other.answer_kind:
        return True
    return is_correct(one, other.gold) or any(is_correct(other, right) for right in (one.gold, *one.aliases))


def queries_hash(queries: Iterable[Query]) -> str:
    """SHA-256, as 64 hex digits, of all rows in the order of their ids; the order of files is no matter."""
    rows = [query_to_row(query) for query in sorted(queries, key=lambda query: query.query_id)]
    for row in rows:
        # Later than the first hashes: where it is absent, they hold.
        for key in ("folk", "language", "texts"):
            if row[key] is None:
                del row[key]
    canonical = json.dumps(rows, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass
class _Stock:
    """What one file or source gave.

    Attributes:
        name: for messages.
        allowed: rows that may be left out because they cannot be read.
        placed: the queries.
        row_faults: what is wrong with single rows.
        broken: why nothing, or nothing further, could be read.
        unanswered: sound rows that do not tell what every group answered.
    """

    name: str
    allowed: int
    placed: list[Placed] = field(default_factory=list)
    row_faults: list[UserError] = field(default_factory=list)
    broken: list[UserError] = field(default_factory=list)
    unanswered: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def counted_faults(self) -> list[UserError]:
        """All faults, without those of rows that may be left out."""
        return [*(self.row_faults if len(self.row_faults) > self.allowed else ()), *self.broken]

    @property
    def left_out(self) -> list[str]:
        """Sentences about what was left out."""
        rows = [fault.problem for fault in self.row_faults] if len(self.row_faults) <= self.allowed else []
        few = f"{self.unanswered} question(s) of {self.name}: not every group was asked"
        return [*rows, few] if self.unanswered else rows


def _read(file: Path | SourceConfig, groups: GroupSet | None, most_faults: int) -> _Stock:
    stock = _Stock(file.name, file.allowed_faults) if isinstance(file, SourceConfig) else _Stock(str(file), 0)
    survey = Survey()
    try:
        if isinstance(file, SourceConfig):
            check_source(file, groups.names if groups else None)
            rows = native_rows(file, groups.names if groups else _EVERYONE, survey)
            placed = _selected(_queries(rows, groups, stock, most_faults), file)
        else:
            placed = _queries(file_rows(file, NATIVE_SUFFIXES, notes=survey.notes), groups, stock, most_faults)
        for one in placed:
            stock.placed.append(one)
        if isinstance(file, SourceConfig):
            stock.broken += survey.faults(file)
        if not stock.placed and not stock.counted_faults:
            raise UserError(
                f"No question of {stock.name} can be used: {'; '.join(stock.left_out)}",
                "Check the groups, and what is named as theirs in the data",
            )
    except UserError as error:
        stock.broken.append(error)
    stock.notes += survey.sentences(file) if isinstance(file, SourceConfig) else survey.notes
    return stock


def _queries(rows: Iterator[Row], groups: GroupSet | None, stock: _Stock, most_faults: int) -> Iterator[Placed]:
    """The queries of native rows; ends early when ``most_faults`` more than allowed are found."""
    for row in rows:
        if isinstance(row.values, LeftOut):
            stock.unanswered += 1
            continue
        try:
            if isinstance(row.values, UserError):
                raise row.values
            yield row_to_query(row.values, groups, row.place), row.place
        except UserError as error:
            stock.row_faults.append(error)
            if len(stock.row_faults) >= stock.allowed + most_faults:
                return


def _selected(placed: Iterator[Placed], source: SourceConfig) -> Iterator[Placed]:
    if source.limit is not None:
        # Where one row is one cluster and all are of one split, what follows need not be read.
        alone = source.split is not None and source.map is not None and source.map.cluster is None
        return _first_clusters(placed, source.limit, alone)
    return placed if source.sample is None else _sampled_clusters(placed, source.sample, source.seed)


def _first_clusters(placed: Iterator[Placed], limit: int, ends: bool) -> Iterator[Placed]:
    clusters: dict[Split, set[str]] = defaultdict(set)
    for query, place in placed:
        known = clusters[query.split]
        if query.cluster not in known and len(known) == limit:
            if ends:
                return
            continue
        known.add(query.cluster)
        yield query, place


def _sampled_clusters(placed: Iterator[Placed], count: int, seed: int) -> Iterator[Placed]:
    """The clusters of lowest seeded hash in each split; holds no more than these in memory."""
    kept: dict[Split, dict[str, list[tuple[int, Placed]]]] = defaultdict(dict)
    heaps: dict[Split, list[tuple[int, str]]] = defaultdict(list)  # the highest hash first, as negative numbers
    for number, one in enumerate(placed):
        query = one[0]
        clusters, heap = kept[query.split], heaps[query.split]
        if query.cluster not in clusters:
            entry = -seeded(seed, "sample", query.cluster), query.cluster
            if len(heap) < count:
                heapq.heappush(heap, entry)
            elif entry > heap[0]:
                del clusters[heapq.heapreplace(heap, entry)[1]]
            else:
                continue
            clusters[query.cluster] = []
        clusters[query.cluster].append((number, one))
    chosen = [entry for clusters in kept.values() for rows in clusters.values() for entry in rows]
    yield from (one for _, one in sorted(chosen, key=lambda entry: entry[0]))


def _drop_contradictions(stocks: Sequence[_Stock], one_answer: bool) -> None:
    found = contradictions([one for stock in stocks for one in stock.placed], one_answer)
    for stock in stocks:
        kept = []
        for one in stock.placed:
            fault = next(found)
            if fault is None:
                kept.append(one)
            else:
                stock.row_faults.append(fault)
        stock.placed[:] = kept


def _lacks_targets(query: Query) -> bool:
    return isinstance(query, PreferenceQuery) and not query.targets


def _counted(length: int) -> list[str]:
    return [f"query {number + 1}" for number in range(length)]
