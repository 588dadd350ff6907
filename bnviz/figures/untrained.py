"""Untrained networks: their six charts, and the histogram of one weight matrix's gradient.

Shapes: k = the twins, b = bins.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bnviz.config import TWINS, View
from bnviz.figures.chart import (
    MARGIN,
    Words,
    base_axis,
    clear_note,
    domains,
    line,
    margin_note,
    panel_heading,
    value_axis,
)
from bnviz.figures.gradient_bins import EMPTY, LOWEST
from bnviz.figures.gradients import GAP
from bnviz.figures.numbers import MINUS
from bnviz.figures.theme import THIN_WIDTH, TICK_SIZE, Spec
from bnviz.figures.untrained_absent import absence, finding, progress
from bnviz.figures.untrained_depth import untrained_activations, untrained_gradients, untrained_predictions
from bnviz.figures.untrained_jacobian import untrained_jacobian
from bnviz.figures.untrained_loss import untrained_loss
from bnviz.figures.untrained_parts import ON, WAITING, compact, name_of, tick_text, untrained_chart, waiting
from bnviz.figures.words import enumerate_texts, joined
from bnviz.records import STANDARDISED_EDGES, Floats, Gradients, Run, Untrained

__all__ = [
    "untrained_activations", "untrained_gradients", "untrained_histogram", "untrained_jacobian", "untrained_loss",
    "untrained_predictions",
]  # fmt: skip

HISTOGRAM_MARGIN: Final = MARGIN | {"r": 136}  # px: room for each network's numbers
HEADINGS: Final = ("same axis", "in standard deviations")


def untrained_histogram(run: Run, view: View) -> Spec:
    """Gradient of one weight matrix, both networks overlaid, logarithmic counts: on one axis, and standardised."""
    name = "untrained-histogram"
    how = f"Gradient of the loss with respect to all entries of one weight matrix, {ON}"
    untrained = run.untrained
    if untrained is None:
        return waiting(run, name, "Gradient of one layer’s weights", how)
    matrices = untrained.config.depth + 1
    index = min(max(view.untrained_layer, 1), matrices) - 1
    which = "the output layer" if index + 1 == matrices else f"layer {index + 1}"
    gradients = untrained.gradients
    counts = _both_counts(gradients, index)
    edges = (np.linspace(-1, 1, 2) if gradients is None else gradients.edges[index], STANDARDISED_EDGES)
    reaches = [_reach(one, each) for one, each in zip(edges, counts, strict=True)]
    high = 10 ** (math.ceil(math.log10(max(max(float(one.max(initial=0)) for one in counts), 10)) * 4) / 4)
    data = [trace for panel in (0, 1) for trace in _outlines(edges[panel], counts[panel], "2" if panel else "")]
    told = [_told(untrained, k, index) for k in range(len(TWINS))]
    annotations = [panel_heading(panel, heading) for panel, heading in enumerate(HEADINGS)]
    if data:
        data.append(_gaussian(float(counts[1].sum(axis=1).max()), reaches[1]))
    elif untrained.done < 1:
        annotations.append(clear_note(WAITING))
    annotations.append(_key(told, has_gaussian=bool(data)))
    words = Words(
        f"Gradient of {which}’s weights",
        finding(untrained, _spread_and_tails(gradients, index)),
        _histogram_alt(untrained, told, which),
        how,
    )
    return untrained_chart(
        run, name, words, data, _histogram_axes(reaches, high),
        annotations=annotations,
        margin=HISTOGRAM_MARGIN,
        x="gradient",
        shows=str(index + 1),
    )  # fmt: skip


def _both_counts(gradients: Gradients | None, index: int) -> tuple[Floats, Floats]:
    """Of one weight matrix: per bin of the shared axis, and per bin of the standardised one. [k, b] each"""
    if gradients is None:
        return np.zeros((len(TWINS), 1)), np.zeros((len(TWINS), len(STANDARDISED_EDGES) - 1))
    both = gradients.counts[:, index], gradients.standardised_counts[:, index]
    return np.nan_to_num(both[0]), np.nan_to_num(both[1])


def _reach(edges: Floats, counts: Floats) -> float:
    """The outermost edge of a bin that holds something. edges: [b + 1], counts: [k, b]"""
    full = np.flatnonzero(counts.any(axis=0))
    if not full.size or not np.isfinite(edges).all():
        return 1.0
    return float(max(abs(edges[full[0]]), abs(edges[full[-1] + 1]))) or 1.0


def _outlines(edges: Floats, counts: Floats, panel: str) -> list[dict[str, Any]]:
    """One stepped outline a network, lightly filled. edges: [b + 1], counts: [k, b]"""
    if not np.isfinite(edges).all():
        return []
    centres = ((edges[1:] + edges[:-1]) / 2).astype(np.float64)
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": one.label,
            "x": centres,
            "y": np.where(counts[k] > 0, counts[k], EMPTY),
            "customdata": counts[k],
            "xaxis": f"x{panel}",
            "yaxis": f"y{panel}",
            "line": {"color": f"@{one.name}", "width": 2, "shape": "hvh"},
            "fill": "tozeroy",
            "fillcolor": f"@{one.name}/0.1",
            "hovertemplate": "%{customdata:,.0f}",
        }
        for k, one in enumerate(TWINS)
        if counts[k].any()
    ]


def _gaussian(count: float, reach: float) -> dict[str, Any]:
    """What a Gaussian of the same standard deviation would show: its excess kurtosis is 0."""
    z = np.linspace(-reach, reach, 201)
    width = float(STANDARDISED_EDGES[1] - STANDARDISED_EDGES[0])
    expected = count * width * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    shown = expected >= LOWEST
    thin = {"color": "@text", "width": THIN_WIDTH, "dash": "1px,3px"}
    return line(
        z[shown], expected[shown], name="Gaussian", colour="@text", hover="%{y:,.0f}", xaxis="x2", yaxis="y2"
    ) | {"line": thin}  # fmt: skip


def _told(untrained: Untrained, k: int, index: int) -> list[str]:
    """What there is to say of one network: the moments of its gradient, or why it has none; nothing yet if empty."""
    gradients = untrained.gradients
    if gradients is None or not np.isfinite(gradients.std[k, index]):
        # Of this matrix alone: the gradient may overflow on its way to the input where the outputs do not.
        missing = absence(untrained, np.full((len(TWINS), 1), np.nan), k)
        return [missing.removeprefix(f"{TWINS[k].label} ").removeprefix(f"{TWINS[k].label}: ")] if missing else []
    moments = {
        "std. dev.": gradients.std[k, index],
        "excess kurtosis": gradients.excess_kurtosis[k, index],
        "tail ratio": gradients.tail_ratio[k, index],
    }
    return [f"{name} {compact(float(value))}" for name, value in moments.items() if np.isfinite(value)]


def _key(told: Sequence[Sequence[str]], *, has_gaussian: bool) -> dict[str, Any]:
    """Each network's moments, or why it has none, in the margin."""
    texts = [
        "<br>".join([name_of(k), *[text.replace("overflows ", "overflows<br>") for text in one]])
        for k, one in enumerate(told)
    ]
    if has_gaussian:
        texts.append('<span style="color:@muted">··· a Gaussian</span>')
    return margin_note("<br>".join(texts)) | {"font": {"size": TICK_SIZE, "color": "@text"}}


