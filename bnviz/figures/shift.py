"""Shift: internal covariate shift by Definition 2.1 of Santurkar et al. 2018, over time, layer by layer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bnviz.config import ShiftMeasure, View
from bnviz.figures.chart import (
    Words,
    chart,
    domains,
    key_of,
    line,
    measured_part,
    note,
    number_of,
    panel_heading,
    value_axis,
)
from bnviz.figures.comparisons import Comparison, compared, layers_of, ratio_text, series_of, twins_of
from bnviz.figures.labels import EndLabel, end_labels, end_marker
from bnviz.figures.numbers import alike, finite, nice_at_least, nice_at_most, number, quantiles, whole
from bnviz.figures.theme import Spec, line_width, swatch_of
from bnviz.figures.timeline import INSIDE, UNITS, Timeline, event_lines, time_axis, timeline, unit_label
from bnviz.figures.words import has_data, is_diverged, last_finite, spoken
from bnviz.records import Floats, Run

MOST_PANELS: Final = 4
GAPS: Final = {1: 0.0, 2: 0.08, 3: 0.06, 4: 0.05}
MARGIN: Final = {"l": 50, "r": 98, "t": 22, "b": 26}  # on the right the last panel's labels name the networks
IN_MEDIAN: Final = (3, 15)  # measurements under the running median: an eighth of all, within these ends
POINT_SIZE: Final = 3
POINT_OPACITY: Final = 0.3
MOST_DECADES: Final = 6  # of a logarithmic axis: a value next to nothing flattens no chart
FULL: Final = 200  # measurements of which each is drawn; of more, every second, third …

_TITLES: Final = {
    ShiftMeasure.CHANGE: "Internal covariate shift: change of the gradient",
    ShiftMeasure.RELATIVE: "Internal covariate shift: relative change of the gradient",
    ShiftMeasure.COSINE: "Internal covariate shift: cosine of the two gradients",
}
_SYMBOLS: Final = {
    ShiftMeasure.CHANGE: "‖G − G′‖",
    ShiftMeasure.RELATIVE: "‖G − G′‖ / ‖G‖",
    ShiftMeasure.COSINE: "cos ∠(G, G′)",
}


@dataclass(frozen=True)
class Scale:
    """A y axis: its ends, and whether it is logarithmic."""

    low: float
    high: float
    is_log: bool = True

    def inside(self, y: Any) -> Any:
        """The nearest values that lie on the axis; NaN stays."""
        return np.clip(y, self.low, self.high)

    def place(self, y: float) -> float:
        """Height in the plot, in [0, 1]."""
        if self.is_log:
            return math.log(y / self.low) / math.log(self.high / self.low)
        return (y - self.low) / (self.high - self.low)

    def at(self, y: float) -> float:
        """Where an annotation stands: by the exponent on a logarithmic axis."""
        if not self.is_log:
            return y
        middle = math.log10(self.low * self.high) / 2
        return middle + (math.log10(y) - middle) * INSIDE

    def axis(self, anchor: str, **more: Any) -> dict[str, Any]:
        if not self.is_log:
            return value_axis(anchor, self.low, self.high, tickformat=".4~g", **more)
        decades = math.log10(self.high / self.low)
        if decades > 3:
            ticks: dict[str, Any] = {"dtick": math.ceil(decades / 6)}
        else:  # as many as make Plotly choose 1, 2, 5 × 10^n
            ticks = {"nticks": int(decades / 0.31) if decades >= 1 else 5}
        return value_axis(anchor, self.low, self.high, type="log", tickformat=",.6~g", **ticks, **more)


def covariate_shift(run: Run, view: View) -> Spec:
    """How each layer's gradient changes by the update of the layers below it: single steps and a running median."""
    run, measure = run.until_accuracy, view.shift_measure
    steps, values = series_of(run.shift, str(measure), len(run.competitors))
    if not run.shift:
        values = np.empty((0, len(run.competitors), run.settings.model.hidden_layers + 1))
    layers = _shown_layers(values.shape[2])
    time = timeline(run, view)
    shown = values[:, :, [layer - 1 for layer in layers]]  # [m, k, panels]
    scale = _scale(shown, measure)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = [unit_label(time)]
    axes: dict[str, Any] = {}
    for panel, (layer, domain) in enumerate(zip(layers, domains(len(layers), GAPS[len(layers)]), strict=True)):
        traces, labels = _panel(run, time, steps, shown[:, :, panel], scale, panel, panel == len(layers) - 1)
        data += traces
        annotations += [panel_heading(panel, _layer_name(run, layer)), *labels]
        axes |= _axes(time, panel, domain, scale)
    if not len(steps):
        annotations.append(note("Not measured yet."))
    words = Words(_TITLES[measure], _finding(run, measure, layers), _alt(run, measure, layers, shown), _how(len(steps)))
    return chart(
        run, "covariate-shift", words, data, axes,
        annotations=annotations,
        shapes=event_lines(run, time, [(number_of(p), range(len(run.competitors))) for p in range(len(layers))]),
        margin=MARGIN,
        key=key_of(run),
        x=UNITS[time.axis],
        time_axes=[f"xaxis{number_of(panel)}" for panel in range(len(layers))],
        shows=f"{time.axis}-{measure}-{len(layers)}",
    )  # fmt: skip


