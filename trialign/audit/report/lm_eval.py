"""An audit as sample logs of lm-evaluation-harness: one task for each agent, a line for each question."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from trialign.audit.figures.summary import read_summary
from trialign.audit.files.items import read_items
from trialign.audit.files.record import read_about, read_asked
from trialign.errors import UserError
from trialign.groups import SocialGroup
from trialign.queries.rows import query_to_row
from trialign.queries.types import PreferenceQuery, Query, TruthQuery
from trialign.runs import ITEMS, REPLIES, SUMMARY, AuditFolder
from trialign.storage import write_text_atomic


def write_samples(audit: AuditFolder, folder: Path) -> list[Path]:
    """Writes the answers that each agent gave alone, told its profile's first wording, with the exposure summarised.

    Fields and hashes are those that lm-evaluation-harness 0.4.13 writes with ``--log_samples``. ``doc`` is the question
    as a row of a question file, with ``group``. Options that were scored are a multiple choice: the log-probabilities
    are those of S_g, so that they sum to one over the options. What the agent was told beside the question is in no
    sample.

    Args:
        audit: that was written to its end.
        folder: made if it is not there; files of the same names are replaced.

    Returns:
        The files: ``samples_DATA_GROUP_TIME.jsonl``, and ``samples_DATA_GROUP_replies_TIME.jsonl`` for the answers in
        words where there are any.

    Raises:
        UserError: the audit is damaged, or was made before its questions were recorded.
        OSError: a file cannot be written.
    """
    queries, about, summary = read_asked(audit.path), read_about(audit.path), read_summary(audit.path / SUMMARY)
    if not queries or about is None:
        raise UserError(f"The audit {audit.path} does not hold what it asked and whom", "Run the audit again")
    # As the harness names files: the time, with dashes for its colons.
    time = re.sub(r"[+Z].*", "", about.finished).replace(":", "-") + ".000000"
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for file, part in ((ITEMS, ""), (REPLIES, "_replies")):
        if not (audit.path / file).is_file():
            continue
        items = read_items(audit.path / file)
        for group in about.groups:
            path = folder / f"samples_{audit.data}_{group.name}{part}_{time}.jsonl"
            samples = _samples(items, summary["exposure"], group, queries)
            write_text_atomic(path, "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in samples))
            written.append(path)
    return written


def _samples(
    items: pd.DataFrame, exposure: str, group: SocialGroup, queries: Mapping[str, Query]
) -> Iterator[dict[str, Any]]:
    own = items[(items["group"] == group.name) & (items["profile_group"] == group.name)]
    own = own[(own["exposure"] == exposure) & (own["wording"] == 0) & (own["turn"] == 0)].sort_values("repeat")
    answers = {str(query_id): rows for query_id, rows in own.groupby("query_id")}
    for number, query in enumerate(queries.values()):
        if query.query_id in answers:  # fewer may have been asked in words
            yield _sample(number, query, group.name, answers[query.query_id])


def _sample(number: int, query: Query, group: str, rows: pd.DataFrame) -> dict[str, Any]:
    """One line; its rows are one agent's answers to one question, in the order of their repeats."""
    doc = {**query_to_row(query), "group": group}
    first = rows.iloc[0]
    shares = first["option_probabilities"]
    scored = shares is not None
    target = _target(query, group, scored)
    if scored:
        arguments: list[dict[str, Any]] = [{"arg_0": query.question, "arg_1": f" {option}"} for option in query.options]
        # As the harness writes them: texts. Whether a text is the greedy continuation, an audit does not record.
        filtered: list[Any] = [[str(math.log(max(share, 5e-324))), "False"] for share in shares]
        replies: list[list[Any]] = [[one] for one in filtered]
    else:
        arguments = [{"arg_0": query.question, "arg_1": {}}]
        replies = [[str(one) for one in rows["answer"]]]
        filtered = [replies[0][0]]
    metrics = {
        name: float(first[column])
        for name, column in (("acc", "correct"), ("preference", "reward_preference"))
        if not pd.isna(first[column])
    }
    return {
        "doc_id": number,
        "doc": doc,
        "target": target,
        "arguments": {f"gen_args_{place}": one for place, one in enumerate(arguments)},
        "resps": replies,
        "filtered_resps": filtered,
        "filter": "none",
        "metrics": list(metrics),
        "doc_hash": _hash(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(query.question),
        "target_hash": _hash(target),
        **metrics,
    }


def _target(query: Query, group: str, scored: bool) -> str:
    """The right option's place or text; of a taste that of the option which the group likes best; else empty."""
    best = ""
    if isinstance(query, TruthQuery):
        best = query.gold
    elif isinstance(query, PreferenceQuery) and group in query.targets:
        target = query.targets[group]
        best = query.options[max(range(len(target)), key=target.__getitem__)]
    return str(query.options.index(best)) if scored and best else best


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
