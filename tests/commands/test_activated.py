"""Adapters that act from the profile on, through the real command line and back through PEFT."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import PeftModel

from trialign.audit.files.items import read_items
from trialign.composition import compose
from trialign.config import load
from trialign.environment import first_turn, option_actions
from trialign.group_config import build_groups
from trialign.models import ChatRenderer, load_model, load_tokenizer, locate_base_model
from trialign.queries.readers import read_queries

pytestmark = pytest.mark.integration

LAST = ("prompt.profile=last", "policy.activation=profile")


def probabilities(items: Any, query: str, group: str) -> list[float]:
    """S_g of one answer."""
    return list(items[(items["query_id"] == query) & (items["group"] == group)].iloc[0]["option_probabilities"])


def test_peft_answers_as_the_audit_says(project: Any) -> None:
    assert project.fit(*LAST, "trainer.steps=2", "optimizer.learning_rate=0.05").code == 0
    run = project.runs / "mine"
    items = read_items(run / "audits" / "step=000002.house.test" / "items.parquet")
    config = load(compose(str(project.folder / "mine.yaml"), [*LAST]))
    files = locate_base_model(config.model)
    renderer, groups = ChatRenderer(load_tokenizer(files)), build_groups(config.groups)
    query = next(q for q in read_queries(project.folder / "questions.jsonl") if q.query_id == "capital-0")
    before = read_items(run / "audits" / "step=000000.house.test" / "items.parquet")
    for group in groups.members:
        folder = run / "agents" / "step=000002" / group.name
        model = PeftModel.from_pretrained(load_model(files, config.model), str(folder)).eval()
        assert model.peft_config["default"].alora_invocation_tokens == list(renderer.opening_after_question())
        prompt = renderer.render(first_turn(query, group, "explicit", 0, config.prompt))
        scores = []
        for option in option_actions(query, config.scoring, renderer):
            with torch.no_grad():
                logits = model(torch.tensor([prompt + option])).logits[0, len(prompt) - 1 : -1]
            scores.append(logits.log_softmax(1).gather(1, torch.tensor(option).unsqueeze(1)).sum())
        told, untrained = (probabilities(frame, query.query_id, group.name) for frame in (items, before))
        assert (torch.stack(scores) / config.scoring.temperature).softmax(0).tolist() == pytest.approx(told, abs=1e-4)
        assert told != pytest.approx(untrained, abs=1e-4)


def test_a_model_cannot_be_merged_with_a_part_of_a_text(project: Any) -> None:
    assert project.fit(*LAST, "trainer.steps=1", "trainer.validate_every=0").code == 0
    outcome = project.call("export", "--run", "runs/mine", "--output", "out", "--merged")
    assert outcome.code == 2
    assert "Export without --merged" in outcome.err
    assert project.call("export", "--run", "runs/mine", "--output", "out").code == 0
    assert "system message after the question" in (project.folder / "out" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["policy.activation=profile"], "Set prompt.profile=last"),
        ([*LAST, "trainer.strategy=zero3"], "Set trainer.strategy=ddp"),
        (["prompt.profile=last", "audit.exposures=[implicit]"], "Leave implicit out"),
    ],
)
def test_what_does_not_go_together_is_refused(project: Any, words: list[str], remedy: str) -> None:
    outcome = project.fit(*words)
    assert outcome.code == 2
    assert remedy in outcome.err
