"""The pages over an audit whose questions were answered in words too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from trialign.audit.figures.analysis import analyze, read_analysis, write_analysis
from trialign.audit.figures.noticed import noticed
from trialign.audit.figures.whole import whole_record, with_replies
from trialign.audit.files.items import AuditItem, items_frame, write_items
from trialign.queries import Query
from trialign.storage import sha256_of_file

from .conftest import SyntheticRun
from .test_runs import tables
from .test_shell import text_of

pytestmark = pytest.mark.integration

Open = Callable[..., AppTest]


def replies(run: SyntheticRun) -> Iterator[AuditItem]:
    """What nobody can read, of every group to every fact."""
    facts: list[Query] = [query for query in run.queries() if query.kind == "truth"]
    for query in facts:
        for group in run.groups:
            yield AuditItem(
                query_id=query.query_id,
                cluster=query.cluster,
                kind="truth",
                split="test",
                topic=query.topic,
                group=group,
                role="member",
                exposure="explicit",
                profile_group=group,
                answer="bull bull bull",
                canonical=None,
                parse_status="none",
                correct=False,
                reward_truth=0.0,
                ended=True,
                repeated=0.5,
                nats=2.25,
                words=3,
            )


def test_what_is_not_shown_in_words_is_nowhere_green(one_run: SyntheticRun, open_page: Open) -> None:
    folder = one_run.folder / "audits/step=000004.house.test"
    scores, items = read_analysis(folder / "analysis.json"), list(replies(one_run))
    assert scores.verdict is not None
    scores = replace(scores, verdict=replace(scores.verdict, outcome="holds"))
    frame = items_frame(items)
    whole = with_replies(scores, analyze(frame, scores.groups, choices={}), noticed(frame, scores.groups))
    write_items(folder / "replies.parquet", items)
    write_analysis(folder / "analysis.json", whole)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    summary["verdict"] = whole_record(whole)
    for name in ("analysis.json", "replies.parquet"):
        summary.setdefault("files", {})[name] = sha256_of_file(folder / name)
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    shown = text_of(open_page("verdict"))
    assert "ta-banner ta-good" not in shown
    assert "Cannot be judged" in shown
    assert "In scores: " in shown
    assert "in words, answered" in shown
    assert "What a reader would notice" in shown
    assert "2.25" in shown
    for page in ("groups", "items", "report", "training"):
        assert "ta-banner ta-good" not in text_of(open_page(page))
    [_, row] = tables(open_page("runs"))[0]
    assert row[1] == "! Cannot be judged"
    assert row[5] == "✓ holds in scores, ✗ fails in words"
    assert "✓ The same facts" not in text_of(open_page("runs"))
