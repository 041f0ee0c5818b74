"""``trialign test --dry-run``: counted, and nothing asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from trialign.audit.asking.endpoint import answer_file

from .conftest import free_port

pytestmark = pytest.mark.integration


def test_of_weights_at_hand_scores_and_words_are_told_and_no_audit_is_made(project: Any) -> None:
    project.set(audit__answers=["scored", "replies"])
    outcome = project.call("test", "--config", project.folder / "mine.yaml", "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "scored options" in outcome.out
    assert "in words" in outcome.out
    assert not list(project.runs.glob("*/audits"))


@pytest.fixture
def words(project: Any, tmp_path: Path) -> list[str]:
    """An audit of a server that is not there."""
    file = project.folder / "mine.yaml"
    stated = yaml.safe_load(file.read_text(encoding="utf-8"))
    del stated["model"]
    stated["defaults"][3] = {"override model": "endpoint"}
    file.write_text(yaml.safe_dump(stated, sort_keys=False), encoding="utf-8")
    prices = tmp_path / "prices.yaml"
    prices.write_text("currency: EUR\nmodels: {far: {prompt: 1000, reply: 2000}}\n")
    url = f"http://127.0.0.1:{free_port()}/v1"
    named = [f"model.base_url={url}", "model.name=far", "prompt.options=lettered", f"model.endpoint.prices={prices}"]
    return ["test", "--config", str(file), *named]


def test_of_a_server_requests_tokens_cost_and_time_are_told_and_it_is_not_asked(project: Any, words: list[str]) -> None:
    outcome = project.call(*words, "model.endpoint.requests_per_minute=2", "audit.max_new_tokens=10", "--dry-run")
    assert outcome.code == 0, outcome.err
    [row] = [line for line in outcome.out.splitlines() if "replies" in line and "│" in line]
    _, requests, prompt, reply, cost = (cell.strip().replace(",", "") for cell in row.strip("│ ").split("│"))
    assert int(reply) == 10 * int(requests) > 0
    assert float(cost) == pytest.approx((1000 * int(prompt) + 2000 * int(reply)) / 1e6, abs=1e-4)
    assert f"at least {-(-int(requests) // 2)} minutes" in outcome.out
    assert "tokens are estimated" in outcome.out
    assert "Nothing was asked." in outcome.out


def test_answers_that_are_kept_are_told(project: Any, words: list[str]) -> None:
    url = words[3].partition("=")[2]
    file = answer_file(project.runs / ".answers", url, "far")
    file.parent.mkdir(parents=True)
    file.write_text('{"key": "a", "text": "B", "finish": "stop", "model": "m"}\n')
    outcome = project.call(*words, "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "1 answers of this model are kept" in outcome.out


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("model.endpoint.prices=nowhere.yaml", "cannot be read"),
        ("model.name=other", "states no prices of the model 'other'"),
        ("model.endpoint.most_tokens=0", "most_tokens"),
        ("model.endpoint.most_cost=-1", "most_cost"),
    ],
)
def test_what_is_wrong_with_prices_and_limits_is_said_before_anything_is_asked(
    project: Any, words: list[str], override: str, fault: str
) -> None:
    for more in (["--dry-run"], []):
        outcome = project.call(*words, override, *more)
        assert outcome.code == 2
        assert fault in outcome.err
        assert outcome.err.count("\n") == 1


def test_a_limit_of_cost_without_prices_is_refused(project: Any, words: list[str]) -> None:
    outcome = project.call(*words, "model.endpoint.prices=null", "model.endpoint.most_cost=1")
    assert outcome.code == 2
    assert "no prices are known" in outcome.err
