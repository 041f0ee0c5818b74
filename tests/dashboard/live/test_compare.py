"""The page Compare over the tiny model: every state that a person can meet."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from streamlit.testing.v1 import AppTest

from trialign.audit.files.findings import FindingStore
from trialign.dashboard.components.markup import Markup
from trialign.dashboard.live import queue as live_module
from trialign.dashboard.live.engine import Engine, read_setting
from trialign.dashboard.live.replies import Question, Source
from trialign.dashboard.live.shared import live_queue
from trialign.dashboard.session.access import Person

from ..conftest import SyntheticRun

pytestmark = pytest.mark.integration
LONG = 120
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"


Open = Callable[..., AppTest]


def html_of(app: AppTest) -> str:
    return "\n".join(part.proto.body for part in app.get("html"))


def text_of(app: AppTest) -> str:
    return "\n".join(part.value for part in (*app.markdown, *app.error, *app.info, *app.caption, *app.success)).replace(
        "\\", ""
    )


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception, app.exception
    return app


def ask(app: AppTest, runs: Path) -> AppTest:
    """Presses the button, waits for the model, and lets the page look again."""
    press(app, "Ask all agents")
    if "live_ticket" in app.session_state:
        live_queue(runs).wait(app.session_state["live_ticket"], LONG)
        app.run()
    assert not app.exception, app.exception
    return app


def test_a_typed_question_is_answered_by_every_group(runs: Path, live_run: list[Source], open_page: Open) -> None:
    app = open_page("compare")
    app.text_area(key="typed").set_value("Which metal is liquid?")
    app.text_area(key="typed_options").set_value("Iron\nMercury\nGold")
    app.toggle(key="base").set_value(True)
    ask(app, runs)
    expected = Engine().answer(
        live_run[1],
        Question(app.session_state["live_ticket"].question.query, "explicit", ("north", "south", "island", "control")),
        lambda _: False,
    )
    html = html_of(app)
    for reply in expected.replies:
        assert reply.label in html
        assert reply.probabilities is not None
        for share in reply.probabilities:
            assert f"width:{100 * share:.1f}%" in html
        if reply.adapter_sha256:
            assert f"Adapter {reply.adapter_sha256[:12]}" in html
    assert "Base weights, no adapter" in html
    # The base model is no group, and its answer no part of their agreement.
    assert "Of 3 agents," in text_of(app)
    assert "The base model, without a profile, says “" in text_of(app)
    assert html.count("<tr>") == 5  # the heatmap: a head and four agents


def test_free_replies_are_marked_against_the_chosen_one(runs: Path, live_run: list[Source], open_page: Open) -> None:
    app = open_page("compare")
    app.text_area(key="typed").set_value("Which drink is best?")
    ask(app, runs)
    assert html_of(app).count("<ins>") >= 2
    app.selectbox(key="reference").set_value("Islanders").run()
    html = html_of(app)
    # Two open answers in other words: nothing says whether they are one fact.
    assert "Cannot tell whether it is the same fact as Islanders" in html
    assert "same fact as Northerners" not in html


def test_two_checkpoints_stand_side_by_side(runs: Path, live_run: list[Source], open_page: Open) -> None:
    app = open_page("compare", step="1", against="0")
    app.text_area(key="typed").set_value("Which?")
    app.text_area(key="typed_options").set_value("Tea\nIron")
    ask(app, runs)
    html = html_of(app)
    assert "Northerners · step 1" in html
    assert "Northerners · before training" in html
    assert [answers.step for answers in live_queue(runs).look(app.session_state["live_ticket"]).answers] == [1, 0]


def test_an_audited_question_shows_what_was_recorded_and_its_right_answer(
    runs: Path, live_run: list[Source], open_page: Open
) -> None:
    app = open_page("compare", question="test-fact-00-0")
    assert "recorded by the audit" in text_of(app)
    # The base model is not asked by the controls; recorded answers follow them.
    assert "The right answer is “right”: 2 of 3 gave it." in text_of(app)
    assert "No profile" not in html_of(app)
    app.toggle(key="base").set_value(True).run()
    assert (
        "The right answer is “right”: 2 of 3 gave it. The base model, without a profile, says “right”, which is right"
        in text_of(app)
    )
    assert "No profile" in html_of(app)
    assert "✗ Wrong" in html_of(app)
    ask(app, runs)
    assert "recorded by the audit" not in text_of(app)
    assert app.session_state["live_ticket"].question.query.query_id == "test-fact-00-0"


def test_the_state_is_in_the_url_and_the_typed_question_is_not(
    runs: Path, live_run: list[Source], open_page: Open
) -> None:
    app = open_page("compare", groups="south,nobody", base="1", profile="implicit", step="1", against="0")
    assert app.session_state["groups"] == ["south"]
    app.text_area(key="typed").set_value("a private matter")
    ask(app, runs)
    asked: Question = app.session_state["live_ticket"].question
    assert (asked.groups, asked.exposure) == (("south", "control"), "implicit")
    state = {key: app.query_params[key] for key in ("groups", "base", "profile", "step", "against")}
    assert {key: value[0] if isinstance(value, list) else value for key, value in state.items()} == {
        "groups": "south",
        "base": "1",
        "profile": "implicit",
        "step": "1",
        "against": "0",
    }
    assert "private" not in str(dict(app.query_params))


@pytest.mark.parametrize("value", ["../..", "99", "<b>", "-1", "1e9", "0/../1"])
def test_what_the_url_makes_up_is_not_looked_for(live_run: list[Source], open_page: Open, value: str) -> None:
    app = open_page("compare", step=value, against=value, question=value, groups=value, profile=value, finding=value)
    assert app.session_state["step"] == "2"
    assert app.session_state["against"] == "none"
    assert not app.error


def test_nothing_is_a_question(live_run: list[Source], open_page: Open) -> None:
    app = press(open_page("compare"), "Ask all agents")
    assert "The question is empty" in text_of(app)


def test_a_megabyte_is_refused_in_one_sentence(live_run: list[Source], open_page: Open) -> None:
    app = open_page("compare")
    app.text_area(key="typed").set_value("x" * 1_000_000)
    press(app, "Ask all agents")
    assert "1,000,000 characters, and at most 4,000 are taken" in text_of(app)
    assert "live_ticket" not in app.session_state


def test_script_is_shown_and_never_run(
    runs: Path, live_run: list[Source], open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = runs / "house" / "config.yaml"
    config.write_text(config.read_text().replace("Northerners", SCRIPT.replace("'", "")))
    answer = Engine.answer

    def hostile(self: Engine, source: Source, question: Question, watch: Any) -> Any:
        answers = answer(self, source, question, watch)
        return replace(answers, replies=tuple(replace(reply, text=SCRIPT) for reply in answers.replies))

    monkeypatch.setattr(Engine, "answer", hostile)
    app = open_page("compare")
    app.text_area(key="typed").set_value(SCRIPT)
    ask(app, runs)
    html = html_of(app)
    assert not re.search(r"<(script|img)", html)
    assert html.count("&lt;script&gt;") >= 5
    assert not re.search(r"(?<!\\)<(script|img)", "\n".join(part.value for part in app.markdown))


def test_a_viewer_asks_but_does_not_save(
    runs: Path, live_run: list[Source], open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trialign.dashboard.session.access.enter", lambda: Person("bo@example.org", "viewer"))
    app = open_page("compare", question="test-fact-00-0")
    assert "Saving findings is for auditors" in text_of(app)
    assert "Save finding" not in [button.label for button in app.button]


def test_a_saved_finding_holds_question_answers_and_hash_and_opens_again(
    runs: Path, live_run: list[Source], open_page: Open
) -> None:
    app = open_page("compare")
    app.text_area(key="typed").set_value("Which metal?")
    app.text_area(key="typed_options").set_value("Iron\nMercury")
    ask(app, runs)
    next(area for area in app.text_area if area.label == "What did you see?").set_value("They disagree.")
    press(app, "Save finding")
    (found,) = FindingStore(runs).findings("house")
    (answers,) = live_queue(runs).look(app.session_state["live_ticket"]).answers
    assert (found.question, found.options, found.step, found.query_id) == ("Which metal?", ("Iron", "Mercury"), 2, "")
    assert [(said.label, said.text) for said in found.answers] == [(r.label, r.text) for r in answers.replies]
    assert found.checkpoint_sha256 == answers.checkpoint_sha256
    assert found.remarks[0].comment == "They disagree."
    assert [(said.adapter_sha256, said.probabilities) for said in found.answers] == [
        (reply.adapter_sha256, reply.probabilities) for reply in answers.replies
    ]
    told = read_setting(runs / "house" / "config.yaml").everyone
    assert [said.profile for said in found.answers] == [told[reply.group].explicit[0] for reply in answers.replies]
    assert (found.exposure, found.source) == ("explicit", "live")
    again = open_page("compare", run="house", finding=str(found.id))
    assert again.text_area(key="typed").value == "Which metal?"
    assert again.text_area(key="typed_options").value == "Iron\nMercury"


def test_a_finding_that_is_refused_is_not_lost_and_a_saved_one_makes_room(
    runs: Path, live_run: list[Source], open_page: Open
) -> None:
    def comment(app: AppTest) -> Any:
        return next(area for area in app.text_area if area.label == "What did you see?")

    app = open_page("compare", question="test-fact-00-0")
    comment(app).set_value("x" * 4001)
    press(app, "Save finding")
    assert "4,001 characters" in text_of(app)
    assert comment(app).value == "x" * 4001
    comment(app).set_value("They disagree.")
    press(app, "Save finding")
    assert "Saved as finding 1" in text_of(app)
    (found,) = FindingStore(runs).findings("house")
    # What the audit recorded comes from the agents that it asked, whatever lies beside it now.
    assert found.source == "recorded"
    assert found.audit.startswith(f"step={found.step:06d}.")
    assert {said.adapter_sha256 for said in found.answers if said.group != "control"} == {"0" * 64}
    assert comment(app).value == ""
    assert "Saved as finding" not in text_of(app.run())


def model_of(runs: Path, **values: object) -> None:
    """Changes the model of the run's configuration."""
    file = runs / "house" / "config.yaml"
    config = yaml.safe_load(file.read_text())
    config["model"] |= values
    file.write_text(yaml.safe_dump(config))


