"""Adapters that were trained elsewhere, audited without a run."""

from __future__ import annotations

from typing import Any

import pytest

from trialign.audit.figures.summary import read_summary
from trialign.audit.files.items import read_items

pytestmark = pytest.mark.integration

AUDIT = "audits/step=000000.house.test"


def stated(project: Any) -> str:
    folder = project.runs / "mine" / "agents" / "step=000004"
    return f"+model.adapters={{north: '{folder}/north', south: '{folder}/south', island: '{folder}/island'}}"


def test_folders_answer_as_the_run_that_wrote_them(trained_copy: Any) -> None:
    assert trained_copy.call("test", "--config", "mine.yaml", "name=theirs", stated(trained_copy)).code == 0
    theirs, ours = (
        read_items(trained_copy.runs / run / f"audits/step={step}.house.test" / "items.parquet").set_index(
            ["query_id", "group", "profile_group"]
        )
        for run, step in (("theirs", "000000"), ("mine", "000004"))
    )
    assert theirs.index.equals(ours.index)
    for column in ("canonical", "adapter_sha256", "parse_status"):
        assert theirs[column].equals(ours[column]), column
    for given, expected in zip(theirs["option_probabilities"], ours["option_probabilities"], strict=True):
        assert given == pytest.approx(expected, abs=1e-5)
    hashes = theirs.reset_index().groupby("profile_group")["adapter_sha256"].first()
    about = read_summary(trained_copy.runs / "theirs" / AUDIT / "summary.json")["model"]
    assert about["adapters"] == {group: hashes[group] for group in ("north", "south", "island")}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["+model.adapters=nowhere"], ("no PEFT adapter in nowhere", "save_pretrained")),
        (["+model.adapters={north: nowhere}"], ("for each group (see island, south)", "north, south, island")),
    ],
)
def test_what_is_no_adapter_is_refused(project: Any, words: list[str], names: tuple[str, ...]) -> None:
    before = project.files()
    outcome = project.call("test", "--config", "mine.yaml", *words)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    for name in names:
        assert name in outcome.err
    assert project.files() == before


def test_adapters_from_elsewhere_are_not_trained_on(trained: Any) -> None:
    outcome = trained.fit("name=again", stated(trained))
    assert outcome.code == 2
    assert "name them in policy.start" in outcome.err


def test_an_audit_of_another_model_does_not_take_its_place(trained_copy: Any) -> None:
    assert trained_copy.call("test", "--config", "mine.yaml", "name=theirs", stated(trained_copy)).code == 0
    before = trained_copy.files()
    outcome = trained_copy.call("test", "--config", "mine.yaml", "name=theirs")
    assert outcome.code == 2
    assert "is of another model" in outcome.err
    assert "name=..." in outcome.err
    assert trained_copy.files() == before


def start(project: Any) -> str:
    return stated(project).replace("+model.adapters", "policy.start")


def test_training_goes_on_from_adapters(trained_copy: Any) -> None:
    """Its first audit is of them, its agents are others, and it needs their folders no more once it has its own."""
    assert trained_copy.fit("name=on", start(trained_copy), "trainer.steps=2").code == 0
    first, ours, last = (
        read_items(trained_copy.runs / run / f"audits/step={step}.house.test" / "items.parquet").set_index(
            ["query_id", "group", "profile_group"]
        )
        for run, step in (("on", "000000"), ("mine", "000004"), ("on", "000002"))
    )
    for given, expected in zip(first["option_probabilities"], ours["option_probabilities"], strict=True):
        assert given == pytest.approx(expected, abs=1e-5)
    assert first["adapter_sha256"].equals(ours["adapter_sha256"])
    assert not (set(last["adapter_sha256"].dropna()) & set(ours["adapter_sha256"].dropna()))
    models = [
        read_summary(trained_copy.runs / "on" / f"audits/step={step}.house.test" / "summary.json")["model"]
        for step in ("000000", "000002")
    ]
    assert set(models[0]["adapters"]) == {"north", "south", "island"}
    assert models[1]["adapters"] == {}
    (trained_copy.runs / "mine").rename(trained_copy.runs / "away")
    asked = trained_copy.call("test", "--run", trained_copy.runs / "on")
    assert asked.code == 0, asked.err


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["policy.start=nowhere"], ("no PEFT adapter in nowhere", "save_pretrained")),
        (["~policy.start", "+policy.start={north: x}"], ("policy.start does not name one folder for each group",)),
        (["policy=shared"], ("policy.start names several adapters", "policy=per_group")),
        (["policy=basis"], ("policy.adapters is basis, and cannot be combined with policy.start",)),
        (["objective=gate_adapter"], ("policy.start names adapters, and this objective trains an adapter of facts",)),
        (["policy.rank=1"], ("has rank 2, and policy.rank is 1", "Set policy.rank=2")),
    ],
)
def test_a_start_that_cannot_be_is_refused(trained: Any, words: list[str], names: tuple[str, ...]) -> None:
    before = trained.files()
    outcome = trained.fit("name=on", start(trained), *words)
    assert outcome.code == 2
    for name in names:
        assert name in outcome.err
    assert not (trained.runs / "on").exists()
    assert trained.files() == before
