"""Landscape batches: how much the loss on the plane changes from one mini-batch to the next.

Shapes: k = competitors, s = batches, n = points of the grid.
"""

from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bnviz.config import MEAN, View
from bnviz.figures.chart import Words, chart, heading, number_of
from bnviz.figures.landscape_parts import (
    absent_note,
    batches_of,
    drawn,
    known_grid,
    panels,
    progress,
    shown_batch,
    wrapped_note,
)
from bnviz.figures.landscape_plane import AXES, PLANE_MARGIN
from bnviz.figures.numbers import NO_BREAK, finite, nice_at_least, number, percent, quantiles, whole
from bnviz.figures.planes import overflow_layer, plane_axis, shared_scale, under_planes
from bnviz.figures.theme import Spec
from bnviz.figures.words import enumerate_texts
from bnviz.records import Floats, Landscape, Run

WORST: Final = 0.1  # share of the plane that is called its worst
REACH_SHARE: Final = 0.98  # of the plane; beyond, the change has the scale's last colour
LEAST_REACH: Final = 0.01  # a change of 1 % of the loss
ONE_BATCH: Final = "One batch has one surface: choose 2, 4 or 8 batches to see how much it moves."


def landscape_batches(run: Run, view: View) -> Spec:
    """The change of the loss from the shown batch to the next one; for the mean, the spread over all batches."""
    now = drawn(run)
    data: list[dict[str, Any]] = []
    annotations = [heading(run, k, k) for k in range(len(run.competitors))]
    more: dict[str, Any] = {}
    batch = shown_batch(now, view) if now else 0
    grid = _grid(now) if now else None
    if grid is None or now is None:
        is_single = now is not None and batches_of(now) < 2
        annotations.append(wrapped_note(ONE_BATCH) if is_single else absent_note(run))
    else:
        alpha, beta, losses = grid
        change = spread_of(losses) if batch == MEAN else change_of(losses, batch)
        reach = _reach(change)
        more = {"coloraxis": _scale(reach, batch)}
        for k in range(len(run.competitors)):
            axes = {"xaxis": f"x{number_of(k)}", "yaxis": f"y{number_of(k)}"}
            data += _panel(run, k, alpha, beta, losses[k], change[k], batch, axes)
        annotations += _key(batch)
    words = Words(_title(batch, now), _finding(run, now, grid, batch), _alt(run, now, grid, batch), _how(now, batch))
    return chart(
        run, "landscape-batches", words, data, _axes(run, now, bool(data)),
        annotations=annotations,
        margin=PLANE_MARGIN,
        hovermode="closest",
        x=AXES,
        shows=f"{now.directions}-{now.config.span}" if now else "",
        **more,
    )  # fmt: skip


def _grid(now: Landscape) -> tuple[Floats, Floats, Floats] | None:
    """alpha, beta and loss [k, s, g_beta, g_alpha] on the finest grid where all batches of all networks are known."""
    if batches_of(now) < 2:
        return None
    alpha, beta, losses = known_grid(now, now.loss.reshape(-1, *now.loss.shape[2:]))
    losses = losses.reshape(*now.loss.shape[:2], len(beta), len(alpha))
    return None if np.isnan(losses).any() or not np.isfinite(losses).any() else (alpha, beta, losses)


# --- what is computed -------------------------------------------------------------------------------------------------


def following(losses: Floats, batch: int) -> int:
    """The batch after this one; after the last comes the first. losses: [k, s, ...]"""
    return (batch + 1) % int(losses.shape[1])


def change_of(losses: Floats, batch: int) -> Floats:
    """(L_next − L) ÷ their mean; NaN where one of them overflows. [k, s, ...] to [k, ...]"""
    finite_ones = np.where(np.isfinite(losses), losses, np.nan)
    here, there = finite_ones[:, batch], finite_ones[:, following(losses, batch)]
    return _divided(there - here, (there + here) / 2)


def spread_of(losses: Floats) -> Floats:
    """Standard deviation over the batches ÷ their mean; NaN where one of them overflows. [k, s, ...] to [k, ...]"""
    finite_ones = np.where(np.isfinite(losses), losses, np.nan)
    return _divided(finite_ones.std(axis=1), finite_ones.mean(axis=1))


