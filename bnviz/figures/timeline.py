"""The axis over time: steps, images seen or each network's own compute seconds; the marks of interventions on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bnviz.config import Axis, View
from bnviz.figures.chart import base_axis
from bnviz.figures.numbers import nice_at_least, setting_value
from bnviz.figures.theme import EVENT_WIDTH, TICK_SIZE
from bnviz.records import Floats, Intervention, Run

UNITS: Final = {Axis.STEPS: "steps", Axis.IMAGES: "images", Axis.COMPUTE: "seconds"}
HOVER_TITLES: Final = {
    Axis.STEPS: "step %{x:,.0f}",
    Axis.IMAGES: "%{x:,.0f} images seen",
    Axis.COMPUTE: "%{x:.3f} s of own compute",
}
SHORT_NAMES: Final = {
    "learning_rate": "lr",
    "batch_size": "batch",
    "momentum": "momentum",
    "weight_decay": "decay",
    "bn_momentum": "BN momentum",
    "noise_mean": "n_μ",
    "noise_scale": "n_σ",
    "noise_mean_spread": "r_μ",
    "noise_scale_spread": "r_σ",
    "dropout": "dropout p",
}
MERGED_SHARE: Final = 0.04  # changes of one setting this near each other (as a share of the axis) get one label
CHARACTER_SHARE: Final = 0.028  # width of a label's character as a share of the axis, on a phone
INSIDE: Final = 1 - 1e-9  # Plotly hides an annotation that rounding, on a logarithmic axis, puts beyond the end
GHOST_ROOM: Final = 1.25  # how much of a longer ghost is shown ahead of the run


@dataclass(frozen=True)
class Timeline:
    """Where each point of a run lies on the axis over time.

    Attributes:
        step: [m].
        x: [k, m] per competitor; one array for all of them unless they are compared by their own compute time.
        end: the right end of the axis.
        ghost_x: [k, m'] of the ghost, if there is one.
    """

    axis: Axis
    step: Floats
    x: tuple[Floats, ...]
    end: float
    ghost_x: tuple[Floats, ...] = ()

    def at(self, k: int, step: float) -> float:
        """Where a step lies for competitor number k."""
        return float(np.interp(step, self.step, self.x[k])) if len(self.step) else 0.0


def timeline(run: Run, view: View, has_ghost: bool = False) -> Timeline:
    """The axis that this view asks for; a ghost longer than the run is followed in steps of 1, 2, 5 × 10^n."""
    axis = view.axis
    if axis is Axis.COMPUTE and not run.history.compute_seconds.any():
        axis = Axis.STEPS  # nobody held a clock to this run
    x = _positions(run.history, axis, len(run.competitors))
    end = max((float(one[-1]) for one in x if len(one)), default=0.0)
    if run.ghost is None or not has_ghost:
        return Timeline(axis, run.history.step, x, end)
    ghost_x = _positions(run.ghost, axis, len(run.competitors))
    ghost_end = max((float(one[-1]) for one in ghost_x if len(one)), default=0.0)
    if ghost_end > end:
        start = 50.0 / max(float(run.ghost.step[-1]), 50.0) * ghost_end
        end = min(ghost_end, nice_at_least(max(GHOST_ROOM * end, start)))
    return Timeline(axis, run.history.step, x, end, ghost_x)


def _positions(source: Any, axis: Axis, competitors: int) -> tuple[Floats, ...]:
    """Of a history or a ghost; a competitor that has stopped stays where it was. [k][m]"""
    if axis is Axis.COMPUTE:
        seconds = np.maximum.accumulate(np.nan_to_num(source.compute_seconds), axis=0)
        return tuple(np.ascontiguousarray(seconds[:, k]) for k in range(competitors))
    return (source.images if axis is Axis.IMAGES else source.step,) * competitors


def time_axis(time: Timeline, anchor: str, **more: Any) -> dict[str, Any]:
    """A Plotly x axis over time. Its range stays automatic, so that a zoom survives updates."""
    end = time.end if time.end > 0 else 1.0
    whole_ticks = {"dtick": 1} if time.axis is not Axis.COMPUTE and time.end <= 5 else {"nticks": 6}
    title = {"text": HOVER_TITLES[time.axis]}
    usual = {"tickformat": ",.12~g", "unifiedhovertitle": title}
    return base_axis(anchor, 0.0, end, **(usual | whole_ticks | more))


def unit_label(time: Timeline) -> dict[str, Any]:
    """What time is measured in, beside the last tick."""
    return axis_unit(UNITS[time.axis])


def axis_unit(text: str) -> dict[str, Any]:
    """The unit of an x axis beside its last tick: an annotation named "x-unit"."""
    return {
        "name": "x-unit",
        "text": text,
        "xref": "paper",
        "x": 1,
        "xanchor": "left",
        "xshift": 24,
        "yref": "paper",
        "y": 0,
        "yanchor": "top",
        "yshift": -6,
        "showarrow": False,
        "font": {"size": TICK_SIZE, "color": "@muted"},
    }


# --- interventions ----------------------------------------------------------------------------------------------------


def event_lines(run: Run, time: Timeline, axes: Sequence[tuple[str, Sequence[int]]]) -> list[dict[str, Any]]:
    """A dashed line at every intervention: shapes named "intervention".

    `axes` are, for each plot, its axes' number ("", "2", …) and the competitors that it shows.
    """
    return [
        {
            "type": "line",
            "name": "intervention",
            "xref": f"x{number}",
            "x0": x,
            "x1": x,
            "yref": f"y{number} domain",
            "y0": 0,
            "y1": 1,
            "line": {"color": colour, "width": EVENT_WIDTH, "dash": "4px,3px"},
        }
        for number, competitors in axes
        for one in run.interventions
        for x, colour in _lines_of(run, time, one, competitors)
    ]


def _lines_of(run: Run, time: Timeline, one: Intervention, competitors: Sequence[int]) -> list[tuple[float, str]]:
    """Position and colour: over compute time each competitor reached the step at its own moment."""
    if time.axis is Axis.COMPUTE and len(competitors) > 1:
        return [(time.at(k, one.step), f"@{run.competitors[k].name}") for k in competitors]
    return [(time.at(competitors[0], one.step), "@muted")]


def event_shares(run: Run, time: Timeline) -> list[float]:
    """Where the interventions lie, as shares of the axis."""
    return [time.at(0, one.step) / (time.end or 1.0) for one in run.interventions]


def event_labels(run: Run, time: Timeline) -> list[dict[str, Any]]:
    """What was changed, above the first plot: annotations named "intervention", the newest where they would collide."""
    labels: list[dict[str, Any]] = []
    free_until = float("inf")
    for x, text in reversed(_merged(run, time)):
        half = len(text) * CHARACTER_SHARE / 2
        if x + half > free_until:
            continue
        free_until = x - half
        labels.append(
            {
                "name": "intervention",
                "text": text,
                "xref": "x",
                "x": x * time.end * INSIDE,
                "xanchor": "left" if x < 0.1 else "right" if x > 0.85 else "center",
                "yref": "paper",
                "y": 1,
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"size": TICK_SIZE, "color": "@muted"},
            }
        )
    return labels[::-1]


def _merged(run: Run, time: Timeline) -> list[tuple[float, str]]:
    """(share of the axis, text) of each label: successive changes of one setting close together read as one."""
    groups: list[list[tuple[float, Intervention]]] = []
    for one, x in zip(run.interventions, event_shares(run, time), strict=True):
        last = groups[-1][-1] if groups else None
        if last is not None and last[1].name == one.name and x - last[0] < MERGED_SHARE:
            groups[-1].append((x, one))
        else:
            groups.append([(x, one)])
    return [(group[-1][0], _change(group[0][1], group[-1][1])) for group in groups]


def _change(first: Intervention, last: Intervention) -> str:
    return f"{SHORT_NAMES[first.name]} {setting_value(first.old)} → {setting_value(last.new)}"


def cursor(time: Timeline, lines: Sequence[tuple[int, int, str]]) -> dict[str, Any]:
    """How the browser finds the place of a step in this chart, and the step of a place: its meta's "cursor".

    `lines` are the traces that have a dot there: (number of the trace, of its competitor, role of its colour).
    """
    found: dict[str, Any] = {"kind": "time", "lines": [[trace, role, k] for trace, k, role in lines]}
    if time.axis is Axis.STEPS:
        return found
    return found | {"steps": time.step, "x": list(time.x) if time.axis is Axis.COMPUTE else [time.x[0]]}


def reached(values: Floats, x: Floats, is_reached: Any) -> float | None:
    """The first position at which a series satisfies a condition, None if it never does."""
    known = np.flatnonzero(is_reached(values))
    return float(x[known[0]]) if known.size else None
