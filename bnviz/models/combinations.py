"""The loss of one network at many weights, all of them combinations of the same few: a loss landscape is made of it.

On a fixed batch the first layer is linear in the coefficients: X (a U + b V) = a XU + b XV. So its products, by far the
largest, are computed once; everything after it is computed for many points side by side, without a backward pass and
without the padding of `Stack`, units before images: [p, n, b], so that the means over a batch run over neighbours.

Shapes: m = vectors, F = numbers of a state, p = points, b = images; in a convolutional network's hidden layers b are
images times positions.
"""

from typing import Final

import torch
from torch import Tensor

from bnviz.config import BnPlacement, Normalization, Statistics
from bnviz.models.nonlinearities import NONLINEARITIES
from bnviz.models.normalizations import EPS, NORMALIZATIONS
from bnviz.models.normalizations.decorrelated import roots_and_axes, whitening_matrix
from bnviz.models.normalizations.group import over_units
from bnviz.models.normalizations.renormalization import corrections
from bnviz.models.parameters import Parameters
from bnviz.models.patches import convolved, seen_by, side_by_side
from bnviz.models.stack import Stack

FLOATS_AT_ONCE: Final = 500_000  # activations or weights of one layer: what stays in a processor's cache


def states_of(stack: Stack) -> Tensor:
    """Parameters, padding included, and running statistics of each network as one vector: [K, F].

    Of a running variance log(variance + eps), so that a combination of two, beyond them too, is that of a variance; of
    a running covariance log(covariance + eps I), the matrix's logarithm, for the same reason.
    """
    mean, variance = stack.running.unbind(1)
    running = torch.stack([mean, torch.log(variance + EPS)], dim=1)  # [l, 2, K, 1, p]
    parts = [stack.parameters.flat, running.permute(2, 0, 1, 3, 4).flatten(1)]
    if stack.covariance.shape[-1]:
        parts.append(_logarithms(stack).flatten(1))
    return torch.cat(parts, dim=1)


def _logarithms(stack: Stack) -> Tensor:
    """[K, l, G, s, s]; 0, as of the identity, for networks that do not whiten."""
    logarithms = torch.zeros_like(stack.covariance)
    for group in stack.groups:
        if group.normalization.whitens:
            roots, axes = roots_and_axes(stack.covariance[:, group.networks])
            logarithms[:, group.networks] = ((axes * roots.log()[..., None, :] * 2) @ axes.mT).to(stack.dtype)
    return logarithms.transpose(0, 1)


