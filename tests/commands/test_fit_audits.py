"""The audits of `fit`: before and after training, of either split, and whose configuration they are of."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file

from trialign.audit.figures.analysis import read_analysis
from trialign.audit.figures.summary import read_summary
from trialign.audit.files.items import read_items
from trialign.checkpoints import read_agents

from .test_fit import MEMBERS, metrics

pytestmark = pytest.mark.integration


def test_the_audits_hold_every_group_and_know_their_adapters(trained: Any) -> None:
    run = trained.runs / "mine"
    manifest = read_agents(run / "agents" / "step=000004")
    before = read_items(run / "audits" / "step=000000.house.test" / "items.parquet")
    after = read_items(run / "audits" / "step=000004.house.test" / "items.parquet")
    # 4 facts: 3 groups and the control; 1 taste: every group's answer on 3 targets, and the control's.
    assert len(before) == len(after) == 4 * 4 + 3 * 3 + 1
    assert before["adapter_sha256"].isna().all()
    for group in MEMBERS:
        assert set(after.loc[after["profile_group"] == group, "adapter_sha256"]) == {manifest.adapter_sha256(group)}
    assert after.loc[after["profile_group"] == "control", "adapter_sha256"].isna().all()
    summaries = [read_summary(run / "audits" / f"step={step:06d}.house.test" / "summary.json") for step in (0, 4)]
    assert [summary["step"] for summary in summaries] == [0, 4]
    assert all(summary["groups"] == list(MEMBERS) and summary["n_queries"] == 5 for summary in summaries)


def test_the_audits_are_analysed_with_the_bounds_of_the_configuration(trained: Any) -> None:
    stored = yaml.safe_load((trained.runs / "mine" / "config.yaml").read_text(encoding="utf-8"))["audit"]
    for step in (0, 4):
        folder = trained.runs / "mine" / "audits" / f"step={step:06d}.house.test"
        analysis, summary = read_analysis(folder / "analysis.json"), read_summary(folder / "summary.json")
        assert asdict(analysis.bounds) == {name: stored[name] for name in asdict(analysis.bounds)}
        assert analysis.bounds.delta == 0.05
        assert analysis.facts is not None
        assert analysis.verdict is not None
        assert analysis.verdict.outcome == "unknown"  # two facts show nothing
        assert summary["verdict"]["outcome"] == "unknown"
        assert summary["verdict"]["sentence"] == analysis.verdict.sentence
        assert list(summary["verdict"]["parts"]) == ["equally_right", "same_answers", "right_at_all", "answered"]
        assert analysis.facts.chance == summary["truth"]["chance"] == pytest.approx(1 / 2)
        assert {group: entry.value for group, entry in analysis.facts.accuracy.items()} == summary["truth"]["accuracy"]
        assert analysis.opinions is not None
        assert analysis.opinions.mean.own.value == pytest.approx(summary["preference"]["mean"])


def test_a_validation_metric_is_the_audits_statistic(trained_copy: Any) -> None:
    """The metric of the last step, over the same questions and answers as the audit of its checkpoint."""
    assert trained_copy.call("validate", "--run", "runs/mine").code == 0
    audited = read_summary(trained_copy.runs / "mine" / "audits" / "step=000004.house.validation" / "summary.json")
    logged = {key: float(value) for key, value in metrics(trained_copy, "mine")[-1].items() if value}
    expected = {
        **{f"truth/{key}": audited["truth"][key] for key in ("mean", "worst", "gap", "unanimous", "flip_rate")},
        **{f"truth/{key}": audited["truth"][key] for key in ("consistent_wrong", "no_answer", "jsd")},
        **{f"truth/accuracy/{group}": audited["truth"]["accuracy"][group] for group in MEMBERS},
        **{f"preference/score/{group}": audited["preference"]["score"][group] for group in MEMBERS},
        **{f"preference/swapped/{group}": audited["preference"]["swapped"][group] for group in MEMBERS},
        "preference/mean": audited["preference"]["mean"],
        "preference/worst": audited["preference"]["worst"],
        "welfare/nash": audited["welfare"]["nash"],
    }
    for key, value in expected.items():
        assert logged[f"validation/{key}"] == pytest.approx(value, abs=1e-6), key


def test_a_base_audit_of_another_configuration_is_not_taken_over(project: Any) -> None:
    """``test --config`` files its audit under the run's name before the run exists."""
    assert project.call("test", "--config", "mine.yaml", "scoring.kind=mean").code == 0
    folder = project.runs / "mine" / "audits" / "step=000000.house.test"
    assert json.loads((folder / "summary.json").read_text())["scoring"] == "mean"
    assert project.fit().code == 0
    assert json.loads((folder / "summary.json").read_text())["scoring"] == "sum"


def test_a_base_audit_by_config_leaves_the_run_of_another_configuration_alone(trained: Any) -> None:
    before = trained.files()
    outcome = trained.call("test", "--config", "mine.yaml", "scoring.kind=mean")
    assert outcome.code == 2
    assert "scoring" in outcome.err
    assert trained.files() == before


def test_base_model_and_agents_are_audited_on_either_split(trained_copy: Any) -> None:
    assert trained_copy.call("validate", "--config", "mine.yaml", "name=base").code == 0
    summary = read_summary(trained_copy.runs / "base" / "audits" / "step=000000.house.validation" / "summary.json")
    assert (summary["step"], summary["split"]) == (0, "validation")
    audit = trained_copy.runs / "mine" / "audits" / "step=000004.house.test" / "summary.json"
    stated = read_summary(audit)
    outcome = trained_copy.call("test", "--run", "runs/mine", "--step", "4")
    assert outcome.code == 0
    again = read_summary(audit)
    for one in (again, stated):
        one["seconds"] = 0
        del one["files"]["about.json"]  # says when the audit was made
    assert again == stated
    assert "before" in outcome.out


def test_a_fit_without_audits_trains_the_same_agents_and_says_what_it_left_out(trained: Any, project: Any) -> None:
    outcome = project.fit("trainer.audits=false")
    assert outcome.code == 0, outcome.err
    run = project.runs / "mine"
    assert not (run / "audits").exists()
    assert "They were not audited: trialign test --run" in outcome.out
    mine, theirs = (one / "agents" / "step=000004" / "south" for one in (run, trained.runs / "mine"))
    weights = [load_file(one / "adapter_model.safetensors") for one in (mine, theirs)]
    assert all(value.equal(weights[1][name]) for name, value in weights[0].items())
    again = project.fit()  # audits are no other training
    assert again.code == 0, again.err
    assert "They were not audited" in again.out
    assert project.call("test", "--run", "runs/mine").code == 0
    assert read_summary(run / "audits" / "step=000004.house.test" / "summary.json")["step"] == 4


def test_a_fit_that_neither_trains_nor_audits_is_refused(project: Any) -> None:
    before = project.files()
    outcome = project.fit("objective=prompt_fair", "trainer.audits=false")
    assert outcome.code == 2
    assert "objective=prompt_fair trains nothing, and trainer.audits=false audits nothing" in outcome.err
    assert project.files() == before
