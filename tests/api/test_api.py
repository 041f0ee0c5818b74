"""What a notebook calls does what the command line does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import trialign
from trialign.audit.files.items import read_items
from trialign.errors import UserError

pytestmark = pytest.mark.integration

QUESTION, OPTIONS = "What is the capital of France?", ("Lyon", "Paris")


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_notebooks_ten_lines_make_the_run_that_the_command_makes(project: Any, trained_project: Any) -> None:
    run = trialign.compose("mine.yaml", ["name=other"])
    fitted = trialign.fit(run)
    theirs = trained_project.runs / "mine"
    assert files(fitted.folder) == files(theirs)
    assert fitted.folder == project.runs / "other"
    assert fitted.agents == fitted.folder / "agents/step=000004"
    for mine, name in ((fitted.before, "step=000000.house.test"), (fitted.after, "step=000004.house.test")):
        other = trialign.api.Audit(theirs / "audits" / name)
        assert mine.items.equals(other.items)
        assert mine.analysis == other.analysis
    change, low, high = fitted.changes["flip_rate"]
    flips = [one.summary["truth"]["flip_rate"] for one in (fitted.before, fitted.after)]
    assert change == pytest.approx(flips[1] - flips[0])
    assert low <= change <= high
    assert fitted.after.verdict == fitted.after.summary["verdict"]["sentence"]


def test_asking_gives_what_the_command_prints(trained: Any) -> None:
    said = trained.call("ask", QUESTION, "--option", "Lyon", "--option", "Paris", "--run", "runs/mine", "--json")
    answers = trialign.ask(trialign.open_run("runs/mine"), QUESTION, OPTIONS)
    assert [(one.group, one.answer, one.adapter_sha256) for one in answers] == [
        (one["group"], one["answer"], one["adapter_sha256"]) for one in json.loads(said.out)
    ]
    assert [one.option_probabilities for one in answers] == [
        tuple(one["option_probabilities"]) for one in json.loads(said.out)
    ]


def test_the_base_model_is_asked_whatever_was_loaded_before(trained: Any) -> None:
    run = trialign.open_run("runs/mine")
    fresh = [
        one.option_probabilities for one in trialign.ask(trialign.open_run("runs/mine"), QUESTION, OPTIONS, step=0)
    ]
    agents = [one.option_probabilities for one in trialign.ask(run, QUESTION, OPTIONS)]
    assert [one.option_probabilities for one in trialign.ask(run, QUESTION, OPTIONS, step=0)] == fresh
    assert [one.option_probabilities for one in trialign.ask(run, QUESTION, OPTIONS)] == agents
    assert all(one.adapter_sha256 is None for one in trialign.ask(run, QUESTION, OPTIONS, step=0))
    assert agents[:3] != fresh[:3]
    assert agents[3] == fresh[3]  # the control keeps the base weights


def test_a_fit_begins_at_the_base_model_whatever_was_loaded_before(trained_copy: Any) -> None:
    run = trialign.open_run("runs/mine")
    first = trialign.fit(run)  # finished: only read
    before = first.before.items
    trialign.ask(run, QUESTION, OPTIONS)
    again = trialign.fit(run, overwrite=True)
    assert again.before.items.equals(before)


def test_an_audit_is_filed_as_the_command_files_it(trained_copy: Any) -> None:
    run = trialign.open_run("runs/mine")
    stored_base, held_out = (
        read_items(trained_copy.runs / f"mine/audits/step={step:06d}.house.test/items.parquet") for step in (0, 4)
    )
    after, base = trialign.audit(run), trialign.audit(run, "validation", step=0)
    assert after.folder == Path("runs/mine/audits/step=000004.house.test").resolve()
    assert after.items.equals(held_out)
    assert base.folder.name == "step=000000.house.validation"
    assert set(base.items["split"]) == {"validation"}
    assert base.items["adapter_sha256"].isna().all()
    assert trialign.audit(run, step=0).items.equals(stored_base)  # though a checkpoint was loaded before


def test_the_package_of_audits_is_also_the_function(trained_copy: Any) -> None:
    import trialign.audit.files.items  # a room of it, imported before

    assert trialign.audit.files.items.read_items is read_items
    assert trialign.audit(trialign.open_run("runs/mine"), "validation").summary["split"] == "validation"


def test_what_the_command_refuses_is_refused_in_a_sentence(project: Any, trained_project: Any) -> None:
    with pytest.raises(UserError, match=r"trainer\.stepz"):
        trialign.compose("mine.yaml", ["trainer.stepz=1"])
    with pytest.raises(UserError, match="There is no run in"):
        trialign.open_run("nowhere")
    run = trialign.compose("mine.yaml")
    with pytest.raises(UserError, match="has no agents yet"):
        trialign.ask(run, QUESTION)
    with pytest.raises(UserError, match="has no agents yet"):
        trialign.audit(run)
    with pytest.raises(UserError, match="one alone"):
        trialign.ask(run, QUESTION, ["Paris"])
    with pytest.raises(UserError, match="is 2, and this is 1 process"):
        trialign.fit(trialign.compose("mine.yaml", ["trainer.devices=2"]))
    finished = trialign.open_run(trained_project.runs / "mine")
    with pytest.raises(UserError, match="step"):
        trialign.ask(finished, QUESTION, step=3)


def test_one_override_alone_is_a_word_and_not_its_letters(project: Any) -> None:
    assert trialign.compose("mine.yaml", "trainer.steps=7").config.trainer.steps == 7


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, trialign; heavy = {'torch', 'transformers', 'lightning', 'pandas', 'hydra'} & set(sys.modules); "
        "assert not heavy, heavy; assert {'ask', 'audit', 'compose', 'fit', 'open_run'} <= set(dir(trialign)); "
        "assert callable(trialign.compose); import trialign.audit.files.items; assert callable(trialign.audit)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_unknown_name_is_no_function() -> None:
    with pytest.raises(AttributeError, match="'trialign' has no attribute 'train'"):
        trialign.train  # noqa: B018