def _histogram_axes(reaches: list[float], high: float) -> dict[str, Any]:
    axes: dict[str, Any] = {}
    for panel, domain in enumerate(domains(2, GAP)):
        numbered, reach = "2" if panel else "", reaches[panel]
        tick = _outer_tick(reach)
        axes[f"xaxis{numbered}"] = base_axis(
            f"y{numbered}", -reach, reach,
            domain=domain,
            tickvals=[-tick, 0, tick],  # three, so that a narrow panel keeps its scale
            ticktext=[f"{MINUS}{tick_text(tick)}", "0", tick_text(tick)],
            hoverformat=".3~g",
        )  # fmt: skip
        shared = {"matches": "y", "showticklabels": False} if panel else {}
        axes[f"yaxis{numbered}"] = value_axis(
            f"x{numbered}", LOWEST, high, type="log", dtick=1, tickformat=",.0f", **shared
        )
    return axes


def _outer_tick(reach: float) -> float:
    """The largest number of one digit that leaves a little room to the end of the axis."""
    power = 10.0 ** math.floor(math.log10(0.95 * reach))
    return math.floor(0.95 * reach / power) * power


def _spread_and_tails(gradients: Gradients | None, index: int) -> str:
    """Such as "standard deviation 0.0039 without BN, 0.0090 with it; excess kurtosis 31 without BN, 0.4 with it"."""
    if gradients is None:
        return ""
    told = [
        (what, enumerate_texts(TWINS, [compact(float(one)) if np.isfinite(one) else None for one in values[:, index]]))
        for what, values in (("standard deviation", gradients.std), ("excess kurtosis", gradients.excess_kurtosis))
    ]
    return "; ".join(f"{what} {each}" for what, each in told if each)


def _histogram_alt(untrained: Untrained, told: Sequence[Sequence[str]], which: str) -> str:
    parts = [f"{TWINS[k].label} {', '.join(one)}" for k, one in enumerate(told) if one]
    each = "; ".join(parts).replace("std. dev.", "standard deviation") or "not measured yet"
    return joined(f"Histogram of the gradient of {which}’s weights: {each}.", progress(untrained))
