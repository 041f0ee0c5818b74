"""DeepSpeed ZeRO through Lightning: the same strategy on GPUs and, over gloo, on CPUs."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import torch
from lightning.pytorch.plugins import DeepSpeedPrecision
from lightning.pytorch.strategies import DDPStrategy, DeepSpeedStrategy
from pydantic import Field
from torch import Tensor, nn

from trialign import distributed
from trialign.policy.adapters import GroupLoraLinear
from trialign.training.states import OneFile, on_first_rank

log = logging.getLogger("trialign")
Stage = Literal[1, 2, 3]
Strategy = Literal["auto", "ddp", "zero1", "zero2", "zero3", "fsdp2"]
# Name of a strategy -> what is shared: the optimizer's state, the gradients too, the weights too.
STAGES: dict[str, Stage] = {name: stage for stage in get_args(Stage) if (name := f"zero{stage}") in get_args(Strategy)}
MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class ShardingConfig:
    """What DeepSpeed cuts into shares, and where they are kept.

    Attributes:
        offload: keep the optimizer's state, and at stage 3 the parameters too, in the memory of the CPU.
        whole_below: at stage 3, parameters of fewer elements stay whole on every rank; DeepSpeed's
            ``stage3_param_persistence_threshold``.
        bucket: elements that are reduced or gathered in one message.
    """

    offload: bool = False
    whole_below: Annotated[int, Field(ge=0, le=10**12)] = 100_000
    bucket: Annotated[int, Field(ge=1, le=10**12)] = 50_000_000


class ZeroStrategy(OneFile, DeepSpeedStrategy):
    """DeepSpeed's ZeRO, on CPUs too: Lightning refuses it there, though DeepSpeed itself runs over gloo.

    Args:
        stage: 1 shares the optimizer's state, 2 the gradients too, 3 the parameters too, frozen ones included.
        sharding: where shares begin and lie.
    """

    def __init__(self, stage: Stage, sharding: ShardingConfig) -> None:
        super().__init__(config=zero_config(stage, sharding))

    def setup_environment(self) -> None:
        """As Lightning's, without the refusal of CPUs."""
        DDPStrategy.setup_environment(self)

    def setup_distributed(self) -> None:
        """As Lightning's; a CPU has no index that could differ from the local rank."""
        if self.root_device.type == "cuda":
            super().setup_distributed()
            return
        _never_compile_shared_memory()
        self.set_world_ranks()
        self._init_deepspeed_distributed()

    def _setup_model_and_optimizer(self, model: nn.Module, optimizer: Any, lr_scheduler: Any = None) -> tuple[Any, Any]:
        import deepspeed

        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if self.zero_stage_3:
            # A parameter at a time goes to the device and is cut there: none has to hold the whole model.
            deepspeed.zero.Init(module=model, config_dict_or_path=self.config)
            model.to(self.root_device)  # what is no parameter
        engine, sharded, _, _ = deepspeed.initialize(
            args=argparse.Namespace(device_rank=self.local_rank),
            config=self.config,
            model=model,
            model_parameters=trained,
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
            dist_init_required=False,
        )
        if self.zero_stage_3:
            # A LoRA layer reads the weights of its parts without calling them.
            for layer in (module for module in model.modules() if isinstance(module, GroupLoraLinear)):
                for weight in (*layer.lora_A.parameters(), *layer.lora_B.parameters()):
                    deepspeed.zero.register_external_parameter(layer, weight)
            _log_shares(model)
        return engine, sharded

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """The trained weights, whole and in float32, as one process has them; on rank 0 alone. All ranks call it."""
        from deepspeed.utils import safe_get_full_fp32_param

        assert self.lightning_module is not None
        state: dict[str, Any] = self.lightning_module.state_dict()
        for name, parameter in self._trained():
            state[name] = on_first_rank(safe_get_full_fp32_param(parameter))
        return state

    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:
        """AdamW's state as torch states it without shares; its tensors are on rank 0 alone. All ranks call it."""
        from deepspeed.utils import safe_get_full_optimizer_state

        inner, shares = _inner_optimizer(self._sharded)
        step = inner.state[shares[0]]["step"]
        state = {
            index: {
                "step": step.clone(),  # one tensor for all would be counted up once for each
                **{key: on_first_rank(safe_get_full_optimizer_state(parameter, key)) for key in MOMENTS},
            }
            for index, (_, parameter) in enumerate(self._trained())
        }
        group = {key: value for key, value in inner.param_groups[0].items() if key != "params"}
        # Numbers alone: with 16-mixed, the scale and when it last changed.
        scaler = {
            key: value for key, value in vars(self._sharded.loss_scaler).items() if isinstance(value, int | float)
        }
        return {"state": state, "param_groups": [{**group, "params": list(state)}], "loss_scaler": scaler}

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """Each rank takes its share of the trained weights, of those it computes with and of DeepSpeed's own copy."""
        state = dict(checkpoint["state_dict"])
        for name, parameter in self._trained():
            value = state.pop(name)
            with gathered([parameter], changed=True):
                parameter.data.copy_(value)
            _set_share(parameter, value, None)
        assert self.lightning_module is not None
        self.lightning_module.load_state_dict(state, strict=False)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Each rank takes its share of AdamW's moments."""
        (stated,) = checkpoint["optimizer_states"]
        inner, shares = _inner_optimizer(self._sharded)
        for share in shares:
            # As AdamW's first step would make it.
            inner.state[share] = {
                "step": stated["state"][0]["step"].clone(),
                **{key: torch.zeros_like(share) for key in MOMENTS},
            }
        if not self.zero_stage_3:
            self._sharded._lazy_init_hp_params_optimizer_state()
        for index, (_, parameter) in enumerate(self._trained()):
            for key in MOMENTS:
                _set_share(parameter, stated["state"][index][key], key)
        for group, values in zip(inner.param_groups, stated["param_groups"], strict=True):
            group.update({key: value for key, value in values.items() if key != "params"})
        vars(self._sharded.loss_scaler).update(stated.get("loss_scaler", {}))

    @property
    def _sharded(self) -> Any:
        """DeepSpeed's optimizer, around torch's."""
        return self.optimizers[0]

    def _trained(self) -> list[tuple[str, nn.Parameter]]:
        """Names and trained parameters, in the optimizer's order."""
        assert self.lightning_module is not None
        return [pair for pair in self.lightning_module.named_parameters() if pair[1].requires_grad]


