"""Best-tuned against best-tuned: each network at its own best cell, and how wide the range of usable values is.

Shapes as in `records.sweep`: k = competitors, y = rows, x = columns, s = seeds, t = moments.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import Nonlinearity, SweepAxis, View
from bnviz.figures.chart import Words, base_axis, domains, number_of, panel_heading
from bnviz.figures.numbers import number
from bnviz.figures.sweep_parts import (
    is_empty,
    name_of,
    place_text,
    progress,
    sweep_chart,
    texts_of,
    value_text,
    waiting,
)
from bnviz.figures.theme import THIN_WIDTH, Spec
from bnviz.figures.trials_error import MARGIN, SCALE, error_axis
from bnviz.figures.trials_parts import error_of, labels_at_ends, median, newest, places_axis, rough, series
from bnviz.figures.words import enumerate_texts, joined
from bnviz.records import USABLE_ACCURACY, Floats, Run, Sweep

CURVES: Final = "Best-tuned against best-tuned"
RANGES: Final = "How wide is the range that works?"
_MOST_PLACES: Final = 4  # written on an axis of places, of two beside each other


def sweep_best(run: Run, view: View) -> Spec:
    """Test error over steps of each network's best cell: the median over seeds, and each seed faintly."""
    sweep, name = run.sweep, "sweep-best"
    how = (
        "Each network at the cell with its own best median accuracy. Share of the 10,000 test images classified "
        "wrongly at inference; before the end, of every fifth of them."
    )
    if sweep is None or is_empty(sweep):
        return waiting(run, name, CURVES, how)
    competitors, steps = sweep.config.competitors, sweep.steps.astype(float)
    seeds = [_at_best(sweep, k) for k in range(len(competitors))]
    middle = error_of(np.stack([median(one, axis=0) for one in seeds]))
    places = [_best_text(sweep, k) for k in range(len(competitors))]
    data = [trace for k, one in enumerate(seeds) for trace in _faint(sweep, k, steps, error_of(one))]
    data += series(competitors, steps, middle, SCALE, "%{customdata:.1f} %")
    texts = [rough(one / 100) for one in newest(middle)]
    told = enumerate_texts(
        competitors, [f"{text} ({place})" if place else None for text, place in zip(texts, places, strict=True)]
    )
    length = f"{sweep.config.steps:,} steps, {progress(sweep)}"
    short = enumerate_texts(competitors, texts)
    words = Words(CURVES, f"Test error at the end {short}.", f"{CURVES}, {length}: test error {told}.", how)
    axes = {
        "xaxis": base_axis("y", 0, steps[-1], nticks=5, tickformat=",", unifiedhovertitle={"text": "step %{x:,}"}),
        "yaxis": error_axis("x"),
    }
    labels = labels_at_ends(competitors, steps, middle, SCALE, texts)
    return sweep_chart(run, name, words, data, axes, annotations=labels, margin=MARGIN, x="step")


def sweep_ranges(run: Run, view: View) -> Spec:
    """The best test error at each value of one side, the other side tuned anew for it: a panel for each side."""
    sweep, name = run.sweep, "sweep-ranges"
    how = (
        "At each value of one setting the best median over all values of the other one: so every network is best "
        f"tuned. Usable is what ends above {100 * USABLE_ACCURACY:.0f} % test accuracy, the dashed line."
    )
    if sweep is None or is_empty(sweep):
        return waiting(run, name, RANGES, how)
    competitors = sweep.config.competitors
    data: list[dict[str, Any]] = []
    axes: dict[str, dict[str, Any]] = {}
    annotations: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    sides = (sweep.config.x, sweep.config.y)
    for panel, (axis, span) in enumerate(zip(sides, domains(2, gap=0.12), strict=True)):
        suffix, error = number_of(panel), error_of(_best_along(sweep, axis))
        x = np.arange(len(axis), dtype=float)
        data += series(competitors, x, error, SCALE, "%{customdata:.1f} %", suffix)
        axes[f"xaxis{suffix}"] = places_axis(f"y{suffix}", texts_of(axis), _MOST_PLACES, domain=span)
        axes[f"yaxis{suffix}"] = error_axis(f"x{suffix}", showticklabels=panel == 0)
        annotations.append(panel_heading(panel, name_of(axis)))
        shapes.append(_usable_line(suffix))
        if panel == len(sides) - 1:
            texts = [rough(one / 100) for one in newest(error)]
            annotations += labels_at_ends(competitors, x, error, SCALE, texts, suffix)
    told = [f"{range_text(sweep, axis)}." for axis in sides]
    words = Words(RANGES, told[0], f"{RANGES} {joined(*told)}", how)
    return sweep_chart(
        run, name, words, data, axes,
        annotations=annotations, shapes=shapes, margin=MARGIN, hovermode="closest", x="value",
    )  # fmt: skip


