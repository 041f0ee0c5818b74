"""Training: what did it change, how did it go, and what did the agents say to each other?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from trialign.audit.figures import measures
from trialign.audit.figures.comparison import Difference, differences, measure_audit, reading
from trialign.audit.figures.noticed import TraitChange, refusal_change, trait_changes
from trialign.audit.figures.pairs import MOST_GROUPS
from trialign.errors import UserError
from trialign.runs import ANALYSIS, ITEMS, REPLIES

from ..components import charts, item, states
from ..components.in_words import read_before_and_after, traits_table
from ..components.tables import table
from ..components.words import READINGS, changed, measured, p_value, percent, point_interval, points
from ..reading import records
from ..reading.catalog import AuditEntry, Catalog, file_within
from ..reading.episodes import episodes
from ..session import note, selection
from ..session.head import head
from ..session.integrity import check

_LEAD = (
    "The same questions before and after training, paired question by question. A change counts only where its "
    "interval stays clear of zero and its test says more than chance."
)
_SECTIONS = ("Before and after", "How training went", "What the agents said to each other")
_MOST_LINES = 8
# Name in the log, without the group -> what it is; these come after the measures of validation.
_LOGGED = {
    "validation/truth/accuracy": "Right answers, group by group (validation)",
    "validation/preference/score": "Own taste met, group by group (validation)",
    "validation/preference/swapped": "The others' tastes met, group by group (validation)",
    "validation/welfare/nash": "Welfare of the groups (validation)",
    "utility/truth": "Right answers expected, group by group (moving average)",
    "utility/preference": "Own taste met, group by group (moving average)",
    "weight/truth": "Weight of a group's right answers in training",
    "weight/preference": "Weight of a group's tastes in training",
    "train/inconsistency": "Inconsistency between the groups, step by step",
    "train/kl": "Distance from the base model, step by step",
    "train/loss": "Loss, step by step",
    "train/padding": "Share of padding in a batch",
}

_FELL = 30  # groups that are drawn of very many


def show() -> None:
    """Draws the page."""
    picked = selection.current()
    head(picked, "What did training change?", _LEAD)
    section = st.segmented_control(
        "What to see",
        _SECTIONS,
        default=_SECTIONS[0],
        key="section",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    labels = records.labels(picked.catalog, picked.run, picked.audit)
    if section == _SECTIONS[1]:
        _paths(picked, labels)
    elif section == _SECTIONS[2]:
        _episodes(picked, labels)
    else:
        _before_after(picked, labels)


def _before_after(picked: selection.Selection, labels: Mapping[str, str]) -> None:
    others = {audit.label: audit for audit in picked.run.audits if audit != picked.audit}
    if not others:
        states.nothing("This run has one audit only. An audit of its agents makes the second: trialign test --run.")
        return
    label = st.selectbox(
        "Compare with",
        list(others),
        index=_default(list(others.values()), picked.audit),
        key="before",
        bind="query-params",
    )
    before, after = others[str(label)], picked.audit
    check(picked.catalog, before, after)
    summaries = [records.summary(picked.catalog, audit) for audit in (before, after)]
    try:
        confidence = _confidence(picked.catalog, after)
        changed = _differences(picked, before, after, tuple(summaries[1]["groups"]), confidence)
    except UserError as error:
        states.fault(error, picked.catalog.root)
        return
    _accuracy(summaries, labels)
    st.header("What changed, and is it more than chance?", anchor=False)
    _changes(changed, confidence)
    _in_words(picked, before, after, labels, confidence)


def _default(others: Sequence[AuditEntry], after: AuditEntry) -> int:
    """The earliest audit of the same questions, else the first."""
    alike = [place for place, audit in enumerate(others) if (audit.data, audit.split) == (after.data, after.split)]
    return min(alike, key=lambda place: others[place].step, default=0)


def _differences(
    picked: selection.Selection, before: AuditEntry, after: AuditEntry, groups: tuple[str, ...], confidence: float
) -> tuple[Difference, ...]:
    exposure = records.summary(picked.catalog, after)["exposure"]
    frames = [records.items(picked.catalog, audit) for audit in (before, after)]
    versions = tuple((audit.folder / ITEMS).stat().st_mtime_ns for audit in (before, after))
    found: tuple[Difference, ...] = _compared(
        str(before.folder), str(after.folder), versions, groups, exposure, confidence, frames
    )
    return found


@st.cache_resource(max_entries=16, show_spinner="Pairing the answers …")
def _compared(
    before: str,
    after: str,
    versions: tuple[int, ...],
    groups: tuple[str, ...],
    exposure: Any,
    confidence: float,
    _frames: Sequence[pd.DataFrame],
) -> tuple[Difference, ...]:
    return differences(*(measure_audit(items, groups, exposure) for items in _frames), confidence=confidence)


def _confidence(catalog: Catalog, audit: AuditEntry) -> float:
    """Of an audit's intervals: 1 - ``audit.alpha``, 0.95 for an audit made before there were analyses."""
    analysed = (audit.folder / ANALYSIS).is_file()
    return 1 - records.analysis(catalog, audit).bounds.alpha if analysed else 0.95


