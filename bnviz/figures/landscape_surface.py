"""Landscape surface: the loss on a plane as height, one scene a competitor, with the path on it."""

from typing import Any, Final

import numpy as np

from bnviz.config import Competitor, Directions
from bnviz.figures.chart import MARGIN, Words, chart
from bnviz.figures.landscape_parts import POINT_NAMES, known_grid, panels
from bnviz.figures.planes import NEAR, colour_axis, event_places, known_path, log_ends, log_of, scale_ticks
from bnviz.figures.theme import HEADING_SIZE, MARKER_SIZE, TICK_SIZE, Spec, swatch_of, symbol_of
from bnviz.records import Floats, Intervention, Landscape, Run

HEIGHT: Final = 0.65  # of a scene, by the width of its plane
CENTRE: Final = {"x": -0.1, "y": -0.11, "z": -0.14}  # leaves room at the left for the numbers of the height
FROM_ABOVE: Final = {"eye": {"x": 1.25, "y": -1.2, "z": 1.95}, "center": CENTRE}  # into the bowl
FROM_THE_END: Final = {"eye": {"x": 1.55, "y": -1.55, "z": 1.6}, "center": CENTRE}  # paths come from the left, −x
LIFT: Final = 0.012  # of the height, of a path above its surface: else the surface swallows it
MARK_LIFT: Final = 3  # as much, of markers
WALK_WIDTH: Final = 5
CASING_WIDTH: Final = 10
_SYMBOLS: Final = {"square": "square", "circle": "circle", "diamond": "diamond"}  # those that a scene has


def surfaces(run: Run, now: Landscape, shown: Floats, words: Words, shows: str) -> Spec:
    """One scene a competitor on the same heights and colours; overflow is left out. shown: [k, g_beta, g_alpha]"""
    low, high = log_ends(now.loss)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    scenes: dict[str, Any] = {}
    lines: list[list[Any]] = []
    for k, (one, place) in enumerate(zip(run.competitors, panels(run), strict=True)):
        name = scene_of(k)
        alpha, beta, loss = known_grid(now, shown[k])
        logs = np.minimum(log_of(loss), np.float32(high))
        data.append(_surface(one, alpha, beta, loss, logs, name))
        walk = _walk(one, now, k, (alpha, beta, logs), LIFT * (high - low), run.interventions, name)
        if walk:
            lines.append([len(data) + 1, one.name])
        data += walk
        data += _points(now, (alpha, beta, logs), LIFT * (high - low), name)
        scenes[name] = _scene(now, low, high, place.across, place.up)
        annotations.append(_heading(one, place.across, place.up))
    spec = chart(
        run, "landscape", words, data, {},
        annotations=annotations,
        margin=MARGIN | {"l": 4, "r": 56, "b": 4},
        hovermode="closest",
        shows=f"{shows}-surface",
        coloraxis=colour_axis(low, high),
        **scenes,
    )  # fmt: skip
    spec["layout"]["meta"]["cursor"] = {"kind": "path", "lines": lines}
    return spec


def scene_of(k: int) -> str:
    return "scene" if k == 0 else f"scene{k + 1}"


def _surface(one: Competitor, alpha: Floats, beta: Floats, loss: Floats, logs: Floats, scene: str) -> dict[str, Any]:
    """Peaks beyond the scale are cut off at its end, as its darkest colour."""
    return {
        "type": "surface",
        "name": one.label,
        "x": alpha,
        "y": beta,
        "z": logs,
        "customdata": np.where(np.isfinite(loss), loss, np.nan),
        "coloraxis": "coloraxis",
        "scene": scene,
        "connectgaps": False,
        "lighting": {"ambient": 0.85, "diffuse": 0.35, "specular": 0.02, "roughness": 0.9, "fresnel": 0},
        "contours": {axis: {"highlight": False} for axis in "xyz"},
        "hovertemplate": "loss %{customdata:.4~g} nats at (%{x:.2f}, %{y:.2f})<extra></extra>",
    }


