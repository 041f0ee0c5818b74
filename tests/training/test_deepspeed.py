"""What DeepSpeed is told and how shares are cut; trainings over real ranks are in tests/commands/test_sharding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import deepspeed
import pytest
import torch
import yaml
from torch import nn

from trialign import distributed
from trialign.composition import config_root
from trialign.training.deepspeed import ShardingConfig, Stage, ZeroStrategy, _set_share, gathered, zero_config

pytestmark = pytest.mark.unit


def test_the_defaults_are_those_of_the_configuration() -> None:
    stated = yaml.safe_load((config_root() / "trainer" / "cpu.yaml").read_text(encoding="utf-8"))["sharding"]
    assert ShardingConfig(**stated) == ShardingConfig()


@pytest.mark.parametrize("offload", [False, True])
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_each_stage_is_told_what_it_cuts_and_where_that_lies(
    monkeypatch: pytest.MonkeyPatch, stage: Stage, offload: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = zero_config(stage, ShardingConfig(offload=offload, whole_below=7, bucket=11))
    place = {"device": "cpu", "pin_memory": False}
    zero = {
        "stage": stage,
        "overlap_comm": False,
        "contiguous_gradients": True,
        "reduce_bucket_size": 11,
        "allgather_bucket_size": 11,
        **({"stage3_param_persistence_threshold": 7, "stage3_prefetch_bucket_size": 11} if stage == 3 else {}),
        **({"offload_optimizer": place} if offload else {}),
        **({"offload_param": place} if offload and stage == 3 else {}),
    }
    assert config == {
        "train_micro_batch_size_per_gpu": 1,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "zero_optimization": zero,
    }


def test_on_a_gpu_messages_overlap_and_memory_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    zero = zero_config(3, ShardingConfig(offload=True))["zero_optimization"]
    assert zero["overlap_comm"]
    assert zero["offload_optimizer"] == zero["offload_param"] == {"device": "cpu", "pin_memory": True}


@pytest.mark.parametrize(("changed", "writer"), [(False, None), (True, 0)])
def test_shares_are_gathered_and_only_they(monkeypatch: pytest.MonkeyPatch, changed: bool, writer: int | None) -> None:
    asked: list[tuple[list[nn.Parameter], int | None]] = []

    @contextmanager
    def gather(parameters: list[nn.Parameter], modifier_rank: int | None = None) -> Iterator[None]:
        asked.append((parameters, modifier_rank))
        yield
        asked.append(([], None))

    monkeypatch.setattr(deepspeed.zero, "GatheredParameters", gather)
    whole, shared = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    with gathered([whole], changed=changed):
        pass
    assert asked == []
    shared.ds_id = 3  # type: ignore[attr-defined]
    with gathered([whole, shared], changed=changed):
        assert len(asked) == 1
    ((parameters, modifier), _) = asked
    assert parameters[0] is shared
    assert len(parameters) == 1
    assert modifier == writer


@pytest.mark.parametrize(("rank", "share"), [(0, [1.0, 2.0]), (1, [3.0, 4.0]), (2, [5.0, 0.0])])
def test_at_stage_3_the_last_share_is_padded(monkeypatch: pytest.MonkeyPatch, rank: int, share: list[float]) -> None:
    taken: dict[str | None, list[float]] = {}
    monkeypatch.setattr(distributed, "rank", lambda: rank)
    monkeypatch.setattr(distributed, "world_size", lambda: 3)
    monkeypatch.setattr(
        deepspeed.utils, "safe_set_local_fp32_param", lambda parameter, value: taken.update({None: value.tolist()})
    )
    monkeypatch.setattr(
        deepspeed.utils,
        "safe_set_local_optimizer_state",
        lambda parameter, value, moment: taken.update({moment: value.tolist()}),
    )
    parameter: Any = nn.Parameter(torch.zeros(0))
    parameter.ds_id, parameter.ds_tensor = 1, torch.zeros(2)
    value = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]])
    for moment in (None, "exp_avg"):
        _set_share(parameter, value, moment)
    assert taken == {None: share, "exp_avg": share}


def test_below_stage_3_deepspeed_cuts_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[Any, ...]] = []
    monkeypatch.setattr(deepspeed.utils, "safe_set_full_fp32_param", lambda *given: taken.append(given))
    monkeypatch.setattr(deepspeed.utils, "safe_set_full_optimizer_state", lambda *given: taken.append(given))
    parameter, value = nn.Parameter(torch.zeros(2)), torch.ones(2)
    _set_share(parameter, value, None)
    _set_share(parameter, value, "exp_avg_sq")
    assert [given[0] is parameter and given[1] is value for given in taken] == [True, True]
    assert [given[2:] for given in taken] == [(), ("exp_avg_sq",)]


@pytest.mark.parametrize("stage", [2, 3])
def test_at_stage_3_weights_are_cut_before_the_engine_could_move_them_whole(
    monkeypatch: pytest.MonkeyPatch, stage: Stage
) -> None:
    """DeepSpeed's engine moves a module to its device at once, unless its parameters are shares already."""
    model, done = nn.Linear(2, 3), []

    def begin(**given: Any) -> tuple[Any, ...]:
        done.append(("begun", given["model"]))
        return "engine", "optimizer", None, None

    monkeypatch.setattr(deepspeed.zero, "Init", lambda **given: done.append(("cut", given["module"])))
    monkeypatch.setattr(deepspeed, "initialize", begin)
    monkeypatch.setattr("trialign.training.deepspeed._log_shares", lambda _: None)
    strategy = ZeroStrategy(stage, ShardingConfig())
    strategy.parallel_devices = [torch.device("cpu")]
    assert strategy._setup_model_and_optimizer(model, None) == ("engine", "optimizer")
    assert done == [("cut", model), ("begun", model)][3 - stage :]
