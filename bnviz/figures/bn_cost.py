"""What BN costs: the time of a step with it and without it, over width, by batch size, here and in plain PyTorch.

Shapes as in `records.cost`.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import BATCHES_TIMED, BN, SHAPES, TWINS, WIDTHS_TIMED, Architecture, View
from bnviz.figures.chart import (
    Words,
    base_axis,
    clear_note,
    domains,
    empty_axes,
    key_of,
    line,
    measured_part,
    not_yet,
    number_of,
    panel_heading,
)
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import finite, nice_range, number
from bnviz.figures.studies import staged, study_chart
from bnviz.figures.theme import Spec, symbol_of
from bnviz.figures.trials_parts import PAD, median
from bnviz.figures.untrained_parts import Scale, log_scale, reference_line
from bnviz.figures.words import joined
from bnviz.records import LOOPS, Cost, Floats, Run

WAITING: Final = "Timing networks with BN and without."
GAP: Final = 0.05
MARGIN: Final = {"l": 44, "r": 92, "t": 44, "b": 28}
DASHES: Final = ("2px,3px", "7px,3px", None)  # by batch size
NAMES: Final = {Architecture.FULLY_CONNECTED: "fully connected", Architecture.CONVOLUTIONAL: "convolutional"}
UNITS: Final = {Architecture.FULLY_CONNECTED: "units", Architecture.CONVOLUTIONAL: "maps"}
PANELS: Final = tuple((a, e) for a in range(len(SHAPES)) for e in range(len(LOOPS)))
USUAL: Final = 60  # images a batch, of the chart of times


def bn_cost(run: Run, view: View) -> Spec:
    """Time a step with BN ÷ without: a panel for each shape of network and loop, a line for each batch size."""
    cost, name, title = run.cost, "bn-cost", "A step with BN takes so many times as long"
    how = (
        "Processor time of a training step (on a GPU by the clock), with BN ÷ without, networks of one size in turns; "
        "median over the repetitions, bars from the quarter to three quarters. 1 is no cost."
    )
    if cost is None:
        return _waiting(run, name, title, how)
    low, middle, high = _quartiles(cost.ratio)  # [a, w, b, e] each
    scale = _ratio_scale(low, high)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for panel, (a, e) in enumerate(PANELS):
        labels = []
        for b, batch in enumerate(BATCHES_TIMED):
            each = middle[a, :, b, e], low[a, :, b, e], high[a, :, b, e]
            data += _ratio_line(batch, b, each, scale, number_of(panel))
            labels += _label(each[0], scale, f"batch {batch}", panel == len(PANELS) - 1)
        annotations += end_labels(labels, number_of(panel)) if panel == len(PANELS) - 1 else []
    words = Words(title, _told_by_shape(middle), joined(f"{title}.", _alt(middle)), how)
    return _panels(run, cost, (name, words), data, annotations, scale)


def bn_cost_time(run: Run, view: View) -> Spec:
    """Milliseconds a step of both networks at a batch of 60."""
    cost, name, title = run.cost, "bn-cost-time", "Milliseconds a step"
    how = (
        f"Processor time of a training step (on a GPU by the clock) at a batch of {USUAL}; median over the repetitions."
    )
    if cost is None:
        return _waiting(run, name, title, how)
    times = median(cost.milliseconds[:, :, BATCHES_TIMED.index(USUAL)], axis=4)  # [a, w, e, k]
    scale = log_scale(times)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for panel, (a, e) in enumerate(PANELS):
        labels = []
        for k, one in enumerate(TWINS):
            values = times[a, :, e, k]
            x, y = measured_part(_places(values), values)
            if len(x):
                drawn = line(
                    x, y, name=one.label, colour=f"@{one.name}", hover="%{y:.3~g} ms",
                    xaxis=f"x{number_of(panel)}", yaxis=f"y{number_of(panel)}",
                )  # fmt: skip
                marker = {"symbol": symbol_of(one), "size": 6, "color": f"@{one.name}"}
                data.append(drawn | {"mode": "lines+markers", "marker": marker, "cliponaxis": False})
                labels += _label(values, scale, one.label, panel == len(PANELS) - 1)
        annotations += end_labels(labels, number_of(panel)) if panel == len(PANELS) - 1 else []
    words = Words(
        title, f"Batch {USUAL}, {_device(cost)}", joined(f"{title} at a batch of {USUAL}.", _times_alt(times)), how
    )
    return _panels(run, cost, (name, words), data, annotations, scale)


# --- what is told -----------------------------------------------------------------------------------------------------


def told_of_cost(cost: Cost) -> str:
    """The range of the ratios in each loop, and on what: such as "× 1.2 to 1.9 in this app, × 1.5 to 2.4 …"."""
    _, middle, _ = _quartiles(cost.ratio)
    parts = []
    for e, loop in enumerate(LOOPS):
        known = finite(middle[:, :, :, e])
        if known.size:
            parts.append(f"× {known.min():.2f} to {known.max():.2f} in {_in_words(loop)}")
    return f"{', '.join(parts)}; {_device(cost)}" if parts else ""


def _told_by_shape(middle: Floats) -> str:
    """The range of the ratios of each shape of network, both loops together. middle: [a, w, b, e]"""
    parts = []
    for a, shape in enumerate(SHAPES):
        known = finite(middle[a])
        if known.size:
            parts.append(f"{NAMES[shape]} × {known.min():.2f} to {known.max():.2f}")
    return f"{'; '.join(parts).capitalize()}." if parts else ""


def _in_words(loop: str) -> str:
    return loop if loop.startswith("this") else f"a {loop} loop"


def _device(cost: Cost) -> str:
    """On what it was timed, and how often."""
    threads = "one thread" if cost.threads == 1 else f"{cost.threads} threads"
    device = "on a GPU" if cost.is_gpu else f"on a CPU, {threads}"
    return f"{device}, {cost.config.repetitions} repetitions."


def _quartiles(ratio: Floats) -> tuple[Floats, Floats, Floats]:
    """Over the repetitions so far: [a, w, b, e, n] to three of [a, w, b, e]; NaN where there is none."""
    is_known = np.isfinite(ratio).any(axis=4)
    filled = np.where(np.expand_dims(is_known, 4), ratio, 1.0)
    levels = np.nanquantile(filled, (0.25, 0.5, 0.75), axis=4)
    low, middle, high = np.where(is_known, levels, np.nan)
    return low, middle, high


def _alt(middle: Floats) -> str:
    """middle: [a, w, b, e]"""
    parts = []
    for a, e in PANELS:
        for b, batch in enumerate(BATCHES_TIMED):
            texts = [
                f"× {value:.2f} at {width} {UNITS[SHAPES[a]]}"
                for width, value in zip(WIDTHS_TIMED[SHAPES[a]], middle[a, :, b, e], strict=True)
                if np.isfinite(value)
            ]
            if texts:
                parts.append(f"{_heading(a, e)}, batch {batch}: {', '.join(texts)}.")
    return " ".join(parts)


def _times_alt(times: Floats) -> str:
    """times: [a, w, e, k]"""
    parts = []
    for a, e in PANELS:
        texts = [
            f"{number(float(plain))} and {number(float(bn))} ms at {width} {UNITS[SHAPES[a]]}"
            for width, (plain, bn) in zip(WIDTHS_TIMED[SHAPES[a]], times[a, :, e], strict=True)
            if np.isfinite(plain) and np.isfinite(bn)
        ]
        if texts:
            parts.append(f"{_heading(a, e)}, without BN and with it: {', '.join(texts)}.")
    return " ".join(parts)


# --- drawing ----------------------------------------------------------------------------------------------------------


def _heading(a: int, e: int) -> str:
    return f"{NAMES[SHAPES[a]]}, {LOOPS[e]}"


def _places(values: Floats) -> Floats:
    return np.arange(len(values), dtype=np.float64)


def _ratio_scale(low: Floats, high: Floats) -> Scale:
    known = finite(low, high)
    if not known.size:
        return Scale(0, 3, is_log=False)
    return Scale(*nice_range(min(1.0, float(known.min())), float(known.max())), is_log=False)


def _ratio_line(
    batch: int, b: int, each: tuple[Floats, Floats, Floats], scale: Scale, panel: str
) -> list[dict[str, Any]]:
    """The median with its bars. each: [w], median, quarter and three quarters."""
    middle, low, high = each
    x, y = measured_part(_places(middle), middle)
    if not len(x):
        return []
    colour, at = f"@{BN.name}", x.astype(int)
    drawn = line(
        x, y, name=f"batch {batch}", colour=colour, hover="× %{y:.2f}", xaxis=f"x{panel}", yaxis=f"y{panel}",
    )  # fmt: skip
    style = {"color": colour, "width": 2} | ({"dash": DASHES[b]} if DASHES[b] else {})
    bars = {
        "type": "data", "symmetric": False, "array": high[at] - y, "arrayminus": y - low[at], "color": colour,
        "thickness": 1, "width": 3,
    }  # fmt: skip
    marker = {"symbol": symbol_of(BN), "size": 6, "color": colour}
    return [drawn | {"mode": "lines+markers", "line": style, "marker": marker, "error_y": bars, "cliponaxis": False}]


def _label(values: Floats, scale: Scale, name: str, is_shown: bool) -> list[EndLabel]:
    known = np.flatnonzero(np.isfinite(values))
    if not is_shown or not known.size:
        return []
    y = float(values[known[-1]])
    return [EndLabel(name, float(known[-1]), scale.label_y(y), scale.place(y), lines=1)]


def _panels(
    run: Run,
    cost: Cost,
    told: tuple[str, Words],
    data: list[dict[str, Any]],
    annotations: list[dict[str, Any]],
    scale: Scale,
) -> Spec:
    name, words = told
    axes: dict[str, Any] = {}
    shapes = []
    for panel, ((a, e), domain) in enumerate(zip(PANELS, domains(len(PANELS), GAP), strict=True)):
        suffix, widths = number_of(panel), WIDTHS_TIMED[SHAPES[a]]
        annotations.append(panel_heading(panel, f"{NAMES[SHAPES[a]]},<br>{LOOPS[e]}") | {"align": "left"})
        texts = [str(width) for width in widths]
        texts[0] = f"{texts[0]} {UNITS[SHAPES[a]]}"
        axes[f"xaxis{suffix}"] = base_axis(
            f"y{suffix}", -PAD, len(widths) - 1 + PAD, domain=domain, tickvals=list(range(len(widths))), ticktext=texts,
        )  # fmt: skip
        shared = {"matches": "y", "showticklabels": False} if panel else {}
        axes[f"yaxis{suffix}"] = scale.axis(f"x{suffix}", **shared)
        if not scale.is_log:
            shapes.append(reference_line(1.0, suffix))
    twins = staged(run, TWINS)
    return study_chart(
        twins, cost, name, words, data, axes,
        annotations=annotations, shapes=shapes, margin=MARGIN, key=key_of(twins), x="width",
    )  # fmt: skip


def _waiting(run: Run, name: str, title: str, how: str) -> Spec:
    twins = staged(run, TWINS)
    return study_chart(
        twins, None, name, not_yet(title, how), [], empty_axes(), annotations=[clear_note(WAITING)], key=key_of(twins)
    )
