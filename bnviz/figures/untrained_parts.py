"""What the charts of two untrained networks share: frame, axes over depth, lines with their names, references.

Shapes: k = the twins, n = layers.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bnviz.config import TWINS
from bnviz.figures.chart import (
    Words,
    base_axis,
    clear_note,
    empty_axes,
    key_of,
    line,
    measured_part,
    not_yet,
    value_axis,
)
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import finite, log_ticks, nice_at_least, nice_at_most, number
from bnviz.figures.studies import staged, study_chart
from bnviz.figures.theme import MARKER_SIZE, THIN_WIDTH, TICK_SIZE, Spec, swatch_of, symbol_of
from bnviz.figures.timeline import INSIDE
from bnviz.records import Floats, Run

WAITING: Final = "Measuring two untrained networks."
ON: Final = "on 128 training images, before any training; BN with that batch’s statistics."
MOST_MARKED: Final = 30  # layers, up to which each one has a marker
PAD: Final = 0.5  # layers, beyond the first and the last one
NEAR: Final = 8  # px, from the end of a line to a label without a name
MOST_ZEROS: Final = 5
MOST_WHOLE: Final = 1e4
SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LEAST_RATIO: Final = 10.0  # of the ends of a logarithmic axis: small differences stay small


@dataclass(frozen=True)
class Scale:
    """The y axis of a chart: where a value lies on it, and what annotations call that place."""

    low: float
    high: float
    is_log: bool = True

    def inside(self, value: float) -> float:
        return min(max(value, self.low), self.high)

    def label_y(self, value: float) -> float:
        """As Plotly places annotations: by the exponent on a logarithmic axis."""
        return float(np.log10(self.inside(value))) if self.is_log else self.inside(value)

    def place(self, value: float) -> float:
        """Height in the plot, in [0, 1]."""
        low, high = self.label_y(self.low), self.label_y(self.high)
        return (self.label_y(value) - low) / (high - low)

    def axis(self, anchor: str, **more: Any) -> dict[str, Any]:
        if not self.is_log:
            return value_axis(anchor, self.low, self.high, **more)
        ticks = log_ticks(self.low, self.high, most=5)
        texts = [tick_text(tick) for tick in ticks]
        return value_axis(anchor, self.low, self.high, type="log", tickvals=ticks, ticktext=texts, **more)


def tick_text(tick: float) -> str:
    """A round value, as a power of ten where its zeros do not fit beside an axis."""
    exponent = math.floor(math.log10(tick) + 1e-9)
    if abs(exponent) < MOST_ZEROS:
        return number(tick, 1)
    mantissa, power = round(tick / 10.0**exponent), f"10{str(exponent).translate(SUPERSCRIPTS)}"
    return power if mantissa == 1 else f"{mantissa}×{power}"


def compact(value: float) -> str:
    """A number with two digits, as a power of ten from 10,000 on."""
    if not math.isfinite(value) or abs(value) < MOST_WHOLE:
        return number(value)
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}×10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def log_scale(*values: Floats) -> Scale:
    """Round ends that hold all positive values, `LEAST_RATIO` apart or more."""
    known = finite(*values)
    known = known[known > 0]
    if not known.size:
        return Scale(0.1, 10)
    low, high = float(known.min()), float(known.max())
    if high < LEAST_RATIO * low:
        middle, half = (low * high) ** 0.5, LEAST_RATIO**0.5
        low, high = middle / half, middle * half
    return Scale(nice_at_most(low), nice_at_least(high))


# --- the frame --------------------------------------------------------------------------------------------------------


def untrained_chart(
    run: Run,
    name: str,
    words: Words,
    data: Sequence[Mapping[str, Any]],
    axes: Mapping[str, Mapping[str, Any]],
    **more: Any,
) -> Spec:
    """A chart of `run.untrained`."""
    return study_chart(staged(run, TWINS), run.untrained, name, words, data, axes, **more)


def waiting(run: Run, name: str, title: str, how: str) -> Spec:
    """The chart before anything of it is measured."""
    key = key_of(staged(run, TWINS))
    return untrained_chart(run, name, not_yet(title, how), [], empty_axes(), annotations=[clear_note(WAITING)], key=key)


# --- axes over depth --------------------------------------------------------------------------------------------------


def depth_axis(anchor: str, last: int, *, first: int = 1, has_output: bool = False, most: int = 5, **more: Any) -> Any:
    """Layers `first` to `last` as few whole numbers, of which the first says what it counts.

    With `has_output` the last one is the output layer.
    """
    ticks = depth_ticks(first, last, most)
    texts = [f"layer {ticks[0]}", *[str(tick) for tick in ticks[1:]]]
    if has_output:
        texts[-1] = "output"
    ends = first - PAD, last + PAD
    title = {"text": "layer %{x}"}
    return base_axis(anchor, *ends, tickvals=ticks, ticktext=texts, unifiedhovertitle=title, **more)


def depth_ticks(first: int, last: int, most: int) -> list[int]:
    """The first layer, the last one, and round ones between them that crowd neither."""
    step = next((step for step in (1, 2, 5, 10, 20, 25) if last - first < step * most), 50)
    near = 0.55 * step
    return sorted({first, last} | {tick for tick in range(step, last, step) if min(tick - first, last - tick) >= near})


# --- lines over depth -------------------------------------------------------------------------------------------------


def depth_lines(values: Floats, scale: Scale, hover: str, panel: str = "") -> list[dict[str, Any]]:
    """A line for each network from layer 1 on, with its shape at every layer where there is room. values: [k, n]

    What lies below a logarithmic axis is drawn at its lower end; `hover` formats the exact value, "customdata".
    """
    depth = np.arange(1, values.shape[1] + 1, dtype=np.float64)
    axes = {"xaxis": f"x{panel}", "yaxis": f"y{panel}"}
    lines, ends = [], []
    for k, one in enumerate(TWINS):
        x, exact = measured_part(depth, values[k])
        if not len(x):
            continue
        y = np.maximum(exact, scale.low) if scale.is_log else exact
        lines.append(line(x, y, name=one.label, colour=f"@{one.name}", hover=hover, customdata=exact, **axes))
        if len(x) > 1:
            lines[-1]["line"]["width"] = 2
        if 1 < values.shape[1] <= MOST_MARKED:
            marker = {"symbol": symbol_of(one), "size": 5, "color": f"@{one.name}"}
            lines[-1] |= {"mode": "lines+markers", "marker": marker, "cliponaxis": False}
        if np.isfinite(values[k, -1]):
            ends.append(twin_marker(k, float(x[-1]), float(y[-1]), **axes))
    return lines + ends


def twin_marker(k: int, x: float, y: float, **axes: str) -> dict[str, Any]:
    """A network's shape at the end of its line."""
    one = TWINS[k]
    outline = {"color": "@page", "width": 1.5}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": one.label,
        "x": np.array([x]),
        "y": np.array([y]),
        "marker": {"symbol": symbol_of(one), "size": MARKER_SIZE + 1, "color": f"@{one.name}", "line": outline},
        "cliponaxis": False,
        "hoverinfo": "skip",
        **axes,
    }


