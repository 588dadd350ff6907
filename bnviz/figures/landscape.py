"""Landscape: the loss on a plane through the current weights, with the path walked so far."""

from typing import Any, Final

import numpy as np

from bnviz.config import Directions, View
from bnviz.figures.chart import MARGIN, Words, chart, domains, heading, note, number_of
from bnviz.figures.labels import stop_label
from bnviz.figures.numbers import NO_BREAK, finite, log_ticks, number, percent, quantiles, whole
from bnviz.figures.theme import MARKER_SIZE, RUN_WIDTH, TICK_SIZE, Spec, symbol_of
from bnviz.figures.words import compare, enumerate_texts, has_data, is_diverged
from bnviz.records import Contour, Floats, Run

LEVELS: Final = 14  # contour lines over the whole scale, about
CASING: Final = 2.5  # px of page colour on both sides of a path
HIGHEST_SHARE: Final = 0.98  # of the plane; the peaks beyond have the darkest colour
GAP: Final = 0.09


def loss_contour(run: Run, view: View) -> Spec:
    """The loss around the weights of every competitor: same directions, same scale, and each one's path."""
    contour, count = run.contour, len(run.competitors)
    data: list[dict[str, Any]] = []
    annotations = [heading(run, k, k) for k in range(count)]
    scale: dict[str, Any] = {}
    if contour is None:
        annotations.append(note("Measured a moment after Play, and when the run pauses."))
    else:
        low, high = _log_ends(contour.loss)
        scale = {"coloraxis": _colour_axis(low, high)}
        for k in range(count):
            axes = {"xaxis": f"x{number_of(k)}", "yaxis": f"y{number_of(k)}"}
            data += [*_plane(run, contour, k, low, high, axes), *_path(run, contour, k, axes)]
            annotations += _path_labels(contour, k)
            if is_diverged(run, k) and not has_data(contour.loss[k]):
                annotations.append(stop_label(run, k))
    words = Words("Loss around the weights", _finding(run, contour), _alt(run, contour), _how(contour))
    return chart(
        run, "loss-contour", words, data, _axes(run, contour),
        annotations=annotations,
        margin=MARGIN | {"l": 34, "r": 56},
        hovermode="closest",
        x="filter norms",
        shows=str(contour.directions) if contour else "",
        **scale,
    )  # fmt: skip


def _plane(run: Run, contour: Contour, k: int, low: float, high: float, axes: dict[str, str]) -> list[dict[str, Any]]:
    """The contours of one competitor, and crosses where the loss overflows."""
    loss = np.asarray(contour.loss[k], np.float64)
    known = np.isfinite(loss)
    log_loss = np.full(loss.shape, np.nan, np.float32)
    log_loss[known] = np.log10(np.maximum(loss[known], 1e-12))
    size = max((high - low) / LEVELS, 1e-6)
    plane = {
        "type": "contour",
        "name": run.competitors[k].label,
        "x": contour.alpha,
        "y": contour.beta,
        "z": log_loss,
        "customdata": loss,
        "coloraxis": "coloraxis",
        "contours": {"start": low, "end": high, "size": size, "coloring": "fill", "showlines": True},
        "line": {"width": 0.5, "color": "@page/0.7"},
        "connectgaps": False,
        "hovertemplate": "loss %{customdata:.4~g} nats at (%{x:.2f}, %{y:.2f})<extra></extra>",
        **axes,
    }
    traces = [plane] if known.any() else []
    rows, columns = np.nonzero(np.isinf(loss))
    if rows.size:
        traces.append(_overflow(contour.alpha[columns], contour.beta[rows], axes))
    return traces


def _overflow(x: Floats, y: Floats, axes: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "not finite",
        "x": x,
        "y": y,
        "marker": {"symbol": "x-thin", "size": 4, "line": {"color": "@muted", "width": 1}},
        "hovertemplate": "loss not finite at (%{x:.2f}, %{y:.2f})<extra></extra>",
        **axes,
    }


def _path(run: Run, contour: Contour, k: int, axes: dict[str, str]) -> list[dict[str, Any]]:
    """The walk in a casing of the page's colour, an open marker at its start, diamonds where a setting changed."""
    path = contour.path[k]
    known = np.isfinite(path).all(axis=1)
    if not known.any():
        return []
    x, y, steps = path[known, 0], path[known, 1], contour.path_steps[known]
    one = run.competitors[k]
    colour, base = f"@{one.name}", {"type": "scatter", "x": x, "y": y, "mode": "lines", "name": one.label, **axes}
    casing = base | {"line": {"color": "@page", "width": RUN_WIDTH + 2 * CASING}, "hoverinfo": "skip"}
    walk = base | {
        "line": {"color": colour, "width": RUN_WIDTH},
        "customdata": steps,
        "hovertemplate": "step %{customdata:,.0f}: (%{x:.2f}, %{y:.2f})<extra>" + one.label + "</extra>",
    }
    marks = [int(np.searchsorted(steps, event.step)) for event in run.interventions if event.step < steps[-1]]
    marks = [index for index in marks if index > 0]
    ends = [(0, symbol_of(one) + "-open", colour), (len(x) - 1, symbol_of(one), colour)]
    shown = [(index, "diamond-open", "@text") for index in marks] + ends
    return [casing, walk, *(_mark(x[i], y[i], symbol, role, axes) for i, symbol, role in shown)]


def _mark(x: float, y: float, symbol: str, colour: str, axes: dict[str, str]) -> dict[str, Any]:
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


