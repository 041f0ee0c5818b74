"""An audit in one small JSON file, ``summary.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialign.audit.figures import statistics
from trialign.audit.figures.lengths import OptionLengths, by_length
from trialign.audit.figures.measures import fact_values
from trialign.audit.figures.replies import REPLIES, reply_codes, shares_of
from trialign.audit.figures.rows import FACTS, aligned, clusters, codes, numbers, option_distributions, option_numbers
from trialign.audit.figures.swaps import swapped_with
from trialign.audit.figures.ways import SAMPLED, STRUCTURED
from trialign.errors import UserError
from trialign.groups import Exposure
from trialign.queries.types import Kind, Split
from trialign.scoring import Scoring
from trialign.storage import write_text_atomic

SUMMARY_SCHEMA_VERSION = 1

_TRUTH_KEYS = (
    "accuracy",
    "mean",
    "worst",
    "gap",
    "gap_noise",
    "p_gap",
    "unanimous",
    "flip_rate",
    "consistent_wrong",
    "no_answer",
    "jsd",
)
_KEYS: dict[str, tuple[str, ...]] = {
    "step": (),
    "data": (),
    "split": (),
    "exposure": (),
    "scoring": (),
    "n_queries": (),
    "n_clusters": (),
    "groups": (),
    "truth": _TRUTH_KEYS,
    "preference": ("score", "mean", "worst", "swapped"),
    "control": (),
    "welfare": ("nash", "eps"),
    "seconds": (),
}


def summarize(
    items: pd.DataFrame,
    *,
    step: int,
    data: str,
    exposure: Exposure,
    split: Split,
    scoring: Scoring | None,
    eps: float,
    seconds: float,
    groups: Sequence[str],
    choices: Mapping[str, int] | None = None,
    lengths: Mapping[str, OptionLengths] | None = None,
) -> dict[str, Any]:
    """Reduce an audit to its summary: answers given alone, asked once, with each profile's first wording.

    Facts are the truth and mixed queries, ``preference`` holds the preference queries alone, and ``form`` how
    well the answers to mixed queries kept the form that each group prefers, where all groups prefer one. Nash
    welfare is taken over the groups' accuracies and preference scores (the form's scores where no preference
    query was asked).

    Args:
        items: rows as `trialign.audit.files.items.read_items` gives them; others than the summarised are ignored.
        step: optimizer step of the audited agents; 0 for the base model.
        data: name of the audited question set.
        exposure: which exposure to summarise.
        split: which split to summarise.
        scoring: how options were scored; None: replies were read (``sampled``), or held to them (``structured``).
        eps: of the Nash welfare.
        seconds: how long the audit took.
        groups: the members, in the order of tables and tensors; never the control.
        choices: query id -> options to choose from, 0 for a free answer; None: known where options were scored.
        lengths: query id -> the lengths of its options, where it showed or scored them; None: they are not known.

    Returns:
        A dictionary for `write_summary`. What is undefined (no such query, a single group) is None, never NaN.

    Raises:
        UserError: no row is left, a group lacks a query that another one has, a query was answered twice, or
            a row lacks its verdict or reward.
    """
    rows, own, members = _summarised(items, exposure, split, groups)
    summary = {
        "schema_version": SUMMARY_SCHEMA_VERSION,
        "step": step,
        "data": data,
        "split": split,
        "exposure": exposure,
        "scoring": scoring.kind if scoring else _way_of_replies(members),
        "scoring_temperature": scoring.temperature if scoring else None,
        **_counts(members),
        "groups": list(groups),
        "statuses": _statuses(members, groups),
        **_measures(rows, own, members, groups, eps, choices, lengths or {}),
        "seconds": seconds,
    }
    plain: dict[str, Any] = _without_nan(summary)
    return plain


def _summarised(
    items: pd.DataFrame, exposure: Exposure, split: Split, groups: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The rows that count; of these, those under an agent's own profile; of these, the members'."""
    rows = items[(items["exposure"] == exposure) & (items["split"] == split)]
    rows = rows[(rows[["turn", "repeat", "wording"]] == 0).all(axis=1)]
    own = rows[rows["profile_group"] == rows["group"]]
    members = own[own["group"].isin(groups)]
    if members.empty:
        raise UserError(
            f"The audit has no {split} answers of {', '.join(groups)} with {exposure} profiles",
            "Audit this split and exposure first",
        )
    return rows, own, members


