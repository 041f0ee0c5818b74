"""DeepSpeed ZeRO through Lightning: the same strategy on GPUs and, over gloo, on CPUs."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning.pytorch.plugins import DeepSpeedPrecision
from lightning.pytorch.strategies import DDPStrategy, DeepSpeedStrategy
from torch import nn

from trialign import distributed
from trialign.policy.adapters import GroupLoraLinear

log = logging.getLogger("trialign")
Stage = Literal[1, 2, 3]


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
    whole_below: int = 100_000
    bucket: int = 50_000_000


class ZeroStrategy(DeepSpeedStrategy):
    """DeepSpeed's ZeRO, on CPUs too: Lightning refuses it there, though DeepSpeed itself runs over gloo.

    Args:
        stage: 1 shares the optimizer's state, 2 the gradients too, 3 the parameters too, frozen ones included.
        sharding: where shares begin and lie.
    """

    def __init__(self, stage: Stage, sharding: ShardingConfig) -> None:
        super().__init__(config=zero_config(stage, sharding), exclude_frozen_parameters=True)

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
def gathered(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Parameters are whole inside, on every rank; all ranks must enter. Without shares, nothing happens."""
    shared = [parameter for parameter in parameters if hasattr(parameter, "ds_id")]
    if not shared:
        yield
        return
    import deepspeed

    with deepspeed.zero.GatheredParameters(shared):
        yield


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
