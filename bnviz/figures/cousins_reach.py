"""Steps to the baseline's accuracy and lowest test error of every variant and seed, the paper's numbers beside them.

Shapes as in `records.cousins`.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import FACTORS, TWINS, View, factor_text
from bnviz.figures.chart import Words, domains, margin_note, number_of, panel_heading
from bnviz.figures.cousins_parts import (
    BASELINE,
    VARIANTS,
    Reported,
    Variant,
    best_accuracy,
    best_rate,
    cousins_chart,
    log_axis,
    middle,
    of,
    progress,
    so_far,
    steps_to_target,
    target_accuracy,
    waiting,
)
from bnviz.figures.numbers import finite, nice_at_least, nice_at_most, percent, whole
from bnviz.figures.theme import HEADING_SIZE, MARKER_SIZE, NAME_SIZE, Spec, swatch_of, symbol_of, symbol_size
from bnviz.figures.timeline import INSIDE, axis_unit
from bnviz.figures.trials_parts import (
    PERCENT,
    SMALL,
    error_of,
    labels_at_ends,
    places_axis,
    rough,
    rows_axis,
    seeds,
    series,
)
from bnviz.figures.untrained_parts import log_scale
from bnviz.figures.words import enumerate_texts, joined
from bnviz.records import Cousins, Floats, Run

GAP: Final = 0.1
MARGIN: Final = {"l": 150, "r": 190, "t": 44, "b": 28}
RATES_MARGIN: Final = {"l": 44, "r": 156, "t": 26, "b": 28}
STEPS, ERROR = 0, 1
NEVER: Final = "never"
NEVER_AT: Final = 1.5  # times the last step


def cousins_reach(run: Run, view: View) -> Spec:
    """A row for each variant: every seed, and their median."""
    cousins, name, title = run.cousins, "cousins-reach", "Steps to the baseline’s accuracy, and the best accuracy"
    how = (
        "Small shapes: each seed; large: their median; hollow: never. Left, the first step at which the baseline’s "
        "best accuracy (median over its seeds) is reached, interpolated between two measurements. Right, the lowest "
        "test error of a run at any moment. At the right edge what the paper prints of Inception on ImageNet."
    )
    if cousins is None:
        return waiting(run, name, title, how)
    steps, errors = steps_to_target(cousins), error_of(best_accuracy(cousins))
    ends, never = _step_ends(cousins, steps)
    low, high = _error_ends(errors)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for row, one in enumerate(reversed(VARIANTS)):
        data += _row(one, float(row), of(steps, one), "%{x:,.0f} steps", "", never)
        data += _row(one, float(row), of(errors, one), "%{x:.2f} %", "2", never)
        annotations.append(_reported(one.reported, row))
    target = target_accuracy(cousins)
    headings = f"steps to {percent(target)}" if np.isfinite(target) else "steps", "lowest test error, %"
    annotations += [panel_heading(at, text) for at, text in enumerate(headings)]
    annotations.append(
        margin_note("in the paper: steps,<br>best accuracy", yanchor="bottom") | {"font": {"size": HEADING_SIZE}}
    )
    names = [f"{one.name} {swatch_of(one.competitor)}" for one in VARIANTS]
    axes = {
        f"{kind}{number_of(panel)}": axis
        for panel, domain in enumerate(domains(2, GAP))
        for kind, axis in (
            ("xaxis", _step_axis(ends, never, domain) if panel == STEPS else _error_axis(low, high, domain)),
            ("yaxis", rows_axis(names, number_of(panel), panel)),
        )
    }
    finding = f"{cousins.config.steps:,} steps each, {progress(cousins)}."
    if np.isfinite(target):
        finding = f"The baseline’s best accuracy is {percent(target)}{so_far(cousins)}. {finding}"
    words = Words(title, finding, joined(f"{title}.", finding, _alt(cousins)), how)
    return cousins_chart(
        run, name, words, data, axes, annotations=annotations, margin=MARGIN, hovermode="closest", x="value"
    )


def _row(one: Variant, row: float, values: Floats, hover: str, panel: str, never: float) -> list[dict[str, Any]]:
    """A small shape for each seed and a large one for the median; what is infinite stands hollow at `never`. [r]"""
    known, median = values[~np.isnan(values)], middle(values)
    small, large = (symbol_size(one.competitor, size) for size in (SMALL * MARKER_SIZE, MARKER_SIZE + 2))
    marks = []
    if known.size > 1:
        for is_never in (False, True):
            part = known[np.isinf(known) == is_never]
            at = np.full(part.size, never) if is_never else part
            marks.append(
                _marks(f"{one.name}, each seed", one, at, row, hover, panel, small, is_never) | {"opacity": 0.5}
            )
    if known.size:
        is_never = bool(np.isinf(median))
        at = np.array([never if is_never else median])
        marks.append(_marks(one.name, one, at, row, f"median {hover}", panel, large, is_never))
    return [mark for mark in marks if mark["x"].size]


def _marks(
    name: str, one: Variant, at: Floats, row: float, hover: str, panel: str, size: float, is_never: bool
) -> dict[str, Any]:
    """at: [n]"""
    colour = f"@{one.competitor.name}"
    looks = (
        {"color": "@page", "line": {"color": colour, "width": 1.75}}
        if is_never
        else {"color": colour, "line": {"color": "@page", "width": 1.0}}
    )
    return {
        "type": "scatter", "mode": "markers", "cliponaxis": False, "xaxis": f"x{panel}", "yaxis": f"y{panel}",
        "name": name, "x": at, "y": np.full(at.size, row), "hovertemplate": NEVER if is_never else hover,
        "marker": {"symbol": symbol_of(one.competitor), "size": size, **looks},
    }  # fmt: skip


def _step_ends(cousins: Cousins, steps: Floats) -> tuple[tuple[float, float], float]:
    """The ends of the axis of steps, and the place of what is never reached, beyond the last step."""
    last, known = float(cousins.config.steps), finite(steps)
    first = float(known[known > 0].min()) if (known > 0).any() else last / 10
    never = NEVER_AT * last
    return (min(nice_at_most(first), last / 2), NEVER_AT * never), never


def _step_axis(ends: tuple[float, float], never: float, domain: list[float]) -> dict[str, Any]:
    axis = log_axis("y", ends[0], never / NEVER_AT * INSIDE, domain=domain, showspikes=False)
    return axis | {
        "autorangeoptions": {"clipmin": ends[0], "clipmax": ends[1]},
        "tickvals": [*axis["tickvals"], never],
        "ticktext": [*axis["ticktext"], NEVER],
    }


def _error_axis(low: float, high: float, domain: list[float]) -> dict[str, Any]:
    return log_axis("y2", low, high, most=7, domain=domain, showspikes=False)


def _reported(one: Reported, row: int) -> dict[str, Any]:
    """What the paper prints, at the right of a row."""
    steps = "" if one.steps is None else f"{one.steps:.1f} M"
    best = "" if one.accuracy is None else f"{one.accuracy:.1f} %"
    return {
        "name": "reported", "text": ", ".join(text for text in (steps, one.told, best) if text), "xref": "paper",
        "x": 1, "xanchor": "left", "xshift": 10, "yref": "y", "y": row, "yanchor": "middle", "showarrow": False,
        "font": {"size": NAME_SIZE, "color": "@muted"},
    }  # fmt: skip


def _error_ends(errors: Floats) -> tuple[float, float]:
    known = finite(errors)
    if not known.size:
        return 1.0, 100.0
    return nice_at_most(float(known.min())), nice_at_least(max(float(known.max()), 2 * float(known.min())))


def _alt(cousins: Cousins) -> str:
    steps, best = steps_to_target(cousins), best_accuracy(cousins)
    told = []
    for one in VARIANTS:
        to, accuracy = middle(of(steps, one)), middle(of(best, one))
        if np.isfinite(accuracy):
            count = "" if np.isnan(to) else ", never" if np.isinf(to) else f", {whole(to)} steps"
            told.append(f"{one.name}: best {percent(accuracy)}{count}.")
    return " ".join(told)


def cousins_rates(run: Run, view: View) -> Spec:
    """Lowest test error of both networks at every learning rate: which of them suits each."""
    cousins, name, title = run.cousins, "cousins-rates", "Best-tuned against best-tuned"
    how = "Lowest test error of a run at any of its moments, on 10,000 test images; median over seeds, and each seed."
    if cousins is None:
        return waiting(run, name, title, how)
    accuracy = best_accuracy(cousins)[:, : len(FACTORS)]  # [k, x, r]
    medians = np.array([[middle(row) for row in rows] for rows in accuracy])
    error, x = error_of(medians), np.arange(len(FACTORS), dtype=np.float64)
    scale = log_scale(error_of(accuracy))
    data = seeds(TWINS, x, error_of(accuracy), scale) + series(TWINS, x, error, scale, "%{customdata:.2f} %")
    annotations = labels_at_ends(TWINS, x, error, scale, [rough(one / PERCENT) for one in error[:, -1]])
    rates = [one.settings.hyper.learning_rate for one in cousins.config.conditions]
    places = [best_rate(cousins, k) for k in range(len(TWINS))]
    texts = [
        f"{percent(medians[k, at])} at {rates[at]:g}" if np.isfinite(medians[k, at]) else None
        for k, at in enumerate(places)
    ]
    told = enumerate_texts(TWINS, texts)
    finding = joined(f"Each at its best rate{so_far(cousins)}: {told}." if told else "", f"{_tuned(cousins)}")
    words = Words(title, finding, joined(f"{title}.", finding, _rates_alt(medians, rates)), how)
    labels = [f"{factor_text(factor)}" for factor in FACTORS]
    axes = {"xaxis": places_axis("y", labels), "yaxis": _in_percent(scale.axis("x"))}
    return cousins_chart(
        run, name, words, data, axes,
        annotations=[*annotations, axis_unit("base rate")], margin=RATES_MARGIN, x="learning rate",
    )  # fmt: skip


def _in_percent(axis: dict[str, Any]) -> dict[str, Any]:
    """The unit behind the lowest number."""
    first, *others = axis["ticktext"]
    return axis | {"ticktext": [f"{first} %", *others]}


def _tuned(cousins: Cousins) -> str:
    """Whether the base rate is the baseline's best one."""
    if not np.isfinite(best_accuracy(cousins)[BASELINE.k, : len(FACTORS)]).any(axis=1).all():
        return ""
    at = best_rate(cousins, BASELINE.k)
    is_best = at == BASELINE.x
    base = f"the base rate, {cousins.config.learning_rate:g},"
    if is_best:
        return f"Of these, {base} is the baseline’s best."
    return f"Of these, {base} is not the baseline’s best: {factor_text(FACTORS[at])} is."


def _rates_alt(medians: Floats, rates: list[float]) -> str:
    parts = []
    for x in range(medians.shape[1]):
        texts = [percent(1 - one) if np.isfinite(one) else None for one in medians[:, x]]
        if told := enumerate_texts(TWINS, texts):
            parts.append(f"Rate {rates[x]:g}: {told}.")
    return " ".join(parts)
