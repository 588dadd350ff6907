"""The distribution of every weight matrix's gradient, and the size of the last update.

Source of the statistics: SCIENCE, section 3 (Bjorck et al. 2018).

Shapes: k = competitors, w = weight matrices, b = bins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from bnviz.measure.activations import Draw, Probe, nothing_drawn
from bnviz.models import Collect, Parameters, Stack
from bnviz.records import GRADIENT_BINS, STANDARDISED_EDGES, Floats, Gradients

GRADIENT_IMAGES: Final = 128
_NOTHING: Final = np.zeros(0, np.float32)


@dataclass(frozen=True)
class NetworkGradient:
    """The gradient of every weight matrix of one network.

    Attributes:
        values: all entries of each. [w][...]
        norm, weight_norm: Frobenius norms of the gradient and of the weights. [w]
        radial: sum_j |<W_j, g_j>| / sum_j ||W_j|| ||g_j|| over the units j. [w]
    """

    values: list[Floats]
    norm: Floats
    weight_norm: Floats
    radial: Floats


def probe_gradients(stack: Stack, probe: Probe, draw: Draw = nothing_drawn) -> list[NetworkGradient]:
    """The gradient of the loss on the probe, BN with the probe's statistics, of every network."""
    gradient = stack.parameters.empty_like()
    stack.backward(probe.run(stack, draw), Collect(gradient, stack.groups))
    along = [norms_of(g, w) for g, w in zip(gradient.weights, stack.parameters.weights, strict=True)]
    norms = torch.stack(along, dim=1).cpu().numpy()  # [3, w, K]
    return [
        NetworkGradient([weight[k].flatten().cpu().numpy() for weight in gradient.weights], *norms[:, :, k])
        for k in range(len(stack))
    ]


def norms_of(gradient: Tensor, weights: Tensor) -> Tensor:
    """Norm of the gradient, norm of the weights, and `NetworkGradient.radial`: [3, K] of [K, n_in, n_out] each.

    In float64: the squares of what a deep network's gradients are may be too small or too large for float32.
    """
    gradient, weights = gradient.double(), weights.double()
    gradient_norms, weight_norms = gradient.norm(dim=1), weights.norm(dim=1)  # of each unit, [K, n_out]
    along = (gradient * weights).sum(dim=1).abs().sum(dim=1)
    radial = along / (gradient_norms * weight_norms).sum(dim=1)
    return torch.stack([gradient_norms.norm(dim=1), weight_norms.norm(dim=1), radial])


def update_ratios(stack: Stack, change: Parameters) -> Floats:
    """||W_t - W_(t-1)|| / ||W_(t-1)|| of each weight matrix, Frobenius norms: [K, w]."""
    ratios = [
        step.norm(dim=(1, 2)) / (now - step).norm(dim=(1, 2))
        for now, step in zip(stack.parameters.weights, change.weights, strict=True)
    ]
    result: Floats = torch.stack(ratios, dim=1).cpu().numpy()
    return result


def gradient_record(step: int, gradients: Sequence[NetworkGradient | None], matrices: int) -> Gradients:
    """Histograms and moments of k competitors' gradients.

    One that has stopped (None) has counts of 0 and moments of NaN; entries that are not finite are left out.
    """
    layers = [[_sorted_finite(one.values[w]) if one else _NOTHING for one in gradients] for w in range(matrices)]
    edges = np.stack([_shared_edges(values) for values in layers])
    moments = np.array([[_moments(values) for values in layer] for layer in layers])  # [w, k, 3]
    std, excess_kurtosis, tail_ratio = moments.transpose(2, 1, 0)
    k_and_w = [(k, w) for k in range(len(gradients)) for w in range(matrices)]
    shape = (len(gradients), matrices, GRADIENT_BINS)
    return Gradients(
        step=step,
        edges=edges,
        counts=np.reshape([_counts(layers[w][k], edges[w]) for k, w in k_and_w], shape),
        standardised_counts=np.reshape(
            [_counts(layers[w][k], STANDARDISED_EDGES * (std[k, w] or 1)) for k, w in k_and_w], shape
        ),
        std=std,
        excess_kurtosis=excess_kurtosis,
        tail_ratio=tail_ratio,
        norm=_of_each(gradients, "norm", matrices),
        weight_norm=_of_each(gradients, "weight_norm", matrices),
        radial=_of_each(gradients, "radial", matrices),
    )


def _of_each(gradients: Sequence[NetworkGradient | None], name: str, matrices: int) -> Floats:
    """One number a weight matrix, NaN for those that have stopped. [k, w]"""
    return np.array([getattr(one, name) if one else np.full(matrices, np.nan) for one in gradients])


def _sorted_finite(values: Floats) -> Floats:
    """Sorted once, so that each histogram and each quantile is a search."""
    ordered: Floats = np.sort(values)
    return ordered if np.isfinite(ordered[[0, -1]]).all() else ordered[np.isfinite(ordered)]


def _shared_edges(gradients: list[Floats]) -> Floats:
    """Edges of equal bins, symmetric about 0, that reach the largest gradient of any competitor: [b + 1]."""
    largest = max((float(max(-g[0], g[-1])) for g in gradients if len(g)), default=0.0)
    return np.linspace(-1, 1, GRADIENT_BINS + 1) * (largest or 1.0)


def _counts(ordered: Floats, edges: Floats) -> Floats:
    """How many of the sorted values fall into each bin; the outermost bins take what lies beyond. [b]"""
    below = np.searchsorted(ordered, edges[1:-1].astype(ordered.dtype))
    return np.diff(np.concatenate([[0], below, [len(ordered)]])).astype(np.float64)


def _moments(ordered: Floats) -> tuple[float, float, float]:
    """Standard deviation, excess kurtosis mean(z⁴) - 3 and tail ratio q99.9(|g|) / q50(|g|)."""
    if not len(ordered):
        return (np.nan, np.nan, np.nan)
    scale = float(max(-ordered[0], ordered[-1])) or 1.0  # so that no power overflows
    centred = ordered / scale - np.mean(ordered / scale, dtype=np.float64)
    squared = centred * centred
    variance = float(np.mean(squared))
    kurtosis = float(np.mean(squared * squared)) / variance**2 - 3 if variance**2 > 0 else np.nan
    ranks = [round(level * (len(ordered) - 1)) for level in (0.5, 0.999)]
    middle, tail = np.partition(np.abs(ordered), ranks)[ranks].tolist()
    return (scale * variance**0.5, kurtosis, tail / middle if middle > 0 else np.nan)
