"""The example of an objective from outside the package, through the real command line."""

from __future__ import annotations

import csv
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import AutoModelForCausalLM

from trialign.models import ModelConfig
from trialign.trajectories.records import read_part

from . import losses_by_hand as hand

pytestmark = pytest.mark.integration

EXAMPLES = Path(__file__).parents[2] / "examples"
MEMBERS = ("north", "south", "island")
WORDS = ("objective.name=margin", "objective.update=custom_objective:Margin", "+objective.settings.margin=2.0")


def losses(run: Path) -> list[float]:
    with (run / "logs" / "metrics.csv").open(encoding="utf-8", newline="") as lines:
        return [float(row["train/loss"]) for row in csv.DictReader(lines) if row["train/loss"]]


@pytest.fixture
def mine(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tiny project, with the example's module in its folder."""
    shutil.copy(EXAMPLES / "custom_objective.py", project.folder)
    monkeypatch.delitem(sys.modules, "custom_objective", raising=False)
    return project


def test_the_example_trains_the_smoke_run(tmp_path: Path) -> None:
    for name in ("custom_objective.py", "custom_objective.yaml"):
        shutil.copy(EXAMPLES / name, tmp_path)
    # As a user calls it: the installed command, which does not look for modules in the working folder by itself.
    command = [str(Path(sys.executable).with_name("trialign")), "fit", "--config", "custom_objective.yaml"]
    quick = ("data.limit=2", "audit.answers=[scored]")
    done = subprocess.run([*command, *quick], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "custom_objective"
    assert len(losses(run)) == 4
    assert all(math.isfinite(loss) and loss > 0 for loss in losses(run))
    assert (run / "agents" / "step=000004" / "liberal" / "adapter_model.safetensors").is_file()
    stored = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["objective"]
    assert (stored["name"], stored["update"]) == ("margin", "custom_objective:Margin")
    # An audit learns nothing, and needs no module to learn by.
    (tmp_path / "custom_objective.py").unlink()
    again = [command[0], "test", "--run", "runs/custom_objective"]
    assert subprocess.run(again, cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_its_first_loss_by_hand(mine: Any, tiny_config: ModelConfig) -> None:
    questions = sum(row["split"] == "train" for row in mine.rows)
    assert mine.fit(*WORDS, f"trainer.queries_per_step={questions}", "trainer.steps=1").code == 0
    base = AutoModelForCausalLM.from_pretrained(tiny_config.path).eval()
    rows = [row for part in mine.collections()[0].glob("*.parquet") for row in read_part(part)]
    leads = []
    for row in (row for row in rows if row.split == "train"):
        scores = [hand.log_probability(base, row.prompt, option) for option in row.options]
        wanted = hand.best(row)
        assert wanted is not None
        leads.append(scores[wanted] - max(score for place, score in enumerate(scores) if place != wanted))
    assert len(leads) > 3 * questions  # every group, and the second turn of some
    expected = sum(max(0.0, 2.0 - lead) for lead in leads) / len(leads)
    assert losses(mine.runs / "mine") == [pytest.approx(expected, rel=2e-4)]


def test_it_goes_on_where_it_was_cut_off(mine: Any, stop_at: Any) -> None:
    assert mine.fit(*WORDS, "name=whole").code == 0
    with stop_at(2):
        assert mine.fit(*WORDS, "name=cut").code != 0
    assert mine.call("fit", "--config", mine.runs / "cut" / "config.yaml", "--resume").code == 0
    files = [f"agents/step=000004/{group}/adapter_model.safetensors" for group in MEMBERS]
    whole, cut = ([(mine.runs / name / file).read_bytes() for file in files] for name in ("whole", "cut"))
    assert whole == cut


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("objective.update=custom_objectives:Margin",), "put that folder on PYTHONPATH"),
        (("objective.update=custom_objective:Margn",), "Name one that it has: Margin"),
        (("objective.update=custom_objective",), "or one of your own: module:Class"),
        ((*WORDS[:2], "+objective.settings.width=2"), "Known keys here: margin"),
        ((*WORDS[:2], "+objective.settings.margin=-1"), "objective.settings.margin is wrong"),
        (("+objective.settings.margin=1",), "the update auto has no settings"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_made(mine: Any, words: tuple[str, ...], message: str) -> None:
    before = mine.files().keys()
    outcome = mine.fit(*words)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert {name for name in mine.files().keys() - before if "__pycache__" not in name} == set()


def test_a_question_that_it_cannot_learn_from_is_told_and_what_was_collected_is_kept(mine: Any) -> None:
    number = {"id": "number", "split": "train", "kind": "truth", "answer_kind": "numeric", "gold": 12}
    mine.write_rows([*mine.rows, {**number, "question": "How much is 5 and 7?"}])
    outcome = mine.fit(*WORDS)
    assert outcome.code == 2
    assert "objective.update=custom_objective:Margin takes no answers to 'number'" in outcome.err
    assert len(mine.collections()) == 1
    assert not (mine.runs / "mine").exists()


@pytest.mark.parametrize("answers", ["()", "((),)"])
def test_a_question_to_which_it_names_no_answer_is_told(mine: Any, answers: str) -> None:
    text = f"""
from trialign.updates.likelihood import Likelihood


class Silent(Likelihood):
    def answers(self, trajectory):
        return {answers}
"""
    (mine.folder / "silent_rules.py").write_text(text, encoding="utf-8")
    sys.modules.pop("silent_rules", None)
    outcome = mine.fit("objective.update=silent_rules:Silent")
    assert outcome.code == 2
    assert "objective.update=silent_rules:Silent takes no answers to" in outcome.err
