"""Two test errors of the same network side by side, network by network and condition by condition.

Shapes as in `records.trials`.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import Competitor, View
from bnviz.figures.chart import Words, base_axis, domains, number_of, panel_heading
from bnviz.figures.theme import MARKER_SIZE, Spec, swatch_of, symbol_of, symbol_size
from bnviz.figures.trials_parts import (
    PERCENT,
    at_inference,
    error_of,
    median,
    progress,
    rough,
    rows_axis,
    trials_chart,
    waiting,
)
from bnviz.figures.untrained_parts import Scale
from bnviz.figures.words import enumerate_texts, joined
from bnviz.records import Floats, Run, Trials

GAP: Final = 0.05
MARGIN: Final = {"l": 132, "r": 24, "t": 44, "b": 28}
SCALE: Final = Scale(1, 100)
_TICKS: Final = {"tickvals": [1, 3, 10, 30, 100], "ticktext": ["1", "3", "10", "30", "100 %"]}
TITLE: Final = "Test error with running statistics and with the batch’s own"
HOLLOW: Final = "running statistics, as at inference"
FULL: Final = "statistics of each 1,000 test images"


def trials_gap(run: Run, view: View) -> Spec:
    """A hollow and a full shape for each network, in a panel a condition."""
    trials, name = run.trials, "trials-gap"
    how = f"Share classified wrongly at the end of each run: hollow, {HOLLOW}; full, {FULL}."
    if trials is None:
        return waiting(run, name, TITLE, how)
    accuracies = [median(one, axis=2) for one in (at_inference(trials), trials.batch_accuracy)]
    pairs = error_of(np.stack(accuracies))  # [2, k, x]
    competitors, conditions = trials.config.competitors, trials.config.conditions
    names = [f"{one.label} {swatch_of(one)}" for one in competitors]
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for x, domain in enumerate(domains(len(conditions), GAP)):
        panel = number_of(x)
        for k, one in enumerate(competitors):
            data += _pair(one, len(competitors) - 1 - k, pairs[:, k, x], panel)
        annotations.append(panel_heading(x, conditions[x].label))
        axes[f"xaxis{panel}"] = base_axis(
            f"y{panel}", SCALE.low, SCALE.high, domain=domain, type="log", showspikes=False, **_TICKS,
            **({"matches": "x"} if x else {}),
        )  # fmt: skip
        axes[f"yaxis{panel}"] = rows_axis(names, panel, x)
    finding = f"Hollow: {HOLLOW}. Full: {FULL}. {trials.config.steps:,} steps, {progress(trials)}."
    words = Words(TITLE, finding, _alt(trials, pairs / PERCENT), how)
    return trials_chart(
        run, name, words, data, axes,
        annotations=annotations,
        margin=MARGIN,
        hovermode="closest",
        x="error",
    )  # fmt: skip


def _pair(one: Competitor, row: int, pair: Floats, panel: str) -> list[dict[str, Any]]:
    """The line between the two, then the hollow and the full shape. pair: [2]"""
    if not np.isfinite(pair).any():
        return []
    colour, where = f"@{one.name}", {"xaxis": f"x{panel}", "yaxis": f"y{panel}"}
    shape = {"symbol": symbol_of(one), "size": symbol_size(one, MARKER_SIZE + 1)}
    common = {"type": "scatter", "name": one.label, "cliponaxis": False, **where}
    hover = "%{x:.1f} %"
    return [
        common
        | {"mode": "lines", "x": pair, "y": np.full(2, float(row)), "line": {"color": colour, "width": 2}}
        | {"hoverinfo": "skip"},
        common
        | {"mode": "markers", "x": pair[1:], "y": np.array([float(row)]), "marker": shape | {"color": colour}}
        | {"hovertemplate": hover},
        common
        | {"mode": "markers", "x": pair[:1], "y": np.array([float(row)]), "hovertemplate": hover}
        | {"marker": shape | {"color": "@page", "line": {"color": colour, "width": 2}}},
    ]


def _alt(trials: Trials, pairs: Floats) -> str:
    """pairs: [2, k, x], shares."""
    parts = [f"{TITLE}."]
    for x, condition in enumerate(trials.config.conditions):
        texts = [
            f"{rough(pair[0])} ({HOLLOW}) and {rough(pair[1])} ({FULL})" if np.isfinite(pair).all() else None
            for pair in pairs[:, :, x].T
        ]
        if told := enumerate_texts(trials.config.competitors, texts):
            parts.append(f"{condition.label}: {told}.")
    return joined(*parts)
