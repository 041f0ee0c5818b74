"""What is used of other libraries though they do not promise it: a release that takes it away is named here first."""

from __future__ import annotations

import importlib
import inspect
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.unit

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# (module, name in it, the file that uses it)
USED = (
    ("torch.cpu", "_is_avx512_supported", "trialign/policy/cpu.py"),
    ("torch.cpu", "_is_amx_tile_supported", "trialign/policy/cpu.py"),
    ("transformers", "PreTrainedModel._supports_sdpa", "trialign/models/families.py"),
    ("hydra._internal.core_plugins.basic_sweeper", "BasicSweeper.split_arguments", "trialign/commands/sweep.py"),
    ("lightning.fabric.utilities.seed", "_collect_rng_states", "trialign/training/callbacks.py"),
    ("lightning.fabric.utilities.seed", "_set_rng_states", "trialign/training/callbacks.py"),
    ("lightning.pytorch.strategies", "DeepSpeedStrategy._init_deepspeed_distributed", "trialign/training/deepspeed.py"),
    ("lightning.pytorch.strategies", "DeepSpeedStrategy._setup_model_and_optimizer", "trialign/training/deepspeed.py"),
    ("deepspeed.ops", "__compatible_ops__", "trialign/training/deepspeed.py"),
)
# (module, class, what its instances have, the file that uses it)
WITHIN = (
    (
        "deepspeed.runtime.zero.stage_1_and_2",
        "DeepSpeedZeroOptimizer",
        ("single_partition_of_fp32_groups", "_lazy_init_hp_params_optimizer_state", "loss_scaler"),
        "trialign/training/deepspeed.py",
    ),
    (
        "deepspeed.runtime.zero.stage3",
        "DeepSpeedZeroOptimizer_Stage3",
        ("fp32_partitioned_groups_flat", "loss_scaler"),
        "trialign/training/deepspeed.py",
    ),
    (
        "deepspeed.runtime.zero.partition_parameters",
        "Init",
        ("ds_id", "ds_tensor", "ds_numel"),
        "trialign/training/deepspeed.py",
    ),
)


def says(module: ModuleType, name: str, user: str) -> str:
    library = module.__name__.partition(".")[0]
    return (
        f"{library} {importlib.import_module(library).__version__} has no {module.__name__}.{name} any more, which "
        f"{user} uses: bound {library} from above in pyproject.toml, or write {user} anew without it."
    )


@pytest.mark.parametrize(("place", "name", "user"), USED)
def test_a_private_name_is_still_there(place: str, name: str, user: str) -> None:
    module = importlib.import_module(place)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    assert found is not None, says(module, name, user)
    assert name.rpartition(".")[2] in Path(__file__).parents[1].joinpath(user).read_text(encoding="utf-8")


@pytest.mark.parametrize(("place", "kind", "names", "user"), WITHIN)
def test_what_private_classes_hold_is_still_there(place: str, kind: str, names: tuple[str, ...], user: str) -> None:
    module = importlib.import_module(place)
    written = inspect.getsource(getattr(module, kind))
    using = Path(__file__).parents[1].joinpath(user).read_text(encoding="utf-8")
    for name in names:
        assert name in written, says(module, f"{kind}.{name}", user)
        assert name in using


def test_the_shared_memory_of_deepspeed_goes_by_the_same_name() -> None:
    from deepspeed.ops import __compatible_ops__

    module = importlib.import_module("deepspeed.ops")
    assert "deepspeed_shm_comm" in __compatible_ops__, says(module, "deepspeed_shm_comm", USED[-1][2])


def test_states_of_random_numbers_are_of_the_form_that_is_stored() -> None:
    from lightning.fabric.utilities.seed import _collect_rng_states

    assert {"torch", "numpy", "python"} <= set(_collect_rng_states(include_cuda=False))


@pytest.mark.parametrize("library", ["hydra-core", "lightning", "deepspeed", "transformers"])
def test_what_is_followed_inside_is_bounded_from_above(library: str) -> None:
    (stated,) = (one for one in PROJECT["dependencies"] if one.startswith(f"{library}>"))
    assert ",<" in stated
