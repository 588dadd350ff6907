"""Gradient bins: which of the kept steps is shown, its histograms, and the axis they stand on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bnviz.config import NEWEST, View
from bnviz.figures.chart import base_axis, domains, margin_note
from bnviz.figures.numbers import MINUS, number
from bnviz.figures.theme import TICK_SIZE, Spec, swatch_of
from bnviz.figures.words import is_diverged
from bnviz.records import STANDARDISED_EDGES, Floats, Gradients, Run

HOW: Final = "Gradient of the loss on 128 held-out images, all weights of a layer, with the statistics of that batch."
NOT_YET: Final = "The gradients are not measured yet."
EMPTY: Final = 0.5  # what stands for a count of 0 on a logarithmic axis, below its lower end
LOWEST: Final = 0.7
SHARES_A_DECADE: Final = 8  # the axis grows in steps of a third, not with every record
MOST_MEDIANS: Final = 5.0  # how far an axis over many steps goes for one of them
TICKS: Final = (8, 6, 5, 4, 3, 2, 1.5, 1, 0.8)  # closer than 1, 2, 5: no tick stands near the middle
MOST_IN_A_ROW: Final = 3
WHOLE: Final = [0.0, 1.0]
ROWS: Final = {1: [WHOLE], 2: [[0.57, 1.0], [0.0, 0.43]]}  # shares of the plot's height
NARROW: Final = 0.25  # share of the plot's width
RESTS: Final = 2  # bins of nothing that are drawn beside those that hold something


def shown_step(run: Run, view: View) -> Gradients | None:
    """The newest record, or the nearest one to the step that this view asks for."""
    if not run.gradients or view.step < 0:
        return run.gradients_now
    return min(run.gradients, key=lambda one: abs(one.step - view.step))


def with_scrubber(spec: Spec, run: Run, view: View) -> Spec:
    """The same chart with what the browser's slider under it goes through: the kept steps, and which one is shown."""
    now = shown_step(run, view)
    if now is not None:
        spec["layout"]["meta"]["scrub"] = {
            "field": "step",
            "label": "Step",
            "values": [one.step for one in run.gradients],
            "value": now.step,
            "newest": NEWEST,
        }
    return spec


def counts_of(gradients: Gradients, view: View) -> Floats:
    """[k, w, b]"""
    return gradients.standardised_counts if view.is_gradient_standardised else gradients.counts


def edges_of(gradients: Gradients, index: int, view: View) -> Floats:
    """Of the bins of weight matrix number `index`. [b + 1]"""
    edges: Floats = STANDARDISED_EDGES if view.is_gradient_standardised else gradients.edges[index]
    return edges


def has_bins(gradients: Gradients, index: int, view: View) -> bool:
    """Whether anything finite was counted."""
    return bool(np.isfinite(edges_of(gradients, index, view)).all() and counts_of(gradients, view)[:, index].any())


def reach_of(gradients: Gradients, index: int, view: View) -> float:
    """The outermost edge of a bin that holds something; 0 if none does."""
    if not has_bins(gradients, index, view):
        return 0.0
    edges = edges_of(gradients, index, view)
    full = np.flatnonzero((counts_of(gradients, view)[:, index] > 0).any(axis=0))
    return float(max(abs(edges[full[0]]), abs(edges[full[-1] + 1])))


def shared_reach(reaches: Sequence[float]) -> float:
    """One axis for all of them, in steps of a third, so that it seldom changes."""
    known = [one for one in reaches if one > 0]
    if not known:
        return 1.0
    reach = min(max(known), MOST_MEDIANS * float(np.median(known)))
    return math.pow(10.0, math.ceil(SHARES_A_DECADE * math.log10(reach) - 1e-9) / SHARES_A_DECADE)


def highest_count(most: float) -> float:
    """The upper end of a logarithmic axis of counts, in quarters of a decade."""
    return math.pow(10.0, math.ceil(math.log10(max(most, 10.0)) * 4) / 4)


