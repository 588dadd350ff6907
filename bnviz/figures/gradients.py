"""Gradients: the histogram of one weight matrix's gradient, at step 0 and now."""

import math
from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, base_axis, chart, domains, note, number_of, panel_heading, value_axis
from bnviz.figures.numbers import nice_at_most, number, whole
from bnviz.figures.theme import NAME_SIZE, Spec, swatch_of
from bnviz.figures.words import compare
from bnviz.records import STANDARDISED_EDGES, Floats, Gradients, Run

EMPTY: Final = 0.5  # what stands for a count of 0 on the logarithmic axis, below its lower end
LOWEST: Final = 0.7
GAP: Final = 0.12


def gradient_histogram(run: Run, view: View) -> Spec:
    """Gradient of the weights into one layer, competitors overlaid, logarithmic counts, on one shared axis."""
    view = view.within(run.settings.model)
    index = view.layer - 1
    panels = _panels(run)
    reach = max((_reach(one, index, view) for one in panels), default=1.0)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for panel, one in enumerate(panels):
        data += _steps(run, one, index, view, panel)
        annotations.append(panel_heading(panel, f"step {whole(one.step)}"))
    annotations += _names(run) if panels else [note("The gradients are not measured yet.")]
    words = Words(
        f"Gradients of layer {view.layer}’s weights" + (", standardised" if view.is_gradient_standardised else ""),
        _finding(run, panels, index),
        _alt(run, view, panels, index),
        "Gradient of the loss on 128 held-out images, all weights of the layer; BN with the statistics of that batch.",
    )
    most = max((float(_counts(one, view)[:, index].max(initial=1)) for one in panels), default=1000.0)
    high = 10 ** (math.ceil(math.log10(max(most, 10)) * 4) / 4)
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


def _counts(gradients: Gradients, view: View) -> Floats:
    """[k, w, b]"""
    return gradients.standardised_counts if view.is_gradient_standardised else gradients.counts


def _edges(gradients: Gradients, index: int, view: View) -> Floats:
    """[b + 1]"""
    edges: Floats = STANDARDISED_EDGES if view.is_gradient_standardised else gradients.edges[index]
    return edges


def _reach(gradients: Gradients, index: int, view: View) -> float:
    """The outermost edge of a bin that holds something."""
    edges = _edges(gradients, index, view)
    full = np.flatnonzero((_counts(gradients, view)[:, index] > 0).any(axis=0))
    if not full.size or not np.isfinite(edges).all():
        return 0.0
    return float(max(abs(edges[full[0]]), abs(edges[full[-1] + 1])))


def _steps(run: Run, gradients: Gradients, index: int, view: View, panel: int) -> list[dict[str, Any]]:
    """One stepped outline a competitor, lightly filled."""
    edges, numbered, traces = _edges(gradients, index, view), number_of(panel), []
    if not np.isfinite(edges).all():
        return []
    centres = ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
    for k, one in enumerate(run.competitors):
        counts = _counts(gradients, view)[k, index]
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


def _names(run: Run) -> list[dict[str, Any]]:
    """Whose outline is whose, in the margin."""
    return [
        {
            "name": "key",
            "text": "<br>".join(f"{swatch_of(one)} {one.label}" for one in run.competitors),
            "xref": "paper",
            "x": 1,
            "xanchor": "left",
            "xshift": 10,
            "yref": "paper",
            "y": 1,
            "yanchor": "top",
            "align": "left",
            "showarrow": False,
            "font": {"size": NAME_SIZE, "color": "@text"},
        }
    ]


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
