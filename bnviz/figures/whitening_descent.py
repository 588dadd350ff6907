"""Descent on the loss of a linear unit: five panels with its contours and the paths of gradient descent and SGD.

Shapes: t = treatments, s = steps drawn, p = points of a contour.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import LINEAR_UNIT_SETTINGS, NEWEST, RateRule, Treatment, View
from bnviz.figures.chart import Words
from bnviz.figures.numbers import percent, whole
from bnviz.figures.theme import MARKER_SIZE, THIN_WIDTH, TICK_SIZE, Spec
from bnviz.figures.untrained_parts import compact
from bnviz.figures.whitening_parts import (
    MARGIN,
    SHAPES,
    TOLD,
    axes_of,
    label_of,
    narrow_domains,
    panel_words,
    rounded,
    share_text,
    shown_loss,
    square_axes,
    steps_number,
    steps_text,
    unit_chart,
    waiting,
)
from bnviz.records import TREATMENTS, Floats, LinearUnit, Run

ROOM: Final = 1.3  # how far a panel reaches, times the start's larger coordinate or 1: there is room to drag it out
LEVELS_A_DECADE: Final = 2
LOWEST_LEVEL: Final = -3.0  # log10 of the loss relative to the start's
MOST_LEVELS: Final = 16
CONTOUR_POINTS: Final = 61
DARKEST: Final = 8  # of the ramp's 17 stops: paths and words must stay readable
CASING: Final = 1.75  # px of page colour on both sides of a path
GD_WIDTH: Final = 1.5
LABEL_REACH: Final = 0.55  # of a panel, within which a word beside a path fits
LEAST_APART: Final = 0.12  # of a panel's reach, from the other path: nearer, a word would not say which it names
TITLE: Final = "Descent on the loss"
HOW: Final = (
    "Teacher w*·x of the treated inputs, so that every loss is 0 at w*; all start at the same displacement from it. "
    "Between two contours the loss grows by a factor of √10; all panels share axes and colours. "
    "Black: SGD, which sees the same mini-batches in every panel. Gradient descent is stable at a rate η below 2/λ_max."
)


def whitening_descent(run: Run, view: View) -> Spec:
    """Contours of the loss around the minimum, with both descents up to the step that the visitor looks at."""
    name, unit = "whitening-descent", run.linear_unit
    if unit is None:
        return waiting(run, name, TITLE, HOW)
    step = shown_step(unit, view)
    reach = ROOM * max(1.0, *map(abs, unit.config.start))
    levels = contour_levels(unit, reach)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for t, treatment in enumerate(TREATMENTS):
        data += [*_contours(unit, t, levels), *_paths(unit, t, step, reach)]
        annotations.append(panel_words(t, [label_of(treatment), *_numbers(unit, t)]))
        annotations += _diverged(unit, t, step, reach)
    annotations += [_start_label(unit), *_sgd_label(unit, step, reach), *_axis_names()]
    words = Words(f"{TITLE}, up to step {whole(step)}", _finding(unit), _alt(unit), HOW)
    low, high = _bounds()
    return unit_chart(
        run, name, words, data, square_axes([(0.0, 0.0, reach)] * len(TREATMENTS), is_shared=True),
        annotations=annotations,
        margin=MARGIN | {"l": 44, "b": 40},
        hovermode="closest",
        x="w − w*",
        meta={
            "narrow": narrow_domains(),
            "drag": {"fields": ["start_1", "start_2"], "value": list(unit.config.start), "low": low, "high": high},
            "scrub": {
                "is_played": True,
                "field": "descent_step",
                "label": "Step",
                "values": list(range(unit.config.steps + 1)),
                "value": step,
                "newest": NEWEST,
                "end": "the last",
            },
        },
    )  # fmt: skip


def shown_step(unit: LinearUnit, view: View) -> int:
    """Up to which the paths are drawn."""
    last = unit.config.steps
    return last if view.descent_step == NEWEST else min(max(view.descent_step, 0), last)


def _bounds() -> tuple[float, float]:
    """Of each coordinate of the start."""
    domain: Any = next(setting.domain for setting in LINEAR_UNIT_SETTINGS if setting.name == "start_1")
    return domain.low, domain.high


# --- contours ---------------------------------------------------------------------------------------------------------


def contour_levels(unit: LinearUnit, reach: float) -> list[float]:
    """log10 of the loss relative to the start's: from `LOWEST_LEVEL` to what holds the corners of every panel."""
    corners = reach * np.array([[1.0, 1.0], [1.0, -1.0]])
    start = np.array(unit.config.start)
    highest = max(
        float((np.einsum("ci,ij,cj->c", corners, hessian, corners)).max() / (start @ hessian @ start))
        for hessian in unit.hessian
    )
    top = np.ceil(LEVELS_A_DECADE * np.log10(highest) + 1e-9) / LEVELS_A_DECADE
    count = min(int(LEVELS_A_DECADE * (top - LOWEST_LEVEL)) + 1, MOST_LEVELS)
    found: list[float] = np.linspace(LOWEST_LEVEL, top, count).tolist()
    return found


