"""Labels inside a chart: at the ends of lines, pushed apart, and the ghost's, at a free place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bnviz.figures.numbers import whole
from bnviz.figures.theme import MARKER_SIZE, NAME_SIZE, TICK_SIZE, swatch_of, symbol_of, symbol_size
from bnviz.figures.words import health_of
from bnviz.records import Condition, Floats, Run

LINE_HEIGHT: Final = 17  # px, of a label
PLOT_HEIGHT: Final = 234  # px between the margins at the common size of a card; the browser refines the places
LABEL_SHIFT: Final = 14  # px from the end of a line to its label

GRID: Final = (24, 48)  # rows and columns in which a free place is sought
GHOST_ROWS: Final = 3
GHOST_COLUMNS_A_CHARACTER: Final = 0.78  # at a plot 400 px wide


@dataclass(frozen=True)
class EndLabel:
    """What stands at the end of a line: at height `place` in [0, 1] of the plot, `y` in the axis's own terms."""

    text: str
    x: float
    y: float
    place: float
    lines: int = 2


def end_text(run: Run, k: int, value: str) -> tuple[str, int]:
    """A value in bold over its competitor's name, or how the competitor ended; and the number of lines."""
    name = f"{swatch_of(run.competitors[k])} {run.competitors[k].label}"
    health = health_of(run, k)
    if health.condition is Condition.DIVERGED:
        step = "" if health.since_step is None else f"<br>at step {whole(health.since_step)}"
        return f"<b>× diverged</b>{step}<br>{name}", 3 if step else 2
    text = f'<span style="font-size:1.23em"><b>{value}</b></span><br>{name}'
    if health.condition is Condition.STALLED:
        return f'{text}<br><span style="color:@muted">stalled</span>', 3
    return text, 2


def end_labels(labels: Sequence[EndLabel], panel: str = "") -> list[dict[str, Any]]:
    """Annotations named "end-label", at the data and pushed apart by `yshift`."""
    heights = [label.lines * LINE_HEIGHT for label in labels]
    wanted = [label.place * PLOT_HEIGHT for label in labels]
    return [
        {
            "name": "end-label",
            "text": label.text,
            "xref": f"x{panel}",
            "x": label.x,
            "xanchor": "left",
            "xshift": LABEL_SHIFT,
            "yref": f"y{panel}",
            "y": label.y,
            "yanchor": "middle",
            "yshift": round(centre - want),
            "align": "left",
            "showarrow": False,
            "font": {"size": NAME_SIZE, "color": "@text"},
        }
        for label, centre, want in zip(labels, spread(wanted, heights), wanted, strict=True)
    ]


def spread(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Centres nearest to those wanted (least squares) at which labels of these heights do not overlap."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    blocks: list[tuple[list[int], float]] = []  # labels that touch, from below, and where the lowest one begins
    for index in order:
        members, start = [index], wanted[index] - heights[index] / 2
        while blocks and blocks[-1][1] + sum(heights[i] for i in blocks[-1][0]) > start:
            members = blocks.pop()[0] + members
            offset, starts = 0.0, []
            for i in members:
                starts.append(wanted[i] - heights[i] / 2 - offset)
                offset += heights[i]
            start = sum(starts) / len(starts)
        blocks.append((members, start))
    centres = [0.0] * len(wanted)
    for members, start in blocks:
        for index in members:
            centres[index] = start + heights[index] / 2
            start += heights[index]
    return centres


def stop_label(run: Run, k: int, x: float | None = None) -> dict[str, Any]:
    """In the panel of a diverged competitor, the step at which it ends: an annotation named "stop-label"."""
    numbered = "" if k == 0 else str(k + 1)
    step = health_of(run, k).since_step
    across = {"xref": f"x{numbered} domain", "x": 0.5} if x is None else {"xref": f"x{numbered}", "x": x}
    return {
        "name": "stop-label",
        "text": "<b>× diverged</b>" + ("" if step is None else f"<br>at step {whole(step)}"),
        "xanchor": "center" if x is None else "left",
        "xshift": 0 if x is None else 5,
        "yref": f"y{numbered} domain",
        "y": 0.5,
        "align": "left",
        "showarrow": False,
        "font": {"size": TICK_SIZE, "color": "@text"},
        **across,
    }


def end_marker(run: Run, k: int, x: float, y: float, **more: Any) -> dict[str, Any]:
    """The competitor's shape at the end of its line; a cross where it diverged."""
    is_failed = health_of(run, k).condition is Condition.DIVERGED
    colour = f"@{run.competitors[k].name}"
    outline = {"color": colour if is_failed else "@page", "width": 0 if is_failed else 1.5}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": run.competitors[k].label,
        "x": [x],
        "y": [y],
        "marker": {
            "symbol": "x" if is_failed else symbol_of(run.competitors[k]),
            "size": MARKER_SIZE if is_failed else symbol_size(run.competitors[k], MARKER_SIZE + 1),
            "color": colour,
            "line": outline,
        },
        "cliponaxis": False,
        "hoverinfo": "skip",
        **more,
    }


