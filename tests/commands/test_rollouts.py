"""Collecting through a real server of the OpenAI protocol: the embedded model under ``transformers serve``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trialign.trajectories.records import read_part

pytestmark = pytest.mark.integration

NUMBER = {"id": "sum", "split": "train", "kind": "truth", "answer_kind": "numeric", "gold": 12}


def test_a_server_writes_what_the_model_here_would(project: Any, server: Any) -> None:
    project.write_rows([{**NUMBER, "question": "How much is 5 and 7?"}])
    words = [
        f"model.path={server.model}",
        "environment.turns=0",
        "collect.samples=1",
        "collect.max_new_tokens=8",
        "collect.temperature=0.000001",  # as good as greedy
    ]
    asked = ["rollouts.engine=server", f"rollouts.base_url={server.url}", f"rollouts.model={server.model}"]
    collections = []
    for extra in ([], [*asked, "rollouts.token_ids=false"]):
        known = set(project.collections()) if project.runs.exists() else set()
        outcome = project.call("collect", "--config", project.folder / "mine.yaml", *words, *extra)
        assert outcome.code == 0, outcome.err
        (folder,) = set(project.collections()) - known
        collections.append(read_part(folder / "part-00000.parquet"))
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        # This server refuses what the protocol does not know.
        own = {"top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
        assert ("sampling" in manifest.get("rollouts", {})) is bool(extra)
        assert manifest.get("sent") == (own if extra else None)
    here, there = collections
    assert [row.prompt for row in here] == [row.prompt for row in there]
    assert [row.samples[0].text for row in here] == [row.samples[0].text for row in there]
    assert len(here) == 3


def test_a_server_that_is_not_there_loses_nothing(project: Any) -> None:
    project.write_rows([*project.rows, {**NUMBER, "question": "How much is 5 and 7?"}])
    words = ["rollouts.engine=server", "rollouts.base_url=http://127.0.0.1:9/v1", "rollouts.attempts=1"]
    outcome = project.call("collect", "--config", project.folder / "mine.yaml", "collect.queries_per_part=2", *words)
    assert outcome.code == 1
    assert "gives no reply" in outcome.err
    (folder,) = project.collections()
    kept = sorted(folder.glob("part-*.parquet"))
    # The choices before the open question need no server.
    assert kept
    assert not (folder / "manifest.json").exists()
    for part in kept:
        assert all(row.options for row in read_part(part))


def test_a_server_that_answers_greedily_whatever_is_asked_is_found_out(project: Any, server: Any) -> None:
    # `transformers serve` samples only where the model's generation config says so: temperature alone is ignored.
    project.write_rows([{**NUMBER, "id": f"sum-{n}", "question": f"How much is {n} and 7?"} for n in range(4)])
    asked = ["rollouts.engine=server", f"rollouts.base_url={server.url}", f"rollouts.model={server.model}"]
    words = [f"model.path={server.model}", "collect.samples=3", "rollouts.token_ids=false"]
    outcome = project.call("collect", "--config", project.folder / "mine.yaml", *words, *asked)
    assert outcome.code == 2, outcome.err
    said = outcome.err.splitlines()[-1]
    assert "does not sample the policy that is scored here" in said
    assert "12 of 12 observations had samples that are all alike" in said
    (folder,) = project.collections()
    assert not list(folder.glob("part-*.parquet"))
