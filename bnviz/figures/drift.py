"""Drift: how far the inputs of every layer have moved, over time and over depth."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bnviz.config import Competitor, View
from bnviz.figures.chart import (
    Words,
    base_axis,
    chart,
    domains,
    key_of,
    line,
    measured_part,
    number_of,
    panel_heading,
    value_axis,
)
from bnviz.figures.labels import Curve, EndLabel, end_labels, end_marker, ghost_label
from bnviz.figures.numbers import alike, finite, nice_range, number, robust_ends, whole
from bnviz.figures.theme import GHOST_OPACITY, MARKER_SIZE, THIN_WIDTH, Spec, line_width, symbol_of, symbol_size
from bnviz.figures.timeline import INSIDE, UNITS, Timeline, event_lines, event_shares, time_axis, timeline, unit_label
from bnviz.figures.twins import probe_text
from bnviz.figures.words import enumerate_texts, has_data, is_diverged, last_finite, within_sight
from bnviz.records import Floats, Run

MOST_PANELS: Final = 3  # more layers do not fit side by side: then one layer over time, and all of them over depth
GAPS: Final = {1: 0.0, 2: 0.2, 3: 0.14}
MARGIN: Final = {"l": 34, "r": 62, "t": 22, "b": 26}


def drift_distance(run: Run, view: View) -> Spec:
    """W1 distance or path length of every layer's inputs: small multiples, or one layer and all of them over depth."""
    view = view.within(run.settings.model)
    layers = run.settings.model.hidden_layers
    time = timeline(run, view, has_ghost=True)
    values = _values(run.history, view)
    ghost = None if run.ghost is None else _values(run.ghost, view)
    high = _high(within_sight(run, values), ghost)
    is_deep = layers > MOST_PANELS
    shown = [view.layer] if is_deep else list(range(1, layers + 1))
    data, annotations, axes = _panels_over_time(run, time, values, ghost, shown, high, 2 if is_deep else layers)
    if is_deep:
        more, labels, depth_axes = _panel_over_depth(run, values, ghost, layers, high)
        data, annotations, axes = data + more, annotations + labels, axes | depth_axes
        axes["yaxis2"] |= {"matches": "y"}
    words = Words(_title(view), _farthest(run, values), _alt(run, view, values), _how(run, view))
    return chart(
        run, "drift-distance", words, data, axes,
        annotations=annotations,
        shapes=event_lines(run, time, [(number_of(p), range(len(run.competitors))) for p in range(len(shown))]),
        margin=MARGIN,
        key=key_of(run),
        x=UNITS[time.axis],
        time_axes=[f"xaxis{number_of(panel)}" for panel in range(len(shown))],
        shows=f"{time.axis}-{_measure(view)}{f'-{view.layer}' if is_deep else ''}",
    )  # fmt: skip


def _measure(view: View) -> str:
    """The field of the record that this view asks for."""
    return ("standardised_" if view.is_standardised else "") + ("path_length" if view.is_path else "net_displacement")


def _values(source: Any, view: View) -> Floats:
    """Of a history or a ghost. [m, k, l]"""
    values: Floats = getattr(source, _measure(view))
    return values


def _high(values: Floats, ghost: Floats | None) -> float:
    """Round upper end of the axis that all panels share."""
    known = finite(values, *([] if ghost is None else [ghost]))
    return nice_range(0.0, max(robust_ends(known)[1], 1e-6))[1] if known.size and known.max() > 0 else 1.0


