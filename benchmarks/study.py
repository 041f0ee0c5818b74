"""The study: rows of study.yaml trained or taken as they are, asked on every set, and compared in tables.

Every row is one ``trialign fit`` a seed, as a user would run it; finished runs are left as they are and unfinished ones
go on, so that the study can be stopped at any time. Collections are shared by all rows that collect alike.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from trialign.audit.figures.analysis import read_analysis
from trialign.audit.figures.comparison import AuditMeasures, Difference, differences, measure_audit, pooled
from trialign.audit.figures.measures import by_key
from trialign.audit.figures.noticed import BY_KEY, noticed
from trialign.audit.files.items import read_items
from trialign.runs import ANALYSIS, ITEMS, REPLIES, AuditFolder, RunFolder

SHOWN = ("flip_rate", "mean", "worst", "consistent_wrong", "preference", "kept")
IN_WORDS = ("flip_rate", "mean", "no_answer", "kept")
TRAITS = ("ends", "repeats", "nats")
OWN = "embedded"  # the run's own held-out questions


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        title: above it.
        methods: its rows, each held against the study's reference.
    """

    title: str
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """What study.yaml holds.

    Attributes:
        config: every run's, before a row's own overrides.
        seeds: runs of each row.
        reference: the row that others are held against.
        methods: row -> what it needs on the command line; ``objective=ROW`` where it is not named.
        sets: set of questions beside the runs' own -> the verb that asks them, and its words.
        tables: name -> table.
    """

    config: str
    seeds: tuple[int, ...]
    reference: str
    methods: Mapping[str, Sequence[str]]
    tables: Mapping[str, Table]
    sets: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> Study:
        """A study from its YAML file."""
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
        tables = {name: Table(one["title"], tuple(one["methods"])) for name, one in told.pop("tables").items()}
        return cls(**{**told, "seeds": tuple(told["seeds"])}, tables=tables)

    def quick(self) -> Study:
        """Two rows and one seed of a run that takes a minute: for trying out, and for the tests."""
        tables = {"quick": Table("Quick", (self.reference, "utilitarian"))}
        return replace(self, config="conf/smoke.yaml", seeds=(0,), tables=tables, sets={})

    def askable(self, sets: Path | None) -> list[str]:
        """The sets that can be asked: those whose files lie in a folder only where that is given."""
        return [name for name, words in self.sets.items() if sets or not any("{sets}" in word for word in words)]

    def foreign(self) -> list[str]:
        """The sets whose files lie in a folder: those that nobody here wrote."""
        return [name for name in self.sets if name not in self.askable(None)]

    def overrides(self, method: str) -> list[str]:
        """What a row needs on the command line."""
        return list(self.methods.get(method, [f"objective={method}"]))


@dataclass(frozen=True)
class Fitted:
    """A finished run, of one row and seed."""

    run: RunFolder

    def audits(self, name: str) -> tuple[Path, Path] | None:
        """Folders of its first and last audit on a set; None where it was not asked that."""
        found = [one.path for one in self.run.audits() if self._is_on(one, name)]
        return (found[0], found[-1]) if len(found) > 1 else None

    def _is_on(self, audit: AuditFolder, name: str) -> bool:
        own = self.run.stored_config()["data"]["name"]
        return audit.data == own and audit.split == "test" if name == OWN else audit.data == name


def fit(study: Study, method: str, seed: int, overrides: Sequence[str] = ()) -> Fitted:
    """Runs one fit as a user would. The run of ``make fit`` is the reference's seed 0."""
    stem = Path(study.config).stem
    name = stem if (method, seed) == (study.reference, 0) else f"{stem}-{method}-seed{seed}"
    run = RunFolder(Path("runs") / name)
    words = ["fit", "--config", study.config, *study.overrides(method), f"seed={seed}", f"name={name}", *overrides]
    call([*words, "--resume"] if run.config_file.exists() else words)
    return Fitted(run)


def ask(fitted: Fitted, name: str, words: Sequence[str], sets: Path | None) -> None:
    """Asks a run another set of questions, unless that was done."""
    if fitted.audits(name) is None:
        verb, *data = words
        call([verb, "--run", str(fitted.run.folder), *(one.format(sets=sets) for one in data)])


def call(words: Sequence[str]) -> None:
    """One command of TriAlign, in a process of its own."""
    subprocess.run([sys.executable, "-m", "trialign.cli", *words], check=True)


def measured(audit: Path, *, words: bool = False, only: Set[str] | None = None) -> AuditMeasures | None:
    """One audit, question by question, of some questions alone if asked; None where nothing was asked in words."""
    if words and not (audit / REPLIES).is_file():
        return None
    analysis = read_analysis(audit / ANALYSIS)
    return measure_audit(_items(audit, words=words, only=only), analysis.groups, analysis.exposure)


def traits(audit: Path, only: Set[str] | None = None) -> dict[str, float]:
    """Key -> mean over groups of what a reader would notice of the replies; empty where there are none."""
    if not (audit / REPLIES).is_file():
        return {}
    analysis = read_analysis(audit / ANALYSIS)
    seen = noticed(_items(audit, words=True, only=only), analysis.groups, exposure=analysis.exposure)
    return {one.key: one.mean.value for one in seen}


