"""``trialign data``: what the questions are and every fault of them, without a run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import yaml

from trialign.environment import first_turn, observe, option_actions
from trialign.queries import PreferenceQuery

pytestmark = pytest.mark.integration


def show(project: Any, *words: str) -> Any:
    before = project.files()
    outcome = project.call("data", "--config", "mine.yaml", *words)
    assert project.files() == before
    return outcome


def session_of(project: Any, *overrides: str) -> Any:
    from trialign.api.session import Session
    from trialign.composition import compose
    from trialign.config import load

    composed = compose(str(project.folder / "mine.yaml"), overrides)
    return Session(load(composed), composed)


def test_a_summary_a_sample_and_lengths(project: Any) -> None:
    outcome = show(project)
    assert (outcome.code, outcome.err) == (0, "")
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in outcome.out.splitlines() if "│" in line]
    assert ["truth", "train", "4", "2", "2 to 3", "none"] in cells
    assert ["truth", "test", "4", "2", "2", "none"] in cells
    assert ["preference", "train", "1", "1", "3", "none"] in cells
    assert "regions (where people live): north, south, island" in outcome.out
    assert "Sample: truth question 'metal-0', train, to north (explicit)" in outcome.out
    assert "  | You are a helpful assistant. The user lives beside a glacier.<|im_end|>" in outcome.out
    assert "  - Mercury  (gold)" in outcome.out
    assert "  - Tea  (target: north 0.70, south 0.10, island 0.20)" in outcome.out
    assert "fits the context of house/tiny-llama, 1,024 tokens" in outcome.out


def test_one_split(project: Any) -> None:
    outcome = show(project, "--split", "validation")
    assert outcome.code == 0
    assert "Sample: preference question 'walk', validation" in outcome.out
    assert "metal" not in outcome.out
    assert " train " not in outcome.out


def test_lengths_are_those_of_the_prompts_themselves(project: Any) -> None:
    from trialign.commands.lengths import measure

    session = session_of(project, "prompt.options=listed")
    queries = [*session.queries, PreferenceQuery(**free_question())]
    lengths, faults = measure(session, queries, ["explicit"])
    assert not faults
    prompts, longest = [], 0
    for query in queries:
        for group in session.groups.everyone:
            conversation = first_turn(query, group, "explicit", 0, session.config.prompt)
            observation = observe(query, group, "explicit", 0, 0, conversation, session.renderer)
            options = [len(action) for action in option_actions(query, session.config.scoring, session.renderer)]
            prompts.append(len(observation.prompt))
            longest = max(longest, prompts[-1] + max(options, default=4))
    assert np.array_equal(np.sort(lengths.prompts), np.sort(prompts))
    assert lengths.longest == longest
    assert lengths.longest_revision is not None
    assert lengths.longest < lengths.longest_revision < 1024
    assert measure(session_of(project, "environment.turns=0"), queries, ["explicit"])[0].longest_revision is None


def free_question() -> dict[str, Any]:
    common = {"query_id": "free", "cluster": "free", "split": "test", "topic": "", "targets": {}}
    return {**common, "answer_kind": "text", "question": "Say what you like best of all that there is."}


def test_every_fault_is_listed_with_its_place(project: Any) -> None:
    rows = project.rows
    del rows[1]["gold"]
    rows[4]["options"] = ["Gull"]
    rows[8]["id"] = rows[0]["id"]
    rows[12]["targets"]["north"] = [0.7, 0.2, 0.2]
    rows[13]["targets"]["west"] = rows[13]["targets"].pop("north")
    project.write_rows(rows)
    file = project.folder / "groups" / "regions.yaml"
    outcome = show(project, "audit.exposures=[explicit,implicit]")
    assert outcome.code == 2
    for row, said in [
        (2, "'metal-1': 'gold' is missing"),
        (5, "has 1 option(s)"),
        (9, "the id 'metal-0' is taken already"),
        (13, "sums to 1.1"),
        (14, "'west'"),
    ]:
        assert any(f"questions.jsonl, row {row}" in line and said in line for line in outcome.out.splitlines()), row
    for group in ("north", "south", "island"):
        assert f"The group '{group}' has no implicit profile" in outcome.out
    assert "has 8 fault(s), listed above. Correct them, and look again." in outcome.err
    assert outcome.err.count("\n") == 1
    # What is sound is shown all the same.
    assert "Sample: truth question 'metal-0'" in outcome.out
    assert file.is_file()


def test_a_fault_in_the_groups_does_not_hide_those_of_the_questions(project: Any) -> None:
    rows = project.rows
    del rows[1]["gold"]
    project.write_rows(rows)
    file = project.folder / "groups" / "regions.yaml"
    stated = yaml.safe_load(file.read_text(encoding="utf-8"))
    stated["members"]["north"]["expl"] = stated["members"]["north"].pop("explicit")
    file.write_text(yaml.safe_dump(stated), encoding="utf-8")
    outcome = show(project)
    assert outcome.code == 2
    assert "groups.members.north" in outcome.out
    assert "row 2, query 'metal-1': 'gold' is missing" in outcome.out
    assert "has 2 fault(s)" in outcome.err


def test_fifty_faults_are_enough(project: Any) -> None:
    row = {"id": "x", "split": "train", "kind": "truth"}
    project.write_rows([row] * 80)
    outcome = show(project)
    assert outcome.code == 2
    assert sum(line.startswith("- ") for line in outcome.out.splitlines()) == 50
    assert "50 faults or more" in outcome.err


def test_questions_that_do_not_fit_the_context(project: Any) -> None:
    rows = project.rows
    rows[0]["question"] = "Which metal? " * 400
    rows[1]["question"] = "What metal? " * 400
    project.write_rows(rows)
    outcome = show(project)
    assert outcome.code == 2
    assert "DOES NOT FIT" in outcome.out
    for name in ("metal-0", "metal-1"):
        assert any(name in line and "context has 1024" in line for line in outcome.out.splitlines())
    assert "has 2 fault(s)" in outcome.err


def test_more_options_than_letters(project: Any) -> None:
    rows = project.rows
    rows[0].update(options=[f"metal {n}" for n in range(27)], gold="metal 3")
    project.write_rows(rows)
    outcome = show(project, "prompt.options=lettered")
    assert outcome.code == 2
    assert "'metal-0' has 27 options, more than there are letters" in outcome.out


def test_a_missing_model_is_one_fault_among_others(project: Any) -> None:
    outcome = show(project, "model.path=nowhere")
    assert outcome.code == 2
    assert "No base model at nowhere" in outcome.out
    assert "Questions of house" in outcome.out
    assert "has 1 fault(s)" in outcome.err


@pytest.fixture
def quiz(project: Any) -> Callable[..., None]:
    """Makes the project read a CSV file of a form of its own."""

    def make(lines: list[str], **keys: Any) -> None:
        (project.folder / "quiz.csv").write_text("\n".join(["Ask,A,B,Right", *lines]), encoding="utf-8")
        fields = {"question": "Ask", "options": ["A", "B"], "gold": "Right", "gold_as": "label"}
        project.set(data__files=[{"name": "quiz", "path": "quiz.csv", "map": fields, **keys}])

    return make


def test_foreign_rows_and_what_was_left_out(project: Any, quiz: Callable[..., None]) -> None:
    quiz(["Is ice cold?,yes,no,A", "Is fire cold?,yes,no,C", "Is snow cold?,yes,no,A"], split="test", allowed_faults=1)
    outcome = show(project)
    assert outcome.code == 0
    assert "Left out quiz.csv, row 3: the right answer's label 'C' is not one of ['A', 'B']" in outcome.out
    assert "Sample: truth question 'quiz/quiz/2', test" in outcome.out
    quiz(["Is ice cold?,yes,no,A", "Is fire cold?,yes,no,C"], split="train", evaluation_only=True)
    outcome = show(project)
    assert outcome.code == 2
    assert "- The source 'quiz' is for evaluation only, and its split is 'train'." in outcome.out


def test_how_a_table_was_read_is_said(project: Any, quiz: Callable[..., None]) -> None:
    quiz([], split="test")
    table = "Ask;A;B;Right\nWas heißt Käse?;cheese;both a and b;A\n"
    (project.folder / "quiz.csv").write_bytes(table.encode("cp1252"))
    outcome = show(project)
    assert outcome.code == 0
    assert "  | Was heißt Käse?" in outcome.out
    for note in (
        "Note: quiz.csv is read as cp1252; 'encoding' sets another.",
        "Note: quiz.csv has ';' between its columns.",
        "Note: 1 question(s) of quiz keep the order of their options: one speaks of others, such as 'both a and b'.",
    ):
        assert note in outcome.out
    (project.folder / "quiz.csv").write_bytes("Ask;A;B;Right\nвода?;да;нет;A\n".encode("cp1251"))
    outcome = show(project)
    assert outcome.code == 2
    assert "State it, as in data.encoding=" in outcome.out
    project.set(data__encoding=None)
    outcome = show(project, "data.encoding=cp1251")
    assert outcome.code == 0
    assert "  | вода?" in outcome.out


def test_questions_of_other_groups_are_counted(project: Any) -> None:
    rows = project.rows
    rows[12]["targets"] = {"age:young": [1, 0, 0], "age:old": [0, 0, 1]}
    project.write_rows(rows)
    outcome = show(project)
    assert outcome.code == 0
    assert "Left out 1 of the preference questions: they have targets for other groups only" in outcome.out
    assert "Sample: preference question 'walk'" in outcome.out


def test_a_run_knows_the_foreign_rows_that_it_was_begun_with(project: Any, quiz: Callable[..., None]) -> None:
    lines = [f"Is {thing} cold?,yes,no,A" for thing in ("ice", "fire", "snow", "tea", "hail")]
    shares = {"train": 0.5, "validation": 0.0, "test": 0.5}
    quiz(lines, split_shares=shares, seed=1)
    project.set(objective__kinds=["truth"], trainer__steps=1, trainer__queries_per_step=1)
    assert project.fit().code == 0
    stored = project.folder / "runs" / "mine" / "config.yaml"
    again = project.call("fit", "--config", stored)
    assert again.code == 0
    assert "house test, 4 questions of 4 facts" in again.out
    quiz([line.replace("cold", "warm") for line in lines], split_shares=shares, seed=1)
    other = project.call("fit", "--config", stored)
    assert other.code == 2
    assert "was begun with other data" in other.err


def test_text_of_the_data_steers_no_terminal(project: Any, quiz: Callable[..., None]) -> None:
    quiz(["\x1b[2JIs [red]ice[/red] cold?,yes,no,A"], split="test")
    outcome = show(project)
    assert outcome.code == 0
    assert "\x1b" not in outcome.out
    assert "\\x1b[2JIs [red]ice[/red] cold?" in outcome.out


def test_nothing_can_be_read(project: Any) -> None:
    (project.folder / "questions.jsonl").unlink()
    outcome = show(project)
    assert outcome.code == 2
    assert "No questions." in outcome.out
    assert "questions.jsonl does not exist" in outcome.out
    assert "Traceback" not in outcome.err


def test_questions_that_have_no_text_in_a_groups_language_are_counted(project: Any) -> None:
    file = project.folder / "questions.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        if row["id"] == "metal-0":
            options = [f"{option} (fr)" for option in row["options"]]
            row["texts"] = {
                "fr": {"question": "Quel métal est liquide, " + "très " * 50 + "vite ?", "options": options}
            }
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    plain = show(project)
    assert "Note: " not in plain.out
    told = show(project, "+groups.members.north.language=fr")
    assert told.code == 0, told.err
    lacking = f"Note: {len(rows) - 1} of {len(rows)} questions have no text in 'fr', the language of 'north'"
    assert lacking in told.out
    assert "Quel métal est liquide" in told.out  # the sample, to the first group
    assert "Mercury (fr)  (gold)" in told.out
    longest = [int(re.findall(r"longest answer takes ([\d,]+) tokens", one.out)[0]) for one in (plain, told)]
    assert longest[1] > longest[0] + 50