@pytest.mark.parametrize(
    ("model", "reason", "origin"),
    [
        ({"source": "endpoint", "base_url": "http://127.0.0.1:9/v1"}, "stands behind an address", "behind an address"),
        ({"source": "logs", "logs": {"files": "log.eval"}}, "Another tool asked", "known by its logs"),
        ({"adapters": {"north": "elsewhere"}}, "trained elsewhere", "Base weights, no adapter"),
    ],
    ids=["endpoint", "logs", "adapters"],
)
def test_agents_that_are_not_here_are_read_and_not_asked(
    runs: Path, live_run: list[Source], open_page: Open, model: dict[str, object], reason: str, origin: str
) -> None:
    model_of(runs, **model)
    app = open_page("compare", question="test-fact-00-0", base="1")
    assert reason in text_of(app)
    assert "✗ Wrong" in html_of(app)
    assert origin in html_of(app)
    assert "Ask all agents" not in text_of(app)
    assert not {"Ask all agents", "Type a question"} & {button.label for button in app.button}
    assert not [box for box in app.selectbox if box.label in ("Agents", "Beside them")]


def test_what_the_audit_did_not_record_is_said(runs: Path, live_run: list[Source], open_page: Open) -> None:
    app = open_page("compare", question="test-fact-00-0", profile="implicit")
    assert "recorded no answers to this question for what the controls say" in text_of(app)
    app.radio(key="profile").set_value("explicit").run()
    assert "recorded by the audit" in text_of(app)


