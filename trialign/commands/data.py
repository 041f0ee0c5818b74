"""``trialign data``: what a configuration's questions are, and all that is wrong with them, before anyone trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from trialign.api.session import Session
from trialign.commands.lengths import Lengths, label_faults, measure
from trialign.environment import check_prompt_and_scoring, first_turn
from trialign.errors import UserError
from trialign.groups import EXPOSURES, Exposure, GroupSet, same_profiles
from trialign.queries import KINDS, SPLITS, PreferenceQuery, Query, Split, TruthQuery
from trialign.queries.translated import told_in, untold
from trialign.safe_output import literal

MOST_FAULTS = 50
_GROUPS_SHOWN = 20
_TOPICS_SHOWN = 3
Found = TypeVar("Found")


def data(session: Session, split: Split | None) -> None:
    """Prints a summary, a sample, token lengths and every fault of the questions and groups.

    Args:
        session: the configuration.
        split: of which questions; None: of all. Faults are looked for in all of them.

    Raises:
        UserError: there are faults; says how many.
    """
    faults: list[UserError] = []
    groups = _tried(lambda: session.groups, faults)
    exposures = [e for e in EXPOSURES if e in {*session.config.collect.exposures, *session.config.audit.exposures}]
    _tried(lambda: check_prompt_and_scoring(session.config.prompt, session.config.scoring), faults)
    if groups is not None:
        faults += [fault for exposure in exposures for fault in session.exposure_faults(exposure)]
    reading = session.read(groups, MOST_FAULTS)
    queries = session.limited(reading.usable)
    unlabelled = label_faults(session, queries)
    faults += [*reading.faults, *unlabelled]
    shown = [query for query in queries if split in (None, query.split)]
    console = Console()
    if groups is not None:
        _print(console, f"Groups: {groups.name} ({groups.attribute}): {_few(groups.names)}")
    console.print(summary_table(session.config.data.name, shown) if shown else "No questions.")
    if groups is not None and shown and _tried(lambda: session.renderer, faults) is not None:
        # Without a profile for an exposure there is nothing to measure; that it is missing is a fault already.
        told = [e for e in exposures if not any(session.exposure_faults(e))]
        if told and not unlabelled:
            lengths, too_long = measure(session, shown, told)
            faults += too_long
            console.print(length_table(lengths))
            _print(console, *_fit(session, lengths))
            _print(console, *_sample(session, groups, shown, told[0]))
    notes = (*same_profiles(groups), *untold(queries, groups.everyone if groups else ()), *reading.notes)
    _print(console, *(f"Note: {sentence}." for sentence in notes))
    _print(console, *(f"Left out {sentence}" for sentence in reading.left_out))
    if faults:
        _print(console, "", "Faults:", *(f"- {fault}" for fault in faults[:MOST_FAULTS]))
        many = f"{MOST_FAULTS} faults or more" if len(faults) >= MOST_FAULTS else f"{len(faults)} fault(s)"
        raise UserError(
            f"The data '{session.config.data.name}' with its groups has {many}, listed above",
            "Correct them, and look again",
        )


def summary_table(name: str, queries: Sequence[Query]) -> Table:
    """A row for each kind and split: questions, clusters, options for each question, topics."""
    table = Table(title=literal(f"Questions of {name}"), title_justify="left")
    for column in ("kind", "split", "questions", "clusters", "options", "topics"):
        table.add_column(column, justify="right" if column in ("questions", "clusters", "options") else "left")
    for kind in KINDS:
        for split in SPLITS:
            chosen = [query for query in queries if (query.kind, query.split) == (kind, split)]
            if chosen:
                clusters = len({query.cluster for query in chosen})
                counts = f"{len(chosen):,}", f"{clusters:,}"
                table.add_row(kind, split, *counts, _range_of_options(chosen), literal(_topics(chosen)))
    return table


def length_table(lengths: Lengths) -> Table:
    """Token lengths of prompts and options."""
    table = Table(title="Tokens", title_justify="left")
    for column in ("", "min", "median", "95 %", "max"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("prompt, all profiles", *_quantiles(lengths.prompts))
    if lengths.answers.size:
        table.add_row("option", *_quantiles(lengths.answers))
    return table


def _tried(look: Callable[[], Found], faults: list[UserError]) -> Found | None:
    try:
        return look()
    except UserError as error:
        faults.append(error)
        return None


def _print(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(literal(line), soft_wrap=True)


def _range_of_options(queries: Sequence[Query]) -> str:
    counts = sorted({len(query.options) for query in queries})
    return "free" if counts == [0] else str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _topics(queries: Sequence[Query]) -> str:
    counts = Counter(query.topic for query in queries if query.topic)
    common = ", ".join(f"{topic} {count:,}" for topic, count in counts.most_common(_TOPICS_SHOWN))
    return f"{len(counts)}: {common}{', ...' if len(counts) > _TOPICS_SHOWN else ''}" if counts else "none"


def _quantiles(lengths: npt.NDArray[np.int64]) -> list[str]:
    return [f"{value:,.0f}" for value in np.quantile(lengths, (0, 0.5, 0.95, 1))]


def _fit(session: Session, lengths: Lengths) -> Iterator[str]:
    name = session.config.model.name
    if lengths.context is None:
        yield (
            f"The longest prompt with its longest answer takes {lengths.longest:,} tokens. The configuration of {name} "
            "does not say how many its context has: nothing is held against it."
        )
        return
    fits = "fits" if lengths.longest <= lengths.context else "DOES NOT FIT"
    yield (
        f"The longest prompt with its longest answer takes {lengths.longest:,} tokens and {fits} the context of "
        f"{name}, {lengths.context:,} tokens."
    )
    if lengths.longest_revision is not None:
        fits = "fits" if lengths.longest_revision <= lengths.context else "MAY NOT FIT"
        turns, tokens = session.config.environment.turns, lengths.longest_revision
        yield f"After {turns} revision turn(s) of longest answers it takes about {tokens:,} and {fits}."


def _sample(session: Session, groups: GroupSet, queries: Sequence[Query], exposure: Exposure) -> Iterator[str]:
    """One question of each kind as the first group's agent sees it, token for token."""
    group = groups.members[0]
    for kind in KINDS:
        query = next((query for query in queries if query.kind == kind), None)
        if query is None:
            continue
        query = told_in(query, group.language)
        conversation = first_turn(query, group, exposure, 0, session.config.prompt)
        prompt = session.renderer.tokenizer.decode(list(session.renderer.render(conversation)))
        yield f"\nSample: {kind} question '{query.query_id}', {query.split}, to {group.name} ({exposure})"
        yield from (f"  | {line}" for line in str(prompt).splitlines())
        yield from _answers(query)


def _few(words: Sequence[str]) -> str:
    """Words of groups in a line; of very many groups the first ones."""
    rest = len(words) - _GROUPS_SHOWN
    return ", ".join([*words[:_GROUPS_SHOWN], *([f"and {rest:,} more"] if rest > 0 else [])])


def _answers(query: Query) -> Iterator[str]:
    if isinstance(query, PreferenceQuery):
        for at, option in enumerate(query.options):
            targets = _few([f"{group} {target[at]:.2f}" for group, target in query.targets.items()])
            yield f"  - {option}  (target: {targets})"
    elif isinstance(query, TruthQuery):
        yield from (f"  - {option}{'  (gold)' if option == query.gold else ''}" for option in query.options)
        if not query.options:
            yield f"  gold: {query.gold}"