def _accuracy(summaries: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> None:
    accuracy = [summary["truth"]["accuracy"] for summary in summaries]
    known = [group for group in summaries[1]["groups"] if None not in (values.get(group) for values in accuracy)]
    if not known:
        return
    st.header("Right answers, group by group", anchor=False)
    rows = [(labels.get(group, group), *(values[group] for values in accuracy)) for group in known]
    frame = pd.DataFrame(rows, columns=["name", "before", "after"])
    better = sum(accuracy[1][group] > accuracy[0][group] for group in known)
    description = (
        f"Share of right answers before (ring) and after (dot): it rose for {better} of {len(known)} groups; the mean "
        f"{changed(summaries[0]['truth']['mean'], summaries[1]['truth']['mean'])}."
    )
    if len(known) > MOST_GROUPS:
        known = sorted(known, key=lambda group: accuracy[1][group] - accuracy[0][group])[:_FELL]
        frame = frame[frame["name"].isin([labels.get(group, group) for group in known])]
        description += f" The {_FELL} are drawn that rose least."
    charts.draw(
        charts.changes(frame, "right answers"),
        description,
        ("Group", "Before", "After", "Change"),
        [
            (
                labels.get(group, group),
                percent(accuracy[0][group]),
                percent(accuracy[1][group]),
                points(accuracy[1][group] - accuracy[0][group], signed=True),
            )
            for group in known
        ],
    )


def _in_words(
    picked: selection.Selection, before: AuditEntry, after: AuditEntry, labels: Mapping[str, str], confidence: float
) -> None:
    """The same of the replies in words, and what a reader would notice of them."""
    frames = [records.replies(picked.catalog, audit) for audit in (before, after)]
    if all(frame is None for frame in frames):
        return
    st.header("In words", anchor=False)
    st.caption(
        "The same questions, asked as a person asks them and answered in words: what people get. A reply that holds no "
        "answer is wrong, and agrees with nothing."
    )
    first, second = frames
    if first is None or second is None or set(first["query_id"]) != set(second["query_id"]):
        states.nothing("Only one of the two audits asked these questions in words, so that nothing can be paired.")
        return
    analyses = [records.analysis(picked.catalog, audit).replies for audit in (before, after)]
    if analyses[0] is not None and analyses[1] is not None:
        read_before_and_after(analyses[0], analyses[1], labels)
    summary = records.summary(picked.catalog, after)
    versions = tuple(records.version(audit.folder / REPLIES) for audit in (before, after))
    changed, traits = _compared_words(
        versions, tuple(summary["groups"]), summary["exposure"], confidence, (first, second)
    )
    traits_table(traits, confidence)
    _changes(changed, confidence, "In words: changes")


@st.cache_resource(max_entries=16, show_spinner="Pairing the replies …")
def _compared_words(
    versions: tuple[tuple[int, ...], ...],
    groups: tuple[str, ...],
    exposure: Any,
    confidence: float,
    _frames: tuple[pd.DataFrame, pd.DataFrame],
) -> tuple[tuple[Difference, ...], tuple[TraitChange, ...]]:
    before, after = _frames
    sides = [measure_audit(items, groups, exposure) for items in (before, after)]
    declined = refusal_change(before, after, groups, exposure=exposure, confidence=confidence)
    traits = trait_changes(before, after, groups, exposure=exposure, confidence=confidence)
    return differences(*sides, confidence=confidence), (*((declined,) if declined else ()), *traits)


def _changes(changed: Sequence[Difference], confidence: float, what: str = "Changes") -> None:
    known = measures.by_key()
    table(
        f"{what} from before to after, with {100 * confidence:g} % intervals paired by question",
        ("Measure", "Reading", "Change, points", "Interval", "p", "Before", "After", "Wanted"),
        [
            (
                known[entry.measure].words,
                READINGS[reading(entry, 1 - confidence)],
                points(entry.change, signed=True).removesuffix(" points"),
                point_interval(entry.low, entry.high),
                p_value(entry.p_value),
                *(measured(value, known[entry.measure].unit) for value in (entry.first, entry.second)),
                known[entry.measure].wanted,
            )
            for entry in changed
            if entry.change is not None
        ],
    )


def _paths(picked: selection.Selection, labels: Mapping[str, str]) -> None:
    path = picked.run.metrics_file
    if not path.exists():
        states.nothing("This run has no training log. It was audited only, or it has not begun to train.")
        return
    log = _log(str(file_within(picked.catalog.root, path)), path.stat().st_mtime_ns)
    families = _families(log, labels)
    if not families:
        states.nothing("The training log holds no numbers yet.")
        return
    family = str(st.selectbox("Measure", list(families), key="measure", bind="query-params"))
    frame = log[["step", *families[family]]].melt("step", var_name="name", value_name="value").dropna()
    last = [str(name).rpartition("/")[2] for name in frame["name"]]
    frame["name"] = [labels.get(name, name) for name in last] if len(families[family]) > 1 else family
    first, last = (frame[frame["step"] == pick(frame["step"])] for pick in (min, max))
    description = f"{family}, from step {int(frame['step'].min())} to {int(frame['step'].max())}."
    rows = [
        (name, f"{_of(first, name)}", f"{_of(last, name)}", f"{part['value'].min():.4g}", f"{part['value'].max():.4g}")
        for name, part in ((str(name), part) for name, part in frame.groupby("name", sort=False))
    ]
    charts.draw(charts.paths(frame), description, ("Line", "First", "Last", "Smallest", "Largest"), rows)


@st.cache_resource(max_entries=16, show_spinner=False)
def _log(path: str, modified: int) -> pd.DataFrame:
    try:
        log = pd.read_csv(Path(path))
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"The training log {path} cannot be read", "Train again, or look at another run") from error
    if "step" not in log:
        raise UserError(f"The training log {path} has no column of steps", "Train again, or look at another run")
    return log.select_dtypes("number")


