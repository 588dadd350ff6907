"""Twins: one panel a competitor, side by side on shared axes over time."""

from typing import Any, Final

import numpy as np

from bnviz.figures.chart import domains, number_of, value_axis
from bnviz.figures.labels import stop_label
from bnviz.figures.timeline import Timeline, time_axis
from bnviz.figures.words import is_diverged
from bnviz.records import Run

EMPTY_RANGE: Final = (-2.0, 2.0)
HOW: Final = "at the input to the nonlinearity, on 512 held-out images; BN with the statistics of that batch."


def twin_axes(time: Timeline, count: int, low: float, high: float, **more: Any) -> dict[str, Any]:
    """Panels side by side on one shared axis; zooming one zooms all."""
    axes: dict[str, Any] = {}
    for panel, domain in enumerate(domains(count)):
        number = number_of(panel)
        shared = {"matches": "x"} if panel else {}
        axes[f"xaxis{number}"] = time_axis(time, f"y{number}", domain=domain, nticks=4, **shared)
        twin = {"matches": "y", "showticklabels": False} if panel else {}
        axes[f"yaxis{number}"] = value_axis(f"x{number}", low, high, **more, **twin)
    return axes


def stop_labels(run: Run, time: Timeline, k: int) -> list[dict[str, Any]]:
    """Where a diverged competitor's panel ends."""
    if not is_diverged(run, k):
        return []
    known = np.flatnonzero(np.isfinite(run.history.net_displacement[:, k]).any(axis=1))
    return [stop_label(run, k, float(time.x[k][known[-1]]) if known.size else None)]
