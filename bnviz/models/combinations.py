"""The loss of one network at many weights, all of them combinations of the same few: a loss landscape is made of it.

On a fixed batch the first layer is linear in the coefficients: X (a U + b V) = a XU + b XV. So its products, by far the
largest, are computed once; everything after it is computed for many points side by side, without a backward pass and
without the padding of `Stack`, units before images: [p, n, b], so that the means over a batch run over neighbours.

Shapes: m = vectors, F = numbers of a state, p = points, b = images.
"""

from typing import Final

import torch
from torch import Tensor

from bnviz.config import BnPlacement, Statistics
from bnviz.models.nonlinearities import NONLINEARITIES
from bnviz.models.normalizations import EPS, NORMALIZATIONS
from bnviz.models.parameters import Parameters
from bnviz.models.stack import Stack

FLOATS_AT_ONCE: Final = 500_000  # activations or weights of one layer: what stays in a processor's cache


def states_of(stack: Stack) -> Tensor:
    """Parameters, padding included, and running statistics of each network as one vector: [K, F].

    Of a running variance log(variance + eps), so that a combination of two, beyond them too, is that of a variance.
    """
    mean, variance = stack.running.unbind(1)
    running = torch.stack([mean, torch.log(variance + EPS)], dim=1)  # [l, 2, K, 1, p]
    return torch.cat([stack.parameters.flat, running.permute(2, 0, 1, 3, 4).flatten(1)], dim=1)


class Combinations:
    """One network on one batch, where its state is a combination of a few.

    Noise is left out, as at inference.

    Args:
        stack: what the network is one of.
        network: its place there.
        vectors: [m, F], states or differences of states.
        images: [b, 784], labels: [b] int64.
        statistics: those of this batch, or those of the states.
    """

    def __init__(
        self, stack: Stack, network: int, vectors: Tensor, images: Tensor, labels: Tensor, statistics: Statistics
    ) -> None:
        model, normalization = stack.model, NORMALIZATIONS[stack.normalizations[network]]
        self._model, self._labels = model, labels
        self._nonlinearity = NONLINEARITIES[model.nonlinearity]
        self._is_bn = normalization.has_parameters
        self._is_bn_before = model.bn_placement is BnPlacement.BEFORE
        self._has_biases = not (self._is_bn_before and normalization.drops_bias_before_it)
        self._is_batch_mode = statistics is Statistics.BATCH
        basis = Parameters(model.sizes, len(vectors), stack.dtype, stack.device)
        basis.flat.copy_(vectors[:, : basis.flat.shape[1]])
        self._products = (basis.weights[0].transpose(1, 2) @ images.T).flatten(1)  # [m, n b]
        self._weights = [weight.transpose(1, 2).flatten(1) for weight in basis.weights[1:]]  # [m, n_out n_in]
        self._biases = [_units(bias, n) for bias, n in zip(basis.biases, model.sizes[1:], strict=True)]  # [m, n]
        self._scales = [[_units(one, model.width) for one in each] for each in (basis.gammas, basis.betas)]
        running = vectors[:, basis.flat.shape[1] :].view(len(vectors), *stack.running.shape[:2], -1)
        self._running = running[..., : model.width]  # [m, l, 2, n]

    @property
    def points_at_once(self) -> int:
        """How many points are computed fastest side by side."""
        width = self._model.width
        return max(1, FLOATS_AT_ONCE // (width * max(len(self._labels), width)))  # each point has weights of its own

    def losses(self, coefficients: Tensor) -> Tensor:
        """Softmax cross-entropy at each point, nats; inf where it is not finite. [p, m] to [p]"""
        c = coefficients.to(self._products)
        points, images, sizes = len(c), len(self._labels), self._model.sizes
        z = (c @ self._products).view(points, sizes[1], images)
        for layer, weights in enumerate(self._weights):
            u = self._hidden(layer, z, c)
            z = torch.bmm((c @ weights).view(points, sizes[layer + 2], sizes[layer + 1]), u)
        logits = z.add_((c @ self._biases[-1])[:, :, None])
        right = logits.gather(1, self._labels.expand(points, 1, images))
        losses = (torch.logsumexp(logits, dim=1) - right[:, 0]).mean(dim=1)
        return losses.nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=torch.inf)

    def _hidden(self, layer: int, z: Tensor, c: Tensor) -> Tensor:
        """u W of one hidden layer to its outputs; u W itself is overwritten. [p, n, b]"""
        if self._has_biases:
            z.add_((c @ self._biases[layer])[:, :, None])
        if self._is_bn and self._is_bn_before:
            self._normalize(layer, z, c)
        u = torch.empty_like(z)
        self._nonlinearity.forward(z, out=u)
        if self._is_bn and not self._is_bn_before:
            self._normalize(layer, u, c)
        return u

    def _normalize(self, layer: int, x: Tensor, c: Tensor) -> None:
        """x <- gamma (x - mean) / sqrt(var + eps) + beta, in place."""
        gamma, beta = ((c @ scales[layer])[:, :, None] for scales in self._scales)
        if self._is_batch_mode:
            x.sub_(x.mean(dim=2, keepdim=True))
            variance = torch.linalg.vector_norm(x, dim=2, keepdim=True).square_().div_(x.shape[2])
            inverse_std = torch.rsqrt(variance + EPS)
        else:
            mean, log_variance = ((c @ self._running[:, layer, kind])[:, :, None] for kind in (0, 1))
            x.sub_(mean)
            inverse_std = torch.exp(-log_variance / 2)
        x.mul_(gamma * inverse_std).add_(beta)


def _units(rows: Tensor, units: int) -> Tensor:
    """[m, 1, p] without the padding: [m, n]."""
    return rows[:, 0, :units]