def asked_by_all(audits: Sequence[Path]) -> Set[str]:
    """Ids of the questions that each of some audits asked in words; of audits without any nothing is taken."""
    asked = [set(read_items(one / REPLIES)["query_id"]) for one in audits if (one / REPLIES).is_file()]
    return set.intersection(*asked) if asked else set()


def _items(audit: Path, *, words: bool, only: Set[str] | None) -> pd.DataFrame:
    items = read_items(audit / (REPLIES if words else ITEMS))
    return items if only is None else items[items["query_id"].isin(list(only))]


def over_seeds(audits: Sequence[Path], *, words: bool = False, only: Set[str] | None = None) -> AuditMeasures | None:
    """Several audits as one; None where one of them has nothing to say."""
    found = [measured(audit, words=words, only=only) for audit in audits]
    known = [one for one in found if one is not None]
    return pooled(known) if known and len(known) == len(found) else None


def lines(study: Study, table: Table, runs: Mapping[str, Sequence[Fitted]], name: str) -> Iterator[str]:
    """One table on one set, as Markdown: the base model, then every row beside its difference from the reference."""
    audits = {method: [found for run in runs[method] if (found := run.audits(name))] for method in table.methods}
    audits = {method: found for method, found in audits.items() if len(found) == len(runs[method])}
    if study.reference not in audits:
        return
    yield f"**{table.title}** on {name}: {_seeds(len(runs[study.reference]))}, 95 % intervals paired by fact"
    yield ""
    for words, shown in ((False, SHOWN), (True, IN_WORDS)):
        yield from _rows(study, audits, shown, words=words)
    looks = sum(map(len, audits.values()))
    yield f"Audits of these questions behind this table: {looks} of trained agents."
    yield ""


def _seeds(count: int) -> str:
    return f"{count} seeds pooled" if count > 1 else "**one seed**"


def _rows(
    study: Study, audits: Mapping[str, Sequence[tuple[Path, Path]]], shown: Sequence[str], *, words: bool
) -> Iterator[str]:
    """The rows in scores, or in words: there, on the questions that all of them were asked."""
    only = asked_by_all([one for found in audits.values() for both in found for one in both]) if words else None
    if only is not None and not only:
        return
    reference = over_seeds([after for _, after in audits[study.reference]], words=words, only=only)
    base = over_seeds([before for before, _ in audits[study.reference]], words=words, only=only)
    if reference is None or base is None:
        return
    if only is not None:
        yield f"In words, {len(only)} questions that all rows were asked:"
        yield ""
    heads = [by_key()[key].label for key in shown] + ([BY_KEY[key].label for key in TRAITS] if words else [])
    yield f"| {'in words' if words else 'in scores'} | " + " | ".join(heads) + " |"
    yield "|---" * (len(heads) + 1) + "|"
    befores = [before for before, _ in audits[study.reference]]
    yield _row("base model", differences(reference, base), shown, _means(befores, only) if words else {}, against=True)
    for method, found in audits.items():
        afters = [after for _, after in found]
        own = over_seeds(afters, words=words, only=only)
        if own is not None:
            seen = _means(afters, only) if words else {}
            yield _row(method, differences(reference, own), shown, seen, against=method != study.reference)
    yield ""


def seen(audits: Sequence[Path]) -> dict[str, float]:
    """Label -> what a reader would notice of the replies, the mean over audits."""
    return {BY_KEY[key].label: value for key, value in _means(audits).items()}


def _means(audits: Sequence[Path], only: Set[str] | None = None) -> dict[str, float]:
    """Key -> what a reader would notice, over seeds."""
    found = [traits(audit, only) for audit in audits]
    return {key: float(np.mean([one[key] for one in found])) for key in TRAITS if all(key in one for one in found)}


def _row(
    label: str, found: Sequence[Difference], shown: Sequence[str], seen: Mapping[str, float], *, against: bool
) -> str:
    """A row: each value, and where it is held against the reference the difference with its interval."""
    by_measure = {one.measure: one for one in found}
    cells = [_cell(by_measure[key], against=against) for key in shown]
    cells += [f"{seen[key]:.3f}" if key in seen else "-" for key in (TRAITS if seen else ())]
    return f"| {label} | " + " | ".join(cells) + " |"


def _cell(one: Difference, *, against: bool) -> str:
    if one.second is None:
        return "-"
    if not against or one.change is None or one.low is None or one.high is None:
        return f"{one.second:.3f}"
    mark = "" if one.low <= 0 <= one.high else " *"
    return f"{one.second:.3f} ({one.change:+.3f} [{one.low:+.3f}, {one.high:+.3f}]{mark})"


def run(study: Study, names: Sequence[str], sets: Path | None, overrides: Sequence[str] = ()) -> Iterator[str]:
    """Makes what is missing for some tables, and gives their lines as they become complete."""
    fitted: dict[str, list[Fitted]] = {}
    yield "A star: the interval of the difference from the reference excludes 0."
    yield ""
    for name in names:
        table = study.tables[name]
        for method in table.methods:
            if method not in fitted:
                fitted[method] = [fit(study, method, seed, overrides) for seed in study.seeds]
        for one in [OWN, *study.askable(sets)]:
            if one != OWN:
                for each in (each for method in table.methods for each in fitted[method]):
                    ask(each, one, study.sets[one], sets)
            yield from lines(study, table, fitted, one)
