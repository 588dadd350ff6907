"""Figure 1(b, c) of Ioffe & Szegedy 2015: percentiles of one unit's inputs over 50,000 steps, both networks.

Shapes as in `records.figure_one`: m = points in time, k = competitors.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.bands import band_ends, band_lines, level_labels, nearest_unit
from bnviz.figures.chart import Words, heading, line, measured_part, number_of
from bnviz.figures.figure_one_parts import (
    TICKS,
    Measured,
    X,
    at,
    figure_one_chart,
    is_live,
    looked_at,
    over_steps,
    scrubber,
    step_lines,
    step_of,
    waiting,
)
from bnviz.figures.figure_one_words import name_of
from bnviz.figures.numbers import alike
from bnviz.figures.theme import GHOST_OPACITY, MARKER_SIZE, THIN_WIDTH, Spec
from bnviz.figures.timeline import unit_label
from bnviz.figures.twins import how, twin_axes
from bnviz.figures.words import enumerate_texts
from bnviz.records import BAND_LEVELS, Floats, Replica, Run

NAME: Final = "figure-one-bands"
TITLE: Final = "Figure 1(b, c): inputs of one unit"


def figure_one_bands(run: Run, view: View) -> Spec:
    """15th, 50th and 85th percentile without BN and with it, on one shared axis; a live run over its recording."""
    study, told = run.figure_one, f"15th, 50th and 85th percentile {how(run)}"
    shown = study.shown if study is not None else None
    if study is None or shown is None or shown.bands is None:
        return waiting(run, NAME, TITLE, told)
    step, live = step_of(shown, view), is_live(run)
    layer = min(max(view.layer, 1), len(shown.units))
    index, unit = nearest_unit(shown.units[layer - 1], view.unit)
    bands = shown.bands[:, :, layer - 1, index].astype(np.float32)
    low, high = band_ends(bands)
    time, own = over_steps(shown.step), _of_live(run, layer, unit) if live else None
    data: list[dict[str, Any]] = []
    annotations = [unit_label(time)]
    for k in range(len(run.competitors)):
        axes = {"xaxis": f"x{number_of(k)}", "yaxis": f"y{number_of(k)}"}
        if own is None:
            data += band_lines(run, k, time, bands[:, k], axes)
        else:
            data += _faint(run, k, shown, bands[:, k], axes)
            data += band_lines(run, k, over_steps(run.history.step), own[:, k], axes)
        data += _dots(run, k, at(shown, bands[:, k], step), step, axes)
        annotations += [heading(run, k, k), *level_labels(time, k, bands[:, k], low, high)]
    finding = _finding(run, Measured(shown.step, bands), None if own is None else Measured(run.history.step, own), step)
    words = Words(
        f"Figure 1(b, c): unit {unit} of layer {layer}",
        finding,
        f"Percentiles of the input of unit {unit} in layer {layer}, {name_of(study.config)}. {finding}.",
        f"{told}{' Faint: the recording; strong: this run.' if live else ''}",
    )
    panels = [number_of(k) for k in range(len(run.competitors))]
    axes_of_all = twin_axes(time, len(panels), low, high)
    for panel in panels:
        axes_of_all[f"xaxis{panel}"]["tickformat"] = TICKS
    spec = figure_one_chart(
        run, NAME, words, data, axes_of_all,
        annotations=annotations,
        shapes=step_lines(step, panels),
        x=X,
        time_axes=[f"xaxis{panel}" for panel in panels],
        shows=f"{layer}-{unit}",
    )  # fmt: skip
    spec["layout"]["meta"]["scrub"] = scrubber(shown, step, live)
    return spec


def _of_live(run: Run, layer: int, unit: int) -> Floats:
    """The same unit's of the live run, which keeps every unit that is recorded. [m, k, 3]"""
    index, _ = nearest_unit(run.history.units[layer - 1], unit)
    found: Floats = run.history.bands[:, :, layer - 1, index]
    return found


def _faint(run: Run, k: int, shown: Replica, bands: Floats, axes: dict[str, str]) -> list[dict[str, Any]]:
    """The three recorded lines under those of a live run. bands: [m, 3]"""
    lines = []
    for level, share in enumerate(BAND_LEVELS):
        x, y = measured_part(shown.step, bands[:, level])
        drawn = line(
            x, y, name=f"recorded, {100 * share:.0f} %", colour=f"@{run.competitors[k].name}", hover="%{y:.3f}"
        )
        drawn["line"]["width"] = THIN_WIDTH
        lines.append(drawn | {"opacity": GHOST_OPACITY, "hoverinfo": "skip", **axes})
        del lines[-1]["hovertemplate"]
    return lines


def _dots(run: Run, k: int, values: Floats, step: float | None, axes: dict[str, str]) -> list[dict[str, Any]]:
    """The three percentiles at the step that is looked at. values: [3]"""
    if step is None or not np.isfinite(values).all():
        return []
    marker = {"size": MARKER_SIZE - 2, "color": f"@{run.competitors[k].name}", "line": {"color": "@page", "width": 1}}
    return [
        {
            "type": "scatter", "mode": "markers", "name": "step", "x": [step] * len(BAND_LEVELS),
            "y": [float(one) for one in values], "marker": marker, "hoverinfo": "skip", **axes,
        }
    ]  # fmt: skip


def _finding(run: Run, recorded: Measured, own: Measured | None, step: float | None) -> str:
    """Such as "At step 1,000: −2.1, −0.4, 1.2 without BN, −0.9, 0.1, 1.0 with it"."""
    now, moment = looked_at(recorded, own, step)  # [k, 3]
    texts = alike([float(one) for one in now.ravel()], most_decimals=2)
    levels = len(BAND_LEVELS)
    told: list[str | None] = [
        ", ".join(texts[k * levels : (k + 1) * levels]) if np.isfinite(now[k]).all() else None for k in range(len(now))
    ]
    text = enumerate_texts(run.competitors, told)
    return f"{moment}: {text or 'nothing is left'}"
