"""The frame of every chart: layout, panels, axes, lines, and what is said about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bnviz.figures.theme import FONT, HEADING_SIZE, NAME_SIZE, RUN_WIDTH, TICK_SIZE, Spec, swatch_of
from bnviz.records import Floats, Run

MARGIN: Final = {"l": 44, "r": 98, "t": 22, "b": 26}  # px; on the right there is room for labels at the lines' ends
NAME_FITS: Final = 12  # characters of a competitor's name for which this room is enough
CHARACTER: Final = 7  # px that each further one needs
AXIS_ENDS: Final = "axis-ends"  # traces that nobody sees, which keep axes as long as they are to be
PANEL_GAP: Final = 0.19  # share of the plot between two panels: labels fit into it at 340 px


@dataclass(frozen=True)
class Words:
    """What is said about a chart.

    Attributes:
        title: what it shows.
        finding: one sentence computed from the run; empty before there are data.
        alt: the text alternative, with the numbers.
        how: how it is measured, in one line.
    """

    title: str
    finding: str
    alt: str
    how: str


def chart(
    run: Run,
    name: str,
    words: Words,
    data: Sequence[Mapping[str, Any]],
    axes: Mapping[str, Mapping[str, Any]],
    *,
    annotations: Sequence[Mapping[str, Any]] = (),
    shapes: Sequence[Mapping[str, Any]] = (),
    margin: Mapping[str, int] = MARGIN,
    hovermode: str = "x unified",
    x: str = "",
    time_axes: Sequence[str] = (),
    shows: str = "",
    key: str = "",
    meta: Mapping[str, Any] | None = None,
    **layout: Any,
) -> Spec:
    """A spec out of its parts.

    `axes` are layout's, by name, such as "xaxis2"; `x` is what is on the x axes; `time_axes` names those that run over
    time, which the browser may switch to a logarithmic scale. As long as `shows`, what the visitor has chosen to see,
    stays the same, a zoom is kept. `key` names the competitors where the chart itself has no room for it: on the page
    its neighbours do, an export shows it. `meta` is what else the browser is to know.
    """
    told = {
        "chart": name,
        "finding": words.finding,
        "alt": words.alt,
        "how": words.how,
        "badge": str(run.badge),
        "x": x,
        "time_axes": list(time_axes),
        "key": key,
        **(meta or {}),
    }
    return {
        "data": [*data, *_ends_of(axes)],
        "layout": {
            "title": {"text": words.title},
            "meta": told,
            "margin": _with_room_for_names(margin, run),
            "paper_bgcolor": "@page",
            "plot_bgcolor": "@page",
            "font": {"family": FONT, "size": TICK_SIZE, "color": "@text"},
            "hovermode": hovermode,
            "hoverlabel": {
                "bgcolor": "@page",
                "bordercolor": "@rule",
                "font": {"family": FONT, "size": TICK_SIZE, "color": "@text"},
            },
            "dragmode": "zoom",
            "showlegend": False,
            "uirevision": f"{run.run_id}-{run.status.generation}{f'-{shows}' if shows else ''}",
            **axes,
            "annotations": list(annotations),
            "shapes": list(shapes),
            **layout,
        },
    }


def _with_room_for_names(margin: Mapping[str, int], run: Run) -> dict[str, int]:
    """The common margin, wider where a competitor's name is longer than most; any other as it is."""
    longest = max((len(one.label) for one in run.competitors), default=0)
    more = CHARACTER * max(longest - NAME_FITS, 0) if margin["r"] == MARGIN["r"] else 0
    return {**margin, "r": margin["r"] + more}