def depth_labels(
    values: Floats, texts: Sequence[str | None], scale: Scale, panel: str = "", *, has_names: bool = True
) -> list[dict[str, Any]]:
    """The value at the end of each line, over its network's name; a text of None leaves it out. values: [k, n]"""
    labels = []
    for k, value in enumerate(texts):
        known = np.flatnonzero(np.isfinite(values[k]))
        if value is None or not known.size:
            continue
        x, y = float(known[-1] + 1), float(values[k, known[-1]])
        text, lines = (named(k, value), 2) if has_names else (f"<b>{value}</b>", 1)
        labels.append(EndLabel(text, x * INSIDE, scale.label_y(y) * INSIDE, scale.place(y), lines))
    placed = end_labels(labels, panel)
    return placed if has_names else [one | {"xshift": NEAR} for one in placed]  # the next panel is near


def named(k: int, value: str) -> str:
    """A value in bold over its network's name."""
    return f'<span style="font-size:1.23em"><b>{value}</b></span><br>{name_of(k)}'


def name_of(k: int) -> str:
    return f"{swatch_of(TWINS[k])} {TWINS[k].label}"


# --- references -------------------------------------------------------------------------------------------------------


def reference_line(y: float, panel: str = "") -> dict[str, Any]:
    """A thin level line beneath the data: a shape named "reference"."""
    return {
        "type": "line",
        "name": "reference",
        "layer": "below",
        "xref": f"x{panel} domain",
        "x0": 0,
        "x1": 1,
        "yref": f"y{panel}",
        "y0": y,
        "y1": y,
        "line": {"color": "@muted", "width": THIN_WIDTH},
    }


def reference_label(text: str, y: float, *, is_above: bool = False) -> dict[str, Any]:
    """What a level line means, at its left end: an annotation named "reference". `y` as Plotly places annotations."""
    return {
        "name": "reference",
        "text": text,
        "xref": "x domain",
        "x": 0,
        "xanchor": "left",
        "yref": "y",
        "y": y,
        "yanchor": "bottom" if is_above else "top",
        "showarrow": False,
        "font": {"size": TICK_SIZE, "color": "@muted"},
    }


def mean_ratio(values: Floats) -> float:
    """How many times the next layer's value each one's is, geometric mean over the layers known; NaN if unknown. [n]"""
    known = np.flatnonzero(np.isfinite(values) & (values > 0))
    if known.size < 2:
        return float("nan")
    first, last = known[[0, -1]]
    return float(np.exp((np.log(values[first]) - np.log(values[last])) / (last - first)))


def ratio_texts(ratios: Iterable[float]) -> list[str | None]:
    """Such as "× 1.46"; None where unknown."""
    return [f"× {number(float(one), 3)}" if np.isfinite(one) else None for one in ratios]


def limit_line(values: Floats) -> dict[str, Any]:
    """A dotted line over depth: what theory says of wide networks. values: [n], NaN where it says nothing."""
    depth = np.arange(1, len(values) + 1, dtype=np.float64)
    known = np.isfinite(values)
    thin = {"color": "@text", "width": THIN_WIDTH, "dash": "1px,3px"}
    return line(depth[known], values[known], name="wide limit", colour="@text", hover="%{y:.3~g}") | {"line": thin}


def limit_label(growth: str) -> dict[str, Any]:
    """What the dotted line is, in the corner that it leaves free."""
    return {
        "name": "reference",
        "text": f"··· {growth} a layer,<br>wide limit with BN",
        "xref": "x domain",
        "x": 1,
        "xanchor": "right",
        "yref": "y domain",
        "y": 1,
        "yanchor": "top",
        "align": "right",
        "showarrow": False,
        "bgcolor": "@page",
        "font": {"size": TICK_SIZE, "color": "@muted"},
    }
