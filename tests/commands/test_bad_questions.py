"""Questions that cannot be put to a run, and places where answers cannot go."""

from __future__ import annotations

from typing import Any

import pytest

from .test_bad_input import refused

pytestmark = pytest.mark.integration


# Questions to a run


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("Why?", "--option", "Yes"), ("Give at least two, with different texts",)),
        (("Why?", "--option", "Yes", "--option", "Yes"), ("with different texts",)),
        (("Why?", "--option", "Yes", "--option", " "), ("option is empty",)),
        (("  ",), ("The question is empty",)),
        (("Why?", "--exposure", "implicit"), ("group 'north' has no implicit profile",)),
        (("Why? " * 300,), ("'asked'", "context has 1024")),
    ],
)
def test_a_question_that_cannot_be_asked(trained: Any, words: tuple[str, ...], names: tuple[str, ...]) -> None:
    refused(trained, "ask", *words, "--run", "runs/mine", names=names)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('{"id": "a", "split": "test", "kind": "truth"}\n', ("bad.jsonl, row 1, query 'a'", "'question' is missing")),
        ('{"id": "a", "spl', ("bad.jsonl, row 1", "no valid JSON")),
        ("", ("bad.jsonl is empty",)),
    ],
)
def test_a_file_that_cannot_be_predicted(trained_copy: Any, text: str, names: tuple[str, ...]) -> None:
    (trained_copy.folder / "bad.jsonl").write_text(text)
    (trained_copy.folder / "answers.jsonl").write_text("older answers\n")
    argv = ("predict", "bad.jsonl", "--run", "runs/mine", "--output", "answers.jsonl")
    refused(trained_copy, *argv, names=names)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("question\nWhy?\n" + "Why? " * 300 + "\n", ("bad.csv, row 3:", "context has 1024")),
        ("asked\nWhy?\n", ("bad.csv, row 2", "there are: asked", "--question")),
        ("question,id\nWhy?,a\nHow?,a\n", ("bad.csv, row 3", "the id 'a' is taken already")),
    ],
)
def test_a_table_that_cannot_be_predicted(trained_copy: Any, text: str, names: tuple[str, ...]) -> None:
    (trained_copy.folder / "bad.csv").write_text(text)
    refused(trained_copy, "predict", "bad.csv", "--run", "runs/mine", "--output", "answers.jsonl", names=names)


def test_answers_never_replace_their_questions(trained_copy: Any) -> None:
    argv = ("predict", "questions.jsonl", "--run", "runs/mine", "--output", "questions.jsonl")
    refused(trained_copy, *argv, names=("holds the questions",))
    argv = ("predict", "questions.jsonl", "--run", "runs/mine", "--output", "answers.jsonl", "--encoding", "none such")
    refused(trained_copy, *argv, names=("The encoding 'none such' is not known",))


@pytest.mark.parametrize(
    ("output", "names"),
    [("nowhere/answers.jsonl", ("There is no folder nowhere",)), ("groups", ("groups is a folder",))],
)
def test_an_output_that_cannot_be_written(trained: Any, output: str, names: tuple[str, ...]) -> None:
    refused(trained, "predict", "questions.jsonl", "--run", "runs/mine", "--output", output, names=names)


def test_an_export_to_a_folder_that_is_there(trained_copy: Any) -> None:
    (trained_copy.folder / "out").mkdir()
    argv = ("export", "--run", "runs/mine", "--output", "out")
    refused(trained_copy, *argv, names=("out exists already", "Name a new folder with --output"))