def _panels_over_time(
    run: Run, time: Timeline, values: Floats, ghost: Floats | None, shown: Sequence[int], high: float, panels: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Traces, annotations and axes of one panel a layer."""
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    places = domains(panels, GAPS.get(panels, 0.1))
    for panel, layer in enumerate(shown):
        numbered = number_of(panel)
        traces, labels = _layer_over_time(run, time, values[:, :, layer - 1], numbered, high)
        ghosts, curves = _ghost_over_time(run, time, ghost, layer, numbered, high)
        name = _ghost_name(run, time, curves, values[:, :, layer - 1] / high, numbered) if layer == shown[0] else []
        data += ghosts + traces
        annotations += [panel_heading(panel, f"layer {layer}"), *labels, *name]
        axes |= _axes(time, panel, places[panel], high)
    unit = unit_label(time)
    if len(shown) < panels:  # beside the last panel over time, not beside the one over depth
        unit |= {"xref": f"x{number_of(len(shown) - 1)} domain", "xshift": 18}
    return data, [*annotations, unit], axes


def _axes(time: Timeline, panel: int, domain: list[float], high: float) -> dict[str, Any]:
    numbered = number_of(panel)
    shared_x, shared_y = ({"matches": "x"}, {"matches": "y", "showticklabels": False}) if panel else ({}, {})
    return {
        f"xaxis{numbered}": time_axis(time, f"y{numbered}", domain=domain, **({"nticks": 3} | shared_x)),
        f"yaxis{numbered}": value_axis(f"x{numbered}", 0.0, high, **shared_y),
    }


def _layer_over_time(
    run: Run, time: Timeline, values: Floats, numbered: str, high: float
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Lines with their ends, and the labels of the newest values. values: [m, k]"""
    axes = {"xaxis": f"x{numbered}", "yaxis": f"y{numbered}"}
    newest = [last_finite(values[:, k]) for k in range(len(run.competitors))]
    texts = alike(newest, most_decimals=2)
    lines, ends, labels = [], [], []
    for k, one in enumerate(run.competitors):
        x, y = measured_part(time.x[k], values[:, k])
        if not len(x):
            continue
        lines.append(line(x, y, name=one.label, colour=f"@{one.name}", hover="%{y:.3~f}", **axes))
        lines[-1]["line"]["width"] = line_width(k, 2)
        on_axis = min(newest[k], high)
        ends.append(end_marker(run, k, float(x[-1]), on_axis, **axes))
        if newest[k] <= high:
            text = f"<b>{'× ' if is_diverged(run, k) else ''}{texts[k]}</b>"
            labels.append(EndLabel(text, time.end * INSIDE, on_axis, on_axis / high, lines=1))
    return lines + ends, [one | {"xshift": 8} for one in end_labels(labels, numbered)]


def _ghost_over_time(
    run: Run, time: Timeline, ghost: Floats | None, layer: int, numbered: str, high: float
) -> tuple[list[dict[str, Any]], list[tuple[str, Curve]]]:
    """The earlier run's lines of a layer, and their colours and places in the plot."""
    if ghost is None or run.ghost is None or layer > ghost.shape[2]:
        return [], []
    lines, curves = [], []
    for k, one in enumerate(run.competitors):
        x, y = measured_part(time.ghost_x[k], ghost[:, k, layer - 1])
        count = int(np.searchsorted(x, time.end, side="right"))
        lines.append(_ghost_line(x[:count], y[:count], f"earlier, {one.label}", one.name, numbered))
        curves.append((f"@{one.name}", Curve(x[:count] / (time.end or 1), y[:count] / high)))
    return lines, curves


def _ghost_name(
    run: Run, time: Timeline, ghosts: Sequence[tuple[str, Curve]], heights: Floats, numbered: str
) -> list[dict[str, Any]]:
    """heights: [m, k] of the run's own lines, as shares of the axis."""
    others = [Curve(time.x[k] / (time.end or 1), heights[:, k]) for k in range(len(run.competitors))]
    return ghost_label("earlier", ghosts, others, event_shares(run, time), panel=numbered)


def _ghost_line(x: Floats, y: Floats, name: str, role: str, numbered: str) -> dict[str, Any]:
    thin = {"color": f"@{role}", "width": THIN_WIDTH}
    axes = {"xaxis": f"x{numbered}", "yaxis": f"y{numbered}"}
    return line(x, y, name=name, colour=f"@{role}", hover="%{y:.3~f}", opacity=GHOST_OPACITY, **axes) | {"line": thin}


# --- over depth -------------------------------------------------------------------------------------------------------


def _panel_over_depth(
    run: Run, values: Floats, ghost: Floats | None, layers: int, high: float
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Traces, annotations and axes of the newest distance of every layer."""
    depth = np.arange(1, layers + 1, dtype=np.float64)
    data = []
    if ghost is not None and ghost.shape[2] == layers:
        for k, one in enumerate(run.competitors):
            last = np.array([last_finite(ghost[:, k, layer]) for layer in range(layers)])
            data.append(_ghost_line(depth, last, f"earlier, {one.label}", one.name, "2"))
    for k, one in enumerate(run.competitors):
        last = np.array([last_finite(values[:, k, layer]) for layer in range(layers)])
        if np.isfinite(last).any():
            data.append(_profile(depth, last, one))
    axis = _depth_axis(layers)
    axes = {
        "xaxis2": axis | {"domain": domains(2, GAPS[2])[1]},
        "yaxis2": value_axis("x2", 0.0, high, showticklabels=False),
    }
    return data, [panel_heading(1, "all layers now")], axes


def _profile(depth: Floats, last: Floats, one: Competitor) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": one.label,
        "x": depth,
        "y": last,
        "xaxis": "x2",
        "yaxis": "y2",
        "line": {"color": f"@{one.name}", "width": THIN_WIDTH},
        "marker": {"symbol": symbol_of(one), "size": symbol_size(one, MARKER_SIZE - 2), "color": f"@{one.name}"},
        "cliponaxis": False,
        "hovertemplate": "%{y:.3~f}",
    }


def _depth_axis(layers: int) -> dict[str, Any]:
    return base_axis("y2", 0.5, layers + 0.5, tickvals=_depth_ticks(layers), unifiedhovertitle={"text": "layer %{x}"})


def _depth_ticks(layers: int) -> list[int]:
    """The first layer, the last one, and every fifth between them."""
    return sorted({1, layers} | {tick for tick in range(5, layers + 1, 5) if layers - tick > 2})


# --- what is said -----------------------------------------------------------------------------------------------------


def _title(view: View) -> str:
    title = "Drift, path length" if view.is_path else "Drift since step 0"
    return f"{title}, standardised" if view.is_standardised else title


def _farthest(run: Run, values: Floats) -> str:
    """Such as "farthest: layer 3 without BN (2.9), layer 3 with it (1.1)"."""
    if len(values) < 2:
        return ""
    layer = [int(np.argmax(np.nan_to_num(values[-1, k], nan=-1.0))) for k in range(values.shape[1])]
    most = [float(values[-1, k, layer[k]]) for k in range(values.shape[1])]
    texts = [
        f"{text} in layer {one + 1}" if np.isfinite(value) else None
        for text, one, value in zip(alike(most), layer, most, strict=True)
    ]
    told = enumerate_texts(run.competitors, texts)
    return f"farthest: {told}" if told else ""


def _alt(run: Run, view: View, values: Floats) -> str:
    if not has_data(values):
        return f"{_title(view)}: nothing measured yet."
    parts = []
    for k, one in enumerate(run.competitors):
        newest = ", ".join(number(last_finite(values[:, k, layer])) for layer in range(values.shape[2]))
        parts.append(f"{one.label} {newest}")
    return f"{_title(view)}, at step {whole(run.history.step[-1])}, layer by layer: {'; '.join(parts)}."


def _how(run: Run, view: View) -> str:
    what = "Sum of W1 between successive scheduled points" if view.is_path else "W1 distance to the inputs at step 0"
    scale = ", divided by the pooled standard deviation (at least 0.05)" if view.is_standardised else ""
    return f"{what}{scale}, mean over {run.settings.model.units}, on {probe_text(run)}."