def _ends_of(axes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A trace that nobody sees in each panel, at the ends of its axes: Plotly drops axes that have none."""
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": AXIS_ENDS,
            "x": _ends(axes[f"xaxis{axis['anchor'][1:]}"]),
            "y": _ends(axis),
            "xaxis": axis["anchor"],
            "yaxis": name.replace("axis", ""),
            "marker": {"opacity": 0, "size": 1},
            "hoverinfo": "skip",
        }
        for name, axis in axes.items()
        if name.startswith("y")
    ]


def _ends(axis: Mapping[str, Any]) -> list[float]:
    """Where an axis begins and ends."""
    return list(axis["autorangeoptions"].values())


def number_of(panel: int) -> str:
    """The suffix that Plotly gives the axes of a panel, counted from 0: "", "2", "3" …"""
    return "" if panel == 0 else str(panel + 1)


def domains(panels: int, gap: float = PANEL_GAP) -> list[list[float]]:
    """The share of the plot's width that each panel takes, side by side."""
    width = (1 - gap * (panels - 1)) / panels
    return [[panel * (width + gap), min(panel * (width + gap) + width, 1.0)] for panel in range(panels)]


def base_axis(anchor: str, low: float, high: float, **more: Any) -> dict[str, Any]:
    """A Plotly x axis that shows [low, high] exactly until it is zoomed: see `value_axis`."""
    return {
        "anchor": anchor,
        "autorangeoptions": {"clipmin": low, "clipmax": high},
        "showgrid": False,
        "zeroline": False,
        "showline": True,
        "linecolor": "@axis",
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": "@axis",
        "tickangle": 0,
        "tickfont": {"size": TICK_SIZE, "color": "@muted"},
        "ticklabeloverflow": "allow",  # else every draw measures every label: a fifth of its time
        # Plotly's own hover line is dashed and would look like an intervention.
        "showspikes": True,
        "spikemode": "across",
        "spikedash": "solid",
        "spikethickness": 1,
        "spikecolor": "@axis",
        **more,
    }


def value_axis(anchor: str, low: float, high: float, **more: Any) -> dict[str, Any]:
    """A Plotly y axis that shows [low, high] exactly until it is zoomed.

    The ends stand in `autorangeoptions`, not in `range`: Plotly keeps a zoom only as long as the range it was given
    stays the same, and these ends grow. A trace at both ends does the rest (plotly.js 4.1 reads the option `include`
    of a logarithmic axis as exponents).
    """
    return {
        "anchor": anchor,
        "autorangeoptions": {"clipmin": low, "clipmax": high},
        "showgrid": True,
        "gridcolor": "@grid",
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "nticks": 6,
        "tickfont": {"size": TICK_SIZE, "color": "@muted"},
        "ticklabeloverflow": "allow",
        **more,
    }


def empty_axes() -> dict[str, Any]:
    """Those of a chart before there is anything to draw: lines without numbers."""
    return {
        "xaxis": base_axis("y", 0, 1, showticklabels=False),
        "yaxis": value_axis("x", 0, 1, showticklabels=False),
    }


def key_of(run: Run) -> str:
    """The competitors' names, each beside its swatch."""
    return "  ".join(f"{swatch_of(one)} {one.label}" for one in run.competitors)


def heading(run: Run, panel: int, k: int, more: str = "") -> dict[str, Any]:
    """The name of a competitor above its panel: an annotation named "panel-heading"."""
    one = run.competitors[k]
    return panel_heading(panel, f"{swatch_of(one)} {one.label}{more}")


def panel_heading(panel: int, text: str, xaxis: int | None = None) -> dict[str, Any]:
    """A text above a panel; panels that stand one above another share an `xaxis`."""
    number = number_of(panel)
    return {
        "name": "panel-heading",
        "text": text,
        "xref": f"x{number if xaxis is None else number_of(xaxis)} domain",
        "x": 0,
        "xanchor": "left",
        "yref": f"y{number} domain",
        "y": 1,
        "yanchor": "bottom",
        "yshift": 1,
        "showarrow": False,
        "font": {"size": HEADING_SIZE, "color": "@text"},
    }


def margin_note(text: str, y: float = 1.0, yanchor: str = "top") -> dict[str, Any]:
    """A text in the margin at the right: an annotation named "key"."""
    return {
        "name": "key",
        "text": text,
        "xref": "paper",
        "x": 1,
        "xanchor": "left",
        "xshift": 10,
        "yref": "paper",
        "y": y,
        "yanchor": yanchor,
        "align": "left",
        "showarrow": False,
        "font": {"size": NAME_SIZE, "color": "@text"},
    }


def note(text: str) -> dict[str, Any]:
    """Why there is nothing to see yet: an annotation named "note"."""
    return {
        "name": "note",
        "text": text,
        "xref": "paper",
        "x": 0.5,
        "yref": "paper",
        "y": 0.5,
        "showarrow": False,
        "font": {"size": HEADING_SIZE, "color": "@muted"},
    }


def clear_note(text: str) -> dict[str, Any]:
    """The same, legible on a grid."""
    return note(text) | {"bgcolor": "@page"}


def not_yet(title: str, how: str) -> Words:
    """What is said about a chart before there are data."""
    return Words(title, "", f"{title}: not measured yet.", how)


def line(x: Floats, y: Floats, *, name: str, colour: str, hover: str, **more: Any) -> dict[str, Any]:
    """A line over time, x and y [m]; NaN is a gap. `hover` is the template of one value, such as "%{y:.1f} %"."""
    point = {"mode": "markers", "marker": {"color": colour, "size": 5}, "cliponaxis": False} if len(x) == 1 else {}
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "line": {"color": colour, "width": RUN_WIDTH},
        "hovertemplate": hover,
        **point,
        **more,
    }


def measured_part(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """A series from its first to its last finite value; what is not finite between them becomes NaN. [m], [m]"""
    known = np.isfinite(y)
    if known.all():  # as it mostly is
        return x, y
    where = np.flatnonzero(known)
    if not where.size:
        return x[:0], y[:0]
    part = slice(where[0], where[-1] + 1)
    return x[part], np.where(known[part], y[part], np.float32(np.nan))
