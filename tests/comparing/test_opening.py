from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from trialign.comparing.calibration import Calibration, Share
from trialign.comparing.entailment import Entailment
from trialign.comparing.judge import JudgeConfig
from trialign.comparing.opening import identity, open_comparer
from trialign.errors import UserError

pytestmark = pytest.mark.unit

NOBODY = JudgeConfig()


def keep(folder: Path, comparer: str, name: str = "calibration.json") -> Path:
    path = folder / name
    Calibration(comparer, "", Share(9, 10), Share(8, 10), Share(20, 20), {}).write(path)
    return path


def test_canonical_answers_are_measured_on_the_spot(tmp_path: Path) -> None:
    found = open_comparer("canonical", None, NOBODY, None, tmp_path / "x")
    assert (found.nli, found.judge) == (None, None)
    assert found.calibration.comparer == "canonical"
    assert found.calibration.usable


def test_the_calibration_lies_in_the_folder_of_the_model(make_classifier: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_classifier()
    with pytest.raises(UserError, match="was not measured"):
        open_comparer("nli", str(folder), NOBODY, None, tmp_path / "x")
    keep(folder, identity(Entailment.load(str(folder)), None))
    found = open_comparer("nli", str(folder), NOBODY, None, tmp_path / "x")
    assert isinstance(found.nli, Entailment)
    assert found.calibration.sensitivity == Share(9, 10)
    own = keep(tmp_path, found.calibration.comparer, "own.json")
    assert open_comparer("nli", str(folder), NOBODY, str(own), tmp_path / "x").calibration == found.calibration


def test_a_calibration_of_other_weights_is_refused(make_classifier: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_classifier()
    keep(folder, identity(Entailment.load(str(folder)), None))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps({**config, "id2label": {"0": "entailment", "1": "contradiction", "2": "neutral"}})
    )
    with pytest.raises(UserError, match="of another comparer"):
        open_comparer("nli", str(folder), NOBODY, None, tmp_path / "x")


def test_what_is_not_set_is_named(make_classifier: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"audit\.nli is not set"):
        open_comparer("nli", None, NOBODY, None, tmp_path / "x")
    with pytest.raises(UserError, match=r"audit\.judge\.name is not set"):
        open_comparer("judge", None, NOBODY, None, tmp_path / "x")


def test_a_judge_without_a_calibration_is_refused(
    monkeypatch: pytest.MonkeyPatch, make_judge: Callable[..., tuple[object, list[str]]], tmp_path: Path
) -> None:
    from trialign.comparing import opening

    judge, _ = make_judge(lambda content: "same")
    monkeypatch.setattr(opening.Judge, "at_the_door", lambda config, answers: judge)
    with pytest.raises(UserError, match=r"audit\.calibration is not set"):
        open_comparer("judge", None, NOBODY, None, tmp_path / "x")
    path = keep(tmp_path, identity(None, judge))  # type: ignore[arg-type]
    assert open_comparer("judge", None, NOBODY, str(path), tmp_path / "x").judge is judge