def typical_difference(losses: Floats) -> Floats:
    """Mean of |L_i − L_j| over all pairs of batches ÷ their mean loss. [k, s, ...] to [k, ...]"""
    finite_ones = np.where(np.isfinite(losses), losses, np.nan)
    pairs = combinations(range(losses.shape[1]), 2)
    differences = np.mean([np.abs(finite_ones[:, i] - finite_ones[:, j]) for i, j in pairs], axis=0)
    return _divided(differences, finite_ones.mean(axis=1))


def _divided(values: Floats, by: Floats) -> Floats:
    result: Floats = values / np.where(by > 0, by, np.nan)
    return result


def is_worst(loss: Floats) -> NDArray[np.bool_]:
    """The worst tenth of some points, or all that overflow where those are more. [...]"""
    count = max(round(WORST * loss.size), 1)
    return np.asarray(loss >= np.sort(loss, axis=None)[-count])


def still_worst(losses: Floats, batch: int) -> Floats:
    """Of the worst tenth of the points on a batch, the share that is so on the next one too. [k, s, ...] to [k]"""
    shares = []
    for loss in losses:
        here, there = is_worst(loss[batch]), is_worst(loss[(batch + 1) % len(loss)])
        shares.append(float((here & there).sum() / here.sum()))
    return np.array(shares)


def difference_now(now: Landscape) -> Floats:
    """`typical_difference` at the present weights: at the end of the cut, or else nearest on the plane. [k]"""
    if len(now.cut_alpha):
        at_now = now.cut_loss[0][..., int(np.argmin(np.abs(now.cut_alpha - 1)))]  # [k, s]
        if np.isfinite(at_now).all():
            return typical_difference(at_now)
    here = now.path[:, -1] if now.path.shape[1] else np.zeros((len(now.loss), 2))
    here = np.where(np.isfinite(here), here, 0)
    near = [
        one[:, int(np.argmin(np.abs(now.beta - y))), int(np.argmin(np.abs(now.alpha - x)))]
        for one, (x, y) in zip(now.loss, here, strict=True)
    ]
    return typical_difference(np.array(near))


# --- what is drawn ----------------------------------------------------------------------------------------------------


def _reach(change: Floats) -> float:
    known = finite(np.abs(change))
    return nice_at_least(max(quantiles(known, [REACH_SHARE])[0], LEAST_REACH)) if known.size else LEAST_REACH


def _scale(reach: float, batch: int) -> dict[str, Any]:
    low = 0.0 if batch == MEAN else -reach
    values = [low, (low + reach) / 2, reach] if batch == MEAN else [-reach, -reach / 2, 0, reach / 2, reach]
    texts = [f"{'+' if value > 0 > low else ''}{number(100 * value)}{NO_BREAK}%" for value in values]
    ticks: dict[str, list[Any]] = {"tickvals": values, "ticktext": texts}
    return shared_scale(low, reach, "@sequential" if batch == MEAN else "@diverging", ticks)


def _panel(
    run: Run, k: int, alpha: Floats, beta: Floats, losses: Floats, change: Floats, batch: int, axes: dict[str, str]
) -> list[dict[str, Any]]:
    """The map of one competitor; over it the outline of the worst tenth on this batch, and on the next one dashed."""
    traces = overflow_layer(alpha, beta, np.where(np.isfinite(losses).all(axis=0), 0, np.inf), axes)
    traces.append(
        {
            "type": "heatmap",
            "name": run.competitors[k].label,
            "x": alpha,
            "y": beta,
            "z": change.astype(np.float32),
            "zsmooth": "best",
            "coloraxis": "coloraxis",
            "hoverongaps": False,
            "hovertemplate": "%{z:+.1%} at (%{x:.2f}, %{y:.2f})<extra></extra>"
            if batch != MEAN
            else "%{z:.1%} at (%{x:.2f}, %{y:.2f})<extra></extra>",
            **axes,
        }
    )
    if batch != MEAN:
        traces.append(_outline("worst tenth", alpha, beta, losses[batch], "solid", axes))
        next_one = losses[(batch + 1) % len(losses)]
        traces.append(_outline("worst tenth on the next batch", alpha, beta, next_one, "4px,3px", axes))
    return traces