class Combinations:
    """One network on one batch, where its state is a combination of a few.

    Noise is left out, as at inference.

    Args:
        stack: what the network is one of.
        network: its place there.
        vectors: [m, F], states or differences of states.
        images: [b, 784], labels: [b] int64.
        statistics: those of this batch, or those of the states. Batch Renormalization with those of the batch has the
            r and d of the states, as in training; a network without statistics of the batch has the same losses
            whichever they are.
    """

    def __init__(
        self, stack: Stack, network: int, vectors: Tensor, images: Tensor, labels: Tensor, statistics: Statistics
    ) -> None:
        model, normalization = stack.model, NORMALIZATIONS[stack.normalizations[network]]
        self._model, self._labels = model, labels
        self._nonlinearity = NONLINEARITIES[model.nonlinearity]
        self._kind = normalization
        self._is_renormalized = stack.normalizations[network] is Normalization.RENORMALIZATION
        self._groups = 1 if stack.normalizations[network] is Normalization.LAYER else model.groups
        self._limits = stack.limits
        is_before = model.bn_placement is BnPlacement.BEFORE
        self._stands_before = is_before or normalization.is_of_weights
        self._has_biases = not (self._stands_before and normalization.drops_bias_before_it)
        self._is_batch_mode = statistics is Statistics.BATCH
        basis = Parameters(model.layers, len(vectors), stack.dtype, stack.device)
        basis.flat.copy_(vectors[:, : basis.flat.shape[1]])
        if normalization.is_of_weights:
            # ||v||² of a unit is a quadratic form in the coefficients: of each, the inner products of its vectors.
            blocks = [weight.double() for weight in basis.weights[:-1]]
            self._inner = [torch.einsum("aij,bij->jab", block, block) for block in blocks]  # [n, m, m]
        seen = seen_by(model, 0, images)
        self._products = (basis.weights[0].transpose(1, 2) @ seen.T).flatten(1)  # [m, n b]
        self._weights = [weight.transpose(1, 2).flatten(1) for weight in basis.weights[1:]]  # [m, n_out n_in]
        self._biases = [_units(bias, one.n_out) for bias, one in zip(basis.biases, model.layers, strict=True)]  # [m, n]
        self._scales = [[_units(one, model.width) for one in each] for each in (basis.gammas, basis.betas)]
        begin = basis.flat.shape[1]
        end = begin + stack.running[:, :, 0].numel()
        running = vectors[:, begin:end].view(len(vectors), *stack.running.shape[:2], -1)
        self._running = running[..., : model.width]  # [m, l, 2, n]
        covariances = stack.covariance[:, 0]
        self._logarithms = vectors[:, end:].view(len(vectors), *covariances.shape)  # [m, l, G, s, s]

    @property
    def points_at_once(self) -> int:
        """How many points are computed fastest side by side."""
        images, layers = len(self._labels), self._model.layers
        if self._model.is_convolutional:
            return max(1, FLOATS_AT_ONCE // (layers[0].positions * images * self._model.width))
        width = self._model.width
        return max(1, FLOATS_AT_ONCE // (width * max(images, width)))  # each point has weights of its own

    def losses(self, coefficients: Tensor) -> Tensor:
        """Softmax cross-entropy at each point, nats; inf where it is not finite. [p, m] to [p]"""
        c = coefficients.to(self._products)
        points, images, layers = len(c), len(self._labels), self._model.layers
        z = (c @ self._products).view(points, layers[0].n_out, -1)
        for layer, (weights, above) in enumerate(zip(self._weights, layers[1:], strict=True)):
            u = self._hidden(layer, z, c)
            z = self._product((c @ weights).view(points, above.n_out, above.n_in), layer, u)
        logits = z.add_((c @ self._biases[-1])[:, :, None])
        right = logits.gather(1, self._labels.expand(points, 1, images))
        losses = (torch.logsumexp(logits, dim=1) - right[:, 0]).mean(dim=1)
        return losses.nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=torch.inf)

    def _product(self, weights: Tensor, layer: int, u: Tensor) -> Tensor:
        """Weights [p, n_out, n_in] times what they see of a hidden layer's outputs. [p, n, b] to [p, n_out, b]"""
        if not self._model.is_convolutional:
            return torch.bmm(weights, u)
        side = self._model.layers[layer].side
        if layer + 1 < self._model.hidden_layers:
            return convolved(u, weights, side)
        return torch.bmm(weights, side_by_side(u, side))

    def _hidden(self, layer: int, z: Tensor, c: Tensor) -> Tensor:
        """u W of one hidden layer to its outputs; u W itself is overwritten. [p, n, b]"""
        if self._has_biases:
            z.add_((c @ self._biases[layer])[:, :, None])
        if self._kind.has_parameters and self._stands_before:
            self._normalize(layer, z, c)
        u = torch.empty_like(z)
        self._nonlinearity.forward(z, out=u)
        if self._kind.has_parameters and not self._stands_before:
            self._normalize(layer, u, c)
        return u

    def _normalize(self, layer: int, x: Tensor, c: Tensor) -> None:
        """x <- gamma xh + beta, in place."""
        gamma, beta = ((c @ scales[layer])[:, :, None] for scales in self._scales)
        if self._kind.is_of_weights:
            squares = torch.einsum("pa,jab,pb->pj", c.double(), self._inner[layer], c.double())
            x.mul_(gamma * torch.rsqrt(squares)[:, :, None].to(x)).add_(beta)
        elif self._kind.is_per_image:
            x.copy_(over_units(x, self._groups, 1, self._model.layers[layer].positions)).mul_(gamma).add_(beta)
        elif self._kind.whitens:
            self._whiten(layer, x, c)
            x.mul_(gamma).add_(beta)
        else:
            self._standardise(layer, x, c, gamma, beta)

    def _standardise(self, layer: int, x: Tensor, c: Tensor, gamma: Tensor, beta: Tensor) -> None:
        mean, log_variance = ((c @ self._running[:, layer, kind])[:, :, None] for kind in (0, 1))
        if self._is_batch_mode:
            batch_mean = x.mean(dim=2, keepdim=True)
            x.sub_(batch_mean)
            variance = torch.linalg.vector_norm(x, dim=2, keepdim=True).square_().div_(x.shape[2])
            inverse_std = torch.rsqrt(variance + EPS)
            if self._is_renormalized:
                running = torch.stack([mean, torch.exp(log_variance) - EPS])
                r, d = corrections(batch_mean, variance, running, self._limits)
                gamma, beta = gamma * r, beta + gamma * d
        else:
            x.sub_(mean)
            inverse_std = torch.exp(-log_variance / 2)
        x.mul_(gamma * inverse_std).add_(beta)

    def _whiten(self, layer: int, x: Tensor, c: Tensor) -> None:
        points, units, images = x.shape
        if self._is_batch_mode:
            x.sub_(x.mean(dim=2, keepdim=True))
            parted = x.view(points, self._groups, -1, images).double()
            matrices = whitening_matrix(parted @ parted.mT / images)
        else:
            x.sub_((c @ self._running[:, layer, 0])[:, :, None])
            parted = x.view(points, self._groups, -1, images).double()
            logarithms = self._logarithms[:, layer]
            matrices = _inverse_roots((c @ logarithms.flatten(1)).view(points, *logarithms.shape[1:]))
        x.copy_((matrices @ parted).reshape(points, units, images))


def _inverse_roots(logarithms: Tensor) -> Tensor:
    """S^(-1/2) where log S is given, symmetric. [..., s, s]"""
    is_finite = logarithms.isfinite().all(dim=-1).all(dim=-1)[..., None, None]
    values, axes = torch.linalg.eigh(torch.where(is_finite, logarithms.double(), 0.0))
    matrices: Tensor = (axes * torch.exp(-values / 2)[..., None, :]) @ axes.mT
    return matrices


def _units(rows: Tensor, units: int) -> Tensor:
    """[m, 1, p] without the padding: [m, n]."""
    return rows[:, 0, :units]
