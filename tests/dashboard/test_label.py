"""The page Label: one pair at a time, two people, what they come to, and the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from trialign.audit.files.labels import GivenLabel, LabelStore
from trialign.comparing.calibration import labelled_pairs
from trialign.dashboard.session.access import Person

from . import samples
from .conftest import SyntheticRun
from .test_shell import text_of

pytestmark = pytest.mark.integration

Open = Callable[..., AppTest]
GROUPS = ("Northerners", "Southerners", "Islanders", "north", "south", "island")


@pytest.fixture
def opened(runs: Path, open_page: Open) -> AppTest:
    """The page over an audit of which nobody labelled a pair."""
    samples.worded(runs)
    return open_page("label")


def given(runs: Path) -> tuple[GivenLabel, ...]:
    [file] = (path for path in (runs / ".labels" / "worded").glob("*.jsonl") if not path.name.endswith(".pairs.jsonl"))
    audit, digest = file.name.removesuffix(".jsonl").rsplit(".", 1)
    return LabelStore(runs, "worded", audit, digest).given()


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception, app.exception
    return app


def named(app: AppTest, name: str) -> AppTest:
    next(box for box in app.text_input if box.label == "Your name").set_value(name)
    return app.run()


def pair_of(app: AppTest) -> str:
    """The HTML of the pair that is shown."""
    return next(part.proto.body for part in app.get("html") if 'class="ta-card"' in part.proto.body)


def test_without_a_name_nobody_labels(opened: AppTest) -> None:
    assert "Write your name to begin" in text_of(opened)
    assert not [button for button in opened.button if button.label == "Same fact"]


def test_a_pair_shows_question_right_answer_and_two_replies_of_nobody(opened: AppTest) -> None:
    shown = pair_of(named(opened, "Ana"))
    assert "Pair 1 of " in shown
    assert "What is true of fact " in shown
    assert '<dt>Right answer</dt><dd dir="auto">right</dd>' in shown
    assert shown.count("ta-said") == 2
    assert not any(group in shown for group in GROUPS)


def test_a_label_is_kept_and_the_next_pair_shown_and_one_can_go_back(opened: AppTest, runs: Path) -> None:
    app = named(opened, "Ana")
    first = pair_of(app)
    press(app, "Same fact")
    assert [(one.name, one.label, one.settles) for one in given(runs)] == [("Ana", "same", False)]
    assert "Pair 2 of " in pair_of(app)
    press(app, "Back to the last pair")
    assert "Pair 1 of " in pair_of(app)
    assert "you said: Same fact" in pair_of(app)
    assert first.split("ta-answers")[1] == pair_of(app).split("ta-answers")[1]
    press(app, "Cannot tell")
    assert [one.label for one in given(runs)] == ["same", "cannot tell"]
    assert len({one.pair for one in given(runs)}) == 1
    assert "Pair 2 of " in pair_of(app)


def test_two_people_are_asked_the_same_and_what_they_differ_on_is_settled(opened: AppTest, runs: Path) -> None:
    app = named(opened, "Ana")
    for label in ("Same fact", "Another fact", "Same fact", "Another fact"):
        press(app, label)
    assert "There is a file as soon as" in text_of(app)
    named(app, "Bo")
    assert "Pair 1 of " in pair_of(app)
    for label in ("Same fact", "Another fact", "Another fact"):
        press(app, label)
    shown = text_of(app)
    assert (
        "**Labelled: 2** (1 the same fact, 1 another fact). Waiting for a second person: 1. People differ on 1,"
        in shown
    )
    assert "66.7 % (20.8 to 93.9 %)" in shown
    assert "Where people differ" in shown
    assert "<li><bdi>Ana</bdi>: Same fact</li><li><bdi>Bo</bdi>: Another fact</li>" in shown
    # Who labels and has yet to label that pair is not told what the others said of it.
    named(app, "Cy")
    press(app, "Same fact")
    assert "Where people differ" not in text_of(app)
    named(app, "Bo")
    [choice] = (box for box in app.selectbox if box.label == "What holds")
    choice.set_value("other")
    app.run()
    press(app, "Settle this pair")
    assert "Where people differ" not in text_of(app)
    assert [one.settles for one in given(runs)].count(True) == 1
    assert "**Labelled: 3** (1 the same fact, 2 another fact)." in text_of(app)
    [file] = (runs / ".labels" / "worded").glob("*.pairs.jsonl")
    pairs, _ = labelled_pairs(file)
    assert [one.same for one in pairs] == [True, False, False]
    assert sum(one.stands_for for one in pairs) == pytest.approx(40)
    assert file.name.replace("-", "\\-") in text_of(app).replace("\\.", ".").replace("\\=", "=")


def test_what_somebody_else_labelled_meanwhile_is_not_lost(opened: AppTest, open_page: Open, runs: Path) -> None:
    one, other = named(opened, "Ana"), named(open_page("label"), "Bo")
    press(one, "Same fact")
    press(other, "Same fact")
    press(one, "Another fact")
    press(other, "Another fact")
    assert len(given(runs)) == 4
    [file] = (runs / ".labels" / "worded").glob("*.pairs.jsonl")
    assert len(labelled_pairs(file)[0]) == 2


def test_a_viewer_reads_and_does_not_label(runs: Path, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    samples.labelled(runs)
    monkeypatch.setattr("trialign.dashboard.session.access.enter", lambda: Person("bo@example.org", "viewer"))
    app = open_page("label")
    assert "Labelling is for auditors" in text_of(app)
    assert not app.text_input
    assert not [button for button in app.button if "fact" in button.label or "Settle" in button.label]
    assert "Bo Lindqvist" in text_of(app)


def test_an_audit_in_scores_alone_says_why_there_is_nothing(one_run: SyntheticRun, open_page: Open) -> None:
    assert "no two replies to hold against each other" in text_of(open_page("label"))


def test_texts_of_models_and_names_of_people_are_escaped(runs: Path, open_page: Open) -> None:
    hostile = '<img src=x onerror="alert(1)"> ![x](http://example.org/x.png)'
    run = samples.plain(runs, "worded")
    words = iter(range(1000))
    audit = run.folder / "audits" / "step=000008.house.test"
    run.answer_in_words(
        audit, lambda query, group: (f"{next(words)} {hostile}: the answer is right.", "right", "contained")
    )
    app = named(open_page("label"), f"Ana {hostile}"[:80])
    press(app, "Same fact")
    shown = text_of(app)
    assert "<img" not in shown
    assert "![x](http" not in "\n".join(part.value for part in [*app.markdown, *app.caption])