def _path_labels(contour: Contour, k: int) -> list[dict[str, Any]]:
    """ "start" and "now" beside the ends of the path, on the side away from it."""
    path = contour.path[k][np.isfinite(contour.path[k]).all(axis=1)]
    reach = float(np.abs(contour.alpha).max()), float(np.abs(contour.beta).max())
    if not len(path):
        return []
    spots = [("now", path[-1], path[0])]
    if (np.abs(path[0] - path[-1]) > np.array(reach) * 0.1).any():
        spots.append(("start", path[0], path[-1]))
    return [_path_label(text, here, here[1] - there[1], k) for text, here, there in spots if _is_inside(here, reach)]


def _is_inside(place: Floats, reach: tuple[float, float]) -> bool:
    return bool(abs(place[0]) <= reach[0] and abs(place[1]) <= reach[1])


def _path_label(text: str, place: Floats, above: float, k: int) -> dict[str, Any]:
    is_above = above >= 0
    return {
        "name": "path-label",
        "text": text,
        "xref": f"x{number_of(k)}",
        "x": float(place[0]),
        "yref": f"y{number_of(k)}",
        "y": float(place[1]),
        "xanchor": "center",
        "yanchor": "bottom" if is_above else "top",
        "yshift": 8 if is_above else -8,
        "showarrow": False,
        "bgcolor": "@page/0.8",
        "borderpad": 1,
        "font": {"size": TICK_SIZE, "color": "@text"},
    }


def _log_ends(loss: Floats) -> tuple[float, float]:
    """Ends of the colour scale in log10 nats, in tenths, shared by all competitors."""
    known = finite(loss)
    known = known[known > 0]
    if not known.size:
        return -1.0, 1.0
    low, high = float(np.log10(known.min())), float(np.log10(quantiles(known, [HIGHEST_SHARE])[0]))
    low, high = float(np.floor(low * 10) / 10), float(np.ceil(high * 10) / 10)
    return low, max(high, low + 0.1)


def _colour_axis(low: float, high: float) -> dict[str, Any]:
    shown = log_ticks(10**low, 10**high, most=6)
    return {
        "cmin": low,
        "cmax": high,
        "colorscale": "@sequential",
        "colorbar": {
            "x": 1,
            "xpad": 6,
            "len": 1,
            "ypad": 0,
            "thickness": 10,
            "outlinewidth": 0,
            "tickvals": [float(np.log10(value)) for value in shown],
            "ticktext": [number(value, 1) for value in shown],
            "ticks": "",
            "tickfont": {"size": TICK_SIZE, "color": "@muted"},
        },
    }


def _axes(run: Run, contour: Contour | None) -> dict[str, Any]:
    axes: dict[str, Any] = {}
    for k, domain in enumerate(domains(len(run.competitors), GAP)):
        numbered = number_of(k)
        for letter, other in (("x", "y"), ("y", "x")):
            shared = {"matches": letter} if k else {}
            grid = None if contour is None else contour.alpha if letter == "x" else contour.beta
            axes[f"{letter}axis{numbered}"] = _plane_axis(f"{other}{numbered}", grid) | shared
        axes[f"xaxis{numbered}"]["domain"] = domain
        axes[f"yaxis{numbered}"]["showticklabels"] = k == 0
    return axes


def _plane_axis(anchor: str, grid: Floats | None) -> dict[str, Any]:
    low, high = (-1.0, 1.0) if grid is None else (float(grid[0]), float(grid[-1]))
    return {
        "anchor": anchor,
        "autorangeoptions": {"clipmin": low, "clipmax": high},
        "nticks": 4,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "tickfont": {"size": TICK_SIZE, "color": "@muted"},
    }


# --- what is said -----------------------------------------------------------------------------------------------------


def _shares(run: Run, contour: Contour) -> str:
    """Such as "90 % of the path without BN, 88 % with it"."""
    texts = [_share(float(share)) if np.isfinite(share) else None for share in contour.share]
    return enumerate_texts(run.competitors, texts, of=" of the path")


def _share(share: float) -> str:
    return percent(share, 0) if share >= 0.1 or share == 0 else f"{number(100 * share, 1)}{NO_BREAK}%"


def _finding(run: Run, contour: Contour | None) -> str:
    if contour is None:
        return ""
    held = _shares(run, contour)
    return f"at step {whole(contour.step)}, batch statistics" + (f"; plane holds {held}" if held else "")


def _alt(run: Run, contour: Contour | None) -> str:
    if contour is None:
        return "Loss on a plane through the weights: not measured yet."
    if not has_data(contour.loss):
        return f"Loss on a plane through the weights at step {whole(contour.step)}: no finite value yet."
    lowest = [float(np.min(one, where=np.isfinite(one), initial=np.inf)) for one in contour.loss]
    highest = [float(np.max(one, where=np.isfinite(one), initial=-np.inf)) for one in contour.loss]
    return (
        f"Loss in nats on a plane through the weights at step {whole(contour.step)}: "
        f"lowest {compare(run.competitors, lowest)}; highest {compare(run.competitors, highest)}. "
        f"The plane holds {_shares(run, contour)}."
    )


def _how(contour: Contour | None) -> str:
    images = "a fixed batch" if contour is None else f"one fixed batch of {whole(contour.images)} training images"
    is_random = contour is not None and contour.directions is Directions.RANDOM
    directions = (
        "random filter-normalised directions" if is_random else "the two leading directions of both paths together"
    )
    return f"Loss on {images}, BN with that batch's statistics, along {directions}; γ, β and biases stay as they are."
