"""Gradients: the histogram of one weight matrix's gradient, at step 0 and now."""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import (
    Words,
    base_axis,
    chart,
    domains,
    margin_note,
    note,
    number_of,
    panel_heading,
    value_axis,
)
from bnviz.figures.gradient_bins import EMPTY, LOWEST, NOT_YET, counts_of, edges_of, highest_count, reach_of
from bnviz.figures.numbers import nice_at_most, number, whole
from bnviz.figures.theme import Spec, swatch_of
from bnviz.figures.words import compare
from bnviz.records import Gradients, Run

GAP: Final = 0.12


def gradient_histogram(run: Run, view: View) -> Spec:
    """Gradient of the weights into one layer, competitors overlaid, logarithmic counts, on one shared axis."""
    view = view.within(run.settings.model)
    index = view.layer - 1
    panels = _panels(run)
    reach = max((reach_of(one, index, view) for one in panels), default=1.0)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for panel, one in enumerate(panels):
        data += _steps(run, one, index, view, panel)
        annotations.append(panel_heading(panel, f"step {whole(one.step)}"))
    annotations.append(_names(run) if panels else note(NOT_YET))
    words = Words(
        f"Gradients of layer {view.layer}’s weights" + (", standardised" if view.is_gradient_standardised else ""),
        _finding(run, panels, index),
        _alt(run, view, panels, index),
        "Gradient of the loss on 128 held-out images, all weights of the layer, with the statistics of that batch.",
    )
    most = max((float(counts_of(one, view)[:, index].max(initial=1)) for one in panels), default=1000.0)
    high = highest_count(most)
    return chart(
        run, "gradient-histogram", words, data, _axes(max(len(panels), 1), reach, high),
        annotations=annotations,
        hovermode="x unified",
        x="standard deviations" if view.is_gradient_standardised else "gradient",
        shows=f"{view.layer}-{view.is_gradient_standardised}-{len(panels)}",
    )  # fmt: skip


def _panels(run: Run) -> list[Gradients]:
    """Those at the start and, once the run has moved on, those now."""
    start, now = run.gradients_at_start, run.gradients_now
    if start is None:
        return [] if now is None else [now]
    return [start] if now is None or now.step == start.step else [start, now]


def _steps(run: Run, gradients: Gradients, index: int, view: View, panel: int) -> list[dict[str, Any]]:
    """One stepped outline a competitor, lightly filled."""
    edges, numbered, traces = edges_of(gradients, index, view), number_of(panel), []
    if not np.isfinite(edges).all():
        return []
    centres = ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
    for k, one in enumerate(run.competitors):
        counts = counts_of(gradients, view)[k, index]
        if not np.isfinite(counts).all() or not counts.any():
            continue
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": one.label,
                "x": centres,
                "y": np.where(counts > 0, counts, EMPTY).astype(np.float32),
                "customdata": counts,
                "xaxis": f"x{numbered}",
                "yaxis": f"y{numbered}",
                "line": {"color": f"@{one.name}", "width": 2, "shape": "hvh"},
                "fill": "tozeroy",
                "fillcolor": f"@{one.name}/0.1",
                "hovertemplate": "%{customdata:,.0f}",
            }
        )
    return traces


def _axes(panels: int, reach: float, high: float) -> dict[str, Any]:
    reach = reach if reach > 0 else 1.0
    axes: dict[str, Any] = {}
    for panel, domain in enumerate(domains(panels, GAP)):
        numbered = number_of(panel)
        shared_x, shared_y = ({"matches": "x"}, {"matches": "y", "showticklabels": False}) if panel else ({}, {})
        axes[f"xaxis{numbered}"] = _gradient_axis(f"y{numbered}", domain, reach) | shared_x
        axes[f"yaxis{numbered}"] = value_axis(
            f"x{numbered}", LOWEST, high, type="log", dtick=1, tickformat=",.0f", **shared_y
        )
    return axes


def _gradient_axis(anchor: str, domain: list[float], reach: float) -> dict[str, Any]:
    """With three ticks, so that a narrow panel keeps its scale."""
    tick = nice_at_most(0.8 * reach)
    return base_axis(
        anchor,
        -reach,
        reach,
        domain=domain,
        tickvals=[-tick, 0, tick],
        ticktext=[number(-tick, 1), "0", number(tick, 1)],
        hoverformat=".3~g",
    )


def _names(run: Run) -> dict[str, Any]:
    """Whose outline is whose, in the margin."""
    return margin_note("<br>".join(f"{swatch_of(one)} {one.label}" for one in run.competitors))


def _finding(run: Run, panels: list[Gradients], index: int) -> str:
    if not panels:
        return ""
    spread = compare(run.competitors, panels[-1].std[:, index])
    tails = compare(run.competitors, panels[-1].excess_kurtosis[:, index])
    if not spread:
        return ""
    return f"standard deviation {spread}" + (f"; excess kurtosis {tails}" if tails else "")


def _alt(run: Run, view: View, panels: list[Gradients], index: int) -> str:
    title = f"Histogram of the gradient of layer {view.layer}’s weights"
    if not panels:
        return f"{title}: not measured yet."
    parts = []
    for one in panels:
        each = "; ".join(
            f"{competitor.label} standard deviation {number(float(one.std[k, index]))}, "
            f"excess kurtosis {number(float(one.excess_kurtosis[k, index]))}, "
            f"tail ratio {number(float(one.tail_ratio[k, index]))}"
            for k, competitor in enumerate(run.competitors)
        )
        parts.append(f"at step {whole(one.step)}: {each}")
    return f"{title} {'. '.join(parts)}."
