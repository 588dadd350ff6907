"""Landscape plane: the loss of every competitor on one plane, as contours or as a surface that turns."""

from typing import Any, Final

import numpy as np

from bnviz.config import Directions, View
from bnviz.figures import landscape_surface
from bnviz.figures.chart import MARGIN, Words, chart, heading, note, number_of
from bnviz.figures.labels import stop_label
from bnviz.figures.landscape import shares
from bnviz.figures.landscape_parts import (
    POINT_NAMES,
    absent_note,
    batch_text,
    directions_text,
    drawn,
    known_grid,
    of_batch,
    panels,
    points_text,
    problem_text,
    progress,
    shown_batch,
    statistics_text,
    with_batch_choice,
    wrapped_note,
    zero_units_text,
)
from bnviz.figures.numbers import whole
from bnviz.figures.planes import (
    colour_axis,
    is_on_plane,
    log_ends,
    overflow_finding,
    overflow_key,
    path_labels,
    path_traces,
    plane_axis,
    plane_label,
    plane_traces,
    under_planes,
)
from bnviz.figures.theme import MARKER_SIZE, Spec
from bnviz.figures.words import compare, has_data, is_diverged
from bnviz.records import Floats, Landscape, Run

TITLE: Final = "Loss landscape, a 2-D slice"
AXES: Final = "norms of the weights"
PLANE_MARGIN: Final = MARGIN | {"l": 34, "r": 56, "b": 44}
NEAR: Final = 0.06  # share of the plane within which "start" and "now" give way to A, B and C


def landscape(run: Run, view: View) -> Spec:
    """The loss around the weights of every competitor: same directions, batch and scale, and each one's path."""
    now = drawn(run)
    batch = shown_batch(now, view) if now else 0
    shown = of_batch(now.loss, batch) if now else np.empty((0, 0, 0))
    words = Words(
        TITLE,
        _finding(run, now, shown, batch, view.is_surface),
        _alt(run, now, shown, batch),
        _how(run, now),
    )
    if now is not None and view.is_surface and has_data(shown):
        spec = landscape_surface.surfaces(run, now, shown, words, shows=_shows(now))
    else:
        spec = _contours(run, now, shown, words)
    return with_batch_choice(spec, now)


def _contours(run: Run, now: Landscape | None, shown: Floats, words: Words) -> Spec:
    data: list[dict[str, Any]] = []
    annotations = [heading(run, k, k) for k in range(len(run.competitors))]
    scale: dict[str, Any] = {}
    lines: list[list[Any]] = []
    if now is None or not has_data(now.loss):
        annotations.append(absent_note(run))
    else:
        ends = log_ends(now.loss)  # of all batches: from one to the next only the surface changes
        scale = {"coloraxis": colour_axis(*ends)}
        annotations += [under_planes("axes-name", f"both axes: {AXES}", is_right=True), *overflow_key(shown)]
        if not has_data(shown):
            annotations.append(wrapped_note("This batch is still to come."))
        for k, one in enumerate(run.competitors):
            axes = {"xaxis": f"x{number_of(k)}", "yaxis": f"y{number_of(k)}"}
            data += plane_traces(one.label, *known_grid(now, shown[k]), ends, axes)
            walk = path_traces(one, now.path[k], now.path_steps, run.interventions, axes)
            if walk:
                lines.append([len(data) + 1, one.name])
            data += walk
            annotations += _labels(now, k)
            data += _points(now, axes)
            if is_diverged(run, k) and not has_data(shown[k]):
                annotations.append(stop_label(run, k))
            elif now.done == 1 and np.isnan(shown[k]).all():
                place = {"xref": f"x{number_of(k)} domain", "yref": f"y{number_of(k)} domain"}
                annotations.append(note("about to overflow") | place)
    spec = chart(
        run, "landscape", words, data, _axes(run, now, bool(data)),
        annotations=annotations,
        margin=PLANE_MARGIN,
        hovermode="closest",
        x=AXES,
        shows=_shows(now),
        **scale,
    )  # fmt: skip
    spec["layout"]["meta"]["cursor"] = {"kind": "path", "lines": lines}
    return spec


def _shows(now: Landscape | None) -> str:
    return f"{now.directions}-{now.config.span}" if now else ""


