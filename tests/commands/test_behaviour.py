"""Trained agents that write the next trajectories (`collect.behaviour`), through the real command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from trialign.trajectories.records import Trajectory, read_part
from trialign.trajectories.store import TrajectoryStore

pytestmark = pytest.mark.integration

RUN = "collect.behaviour=runs/mine"
ARGUED = ("environment.turns=1", "environment.revision_share=1")


def made(project: Any, *words: str) -> Path:
    """Folder of the collection that a command makes."""
    known = set(project.collections())
    outcome = project.call("collect", "--config", "mine.yaml", "name=second", *words)
    assert outcome.code == 0, outcome.err
    (folder,) = set(project.collections()) - known
    return Path(folder)


def rows(folder: Path) -> list[Trajectory]:
    return [row for part in sorted(folder.glob("part-*.parquet")) for row in read_part(part)]


def test_a_run_writes_the_next_one_s_trajectories(trained_copy: Any) -> None:
    base, own = rows(made(trained_copy, *ARGUED, "seed=5")), made(trained_copy, *ARGUED, "seed=5", RUN)
    manifest = json.loads((own / "manifest.json").read_text(encoding="utf-8"))
    agents = json.loads((trained_copy.runs / "mine/agents/step=000004/manifest.json").read_text(encoding="utf-8"))
    assert manifest["behaviour"] == {
        group: agents["files"][f"{group}/adapter_model.safetensors"] for group in ("north", "south", "island")
    }
    written = rows(own)
    assert len(written) == len(base) > 0
    for one, other in zip(written, base, strict=True):
        if one.turn == 0:
            # Asked alike, and held against the same reference.
            assert one.prompt == other.prompt
            assert one.option_log_probabilities == pytest.approx(other.option_log_probabilities, abs=1e-4)
    drawn, by_base = ([s.behaviour for row in them if row.turn == 0 for s in row.samples] for them in (written, base))
    assert drawn != pytest.approx(by_base, abs=1e-3)
    store = TrajectoryStore(own, manifest)
    assert list(store.read()) == written
    # The same agents give the collection its name: nothing is made twice, wherever the run is named from.
    known = trained_copy.collections()
    again = trained_copy.call(
        "collect",
        "--config",
        "mine.yaml",
        "name=third",
        *ARGUED,
        "seed=5",
        f"collect.behaviour={trained_copy.runs}/mine",
    )
    assert again.code == 0
    assert trained_copy.collections() == known


def test_agents_that_learned_nothing_write_what_the_base_model_does(trained_copy: Any) -> None:
    assert trained_copy.fit("name=still", "optimizer.learning_rate=0").code == 0
    base, own = (
        rows(made(trained_copy, *ARGUED, "seed=6", *extra)) for extra in ([], ["collect.behaviour=runs/still"])
    )
    assert [row.prompt for row in own] == [row.prompt for row in base]  # of later turns too: each heard the same
    for one, other in zip(own, base, strict=True):
        assert [s.token_ids for s in one.samples] == [s.token_ids for s in other.samples]
        assert [s.behaviour for s in one.samples] == pytest.approx([s.behaviour for s in other.samples], abs=1e-4)


def test_the_next_run_trains_on_it_and_goes_on_from_the_agents(trained_copy: Any) -> None:
    agents = "runs/mine/agents/step=000004"
    start = f"policy.start={{north: '{agents}/north', south: '{agents}/south', island: '{agents}/island'}}"
    outcome = trained_copy.fit("name=second", RUN, start, "collect.seed=9")
    assert outcome.code == 0, outcome.err
    (summary,) = trained_copy.runs.glob("second/audits/step=000004.*/summary.json")
    assert json.loads(summary.read_text(encoding="utf-8"))["n_queries"] > 0
    # Without the run whose agents wrote, what it left behind still stands; only the collection has no name any more.
    shutil.rmtree(trained_copy.runs / "mine")
    assert trained_copy.call("test", "--run", "runs/second").code == 0
    refused = trained_copy.fit("name=second", RUN, start, "collect.seed=9")
    assert refused.code == 2
    assert "There is no" in refused.err


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["collect.behaviour=runs/none"], ("There is no run in runs/none",)),
        ([RUN, "name=mine"], ("which is this run itself", "another name")),
        (
            [RUN, "rollouts.engine=server", "rollouts.base_url=http://127.0.0.1:9/v1"],
            ("rollouts.engine=transformers", "collect.behaviour=null"),
        ),
        ([RUN, "prompt.system=Answer."], ("were trained under another prompt",)),
        (
            [RUN, "groups.members.east.label=East", "groups.members.east.explicit=[The user lives in the east.]"],
            ("have no adapter for group 'east'", "Name a run of the same groups"),
        ),
    ],
)
def test_agents_that_cannot_write_are_refused(trained_copy: Any, words: list[str], names: tuple[str, ...]) -> None:
    # Questions on taste would be refused first: they have no target for a new group.
    trained_copy.write_rows([row for row in trained_copy.rows if row["kind"] == "truth"])
    before = trained_copy.files()
    words = ["+" + word if word.startswith("groups.") else word for word in words]
    outcome = trained_copy.call("collect", "--config", "mine.yaml", "name=second", *words)
    assert outcome.code == 2, outcome.err
    assert outcome.err.count("\n") == 1
    for name in names:
        assert name in outcome.err
    assert trained_copy.files() == before


def test_a_run_that_is_not_finished_or_of_other_bits_is_refused(trained_copy: Any) -> None:
    finished, manifest = (
        trained_copy.runs / "mine" / name for name in ("finished.json", "agents/step=000004/manifest.json")
    )
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["base_model"]["quantization"] = "nf4"
    manifest.write_text(json.dumps(told), encoding="utf-8")
    outcome = trained_copy.call("collect", "--config", "mine.yaml", "name=second", RUN)
    assert outcome.code == 2
    assert "were trained over weights with model.quantization=nf4, and it is none" in outcome.err
    finished.unlink()
    outcome = trained_copy.call("collect", "--config", "mine.yaml", "name=second", RUN)
    assert outcome.code == 2
    assert "is not finished, and its agents may yet change" in outcome.err


def test_a_run_of_another_base_model_or_without_agents_is_refused(trained_copy: Any) -> None:
    manifest = trained_copy.runs / "mine/agents/step=000004/manifest.json"
    text = manifest.read_text(encoding="utf-8")
    told = json.loads(text)
    told["base_model"]["sha256"] = "0" * 64
    manifest.write_text(json.dumps(told), encoding="utf-8")
    outcome = trained_copy.call("collect", "--config", "mine.yaml", "name=second", RUN)
    assert outcome.code == 2
    assert "were trained on a base model with SHA-256 000000000000" in outcome.err
    shutil.rmtree(trained_copy.runs / "mine" / "agents")
    outcome = trained_copy.call("collect", "--config", "mine.yaml", "name=second", RUN)
    assert outcome.code == 2
    assert "has no agents yet" in outcome.err