def test_without_its_model_the_stored_audit_can_still_be_read(
    runs: Path, live_run: list[Source], open_page: Open
) -> None:
    config = runs / "house" / "config.yaml"
    config.write_text(re.sub(r"path: .*", "path: /nowhere/at-all", config.read_text()))
    app = ask(open_page("compare", question="test-fact-00-0"), runs)
    assert "No base model at /nowhere/at-all" in text_of(app)
    assert "recorded by the audit" in text_of(app)
    assert "✗ Wrong" in html_of(app)


def test_without_memory_the_page_says_so(
    runs: Path, live_run: list[Source], open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hungry(*_: object) -> object:
        raise MemoryError

    monkeypatch.setattr(Engine, "answer", hungry)
    app = open_page("compare")
    app.text_area(key="typed").set_value("Which?")
    ask(app, runs)
    assert live_module.NO_MEMORY in text_of(app)


def test_a_tampered_adapter_is_refused_on_the_page(runs: Path, live_run: list[Source], open_page: Open) -> None:
    assert live_run[1].checkpoint
    file = live_run[1].checkpoint / "south" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    app = open_page("compare")
    app.text_area(key="typed").set_value("Which?")
    ask(app, runs)
    assert "not the one that was written" in text_of(app)
    assert str(runs) not in text_of(app)


def test_a_manifest_that_points_outside_is_refused(runs: Path, live_run: list[Source], open_page: Open) -> None:
    assert live_run[1].checkpoint
    manifest = live_run[1].checkpoint / "manifest.json"
    stated = json.loads(manifest.read_text())
    stated["files"]["../../../../../etc/passwd"] = "0" * 64
    manifest.write_text(json.dumps(stated))
    app = open_page("compare")
    app.text_area(key="typed").set_value("Which?")
    ask(app, runs)
    assert "not the one that was written" in text_of(app)


@pytest.mark.parametrize(
    "name", ["config.yaml", "agents/step=000002/manifest.json", "agents/step=000002/south/adapter_model.safetensors"]
)
def test_a_file_behind_a_link_out_of_the_root_is_not_asked(
    runs: Path, live_run: list[Source], open_page: Open, tmp_path: Path, name: str
) -> None:
    file, elsewhere = runs / "house" / name, tmp_path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    app = open_page("compare")
    if app.text_area:
        app.text_area(key="typed").set_value("Which?")
        ask(app, runs)
    assert re.search("link that leads out of the folder|not the one that was written", text_of(app))
    assert 'class="ta-answer"' not in html_of(app)
    assert str(tmp_path) not in text_of(app)


def test_a_checkpoint_that_is_a_link_out_of_the_root_cannot_be_chosen(
    runs: Path, live_run: list[Source], open_page: Open, tmp_path: Path
) -> None:
    assert live_run[1].checkpoint
    elsewhere = tmp_path / "step=000009"
    live_run[1].checkpoint.rename(elsewhere)
    (live_run[1].checkpoint.parent / elsewhere.name).symlink_to(elsewhere)
    app = open_page("compare", step="9")
    assert app.selectbox(key="step").options == [
        "Before training (the base model with the groups' profiles)",
        "After training, step 1",
    ]


def test_a_run_whose_configuration_says_nothing_of_a_model_can_be_read_not_asked(
    one_run: SyntheticRun, open_page: Open
) -> None:
    app = open_page("compare")
    assert "Live questions cannot be asked of this run" in text_of(app)
    assert not [button for button in app.button if button.label == "Ask all agents"]


@pytest.mark.unit
def test_marked_words_give_back_both_texts() -> None:
    from trialign.dashboard.components.answers import marked

    shown = marked("The Earth is old.", "the Earth is young and old. <b>")
    assert isinstance(shown, Markup)
    assert shown == "the Earth is<ins> +young and</ins> old.<ins> +&lt;b&gt;</ins>"
    assert marked("Yes, very much", "Yes,") == "Yes,<del> −very much</del>"
