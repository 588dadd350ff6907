"""No normalization."""

from torch import Tensor

from bnviz.models.normalizations.base import Memory


class NoNormalization:
    """out = x."""

    has_parameters = False
    drops_bias_before_it = False
    is_noisy = False

    def forward(self, x: Tensor, out: Tensor, gamma: Tensor, beta: Tensor, memory: Memory) -> None:
        if out.data_ptr() != x.data_ptr():
            out.copy_(x)

    def backward(self, delta: Tensor, gamma: Tensor, memory: Memory) -> None:
        pass
