"""Anatomy scale: the layer's weights times a. On a batch BN takes a away again; with running statistics it does not."""

import math
from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.anatomy_parts import anatomy_chart, waiting, walked, where_text
from bnviz.figures.chart import Words, base_axis, line, number_of, panel_heading
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import finite, number
from bnviz.figures.shift import log_scale
from bnviz.figures.theme import EVENT_WIDTH, Spec
from bnviz.figures.timeline import axis_unit
from bnviz.records import MODES, SCALES, Anatomy, Floats, Run

TITLE: Final = "The layer’s weights times a"
HOW: Final = (
    "Loss and gradient of the whole network on this batch, measured at 21 factors on this layer’s weight matrix, BN "
    "with the batch’s statistics or with the running ones of the weights as they are."
)
MARGIN: Final = {"l": 44, "r": 96, "t": 24, "b": 26}
DOMAINS: Final = ([0.58, 1.0], [0.0, 0.42])
HEADING_SHIFT: Final = 5  # px: the axis’s highest number stands close to its left
DASHES: Final = {"batch": "solid", "running": "5px,3px"}
COLOURS: Final = {"batch": "@bn", "running": "@text"}
LABELS: Final = {"batch": "batch<br>statistics", "running": "running<br>statistics"}


def anatomy_scale(run: Run, view: View) -> Spec:
    """Loss and gradient over the factor a, with either kind of statistics."""
    name, now = "anatomy-scale", walked(run)
    if now is None or not np.isfinite(now.scale_loss).any():
        return waiting(run, name, TITLE, HOW)
    a = float(SCALES[nearest_scale(view.weight_factor)])
    panels = (("loss, nats", now.scale_loss), ("‖∂ℓ/∂W‖, relative to a = 1", now.scale_gradient))
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = [axis_unit("a")]
    axes: dict[str, Any] = {}
    for panel, (title, values) in enumerate(panels):
        numbered, scale = number_of(panel), log_scale(values)
        traces, labels = _curves(values, scale, numbered)
        data += traces
        annotations += [panel_heading(panel, title) | {"xshift": HEADING_SHIFT}, *end_labels(labels, numbered)]
        ticks = _x_ticks() | ({"matches": "x"} if panel else {"showticklabels": False})
        axes[f"xaxis{numbered}"] = base_axis(f"y{numbered}", math.log10(SCALES[0]), math.log10(SCALES[-1]), **ticks)
        axes[f"yaxis{numbered}"] = scale.axis(f"x{numbered}") | {"domain": DOMAINS[panel]}
    words = Words(TITLE, _finding(now, a), _alt(now, a), HOW)
    return anatomy_chart(
        run, name, words, data, axes,
        annotations=annotations,
        shapes=[_line_at(a)],
        margin=MARGIN,
        x="a",
        shows="",
        meta={
            "formulas": [
                r"\mathrm{BN}((aW)u) = \mathrm{BN}(Wu)",
                r"\frac{\partial\,\mathrm{BN}((aW)u)}{\partial (aW)} = \frac{1}{a} \cdot "
                r"\frac{\partial\,\mathrm{BN}(Wu)}{\partial W}"
            ]
        },
    )  # fmt: skip


def nearest_scale(factor: float) -> int:
    """Which of SCALES this is, or lies nearest to."""
    return int(np.argmin(np.abs(np.log(SCALES / factor))))


def _x_ticks() -> dict[str, Any]:
    shown = [0.1, 0.3, 1, 3, 10]
    return {"tickvals": [math.log10(one) for one in shown], "ticktext": [f"{one:g}" for one in shown]}


def _curves(values: Floats, scale: Any, panel: str) -> tuple[list[dict[str, Any]], list[EndLabel]]:
    x = np.log10(SCALES)
    traces, labels = [], []
    for place, mode in enumerate(MODES):
        y = np.where(np.isfinite(values[place]) & (values[place] > 0), values[place], np.nan)
        if not np.isfinite(y).any():
            continue
        trace = line(
            x, scale.inside(y), name=LABELS[mode].replace("<br>", " "), colour=COLOURS[mode],
            hover="%{customdata:.3~g}", customdata=y, xaxis=f"x{panel}", yaxis=f"y{panel}",
        )  # fmt: skip
        trace["line"] |= {"dash": DASHES[mode], "width": 2}
        traces.append(trace)
        last = float(scale.inside(finite(y)[-1]))
        labels.append(EndLabel(LABELS[mode], 1.0, scale.at(last), scale.place(last)))
    return traces, labels


def _line_at(a: float) -> dict[str, Any]:
    """The factor that the visitor looks at: a shape named "factor"."""
    return {
        "type": "line", "name": "factor", "xref": "x", "x0": math.log10(a), "x1": math.log10(a), "yref": "paper",
        "y0": 0, "y1": 1, "line": {"color": "@muted", "width": EVENT_WIDTH},
    }  # fmt: skip


def _finding(now: Anatomy, a: float) -> str:
    """What the factor does to outputs, gradient and loss."""
    place, one = nearest_scale(a), nearest_scale(1.0)
    batch, running = (float(now.scale_loss[mode, place]) for mode in (0, 1))
    was = (float(now.scale_loss[mode, one]) for mode in (0, 1))
    moved = float(now.scale_output[0, place])
    return (
        f"a = {a:.2g}: on the batch outputs move by {number(moved, 1)} s.d., the gradient × "
        f"{number(float(now.scale_gradient[0, place]), 3)}, the loss {_step(next(was), batch)}; "
        f"with running statistics the loss {_step(next(was), running)}"
    )


def _step(before: float, after: float) -> str:
    return f"{number(before, 3)} → {number(after, 3)}"


def _alt(now: Anatomy, a: float) -> str:
    return f"{TITLE}, at {where_text(now)}. {_finding(now, a)}."
