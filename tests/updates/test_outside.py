"""Updates from outside the package: found by their dotted path, made with their settings, refused in one sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trialign.errors import UserError
from trialign.objectives.config import ObjectiveConfig
from trialign.scoring import Scoring
from trialign.updates import Update, updates_of

pytestmark = pytest.mark.unit

MODULE = """
import dataclasses
from typing import Annotated, Literal

from pydantic import Field

from trialign.updates import Update, UpdateLoss
from trialign.updates.awr import Awr


@dataclasses.dataclass(frozen=True)
class Mine(Awr):
    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    sizes: tuple[int, ...] = ()
    way: Literal["up", "down"] = "up"
    derived: int = dataclasses.field(init=False, default=7)


@dataclasses.dataclass(frozen=True)
class Needs(Awr):
    share: float

    def __post_init__(self):
        if self.share == 0.25:
            raise ValueError("a quarter\\nis too little")


class Half(Update):
    def answers(self, trajectory):
        return trajectory.options


class Stranger:
    pass


def function():
    pass
"""


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Update[Any]]]:
    """Makes an update of a module that lies in the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("rules.py").write_text(MODULE, encoding="utf-8")
    before = set(sys.modules)

    def made(path: str, **settings: Any) -> Update[Any]:
        (update,) = updates_of(ObjectiveConfig(update=path, settings=settings), Scoring("mean"))
        return update

    yield made
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_the_settings_are_its_fields(make: Callable[..., Any]) -> None:
    update = make("rules:Mine", share=1, sizes=[1, 2], way="down")
    assert (update.share, update.sizes, update.way, update.derived) == (1.0, (1, 2), "down", 7)
    assert update.scoring == Scoring("mean")
    assert update.objective.settings["share"] == 1
    assert make("rules:Mine").share == 0.5


def test_the_working_folder_is_searched_for_this_import_alone(make: Callable[..., Any]) -> None:
    before = list(sys.path)
    make("rules:Mine")
    assert sys.path == before
    Path("shelf").mkdir()
    (Path("shelf") / "inner.py").write_text(MODULE, encoding="utf-8")
    assert make("shelf.inner:Mine").share == 0.5


@pytest.mark.parametrize(
    ("path", "settings", "problem", "remedy"),
    [
        ("nowhere:Mine", {}, r"nowhere cannot be imported \(ModuleNotFound.*'nowhere'", "folder that holds nowhere"),
        ("a.b.c:Mine", {}, r"module a\.b\.c cannot be imported", "folder that holds a, put"),
        ("rules:Yours", {}, "rules has no update Yours", "Name one that it has: Mine, Needs, Half"),
        ("rules:Stranger", {}, "rules has no update Stranger", "Name one that it has"),
        ("rules:function", {}, "rules has no update function", "Name one that it has"),
        ("rules:Update", {}, "does not define answers, count, loss, units", "as trialign.updates.Update"),
        ("rules:Half", {}, "does not define count, loss, units", "as trialign.updates.Update"),
        ("rules:Mine", {"shar": 1}, r"Unknown config key objective\.settings\.shar", "mean objective.settings.share?"),
        (
            "rules:Mine",
            {"scoring": "sum"},
            r"Unknown config key objective\.settings\.scoring",
            "Known keys here: share",
        ),
        ("rules:Mine", {"derived": 1}, r"Unknown config key objective\.settings\.derived", "Known keys here"),
        ("rules:Mine", {"share": 2}, r"settings\.share is wrong: .*less than or equal to 1", "Correct this value"),
        ("rules:Mine", {"share": "much"}, r"settings\.share is wrong: .*\(got 'much'\)", "Correct this value"),
        ("rules:Mine", {"share": float("nan")}, r"settings\.share is wrong", "Correct this value"),
        ("rules:Mine", {"way": "left"}, r"settings\.way is wrong", "Correct this value"),
        ("rules:Needs", {}, r"cannot be made with these settings .*'share'", "Correct objective.settings"),
        ("rules:Needs", {"share": 0.25}, r"\(a quarter is too little\)", "Correct objective.settings"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(
    make: Callable[..., Any], path: str, settings: dict[str, Any], problem: str, remedy: str
) -> None:
    with pytest.raises(UserError, match=problem) as raised:
        make(path, **settings)
    assert remedy in raised.value.remedy
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("def broken(:\n", "SyntaxError: invalid syntax"),
        ("import torch_of_another_house\n", "No module named 'torch_of_another_house'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("raise ValueError('two\\nlines')\n", "ValueError: two lines"),
        ("\0", "SyntaxError: source code string cannot contain null bytes"),
    ],
)
def test_a_module_that_cannot_be_imported_is_told(make: Callable[..., Any], text: str, fault: str) -> None:
    Path("broken_rules.py").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=f"module broken_rules cannot be imported .*{fault}") as raised:
        make("broken_rules:Mine")
    assert "\n" not in str(raised.value)


def test_a_class_that_is_no_dataclass_has_no_settings(make: Callable[..., Any]) -> None:
    Path("plain_rules.py").write_text(
        "from trialign.updates.topr import Topr\n\n\nclass Plain(Topr):\n    factor: float = 2.0\n", encoding="utf-8"
    )
    assert make("plain_rules:Plain").factor == 2.0
    with pytest.raises(UserError, match=r"Unknown config key objective\.settings\.factor") as raised:
        make("plain_rules:Plain", factor=3)
    assert "leave it out" in raised.value.remedy