# --- what is best -----------------------------------------------------------------------------------------------------


def _at_best(sweep: Sweep, k: int) -> Floats:
    """Accuracy over steps of each seed at a network's best cell, NaN where there is none yet. [s, t]"""
    best = sweep.best_cell(k)
    if best is None:
        return np.full(sweep.accuracy_over_steps.shape[-2:], np.nan)
    at_best: Floats = sweep.accuracy_over_steps[k, best[0], best[1]]
    return at_best


def _best_text(sweep: Sweep, k: int) -> str:
    best = sweep.best_cell(k)
    return place_text(sweep, *best) if best else ""


def _best_along(sweep: Sweep, axis: SweepAxis) -> Floats:
    """The best median at each value of a side; NaN where nothing has come in. [k, n]"""
    across = 1 if axis.setting == sweep.config.x.setting else 2
    is_known = np.isfinite(sweep.median).any(axis=across)
    best = np.max(np.nan_to_num(sweep.median, nan=-1.0), axis=across)
    found: Floats = np.where(is_known, best, np.nan)
    return found


def range_text(sweep: Sweep, axis: SweepAxis) -> str:
    """Such as "Usable learning rates: 0.03 to 10 with BN (a factor of 333), 0.1 to 1 without (10)"."""
    name = name_of(axis)
    texts = [_range_of(sweep, k, axis) for k in range(len(sweep.config.competitors))]
    plural = "nonlinearities" if name == "nonlinearity" else name if name.endswith("s") else f"{name}s"
    return f"Usable {plural}: {enumerate_texts(sweep.config.competitors, texts)}"


def _range_of(sweep: Sweep, k: int, axis: SweepAxis) -> str:
    """The values at which a network is usable, the first to the last where none between them fails."""
    usable = sweep.usable(k, axis.setting)
    if not usable:
        return "none"
    places = [axis.values.index(one) for one in usable]
    is_whole = places[-1] - places[0] == len(places) - 1
    if isinstance(usable[0], Nonlinearity) or not is_whole or len(usable) == 1:
        return ", ".join(map(value_text, usable))
    return f"{value_text(usable[0])} to {value_text(usable[-1])} (a factor of {number(usable[-1] / usable[0])})"


# --- drawing ----------------------------------------------------------------------------------------------------------


def _faint(sweep: Sweep, k: int, steps: Floats, error: Floats) -> list[dict[str, Any]]:
    """The line of each seed, where there are several. error: [s, t]"""
    if len(error) < 2:
        return []
    one = sweep.config.competitors[k]
    return [
        {
            "type": "scatter", "mode": "lines", "name": f"{one.label}, each seed", "hoverinfo": "skip",
            "x": steps[known], "y": np.clip(row[known], SCALE.low, SCALE.high),
            "line": {"color": f"@{one.name}/0.35", "width": THIN_WIDTH},
        }
        for row in error
        if (known := np.isfinite(row)).any()
    ]  # fmt: skip


def _usable_line(suffix: str) -> dict[str, Any]:
    """Where usable ends: a shape named "usable"."""
    error = 100 * (1 - USABLE_ACCURACY)
    return {
        "name": "usable", "type": "line", "xref": f"x{suffix} domain", "yref": f"y{suffix}",
        "x0": 0, "x1": 1, "y0": error, "y1": error, "line": {"color": "@muted", "width": 1, "dash": "dash"},
    }  # fmt: skip
