"""Linear layers with weights in 8 bits; imported only where bitsandbytes is installed."""

from __future__ import annotations

from bitsandbytes.autograd._functions import MatMul8bitFp
from bitsandbytes.nn import Linear8bitLt
from torch import Tensor


class WeightsInInt8(Linear8bitLt):  # type: ignore[misc]
    """bitsandbytes' 8-bit layer, always with the product that it takes for training on CPUs.

    LLM.int8() (Dettmers et al. 2022, arXiv 2208.07339) rounds activations too, and computes columns apart that are
    large in any row of a batch: a score would depend on the rows beside it, and be another one in training than in
    an audit. Here the weights are rounded and nothing else; they are made whole for each product and its gradient.
    """

    @classmethod
    def take(cls, layer: Linear8bitLt) -> None:
        """Makes a layer, just loaded, one of this class."""
        layer.__class__ = cls
        layer.state.SCB, layer.weight.CB = layer.weight.SCB, None

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out], in the number format of ``x``."""
        state = self.state
        # A module that moves to another device takes its parameters along, and not what else it holds.
        state.CB, state.SCB = self.weight.data, state.SCB.to(x.device)
        bias = None if self.bias is None else self.bias.to(x.dtype)
        result: Tensor = MatMul8bitFp.apply(x, self.weight, None, bias, state)
        return result
