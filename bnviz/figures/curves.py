"""Curves of training: test accuracy, training loss."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bnviz.config import Axis, View
from bnviz.figures.chart import Words, chart, line, measured_part, value_axis
from bnviz.figures.labels import Curve, EndLabel, end_labels, end_marker, end_text, ghost_label
from bnviz.figures.numbers import finite, nice_at_least, nice_at_most, number, percent, quantiles, whole
from bnviz.figures.theme import GHOST_OPACITY, THIN_WIDTH, Spec, line_width
from bnviz.figures.timeline import (
    INSIDE,
    UNITS,
    Timeline,
    cursor,
    event_labels,
    event_lines,
    event_shares,
    reached,
    time_axis,
    timeline,
    unit_label,
)
from bnviz.figures.words import first_finite, has_data, health_of, last_finite, names_in_turn, spoken, within_sight
from bnviz.records import Condition, Floats, Run, has_any

ACCURACY_MARKS: Final = (0.98, 0.97, 0.95, 0.9, 0.8, 0.5)
LOSS_MARKS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class _Measure:
    """One measure over time, and how its values read.

    Attributes:
        measured: at which points of the history it was.
        scale: factor from the record to the axis.
        format: d3 format of a value on hovering.
        suffix: its unit there.
    """

    values: Floats  # [m, k]
    measured: NDArray[np.bool_]  # [m]
    ghost: Floats | None  # [m', k]
    low: float
    high: float
    is_log: bool
    scale: float
    format: str
    suffix: str
    read: Callable[[float], str]

    def place(self, y: Any) -> Any:
        """Height in the plot, in [0, 1], of values in the axis's unit."""
        y = np.asarray(y, np.float64)
        if not self.is_log:
            return (y - self.low) / (self.high - self.low)
        with np.errstate(divide="ignore", invalid="ignore"):
            places = np.log(y / self.low) / np.log(self.high / self.low)
        return np.where(np.isfinite(places), places, np.nan)


def accuracy(run: Run, view: View) -> Spec:
    """Test accuracy of every competitor over time, up to where it was measured last."""
    run = run.until_accuracy
    history = run.history
    measure = _Measure(
        history.accuracy, history.has_accuracy, run.ghost.accuracy if run.ghost else None,
        0, 100, False, 100, ".2f", " %", percent,
    )  # fmt: skip
    words = Words(
        "Test accuracy",
        _first_reached(run, view, history.accuracy, ACCURACY_MARKS, _is_at_least, lambda mark: percent(mark, 0)),
        _alt(run, "Test accuracy", history.accuracy, percent),
        "Share of the 10,000 test images classified correctly, with running statistics as at inference.",
    )
    axis = value_axis("x", 0, 100, ticksuffix=" %", showticksuffix="last")
    return _curves(run, view, "accuracy", words, measure, axis)


def loss(run: Run, view: View) -> Spec:
    """Training loss of every competitor over time, on a logarithmic axis."""
    history = run.history
    ghost = run.ghost.loss if run.ghost else None
    low, high = _loss_ends(within_sight(run, history.loss), ghost)
    measure = _Measure(history.loss, np.isfinite(history.step), ghost, low, high, True, 1, ".4~g", " nats", number)
    words = Words(
        "Training loss, log scale",
        _first_reached(run, view, history.loss, LOSS_MARKS, _is_at_most, lambda mark: f"{mark:g}"),
        _alt(run, "Training loss in nats", history.loss, number),
        "Cross-entropy in nats, mean over the mini-batches since the point before and at least over the last twentieth "
        "of the run; with each batch's statistics.",
    )
    axis = value_axis("x", low, high, type="log", tickformat=",.6~g", nticks=_most_ticks(low, high))
    return _curves(run, view, "loss", words, measure, axis)


def _curves(run: Run, view: View, name: str, words: Words, measure: _Measure, axis: dict[str, Any]) -> Spec:
    time = timeline(run, view, has_ghost=True)
    ghosts, runs, ends, labels = [], [], [], []
    ghost_curves: list[tuple[str, Curve]] = []
    run_curves: list[Curve] = []
    drawn: list[int] = []
    for k in range(len(run.competitors)):
        if time.ghost_x and measure.ghost is not None:
            measured = has_any(measure.ghost)
            x, y = _shown(time.ghost_x[k][measured], measure.ghost[measured, k] * measure.scale, time.end)
            ghosts.append(_ghost_line(run, k, x, y, measure))
            ghost_curves.append((f"@{run.competitors[k].name}", Curve(x / (time.end or 1), measure.place(y))))
        values = measure.values[measure.measured, k] * np.float32(measure.scale)
        x, y = measured_part(time.x[k][measure.measured], values)
        if not len(x):
            continue
        one = run.competitors[k]
        drawn.append(k)
        runs.append(line(x, y, name=one.label, colour=f"@{one.name}", hover=_hover(measure)))
        runs[-1]["line"]["width"] = line_width(k)
        if ghosts:
            run_curves.append(Curve(x / (time.end or 1), measure.place(y)))
        newest = float(y[-1])
        on_axis = min(max(newest, measure.low), measure.high)
        ends.append(end_marker(run, k, float(x[-1]), on_axis))
        labels.append(_end_label(run, k, time, measure, newest, on_axis))
    annotations = [*end_labels(labels), *event_labels(run, time), unit_label(time)]
    if run.ghost is not None:
        annotations += ghost_label(run.ghost.label, ghost_curves, run_curves, event_shares(run, time))
    spec = chart(
        run, name, words,
        [*ghosts, *runs, *ends],
        {"xaxis": time_axis(time, "y"), "yaxis": axis},
        annotations=annotations,
        shapes=event_lines(run, time, [("", range(len(run.competitors)))]),
        x=UNITS[time.axis],
        time_axes=["xaxis"],
        shows=str(time.axis),
    )  # fmt: skip
    dotted = [(len(ghosts) + place, k, run.competitors[k].name) for place, k in enumerate(drawn)]
    spec["layout"]["meta"]["cursor"] = cursor(time, dotted)
    return spec


