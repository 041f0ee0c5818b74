"""``trialign plan``: a table without a weight loaded."""

from __future__ import annotations

import re
from typing import Any

import pytest

from trialign.commands import plan

pytestmark = pytest.mark.integration


def rows_of(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if line.startswith("│")]


def test_a_model_that_fits_on_no_gpu_is_shared_by_several(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trialign.api.session.load_model", lambda *_: pytest.fail("weights were loaded"))
    planned = project.call(
        "plan", "--config", project.folder / "mine.yaml", "--size", "70B", "model.dtype=bfloat16", "policy.rank=8"
    )
    assert planned.code == 0, planned.err
    assert "adapters: 3 of" in planned.out
    assert "68.98 billion" in planned.out
    mine, large = (rows_of(planned.out)[half : half + 6] for half in (0, 6))
    assert [row[0] for row in mine] == [row[0] for row in large] == list(plan.STRATEGIES)
    assert {row[1] for row in mine} == {"1"}
    gpus = {row[0]: row[1] for row in large}
    assert [gpus[name] for name in ("ddp", "zero1", "zero2")] == ["-"] * 3
    assert int(gpus["zero3"]) > int(gpus["zero3_offload"]) >= 1
    assert int(gpus["fsdp2"]) > 1
    # No GPU is filled beyond what is usable of it.
    assert all(float(row[6]) <= 80 * plan.USABLE for row in large if row[1] != "-")
    assert re.search(r"whole model on every GPU: 128\.\d+ GiB", planned.out)
    assert not project.runs.exists()


def test_a_step_of_some_groups_has_their_rows_alone(project: Any) -> None:
    rows = []
    for words in (
        (),
        ("policy=shared",),
        ("policy=shared", "trainer.groups_per_step=2"),
        ("policy=basis", "trainer.groups_per_step=9"),
    ):
        planned = project.call("plan", "--config", project.folder / "mine.yaml", *words)
        assert planned.code == 0, planned.err
        rows.append(int(re.findall(r"A micro-batch of a rank: (\d+) rows", planned.out)[0]))
    # Two questions, of 3, 3, 2 and 3 groups and two agents of no group.
    assert rows == [6, 6, 4, 10]
