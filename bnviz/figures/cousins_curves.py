"""Test error of the paper's scaled-down cousins, over steps and over each network's own compute time.

Shapes as in `records.cousins`.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, line, measured_part
from bnviz.figures.cousins_parts import (
    BASELINE,
    VARIANTS,
    Variant,
    cousins_chart,
    has_diverged,
    log_axis,
    middle,
    milliseconds_a_step,
    of,
    progress,
    seconds_to_target,
    steps_to_target,
    target_accuracy,
    waiting,
)
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import number, percent, whole
from bnviz.figures.theme import Spec, swatch_of
from bnviz.figures.timeline import INSIDE, axis_unit
from bnviz.figures.trials_parts import PERCENT, error_of, median
from bnviz.figures.untrained_parts import Scale, reference_label, reference_line
from bnviz.figures.words import joined
from bnviz.records import Cousins, Floats, Run

SCALE: Final = Scale(1, 100)
MARGIN: Final = {"l": 44, "r": 190, "t": 22, "b": 28}
FIRST: Final = 0.01  # share of the steps at which the logarithmic axis begins
WIDTHS: Final = (2.5, 1.5)  # px, of a baseline's line, and of the others'
TICKS: Final = {"tickvals": [1, 2, 5, 10, 20, 50, 100], "ticktext": ["1 %", "2", "5", "10", "20", "50", "100"]}
ON: Final = (
    "Share of the 10,000 test images classified wrongly at inference, median over seeds. Level line: the lowest test "
    "error of the baseline, median over seeds."
)


def cousins_curves(run: Run, view: View) -> Spec:
    """Over steps, on a logarithmic axis."""
    cousins, name, title = run.cousins, "cousins-curves", "Test error over steps"
    if cousins is None:
        return waiting(run, name, title, ON)
    last = float(cousins.config.steps)
    medians = {one: middle(of(steps_to_target(cousins), one)) for one in VARIANTS}
    finding = _reached(cousins, "Steps", medians, whole)
    axis = log_axis("y", FIRST * last, last, unifiedhovertitle={"text": "step %{x:,}"})
    spec = _curves(run, cousins, (name, title, ON), finding, axis, lambda one: cousins.steps.astype(np.float64))
    spec["layout"]["meta"]["x"] = "step"
    return spec


def cousins_time(run: Run, view: View) -> Spec:
    """Over the time that the network would have taken alone."""
    cousins, name, title = run.cousins, "cousins-time", "Test error over compute time"
    how = f"{ON} Each network’s own time a step, timed alone, median of many, times its steps."
    if cousins is None:
        return waiting(run, name, title, how)
    seconds = {one: milliseconds_a_step(cousins, one) / 1e3 for one in VARIANTS}
    last = np.nanmax([one * cousins.config.steps for one in seconds.values()] + [1e-3])
    medians = {one: middle(seconds_to_target(cousins, one)) for one in VARIANTS}
    finding = _reached(cousins, "Seconds", medians, number)
    axis = log_axis("y", FIRST * last, float(last), unifiedhovertitle={"text": "%{x:.3~g} s of own compute"})
    spec = _curves(run, cousins, (name, title, how), finding, axis, lambda one: cousins.steps * seconds[one])
    spec["layout"]["annotations"].append(axis_unit("seconds"))
    spec["layout"]["meta"]["x"] = "seconds"
    return spec


def _curves(
    run: Run,
    cousins: Cousins,
    told: tuple[str, str, str],
    finding: str,
    axis: dict[str, Any],
    x_of: Callable[[Variant], Floats],
) -> Spec:
    """A line for each variant, over x_of(variant), [t]. `told`: name, title, how it is measured."""
    name, title, how = told
    first = axis["autorangeoptions"]["clipmin"]
    data: list[dict[str, Any]] = []
    labels: list[EndLabel] = []
    alt: list[str] = []
    for one in VARIANTS:
        accuracy = median(cousins.accuracy[one.k, one.x], axis=0)  # [t]
        x, error = measured_part(x_of(one), error_of(accuracy))
        shown = x >= first * INSIDE
        if not shown.any():
            continue
        data.append(_line(one, x[shown], error[shown]))
        newest = float(error[np.isfinite(error)][-1])
        text, spoken = _ending(cousins, one, newest)
        alt.append(f"{one.name} {spoken}")
        labels.append(
            EndLabel(f"<b>{text}</b> {swatch_of(one.competitor)} {one.name}", float(np.log10(x[-1] * INSIDE)),
                     SCALE.label_y(newest), SCALE.place(newest), lines=1)
        )  # fmt: skip
    target = PERCENT * (1 - target_accuracy(cousins))
    shapes, annotations = [], end_labels(labels)
    if np.isfinite(target):
        shapes.append(reference_line(SCALE.inside(target)))
        text = f"the baseline’s best, {percent(target / PERCENT)}"
        annotations.append(reference_label(text, SCALE.label_y(target)))
    words = Words(title, finding, joined(f"{title}, {progress(cousins)}.", _sentence(alt), finding), how)
    axes = {"xaxis": axis, "yaxis": SCALE.axis("x") | TICKS}
    return cousins_chart(run, name, words, data, axes, annotations=annotations, shapes=shapes, margin=MARGIN)


def _line(one: Variant, x: Floats, error: Floats) -> dict[str, Any]:
    drawn = line(
        x, np.clip(error, SCALE.low, SCALE.high), name=one.name, colour=f"@{one.competitor.name}",
        hover="%{customdata:.2f} %", customdata=error,
    )  # fmt: skip
    if "line" in drawn:
        drawn["line"] |= {"width": WIDTHS[one.dash is not None]} | ({"dash": one.dash} if one.dash else {})
    return drawn


def _ending(cousins: Cousins, one: Variant, error: float) -> tuple[str, str]:
    """What stands at the end of a line, and in the text alternative."""
    failed, text = has_diverged(cousins, one), percent(error / PERCENT)
    if failed == cousins.config.seeds:
        return "× diverged", "diverged"
    part = f", diverged from {failed} of {cousins.config.seeds} seeds" if failed else ""
    return text, f"{text}{part}"


def _reached(cousins: Cousins, unit: str, medians: dict[Variant, float], text_of: Callable[[float], str]) -> str:
    """When the median run of each of the paper's variants reaches the baseline's best."""
    own = medians[BASELINE]
    told = [
        f"{one.name} {'never' if np.isinf(medians[one]) else text_of(medians[one])}"
        for one in VARIANTS[:5]
        if not np.isnan(medians[one])
    ]
    if not told or np.isnan(own):
        return ""
    return f"{unit} to {percent(target_accuracy(cousins))}, the baseline’s best: {', '.join(told)}."


def _sentence(parts: list[str]) -> str:
    return f"At the end: {', '.join(parts)}." if parts else ""