def _way_of_replies(members: pd.DataFrame) -> str:
    return STRUCTURED if (members["parse_status"] == STRUCTURED).any() else SAMPLED


def _statuses(members: pd.DataFrame, groups: Sequence[str]) -> dict[str, dict[str, int]]:
    """Group -> how many answers, to facts and tastes, were found in which way, or not; the most frequent first."""
    of_group = dict(iter(members.groupby("group", sort=False)["parse_status"]))
    return {
        group: {str(status): int(count) for status, count in of_group[group].value_counts().items()}
        if group in of_group
        else {}
        for group in groups
    }


def _measures(
    rows: pd.DataFrame,
    own: pd.DataFrame,
    members: pd.DataFrame,
    groups: Sequence[str],
    eps: float,
    choices: Mapping[str, int] | None,
    lengths: Mapping[str, OptionLengths],
) -> dict[str, Any]:
    """Truth, preference, form, control and welfare; ``own`` leaves out the swapped rows, ``members`` the control."""
    facts = own[own["kind"].isin(FACTS)]
    truth = _truth(facts, groups, choices)
    preference = _preference(rows[rows["kind"] == "preference"], groups)
    form = _scores(_with_form(members), groups)
    personal = preference if preference["mean"] is not None else form
    utilities = [*truth["accuracy"].values(), *personal["score"].values()]
    defined = [utility for utility in utilities if utility is not None]
    return {
        "truth": {**truth, **_by_length(members, groups, lengths)},
        "preference": preference,
        "form": form,
        "control": _control(facts, groups),
        "control_unread": next(iter(_unread(facts[facts["role"] == "control"]).values()), None),
        "welfare": {"nash": statistics.nash(defined, eps) if defined else None, "eps": eps},
    }


