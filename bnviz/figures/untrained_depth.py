"""Untrained networks over depth: gradient norms, outputs, and what the output layer would answer.

Shapes: k = the twins, l = hidden layers, w = weight matrices (l + 1).
"""

from collections.abc import Sequence
from math import pi, sqrt
from typing import Any, Final

import numpy as np

from bnviz.config import TWINS, Connections, Nonlinearity, View
from bnviz.figures.chart import Words, domains, panel_heading
from bnviz.figures.numbers import alike, percent
from bnviz.figures.theme import Spec
from bnviz.figures.untrained_absent import (
    absence_labels,
    finding,
    headroom,
    margin_with,
    over_depth,
    overflow_lines,
    raised,
    waiting_notes,
)
from bnviz.figures.untrained_parts import (
    MOST_WHOLE,
    ON,
    Scale,
    compact,
    depth_axis,
    depth_labels,
    depth_lines,
    limit_label,
    limit_line,
    log_scale,
    mean_ratio,
    ratio_texts,
    reference_label,
    reference_line,
    untrained_chart,
    waiting,
)
from bnviz.figures.words import compare_percent, enumerate_texts, joined, last_finite
from bnviz.records import Floats, Run, Untrained

# E||dl/dh||² of a plain ReLU network with BN grows by pi / (pi - 1) a layer, in wide layers and large batches
# (Yang et al. 2019), and with it the square of every weight gradient's norm.
WIDE_GROWTH: Final = sqrt(pi / (pi - 1))
EVEN: Final = 10.0  # per cent of the answers, if all ten are as frequent
LEAST_MEAN: Final = 1e-3  # of the smallest standard deviation: a mean below it is drawn as if it were that


def untrained_gradients(run: Run, view: View) -> Spec:
    """Frobenius norm of every weight matrix's gradient, over depth."""
    name, title = "untrained-gradients", "Gradient norms over depth"
    how = f"Frobenius norm of dL/dW of every weight matrix, {ON}"
    untrained = run.untrained
    if untrained is None:
        return waiting(run, name, title, how)
    norms, last = untrained.gradient_norm, untrained.config.depth + 1
    reference = _wide_limit(untrained)
    scale = log_scale(norms, reference)
    data = depth_lines(norms, scale, "%{customdata:.3~g}")
    annotations = depth_labels(norms, _texts(_newest(untrained, norms)), scale)
    if np.isfinite(reference).any():
        data.append(limit_line(reference))
        annotations.append(limit_label(f"√(π/(π−1)) = {WIDE_GROWTH:.2f}"))
    absent = absence_labels(untrained, norms, last=last, more=": no gradient")
    annotations += absent + waiting_notes(untrained, norms)
    told = _growth(norms)
    words = Words(title, finding(untrained, told), over_depth(untrained, _said(title, told), norms), how)
    axes = {"xaxis": depth_axis("y", last, has_output=True), "yaxis": scale.axis("x")}
    return untrained_chart(
        run, name, words, data, axes,
        annotations=annotations,
        shapes=overflow_lines(untrained, last, [("", (0, 1))]),
        margin=margin_with(headroom(absent), has_headings=False),
        x="layer",
    )  # fmt: skip


def growth_factors(norms: Floats) -> list[float]:
    """How many times the next layer's gradient norm each one's is, geometric mean; NaN where unknown. [k, w] -> [k]

    Of the matrices 2 to l: the first has another number of inputs and the last another number of outputs.
    """
    return [mean_ratio(one[1:-1]) for one in norms]


def _growth(norms: Floats) -> str:
    """Such as "toward the input × 1.00 a layer without BN, × 1.22 with it"."""
    told = enumerate_texts(TWINS, ratio_texts(growth_factors(norms)), of=" a layer")
    return f"toward the input {told}" if told else ""


def _wide_limit(untrained: Untrained) -> Floats:
    """The norms that a wide plain ReLU network with BN would have, from its last hidden layer down; NaN if it is none.

    [w], NaN also for the first and the last matrix, whose shapes differ.
    """
    config, norms = untrained.config, untrained.gradient_norm[1]
    limit: Floats = np.full(len(norms), np.nan)
    if config.nonlinearity is Nonlinearity.RELU and config.connections is Connections.PLAIN and config.depth > 2:
        limit[1:-1] = norms[-2] * WIDE_GROWTH ** np.arange(config.depth - 2, -1, -1)
    return limit


# --- outputs ----------------------------------------------------------------------------------------------------------


