"""Collecting by a server's scores alone: it gives what weights here would have given, and none are read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.echo_server import EchoServer
from trialign.models import ModelConfig
from trialign.trajectories.records import Trajectory, read_part

pytestmark = pytest.mark.integration

SUM = {"id": "sum", "split": "train", "kind": "truth", "answer_kind": "numeric", "gold": 12}


@pytest.fixture
def echo(tiny_config: ModelConfig) -> Iterator[EchoServer]:
    server = EchoServer(Path(str(tiny_config.path)), "base")
    yield server
    server.close()


@pytest.fixture
def asked(echo: EchoServer) -> list[str]:
    """The words that have a server write the replies."""
    at = [f"rollouts.base_url={echo.url}", "rollouts.model=base", "rollouts.attempts=1"]
    return ["rollouts.engine=server", *at, "collect.queries_per_part=3"]


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any) -> None:
        raise AssertionError("weights are loaded")

    monkeypatch.setattr("trialign.api.session.load_model", load)


def rows_of(folder: Path) -> list[Trajectory]:
    return [row for part in sorted(folder.glob("part-*.parquet")) for row in read_part(part)]


def without_scores(row: Trajectory) -> Trajectory:
    samples = tuple(replace(one, log_probability=0.0, behaviour=0.0) for one in row.samples)
    return replace(row, samples=samples, option_log_probabilities=(), unasked_log_probabilities=())


def scores(row: Trajectory) -> list[float | None]:
    of_samples = [value for one in row.samples for value in (one.log_probability, one.behaviour)]
    return [*row.option_log_probabilities, *row.unasked_log_probabilities, *of_samples]


@pytest.mark.parametrize("scoring", ["sum", "pmi"])
def test_what_is_collected_is_what_weights_here_would_have_given(
    project: Any, asked: list[str], scoring: str, request: pytest.FixtureRequest
) -> None:
    project.write_rows([*project.rows, {**SUM, "question": "How much is 5 and 7?"}])
    words = ["collect", "--config", "mine.yaml", f"scoring.kind={scoring}", *asked]
    assert (outcome := project.call(*words)).code == 0, outcome.err
    (by_weights,) = project.collections()
    request.getfixturevalue("no_weights")
    assert (outcome := project.call(*words, "rollouts.scores=server")).code == 0, outcome.err
    (by_server,) = {*project.collections()} - {by_weights}
    here, there = rows_of(by_weights), rows_of(by_server)
    assert [without_scores(row) for row in there] == [without_scores(row) for row in here]
    assert any(row.turn for row in here)
    assert any(not row.options for row in here)
    assert any(row.unasked for row in here) is (scoring == "pmi")
    for one, other in zip(there, here, strict=True):
        assert scores(one) == pytest.approx(scores(other), abs=1e-4)
    manifest = json.loads((by_server / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["rollouts"]["scores"] == "server"
    assert "scores" not in json.loads((by_weights / "manifest.json").read_text(encoding="utf-8"))["rollouts"]


def test_the_same_command_goes_on_where_it_was_cut_off_and_agents_are_trained_on_it(
    project: Any, asked: list[str], echo: EchoServer
) -> None:
    words = ["--config", "mine.yaml", *asked, "rollouts.scores=server"]
    assert project.call("collect", *words).code == 0
    (whole,) = project.collections()
    expected = rows_of(whole)
    for part in whole.iterdir():
        part.unlink()
    echo.left = len(echo.asked) // 2
    outcome = project.call("collect", *words)
    assert outcome.code == 1
    assert "gives no reply" in outcome.err
    kept = {path.name: path.stat().st_mtime_ns for path in whole.glob("part-*.parquet")}
    assert 1 <= len(kept) < 3
    echo.left = float("inf")
    assert project.call("collect", *words).code == 0
    assert rows_of(whole) == expected
    assert kept.items() <= {path.name: path.stat().st_mtime_ns for path in whole.glob("part-*.parquet")}.items()
    echo.asked.clear()
    assert (outcome := project.call("fit", *words, "trainer.audits=false")).code == 0, outcome.err
    assert echo.asked == []
    assert project.collections() == [whole]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rollouts.engine=transformers"], "rollouts.engine=transformers"),
        (["rollouts.token_ids=false"], "rollouts.token_ids=false"),
        (["collect.temperature=0.7"], "collect.temperature=0.7"),
        (["model.quantization=nf4"], "model.quantization=nf4"),
        (["objective.text.weight=1"], "objective.text.weight=1"),
        (["objective=bct"], "objective.imitate=unprofiled"),
        (["objective=gate", "objective.gate.facts=adapter"], "objective=gate"),
        (["collect.behaviour=runs/other"], "collect.behaviour"),
    ],
)
def test_what_a_servers_scores_cannot_collect_is_refused_at_the_door(
    project: Any, asked: list[str], no_weights: None, echo: EchoServer, words: list[str], said: str
) -> None:
    project.write_rows([*project.rows, {**SUM, "question": "How much is 5 and 7?"}])
    outcome = project.call("collect", "--config", "mine.yaml", *asked, "rollouts.scores=server", *words)
    assert outcome.code == 2
    assert said in outcome.err
    assert "Set " in outcome.err
    assert echo.asked == []
    assert not project.runs.exists()


def test_a_temperature_is_no_matter_where_options_alone_are_drawn(project: Any, asked: list[str]) -> None:
    words = ["rollouts.scores=server", "collect.temperature=0.7", "environment.turns=0"]
    assert project.call("collect", "--config", "mine.yaml", *asked, *words).code == 0


def test_a_server_that_gives_no_scores_is_found_out(project: Any, asked: list[str], echo: EchoServer) -> None:
    echo.echoes = False
    outcome = project.call("collect", "--config", "mine.yaml", *asked, "rollouts.scores=server")
    assert outcome.code == 2
    assert "gives no log-probabilities of prompts as the model 'base'" in outcome.err
    assert "rollouts.scores=here" in outcome.err


def test_replies_of_another_model_than_the_one_that_scores_are_found_out(
    project: Any, asked: list[str], echo: EchoServer
) -> None:
    project.write_rows([{**SUM, "id": f"sum-{n}", "question": f"How much is {n} and 7?"} for n in range(3)])
    report = echo.continued

    def shifted(body: Any) -> dict[str, Any]:
        reply = report(body)
        reply["logprobs"]["token_logprobs"] = [value - 0.3 for value in reply["logprobs"]["token_logprobs"]]
        return reply

    echo.continued = shifted  # type: ignore[method-assign]
    outcome = project.call("collect", "--config", "mine.yaml", *asked, "rollouts.scores=server")
    assert outcome.code == 2
    assert "does not sample the policy that it scores" in outcome.err
    assert "differ from those that it gives them in a prompt by 0.30 nats a token" in outcome.err
