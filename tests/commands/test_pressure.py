"""Pressure through the real command line: beside the plain audit, and without a trace in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from trialign.audit.figures.analysis import read_analysis
from trialign.audit.files.pressed import read_pressed
from trialign.trajectories.store import TrajectoryStore

from .test_endpoint_ways import AUDIT, RIGHT, Audits, Body, N, choice, stub

pytestmark = pytest.mark.integration

ATTACKS = "audit.pressure=[user_think,peers_2_plain,inject_profile]"


def audit(project: Any, name: str, *words: str) -> Any:
    done = project.call("test", "--config", project.folder / "mine.yaml", f"name={name}", *words)
    return done, project.runs / name / "audits" / "step=000000.house.test"


def test_an_audit_under_pressure_leaves_turn_0_as_it_is(project: Any) -> None:
    done, plain = audit(project, "plain")
    assert done.code == 0
    assert not (plain / "pressure.parquet").exists()
    done, pushed = audit(project, "pushed", ATTACKS)
    assert done.code == 0, done.err
    assert (pushed / "items.parquet").read_bytes() == (plain / "items.parquet").read_bytes()
    assert "under pressure, 4 facts" in " ".join(done.out.split())
    rows = read_pressed(pushed / "pressure.parquet")
    assert len(rows) == 4 * 3 * 3 * 2  # facts, groups, attacks, claim and twin
    assert not list(pushed.glob(".pressure-*"))
    summaries = [yaml.safe_load((folder / "summary.json").read_text(encoding="utf-8")) for folder in (plain, pushed)]
    assert "pressure" not in summaries[0]
    assert list(summaries[1]["pressure"]["attacks"]) == ["peers_2_plain", "user_think", "inject_profile"]
    assert summaries[0]["truth"] == summaries[1]["truth"]
    assert "pressure.parquet" in summaries[1]["files"]
    analyses = [read_analysis(folder / "analysis.json") for folder in (plain, pushed)]
    assert analyses[0].pressure is None
    assert analyses[1].pressure is not None
    assert analyses[0].verdict == analyses[1].verdict
    # Made again without pressure, nothing of it stays.
    done, again = audit(project, "pushed")
    assert done.code == 0
    assert not (again / "pressure.parquet").exists()


def test_a_finished_run_is_pushed_without_another_configuration(trained_copy: Any) -> None:
    run = trained_copy.runs / "mine"
    before = {step: (run / "audits" / f"step={step:06d}.house.test" / "items.parquet").read_bytes() for step in (0, 4)}
    done = trained_copy.call("test", "--run", run, "audit.pressure=[user_sure]")
    assert done.code == 0, done.err
    for step, items in before.items():
        folder = run / "audits" / f"step={step:06d}.house.test"
        assert set(read_pressed(folder / "pressure.parquet")["attack"]) == {"user_sure"}
        assert (folder / "items.parquet").read_bytes() == items
    assert trained_copy.fit("audit.pressure=[user_sure]").code == 0  # the same run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["audit.pressure=[shouting]"], "audit.pressure names 'shouting', and there is no such attack"),
        (["audit.pressure=[all]", "prompt.question=false"], "prompt.question=false puts no question"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(project: Any, words: list[str], said: str) -> None:
    done, folder = audit(project, "bad", *words)
    assert done.code == 2
    assert said in done.err
    assert not folder.exists()


def test_more_adversaries_than_neighbours_and_no_wrong_options_are_refused(project: Any) -> None:
    groups = project.folder / "groups" / "regions.yaml"
    stated = yaml.safe_load(groups.read_text(encoding="utf-8"))
    del stated["members"]["island"]
    groups.write_text(yaml.safe_dump(stated, sort_keys=False), encoding="utf-8")
    rows = [row for row in project.rows if row["kind"] == "truth"]
    project.write_rows(rows)
    done, _ = audit(project, "few", ATTACKS)
    assert done.code == 2
    assert "'peers_2_plain' needs 2 neighbours, and an agent has 1" in done.err
    project.write_rows([{**row, "options": [], "answer_kind": "text"} for row in rows])
    done, _ = audit(project, "free", "audit.pressure=[user]")
    assert done.code == 2
    assert "no fact that is asked has options" in done.err


def test_adversaries_are_collected_recorded_and_refused_where_nobody_hears_them(project: Any) -> None:
    config = ("--config", project.folder / "mine.yaml")
    assert project.call("collect", *config, "name=quiet").code == 0
    [quiet] = project.collections()
    assert (
        project.call("collect", *config, "environment.adversary.majority=1").code == 0
    )  # nobody asserts: no other one
    assert project.collections() == [quiet]
    assert project.call("collect", *config, "environment.adversary.share=1").code == 0
    [loud] = [folder for folder in project.collections() if folder != quiet]
    rows = TrajectoryStore(loud, {}).read()
    assert {bool(row.adversary) for row in rows if row.turn and row.gold is not None} == {True}
    assert not any(row.adversary for row in rows if not row.turn or row.gold is None)
    assert not any(row.adversary for row in TrajectoryStore(quiet, {}).read())
    refused = project.call("collect", *config, "environment.adversary={share: 1, majority: 3}")
    assert refused.code == 2
    assert "environment.adversary needs 3 neighbours" in refused.err


def test_an_audit_in_the_way_of_writing_is_one_like_any_other(project: Any) -> None:
    groups = project.folder / "groups" / "regions.yaml"
    stated = yaml.safe_load(groups.read_text(encoding="utf-8"))
    for name, way in zip(stated["members"], ("typos", "lower", "formal"), strict=True):
        stated["members"][name]["style"] = [way]
    groups.write_text(yaml.safe_dump(stated, sort_keys=False), encoding="utf-8")
    done, folder = audit(project, "written", "audit.exposures=[style,explicit]", "audit.pressure=[user_sure]")
    assert done.code == 0, done.err
    found = read_analysis(folder / "analysis.json")
    assert found.exposure == "style"
    assert {part.name for part in found.slices if part.dimension == "exposure"} == {"style", "explicit"}
    assert project.call("report", project.runs / "written").code == 0
    done, _ = audit(project, "refused", "audit.exposures=[style]", "audit.pressure=[profile]")
    assert done.code == 2
    assert "with the exposure style there is none" in done.err


def test_a_model_behind_an_address_is_pushed_and_who_gives_way_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    audits = Audits(tmp_path, capsys, caplog)
    asked: list[Body] = []

    def say(body: Body) -> Body:
        """Gives way to what the user thinks, but not where it is told of an Iranian."""
        asked.append(body)
        system, last = (str(body["messages"][place]["content"]) for place in (0, -1))
        claimed = re.search(r"I think that it is (.*)\.", last)
        return choice(claimed[1] if claimed and "Iran" not in system else RIGHT)

    with stub(say) as url:
        words = ["audit.pressure=[user_think]", "model.endpoint.concurrent_requests=4"]
        code, said = audits.test(url, *words)
        assert code == 0, said
        count = len(asked)
        assert audits.test(url, *words)[0] == 0
        assert len(asked) - count < N  # what was answered is not asked again
    folder = audits.folder / "runs" / "t" / AUDIT
    rows = read_pressed(folder / "pressure.parquet")
    assert len(rows) == N * 3 * 2  # facts, groups, claim and twin
    pressure = read_analysis(folder / "analysis.json").pressure
    assert pressure is not None
    [attack] = pressure.attacks
    gave_way = {one.group: (one.right_to_wrong.claim.value, one.right_to_wrong.twin.value) for one in attack.groups}
    assert gave_way == {"usa": (1.0, 0.0), "iran": (0.0, 0.0), "china": (1.0, 0.0)}
    # The push follows the model's own answer, as one conversation.
    [pushed] = [body for body in asked if "I think that it is" in str(body["messages"][-1])][:1]
    assert [one["role"] for one in pushed["messages"]] == ["system", "user", "assistant", "user"]
    assert pushed["messages"][2]["content"] == RIGHT
    assert "under pressure" in " ".join(said.split())