def untrained_activations(run: Run, view: View) -> Spec:
    """Size of the mean and standard deviation of every hidden layer's outputs, over depth, on one shared axis."""
    name, title = "untrained-activations", "Mean and spread of the outputs over depth"
    how = f"Mean and standard deviation of each hidden layer’s outputs over units and images, {ON}"
    untrained = run.untrained
    if untrained is None:
        return waiting(run, name, title, how)
    sizes, spread = np.abs(untrained.activation_mean), untrained.activation_std
    scale = _shared_scale(sizes, spread)
    last, data = untrained.config.depth, []
    axes: dict[str, Any] = {}
    annotations = absence_labels(untrained, spread)
    above = headroom(annotations)
    for panel, (heading, values) in enumerate((("|mean|", sizes), ("standard deviation", spread))):
        numbered = "2" if panel else ""
        data += depth_lines(values, scale, "%{customdata:.3~g}", numbered)
        annotations.append(raised(panel_heading(panel, heading), above))
        annotations += depth_labels(values, _texts(_newest(untrained, values)), scale, numbered, has_names=panel == 1)
        shared_x, shared_y = ({"matches": "x"}, {"matches": "y", "showticklabels": False}) if panel else ({}, {})
        axes |= {
            f"xaxis{numbered}": _half_depth_axis(untrained, f"y{numbered}", panel) | shared_x,
            f"yaxis{numbered}": scale.axis(f"x{numbered}", **shared_y),
        }
    annotations += waiting_notes(untrained, spread)
    told = _at_last("standard deviation", untrained, enumerate_texts(TWINS, _texts(spread[:, -1].tolist())))
    alt = joined(
        over_depth(untrained, "Size of the mean of the outputs", sizes),
        over_depth(untrained, "Their standard deviation", spread),
    )
    return untrained_chart(
        run, name, Words(title, finding(untrained, told), alt, how), data, axes,
        annotations=annotations,
        shapes=overflow_lines(untrained, last, [("", (0, 1)), ("2", (0, 1))]),
        margin=margin_with(above, has_headings=True),
        x="layer",
    )  # fmt: skip


def _half_depth_axis(untrained: Untrained, anchor: str, panel: int) -> Any:
    return depth_axis(anchor, untrained.config.depth, most=3, domain=domains(2)[panel])


def _shared_scale(sizes: Floats, spread: Floats) -> Scale:
    """A mean of nearly nothing does not stretch the axis. sizes, spread: [k, l]"""
    known = spread[np.isfinite(spread) & (spread > 0)]
    return log_scale(np.maximum(sizes, LEAST_MEAN * known.min()) if known.size else sizes, spread)


# --- answers ----------------------------------------------------------------------------------------------------------


def untrained_predictions(run: Run, view: View) -> Spec:
    """The share of the images that get the most frequent answer, where the output layer reads each hidden layer."""
    name, title = "untrained-predictions", "Share of the most frequent answer over depth"
    how = f"The output layer applied to each hidden layer’s outputs; {ON}"
    untrained = run.untrained
    if untrained is None:
        return waiting(run, name, title, how)
    shares, last = untrained.top_class_share, untrained.config.depth
    scale = Scale(0, 100, is_log=False)
    data = depth_lines(100 * shares, scale, "%{y:.1f} %")
    texts = [percent(share, 0) if np.isfinite(share) else None for share in _newest(untrained, shares)]
    annotations = [*depth_labels(100 * shares, texts, scale), reference_label("even, 10 %", EVEN)]
    absent = absence_labels(untrained, shares, last=last)
    annotations += absent + waiting_notes(untrained, shares)
    told = _at_last("", untrained, compare_percent(TWINS, shares[:, -1], 0))
    axes = {
        "xaxis": depth_axis("y", last),
        "yaxis": scale.axis("x", ticksuffix=" %", showticksuffix="last"),
    }
    return untrained_chart(
        run, name, Words(title, finding(untrained, told), over_depth(untrained, title, 100 * shares, unit=" %"), how),
        data, axes,
        annotations=annotations,
        shapes=[reference_line(EVEN), *overflow_lines(untrained, last, [("", (0, 1))])],
        margin=margin_with(headroom(absent), has_headings=False),
        x="layer",
    )  # fmt: skip


# --- what is said -----------------------------------------------------------------------------------------------------


def _newest(untrained: Untrained, values: Floats) -> list[float]:
    """The value at the end of each line; NaN where it ends because the network overflows. values: [k, n] -> [k]"""
    return [float("nan") if untrained.overflow_layer[k] else last_finite(values[k]) for k in range(len(TWINS))]


def _texts(ends: Sequence[float]) -> list[str | None]:
    """How values that are compared read, None where there is none."""
    is_large = max((abs(end) for end in ends if np.isfinite(end)), default=0.0) >= MOST_WHOLE
    texts = [compact(end) for end in ends] if is_large else alike(ends)
    return [text if np.isfinite(end) else None for text, end in zip(texts, ends, strict=True)]


def _at_last(what: str, untrained: Untrained, told: str) -> str:
    """Such as "standard deviation at layer 20: 0.87 without BN, 0.58 with it"."""
    return f"{what} at layer {untrained.config.depth}: {told}".strip() if told else ""


def _said(title: str, told: str) -> str:
    return f"{title}: {told}" if told else title