def contour_of(hessian: Floats, start: Floats, level: float) -> Floats:
    """Where the loss is 10^level times that at the start: an ellipse about the minimum, exact. [p, 2]"""
    eigenvalues, vectors = np.linalg.eigh(hessian)
    angle = np.linspace(0, 2 * np.pi, CONTOUR_POINTS)
    loss = 10.0**level * (start @ hessian @ start)
    radii = np.sqrt(loss / eigenvalues)
    ellipse: Floats = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radii @ vectors.T
    return ellipse


def _contours(unit: LinearUnit, t: int, levels: list[float]) -> list[dict[str, Any]]:
    """From the outermost one in, each filled over the one before."""
    start, last = np.array(unit.config.start), max(len(levels) - 1, 1)
    traces = []
    for place in range(len(levels) - 1, -1, -1):
        points = contour_of(unit.hessian[t], start, levels[place]).astype(np.float32)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "contour",
                "x": points[:, 0],
                "y": points[:, 1],
                "line": {"color": "@page/0.8", "width": 0.75},
                "fill": "toself",
                "fillcolor": f"@ramp{round(DARKEST * place / last)}",
                "hoverinfo": "skip",
                **axes_of(t),
            }
        )
    return traces


# --- paths ------------------------------------------------------------------------------------------------------------


def leaves_at(path: Floats, reach: float) -> int | None:
    """The first step at which a path is outside its panel or no longer finite; None if it stays inside. [s + 1, 2]"""
    is_outside = ~(np.abs(path) <= reach).all(axis=1)
    return int(np.argmax(is_outside)) if is_outside.any() else None


def _drawn(path: Floats, step: int, reach: float, is_diverging: bool) -> Floats:
    """Up to the step shown; one that diverges ends with the first point outside its panel. [<= s + 1, 2]"""
    part = path[: step + 1]
    left = leaves_at(part, reach) if is_diverging else None
    part = part if left is None else part[: left + 1]
    return part[np.isfinite(part).all(axis=1)]


def _paths(unit: LinearUnit, t: int, step: int, reach: float) -> list[dict[str, Any]]:
    """SGD, thin, under gradient descent, which has a dot at every step; start, minimum and where it stands now."""
    treatment = TREATMENTS[t]
    colour = f"@{treatment}"
    gd = _drawn(unit.gd_path[t], step, reach, bool(unit.is_diverging[t]))
    sgd = _drawn(unit.sgd_path[t], step, reach, bool(unit.is_sgd_diverging[t]))
    traces = [
        _cased(sgd, THIN_WIDTH, t),
        _path(sgd, "SGD", "@text", THIN_WIDTH, unit.sgd_loss[t], t),
        _cased(gd, GD_WIDTH, t),
        _path(gd, "gradient descent", colour, GD_WIDTH, unit.gd_loss[t], t),
        _mark(np.zeros(2), "cross-thin", "@text", t),
        _mark(gd[0], "circle", "@page", t, outline="@text"),
    ]
    if len(gd) > 1 and (np.abs(gd[-1]) <= reach).all() and len(gd) == step + 1:
        traces.append(_mark(gd[-1], SHAPES[treatment][0], colour, t))
    return traces


