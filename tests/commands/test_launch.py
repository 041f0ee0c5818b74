"""Ranks by any launcher; what each of them sets is taken from its documentation."""

from __future__ import annotations

import pytest

from trialign.commands import launch
from trialign.commands.launch import launch_ranks, launched, rank_names
from trialign.errors import UserError

pytestmark = pytest.mark.unit

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "RANK": "3", "LOCAL_RANK": "1", "GROUP_RANK": "1", "WORLD_SIZE": "4"}
DEEPSPEED = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "CROSS_RANK": "1", "MASTER_ADDR": "a"}
SRUN = {
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
    "SLURM_STEP_NODELIST": "node[07-08]",
    "SLURM_JOB_ID": "4123456",
}
# A shell inside an allocation, or a batch script that forgot srun: one process, whatever the job has.
SHELL = {"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_STEP_NUM_TASKS": "1"}


def test_every_launcher_is_recognised_and_a_plain_shell_is_not() -> None:
    assert all(launched(environment) for environment in (TORCHRUN, DEEPSPEED, SRUN))
    assert not launched({})
    assert not launched(SHELL)


def test_the_ranks_of_every_launcher_have_the_same_names() -> None:
    for environment in (TORCHRUN, DEEPSPEED, SRUN):
        named = {**environment, **rank_names(environment)}
        assert {key: named[key] for key in ("RANK", "LOCAL_RANK", "GROUP_RANK", "WORLD_SIZE")} == {
            "RANK": "3",
            "LOCAL_RANK": "1",
            "GROUP_RANK": "1",
            "WORLD_SIZE": "4",
        }
    assert rank_names(SRUN)["MASTER_ADDR"] == "node07"
    # 4123456 modulo 20000 is 3456.
    assert rank_names(SRUN)["MASTER_PORT"] == "23456"


def test_several_machines_need_a_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="no launcher started this process"):
        launch_ranks(2, nodes=2)


def test_a_launcher_with_another_number_of_ranks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "join_ranks", lambda: pytest.fail("joined"))
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"started 4 ranks, and trainer\.devices x trainer\.nodes is 2"):
        launch_ranks(2)


def test_one_device_is_one_process() -> None:
    launch_ranks(1)
