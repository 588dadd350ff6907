"""Bands: the percentiles of one unit's input over time."""

from typing import Any

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, chart, heading, line, measured_part, number_of
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import alike, finite, nice_range, robust_ends, whole
from bnviz.figures.theme import BAND_OPACITY, THIN_WIDTH, TICK_SIZE, Spec
from bnviz.figures.timeline import INSIDE, UNITS, Timeline, event_lines, timeline, unit_label
from bnviz.figures.twins import EMPTY_RANGE, how, stop_labels, twin_axes
from bnviz.figures.words import compare, enumerate_texts, first_finite, has_data, last_finite, within_sight
from bnviz.records import BAND_LEVELS, Floats, Ints, Run, kept_units


def drift_bands(run: Run, view: View) -> Spec:
    """15th, 50th and 85th percentile of one unit's input over time, as Ioffe & Szegedy 2015, Fig. 1(b, c)."""
    view = view.within(run.settings.model)
    index, unit = shown_unit(run, view)
    time, count = timeline(run, view), len(run.competitors)
    bands = run.history.bands[:, :, view.layer - 1, index] if len(run.history) else np.empty((0, count, 3), np.float32)
    low, high = band_ends(within_sight(run, bands))
    data: list[dict[str, Any]] = []
    annotations = [unit_label(time)]
    for k in range(count):
        number = number_of(k)
        data += band_lines(run, k, time, bands[:, k], {"xaxis": f"x{number}", "yaxis": f"y{number}"})
        annotations.append(heading(run, k, k))
        annotations += stop_labels(run, time, k) or level_labels(time, k, bands[:, k], low, high)
    went = _median_went(run, bands)
    words = Words(
        f"Input of {run.settings.model.unit} {unit}, layer {view.layer}",
        went,
        _alt(run, view, unit, bands, went),
        f"15th, 50th and 85th percentile {how(run)}",
    )
    return chart(
        run, "drift-bands", words, data, twin_axes(time, count, low, high),
        annotations=annotations,
        shapes=event_lines(run, time, [(number_of(k), [k]) for k in range(count)]),
        x=UNITS[time.axis],
        time_axes=[f"xaxis{number_of(k)}" for k in range(count)],
        shows=f"{view.layer}-{unit}-{time.axis}",
    )  # fmt: skip


def shown_unit(run: Run, view: View) -> tuple[int, int]:
    """Index among the units kept, and number, of the unit nearest to the one asked for."""
    units = run.history.units[view.layer - 1] if run.history.units.size else kept_units(1, run.settings.model.width)[0]
    return nearest_unit(units, view.unit)


def nearest_unit(units: Ints, unit: int) -> tuple[int, int]:
    """Index and number of the unit among these that is nearest to the one asked for. units: [u]"""
    index = int(np.argmin(np.abs(units - unit)))
    return index, int(units[index])


def band_lines(run: Run, k: int, time: Timeline, bands: Floats, axes: dict[str, str]) -> list[dict[str, Any]]:
    """Lower and upper percentile with the space between them filled, then the median. bands: [m x 3]"""
    colour = f"@{run.competitors[k].name}"
    lines = []
    for level in (0, 2, 1):
        x, y = measured_part(time.x[k], bands[:, level])
        if not len(x):
            continue
        name = f"{100 * BAND_LEVELS[level]:.0f} %"
        one = line(x, y, name=name, colour=colour, hover="%{y:.3f}", **axes)
        if level != 1:
            one["line"]["width"] = THIN_WIDTH
        if level == 2:
            one |= {"fill": "tonexty", "fillcolor": f"{colour}/{BAND_OPACITY}"}
        lines.append(one)
    return lines


def level_labels(time: Timeline, panel: int, bands: Floats, low: float, high: float) -> list[dict[str, Any]]:
    """ "15 %", "50 %", "85 %" at the ends of one panel's lines."""
    number, labels = number_of(panel), []
    x = time.x[panel]
    for level, share in enumerate(BAND_LEVELS):
        known = np.flatnonzero(np.isfinite(bands[:, level]))
        if known.size:
            y = min(max(float(bands[known[-1], level]), low), high)
            text = f"{100 * share:.0f} %"
            labels.append(EndLabel(text, float(x[known[-1]]) * INSIDE, y, (y - low) / (high - low), lines=1))
    return [one | {"xshift": 5} | {"font": {"size": TICK_SIZE, "color": "@text"}} for one in end_labels(labels, number)]


def band_ends(bands: Floats) -> tuple[float, float]:
    """Round ends of a shared axis that grow seldom and that a spike does not stretch."""
    values = finite(bands)
    return nice_range(*robust_ends(values)) if values.size else EMPTY_RANGE


def _median_went(run: Run, bands: Floats) -> str:
    """Such as "median went from 0.3 to −2.8 without BN, from 0.0 to −1.1 with it"."""
    if not has_data(bands):
        return ""
    count = len(run.competitors)
    ends = [(first_finite(bands[:, k, 1]), last_finite(bands[:, k, 1])) for k in range(count)]
    texts = alike([value for pair in ends for value in pair])
    if len(bands) == 1:
        return f"median at {compare(run.competitors, [end for _, end in ends])}"
    told = [
        f"from {texts[2 * k]} to {texts[2 * k + 1]}" if np.isfinite(ends[k]).all() else None for k in range(count)
    ]  # fmt: skip
    return f"median went {enumerate_texts(run.competitors, told)}"


def _alt(run: Run, view: View, unit: int, bands: Floats, went: str) -> str:
    title = f"Percentiles of the input of {run.settings.model.unit} {unit} in layer {view.layer}"
    if not has_data(bands):
        return f"{title}: nothing measured yet."
    parts = []
    for k, one in enumerate(run.competitors):
        values = [last_finite(bands[:, k, level]) for level in range(len(BAND_LEVELS))]
        if np.isfinite(values).all():
            parts.append(f"{one.label} " + ", ".join(alike(values)))
    now = whole(run.history.step[-1])
    return f"{title}, 15th, 50th and 85th, at step {now}: {'; '.join(parts)}. {went.capitalize()}."