def positions(time: Timeline, k: int, steps: Floats) -> Floats:
    """Where steps between the points of a run lie on the axis for competitor number k. [m]"""
    at: Floats = np.interp(steps, time.step, time.x[k]) if len(time.step) else np.zeros(len(steps))
    return at


def window_of(measurements: int) -> int:
    """How many measurements the running median is over; odd."""
    fewest, most = IN_MEDIAN
    return max(min(max(measurements // 8, fewest), most, measurements) - 1, 0) // 2 * 2 + 1


def running_median(values: Floats, window: int) -> Floats:
    """The median of the nearest `window` (odd) finite values, at each finite value; NaN elsewhere. [m]"""
    known = np.isfinite(values)
    series, medians = values[known], np.full(len(values), np.nan)
    window = min(window, (len(series) - 1) // 2 * 2 + 1)
    if window > 0 and len(series):
        middle = window // 2
        windows = np.lib.stride_tricks.sliding_window_view(series, window)
        nearest = np.clip(np.arange(len(series)) - middle, 0, len(windows) - 1)
        medians[known] = np.partition(windows, middle, axis=1)[nearest, middle]
    return medians


def log_scale(values: Floats, low_at_most: float = math.inf, high_at_least: float = 0.0) -> Scale:
    """Ends in 1, 2, 5 × 10^n around the positive values; single ones far away from all others are cut off."""
    known = finite(values)
    known = known[known > 0]
    if not known.size:
        return Scale(min(0.01, low_at_most), max(1.0, high_at_least))
    first, last = quantiles(known, [0.05, 0.95])
    high = max(min(float(known.max()), 10 * last), high_at_least)
    low = min(max(float(known.min()), first / 10, high / 10**MOST_DECADES), low_at_most)
    low, high = nice_at_most(low), nice_at_least(high)
    return Scale(low, high) if high > 2 * low else Scale(low / 2, high * 2)


def _scale(values: Floats, measure: ShiftMeasure) -> Scale:
    """One for all panels. A cosine below 0 is worth seeing as such; where there is none, the axis begins at 0."""
    if measure is not ShiftMeasure.COSINE:
        return log_scale(values)
    known = finite(values)
    lowest = float(known.min()) if known.size else 0.0
    return Scale(max(low for low in (0.0, -0.5, -1.0) if low <= max(lowest, -1.0)), 1.0, is_log=False)


def _shown_layers(weights: int) -> list[int]:
    """Weight layers, counted from 1, from the second on: all of them, or some evenly sampled with the last."""
    count = min(weights - 1, MOST_PANELS)
    return [int(layer) for layer in np.linspace(2, weights, count).round()]


def _layer_name(run: Run, layer: int) -> str:
    return f"layer {layer}" if layer <= run.settings.model.hidden_layers else f"layer {layer}, output"


def _axes(time: Timeline, panel: int, domain: list[float], scale: Scale) -> dict[str, Any]:
    numbered = number_of(panel)
    shared_x, shared_y = ({"matches": "x"}, {"matches": "y", "showticklabels": False}) if panel else ({}, {})
    return {
        f"xaxis{numbered}": time_axis(time, f"y{numbered}", domain=domain, **({"nticks": 3} | shared_x)),
        f"yaxis{numbered}": scale.axis(f"x{numbered}", **shared_y),
    }


def _panel(
    run: Run, time: Timeline, steps: Floats, values: Floats, scale: Scale, panel: int, is_last: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Traces of one layer, and beside the last one the newest medians. values: [m, k]"""
    numbered = number_of(panel)
    axes = {"xaxis": f"x{numbered}", "yaxis": f"y{numbered}"}
    window = window_of(len(steps))
    medians = [running_median(_drawable(values[:, k], scale), window) for k in range(len(run.competitors))]
    newest = [last_finite(one) for one in medians]
    points, lines, ends = [], [], []
    labels: list[EndLabel] = []
    for k, one in enumerate(run.competitors):
        if not np.isfinite(newest[k]):
            continue
        x = positions(time, k, steps)
        points.append(_points(x, _drawable(values[:, k], scale), f"@{one.name}", one.label, axes))
        at, y = measured_part(x, scale.inside(medians[k]))
        lines.append(line(at, y, name=one.label, colour=f"@{one.name}", hover="%{y:.3~g}", **axes))
        lines[-1]["line"]["width"] = line_width(k, 2)
        on_axis = float(scale.inside(newest[k]))
        ends.append(end_marker(run, k, float(at[-1]), on_axis, **axes))
    if is_last:
        texts = alike(newest) if scale.is_log else [f"{value:.3f}" for value in newest]
        labels = [
            _end_label(run, k, time, texts[k], scale, value) for k, value in enumerate(newest) if np.isfinite(value)
        ]
    return points + lines + ends, end_labels(labels, numbered)


def _drawable(values: Floats, scale: Scale) -> Floats:
    """What has a place on the axis: nothing that is not finite, and nothing that has no logarithm. [m]"""
    has_place = np.isfinite(values) & ((values > 0) if scale.is_log else True)
    return np.where(has_place, values, np.nan)


def _points(x: Floats, y: Floats, colour: str, label: str, axes: dict[str, str]) -> dict[str, Any]:
    """The single measurements; of very many an even part."""
    every = max(1, math.ceil(len(y) / FULL))
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"single steps, {label}",
        "x": x[::every],
        "y": y[::every],
        "marker": {"color": colour, "size": POINT_SIZE, "opacity": POINT_OPACITY},
        "hoverinfo": "skip",
        **axes,
    }


def _end_label(run: Run, k: int, time: Timeline, value: str, scale: Scale, newest: float) -> EndLabel:
    """The newest median over its network's name."""
    one, on_axis = run.competitors[k], float(scale.inside(newest))
    text = f"<b>{'× ' if is_diverged(run, k) else ''}{value}</b><br>{swatch_of(one)} {one.label}"
    return EndLabel(text, time.end * INSIDE, scale.at(on_axis), scale.place(on_axis))


# --- what is said -----------------------------------------------------------------------------------------------------


def _finding(run: Run, measure: ShiftMeasure, layers: Sequence[int]) -> str:
    """Such as "with BN ÷ without BN: × 40 in layer 2, × 12 up to step 240 and then ÷ 3.1 in layer 3"."""
    twins = twins_of(run)
    if twins is None or not run.shift:
        return ""
    known = {one.layer: one for one in compared(run, f"ics-{measure}", twins, layers) if one.count}
    told = [_told(run, known[layer]) for layer in layers if layer in known]
    if not told:
        return ""
    bn, plain = spoken(run.competitors[twins.bn]), spoken(run.competitors[twins.plain])
    sign = "minus" if measure is ShiftMeasure.COSINE else "÷"
    count = max(one.count for one in known.values())
    unit = "measurement" if count == 1 else "measurements"
    return f"{_SYMBOLS[measure]} {bn} {sign} {plain}: {', '.join(told)} (median of {whole(count)} {unit})"


def _told(run: Run, one: Comparison) -> str:
    """The ratio in one layer; before and after a turn, if there is one."""
    where = f"in {layers_of(run, [one.layer])}"
    if one.turn is None:
        return f"{ratio_text(one.whole)} {where}"
    return (
        f"{ratio_text(one.turn.before)} up to step {whole(one.turn.step)} and then {ratio_text(one.turn.after)} {where}"
    )


def _alt(run: Run, measure: ShiftMeasure, layers: Sequence[int], values: Floats) -> str:
    if not has_data(values):
        return f"{_TITLES[measure]}: nothing measured yet."
    parts = []
    for k, one in enumerate(run.competitors):
        typical = [_median(values[:, k, panel]) for panel in range(len(layers))]
        parts.append(f"{one.label} {', '.join(number(value) for value in typical)}")
    names = ", ".join(layers_of(run, [layer]) for layer in layers)
    return (
        f"{_TITLES[measure]}, median of {whole(len(values))} measurements up to step "
        f"{whole(run.shift[-1].step)}, in {names}: {'; '.join(parts)}."
    )


def _median(values: Floats) -> float:
    known = finite(values)
    return quantiles(known, [0.5])[0] if known.size else float("nan")


def _how(measurements: int) -> str:
    drawn = f"Dots: single steps; line: median of the nearest {window_of(measurements)}." if measurements > 2 else ""
    return (
        f"G, G′: gradient of W_i on the step’s mini-batch before and after the layers below are updated. {drawn} "
        "Layer 1 has none below it: always 0."
    ).replace("  ", " ")