def _families(log: pd.DataFrame, groups: Collection[str]) -> dict[str, list[str]]:
    """What a chart shows -> its columns: those that end in a group; where none is known, a few with one beginning."""
    columns = [name for name in log.columns if name not in ("step", "epoch") and log[name].notna().any()]
    found: dict[str, list[str]] = {}
    for name in columns:
        stem, _, _ = name.rpartition("/")
        siblings = [other for other in columns if other.rpartition("/")[0] == stem]
        few = stem.count("/") >= 1 and 1 < len(siblings) <= _MOST_LINES
        grouped = name.rpartition("/")[2] in groups if groups else few
        found.setdefault(stem if grouped else name, []).append(name)
    logged = {
        **{f"validation/{measure.path}": f"{measure.words} (validation)" for measure in measures.ALL if measure.path},
        **_LOGGED,
    }
    known = [name for name in logged if name in found]
    return {logged.get(name, name): found[name] for name in (*known, *(name for name in found if name not in known))}


def _of(part: pd.DataFrame, name: str) -> str:
    values = part.loc[part["name"] == name, "value"]
    return f"{values.iloc[-1]:.4g}" if len(values) else "–"


def _episodes(picked: selection.Selection, labels: Mapping[str, str]) -> None:
    found = episodes(picked.catalog, picked.run)
    if found is None or not found.turns:
        states.nothing("No episodes are stored with this run: the agents' turns are kept where 'trialign fit' ran.")
        return
    st.markdown(
        "Before training, the agents of all groups answered each training question alone (turn 0), then saw some of "
        "the others' answers and answered again. This is what training learns from."
    )
    words = st.text_input("Words in the question", key="episode_words", bind="query-params", max_chars=200) or ""
    names = [name for name in sorted(found.turns) if words.casefold() in f"{found.text(name)}\n{name}".casefold()]
    if not names:
        states.nothing("No episode has these words in its question.")
        return
    chosen = st.query_params.get("episode", "")
    query_id = st.selectbox(
        f"Episode (of {len(names):,})",
        names,
        index=names.index(chosen) if chosen in names else 0,
        format_func=lambda name: found.text(name),
        key="episode_choice",
        on_change=_remember,
    )
    rows = found.turns[query_id]
    item.question_card(query_id, found.questions.get(query_id), rows[0].kind, "")
    item.turns_of(rows, labels)
    note.episode(picked, query_id, found.questions.get(query_id), rows, labels)


def _remember() -> None:
    st.query_params["episode"] = st.session_state["episode_choice"]