def rebinned(counts: Floats, edges: Floats, new_edges: Floats) -> Floats:
    """The counts in other bins, as if each were spread evenly over its own. [b], [b + 1], [n + 1] -> [n]"""
    below = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
    result: Floats = np.diff(np.interp(new_edges, edges, below))
    return result


def filled_part(counts: Floats) -> slice:
    """The bins from the first to the last that holds anything worth drawing, with a little rest on both sides."""
    full = np.flatnonzero(counts >= EMPTY)
    if not full.size:
        return slice(0, 0)
    return slice(max(int(full[0]) - RESTS, 0), int(full[-1]) + 1 + RESTS)


@dataclass(frozen=True)
class Place:
    """Where a panel stands: its shares of the plot's width and height, and whether the axes' numbers stand at it."""

    across: list[float]
    up: list[float]
    is_first: bool
    is_lowest: bool


def places(panels: int, gaps: Mapping[int, float]) -> list[Place]:
    """Up to three panels side by side, more in two rows. gaps: share of the width between two of so many columns."""
    rows = [panels] if panels <= MOST_IN_A_ROW else [-(-panels // 2), panels // 2]
    columns = domains(rows[0], gaps.get(rows[0], min(gaps.values())))
    return [
        Place(across, up, column == 0, row == len(rows) - 1 or column >= rows[-1])
        for row, (count, up) in enumerate(zip(rows, ROWS[len(rows)], strict=True))
        for column, across in enumerate(columns[:count])
    ]


def gradient_axis(anchor: str, place: Place, reach: float, **more: Any) -> dict[str, Any]:
    """An x axis symmetric about 0 with three ticks, so that a narrow panel keeps its scale.

    In a very narrow one the middle tick has no number.
    """
    tick = _tick(0.8 * reach)
    digits = 2 if f"{tick:e}"[2] != "0" else 1  # of 1.5
    is_narrow = place.across[1] - place.across[0] < NARROW
    return base_axis(
        anchor,
        -reach,
        reach,
        domain=place.across,
        showticklabels=place.is_lowest,
        tickvals=[-tick, 0, tick],
        ticktext=[number(-tick, digits), "" if is_narrow else "0", number(tick, digits)],
        hoverformat=".3~g",
        **more,
    )


def _tick(most: float) -> float:
    """The largest of `TICKS` × 10^n that is not above a positive value."""
    power = math.pow(10.0, math.floor(math.log10(most)))
    return next(tick * power for tick in TICKS if tick * power <= most * (1 + 1e-9))


def size(value: float) -> str:
    """A number of two digits, such as 0.00080: sizes orders apart are read beside each other."""
    if not 1e-4 <= abs(value) < 0.1:
        return number(value)
    exponent = int(f"{value:.1e}".split("e")[1])
    return f"{value:.{1 - exponent}f}".replace("-", MINUS)


def unit_of(view: View) -> str:
    """What is on the x axis."""
    return "standard deviations" if view.is_gradient_standardised else "gradient"


def unit_note(view: View) -> dict[str, Any]:
    """The unit beside the last tick of the x axis: an annotation named "x-unit"."""
    text = "std. dev." if view.is_gradient_standardised else "gradient"
    return margin_note(text, 0.0) | {
        "name": "x-unit",
        "yshift": -6,
        "font": {"size": TICK_SIZE, "color": "@muted"},
    }


def names(run: Run) -> dict[str, Any]:
    """Whose outline is whose, and who has none any more, in the margin."""
    return margin_note("<br>".join(_name(run, k) for k in range(len(run.competitors))))


def _name(run: Run, k: int) -> str:
    one = run.competitors[k]
    end = '<br><span style="color:@muted">× diverged</span>' if is_diverged(run, k) else ""
    return f"{swatch_of(one)} {one.label}{end}"
