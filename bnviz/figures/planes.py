"""Planes: the loss over a plane through weight space, and the path that a network walked on it.

What the lab's contour and the page of landscapes share. A plane is drawn by the decimal logarithm of the loss, on a
colour scale that all networks share; where the loss overflows it has a colour of its own.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bnviz.config import Competitor
from bnviz.figures.chart import number_of
from bnviz.figures.numbers import finite, log_ticks, number, quantiles, whole
from bnviz.figures.theme import MARKER_SIZE, NAME_SIZE, RUN_WIDTH, TICK_SIZE, symbol_of
from bnviz.figures.words import enumerate_texts
from bnviz.records import Floats, Intervention, Run

LEVELS: Final = 14  # contour lines over the whole scale, about
CASING: Final = 2.5  # px of page colour on both sides of a path
HIGHEST_SHARE: Final = 0.98  # of the plane; the peaks beyond have the darkest colour
LOWEST: Final = 1e-12  # nats, for the logarithm of a loss of 0
NEAR: Final = 0.1  # share of the plane's reach within which two labels would collide

OVERFLOW: Final = "overflow"  # name of the traces that show it


# --- the scale --------------------------------------------------------------------------------------------------------


def log_of(loss: Floats) -> Floats:
    """The decimal logarithm of a loss in nats, NaN where it is not finite."""
    values = np.asarray(loss, np.float64)
    known = np.isfinite(values)
    logs = np.full(values.shape, np.nan, np.float32)
    logs[known] = np.log10(np.maximum(values[known], LOWEST))
    return logs


def log_ends(loss: Floats) -> tuple[float, float]:
    """Ends of the logarithmic colour scale in tenths of decades, shared by all competitors."""
    known = finite(loss)
    known = known[known > 0]
    if not known.size:
        return -1.0, 1.0
    low, high = float(np.log10(known.min())), float(np.log10(quantiles(known, [HIGHEST_SHARE])[0]))
    low, high = float(np.floor(low * 10) / 10), float(np.ceil(high * 10) / 10)
    return low, max(high, low + 0.1)


def scale_ticks(low: float, high: float) -> dict[str, list[Any]]:
    """Round losses on a scale of their logarithms."""
    shown = log_ticks(10**low, 10**high, most=6)
    return {
        "tickvals": [float(np.log10(value)) for value in shown],
        "ticktext": [number(value, 1) for value in shown],
    }


def colour_axis(low: float, high: float) -> dict[str, Any]:
    """The scale of the loss that all planes share."""
    return shared_scale(low, high, "@sequential", scale_ticks(low, high), "nats")


def shared_scale(low: float, high: float, colours: str, ticks: dict[str, list[Any]], unit: str = "") -> dict[str, Any]:
    """A colour scale with its bar at the right of all planes, its unit above it."""
    return {
        "cmin": low,
        "cmax": high,
        "colorscale": colours,
        "colorbar": {
            "x": 1,
            "xpad": 6,
            "len": 1,
            "ypad": 0,
            "thickness": 10,
            "outlinewidth": 0,
            "ticks": "",
            "tickfont": {"size": TICK_SIZE, "color": "@muted"},
            "title": {"text": unit, "side": "top", "font": {"size": TICK_SIZE, "color": "@muted"}},
            **ticks,
        },
    }


def under_planes(name: str, text: str, *, is_right: bool = False) -> dict[str, Any]:
    """A line in the margin under all planes, at the left or at the right: an annotation of this name."""
    return {
        "name": name,
        "text": text,
        "xref": "paper",
        "x": float(is_right),
        "xanchor": "right" if is_right else "left",
        "yref": "paper",
        "y": 0,
        "yanchor": "top",
        "yshift": -22,
        "showarrow": False,
        "font": {"size": NAME_SIZE, "color": "@muted"},
    }


def plane_axis(anchor: str, grid: Floats | None, **more: Any) -> dict[str, Any]:
    """An axis over the plane's coordinates."""
    low, high = (float(grid[0]), float(grid[-1])) if grid is not None and len(grid) else (-1.0, 1.0)
    return {
        "anchor": anchor,
        "autorangeoptions": {"clipmin": low, "clipmax": high},
        "nticks": 4,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "tickfont": {"size": TICK_SIZE, "color": "@muted"},
        **more,
    }