def _cased(path: Floats, width: float, t: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "casing",
        "x": path[:, 0],
        "y": path[:, 1],
        "line": {"color": "@page", "width": width + 2 * CASING},
        "hoverinfo": "skip",
        **axes_of(t),
    }


def _path(path: Floats, name: str, colour: str, width: float, loss: Floats, t: int) -> dict[str, Any]:
    is_gd = name != "SGD"
    return {
        "type": "scatter",
        "mode": "lines+markers" if is_gd else "lines",
        "name": name,
        "x": path[:, 0],
        "y": path[:, 1],
        "line": {"color": colour, "width": width},
        "marker": {"size": 4.5, "color": colour},
        "customdata": np.stack([np.arange(len(path)), shown_loss(loss[: len(path)])], axis=1),
        "hovertemplate": f"step %{{customdata[0]:,.0f}}: loss × %{{customdata[1]:.3~g}}<extra>{name}</extra>",
        **axes_of(t),
    }


def _mark(place: Floats, symbol: str, colour: str, t: int, outline: str = "@page") -> dict[str, Any]:
    is_cross = symbol == "cross-thin"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "minimum" if is_cross else "place",
        "x": place[:1],
        "y": place[1:],
        "marker": {
            "symbol": symbol,
            "size": MARKER_SIZE,
            "color": colour,
            "line": {"color": colour if is_cross else outline, "width": 1.5},
        },
        "hoverinfo": "skip",
        **axes_of(t),
    }


# --- what stands in and above the panels ------------------------------------------------------------------------------


def _numbers(unit: LinearUnit, t: int) -> list[str]:
    return [
        f"κ {rounded(float(unit.condition_number[t]))}",
        f"η {compact(float(unit.rate[t]))}",
        f"stable below {compact(float(unit.largest_rate[t]))}",
        "diverges" if unit.is_diverging[t] and np.isinf(unit.gd_steps[t]) else steps_text(float(unit.gd_steps[t])),
    ]


def _diverged(unit: LinearUnit, t: int, step: int, reach: float) -> list[dict[str, Any]]:
    """That and when a path leaves its panel for good: an annotation named "stop-label"."""
    descents = (
        ("", unit.gd_path[t], unit.is_diverging[t]),
        ("SGD ", unit.sgd_path[t], unit.is_sgd_diverging[t]),
    )
    told = [
        f"<b>× {name}diverges</b><br>leaves at step {left}"
        for name, path, is_diverging in descents
        if is_diverging and (left := leaves_at(path, reach)) is not None and left <= step
    ]
    if not told:
        return []
    numbered = axes_of(t)
    return [
        {
            "name": "stop-label",
            "text": told[0],  # gradient descent before SGD
            "xref": f"{numbered['xaxis']} domain",
            "x": 0.5,
            "yref": f"{numbered['yaxis']} domain",
            "y": 0.02,
            "yanchor": "bottom",
            "showarrow": False,
            "bgcolor": "@page/0.85",
            "borderpad": 2,
            "font": {"size": TICK_SIZE, "color": "@text"},
        }
    ]


def _start_label(unit: LinearUnit) -> dict[str, Any]:
    """In the first panel: what the open circle is."""
    x, y = unit.config.start
    return {
        "name": "path-label",
        "text": "start",
        "xref": "x",
        "x": x,
        "yref": "y",
        "y": y,
        "xanchor": "center",
        "yanchor": "top" if y >= 0 else "bottom",  # towards the middle: above the panel stand its numbers
        "yshift": -7 if y >= 0 else 7,
        "showarrow": False,
        "bgcolor": "@page/0.8",
        "borderpad": 1,
        "font": {"size": TICK_SIZE, "color": "@text"},
    }


