"""Sharpness: the largest eigenvalue of the Hessian of the loss with respect to all parameters of a network.

Source: Cohen et al. 2021. By the Lanczos method from Hessian-vector products, which autograd takes exactly, as the
derivative of <gradient, v>. Written here because no library we found can stop after each product, so that training goes
on meanwhile: SciPy's eigsh and PyHessian return only at the end (the latter by power iteration, which finds the
eigenvalue that is largest in size, and with BN's running statistics), curvlinops has products alone, torch.lobpcg wants
the matrix itself.

Shapes: K = networks, P = parameters of one network, j = vectors of the Krylov space.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from bnviz.models import Stack
from bnviz.models.functional import cross_entropy
from bnviz.records import Floats

MOST_PRODUCTS: Final = 40
FEWEST_PRODUCTS: Final = 8  # even of a network whose vectors are so long that BASIS_BYTES has room for fewer
BASIS_BYTES: Final = 64_000_000  # for the vectors of the network in hand
TOLERANCE: Final = 0.02  # of the residual, relative to the eigenvalue; the eigenvalue itself is mostly ten times nearer
_NOTHING: Final = 1e-6  # of a vector, relative to what it is the remainder of: rounding


@dataclass(frozen=True)
class Extreme:
    """What is known of the largest eigenvalue of a symmetric matrix: a lower bound on it that grows."""

    eigenvalue: float
    residual: float  # ||H v - eigenvalue v|| of the unit vector v found


class Hessian:
    """The Hessian of one network's loss on a batch, as what multiplies a vector: a few ms each.

    The graph of the gradient is built once; a product is one pass back through it. Weights of pixels that no image
    lights have no part in the loss, so their zeros are left out, as are biases, gammas and betas without effect.
    """

    @torch.enable_grad()
    def __init__(self, stack: Stack, network: int, images: Tensor, labels: Tensor) -> None:
        has_dark = not stack.model.is_convolutional  # a patch's weights see every pixel
        lit = images.any(dim=0).nonzero()[:, 0] if has_dark else torch.arange(images.shape[1])
        leaves = {
            name: (value[lit] if has_dark and name == "weight.1" else value.clone()).requires_grad_()
            for name, value in stack.parameters.named(network).items()
        }
        normalization = stack.normalizations[network]
        numbers = leaves | {name: value.clone() for name, value in stack.named(network).items() if name not in leaves}
        limits = stack.limits.clone()
        loss = cross_entropy(stack.model, normalization, numbers, images[:, lit], labels.clone(), limits)
        gradient = torch.autograd.grad(loss, list(leaves.values()), create_graph=True, allow_unused=True)
        pairs = [(leaf, d) for leaf, d in zip(leaves.values(), gradient, strict=True) if d is not None]
        self._leaves = [leaf for leaf, _ in pairs]
        self._gradient = torch.cat([d.flatten() for _, d in pairs])
        self.is_finite = bool(loss.isfinite())

    def __len__(self) -> int:
        """P."""
        return len(self._gradient)

    @torch.enable_grad()
    def __call__(self, vector: Tensor) -> Tensor:
        """H v. [P] to [P]

        The derivative of the number <gradient, v>: given v as `grad_outputs`, torch 2.13 imports SymPy, for 0.4 s.
        """
        products = torch.autograd.grad(self._gradient @ vector, self._leaves, retain_graph=True)
        return torch.cat([one.flatten() for one in products])


@torch.inference_mode(False)  # of what is made in inference mode autograd has no derivative; of its clone it has
def sharpness(stack: Stack, images: Tensor, labels: Tensor) -> Iterator[tuple[Floats, Floats]]:
    """Largest eigenvalue and residual of every network, [K] each; a few ms between two items, the last item is whole.

    Until then what is not known yet is NaN, and so it stays for a network whose loss is not finite. Every search begins
    with the same random vector: one that begins with the eigenvector of an earlier step takes a fifth fewer products,
    but now and then it ends at the second eigenvalue (1 of 36 times in a default run, 5 % too low).

    images: [b, n_0], labels: [b]. BN takes the statistics of this batch; networks with noise are without it.
    """
    eigenvalue, residual = np.full((2, len(stack)), np.nan)
    for network in range(len(stack)):
        hessian = Hessian(stack, network, images, labels)
        yield eigenvalue.copy(), residual.copy()
        if not hessian.is_finite:
            continue
        start = torch.randn(len(hessian), generator=torch.Generator().manual_seed(0)).to(images)
        for found in largest_eigenvalue(hessian, start):
            eigenvalue[network], residual[network] = found.eigenvalue, found.residual
            yield eigenvalue.copy(), residual.copy()


def largest_eigenvalue(product: Callable[[Tensor], Tensor], start: Tensor) -> Iterator[Extreme]:
    """By the Lanczos method: one product an item, the last within TOLERANCE unless there is no room for more vectors.

    Each vector is made orthogonal to all before it. The largest in sign, not in size; `start`, [P], must not be
    orthogonal to its eigenvector.
    """
    room = BASIS_BYTES // (start.numel() * start.element_size())
    most = min(max(room, FEWEST_PRODUCTS), MOST_PRODUCTS, len(start))
    basis = start.new_empty(most, len(start))
    projected = np.zeros((most, most))  # H in the basis: tridiagonal
    vector, length = start, float(start.norm())
    for j in range(most):
        torch.div(vector, length, out=basis[j])
        vector = product(basis[j])
        size = float(vector.norm())
        along = basis[: j + 1] @ vector
        vector = vector - along @ basis[: j + 1]
        length, projected[j, j] = float(vector.norm()), float(along[j])
        if not np.isfinite([length, size]).all():
            yield Extreme(np.nan, np.nan)
            return
        values, vectors = np.linalg.eigh(projected[: j + 1, : j + 1])
        found = Extreme(float(values[-1]), length * abs(float(vectors[-1, -1])))
        yield found
        if length <= _NOTHING * size or found.residual <= TOLERANCE * abs(found.eigenvalue):
            return
        if j + 1 < most:
            projected[j, j + 1] = projected[j + 1, j] = length
