"""Gradient layers: histograms of every weight matrix's gradient at one step."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import MARGIN, Words, chart, note, number_of, panel_heading, value_axis
from bnviz.figures.gradient_bins import (
    EMPTY,
    HOW,
    LOWEST,
    NOT_YET,
    WHOLE,
    counts_of,
    edges_of,
    gradient_axis,
    has_bins,
    highest_count,
    names,
    places,
    reach_of,
    shared_reach,
    shown_step,
    size,
    unit_note,
    unit_of,
    with_scrubber,
)
from bnviz.figures.numbers import whole
from bnviz.figures.theme import MARKER_SIZE, TICK_SIZE, Spec, symbol_of, symbol_size
from bnviz.figures.words import enumerate_texts, weight_layer
from bnviz.records import Gradients, Run

MOST_PANELS: Final = 8
GAPS: Final = {2: 0.05, 3: 0.05, 4: 0.05}
LINE_WIDTH: Final = 1.75


def gradient_layers(run: Run, view: View) -> Spec:
    """Gradient of every layer's weights at one step, competitors overlaid, logarithmic counts, on one shared axis."""
    view = view.within(run.settings.model)
    now = shown_step(run, view)
    shown = panels_of(run.settings.model.hidden_layers + 1, view.layer)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    if now is None:
        annotations.append(note(NOT_YET))
    else:
        for panel, index in enumerate(shown):
            data += _outlines(run, now, index, view, panel)
            annotations.append(_heading(run, view, panel, index))
        annotations += [names(run), unit_note(view)]
    words = Words(
        "Gradients of every layer’s weights" + (", standardised" if view.is_gradient_standardised else ""),
        _finding(run, now),
        _alt(run, now),
        HOW,
    )
    spec = chart(
        run, "gradient-layers", words, data, _axes(now, shown, view),
        annotations=annotations,
        margin=MARGIN,
        x=unit_of(view),
        shows=f"{shown}-{view.is_gradient_standardised}",
    )  # fmt: skip
    return with_scrubber(spec, run, view)


def panels_of(matrices: int, layer: int) -> list[int]:
    """Which weight matrices are shown, from 0: all, or evenly sampled ones with the first, the last and the chosen."""
    if matrices <= MOST_PANELS:
        return list(range(matrices))
    sampled = np.linspace(0, matrices - 1, MOST_PANELS).round().astype(int).tolist()
    if layer - 1 not in sampled:
        inner = range(1, MOST_PANELS - 1)
        sampled[min(inner, key=lambda place: abs(sampled[place] - (layer - 1)))] = layer - 1
    return list(sampled)


def _heading(run: Run, view: View, panel: int, index: int) -> dict[str, Any]:
    text = f"layer {index + 1}" if index < run.settings.model.hidden_layers else "output"
    heading = panel_heading(panel, f"<b>{text}</b>" if index == view.layer - 1 else text)
    heading["font"] = heading["font"] | {"size": TICK_SIZE}
    return heading


def _outlines(run: Run, now: Gradients, index: int, view: View, panel: int) -> list[dict[str, Any]]:
    """One stepped outline a competitor, lightly filled, with its symbol where it begins and ends."""
    if not has_bins(now, index, view):
        return []
    edges, numbered, traces = edges_of(now, index, view), number_of(panel), []
    centres = ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
    for k, one in enumerate(run.competitors):
        counts = counts_of(now, view)[k, index]
        if not np.isfinite(counts).all() or not counts.any():
            continue
        axes = {"name": one.label, "xaxis": f"x{numbered}", "yaxis": f"y{numbered}"}
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": centres,
                "y": np.where(counts > 0, counts, EMPTY).astype(np.float32),
                "customdata": counts.astype(np.float32),
                "line": {"color": f"@{one.name}", "width": LINE_WIDTH, "shape": "hvh"},
                "fill": "tozeroy",
                "fillcolor": f"@{one.name}/0.1",
                "hovertemplate": "%{customdata:,.0f}",
                **axes,
            }
        )
        ends = np.flatnonzero(counts > 0)[[0, -1]]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": centres[ends],
                "y": counts[ends].astype(np.float32),
                "marker": {
                    "color": f"@{one.name}",
                    "symbol": symbol_of(one),
                    "size": symbol_size(one, MARKER_SIZE - 2),
                },
                "hoverinfo": "skip",
                **axes,
            }
        )
    return traces


def _axes(now: Gradients | None, shown: Sequence[int], view: View) -> dict[str, Any]:
    reach, high = 1.0, 1000.0
    if now is not None:
        reach = shared_reach([max(reach_of(now, index, view) for index in shown)])
        high = highest_count(float(np.nan_to_num(counts_of(now, view)[:, list(shown)]).max(initial=1)))
    axes: dict[str, Any] = {}
    for panel, place in enumerate(places(len(shown), GAPS) if now is not None else places(1, GAPS)):
        numbered = number_of(panel)
        shared_x, shared_y = ({"matches": "x"}, {"matches": "y"}) if panel else ({}, {})
        axes[f"xaxis{numbered}"] = gradient_axis(f"y{numbered}", place, reach) | shared_x
        axes[f"yaxis{numbered}"] = value_axis(
            f"x{numbered}", LOWEST, high, type="log", dtick=1 if place.up == WHOLE else 2, tickformat=",.0f",
            domain=place.up, showticklabels=place.is_first, **shared_y,
        )  # fmt: skip
    return axes


# --- what is said -----------------------------------------------------------------------------------------------------


def _finding(run: Run, now: Gradients | None) -> str:
    """Such as "step 500, standard deviation by depth: 0.0013 → 0.014 without BN, 0.00092 → 0.0086 with it"."""
    if now is None:
        return ""
    texts = [
        f"{size(float(std[0]))} → {size(float(std[-1]))}" if np.isfinite(std[[0, -1]]).all() else None
        for std in now.std
    ]
    told = enumerate_texts(run.competitors, texts)
    when = f"step {whole(now.step)}"
    return f"{when}, standard deviation by depth: {told}" if told else when


def _alt(run: Run, now: Gradients | None) -> str:
    title = "Histograms of the gradient of every layer’s weights"
    if now is None:
        return f"{title}: not measured yet."
    parts = []
    for k, one in enumerate(run.competitors):
        each = ", ".join(
            f"{weight_layer(run, w + 1)} {size(float(std))}" for w, std in enumerate(now.std[k]) if np.isfinite(std)
        )
        parts.append(f"{one.label} {each or 'stopped'}")
    return f"{title} at step {whole(now.step)}. Standard deviations: {'; '.join(parts)}."