# --- the plane --------------------------------------------------------------------------------------------------------


def plane_traces(
    label: str, alpha: Floats, beta: Floats, loss: Floats, ends: tuple[float, float], axes: dict[str, str]
) -> list[dict[str, Any]]:
    """The contours of one competitor, over a layer that shows where the loss overflows. loss: [g_beta, g_alpha]"""
    loss = np.asarray(loss, np.float64)
    low, high = ends
    traces = overflow_layer(alpha, beta, loss, axes)
    if not np.isfinite(loss).any():
        return traces
    traces.append(
        {
            "type": "contour",
            "name": label,
            "x": alpha,
            "y": beta,
            "z": log_of(loss),
            "customdata": loss,
            "coloraxis": "coloraxis",
            "contours": {
                "start": low,
                "end": high,
                "size": max((high - low) / LEVELS, 1e-6),
                "coloring": "fill",
                "showlines": True,
            },
            "line": {"width": 0.5, "color": "@page/0.7"},
            "connectgaps": False,
            "hoverongaps": False,
            "hovertemplate": "loss %{customdata:.4~g} nats at (%{x:.2f}, %{y:.2f})<extra></extra>",
            **axes,
        }
    )
    return traces


def overflow_layer(alpha: Floats, beta: Floats, loss: Floats, axes: dict[str, str]) -> list[dict[str, Any]]:
    """1 where the loss overflows, and 0 under its finite neighbours, whose contours end short of it."""
    is_over = np.isposinf(loss)
    if not is_over.any():
        return []
    padded = np.pad(is_over, 1)
    near = np.zeros_like(is_over)
    rows, columns = is_over.shape
    for row in range(3):
        for column in range(3):
            near |= padded[row : row + rows, column : column + columns]
    z = np.full(loss.shape, np.nan, np.float32)
    z[near & np.isfinite(loss)] = 0
    z[is_over] = 1
    return [
        {
            "type": "heatmap",
            "name": OVERFLOW,
            "x": alpha,
            "y": beta,
            "z": z,
            "zmin": 0,
            "zmax": 1,
            "colorscale": [[0, "@overflow"], [1, "@overflow"]],
            "showscale": False,
            "hoverongaps": False,
            "hovertemplate": "loss overflows at (%{x:.2f}, %{y:.2f})<extra></extra>",
            **axes,
        }
    ]


def overflow_key(loss: Floats) -> list[dict[str, Any]]:
    """What the colour of an overflow means, under the colour scale: an annotation named "overflow-key"."""
    if not np.isposinf(loss).any():
        return []
    return [
        {
            "name": "overflow-key",
            "text": '<span style="color:@overflow">■</span> overflow',
            "xref": "paper",
            "x": 1,
            "xanchor": "right",
            "xshift": 50,
            "yref": "paper",
            "y": 1,
            "yanchor": "bottom",
            "yshift": 1,
            "showarrow": False,
            "font": {"size": NAME_SIZE, "color": "@text"},
        }
    ]


def overflow_finding(run: Run, loss: Floats) -> str:
    """Such as "finite from 0.15 to 88,000 nats; overflows at 12 points without BN"; empty if nothing does.

    loss: [k, ...]
    """
    points = np.isposinf(loss).reshape(len(loss), -1).sum(axis=1)
    if not points.any():
        return ""
    texts = [whole(count) if count else None for count in points.tolist()]
    told = enumerate_texts(run.competitors, texts, of=" point" if points.sum() == 1 else " points")
    known = finite(loss)
    span = f"finite from {number(float(known.min()))} to {number(float(known.max()))} nats; " if known.size else ""
    return f"{span}overflows at {told}"


# --- the path ---------------------------------------------------------------------------------------------------------