class ZeroPrecision(DeepSpeedPrecision):
    """DeepSpeed's precision; stored log-probabilities and targets keep theirs."""

    def convert_input(self, data: Any) -> Any:
        """The batch as it is: its numbers are compared with float32 scores, and none enters the model."""
        return data


def zero_config(stage: Stage, sharding: ShardingConfig) -> dict[str, Any]:
    """DeepSpeed's own configuration.

    torch's AdamW does the step in every case, so that all stages, DDP and one process take the same one.
    """
    place = {"device": "cpu", "pin_memory": torch.cuda.is_available()}
    zero: dict[str, Any] = {
        "stage": stage,
        "overlap_comm": torch.cuda.is_available(),
        "contiguous_gradients": True,
        "reduce_bucket_size": sharding.bucket,
        "allgather_bucket_size": sharding.bucket,
    }
    if stage == 3:
        zero |= {
            "stage3_param_persistence_threshold": sharding.whole_below,
            "stage3_prefetch_bucket_size": sharding.bucket,
        }
    if sharding.offload:
        zero["offload_optimizer"] = place
        if stage == 3:
            zero["offload_param"] = place
    return {
        "train_micro_batch_size_per_gpu": 1,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "zero_optimization": zero,
    }


@contextmanager
def gathered(parameters: Iterable[nn.Parameter], *, changed: bool = False) -> Iterator[None]:
    """Parameters are whole inside, on every rank; all ranks must enter. Without shares, nothing happens.

    Args:
        parameters: shared ones or not.
        changed: what is written to them inside, on rank 0, stays.
    """
    shared = [parameter for parameter in parameters if hasattr(parameter, "ds_id")]
    if not shared:
        yield
        return
    import deepspeed

    with deepspeed.zero.GatheredParameters(shared, modifier_rank=0 if changed else None):
        yield


def _inner_optimizer(sharded: Any) -> tuple[torch.optim.Optimizer, list[nn.Parameter]]:
    """The optimizer of torch inside DeepSpeed's, and this rank's flat shares, by which its state is kept."""
    name = "fp32_partitioned_groups_flat"  # of stage 3
    return sharded.optimizer, getattr(sharded, name if hasattr(sharded, name) else "single_partition_of_fp32_groups")


def _set_share(parameter: Any, value: Tensor, moment: str | None) -> None:
    """Cuts this rank's share out of a whole value, for DeepSpeed's copy of a parameter or for a moment of it."""
    from deepspeed import utils

    if not hasattr(parameter, "ds_id"):
        if moment is None:
            utils.safe_set_full_fp32_param(parameter, value)
        else:
            utils.safe_set_full_optimizer_state(parameter, value, moment)
        return
    # At stage 3 the last share is padded, which the functions for whole values do not allow for.
    length = parameter.ds_tensor.numel()
    flat = value.new_zeros(length * distributed.world_size())
    flat[: value.numel()] = value.flatten()
    share = flat.narrow(0, length * distributed.rank(), length)
    if moment is None:
        utils.safe_set_local_fp32_param(parameter, share)
    else:
        utils.safe_set_local_optimizer_state(parameter, share, moment)


def _log_shares(model: nn.Module) -> None:
    """Says how many of the weights, frozen ones included, each rank holds between two steps."""
    parameters: list[Any] = list(model.parameters())
    whole = sum(parameter.ds_numel for parameter in parameters)
    held = sum(max(parameter.ds_tensor.numel(), parameter.numel()) for parameter in parameters)
    shares = ", ".join(str(share) for share in distributed.gather(held))
    if distributed.rank() == 0:
        log.info("The ranks hold %s of %d weights", shares, whole)


def _never_compile_shared_memory() -> None:
    """DeepSpeed compiles a transport for ranks of one machine when it starts, for a minute; gloo does without."""
    from deepspeed.ops import __compatible_ops__

    __compatible_ops__["deepspeed_shm_comm"] = False