def _walk(
    one: Competitor,
    now: Landscape,
    k: int,
    surface: tuple[Floats, Floats, Floats],
    lift: float,
    events: tuple[Intervention, ...],
    scene: str,
) -> list[dict[str, Any]]:
    """The path on the surface: what of it lies over the plane, in a casing, with markers at its ends."""
    x, y, steps = known_path(now.path[k], now.path_steps)
    if not len(x):
        return []
    height = on_surface(*surface, x, y)
    base = {"type": "scatter3d", "name": one.label, "scene": scene}
    line = base | {"mode": "lines", "x": x, "y": y}
    casing = line | {"z": height + lift / 2, "line": {"color": "@page", "width": CASING_WIDTH}, "hoverinfo": "skip"}
    walk = line | {
        "z": height + lift,
        "line": {"color": f"@{one.name}", "width": WALK_WIDTH},
        "customdata": steps,
        "hovertemplate": "step %{customdata:,.0f}: (%{x:.2f}, %{y:.2f})<extra>" + one.label + "</extra>",
    }
    symbol = _SYMBOLS.get(symbol_of(one), "diamond")
    ends = [(len(x) - 1, symbol, "now")]
    if max(np.ptp(x[[0, -1]]) / np.ptp(now.alpha), np.ptp(y[[0, -1]]) / np.ptp(now.beta)) > NEAR / 2:
        ends.append((0, f"{symbol}-open", "start"))
    shown = [(index, "diamond-open", "") for index in event_places(steps, events)] + ends
    if now.directions is Directions.POINTS:
        shown = [(index, symbol, "") for index, symbol, _ in shown]
    marks = base | {
        "mode": "markers+text",
        "x": np.array([x[index] for index, *_ in shown]),
        "y": np.array([y[index] for index, *_ in shown]),
        "z": np.array([height[index] + MARK_LIFT * lift for index, *_ in shown]),
        "text": [text for *_, text in shown],
        "textposition": "top center",
        "textfont": {"size": TICK_SIZE, "color": "@text"},
        "marker": {"symbol": [symbol for _, symbol, _ in shown], "size": MARKER_SIZE - 3, "color": f"@{one.name}"},
        "hoverinfo": "skip",
    }
    return [casing, walk, marks]


def _points(now: Landscape, surface: tuple[Floats, Floats, Floats], lift: float, scene: str) -> list[dict[str, Any]]:
    if now.directions is not Directions.POINTS:
        return []
    x, y = now.points[:, 0], now.points[:, 1]
    return [
        {
            "type": "scatter3d",
            "mode": "markers+text",
            "name": "points",
            "scene": scene,
            "x": x,
            "y": y,
            "z": on_surface(*surface, x, y) + MARK_LIFT * lift,
            "text": [f"<b>{name}</b>" for name in POINT_NAMES],
            "textposition": "top center",
            "textfont": {"size": TICK_SIZE, "color": "@text"},
            "marker": {"symbol": "cross", "size": MARKER_SIZE - 4, "color": "@text"},
            "hoverinfo": "skip",
        }
    ]


def on_surface(alpha: Floats, beta: Floats, height: Floats, x: Floats, y: Floats) -> Floats:
    """Bilinear interpolation of a grid [g_beta, g_alpha] at points [p]; NaN off the grid or beside an unknown value."""
    column = np.clip(np.searchsorted(alpha, x, side="right") - 1, 0, len(alpha) - 2)
    row = np.clip(np.searchsorted(beta, y, side="right") - 1, 0, len(beta) - 2)
    right = (x - alpha[column]) / (alpha[column + 1] - alpha[column])
    up = (y - beta[row]) / (beta[row + 1] - beta[row])
    lower = height[row, column] * (1 - right) + height[row, column + 1] * right
    upper = height[row + 1, column] * (1 - right) + height[row + 1, column + 1] * right
    is_on = (x >= alpha[0]) & (x <= alpha[-1]) & (y >= beta[0]) & (y <= beta[-1])
    return np.where(is_on, lower * (1 - up) + upper * up, np.nan)


def _scene(now: Landscape, low: float, high: float, across: list[float], up: list[float]) -> dict[str, Any]:
    axis = {
        "backgroundcolor": "@page",
        "showbackground": False,
        "gridcolor": "@grid",
        "zeroline": False,
        "linecolor": "@axis",
        "showline": True,
        "showspikes": False,
        "nticks": 4,
        "title": {"text": ""},
        "tickfont": {"size": TICK_SIZE - 1, "color": "@muted"},
    }
    ends = {
        f"{letter}axis": axis | {"range": [float(grid[0]), float(grid[-1])]}
        for letter, grid in (("x", now.alpha), ("y", now.beta))
    }
    ticks = scale_ticks(low, high)
    if ticks["ticktext"]:
        ticks["ticktext"][-1] += " nats"
    height = {"tickmode": "array", "range": [low, high + LIFT * 4 * (high - low)], **ticks}
    return {
        "domain": {"x": across, "y": up},
        "bgcolor": "@page",
        "camera": FROM_ABOVE if now.directions in (Directions.RANDOM, Directions.GRADIENT) else FROM_THE_END,
        "aspectmode": "manual",
        "aspectratio": {"x": 1, "y": 1, "z": HEIGHT},
        "dragmode": "turntable",
        **ends,
        "zaxis": axis | height,
    }


def _heading(one: Competitor, across: list[float], up: list[float]) -> dict[str, Any]:
    return {
        "name": "panel-heading",
        "text": f"{swatch_of(one)} {one.label}",
        "xref": "paper",
        "x": across[0],
        "xanchor": "left",
        "xshift": 30,
        "yref": "paper",
        "y": up[1],
        "yanchor": "bottom",
        "yshift": 1,
        "showarrow": False,
        "font": {"size": HEADING_SIZE, "color": "@text"},
    }
