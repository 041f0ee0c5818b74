"""Facts learned without profiles and tastes with them: merged into one adapter, or each behind the gate."""

from __future__ import annotations

import csv
import json
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from trialign.audit.files.items import read_items
from trialign.models import ModelConfig
from trialign.trajectories.records import Trajectory, read_part

from . import losses_by_hand as hand

pytestmark = pytest.mark.integration

MEMBERS = ("north", "south", "island")
EVERYONE = (*MEMBERS, "control")
WEIGHTS = "adapter_model.safetensors"
QUESTION, OPTIONS = "What is the capital of France?", ("Lyon", "Paris")


@pytest.fixture(scope="module")
def house(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A project with its runs of both methods in parts; two steps of each part, in one batch all questions of it."""
    project = make_project(tmp_path_factory.mktemp("parts") / "project")
    project.set(trainer__steps=4, trainer__validate_every=0, optimizer__warmup_steps=0, trainer__gradient_clip=0.0)
    project.set(trainer__queries_per_step=4, policy__rank=4)
    for method in ("two_adapters", "gate_adapter"):
        assert project.fit(f"name={method}", f"objective={method}").code == 0
    return project


def delta(weights: dict[str, torch.Tensor], scale: float) -> dict[str, torch.Tensor]:
    """What an adapter adds to each layer's matrix."""
    return {
        name: scale * weights[name.replace("lora_A", "lora_B")] @ down
        for name, down in weights.items()
        if ".lora_A." in name
    }


def losses(folder: Path) -> list[float]:
    with (folder / "logs" / "metrics.csv").open(encoding="utf-8", newline="") as lines:
        return [float(row["train/loss"]) for row in csv.DictReader(lines) if row["train/loss"]]


def test_the_merged_adapter_is_the_sum_of_the_two_updates(house: Any) -> None:
    run = house.runs / "two_adapters"
    facts = load_file(run / "parts" / "facts" / "agents" / "step=000002" / "facts" / WEIGHTS)
    assert {tensor.shape[0] for name, tensor in facts.items() if ".lora_A." in name} == {2}
    for group in MEMBERS:
        tastes = load_file(run / "parts" / "tastes" / "agents" / "step=000002" / group / WEIGHTS)
        folder = run / "agents" / "step=000004" / group
        settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        assert (settings["r"], settings["lora_alpha"]) == (4, 8)
        parts, whole = (delta(facts, 2.0), delta(tastes, 2.0)), delta(load_file(folder / WEIGHTS), 2.0)
        for name, update in whole.items():
            assert torch.allclose(update, parts[0][name] + parts[1][name], atol=1e-6)
        assert max(float(update.abs().max()) for update in parts[0].values()) > 0
        assert max(float(update.abs().max()) for update in parts[1].values()) > 0


def test_the_weights_of_the_sum_are_the_configurations(house: Any) -> None:
    """Of nothing but tastes there remains the tastes' adapter; of nothing but facts one adapter for all groups."""
    words = ("objective=two_adapters", "objective.merge.facts=0.25", "objective.merge.tastes=0.0")
    assert house.fit("name=quarter", *words).code == 0
    run = house.runs / "quarter"
    facts = delta(load_file(run / "parts" / "facts" / "agents" / "step=000002" / "facts" / WEIGHTS), 2.0)
    for group in MEMBERS:
        found = delta(load_file(run / "agents" / "step=000004" / group / WEIGHTS), 2.0)
        for name, update in found.items():
            assert torch.allclose(update, 0.25 * facts[name], atol=1e-6)


def test_facts_are_learned_without_a_profile_and_tastes_with_one(house: Any, tiny_config: ModelConfig) -> None:
    """The first loss of each part, by the formula, over transformers alone."""
    base = AutoModelForCausalLM.from_pretrained(tiny_config.path).eval()

    def score(_: str, prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
        return hand.log_probability(base, prompt, answer)

    rows = [
        row
        for folder in house.collections()
        for part in sorted(folder.glob("*.parquet"))
        for row in read_part(part)
        if row.split == "train"
    ]
    unprofiled = [(row,) for row in rows if row.group == "control" and row.options]
    assert len(unprofiled) == 4  # all in one step
    expected = hand.likelihood_loss(hand.Step(("control",), tuple(unprofiled), score), _gold)
    for method in ("two_adapters", "gate_adapter"):
        assert losses(house.runs / method / "parts" / "facts")[0] == pytest.approx(expected, rel=2e-4)
        assert len(losses(house.runs / method / "parts" / "tastes")) == 2
    tastes = {(row.query_id, row.turn, row.group): row for row in rows if row.kind == "preference"}
    seats = sorted({(query, turn) for query, turn, _ in tastes})
    step = hand.Step(MEMBERS, tuple(tuple(tastes[(*seat, group)] for group in MEMBERS) for seat in seats), score)
    expected = hand.welfare_loss("preference_only", step, hand.averaged(hand.utilities(step), hand.utilities(step)))
    assert losses(house.runs / "gate_adapter" / "parts" / "tastes")[0] == pytest.approx(expected, rel=2e-4)


def _gold(row: Trajectory) -> tuple[int, ...]:
    assert row.gold is not None
    return row.options[row.gold]


def test_an_exported_agent_answers_as_the_audit(house: Any, tiny_config: ModelConfig, renderer: Any) -> None:
    run, target = house.runs / "two_adapters", house.folder / "exported"
    assert house.call("export", "--run", run, "--output", target).code == 0
    items = read_items(run / "audits" / "step=000004.house.test" / "items.parquet")
    items = items[items["query_id"] == "capital-0"].set_index("group")
    model = AutoModelForCausalLM.from_pretrained(tiny_config.path)
    agent = PeftModel.from_pretrained(model, str(target / "north")).eval()
    profile = "You are a helpful assistant. The user lives beside a glacier."
    prompt = renderer.render((("system", profile), ("user", QUESTION)))
    scores = torch.tensor([hand.log_probability(agent, prompt, renderer.reply(option)) for option in OPTIONS])
    assert scores.softmax(dim=0).tolist() == pytest.approx(list(items.loc["north", "option_probabilities"]), abs=1e-4)


def test_behind_the_gate_facts_go_to_the_facts_adapter(house: Any, tiny_config: ModelConfig, renderer: Any) -> None:
    run = house.runs / "gate_adapter"
    folder = run / "agents" / "step=000004"
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    frame = read_items(run / "audits" / "step=000004.house.test" / "items.parquet")
    items = frame[(frame["group"] == frame["profile_group"]) & (frame["group"] != "control")]
    routed = items[items["adapter_sha256"] == files[f"facts/{WEIGHTS}"]]
    assert "capital-0" in set(routed["query_id"])
    agent = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(tiny_config.path), str(folder / "facts")
    ).eval()
    prompt = renderer.render((("system", "You are a helpful assistant."), ("user", QUESTION)))
    scores = torch.tensor([hand.log_probability(agent, prompt, renderer.reply(option)) for option in OPTIONS])
    for shares in routed[routed["query_id"] == "capital-0"]["option_probabilities"]:
        assert list(shares) == pytest.approx(scores.softmax(dim=0).tolist(), abs=1e-4)


def test_the_dashboard_asks_the_facts_adapter_too(house: Any) -> None:
    from trialign.dashboard.live.engine import Engine
    from trialign.dashboard.live.replies import Question, Source
    from trialign.queries import PreferenceQuery
    from trialign.runs import RunFolder

    run = house.runs / "gate_adapter"
    frame = read_items(run / "audits" / "step=000004.house.test" / "items.parquet")
    frame = frame[frame["query_id"] == "capital-0"].set_index("group")
    source = Source("gate_adapter", run / "config.yaml", 4, RunFolder(run).agents_at(4))
    question = Question(PreferenceQuery.asked(QUESTION, OPTIONS), "explicit", EVERYONE)
    engine = Engine()
    for _ in range(2):  # anew, and with what is held
        for reply in engine.answer(source, question, lambda _: False).replies:
            assert reply.probabilities == pytest.approx(list(frame.loc[reply.group, "option_probabilities"]), abs=1e-5)
            audited = frame.loc[reply.group, "adapter_sha256"]
            assert reply.adapter_sha256 == (None if reply.group == "control" else audited)


def test_a_run_goes_on_with_the_part_that_is_missing(house: Any) -> None:
    cut = house.runs / "cut"
    assert house.fit("name=cut", "objective=two_adapters").code == 0
    for gone in (cut / "parts" / "tastes", cut / "agents", cut / "audits" / "step=000004.house.test"):
        shutil.rmtree(gone)
    (cut / "finished.json").unlink()
    facts = cut / "parts" / "facts" / "agents" / "step=000002" / "manifest.json"
    before = facts.stat().st_mtime_ns
    assert house.fit("name=cut", "objective=two_adapters", "--resume").code == 0
    assert facts.stat().st_mtime_ns == before
    for group in MEMBERS:
        found, expected = (
            load_file(house.runs / name / "agents" / "step=000004" / group / WEIGHTS)
            for name in ("cut", "two_adapters")
        )
        for name, tensor in expected.items():
            assert torch.allclose(found[name], tensor, atol=1e-6)


def test_a_teacher_shows_both_parts_whole_sentences(house: Any) -> None:
    words = ("objective.text.weight=1", "objective.text.share=1", "objective.text.tokens=4", "objective.text.top_k=4")
    # The facts' agent is told of nobody, however the groups' profiles reach theirs.
    said = "[[{role: user, content: I live here.}, {role: assistant, content: Nice.}]]"
    revealed = ("collect.exposures=[implicit]", *(f"+groups.members.{group}.implicit={said}" for group in MEMBERS))
    with pytest.MonkeyPatch.context() as patch:  # a model of random weights never says what it was told
        patch.setattr("trialign.trajectories.teacher.states", lambda *_: True)
        outcome = house.fit("name=taught", "objective=two_adapters", *revealed, *words)
    assert outcome.code == 0
    assert "Left out" not in outcome.err
    for part in ("facts", "tastes"):
        with (house.runs / "taught" / "parts" / part / "logs" / "metrics.csv").open(encoding="utf-8") as lines:
            found = [float(row["train/text"]) for row in csv.DictReader(lines) if row.get("train/text")]
        assert len(found) == 2
        assert min(found) > 0
    # The facts' teacher is told of nobody: what it says is a collection of its own, of one agent without a profile.
    told = [json.loads(file.read_text()) for file in (house.runs / ".trajectories").glob("*/manifest.json")]
    texts = [one for one in told if "text" in one]
    assert sorted(len(one["groups"]) for one in texts) == [1, len(MEMBERS)]


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("policy.rank=3",), "Set both to even numbers"),
        (("policy.alpha=7",), "Set both to even numbers"),
        (("trainer.steps=1",), "Set it to 2 or more"),
        (("objective.gate.facts=adapter",), "Choose one of them"),
        (("policy.activation=profile", "prompt.profile=last"), "Set policy.activation=always"),
    ],
)
def test_what_cannot_be_in_two_parts_is_refused(project: Any, words: tuple[str, ...], remedy: str) -> None:
    outcome = project.fit("objective=two_adapters", *words)
    assert outcome.code == 2
    assert remedy in outcome.err


def test_runs_are_put_other_questions(
    house: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    main = runpy.run_path(str(folder / "elsewhere.py"))["main"]
    runs = [house.runs / "two_adapters", house.runs / "gate_adapter"]
    kept = {run: sorted(path.name for path in (run / "audits").iterdir()) for run in runs}
    main([*map(str, runs), "--data", "two_part"])
    rows: dict[str, str] = {}
    for line in capsys.readouterr().out.splitlines():
        if line.startswith("| "):
            rows.setdefault(line.split("|")[1].strip(), line)  # of the second table, what the first has not
    assert {"two_adapters", "gate_adapter", "base model", "two_adapters minus"} <= set(rows)
    for run in runs:
        added = {path.name for path in (run / "audits").iterdir()} - set(kept[run])
        assert "step=000004.two_part.test" in added
    summary = runs[1] / "audits" / "step=000004.two_part.test" / "summary.json"
    errors = json.loads(summary.read_text(encoding="utf-8"))["gate"]["truth"]
    assert errors["questions"] == 49
    assert f"{errors['taken_for_tastes']} of 49" in rows["gate_adapter"]
    assert rows["two_adapters"].rstrip(" |").endswith("-")