def _outline(name: str, alpha: Floats, beta: Floats, loss: Floats, dash: str, axes: dict[str, str]) -> dict[str, Any]:
    """A line around the worst tenth of a surface."""
    return {
        "type": "contour",
        "name": name,
        "x": alpha,
        "y": beta,
        "z": is_worst(loss).astype(np.float32),
        "contours": {"start": 0.5, "end": 0.5, "size": 1, "coloring": "none"},
        "line": {"color": "@text", "width": 1.25, "dash": dash, "smoothing": 0},
        "showscale": False,
        "hoverinfo": "skip",
        **axes,
    }


def _key(batch: int) -> list[dict[str, Any]]:
    """What the outlines are."""
    return [] if batch == MEAN else [under_planes("outlines", "outline: worst tenth; dashed: next batch")]


def _axes(run: Run, now: Landscape | None, has_numbers: bool) -> dict[str, Any]:
    axes: dict[str, Any] = {}
    for k, place in enumerate(panels(run)):
        numbered = number_of(k)
        shared_x, shared_y = ({"matches": "x"}, {"matches": "y"}) if k else ({}, {})
        axes[f"xaxis{numbered}"] = plane_axis(
            f"y{numbered}", now.alpha if now else None,
            domain=place.across, showticklabels=place.is_lowest and has_numbers, **shared_x,
        )  # fmt: skip
        axes[f"yaxis{numbered}"] = plane_axis(
            f"x{numbered}",
            now.beta if now else None,
            domain=place.up,
            showticklabels=place.is_first and has_numbers,
            **shared_y,
        )
    return axes


# --- what is said -----------------------------------------------------------------------------------------------------


def _title(batch: int, now: Landscape | None) -> str:
    if now is None or batches_of(now) < 2:
        return "From batch to batch"
    if batch == MEAN:
        return "Spread over the batches"
    return f"From batch {batch + 1} to batch {(batch + 1) % batches_of(now) + 1}"


def _finding(run: Run, now: Landscape | None, grid: tuple[Floats, Floats, Floats] | None, batch: int) -> str:
    if now is None or grid is None or now.done < 1:
        return "" if now is None else progress(now)
    losses = grid[2]
    over_plane = [_median(one) for one in typical_difference(losses)]
    at_now, everywhere = _shares(run, difference_now(now)), _shares(run, np.array(over_plane))
    kept = still_worst(losses, max(batch, 0))
    following_one = (max(batch, 0) + 1) % batches_of(now) + 1
    parts = [
        f"of the worst tenth {_shares(run, kept)} still worst on batch {following_one}",
        f"over the plane two batches differ by {everywhere}" if everywhere else "",
        f"at the present weights by {at_now}" if at_now else "",
    ]
    return "; ".join(part for part in parts if part)


def _median(values: Floats) -> float:
    known = finite(values)
    return float(np.median(known)) if known.size else float("nan")


def _shares(run: Run, values: Floats) -> str:
    """Such as "12 % without BN, 8 % with it"."""
    texts = [_share(float(value)) if np.isfinite(value) else None for value in values]
    return enumerate_texts(run.competitors, texts)


def _share(value: float) -> str:
    return percent(value, 1 if value < 0.1 else 0)


def _alt(run: Run, now: Landscape | None, grid: tuple[Floats, Floats, Floats] | None, batch: int) -> str:
    title = "How much the loss on the plane changes from batch to batch"
    if now is None or grid is None:
        return f"{title}: nothing to compare yet."
    return f"{title}, at step {whole(now.step)}, {batches_of(now)} batches: {_finding(run, now, grid, batch)}."


def _how(now: Landscape | None, batch: int) -> str:
    what = (
        "Standard deviation of the loss over the batches, divided by their mean"
        if batch == MEAN
        else "Loss on the next batch minus loss on this one, divided by their mean"
    )
    images = "" if now is None else f" of {whole(now.images)} training images"
    return f"{what}, at each point of the plane; batches{images} that share none; BN as on the plane."
