"""An audit as sample logs of lm-evaluation-harness, beside lines that the harness itself wrote."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest

from trialign.audit.files.folders import audit_folder
from trialign.audit.files.items import read_items
from trialign.audit.report.lm_eval import write_samples
from trialign.errors import UserError
from trialign.queries.logs import LogConfig, read_logs

pytestmark = pytest.mark.unit

THEIRS = Path(__file__).parents[2] / "queries" / "logs"
MEMBERS = ("north", "south", "island")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def samples(write_audit: Callable[..., Path], tmp_path: Path) -> dict[str, list[dict[str, Any]]]:
    """Group -> the samples that an audit of it became."""
    written = write_samples(audit_folder(write_audit()), tmp_path / "logs")
    assert [path.parent for path in written] == [tmp_path / "logs"] * len(written)
    return {path.name.split("_")[2]: lines(path) for path in written}


@pytest.mark.parametrize("kind", ["words", "choices"])
def test_hashes_are_made_as_the_harness_makes_them(kind: str) -> None:
    for one in lines(THEIRS / f"samples_{kind}.jsonl"):
        assert one["doc_hash"] == sha256(json.dumps(one["doc"], indent=2, ensure_ascii=False))
        assert one["prompt_hash"] == sha256(one["arguments"]["gen_args_0"]["arg_0"])
        assert one["target_hash"] == sha256(one["target"])


def test_a_sample_has_the_fields_of_the_harness_in_its_order(samples: dict[str, list[dict[str, Any]]]) -> None:
    theirs = lines(THEIRS / "samples_choices.jsonl")[0]
    ours = samples["north"][0]
    assert [*ours] == [*theirs]
    assert {key: type(value) for key, value in ours.items()} == {key: type(value) for key, value in theirs.items()}
    assert [type(one) for one in ours["resps"][0][0]] == [type(one) for one in theirs["resps"][0][0]] == [str, str]
    assert ours["arguments"].keys() >= {"gen_args_0", "gen_args_1"}
    assert ours["doc_hash"] == sha256(json.dumps(ours["doc"], indent=2, ensure_ascii=False))


def test_each_agent_is_a_task(samples: dict[str, list[dict[str, Any]]]) -> None:
    assert [*samples] == [*MEMBERS, "control"][: len(samples)]
    for group in MEMBERS:
        found = samples[group]
        assert [one["doc_id"] for one in found] == list(range(11))  # eight facts, three tastes
        assert {one["doc"]["group"] for one in found} == {group}
    # "rrr", "rrw", "rww", "rwv", "www", "www", "rrr", "rrr"
    assert [one["acc"] for one in samples["island"][:8]] == [1, 0, 0, 0, 0, 0, 1, 1]
    assert [one["acc"] for one in samples["north"][:8]] == [1, 1, 1, 1, 0, 0, 1, 1]
    assert samples["north"][0]["target"] == "0"


def test_a_taste_has_the_score_on_its_own_target(samples: dict[str, list[dict[str, Any]]]) -> None:
    taste = samples["south"][8]
    assert taste["metrics"] == ["preference"]
    assert "acc" not in taste
    assert taste["target"] == "this"  # (0.6, 0.4); a reply, not scored options
    assert (taste["resps"], taste["filtered_resps"]) == ([["this"]], ["this"])
    assert taste["preference"] == 0.3


def test_what_was_written_reads_as_what_it_was(write_audit: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_audit()
    write_samples(audit_folder(folder), tmp_path / "logs")
    items = read_items(folder / "items.parquet")
    own = items[items["group"] == items["profile_group"]]
    asked = {(row.group, row.query_id): row for row in own.itertuples()}
    found = read_logs(LogConfig(str(tmp_path / "logs" / "*.jsonl")), [*MEMBERS, "control"])
    assert {(one.group, one.question) for one in found} == set(asked)
    for one in found:
        was = asked[one.group, one.question]
        assert one.text == was.answer
        shares = [math.exp(score) for score in one.scores.values()]
        assert shares == pytest.approx([] if was.option_probabilities is None else was.option_probabilities.tolist())


def test_pandas_and_datasets_read_it(write_audit: Callable[..., Path], tmp_path: Path) -> None:
    path, *_ = write_samples(audit_folder(write_audit()), tmp_path / "logs")
    assert len(pd.read_json(path, lines=True)) == 11
    read = datasets.Dataset.from_json(str(path), cache_dir=str(tmp_path / "cache"))
    assert read["doc_id"][:] == list(range(11))


def test_an_audit_that_does_not_hold_what_it_asked_is_refused(write_audit: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not hold what it asked"):
        write_samples(audit_folder(write_audit(record=False)), tmp_path / "logs")
    assert not (tmp_path / "logs").exists()
