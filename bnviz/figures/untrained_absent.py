"""Untrained networks: what is not there, because it overflows or is still to come, in marks and words.

Shapes: k = the twins, n = layers.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bnviz.config import TWINS
from bnviz.figures.chart import MARGIN, clear_note
from bnviz.figures.theme import EVENT_WIDTH, TICK_SIZE, swatch_of
from bnviz.figures.timeline import INSIDE
from bnviz.figures.untrained_parts import PAD, WAITING, compact, depth_ticks
from bnviz.figures.words import has_data, joined
from bnviz.records import Floats, Untrained

ROW: Final = 17  # px, of the words above a plot
EDGE: Final = 8  # px, from those words to the card's edge


def overflow_text(untrained: Untrained, k: int) -> str:
    """Such as "without BN overflows from layer 38"; empty if it does not."""
    layer = int(untrained.overflow_layer[k])
    if not layer:
        return ""
    where = "in the output layer" if layer > untrained.config.depth else f"from layer {layer}"
    return f"{TWINS[k].label} overflows {where}"


def absence(untrained: Untrained, values: Floats, k: int) -> str:
    """Why a network lacks some or all values: it overflows, or, once all is measured, they are not finite. [k, ...]"""
    is_missing = untrained.done >= 1 and not has_data(values[k])
    return overflow_text(untrained, k) or (f"{TWINS[k].label}: not finite" if is_missing else "")


def absence_labels(
    untrained: Untrained,
    values: Floats,
    *,
    last: int = 0,
    panel: str = "",
    networks: Sequence[int] = (0, 1),
    more: str = "",
) -> list[dict[str, Any]]:
    """The same in words above a plot, a row each: annotations named "overflow".

    With `last`, the last layer on the axis, they stand at the line that marks where the overflow begins; there is room
    for that above a chart of one panel only.
    """
    told = [(k, text) for k in networks if (text := absence(untrained, values, k))]
    return [
        _where(untrained, k, last, panel)
        | {
            "name": "overflow",
            "text": f"{swatch_of(TWINS[k])} {text}{more if untrained.overflow_layer[k] else ''}",
            "yref": f"y{panel} domain",
            "y": 1,
            "yanchor": "bottom",
            "yshift": 1 + ROW * row,
            "showarrow": False,
            "font": {"size": TICK_SIZE, "color": "@text"},
        }
        for row, (k, text) in enumerate(told)
    ]


def _where(untrained: Untrained, k: int, last: int, panel: str) -> dict[str, Any]:
    """From the overflow's line on, up to the card's edge where it is in the right half; at the left without a line."""
    if not last or not untrained.overflow_layer[k]:
        return {"xref": f"x{panel} domain", "x": 0, "xanchor": "left"}
    x = _overflow_x(untrained, k, last)
    if x > last / 2:
        return {"xref": "paper", "x": 1, "xanchor": "right", "xshift": MARGIN["r"] - EDGE}
    return {"xref": f"x{panel}", "x": x * INSIDE, "xanchor": "left"}


def headroom(labels: Sequence[dict[str, Any]]) -> int:
    """How many px those words take above the plots, beside whatever else stands there."""
    return max((int(label["yshift"]) - 1 + ROW for label in labels if label["name"] == "overflow"), default=0)


def raised(heading: dict[str, Any], above: int) -> dict[str, Any]:
    """A panel's heading, above those words."""
    return heading | {"yshift": heading["yshift"] + above}


def margin_with(above: int, *, has_headings: bool) -> dict[str, int]:
    """The margin that leaves room for those words."""
    return MARGIN | {"t": MARGIN["t"] + above if has_headings else max(MARGIN["t"], above + 5)}


def overflow_lines(untrained: Untrained, last: int, panels: Sequence[tuple[str, Sequence[int]]]) -> list[Any]:
    """A thin line in a network's colour at the layer where it overflows: shapes named "overflow".

    `panels` are, for each, its axes' number and the networks that it shows; `last` is the last layer on the axis.
    """
    return [
        {
            "type": "line",
            "name": "overflow",
            "xref": f"x{panel}",
            "x0": _overflow_x(untrained, k, last),
            "x1": _overflow_x(untrained, k, last),
            "yref": f"y{panel} domain",
            "y0": 0,
            "y1": 1,
            "line": {"color": f"@{TWINS[k].name}", "width": EVENT_WIDTH},
        }
        for panel, networks in panels
        for k in networks
        if untrained.overflow_layer[k]
    ]


def _overflow_x(untrained: Untrained, k: int, last: int) -> float:
    return min(float(untrained.overflow_layer[k]), last + PAD)


def waiting_notes(untrained: Untrained, values: Floats) -> list[dict[str, Any]]:
    """That this chart's own numbers are still to come. values: [k, ...]"""
    return [] if untrained.done >= 1 or has_data(values) else [clear_note(WAITING)]


# --- what is said -----------------------------------------------------------------------------------------------------


def finding(untrained: Untrained, *told: str) -> str:
    """What is told of those that have values, and which of them overflows."""
    return "; ".join(text for text in (*told, *[overflow_text(untrained, k) for k in range(len(TWINS))]) if text)


def over_depth(untrained: Untrained, title: str, values: Floats, *, unit: str = "") -> str:
    """The text alternative: values at a few layers, and what is missing. values: [k, n]"""
    parts = [_series(untrained, k, values, unit) for k in range(len(TWINS))]
    return joined(
        f"{title}. {'; '.join(part for part in parts if part) or 'Nothing measured yet'}.", progress(untrained)
    )


def _series(untrained: Untrained, k: int, values: Floats, unit: str) -> str:
    shown = [layer for layer in depth_ticks(1, values.shape[1], 5) if np.isfinite(values[k, layer - 1])]
    if not shown:
        return absence(untrained, values, k)
    each = ", ".join(
        f"{compact(float(values[k, layer - 1]))}{unit} at "
        f"{'the output layer' if layer > untrained.config.depth else f'layer {layer}'}"
        for layer in shown
    )
    overflow = overflow_text(untrained, k)
    return f"{TWINS[k].label} {each}{f', and {overflow}' if overflow else ''}"


def progress(untrained: Untrained) -> str:
    return "" if untrained.done >= 1 else f"{100 * untrained.done:.0f} per cent of the work is done."
