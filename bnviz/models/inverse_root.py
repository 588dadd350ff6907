"""S^(-1/2) of a symmetric positive definite matrix, with derivatives of every order.

`torch.linalg.eigh` has a derivative that divides by differences of eigenvalues, which are 0 where two units are dead.
The root A = S^(1/2) has one that does not: dS = A dA + dA A is a Lyapunov equation in dA, and the solution of such an
equation has a derivative made of such solutions again.
"""

from typing import Any

import torch
from torch import Tensor

from bnviz.models.normalizations.base import EPS


class _SolveLyapunov(torch.autograd.Function):
    """X with A X + X A = C, for symmetric A > 0: D ((D^T C D)_ij / (a_i + a_j)) D^T where A = D diag(a) D^T.

    With Y the solution for dl/dX:   dl/dC = Y;   dl/dA = -(Y X + X Y), for symmetric C.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, c: Tensor) -> Tensor:
        values, axes = torch.linalg.eigh(a)
        inner = (axes.mT @ c @ axes) / (values[..., :, None] + values[..., None, :])
        x: Tensor = axes @ inner @ axes.mT
        ctx.save_for_backward(a, x)
        return x

    @staticmethod
    def backward(ctx: Any, d_x: Tensor) -> tuple[Tensor, Tensor]:
        a, x = ctx.saved_tensors
        y = _solve(a, _symmetric(d_x))
        return -(y @ x + x @ y), y


class _Root(torch.autograd.Function):
    """A = S^(1/2):   dl/dS solves A Y + Y A = dl/dA."""

    @staticmethod
    def forward(ctx: Any, s: Tensor) -> Tensor:
        values, axes = torch.linalg.eigh(s)
        root: Tensor = (axes * values.clamp(min=EPS / 2).sqrt()[..., None, :]) @ axes.mT
        ctx.save_for_backward(root)
        return root

    @staticmethod
    def backward(ctx: Any, d_root: Tensor) -> Tensor:
        (root,) = ctx.saved_tensors
        return _solve(root, _symmetric(d_root))


def inverse_root(s: Tensor) -> Tensor:
    """S^(-1/2), [..., s, s], of S = covariance + eps I."""
    root: Tensor = _Root.apply(s)  # type: ignore[no-untyped-call]
    inverse: Tensor = torch.linalg.inv(root)
    return inverse


def _solve(a: Tensor, c: Tensor) -> Tensor:
    solution: Tensor = _SolveLyapunov.apply(a, c)  # type: ignore[no-untyped-call]
    return solution


def _symmetric(matrix: Tensor) -> Tensor:
    return (matrix + matrix.mT) / 2
