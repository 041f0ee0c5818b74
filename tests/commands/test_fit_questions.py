"""`fit` on every kind of question, and on groups that are combined."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from trialign.audit.figures.summary import read_summary
from trialign.audit.files.items import read_items

from .test_fit import MEMBERS, metrics

pytestmark = pytest.mark.integration


def test_numeric_and_mixed_questions_train_beside_choices(project: Any) -> None:
    forms = {"north": {"max_words": 2}, "south": {"layout": "prose"}, "island": {"min_words": 1}}
    extra = [
        {"id": f"{kind}-{split}", "split": split, "kind": kind, "question": f"{text} ({split})", **values}
        for split in ("train", "validation", "test")
        for kind, text, values in (
            ("truth", "How much is 5 and 7?", {"answer_kind": "numeric", "gold": 12}),
            ("mixed", "Who painted it?", {"answer_kind": "text", "gold": "Vermeer", "forms": forms}),
        )
    ]
    project.write_rows([*project.rows, *extra])
    assert project.fit("collect.max_new_tokens=3", "trainer.queries_per_step=4").code == 0
    rows = [row for row in metrics(project, "mine") if row["train/loss"]]
    assert len(rows) == 4
    assert all(torch.isfinite(torch.tensor(float(row["train/loss"]))) for row in rows)
    items = read_items(project.runs / "mine" / "audits" / "step=000004.house.test" / "items.parquet")
    assert set(items["kind"]) == {"truth", "preference", "mixed"}
    assert set(items.loc[items["query_id"] == "truth-test", "group"]) == {*MEMBERS, "control"}


def test_combined_groups_are_trained_on_the_questions_that_they_have(project: Any) -> None:
    rows = project.rows
    for row in rows:
        if row["kind"] == "preference":
            row["targets"] = {f"regions:{group}": target for group, target in row["targets"].items()}
    taste = next(row for row in rows if row["id"] == "drink")
    taste["targets"].update({"age:young": [1, 0, 0], "age:middle": [0, 1, 0], "age:old": [0, 0, 1]})
    project.write_rows(rows)
    project.set(defaults=["base", {"override data": "files"}, {"override model": "folder"}, "_self_"])
    words = ("groups=[age,country]", "policy.adapters=shared", "trainer.steps=2", "environment.revision_share=0")
    assert project.fit(*words).code == 0
    names = [f"{age}-{country}" for age in ("young", "middle", "old") for country in ("usa", "iran", "china")]
    audit = project.runs / "mine" / "audits" / "step=000002.house.test"
    assert read_summary(audit / "summary.json")["groups"] == names
    assert set(read_items(audit / "items.parquet")["kind"]) == {"truth"}
    folder = project.runs / "mine" / "agents" / "step=000002"
    assert {path.name for path in folder.iterdir() if path.is_dir()} == set(names)
    # The resolved configuration opens the same groups again.
    outcome = project.call("ask", "Why?", "--run", project.runs / "mine", "--json")
    assert [answer["group"] for answer in json.loads(outcome.out)] == [*names, "control"]
