"""Layer series: one number a weight matrix, the chosen layer's over time and all layers' now."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, base_axis, chart, line, measured_part, note, panel_heading
from bnviz.figures.gradient_bins import size
from bnviz.figures.labels import EndLabel, end_labels, end_marker
from bnviz.figures.layer_scales import Scale, linear_scale, log_scale, scaled_axis
from bnviz.figures.numbers import finite, number, whole
from bnviz.figures.theme import EVENT_WIDTH, MARKER_SIZE, THIN_WIDTH, Spec, swatch_of, symbol_of, symbol_size
from bnviz.figures.timeline import INSIDE, UNITS, Timeline, event_lines, time_axis, timeline, unit_label
from bnviz.figures.words import first_finite, has_data, is_diverged, last_finite, weight_layer, within_sight
from bnviz.records import Floats, Run

FEW_LAYERS: Final = 8
TIME_PART: Final = [0.0, 0.46]  # shares of the plot's width; between them stand the ends of the lines
DEPTH_PART: Final = [0.72, 1.0]
MARGIN: Final = {"l": 48, "r": 98, "t": 22, "b": 26}


@dataclass(frozen=True)
class Series:
    """One number a weight matrix over the steps at which it was measured.

    Attributes:
        step: [m].
        values: [m, k, w], NaN where it was not measured.
        is_log: whether both panels share one logarithmic axis; else each has a linear one of its own.
        ends: of the logarithmic axis, where they are always the same.
        reference: a value that has a line across both panels.
    """

    name: str
    title: str
    how: str
    step: Floats
    values: Floats
    is_log: bool = True
    ends: tuple[float, float] | None = None
    reference: float | None = None

    def of(self, layer: int) -> Floats:
        """[m, k], of the weights into one layer, counted from 1."""
        series: Floats = self.values[:, :, layer - 1]
        return series

    def newest(self, run: Run) -> Floats:
        """What every competitor and weight matrix has now; of a diverged competitor, what it had last. [k, w]"""
        _, competitors, matrices = self.values.shape
        newest = np.full((competitors, matrices), np.nan)
        for k in range(competitors if len(self.values) else 0):
            newest[k] = self.values[-1, k]
            if is_diverged(run, k):
                newest[k] = [last_finite(self.values[:, k, w]) for w in range(matrices)]
        return newest


Finding = Callable[[Run, View, Series], str]


def layer_series(run: Run, view: View, series: Series, finding: Finding) -> Spec:
    """The weights into the chosen layer over time, and those of all layers as they are now."""
    view = view.within(run.settings.model)
    time = timeline(run, view)
    over_time, newest = within_sight(run, series.of(view.layer)), series.newest(run)
    scales = _scales(run, series, over_time, newest)
    data = _curves(run, time, series, view.layer, scales[0])
    labels = _values(run, time, newest[:, view.layer - 1], scales[0])
    profiles, names = _profiles(run, newest, scales[1])
    annotations = [panel_heading(0, f"layer {view.layer}"), panel_heading(1, "all layers"), *labels, *names]
    annotations.append(unit_label(time) | {"xref": "x domain", "xshift": 22})
    if not has_data(series.values):
        annotations.append(note("Nothing is measured yet."))
    words = Words(series.title, finding(run, view, series), _alt(run, view, series), series.how)
    return chart(
        run, series.name, words, data + profiles, _axes(run, time, series, scales),
        annotations=annotations,
        shapes=[*_marks(series, view), *event_lines(run, time, [("", range(len(run.competitors)))])],
        margin=MARGIN,
        x=UNITS[time.axis],
        time_axes=["xaxis"],
        shows=f"{time.axis}-{view.layer}",
    )  # fmt: skip


def _scales(run: Run, series: Series, over_time: Floats, newest: Floats) -> tuple[Scale, Scale]:
    """Of the panel over time and of that over depth; a diverged network stretches neither.

    over_time: [m, k]; newest: [k, w].
    """
    going = [k for k in range(len(run.competitors)) if not is_diverged(run, k)]
    profiles = newest[going] if going else newest
    if not series.is_log:
        return linear_scale(over_time), linear_scale(profiles, has_zero=True)
    scale = log_scale(finite(over_time, profiles), series.ends, series.reference)
    return scale, scale


def _axes(run: Run, time: Timeline, series: Series, scales: tuple[Scale, Scale]) -> dict[str, Any]:
    matrices = run.settings.model.hidden_layers + 1
    shared = {"matches": "y", "showticklabels": False} if series.is_log else {}
    return {
        "xaxis": time_axis(time, "y", domain=TIME_PART, **({"nticks": 4} if time.end > 5 else {})),
        "xaxis2": _depth_axis(matrices),
        "yaxis": scaled_axis("x", scales[0], series.reference),
        "yaxis2": scaled_axis("x2", scales[1], series.reference) | shared,
    }


def _depth_axis(matrices: int) -> dict[str, Any]:
    """Weight matrices from the first to that of the output layer."""
    few = matrices <= FEW_LAYERS
    ticks = list(range(1, matrices)) if few else [1, *range(5, matrices - 2, 5)]
    return base_axis(
        "y2",
        0.5,
        matrices + 0.5,
        domain=DEPTH_PART,
        tickvals=[*ticks, matrices],
        ticktext=[*map(str, ticks), "out"],
        unifiedhovertitle={"text": "layer %{x}"},
    )


def _marks(series: Series, view: View) -> list[dict[str, Any]]:
    """The chosen layer behind the panel over depth, and the reference across both panels."""
    chosen = {
        "type": "rect",
        "name": "chosen-layer",
        "xref": "x2",
        "x0": view.layer - 0.3,
        "x1": view.layer + 0.3,
        "yref": "y2 domain",
        "y0": 0,
        "y1": 1,
        "fillcolor": "@selected",
        "line": {"width": 0},
        "layer": "below",
    }
    if series.reference is None:
        return [chosen]
    across = [
        {
            "type": "line",
            "name": "reference",
            "xref": f"{x} domain",
            "x0": 0,
            "x1": 1,
            "yref": y,
            "y0": series.reference,
            "y1": series.reference,
            "line": {"color": "@muted", "width": EVENT_WIDTH},
            "layer": "below",
        }
        for x, y in (("x", "y"), ("x2", "y2"))
    ]
    return [chosen, *across]


# --- lines ------------------------------------------------------------------------------------------------------------


def _curves(run: Run, time: Timeline, series: Series, layer: int, scale: Scale) -> list[dict[str, Any]]:
    """The chosen layer's line of each competitor, with the symbol at its end."""
    lines, ends = [], []
    for k, one in enumerate(run.competitors):
        x, y = measured_part(_positions(time, series, k), series.of(layer)[:, k])
        if not len(x):
            continue
        lines.append(
            line(
                x.astype(np.float64),
                scale.drawable(y).astype(np.float64),
                name=one.label,
                colour=f"@{one.name}",
                hover="%{customdata:.3~g}",
                customdata=y.astype(np.float64),
            )
        )
        ends.append(end_marker(run, k, float(x[-1]), float(scale.shown(y[-1]))))
    return lines + ends


