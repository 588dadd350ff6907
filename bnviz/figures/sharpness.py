"""Sharpness: the largest curvature of the loss over time, beside the learning rate's limit on it.

Source: Cohen et al. 2021. Full-batch gradient descent is stable up to a curvature of 2 / learning rate, with momentum
beta of (2 + 2 beta) / learning rate. Adam scales every parameter's step: its limit is on another matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import numpy as np

from bnviz.config import Optimizer, View
from bnviz.figures.chart import Words, chart, key_of, line, measured_part, note
from bnviz.figures.comparisons import compared, ratio_text, series_of, twins_of
from bnviz.figures.labels import EndLabel, end_labels, end_marker
from bnviz.figures.numbers import alike, finite, number, percent, whole
from bnviz.figures.shift import Scale, log_scale, positions
from bnviz.figures.theme import THIN_WIDTH, Spec, line_width, swatch_of
from bnviz.figures.timeline import (
    INSIDE,
    UNITS,
    Timeline,
    event_labels,
    event_lines,
    time_axis,
    timeline,
    unit_label,
)
from bnviz.figures.words import enumerate_texts, has_data, is_diverged, last_finite, spoken
from bnviz.records import Floats, Run

TITLE: Final = "Sharpness"
MARGIN: Final = {"l": 44, "r": 98, "t": 22, "b": 26}
DOT: Final = 4  # px, of a measurement
REACH: Final = 20.0  # times the largest curvature: a limit beyond would leave the curves no room


@dataclass(frozen=True)
class _Limit:
    """The curvature up to which gradient descent is stable, over time, for the competitors that share it.

    step, value: [c] from where on and how much, the last step of the run at the end.
    """

    competitors: tuple[int, ...]
    step: Floats
    value: Floats


def sharpness(run: Run, view: View) -> Spec:
    """The largest eigenvalue of the Hessian of every competitor over time, and the learning rate's limit."""
    run = run.until_accuracy
    count = len(run.competitors)
    steps, curvature = series_of(run.sharpness, "eigenvalue", count)
    curvature = np.where(curvature > 0, curvature, np.nan) if len(steps) else np.empty((0, count))
    time = timeline(run, view)
    limits = _limits(run) if len(steps) else []
    scale = _scale(curvature, limits)
    data, labels = _curves(run, time, steps, curvature, scale)
    lines, limit_labels = _limit_lines(run, time, limits, scale)
    annotations = [*end_labels([*labels, *limit_labels]), *event_labels(run, time), unit_label(time)]
    if not len(steps):
        annotations.append(note("Not measured yet."))
    words = Words(TITLE, _finding(run, steps), _alt(run, steps, curvature, limits), _how(run, steps))
    return chart(
        run, "sharpness", words,
        [*lines, *data],
        {"xaxis": time_axis(time, "y"), "yaxis": scale.axis("x")},
        annotations=annotations,
        shapes=event_lines(run, time, [("", range(count))]),
        margin=MARGIN,
        key=key_of(run),
        x=UNITS[time.axis],
        time_axes=["xaxis"],
        shows=str(time.axis),
    )  # fmt: skip


# --- the limit --------------------------------------------------------------------------------------------------------


def _has_limit(run: Run) -> bool:
    return run.settings.model.optimizer is Optimizer.SGD


def _over_time(run: Run, name: str) -> tuple[Floats, Floats]:
    """From which steps on a live setting had which values. [c], [c]"""
    changes = [one for one in run.interventions if one.name == name]
    first = changes[0].old if changes else getattr(run.settings.hyper, name)
    return np.array([0.0, *(one.step for one in changes)]), np.array([first, *(one.new for one in changes)], float)


def _at(steps: Floats, since: Floats, values: Floats) -> Floats:
    """What was in force at some steps."""
    found: Floats = values[np.searchsorted(since, steps, side="right") - 1]
    return found


