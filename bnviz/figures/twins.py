"""Twins: one panel a competitor, side by side on shared axes over time; more than three in two rows."""

from typing import Any, Final

import numpy as np

from bnviz.config import PROBE_IMAGES
from bnviz.figures.chart import domains, number_of, value_axis
from bnviz.figures.labels import stop_label
from bnviz.figures.timeline import Timeline, time_axis
from bnviz.figures.words import is_diverged
from bnviz.records import Run

MOST_IN_A_ROW: Final = 3
ROW_GAP: Final = 0.14  # share of the plot between two rows: the names of the lower panels fit into it at 184 px
WHOLE: Final = [0.0, 1.0]
EMPTY_RANGE: Final = (-2.0, 2.0)
HOW: Final = "at the input to the nonlinearity, on {}."


def probe_text(run: Run) -> str:
    """What the layers are measured on."""
    images = f"{PROBE_IMAGES} held-out images"
    if run.settings.model.is_convolutional:
        return f"{images}, at one position of each, always the same, with the statistics of all positions"
    return f"{images}, with the statistics of that batch"


def how(run: Run) -> str:
    return HOW.format(probe_text(run))


def twin_axes(time: Timeline, count: int, low: float, high: float, **more: Any) -> dict[str, Any]:
    """Panels side by side on one shared axis; zooming one zooms all."""
    axes: dict[str, Any] = {}
    for panel, (across, up) in enumerate(_places(count)):
        number = number_of(panel)
        shared_x: dict[str, Any] = {"matches": "x"} if panel else {}
        shared_y: dict[str, Any] = {"matches": "y"} if panel else {}
        if up[0] > 0:  # an upper row has its numbers at the foot of the lower one
            shared_x["showticklabels"] = False
        if across[0] > 0:
            shared_y["showticklabels"] = False
        if up != WHOLE:
            shared_y |= {"domain": up, "nticks": 4}
        axes[f"xaxis{number}"] = time_axis(time, f"y{number}", domain=across, **({"nticks": 4} | shared_x))
        axes[f"yaxis{number}"] = value_axis(f"x{number}", low, high, **(more | shared_y))
    return axes


def _places(count: int) -> list[tuple[list[float], list[float]]]:
    """The shares of the plot's width and height that each panel takes, row by row."""
    if count <= MOST_IN_A_ROW:
        return [(across, WHOLE) for across in domains(count)]
    columns = domains((count + 1) // 2)
    half = (1 - ROW_GAP) / 2
    return [(across, up) for up in ([1 - half, 1.0], [0.0, half]) for across in columns][:count]


def stop_labels(run: Run, time: Timeline, k: int) -> list[dict[str, Any]]:
    """Where a diverged competitor's panel ends."""
    if not is_diverged(run, k):
        return []
    known = np.flatnonzero(np.isfinite(run.history.net_displacement[:, k]).any(axis=1))
    return [stop_label(run, k, float(time.x[k][known[-1]]) if known.size else None)]
