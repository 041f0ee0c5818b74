"""Every way of counting options, trained and audited through the real command line, and recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from peft import PeftModel

from trialign.audit.files.items import read_items
from trialign.composition import compose
from trialign.config import load
from trialign.environment import first_turn, without_question
from trialign.group_config import build_groups
from trialign.models import ChatRenderer, load_model, load_tokenizer, locate_base_model
from trialign.queries.readers import read_queries

pytestmark = pytest.mark.integration


def score(model: Any, prompt: tuple[int, ...], action: tuple[int, ...]) -> float:
    with torch.no_grad():
        logits = model(torch.tensor([prompt + action])).logits[0, len(prompt) - 1 : -1].log_softmax(1)
    return float(logits.gather(1, torch.tensor(action).unsqueeze(1)).sum())


@pytest.mark.parametrize("kind", ["mean", "bytes", "pmi"])
def test_trained_agents_answer_by_it_as_peft_has_them(project: Any, kind: str) -> None:
    words = (f"scoring.kind={kind}", "scoring.temperature=2", "trainer.steps=2", "optimizer.learning_rate=0.05")
    fitted = project.fit(*words)
    assert fitted.code == 0, fitted.err
    run = project.runs / "mine"
    (collection,) = project.collections()
    assert json.loads((collection / "manifest.json").read_text())["scoring"] == {"kind": kind, "temperature": 2.0}
    agents = run / "agents" / "step=000002"
    assert json.loads((agents / "manifest.json").read_text())["scoring"]["kind"] == kind
    audit = run / "audits" / "step=000002.house.test"
    summary = json.loads((audit / "summary.json").read_text())
    assert (summary["scoring"], summary["scoring_temperature"]) == (kind, 2.0)

    items = read_items(audit / "items.parquet")
    config = load(compose(str(project.folder / "mine.yaml"), list(words)))
    files = locate_base_model(config.model)
    renderer = ChatRenderer(load_tokenizer(files))
    query = next(q for q in read_queries(project.folder / "questions.jsonl") if q.query_id == "sea-0")
    for group in build_groups(config.groups).members:
        model = PeftModel.from_pretrained(load_model(files, config.model), str(agents / group.name)).eval()
        told = first_turn(query, group, "explicit", 0, config.prompt)
        prompt, bare = renderer.render(told), renderer.render(without_question(told, query))
        values = []
        for option in query.options:
            whole = score(model, prompt, renderer.reply(option))
            values.append(
                {
                    "mean": whole / len(renderer.reply(option)),
                    "bytes": score(model, prompt, renderer.encode(option)) / len(option.encode()),
                    "pmi": whole - score(model, bare, renderer.reply(option)),
                }[kind]
            )
        found = items[(items["query_id"] == "sea-0") & (items["group"] == group.name)].iloc[0]
        expected = (torch.tensor(values) / 2).softmax(0).tolist()
        assert list(found["option_probabilities"]) == pytest.approx(expected, abs=1e-4)


def test_another_kind_is_another_collection_and_another_run(project: Any) -> None:
    assert project.call("collect", "--config", project.folder / "mine.yaml").code == 0
    assert project.call("collect", "--config", project.folder / "mine.yaml", "scoring.kind=pmi").code == 0
    assert len(project.collections()) == 2
    assert project.fit("trainer.steps=1").code == 0
    refused = project.fit("trainer.steps=1", "scoring.kind=bytes")
    assert refused.code == 2
    assert "scoring" in refused.err


def test_a_kind_that_is_none_is_refused(project: Any) -> None:
    refused = project.fit("scoring.kind=characters")
    assert refused.code == 2
    assert "scoring.kind" in refused.err
    assert "'bytes'" in refused.err


@pytest.mark.parametrize("objective", ["sft", "dpo"])
def test_what_reads_no_shares_is_trained_and_audited_by_it_too(project: Any, objective: str) -> None:
    fitted = project.fit(f"objective={objective}", "scoring.kind=pmi", "trainer.steps=1")
    assert fitted.code == 0, fitted.err
    audits = [json.loads(path.read_text())["scoring"] for path in project.runs.glob("mine/audits/*/summary.json")]
    assert audits == ["pmi", "pmi"]