def _limits(run: Run) -> list[_Limit]:
    """One for all competitors that have the same learning rate; none with Adam."""
    if not _has_limit(run):
        return []
    (rate_since, rates), (momentum_since, momenta) = _over_time(run, "learning_rate"), _over_time(run, "momentum")
    last = float(run.history.step[-1]) if len(run.history) else 0.0
    since = np.unique([*rate_since, *momentum_since, last])
    factor = 2 + 2 * _at(since, momentum_since, momenta)
    own = [one.learning_rate for one in run.competitors]
    order = sorted(range(len(own)), key=lambda k: (own[k] is not None, own[k] or 0.0))
    return [
        _Limit(tuple(group), since, factor / (_at(since, rate_since, rates) if rate is None else rate))
        for rate, group in groupby(order, key=lambda k: own[k])
    ]


def _scale(curvature: Floats, limits: Sequence[_Limit]) -> Scale:
    """Around the curvatures, and around the limits that are not far beyond them."""
    known = finite(curvature)
    highest = float(known.max()) if known.size else 0.0
    near = [float(value) for limit in limits for value in limit.value if value <= REACH * highest]
    return log_scale(curvature, min(near, default=np.inf), max(near, default=0.0))


def _limit_lines(
    run: Run, time: Timeline, limits: Sequence[_Limit], scale: Scale
) -> tuple[list[dict[str, Any]], list[EndLabel]]:
    """A dotted staircase for every limit, and its newest value."""
    lines, labels = [], []
    for limit in limits:
        is_shared = len(limit.competitors) == len(run.competitors)
        first = limit.competitors[0]
        colour = "@muted" if is_shared else f"@{run.competitors[first].name}"
        on_axis = np.where((limit.value <= scale.high) & (limit.value >= scale.low), limit.value, np.nan)
        if has_data(on_axis):
            x = positions(time, first, limit.step)
            lines.append(line(x, on_axis, name=_limit_name(run), colour=colour, hover="%{y:.3~g}"))
            lines[-1]["line"] |= {"width": THIN_WIDTH, "dash": "dot", "shape": "hv"}
        newest = float(limit.value[-1])
        beyond = "↑ " if newest > scale.high else "↓ " if newest < scale.low else ""
        swatch = "" if is_shared else "".join(swatch_of(run.competitors[k]) for k in limit.competitors) + " "
        name = _limit_name(run).replace(" learning", "<br>learning")
        text = f"<b>{beyond}{number(newest)}</b><br>{swatch}{name}"
        height = float(scale.inside(newest))
        labels.append(EndLabel(text, time.end * INSIDE, scale.at(height), scale.place(height), lines=3))
    return lines, labels


def _limit_name(run: Run) -> str:
    """As it stands in a text: of the newest momentum."""
    return "2 / learning rate" if _over_time(run, "momentum")[1][-1] == 0 else "(2 + 2β) / learning rate"


# --- the curves -------------------------------------------------------------------------------------------------------


def _curves(
    run: Run, time: Timeline, steps: Floats, curvature: Floats, scale: Scale
) -> tuple[list[dict[str, Any]], list[EndLabel]]:
    """Lines, those beside the twins over them, the ends on top; and the newest values. curvature: [m, k]"""
    newest = [last_finite(curvature[:, k]) for k in range(len(run.competitors))]
    texts = alike(newest)
    lines, ends, labels = [], [], []
    for k, one in enumerate(run.competitors):
        x, y = measured_part(positions(time, k, steps), scale.inside(curvature[:, k]))
        if not len(x):
            continue
        lines.append(line(x, y, name=one.label, colour=f"@{one.name}", hover="%{y:.3~g}"))
        lines[-1]["line"]["width"] = line_width(k, 2)
        lines[-1] |= {"mode": "lines+markers", "marker": {"color": f"@{one.name}", "size": DOT}}  # what is measured
        height = float(y[-1])
        ends.append(end_marker(run, k, float(x[-1]), height))
        text = f"<b>{'× ' if is_diverged(run, k) else ''}{texts[k]}</b><br>{swatch_of(one)} {one.label}"
        labels.append(EndLabel(text, time.end * INSIDE, scale.at(height), scale.place(height)))
    return lines + ends, labels


