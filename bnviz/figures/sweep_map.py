"""The survival map: test accuracy over two settings, a map a network, on one scale.

Shapes as in `records.sweep`: k = competitors, y = rows, x = columns, s = seeds.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import SweepAxis, View
from bnviz.figures.chart import Words, domains, heading, number_of
from bnviz.figures.numbers import percent, whole
from bnviz.figures.planes import shared_scale, under_planes
from bnviz.figures.studies import staged
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
from bnviz.figures.theme import TICK_SIZE, Spec
from bnviz.figures.words import enumerate_texts, joined
from bnviz.records import USABLE_ACCURACY, Floats, Outcome, Run, Sweep

TITLE: Final = "Which settings survive"
HOW: Final = (
    "Each cell is a run of the lab: share of the 10,000 test images classified rightly at inference, at its end; the "
    "median over seeds, in which a network that diverged counts as 0. A click opens that run in the lab."
)
MARGIN: Final = {"l": 58, "r": 58, "t": 24, "b": 46}
LEAST_ERROR: Final = 0.01  # share, where the colour scale ends
_TICKS: Final = (0.1, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
_MARKS: Final = {Outcome.STALLED: "–", Outcome.DIVERGED: "×", Outcome.FAILED: "!"}


def sweep_map(run: Run, view: View) -> Spec:
    """Final test accuracy of every cell, a panel a network; diverged and stalled have marks of their own."""
    sweep, name = run.sweep, "sweep-map"
    if sweep is None:
        return waiting(run, name, TITLE, HOW)
    panels, config = len(sweep.config.competitors), sweep.config
    spans = domains(panels, gap=0.06 if panels > 2 else 0.09)
    data: list[dict[str, Any]] = []
    axes: dict[str, dict[str, Any]] = {}
    shapes: list[dict[str, Any]] = []
    for k, span in enumerate(spans):
        number = number_of(k)
        data += _cells(sweep, k, {"xaxis": f"x{number}", "yaxis": f"y{number}"})
        axes[f"xaxis{number}"] = _side(config.x, f"y{number}", domain=span)
        axes[f"yaxis{number}"] = _side(config.y, f"x{number}", showticklabels=k == 0)
        shapes += _best_mark(sweep, k)
    networks = staged(run, config.competitors)
    headings = [heading(networks, k, k) for k in range(panels)]
    words = Words(TITLE, _finding(sweep), _alt(sweep), HOW)
    return sweep_chart(
        run, name, words, data, axes,
        annotations=[
            *headings,
            under_planes("marks", "× diverged   – stalled at chance"),
            under_planes("x-side", name_of(config.x), is_right=True),
            _y_name(config.y),
        ],
        shapes=shapes,
        margin=MARGIN,
        hovermode="closest",
        x=name_of(config.x),
        coloraxis=shared_scale(0.0, -float(np.log10(LEAST_ERROR)), "@sequential", _colour_ticks(), "%"),
        meta={"cells": [len(config.y), len(config.x)]},
    )  # fmt: skip


def depth_of(accuracy: Floats) -> Floats:
    """Where an accuracy lies on the colour scale, which is logarithmic in the error: −log₁₀(1 − accuracy)."""
    depth: Floats = -np.log10(np.maximum(1 - accuracy, LEAST_ERROR))
    return depth


def _colour_ticks() -> dict[str, list[Any]]:
    ticks = np.array(_TICKS)
    return {"tickvals": depth_of(ticks).tolist(), "ticktext": [f"{100 * one:g}" for one in _TICKS]}


# --- cells ------------------------------------------------------------------------------------------------------------


def _cells(sweep: Sweep, k: int, axes: dict[str, str]) -> list[dict[str, Any]]:
    """What has come in of one network's map, over a ground that shows what is still to come."""
    one, median, fate = sweep.config.competitors[k], sweep.median[k], _fates(sweep, k)
    is_lost = fate == Outcome.DIVERGED
    shown = np.where(is_lost, np.nan, median)
    grid = {"type": "heatmap", "xgap": 2, "ygap": 2, "hoverongaps": False, **axes}
    place = {"x": np.arange(median.shape[1], dtype=float), "y": np.arange(median.shape[0], dtype=float)}
    flat = {"showscale": False, "zmin": 0, "zmax": 1}
    told = [[_cell_told(sweep, k, y, x) for x in range(median.shape[1])] for y in range(median.shape[0])]
    marks = [[_cell_text(median[y, x], fate[y, x]) for x in range(median.shape[1])] for y in range(median.shape[0])]
    written = {
        "text": marks,
        "texttemplate": "%{text}",
        "customdata": told,
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    ground = {"name": "to come", "z": np.zeros(median.shape), "colorscale": [[0, "@grid"], [1, "@grid"]]}
    lost = {"name": "diverged", "z": np.where(is_lost, 1.0, np.nan), "colorscale": [[0, "@overflow"], [1, "@overflow"]]}
    return [
        {**grid, **place, **flat, **ground, "customdata": told, "hovertemplate": "%{customdata}<extra></extra>"},
        {**grid, **place, **flat, **lost, **written},
        {**grid, **place, **written, "name": one.label, "z": depth_of(shown), "coloraxis": "coloraxis"},
    ]


def _fates(sweep: Sweep, k: int) -> np.ndarray[Any, Any]:
    """How most seeds of each cell ended that have come in; WAITING where none has, FAILED where none can. [y, x]"""
    fate = np.full(sweep.median[k].shape, int(Outcome.WAITING))
    for outcome in (Outcome.TRAINED, Outcome.STALLED, Outcome.DIVERGED):
        fate[sweep.share_of(outcome)[k] > 0.5] = int(outcome)
    has_come = np.isfinite(sweep.median[k])
    fate[has_come & (fate == Outcome.WAITING)] = int(Outcome.TRAINED)  # no fate has a majority
    fate[~has_come & (sweep.outcome[k] == Outcome.FAILED).any(axis=-1)] = int(Outcome.FAILED)
    return fate


def _cell_text(median: float, fate: int) -> str:
    """Per cent without decimals, or the mark of what went wrong."""
    if mark := _MARKS.get(Outcome(fate)):
        return mark
    return "" if np.isnan(median) else f"{100 * median:.0f}"


def _cell_told(sweep: Sweep, k: int, y: int, x: int) -> str:
    """What is said of a cell under the pointer."""
    where = f"{place_text(sweep, y, x)}<br>{sweep.config.competitors[k].label}: "
    outcomes, scores = sweep.outcome[k, y, x], sweep.score[k, y, x]
    known = scores[np.isfinite(scores)]
    if not known.size:
        is_failed = bool((outcomes == Outcome.FAILED).any())
        return where + ("could not be computed" if is_failed else "training" if (outcomes == 1).any() else "to come")
    text = percent(float(np.median(known)))
    if known.size > 1:
        text += f", {percent(float(known.min()))} to {percent(float(known.max()))} over {known.size} seeds"
    for outcome, word in ((Outcome.DIVERGED, "diverged"), (Outcome.STALLED, "stalled")):
        if count := int((outcomes == outcome).sum()):
            text += f"<br>{word} from {count} of {known.size}"
    return where + text


def _best_mark(sweep: Sweep, k: int) -> list[dict[str, Any]]:
    """A frame around a network's best cell: a shape named "best"."""
    best = sweep.best_cell(k)
    if best is None:
        return []
    row, column = best
    number = number_of(k)
    return [
        {
            "name": "best", "type": "rect", "xref": f"x{number}", "yref": f"y{number}",
            "x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5,
            "line": {"color": f"@{sweep.config.competitors[k].name}", "width": 3},
        }
    ]  # fmt: skip


# --- axes -------------------------------------------------------------------------------------------------------------


def _side(axis: SweepAxis, anchor: str, **more: Any) -> dict[str, Any]:
    """One side of a map: a place for each value."""
    texts = texts_of(axis)
    return {
        "anchor": anchor,
        "autorangeoptions": {"clipmin": -0.5, "clipmax": len(texts) - 0.5},
        "tickvals": list(range(len(texts))),
        "ticktext": texts,
        "tickangle": 0,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "tickfont": {"size": TICK_SIZE, "color": "@muted"},
        "ticklabeloverflow": "allow",
        **more,
    }


def _y_name(axis: SweepAxis) -> dict[str, Any]:
    """The name of the rows, along them: an annotation named "y-side"."""
    return {
        "name": "y-side",
        "text": name_of(axis),
        "xref": "paper",
        "x": 0,
        "xanchor": "right",
        "xshift": -40,
        "yref": "paper",
        "y": 0.5,
        "textangle": -90,
        "showarrow": False,
        "font": {"size": TICK_SIZE, "color": "@muted"},
    }


# --- words ------------------------------------------------------------------------------------------------------------


def _finding(sweep: Sweep) -> str:
    """How much has come in, and in how many cells each network gets above the usable accuracy."""
    if is_empty(sweep):
        return f"0 of {sweep.status.cells_all} cells."
    known = int(np.isfinite(sweep.median[0]).sum())
    counts = [whole(int((one > USABLE_ACCURACY).sum())) for one in np.nan_to_num(sweep.median, nan=0.0)]
    told = enumerate_texts(sweep.config.competitors, counts, of=f" of {known} cells")
    text = progress(sweep)
    return f"{text[0].upper()}{text[1:]}. Over {100 * USABLE_ACCURACY:.0f} %: {told}."


def _alt(sweep: Sweep) -> str:
    """Row by row, what the map shows."""
    parts = [f"{TITLE}: {_finding(sweep)}"]
    for k, one in enumerate(sweep.config.competitors):
        fate = _fates(sweep, k)
        for y, value in enumerate(sweep.config.y.values):
            cells = [_cell_text(sweep.median[k, y, x], fate[y, x]) or "to come" for x in range(len(sweep.config.x))]
            parts.append(f"{one.label}, {name_of(sweep.config.y)} {value_text(value)}: {', '.join(cells)}.")
    return joined(*parts)