def _sgd_label(unit: LinearUnit, step: int, reach: float) -> list[dict[str, Any]]:
    """Once, where a black path lies furthest from the coloured one: what it is. An annotation named "sgd-label"."""
    best, place, panel = LEAST_APART * reach, None, 0
    for t in range(len(TREATMENTS)):
        gd, sgd = (path[t, : step + 1] for path in (unit.gd_path, unit.sgd_path))
        is_inside = (np.abs(sgd) <= LABEL_REACH * reach).all(axis=1)
        others = np.concatenate([gd[np.isfinite(gd).all(axis=1)], np.zeros((1, 2))])
        for point in sgd[is_inside]:
            apart = float(np.linalg.norm(others - point, axis=1).min())
            if apart > best:
                best, place, panel = apart, point, t
    if place is None:
        return []
    numbered = axes_of(panel)
    return [
        {
            "name": "sgd-label",
            "text": "SGD",
            "xref": numbered["xaxis"],
            "x": float(place[0]),
            "yref": numbered["yaxis"],
            "y": float(place[1]),
            "xanchor": "left" if place[0] >= 0 else "right",
            "xshift": 4 if place[0] >= 0 else -4,
            "showarrow": False,
            "bgcolor": "@page/0.8",
            "borderpad": 1,
            "font": {"size": TICK_SIZE, "color": "@text"},
        }
    ]


def _axis_names() -> list[dict[str, Any]]:
    """Of the first panel, which all others are like. Annotations named "axis-name"."""
    base = {
        "name": "axis-name",
        "showarrow": False,
        "font": {"size": TICK_SIZE, "color": "@muted"},
    }
    return [
        base
        | {
            "text": "w₁ − w₁*",
            "xref": "x domain",
            "x": 0.5,
            "yref": "y domain",
            "y": 0,
            "yanchor": "top",
            "yshift": -22,
        },
        base
        | {
            "text": "w₂ − w₂*",
            "textangle": -90,
            "xref": "x domain",
            "x": 0,
            "xanchor": "right",
            "xshift": -22,
            "yref": "y domain",
            "y": 0.5,
        },
    ]


# --- what is said -----------------------------------------------------------------------------------------------------


def _finding(unit: LinearUnit) -> str:
    """Divergence where there is any, else who needs how many steps, and who zigzags."""
    diverging = [str(one) for one, is_so in zip(TREATMENTS, unit.is_diverging, strict=True) if is_so]
    going = [
        f"{steps_number(float(unit.gd_steps[t]))} {one}"
        for t, one in enumerate(TREATMENTS)
        if one in TOLD and not unit.is_diverging[t]
    ]
    target = f"steps to {share_text(unit.config.target)} of the start’s loss: {', '.join(going)}" if going else ""
    if diverging:
        return "; ".join(text for text in (f"beyond 2/λ_max, diverging: {', '.join(diverging)}", target) if text)
    zigzag = _zigzag(unit)
    return "; ".join(text for text in (target, zigzag) if text)


def _zigzag(unit: LinearUnit) -> str:
    """η λ_max above 1 turns the sign of the displacement across the valley at every step."""
    scaled = unit.rate * unit.eigenvalues[:, 0]
    t = TREATMENTS.index(Treatment.RAW)
    if not 1 < scaled[t] <= 2:
        return ""
    kept = "nearly all" if scaled[t] > 1.995 else percent(float(scaled[t] - 1), 0)
    return f"raw overshoots the valley at every step, keeping {kept} of its distance"


def _alt(unit: LinearUnit) -> str:
    rule = {
        RateRule.SHARED: "one rate for all",
        RateRule.MULTIPLE: f"{unit.config.rate_multiple:g} times each one’s largest stable rate",
        RateRule.BEST: "2/(λ_max + λ_min) each",
    }[unit.config.rate_rule]
    each = [
        f"{one}: condition number {rounded(float(unit.condition_number[t]))}, stable below "
        f"{compact(float(unit.largest_rate[t]))}, at {compact(float(unit.rate[t]))} "
        + ("gradient descent diverges" if unit.is_diverging[t] else f"{steps_text(float(unit.gd_steps[t]))}")
        + f", SGD {_sgd_text(float(unit.sgd_steps[t]))}"
        for t, one in enumerate(TREATMENTS)
    ]
    target = f"{share_text(unit.config.target)} of the start’s loss"
    return f"Gradient descent and SGD to {target}, {rule}. {'; '.join(each)}."


def _sgd_text(steps: float) -> str:
    return "not within 10,000 steps" if np.isnan(steps) else "diverges" if np.isinf(steps) else steps_text(steps)
