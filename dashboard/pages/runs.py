"""Runs: which are there, what came of each, how does one compare with another, and how did one go on?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from trialign.audit.files.folders import find_audit
from trialign.audit.report.run_comparison import RunComparison, compare_runs
from trialign.errors import UserError
from trialign.runs import AuditFolder

from ..components import charts, states
from ..components.dated import Dated, by_date
from ..components.heading import heading
from ..components.markup import plain
from ..components.pareto import truth_against_taste
from ..components.runs import comparison_table, run_table, step_table
from ..components.words import changed, percent, points
from ..reading import records
from ..reading.catalog import AuditEntry, Catalog, RunEntry, file_within, scan
from ..reading.overview import RunRow, configuration, judge, run_row
from ..reading.records import version
from ..session.integrity import check
from ..session.settings import Settings
from ..session.under_way import EVERY

_LEAD = (
    "Each row is a run with the verdict on its last audit, of held-out questions where there are any; its name leads "
    "there. Several can be held side by side, and one followed from audit to audit."
)
_MOST = 8  # runs side by side: more columns than that nobody reads


def show() -> None:
    """Draws the page."""
    catalog = scan(Settings.from_environment().runs)
    if not catalog.runs:
        states.no_runs(catalog.root)
        return
    rows = [run_row(catalog, run) for run in catalog.runs]
    heading("Which runs are there, and what came of them?", _counted(rows), _LEAD)
    words = st.text_input("Words in a row", key="row_words", bind="query-params", max_chars=200) or ""
    if any(row.progress.state == "training" for row in rows):
        st.fragment(run_every=EVERY)(_list)(catalog.root, words)
    else:
        _list(catalog.root, words)
    _closer(catalog)


def _list(root: Path, words: str) -> None:
    """The rows that have these words; looked up anew every few seconds while a run is in training."""
    catalog = scan(root)
    shown = [row for run in catalog.runs if words.casefold() in _text(row := run_row(catalog, run))]
    if shown:
        run_table(shown)
    else:
        states.nothing("No run has these words in its row.")
    for row in shown:
        if row.fault is not None:
            states.fault(row.fault, root)


def _counted(rows: Sequence[RunRow]) -> str:
    counts = Counter(row.progress.state for row in rows)
    words = {"training": "in training", "audited": "audited only"}
    said = ", ".join(f"{count:,} {words.get(state, state)}" for state, count in counts.items())
    return f"{len(rows):,} {'run' if len(rows) == 1 else 'runs'}: {said}"


def _text(row: RunRow) -> str:
    """What the words of a filter are looked for in."""
    judged = row.judged.verdict[1] if row.judged and row.judged.verdict else ""
    return "\n".join(
        (row.run.id, row.model, row.data, row.objective, row.progress.sentence, judged, f"seed {row.seed}")
    ).casefold()


def _closer(catalog: Catalog) -> None:
    """One run over time, or several side by side."""
    runs = {run.id: run for run in catalog.audited}
    if not runs:
        return
    st.header("One over time, or several side by side", anchor=False)
    names = st.multiselect(
        "Runs",
        list(runs),
        key="runs",
        bind="query-params",
        max_selections=_MOST,
        placeholder="Choose one, or two and more to compare",
        help="The others are held against the one that was chosen first.",
    )
    here = runs.get(str(st.session_state.get("run")), catalog.audited[0])
    chosen = [runs[name] for name in names] or [here]
    try:
        if len(chosen) > 1:
            _side_by_side(catalog, chosen)
        else:
            _over_time(catalog, chosen[0])
    except UserError as error:
        states.fault(error, catalog.root)


def _side_by_side(catalog: Catalog, runs: Sequence[RunEntry]) -> None:
    """What ``trialign compare`` says of them."""
    like = _asked(runs[0])
    found = [find_audit(run.folder, like=like) for run in runs]
    entries = [_entry(run, audit) for run, audit in zip(runs, found, strict=True)]
    check(catalog, *entries)
    for run in runs:
        if run.config_file.exists():
            file_within(catalog.root, run.config_file)
    files = [*(file for one in entries for file in one.folder.iterdir()), *(run.config_file for run in runs)]
    versions = tuple(version(file) for file in sorted(files) if file.exists())
    comparison: RunComparison = _compared(tuple(str(audit.path) for audit in found), versions, found)
    if comparison.note:
        st.warning(plain(comparison.note), icon=":material/error:")
    st.markdown(
        f"The same {comparison.n_questions:,} questions, of {comparison.n_clusters:,} facts and tastes, were put to "
        f"all. A change counts where its interval stays clear of zero and its p is at most {comparison.alpha:g}. Runs "
        "that differ in their seed only are one column, their answers averaged question by question. "
        "`trialign compare` gives the same figures."
    )
    if len(comparison.runs) > 1:
        comparison_table(comparison)
        if comparison.words is not None:
            comparison_table(comparison.words, "In words. ")
        truth_against_taste(comparison)
    else:
        states.nothing("These runs differ in their seed only, and are one: there is nothing to hold it against.")
    _by_date(catalog, [(run.id, run, entry) for run, entry in zip(runs, entries, strict=True)])


def _by_date(catalog: Catalog, audits: Sequence[tuple[str, RunEntry, AuditEntry]]) -> None:
    """Audits of the same questions in the order of their dates, each under a name."""
    found, confidence = [], 0.0
    for name, run, audit in audits:
        analysis, gate = records.analysis(catalog, audit), configuration(catalog, run).get("gate")
        if analysis.facts is not None:
            confidence = 1 - analysis.bounds.alpha
            stated = gate if isinstance(gate, Mapping) else {}
            words = analysis.replies.facts if analysis.replies else None
            found.append(Dated(name, judge(catalog, audit).when, analysis.facts, words, stated))
    by_date(found, confidence)


def _asked(run: RunEntry) -> AuditFolder:
    """Which questions are compared: those of the first run's last audit, unless others are asked for."""
    sets = {f"{audit.split} questions of {audit.data}": audit for audit in run.audits}
    names = sorted(sets, key=lambda name: sets[name].split != "test")
    name = names[0]
    if len(names) > 1:
        name = str(st.selectbox("Questions", names, key="questions", bind="query-params"))
    audit = sets[name]
    return AuditFolder(audit.folder, audit.step, audit.data, audit.split)  # type: ignore[arg-type]


