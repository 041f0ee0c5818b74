"""torch's FSDP2 through Lightning: every rank holds a share of each decoder layer, on GPUs and, over gloo, on CPUs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from lightning.fabric.utilities.optimizer import _optimizers_to_device
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from trialign import distributed
from trialign.errors import UserError
from trialign.models.families import decoder_layers
from trialign.policy import GroupPolicy
from trialign.training.states import OneFile, on_first_rank

log = logging.getLogger("trialign")


class FsdpStrategy(OneFile, ModelParallelStrategy):
    """FSDP2 of the layers: a layer's weights, frozen ones too, its gradients and AdamW's moments lie in shares.

    A layer is whole on a rank while it computes. Embeddings and the output layer stay whole on every rank.
    """

    def __init__(self) -> None:
        super().__init__(save_distributed_checkpoint=False)

    def setup_environment(self) -> None:
        """As Lightning's, all ranks in one row."""
        self._data_parallel_size, self._tensor_parallel_size = self.num_nodes * self.num_processes, 1
        super().setup_environment()

    def setup(self, trainer: Trainer) -> None:
        """Shares the layers out before anything is trained."""
        assert self.accelerator is not None
        assert self.lightning_module is not None
        self.accelerator.setup(trainer)
        policy: Any = self.lightning_module.policy
        share_out(policy, self.device_mesh["data_parallel"])
        self.model_to_device()
        self.barrier()
        self.setup_optimizers(trainer)
        self.setup_precision_plugin()
        _optimizers_to_device(self.optimizers, self.root_device)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """The trained weights, whole, as one process has them; on rank 0 alone. All ranks call it."""
        assert self.lightning_module is not None
        return {name: on_first_rank(whole(value)) for name, value in self.lightning_module.state_dict().items()}

    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:
        """AdamW's state as torch states it without shares; its tensors are on rank 0 alone. All ranks call it."""
        stated = optimizer.state_dict()
        state = {
            index: {key: on_first_rank(whole(value)) for key, value in of_one.items()}
            for index, of_one in stated["state"].items()
        }
        return {**stated, "state": state}

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """Each rank takes its share of the trained weights."""
        assert self.lightning_module is not None
        state = dict(checkpoint["state_dict"])
        with torch.no_grad():
            for name, parameter in self.lightning_module.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_(_shared_like(parameter, state.pop(name)))
        self.lightning_module.load_state_dict(state, strict=False)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Each rank takes its share of AdamW's moments."""
        (stated,), (optimizer,) = checkpoint["optimizer_states"], self.optimizers
        parameters = [one for group in optimizer.param_groups for one in group["params"]]
        state = {
            index: {
                key: value if key == "step" else _shared_like(parameters[index], value) for key, value in one.items()
            }
            for index, one in stated["state"].items()
        }
        optimizer.load_state_dict({"state": state, "param_groups": stated["param_groups"]})


def share_out(policy: GroupPolicy, ranks: DeviceMesh) -> None:
    """Shares every decoder layer out over the ranks.

    Raises:
        UserError: see `check_layers_alone`.
    """
    check_layers_alone(policy)
    for layer in decoder_layers(policy.base):
        # Without a root around them, layers would stay whole from one pass to the next.
        fully_shard(layer, mesh=ranks, reshard_after_forward=True)
    held = sum(own_share(parameter).numel() for parameter in policy.parameters())
    shares = ", ".join(str(share) for share in distributed.gather(held))
    if distributed.rank() == 0:
        log.info("The ranks hold %s of %d weights", shares, sum(one.numel() for one in policy.parameters()))


def check_layers_alone(policy: GroupPolicy) -> None:
    """Refuses what is trained outside of the decoder's layers: its gradient would differ between ranks.

    Raises:
        UserError: names it.
    """
    inside = {id(parameter) for parameter in decoder_layers(policy.base).parameters()}
    for name, parameter in policy.named_parameters():
        if parameter.requires_grad and id(parameter) not in inside:
            raise UserError(
                f"trainer.strategy=fsdp2 shares out decoder layers, and {name} is trained and lies outside of them",
                "Name parts of the layers alone in policy.target_modules, or choose another trainer.strategy",
            )


def own_share(tensor: Tensor) -> Tensor:
    """What this rank holds of a tensor; all of it where it is not shared."""
    held: Tensor = tensor.to_local() if isinstance(tensor, DTensor) else tensor
    return held


def whole(tensor: Tensor) -> Tensor:
    """A tensor with the shares of all ranks, which all must ask for; itself where it is not shared."""
    full: Tensor = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return full


@contextmanager
def unshared(model: nn.Module) -> Iterator[None]:
    """Trained parameters are whole inside, on every rank; all ranks must enter. Without shares, nothing happens."""
    shared = [(module, name, one) for module in model.modules() for name, one in _trained(module) if _is_shared(one)]
    try:
        for module, name, parameter in shared:
            module._parameters[name] = nn.Parameter(whole(parameter).detach())
        yield
    finally:
        for module, name, parameter in shared:
            module._parameters[name] = parameter


def _trained(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """A module's own trained parameters."""
    return ((name, one) for name, one in module.named_parameters(recurse=False) if one.requires_grad)


def _is_shared(tensor: object) -> bool:
    return isinstance(tensor, DTensor)


def _shared_like(parameter: Tensor, value: Tensor) -> Tensor:
    assert isinstance(parameter, DTensor)
    return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