def _axes(run: Run, now: Landscape | None, has_numbers: bool) -> dict[str, Any]:
    axes: dict[str, Any] = {}
    for k, place in enumerate(panels(run)):
        numbered = number_of(k)
        for letter, other in (("x", "y"), ("y", "x")):
            shared = {"matches": letter} if k else {}
            grid = None if now is None else now.alpha if letter == "x" else now.beta
            axes[f"{letter}axis{numbered}"] = plane_axis(f"{other}{numbered}", grid, **shared)
        axes[f"xaxis{numbered}"] |= {"domain": place.across, "showticklabels": place.is_lowest and has_numbers}
        axes[f"yaxis{numbered}"] |= {"domain": place.up, "showticklabels": place.is_first and has_numbers}
    return axes


# --- A, B and C -------------------------------------------------------------------------------------------------------


def named_points(now: Landscape) -> list[tuple[str, Floats]]:
    """A, B and C with their coordinates, on a plane that was laid through them."""
    if now.directions is not Directions.POINTS:
        return []
    return [(name, place) for name, place in zip(POINT_NAMES, now.points, strict=True) if np.isfinite(place).all()]


def _points(now: Landscape, axes: dict[str, str]) -> list[dict[str, Any]]:
    points = named_points(now)
    if not points:
        return []
    places = np.array([place for _, place in points])
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "points",
            "x": places[:, 0],
            "y": places[:, 1],
            "text": [name for name, _ in points],
            "marker": {
                "symbol": "cross-thin",
                "size": MARKER_SIZE + 3,
                "line": {"color": "@text", "width": 2},
            },
            "hovertemplate": "%{text} (%{x:.2f}, %{y:.2f})<extra></extra>",
            **axes,
        }
    ]


def _labels(now: Landscape, k: int) -> list[dict[str, Any]]:
    """ "start" and "now" at the ends of the path; where A, B or C is there, its name instead."""
    points = named_points(now)
    path = path_labels(now.path[k], now.alpha, now.beta, k)
    if not points:
        return path
    reach = np.array([np.ptp(now.alpha), np.ptp(now.beta)])
    places = np.array([place for _, place in points])
    free = [one for one in path if (np.abs(places - [one["x"], one["y"]]) > NEAR * reach).any(axis=1).all()]
    middle = places.mean(axis=0)
    named = [
        plane_label(f"<b>{name}</b>", place, k, is_above=bool(place[1] >= middle[1]))
        for name, place in points
        if is_on_plane(place, now.alpha, now.beta)
    ]
    return free + named


# --- what is said -----------------------------------------------------------------------------------------------------


def _finding(run: Run, now: Landscape | None, shown: Floats, batch: int, is_surface: bool) -> str:
    if now is None:
        return ""
    held = shares(run, now.share)
    over = overflow_finding(run, shown)
    parts = [
        progress(now),
        f"step {whole(now.step)}, {directions_text(now)}",
        statistics_text(now),
        batch_text(now, batch),
        f"{over}, left out here" if over and is_surface else over,
        zero_units_text(run, now),
        f"plane holds {held}" if held else "",
    ]
    return "; ".join(part for part in parts if part)


def _alt(run: Run, now: Landscape | None, shown: Floats, batch: int) -> str:
    title = "Loss on a plane through the weights, a two-dimensional slice"
    if now is None:
        return f"{title}: {problem_text(run) or 'not measured yet.'}"
    if not has_data(shown):
        return f"{title}, at step {whole(now.step)}: no finite value yet."
    lowest = [float(np.min(one, where=np.isfinite(one), initial=np.inf)) for one in shown]
    highest = [float(np.max(one, where=np.isfinite(one), initial=-np.inf)) for one in shown]
    held = shares(run, now.share)
    parts = [
        f"{title}, at step {whole(now.step)}, in nats, {batch_text(now, batch)}",
        f"lowest {compare(run.competitors, lowest)}; highest {compare(run.competitors, highest)}",
        f"The plane holds {held}" if held else "",
        points_text(run, now.config) if now.directions is Directions.POINTS else "",
    ]
    return ". ".join(part for part in parts if part) + "."


def _how(run: Run, now: Landscape | None) -> str:
    if now is None:
        return "Loss on fixed batches of training images, on a grid over a plane through the weights."
    count = now.loss.shape[1]
    batches = "a fixed batch" if count == 1 else f"{count} fixed batches"
    if now.directions is Directions.POINTS:
        moves = f"all parameters differ from point to point: {points_text(run, now.config)}"
    else:
        moves = "γ, β and biases stay as they are"
    return (
        f"Loss on {batches} of {whole(now.images)} training images at {len(now.alpha)} × {len(now.beta)} points "
        f"{directions_text(now)}; {statistics_text(now)}; {moves}."
    )