def write_summary(path: Path, summary: dict[str, Any]) -> None:
    """Write a summary as JSON, whole or not at all.

    Raises:
        ValueError: it holds NaN or an infinity.
        OSError: the file cannot be written.
    """
    write_text_atomic(path, json.dumps(summary, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_summary(path: Path) -> dict[str, Any]:
    """Read and verify a ``summary.json``.

    Raises:
        UserError: the file is missing, damaged, of another version or no summary.
    """
    try:
        summary = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise _fault(path, "cannot be read") from error
    except ValueError as error:
        raise _fault(path, "is damaged or no JSON") from error
    if not isinstance(summary, dict) or "schema_version" not in summary:
        raise _fault(path, "was not written by a TriAlign audit: it carries no schema version")
    if summary["schema_version"] != SUMMARY_SCHEMA_VERSION:
        found = summary["schema_version"]
        raise _fault(path, f"has schema version {found!r}, and this program reads {SUMMARY_SCHEMA_VERSION}")
    for key, parts in _KEYS.items():
        if key not in summary:
            raise _fault(path, f"lacks the key {key!r}")
        absent = [part for part in parts if not isinstance(summary[key], dict) or part not in summary[key]]
        if absent:
            raise _fault(path, f"lacks the key '{key}.{absent[0]}'")
    return summary


def _truth(facts: pd.DataFrame, groups: Sequence[str], choices: Mapping[str, int] | None) -> dict[str, Any]:
    if facts.empty:
        nothing = dict.fromkeys(groups)
        absent = {"accuracy": nothing, "intervals": nothing, "chance": None, "unread": nothing}
        return {**dict.fromkeys(_TRUTH_KEYS), **absent}
    table = aligned(facts, groups)
    correct = numbers(table, "correct", len(groups))
    answers = codes(table, len(groups))
    cluster = clusters(table, len(groups))
    noise, p_value = statistics.permutation_gap(correct, cluster) if len(groups) > 1 else (None, None)
    found = {
        **fact_values(answers, correct),
        "gap_noise": noise,
        "p_gap": p_value,
        "jsd": _divergence(table, len(groups)),
    }
    first = {key: found.pop(key) for key in _TRUTH_KEYS if key in found}
    return {
        "accuracy": _by_group(groups, correct.mean(axis=0)),
        "intervals": dict(zip(groups, statistics.share_intervals(correct, cluster).tolist(), strict=True)),
        **first,
        "chance": _chance(table, len(groups), choices),
        "unread": _unread(table),
        **found,
    }


def _by_length(members: pd.DataFrame, groups: Sequence[str], lengths: Mapping[str, OptionLengths]) -> dict[str, Any]:
    """How often a shortest option is chosen, and what choosing by length alone would get right."""
    found = by_length(members[members["kind"].isin(FACTS)], groups, lengths, 0.95, 0)
    return {
        "shortest": found.mean.value if found else None,
        "shortest_guessed": found.guessed if found else None,
        "shortest_by_group": {group: found.chosen[group].value if found else None for group in groups},
        "always_shortest": found.always_shortest if found else None,
        "always_longest": found.always_longest if found else None,
    }


def _chance(table: pd.DataFrame, groups: int, choices: Mapping[str, int] | None) -> float | None:
    """Accuracy of guessing on the questions with options; None without any."""
    options = option_numbers(table, groups, choices)
    return float((1 / options[options > 0]).mean()) if options.any() else None


def _unread(facts: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Group -> why a reply holds no answer -> share of all its replies."""
    found = {str(group): shares_of(reply_codes(rows)) for group, rows in facts.groupby("group", sort=False)}
    return {group: {why: shares[why] for why in REPLIES[1:]} for group, shares in found.items()}


def _preference(rows: pd.DataFrame, groups: Sequence[str]) -> dict[str, Any]:
    own = rows["profile_group"] == rows["group"]
    among = rows["group"].isin(groups) & rows["profile_group"].isin(groups)
    return {**_scores(rows[own & among], groups), "swapped": _swapped(rows[~own & among], rows, groups)}


def _with_form(members: pd.DataFrame) -> pd.DataFrame:
    """Rows of the mixed queries whose answers were scored by form for every group."""
    mixed = members[members["kind"] == "mixed"]
    scored = mixed["reward_preference"].notna()
    return mixed[scored.groupby(mixed["query_id"]).transform("all")]


def _scores(rows: pd.DataFrame, groups: Sequence[str]) -> dict[str, Any]:
    if rows.empty:
        return {"score": dict.fromkeys(groups), "mean": None, "worst": None}
    score = numbers(aligned(rows, groups), "reward_preference", len(groups)).mean(axis=0)
    return {"score": _by_group(groups, score), "mean": float(score.mean()), "worst": float(score.min())}


def _swapped(swapped: pd.DataFrame, rows: pd.DataFrame, groups: Sequence[str]) -> dict[str, Any]:
    """Per agent, its answers' mean score on the other groups' targets; None if no answer was swapped."""
    if swapped.empty:
        return dict.fromkeys(groups)
    result: dict[str, Any] = {}
    given, asked = dict(iter(swapped.groupby("profile_group", sort=False))), rows["query_id"].drop_duplicates()
    for agent in groups:
        others = swapped_with(groups, agent)
        table = aligned(given.get(agent, swapped[:0]), others, queries=asked)
        result[agent] = float(numbers(table, "reward_preference", len(others)).mean())
    return result


def _control(facts: pd.DataFrame, groups: Sequence[str]) -> dict[str, Any] | None:
    """Facts as the base weights answer them, and where each group departs; None if no control was asked."""
    names = facts.loc[facts["role"] == "control", "group"].unique()
    if len(names) == 0:
        return None
    everyone = [*groups, str(names[0])]
    table = aligned(facts, everyone)
    answers = codes(table, len(everyone))
    return {
        "accuracy": float(numbers(table, "correct", len(everyone))[:, -1].mean()),
        "flip_rate_from_control": {
            group: statistics.flip_rate(answers[:, [column, -1]]) for column, group in enumerate(groups)
        },
    }


def _divergence(table: pd.DataFrame, groups: int) -> float | None:
    """Over the queries for which every group's option probabilities are known; None if there are none."""
    probabilities, counts = option_distributions(table, groups)
    known = counts > 0
    return statistics.mean_divergence(probabilities[known], counts[known]) if known.any() else None


def _by_group(groups: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(groups, values.tolist(), strict=True))


def _counts(members: pd.DataFrame) -> dict[str, int]:
    of_kind = {f"n_{kind}": members.loc[members["kind"] == kind, "query_id"].nunique() for kind in get_args(Kind)}
    return {"n_queries": members["query_id"].nunique(), "n_clusters": members["cluster"].nunique(), **of_kind}


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _fault(path: Path, what: str) -> UserError:
    return UserError(f"The summary {path} {what}", "Run the audit again, or choose another audit folder")