def _positions(time: Timeline, series: Series, k: int) -> Floats:
    """Where the steps of the series lie on the axis over time. [m]"""
    if len(series.step) == len(time.step) and (series.step == time.step).all():
        return time.x[k]
    return np.array([time.at(k, float(step)) for step in series.step], np.float64)


def _values(run: Run, time: Timeline, newest: Floats, scale: Scale) -> list[dict[str, Any]]:
    """The newest values at the ends of the lines. newest: [k]"""
    labels = []
    for k in np.flatnonzero(np.isfinite(newest)).tolist():
        on_axis = float(scale.shown(newest[k]))
        text = size(float(newest[k])) if scale.is_log else number(float(newest[k]), 3)
        mark = "× " if is_diverged(run, k) else f"{swatch_of(run.competitors[k])} " if len(newest) > 2 else ""
        y = scale.coordinate(on_axis) * (INSIDE if scale.is_log else 1)
        labels.append(EndLabel(f"{mark}<b>{text}</b>", time.end * INSIDE, y, scale.place(on_axis), lines=1))
    return [one | {"xshift": 8} for one in end_labels(labels)]


def _profiles(run: Run, newest: Floats, scale: Scale) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All layers' newest values of each competitor, and its name at the last of them. newest: [k, w]"""
    depth = np.arange(1, newest.shape[1] + 1, dtype=np.float64)
    traces, labels = [], []
    for k, one in enumerate(run.competitors):
        known = np.flatnonzero(np.isfinite(newest[k]))
        if not known.size:
            continue
        shown = scale.shown(newest[k])
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": one.label,
                "x": depth,
                "y": shown,
                "customdata": newest[k],
                "xaxis": "x2",
                "yaxis": "y2",
                "line": {"color": f"@{one.name}", "width": THIN_WIDTH},
                "marker": {
                    "symbol": symbol_of(one),
                    "size": symbol_size(one, MARKER_SIZE - 2),
                    "color": f"@{one.name}",
                },
                "cliponaxis": False,
                "hovertemplate": "%{customdata:.3~g}",
            }
        )
        y = float(shown[known[-1]])
        at = scale.coordinate(y) * (INSIDE if scale.is_log else 1)
        labels.append(EndLabel(_name(run, k), (depth[-1] + 0.5) * INSIDE, at, scale.place(y), lines=1))
    return traces, [one | {"xshift": 6} for one in end_labels(labels, "2")]


def _name(run: Run, k: int) -> str:
    one = run.competitors[k]
    return f"{swatch_of(one)} {one.label}{' ×' if is_diverged(run, k) else ''}"


# --- what is said -----------------------------------------------------------------------------------------------------


def _alt(run: Run, view: View, series: Series) -> str:
    if not has_data(series.values):
        return f"{series.title}: nothing measured yet."
    newest, parts = series.newest(run), []
    for k, one in enumerate(run.competitors):
        if not np.isfinite(newest[k]).any():
            continue
        own = series.of(view.layer)[:, k]
        each = ", ".join(
            f"{weight_layer(run, w + 1)} {size(float(value))}"
            for w, value in enumerate(newest[k])
            if np.isfinite(value)
        )
        went = f"; layer {view.layer} went from {size(first_finite(own))} to {size(last_finite(own))}"
        parts.append(f"{one.label}: {each}{went if has_data(own) else ''}")
    return f"{series.title} at step {whole(series.step[-1])}. {'. '.join(parts)}."
