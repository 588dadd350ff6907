"""How gradients grow toward the input in deep networks, plain and residual, without BN and with it.

Shapes as in `records.depth`.
"""

from math import pi
from typing import Any, Final

import numpy as np

from bnviz.config import TWINS, Connections, Nonlinearity, View
from bnviz.figures.chart import (
    Words,
    clear_note,
    domains,
    empty_axes,
    key_of,
    not_yet,
    number_of,
    panel_heading,
)
from bnviz.figures.studies import staged, study_chart
from bnviz.figures.theme import Spec
from bnviz.figures.untrained_parts import (
    compact,
    depth_axis,
    depth_labels,
    depth_lines,
    limit_label,
    limit_line,
    log_scale,
    mean_ratio,
    ratio_texts,
)
from bnviz.figures.words import enumerate_texts, joined
from bnviz.records import Depth, Floats, Run

# E||dl/dh||² of a plain ReLU network with BN grows by so much a layer if it is wide and the batch large (Yang et al.).
WIDE_GROWTH: Final = pi / (pi - 1)
GAP: Final = 0.24
MARGIN: Final = {"l": 52, "r": 104, "t": 26, "b": 28}
HEADINGS: Final = ("plain", "residual")
WAITING: Final = "Measuring four untrained networks."


def depth_gradients(run: Run, view: View) -> Spec:
    """Mean squared gradient of every hidden layer's outputs, as a multiple of the last one's."""
    title = "Gradients toward the input"
    how = (
        "Mean over 256 training images of ‖∂L/∂h‖², h a hidden layer’s outputs, before any training, divided by that "
        "of the last hidden layer; BN with that batch’s statistics."
    )
    depth = run.depth
    if depth is None:
        return _waiting(run, "depth-gradients", title, how)
    values = depth.gradient / depth.gradient[..., -1:]
    told = [enumerate_texts(TWINS, ratio_texts(ratios)) for ratios in growth_factors(depth)]
    each = "; ".join(f"{HEADINGS[c]}: {text}" for c, text in enumerate(told) if text)
    finding = each and f"A layer further from the output, {each}"
    words = Words(title, finding, joined(f"{title}.", finding), how)
    return _panels(run, depth, "depth-gradients", words, values, _limit(depth))


def depth_outputs(run: Run, view: View) -> Spec:
    """Standard deviation of every hidden layer's outputs."""
    title = "Outputs over depth"
    how = "Standard deviation of each hidden layer’s outputs over 256 training images and all units."
    depth = run.depth
    if depth is None:
        return _waiting(run, "depth-outputs", title, how)
    last = [enumerate_texts(TWINS, _rounded(depth.spread[c, :, -1])) for c in range(len(Connections))]
    finding = "; ".join(f"{HEADINGS[c]}: {text}" for c, text in enumerate(last) if text)
    words = Words(title, finding and f"At the last layer, {finding}", joined(f"{title}.", finding), how)
    return _panels(run, depth, "depth-outputs", words, depth.spread, None)


def growth_factors(depth: Depth) -> Floats:
    """By how much ||dl/dh||² grows from a layer to the one before it, geometric mean over the layers known: [c, k]."""
    factors: Floats = np.apply_along_axis(mean_ratio, 2, depth.gradient)
    return factors


def _rounded(values: Floats) -> list[str | None]:
    return [compact(float(one)) if np.isfinite(one) else None for one in values]


def _limit(depth: Depth) -> Floats | None:
    """What theory says of a wide plain ReLU network with BN: [l]."""
    config = depth.config
    if config.nonlinearity is not Nonlinearity.RELU:
        return None
    limit: Floats = WIDE_GROWTH ** np.arange(config.depth - 1, -1, -1, dtype=np.float64)
    return limit


def _panels(run: Run, depth: Depth, name: str, words: Words, values: Floats, limit: Floats | None) -> Spec:
    """values: [c, k, l]"""
    scale = log_scale(values, np.zeros(0) if limit is None else limit)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for c, domain in enumerate(domains(len(HEADINGS), GAP)):
        panel = number_of(c)
        data += depth_lines(values[c], scale, "%{customdata:.3~g}", panel)
        if c == 0 and limit is not None:
            data.append(limit_line(limit))
            annotations.append(limit_label(f"π/(π−1) = {WIDE_GROWTH:.2f}"))
        texts = ratio_texts(growth_factors(depth)[c]) if name == "depth-gradients" else _rounded(values[c, :, -1])
        annotations.append(panel_heading(c, HEADINGS[c]))
        annotations += depth_labels(values[c], texts, scale, panel, has_names=c == 1)
        shared_x, shared_y = ({"matches": "x"}, {"matches": "y", "showticklabels": False}) if c else ({}, {})
        axes[f"xaxis{panel}"] = depth_axis(f"y{panel}", depth.config.depth, most=4, domain=domain) | shared_x
        axes[f"yaxis{panel}"] = scale.axis(f"x{panel}", **shared_y)
    if depth.done < 1 and not np.isfinite(values).any():
        annotations.append(clear_note(WAITING))
    twins = staged(run, TWINS)
    return study_chart(
        twins, depth, name, words, data, axes, annotations=annotations, margin=MARGIN, key=key_of(twins), x="layer"
    )


def _waiting(run: Run, name: str, title: str, how: str) -> Spec:
    twins = staged(run, TWINS)
    return study_chart(
        twins, None, name, not_yet(title, how), [], empty_axes(), annotations=[clear_note(WAITING)], key=key_of(twins)
    )