# --- what is said -----------------------------------------------------------------------------------------------------


def _finding(run: Run, steps: Floats) -> str:
    """Such as "With BN relative to without BN: ÷ 1.8 (median of 30 measurements); above 2 / learning rate: …"."""
    return "; ".join(part for part in (_ratio(run), _beyond(run, steps)) if part)


def _ratio(run: Run) -> str:
    twins = twins_of(run)
    if twins is None or not run.sharpness:
        return ""
    (one,) = compared(run, "sharpness", twins)
    if not one.count:
        return ""
    bn, plain = spoken(run.competitors[twins.bn]), spoken(run.competitors[twins.plain])
    unit = "measurement" if one.count == 1 else "measurements"
    return f"{bn} relative to {plain}: {ratio_text(one.whole)} (median of {whole(one.count)} {unit})"


def _beyond(run: Run, steps: Floats) -> str:
    """Such as "above 2 / learning rate since step 200 without BN, never with it"."""
    if not len(steps) or not _has_limit(run):
        return ""
    count = len(run.competitors)
    curvature, rate = (series_of(run.sharpness, name, count)[1] for name in ("eigenvalue", "learning_rate"))
    limit = (2 + 2 * _at(steps, *_over_time(run, "momentum")))[:, None] / rate
    told = [_when_above(steps, curvature[:, k], limit[:, k]) for k in range(count)]
    texts = enumerate_texts(run.competitors, told)
    return f"above {_limit_name(run)} {texts}" if texts else ""


def _when_above(steps: Floats, curvature: Floats, limit: Floats) -> str | None:
    """Since when without a break, else when last; None where nothing was measured. [m]"""
    known = np.isfinite(curvature)
    above, steps = (curvature > limit)[known], steps[known]
    if not len(above):
        return None
    if not above.any():
        return "never"
    if not above[-1]:
        return f"last at step {whole(steps[above][-1])}"
    below = np.flatnonzero(~above)
    return f"since step {whole(steps[below[-1] + 1 if below.size else 0])}"


def _alt(run: Run, steps: Floats, curvature: Floats, limits: Sequence[_Limit]) -> str:
    if not has_data(curvature):
        return f"{TITLE}: nothing measured yet."
    newest = [last_finite(curvature[:, k]) for k in range(len(run.competitors))]
    parts = [
        f"{one.label} {text}"
        for one, text, value in zip(run.competitors, alike(newest), newest, strict=True)
        if np.isfinite(value)
    ]
    parts += [f"{_limit_name(run)} {number(float(limit.value[-1]))}" for limit in limits]
    return f"{TITLE}, at step {whole(steps[-1])}: {', '.join(parts)}."


def _how(run: Run, steps: Floats) -> str:
    curvature, found = (series_of(run.sharpness, name, len(run.competitors))[1] for name in ("eigenvalue", "residual"))
    known = curvature > 0
    residual = f", residual at most {percent(float((found[known] / curvature[known]).max()))}" if known.any() else ""
    measured = (
        "Largest eigenvalue of the Hessian with respect to all parameters, on the first "
        f"{run.settings.model.sharpness_images} training images, with "
        f"their statistics{residual}{f'; last at step {whole(steps[-1])}' if len(steps) else ''}."
    )
    if not _has_limit(run):
        return f"{measured} No line: 2 / learning rate is the limit of gradient descent, not of Adam."
    has_momentum = _limit_name(run) != "2 / learning rate"
    which = f"{_limit_name(run)}, β the momentum" if has_momentum else _limit_name(run)
    return f"{measured} Dotted: {which}, up to which full-batch gradient descent is stable (Cohen et al. 2021)."