def _entry(run: RunEntry, audit: AuditFolder) -> AuditEntry:
    """The audit as the scan found it, which leaves out links out of the root."""
    for entry in run.audits:
        if entry.id == audit.path.name:
            return entry
    raise UserError(f"The run '{run.id}' has no such audit within the folder of runs", "Choose another run")


@st.cache_resource(max_entries=16, show_spinner="Pairing the answers …")
def _compared(
    paths: tuple[str, ...], versions: tuple[tuple[int, ...], ...], _audits: Sequence[AuditFolder]
) -> RunComparison:
    return compare_runs(_audits)


def _over_time(catalog: Catalog, run: RunEntry) -> None:
    """A run's audits of the same questions, step by step."""
    like = _asked(run)
    audits = [audit for audit in run.audits if (audit.data, audit.split) == (like.data, like.split)]
    check(catalog, *audits)
    judged = [(audit, judge(catalog, audit)) for audit in audits]
    step_table(run, judged, [(percent(one.mean), points(one.gap)) for _, one in judged])
    if len(judged) < 2:
        states.nothing(f"{run.id} has one audit of these questions; trialign test --run audits its other checkpoints.")
        return
    labels = records.labels(catalog, run, audits[-1])
    frame = pd.DataFrame(
        [
            {"step": audit.step, "name": labels.get(group, group), "value": share}
            for audit, one in judged
            for group, share in one.accuracy.items()
            if share is not None
        ]
    )
    if frame.empty:
        return
    names = list(dict.fromkeys(frame["name"]))
    values = {(step, name): value for step, name, value in frame.itertuples(index=False)}
    means = [one.mean for _, one in judged]
    charts.draw(
        charts.paths(frame, "right answers", percent=True),
        f"Right answers of {run.id}, group by group, from step {audits[0].step:,} to {audits[-1].step:,}: the mean "
        f"{changed(means[0], means[-1])}.",
        ("Group", *(f"step {audit.step:,}" for audit in audits)),
        [(name, *(percent(values.get((audit.step, name))) for audit in audits)) for name in names],
    )
    _by_date(catalog, [(f"step {audit.step:,}", run, audit) for audit in audits])