def _hover(measure: _Measure) -> str:
    return f"%{{y:{measure.format}}}{measure.suffix}"


def _shown(x: Floats, y: Floats, end: float) -> tuple[Floats, Floats]:
    """The part of a ghost that lies on the axis."""
    x, y = measured_part(x, y)
    count = int(np.searchsorted(x, end, side="right"))
    return x[:count], y[:count]


def _ghost_line(run: Run, k: int, x: Floats, y: Floats, measure: _Measure) -> dict[str, Any]:
    one = run.competitors[k]
    return line(
        x, y, name=f"earlier, {one.label}", colour=f"@{one.name}", hover=_hover(measure), opacity=GHOST_OPACITY
    ) | {"line": {"color": f"@{one.name}", "width": THIN_WIDTH}}  # fmt: skip


def _end_label(run: Run, k: int, time: Timeline, measure: _Measure, newest: float, on_axis: float) -> EndLabel:
    text, lines = end_text(run, k, measure.read(newest / measure.scale))
    y = float(np.log10(on_axis)) * INSIDE if measure.is_log else on_axis  # annotations are placed by the exponent
    return EndLabel(text, time.end * INSIDE, y, float(measure.place(on_axis)), lines)


def _loss_ends(values: Floats, ghost: Floats | None) -> tuple[float, float]:
    """Round ends in 1, 2, 5 × 10^n; an explosion before a divergence is cut off at 100 times the usual loss."""
    known = finite(values, *([] if ghost is None else [ghost]))
    known = known[known > 0]
    if not known.size:
        return 0.1, 5.0
    highest = min(float(known.max()), 100 * quantiles(known, [0.9])[0])
    return min(nice_at_most(float(known.min())), 1.0), max(nice_at_least(highest), 2.0)


def _most_ticks(low: float, high: float) -> int:
    """As many as make Plotly choose 1, 2, 5 × 10^n, and other values once zoomed in."""
    decades = float(np.log10(high / low))
    return int(decades / 0.31) if 1 <= decades <= 3 else 5


# --- what is said -----------------------------------------------------------------------------------------------------


def _is_at_least(values: Floats, mark: float) -> Any:
    return values >= mark


def _is_at_most(values: Floats, mark: float) -> Any:
    return values <= mark


def _first_reached(
    run: Run,
    view: View,
    values: Floats,
    marks: Sequence[float],
    passes: Callable[[Floats, float], Any],
    read: Callable[[float], str],
) -> str:
    """When each competitor first reached the best mark that any of them has reached."""
    if len(values) < 2 or not has_data(values):
        return ""
    for mark in marks:
        if passes(values, mark).any():
            time = timeline(run, view)
            when = [reached(values[:, k], time.x[k], lambda v, m=mark: passes(v, m)) for k in range(values.shape[1])]
            return f"{read(mark)} reached {_each_when(run, when, time.axis)}"
    return f"{read(marks[-1])} not reached yet"


def _each_when(run: Run, when: Sequence[float | None], axis: Axis) -> str:
    """Such as "by step 360 with BN, 860 without", the first one first."""
    order = sorted(range(len(when)), key=lambda k: float("inf") if when[k] is None else float(when[k] or 0))
    names = names_in_turn([run.competitors[k] for k in order])
    parts: list[str] = []
    for k, name in zip(order, names, strict=True):
        x = when[k]
        if x is not None:
            parts.append(f"{_moment(x, axis, is_first=not parts)} {name}")
        elif health_of(run, k).condition is Condition.DIVERGED:
            parts.append(f"never {name}")
        else:
            parts.append(f"not yet {name}")
    return ", ".join(parts)


def _moment(x: float, axis: Axis, is_first: bool) -> str:
    if axis is Axis.STEPS:
        return f"by step {whole(x)}" if is_first else f"by {whole(x)}"
    if axis is Axis.IMAGES:
        return f"after {whole(x)} images" if is_first else f"after {whole(x)}"
    return f"after {number(x)} s of its own compute" if is_first else f"after {number(x)} s"


def _alt(run: Run, title: str, values: Floats, read: Callable[[float], str]) -> str:
    if not has_data(values):
        return f"{title}: nothing measured yet."
    parts = []
    for k, one in enumerate(run.competitors):
        series = values[:, k]
        if not has_data(series):
            continue
        text = f"{spoken(one)} from {read(first_finite(series))} to {read(last_finite(series))}"
        health = health_of(run, k)
        if health.condition is not Condition.TRAINING and health.since_step is not None:
            text += f", {health.condition} at step {whole(health.since_step)}"
        parts.append(text)
    return f"{title} over {whole(run.history.step[-1])} steps: {'; '.join(parts)}."
