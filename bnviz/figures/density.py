"""Density: the whole distribution of a layer's inputs over time, as a heat map for each competitor."""

import math
import threading
from collections import OrderedDict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bnviz.config import View
from bnviz.figures import numbers
from bnviz.figures.chart import MARGIN, Words, chart, heading, number_of
from bnviz.figures.numbers import finite, nice_range, number, whole
from bnviz.figures.theme import TICK_SIZE, Spec, square_root_scale
from bnviz.figures.timeline import HOVER_TITLES, UNITS, event_lines, timeline, unit_label
from bnviz.figures.twins import EMPTY_RANGE, how, stop_labels, twin_axes
from bnviz.figures.words import compare, within_sight
from bnviz.records import QUANTILE_LEVELS, Floats, Run

MOST_COLUMNS: Final = 128
MOST_REMEMBERED: Final = 32  # runs and layers, 128 kB each
ROWS: Final = 72
DENSEST: Final = 1.0  # a density beyond this has the darkest colour
COLOURBAR_MARGIN: Final = MARGIN | {"r": 64}

# What the quantiles of a distribution are multiplied with for the width of its middle 90 %: interpolation. [q]
SPAN: Final[Floats] = np.array(
    [
        np.interp(0.95, QUANTILE_LEVELS, one) - np.interp(0.05, QUANTILE_LEVELS, one)
        for one in np.eye(len(QUANTILE_LEVELS))
    ]
)


def density(run: Run, view: View) -> Spec:
    """The whole distribution of one layer's inputs over time, as a heat map for each competitor.

    Up to the newest test accuracy: a column more is hardly seen, and a heat map is dear to build, send and draw.
    """
    run, view = run.until_accuracy, view.within(run.settings.model)
    time, count = timeline(run, view), len(run.competitors)
    quantiles = _columns(run, view)
    points = _shown_points(len(run.history))
    low, high = _ends(within_sight(run, quantiles))
    edges = np.linspace(low, high, ROWS + 1)
    columns = _REMEMBERED.columns(quantiles, edges)
    centres = ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
    data = []
    for k in range(count):
        measured = np.flatnonzero(np.isfinite(columns[:, k, 0]))
        if measured.size:
            last = int(measured[-1]) + 1
            z = columns[:last, k].T
            data.append(_heat_map(run, k, time.x[k][points][:last], centres, z, HOVER_TITLES[time.axis]))
    spans = quantiles[[0, -1]] @ SPAN if len(quantiles) else np.empty((0, count))
    words = Words(
        f"All inputs of layer {view.layer}: density",
        f"middle 90 % now spans {told}" if len(spans) and (told := compare(run.competitors, spans[1])) else "",
        _alt(run, view, spans),
        f"Distribution over all {run.settings.model.units} of the layer, from {len(QUANTILE_LEVELS)} quantiles "
        f"{how(run)}",
    )
    return chart(
        run, "density", words, data, twin_axes(time, count, low, high, showgrid=False),
        annotations=[
            unit_label(time),
            *(heading(run, k, k) for k in range(count)),
            *(label for k in range(count) for label in stop_labels(run, time, k)),
        ],
        shapes=event_lines(run, time, [(number_of(k), [k]) for k in range(count)]),
        margin=COLOURBAR_MARGIN,
        hovermode="closest",
        x=UNITS[time.axis],
        time_axes=[f"xaxis{number_of(k)}" for k in range(count)],
        shows=f"{view.layer}-{time.axis}",
        coloraxis=_colour_axis(),
    )  # fmt: skip


def _ends(quantiles: Floats) -> tuple[float, float]:
    """Round ends that hold the middle 98 % of each distribution nine times in ten. quantiles: [c, k, q]"""
    ends = []
    for level, share in ((0.01, 0.1), (0.99, 0.9)):
        column = int(np.argmin(np.abs(QUANTILE_LEVELS - level)))
        series = [finite(quantiles[:, k, column]) for k in range(quantiles.shape[1])]
        ends.append([numbers.quantiles(one, [share])[0] for one in series if one.size])
    return nice_range(min(ends[0]), max(ends[1])) if ends[0] and ends[1] else EMPTY_RANGE


def densities(quantiles: Floats, edges: Floats) -> Floats:
    """Probability density between the edges, out of quantiles: the slope of the interpolated distribution function.

    Args:
        quantiles: [c x q], ascending along q, at QUANTILE_LEVELS; a row with a NaN gives NaN.
        edges: [r + 1], ascending.

    Returns:
        [c x r] float32, mean density in each cell; a row integrates to the mass between the outer edges.
    """
    known = np.isfinite(quantiles).all(axis=1)
    below = np.full((len(quantiles), len(edges)), np.nan)
    if known.any():
        below[known] = mass_below(quantiles[known].astype(np.float64), edges)
    return (np.diff(below, axis=1) / np.diff(edges)).astype(np.float32)


