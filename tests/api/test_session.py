"""What a configuration is turned into before any work begins."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from trialign.api import fitting
from trialign.api.agents import about_agents
from trialign.api.session import Session
from trialign.composition import compose
from trialign.config import load
from trialign.errors import UserError
from trialign.models import ModelConfig

pytestmark = pytest.mark.unit

WRITES_THE_DAY = "{{ strftime_now('%Y') }}"


def session_of(project: Any, *words: str) -> Session:
    composed = compose(str(project.folder / "mine.yaml"), words)
    return Session(load(composed), composed)


def test_preferences_of_other_groups_are_left_out_and_counted(project: Any, caplog: pytest.LogCaptureFixture) -> None:
    rows = project.rows
    drink, walk = (next(row for row in rows if row["id"] == name) for name in ("drink", "walk"))
    drink["targets"] = {"age:young": [1, 0, 0], "age:old": [0, 0, 1]}
    walk["targets"] = {f"regions:{group}": target for group, target in walk["targets"].items()}
    project.write_rows(rows)
    session = session_of(project)
    with caplog.at_level(logging.INFO, logger="trialign"):
        assert [query.query_id for query in session.queries] == [row["id"] for row in rows if row["id"] != "drink"]
    assert [query.query_id for query in session.left_out] == ["drink"]
    assert "Left out 1 of the preference questions" in caplog.text


def test_the_files_of_a_run_without_other_groups_are_taken_whole(project: Any) -> None:
    session = session_of(project)
    assert session.left_out == ()
    assert len(session.queries) == len(project.rows)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["groups=regions"], "groups.members.north.implicit"),
        (["groups=politics", "groups.politics.members.moderate.implicit=null"], "groups.politics.members.moderate"),
    ],
)
def test_an_absent_profile_is_named_by_its_key(project: Any, words: list[str], key: str) -> None:
    with pytest.raises(UserError, match="has no implicit profile") as caught:
        session_of(project, *words).check_exposure("implicit")
    assert key in caught.value.remedy


def with_template(tiny_config: ModelConfig, folder: Path, beginning: str) -> str:
    """A copy of the tiny model whose chat template begins in a way of its own."""
    shutil.copytree(str(tiny_config.path), folder)
    template = folder / "chat_template.jinja"
    template.write_text(beginning + template.read_text(encoding="utf-8"), encoding="utf-8")
    return str(folder)


def test_the_day_is_in_the_name_of_a_collection_whose_prompts_hold_it(
    project: Any, tiny_config: ModelConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writes_the_day = f"model.path={with_template(tiny_config, tmp_path / 'copy', WRITES_THE_DAY)}"
    stores = [
        session_of(project, *words, f"prompt.date={day}").store.folder
        for words in ((), (writes_the_day,))
        for day in ("2025-01-01", "2024-02-29")
    ]
    undated, undated_later, dated, dated_later = stores
    assert undated == undated_later
    assert len({undated, dated, dated_later}) == 3
    with caplog.at_level(logging.INFO, logger="trialign"):
        session = session_of(project, writes_the_day, "prompt.date=2024-02-29")
        assert about_agents(session)["chat"] == {
            "date": "2024-02-29",
            "system": "system message",
            "thinking": None,
            "behind_the_prompt": "",
            "end_tokens": ["<|im_end|>"],
        }
    assert "The chat template writes the day, here always 2024-02-29 (prompt.date)" in caplog.text
    assert "chat" not in session_of(project).store.identity


def test_a_thinking_models_collection_is_named_apart(project: Any, tiny_config: ModelConfig, tmp_path: Path) -> None:
    path = with_template(tiny_config, tmp_path / "copy", "")
    template = Path(path) / "chat_template.jinja"
    template.write_text(template.read_text(encoding="utf-8").replace("assistant\n'", "assistant\n<think>\n'"))
    identity = session_of(project, f"model.path={path}").store.identity
    assert identity["chat"]["thinking"] == "off"


def test_a_collection_of_panels_is_named_apart(project: Any) -> None:
    words = ("policy=basis", "trainer.groups_per_step=3")
    names = {session_of(project, *words, f"collect.panels={each}").store.folder for each in ("null", "1", "2")}
    names.add(session_of(project, "policy=basis", "trainer.groups_per_step=2", "collect.panels=1").store.folder)
    assert len(names) == 4
    # How many groups a step asks is nothing to a collection of all.
    assert session_of(project, *words).store.folder in names
    assert session_of(project, "policy=basis").store.folder in names


@pytest.mark.parametrize("shared_out", [False, True])
def test_a_base_that_is_shared_out_goes_to_no_device_whole(
    project: Any, monkeypatch: pytest.MonkeyPatch, shared_out: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    session = replace(session_of(project, "trainer.accelerator=auto"), shared_out=shared_out)
    assert session.device == torch.device("cpu" if shared_out else "cuda:1")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["trainer.strategy=zero3", "trainer.audits=false"], True),
        (["trainer.strategy=fsdp2", "trainer.audits=false"], True),
        (["trainer.strategy=zero3"], False),
        (["trainer.strategy=zero2", "trainer.audits=false"], False),
    ],
)
def test_who_shares_weights_and_audits_nothing_shares_the_base_out(
    project: Any, monkeypatch: pytest.MonkeyPatch, words: list[str], expected: bool
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(fitting, "fit_held", lambda session, overwrite: seen.append(session.shared_out))
    fitting.fit(session_of(project, *words), resume=False, overwrite=False)
    assert seen == [expected]
