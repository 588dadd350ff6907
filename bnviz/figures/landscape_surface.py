"""Landscape surface: the loss on a plane as height, one scene a competitor, with the path on it."""

from typing import Any, Final

import numpy as np

from bnviz.config import Competitor, Directions
from bnviz.figures.chart import MARGIN, Words, chart
from bnviz.figures.landscape_parts import POINT_NAMES, known_grid, panels
from bnviz.figures.planes import NEAR, colour_axis, event_places, known_path, log_ends, log_of, scale_ticks
from bnviz.figures.theme import HEADING_SIZE, MARKER_SIZE, TICK_SIZE, Spec, swatch_of
from bnviz.records import Floats, Intervention, Landscape, Run

HEIGHT: Final = 0.65  # of a scene, by the width of its plane
CENTRE: Final = {"x": -0.1, "y": -0.11, "z": -0.24}  # leaves room at the left for the numbers of the height
FROM_ABOVE: Final = {"eye": {"x": 1.25, "y": -1.2, "z": 1.95}, "center": CENTRE}  # into the bowl
FROM_THE_END: Final = {"eye": {"x": 1.55, "y": -1.55, "z": 1.6}, "center": CENTRE}  # paths come from the left, −x
LIFT: Final = 0.012  # of the height, of a path above its surface: else the surface swallows it
STEM: Final = 24  # px, from a point on a surface up to its name
WALK_WIDTH: Final = 5
CASING_WIDTH: Final = 10


def surfaces(run: Run, now: Landscape, shown: Floats, words: Words, shows: str) -> Spec:
    """One scene a competitor on the same heights and colours; overflow is left out. shown: [k, g_beta, g_alpha]"""
    low, high = log_ends(now.loss)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    lift = LIFT * (high - low)
    scenes: dict[str, Any] = {}
    lines: list[list[Any]] = []
    for k, (one, place) in enumerate(zip(run.competitors, panels(run), strict=True)):
        name = scene_of(k)
        alpha, beta, loss = known_grid(now, shown[k])
        logs = np.minimum(log_of(loss), np.float32(high))
        data.append(_surface(one, alpha, beta, loss, logs, name))
        walk = _walk(one, now, k, (alpha, beta, logs), lift, run.interventions, name)
        if walk:
            lines.append([len(data) + 1, one.name])
        data += walk
        scenes[name] = _scene(now, low, high, place.across, place.up)
        scenes[name]["annotations"] = _names(one, now, k, (alpha, beta, logs), lift)
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
    """The path on the surface: what of it lies over the plane, in a casing, with diamonds where a setting changed."""
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
    events_at = event_places(steps, events)
    marks = base | {
        "mode": "markers",
        "x": x[events_at],
        "y": y[events_at],
        "z": height[events_at] + lift,
        "marker": {"symbol": "diamond-open", "size": MARKER_SIZE - 4, "color": "@text"},
        "hoverinfo": "skip",
    }
    return [casing, walk, *([marks] if events_at else [])]


def _names(
    one: Competitor, now: Landscape, k: int, surface: tuple[Floats, Floats, Floats], lift: float
) -> list[dict[str, Any]]:
    """Where the path began and stands, or A, B and C: words on a stem, which no surface hides."""
    if now.directions is Directions.POINTS:
        places = [(f"<b>{name}</b>", place) for name, place in zip(POINT_NAMES, now.points, strict=True)]
    else:
        x, y, _ = known_path(now.path[k], now.path_steps)
        places = [("now", (x[-1], y[-1]))] if len(x) else []
        if len(x) and max(np.ptp(x[[0, -1]]) / np.ptp(now.alpha), np.ptp(y[[0, -1]]) / np.ptp(now.beta)) > NEAR / 2:
            places.append(("start", (x[0], y[0])))
    named = []
    for text, (x, y) in places:
        (height,) = on_surface(*surface, np.array([x]), np.array([y]))
        if np.isfinite(height):
            named.append(_name(f"{swatch_of(one)} {text}" if text == "now" else text, x, y, height + lift))
    return named


def _name(text: str, x: float, y: float, z: float) -> dict[str, Any]:
    return {
        "name": "place",
        "text": text,
        "x": float(x),
        "y": float(y),
        "z": float(z),
        "ax": 0,
        "ay": -STEM,
        "showarrow": True,
        "arrowhead": 6,
        "arrowsize": 0.8,
        "arrowwidth": 1,
        "arrowcolor": "@text",
        "bgcolor": "@page/0.8",
        "borderpad": 1,
        "font": {"size": TICK_SIZE, "color": "@text"},
    }


def on_surface(alpha: Floats, beta: Floats, height: Floats, x: Floats, y: Floats) -> Floats:
    """Bilinear interpolation of a grid [g_beta, g_alpha] at points [p]; NaN off the grid or beside an unknown value."""
    column = np.clip(np.searchsorted(alpha, x, side="right") - 1, 0, len(alpha) - 2)
    row = np.clip(np.searchsorted(beta, y, side="right") - 1, 0, len(beta) - 2)
    with np.errstate(divide="ignore", invalid="ignore"):  # a plane without extent has no inside
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