class _Remembered:
    """The newest columns of runs and layers: while a run plays, all but the last are those of the frame before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: OrderedDict[tuple[bytes, bytes], tuple[Floats, Floats]] = OrderedDict()

    def columns(self, quantiles: Floats, edges: Floats) -> Floats:
        """[c, k, q], [r + 1] to [c, k, r]"""
        shape = (*quantiles.shape[:2], len(edges) - 1)
        if not len(quantiles):
            return np.empty(shape, np.float32)
        key = edges.tobytes(), quantiles[0].tobytes()  # a run and layer is known by how it began
        with self._lock:
            before, made = self._newest.pop(key, (quantiles[:0], np.empty((0, *shape[1:]), np.float32)))
        columns, both = np.empty(shape, np.float32), min(len(quantiles), len(before))
        is_new = np.ones(shape[:2], np.bool_)
        is_new[:both] = (before[:both] != quantiles[:both]).any(axis=2)
        columns[:both] = made[:both]
        if is_new.any():
            columns[is_new] = densities(quantiles[is_new], edges)
        with self._lock:
            self._newest[key] = quantiles, columns
            while len(self._newest) > MOST_REMEMBERED:
                self._newest.popitem(last=False)
        return columns


_REMEMBERED: Final = _Remembered()


def mass_below(quantiles: Floats, edges: Floats) -> Floats:
    """The distribution function at the edges: monotone cubics through the quantiles. [c x q], [e] -> [c x e]

    The slope at a quantile is that of the parabola through it and its neighbours, limited to three times the flatter
    secant, which keeps the function monotone (Fritsch & Carlson 1980). Straight lines would draw every quantile as a
    step of the density.
    """
    count, levels = quantiles.shape
    apart = 1e-9 * (1 + np.abs(quantiles).max(axis=1, keepdims=True, initial=0))
    knots = quantiles + apart * np.arange(levels)  # equal quantiles, as of a constant input, stay a steep step
    width, rise = np.diff(knots), np.diff(QUANTILE_LEVELS)
    left, right = (rise / width)[:, :-1], (rise / width)[:, 1:]
    parabola = (width[:, 1:] * left + width[:, :-1] * right) / (width[:, 1:] + width[:, :-1])
    slope = np.zeros_like(knots)
    slope[:, 1:-1] = np.minimum(parabola, 3 * np.minimum(left, right))
    first, last = slope[:, :-1] * width, slope[:, 1:] * width
    piece = np.array([row.searchsorted(edges, side="right") for row in knots]).reshape(count, len(edges)) - 1
    at = np.clip(piece, 0, levels - 2)
    here = at + (levels - 1) * np.arange(count)[:, None]
    t = (edges - knots[:, :-1].take(here)) / width.take(here)
    linear, square, cube = (one.take(here) for one in (first, 3 * rise - 2 * first - last, first + last - 2 * rise))
    below: Floats = QUANTILE_LEVELS[at] + t * (linear + t * (square + t * cube))
    below[piece < 0], below[piece >= levels - 1] = 0.0, 1.0
    return below


def _shown_points(points: int) -> NDArray[np.int64]:
    """Evenly sampled points of a history; which those are, its thinning has already decided in linear and log steps.

    Every second, fourth, eighth … and the newest: as a run grows the same ones stay, and their columns with them.
    """
    every = 1 << max(0, math.ceil(math.log2(max(points - 1, 1) / (MOST_COLUMNS - 1))))
    shown = np.arange(0, points, every)
    return shown if points == 0 or shown[-1] == points - 1 else np.append(shown, points - 1)


def _columns(run: Run, view: View) -> Floats:
    """Quantiles of the layer at the points shown. [c, k, q]"""
    if not len(run.history):
        return np.empty((0, len(run.competitors), len(QUANTILE_LEVELS)), np.float32)
    shown: Floats = run.history.quantiles[_shown_points(len(run.history)), :, view.layer - 1]
    return shown


def _heat_map(run: Run, k: int, x: Floats, centres: Floats, columns: Floats, when: str) -> dict[str, Any]:
    return {
        "type": "heatmap",
        "name": run.competitors[k].label,
        "x": x,
        "y": centres,
        "z": columns,
        "coloraxis": "coloraxis",
        "xaxis": f"x{number_of(k)}",
        "yaxis": f"y{number_of(k)}",
        "zsmooth": False,
        "hovertemplate": f"{when}<br>input %{{y:.2f}}: density %{{z:.3f}}<extra></extra>",
    }


def _colour_axis() -> dict[str, Any]:
    shown = [0, 0.1, 0.5, 1]
    return {
        "cmin": 0,
        "cmax": DENSEST,
        "colorscale": square_root_scale(),
        "colorbar": {
            "x": 1,
            "xpad": 6,
            "y": 0.5,
            "len": 1,
            "ypad": 0,
            "thickness": 10,
            "outlinewidth": 0,
            "tickvals": shown,
            "ticktext": ["0", "0.1", "0.5", "≥ 1"],
            "ticks": "",
            "tickfont": {"size": TICK_SIZE, "color": "@muted"},
        },
    }


def _alt(run: Run, view: View, spans: Floats) -> str:
    """`spans` are those at the start and now. [2, k]"""
    title = f"Density of all inputs of layer {view.layer}"
    if not len(spans):
        return f"{title}: nothing measured yet."
    parts = [
        f"{one.label} from {number(start)} to {number(now)}"
        for one, (start, now) in zip(run.competitors, spans.T.tolist(), strict=True)
        if math.isfinite(start + now)
    ]
    steps = whole(run.history.step[-1])
    return f"{title} over {steps} steps; width of the middle 90 %: {'; '.join(parts) or 'not finite'}."