# --- the ghost's label ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curve:
    """A line in the unit square of its plot: x [m], y [m]; NaN where it has a gap."""

    x: Floats
    y: Floats


def ghost_label(
    text: str,
    ghosts: Sequence[tuple[str, Curve]],
    others: Sequence[Curve],
    events: Sequence[float] = (),
    *,
    panel: str = "",
) -> list[dict[str, Any]]:
    """The name of the earlier run at a free place near one of its lines: an annotation named "ghost-label".

    `ghosts` are the colour and curve of each of its lines, `others` the curves and `events` the vertical lines to keep
    clear of; a text such as "earlier run, lr 0.1" becomes "earlier, lr 0.1" where there is no room for it.
    """
    ghosts = [(colour, curve) for colour, curve in ghosts if np.isfinite(curve.y).any()]
    if not ghosts:
        return []
    taken = _taken([curve for _, curve in ghosts] + list(others))
    taken[:, [min(int(x * GRID[1]), GRID[1] - 1) for x in events]] = True
    short = text.replace("earlier run", "earlier")
    for shown in dict.fromkeys((text, short)):
        place = _free_place(taken, round((len(shown) + 3) * GHOST_COLUMNS_A_CHARACTER), ghosts, shown == short)
        if place is not None:
            x, y, colour = place
            return [_ghost_annotation(shown, colour, x, y, panel)]
    return []


def _ghost_annotation(text: str, colour: str, x: float, y: float, panel: str) -> dict[str, Any]:
    return {
        "name": "ghost-label",
        "text": f'<span style="color:{colour}">—</span> {text}',
        "xref": f"x{panel} domain",
        "x": x,
        "yref": f"y{panel} domain",
        "y": y,
        "xanchor": "center",
        "yanchor": "middle",
        "showarrow": False,
        "font": {"size": TICK_SIZE, "color": "@muted"},
    }


def _taken(curves: Sequence[Curve]) -> NDArray[np.bool_]:
    """Which cells of the plot a line crosses. [rows x columns]"""
    rows, columns = GRID
    taken = np.zeros(GRID, bool)
    edges = np.linspace(0, 1, 4 * columns + 1)
    row = np.arange(rows)[:, None]
    for curve in curves:
        if len(curve.x) < 2:
            continue
        heights = np.interp(edges, curve.x, curve.y, left=np.nan, right=np.nan) * rows
        spans = np.lib.stride_tricks.sliding_window_view(np.nan_to_num(heights, nan=-9.0), 5)[::4]
        taken |= (row + 1 >= spans.min(1)) & (row <= spans.max(1)) & (spans.min(1) > -9)
    return taken


def _free_place(
    taken: NDArray[np.bool_], width: int, ghosts: Sequence[tuple[str, Curve]], is_last_try: bool
) -> tuple[float, float, str] | None:
    """Centre (in shares of the plot) of the free box nearest to a ghost's line, and that line's colour."""
    rows, columns = GRID
    width = min(width, columns)
    total = np.pad(taken.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    height = GHOST_ROWS
    crossed = total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    x = (np.arange(crossed.shape[1]) + width / 2) / columns
    y = (np.arange(crossed.shape[0]) + height / 2) / rows
    if crossed.min() > 0 and not is_last_try:
        return None
    best: tuple[float, float, float, str] | None = None
    for colour, curve in ghosts:
        line = np.interp(x, curve.x, curve.y)
        cost = 100 * crossed + np.abs(y[:, None] - line[None, :]) + 0.3 * np.abs(x - 0.6)[None, :]
        cost = np.where(np.isfinite(cost), cost, np.inf)
        row, column = np.unravel_index(int(np.argmin(cost)), cost.shape)
        found = (float(cost[row, column]), float(x[column]), float(y[row]), colour)
        best = found if best is None or found[0] < best[0] else best
    return None if best is None or not np.isfinite(best[0]) else best[1:]