def known_path(path: Floats, steps: Floats) -> tuple[Floats, Floats, Floats]:
    """The points of a path [p, 2] that are known: alpha [p'], beta [p'], steps [p']."""
    known = np.asarray(np.isfinite(path).all(axis=1))
    return path[known, 0], path[known, 1], steps[known]


def path_traces(
    one: Competitor, path: Floats, path_steps: Floats, events: Sequence[Intervention], axes: dict[str, str]
) -> list[dict[str, Any]]:
    """The walk in a casing of the page's colour, an open marker at its start, diamonds where a setting changed."""
    x, y, steps = known_path(path, path_steps)
    if not len(x):
        return []
    colour, base = f"@{one.name}", {"type": "scatter", "x": x, "y": y, "mode": "lines", "name": one.label, **axes}
    casing = base | {"line": {"color": "@page", "width": RUN_WIDTH + 2 * CASING}, "hoverinfo": "skip"}
    walk = base | {
        "line": {"color": colour, "width": RUN_WIDTH},
        "customdata": steps,
        "hovertemplate": "step %{customdata:,.0f}: (%{x:.2f}, %{y:.2f})<extra>" + one.label + "</extra>",
    }
    ends = [(0, symbol_of(one) + "-open", colour), (len(x) - 1, symbol_of(one), colour)]
    shown = [(index, "diamond-open", "@text") for index in event_places(steps, events)] + ends
    return [casing, walk, *(mark(x[i], y[i], symbol, role, axes) for i, symbol, role in shown)]


def event_places(steps: Floats, events: Sequence[Intervention]) -> list[int]:
    """At which points of a path a setting was changed."""
    places = [int(np.searchsorted(steps, event.step)) for event in events if event.step < steps[-1]]
    return [place for place in places if place > 0]


def mark(x: float, y: float, symbol: str, colour: str, axes: dict[str, str]) -> dict[str, Any]:
    """One marker in a casing; the name of an open one ends in "-open"."""
    is_open = symbol.endswith("-open")
    return {
        "type": "scatter",
        "mode": "markers",
        "x": np.array([x]),
        "y": np.array([y]),
        "marker": {
            "symbol": symbol.removesuffix("-open"),
            "size": MARKER_SIZE if symbol != "diamond-open" else MARKER_SIZE - 1,
            "color": "@page" if is_open else colour,
            "line": {"color": colour if is_open else "@page", "width": 2 if is_open else 1.5},
        },
        "hoverinfo": "skip",
        **axes,
    }


def path_labels(path: Floats, alpha: Floats, beta: Floats, panel: int) -> list[dict[str, Any]]:
    """ "start" and "now" beside the ends of a path [p, 2], on the side away from it."""
    path = path[np.isfinite(path).all(axis=1)]
    if not len(path) or not len(alpha):
        return []
    spots = [("now", path[-1], path[0])]
    reach = np.array([np.ptp(alpha), np.ptp(beta)]) / 2
    if (np.abs(path[0] - path[-1]) > reach * NEAR).any():
        spots.append(("start", path[0], path[-1]))
    return [
        plane_label(text, here, panel, is_above=bool(here[1] >= there[1]))
        for text, here, there in spots
        if is_on_plane(here, alpha, beta)
    ]


def is_on_plane(place: Floats, alpha: Floats, beta: Floats) -> bool:
    return bool(alpha[0] <= place[0] <= alpha[-1] and beta[0] <= place[1] <= beta[-1])


def plane_label(text: str, place: Floats, panel: int, *, is_above: bool) -> dict[str, Any]:
    """A word beside a point of a plane: an annotation named "path-label"."""
    return {
        "name": "path-label",
        "text": text,
        "xref": f"x{number_of(panel)}",
        "x": float(place[0]),
        "yref": f"y{number_of(panel)}",
        "y": float(place[1]),
        "xanchor": "center",
        "yanchor": "bottom" if is_above else "top",
        "yshift": 8 if is_above else -8,
        "showarrow": False,
        "bgcolor": "@page/0.8",
        "borderpad": 1,
        "font": {"size": TICK_SIZE, "color": "@text"},
    }
