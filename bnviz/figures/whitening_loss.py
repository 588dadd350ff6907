"""The loss of a linear unit over the steps of both descents, one colour a treatment.

Shapes: t = treatments, s = steps drawn.
"""

import math
from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, base_axis, line
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import whole
from bnviz.figures.theme import EVENT_WIDTH, THIN_WIDTH, Spec
from bnviz.figures.timeline import INSIDE, axis_unit
from bnviz.figures.untrained_parts import Scale, compact, reference_label, reference_line
from bnviz.figures.whitening_descent import shown_step
from bnviz.figures.whitening_parts import (
    ROUNDING,
    TOLD,
    label_of,
    share_text,
    shown_loss,
    steps_number,
    unit_chart,
    waiting,
)
from bnviz.records import MOST_SGD_STEPS, TREATMENTS, Floats, LinearUnit, Run

MARGIN: Final = {"l": 50, "r": 160, "t": 10, "b": 26}
HIGHEST: Final = 1e3  # on the axis where a descent diverges
BEYOND: Final = 1e6  # where a line that leaves the axis heads for
GD_WIDTH: Final = 2.25
DIVERGES: Final = "diverges"
TITLE: Final = "Loss over steps, relative to the start’s"
HOW: Final = (
    "Loss of the whole sample, for gradient descent (thick) and SGD (thin). Beside the lines: gradient descent’s "
    "steps to the target, worked out from the eigenvalues, and SGD’s, simulated."
)


def whitening_loss(run: Run, view: View) -> Spec:
    """Relative loss of gradient descent and SGD under every treatment, on a logarithmic axis."""
    name, unit = "whitening-loss", run.linear_unit
    if unit is None:
        return waiting(run, name, TITLE, HOW)
    scale, steps = loss_scale(unit), unit.config.steps
    x = np.arange(steps + 1, dtype=np.float64)
    data = [_line(x, unit.sgd_loss[t], t, "SGD") for t in range(len(TREATMENTS))]
    data += [_line(x, unit.gd_loss[t], t, "gradient descent") for t in range(len(TREATMENTS))]
    target = reference_label(f"target {share_text(unit.config.target)}", math.log10(unit.config.target))
    target |= {"x": 1, "xanchor": "right"}  # at the left all lines begin
    annotations = [*end_labels(_labels(unit, scale)), target, axis_unit("steps")]
    words = Words(TITLE, _finding(unit), _alt(unit), HOW)
    axes = {
        "xaxis": base_axis("y", 0, steps, nticks=6, unifiedhovertitle={"text": "step %{x:,.0f}"}),
        "yaxis": scale.axis("x"),
    }
    return unit_chart(
        run, name, words, data, axes,
        annotations=annotations,
        shapes=[reference_line(unit.config.target), _step_line(shown_step(unit, view))],
        margin=MARGIN,
        x="steps",
        time_axes=["xaxis"],
    )  # fmt: skip


def loss_scale(unit: LinearUnit) -> Scale:
    """A decade below the target up to the start's loss, and beyond where a descent diverges."""
    is_diverging = bool(unit.is_diverging.any() or unit.is_sgd_diverging.any())
    highest = float(np.max(np.where(np.isfinite(unit.gd_loss), unit.gd_loss, HIGHEST)))
    return Scale(unit.config.target / 10, HIGHEST if is_diverging else 2.0 if highest <= 2 else 10.0)


def _line(x: Floats, loss: Floats, t: int, of: str) -> dict[str, Any]:
    """What overflows heads out of the chart at the top. loss: [s + 1]"""
    treatment = TREATMENTS[t]
    shown = np.where(loss > 0, np.minimum(loss, BEYOND), np.nan)
    beyond = np.flatnonzero(loss >= BEYOND)
    if beyond.size:
        shown[beyond[0] + 1 :] = np.nan
    width = THIN_WIDTH if of == "SGD" else GD_WIDTH
    trace = line(
        x, shown, name=f"{treatment}, {of}", colour=f"@{treatment}",
        hover="%{customdata:.3~g}", customdata=shown_loss(loss),
    )  # fmt: skip
    return trace | {"line": {"color": f"@{treatment}", "width": width}}


def _labels(unit: LinearUnit, scale: Scale) -> list[EndLabel]:
    """At the end of gradient descent's line: the treatment, and both descents' steps."""
    labels = []
    for t, treatment in enumerate(TREATMENTS):
        value = float(unit.gd_loss[t, -1])
        gd, sgd = _gd_text(unit, t), _sgd_text(unit, t)
        text = f"{label_of(treatment)}<br><b>{gd}</b>" + (f", SGD {sgd}" if (gd, sgd) != (DIVERGES, DIVERGES) else "")
        x = float(unit.config.steps) * INSIDE
        labels.append(EndLabel(text, x, scale.label_y(value) * INSIDE, scale.place(value)))
    return labels


def _gd_text(unit: LinearUnit, t: int) -> str:
    return DIVERGES if unit.is_diverging[t] and np.isinf(unit.gd_steps[t]) else steps_number(float(unit.gd_steps[t]))


def _sgd_text(unit: LinearUnit, t: int) -> str:
    steps = float(unit.sgd_steps[t])
    if np.isnan(steps):
        return f"> {whole(MOST_SGD_STEPS)}" if unit.done >= 1 else "…"
    return DIVERGES if np.isinf(steps) else steps_number(steps)


def _step_line(step: int) -> dict[str, Any]:
    """The step up to which the paths are drawn: a shape named "shown-step"."""
    return {
        "type": "line",
        "name": "shown-step",
        "xref": "x",
        "x0": step,
        "x1": step,
        "yref": "y domain",
        "y0": 0,
        "y1": 1,
        "line": {"color": "@muted", "width": EVENT_WIDTH},
    }


def _finding(unit: LinearUnit) -> str:
    """Such as "after 100 steps: 0.00032 raw, 2.5×10⁻⁹ standardised, 0 whitened"; who diverges comes first."""
    each = ", ".join(
        f"{_share(float(unit.gd_loss[t, -1]))} {one}"
        for t, one in enumerate(TREATMENTS)
        if one in TOLD and not unit.is_diverging[t]
    )
    lost = [str(one) for t, one in enumerate(TREATMENTS) if unit.is_diverging[t]]
    parts = [f"diverging: {', '.join(lost)}" if lost else ""]
    parts.append(f"after {whole(unit.config.steps)} steps: {each}" if each else "")
    return "; ".join(part for part in parts if part)


def _share(loss: float) -> str:
    return "0" if loss < ROUNDING else compact(loss)


def _alt(unit: LinearUnit) -> str:
    each = "; ".join(
        f"{one}: gradient descent {_gd_text(unit, t)}, SGD {_sgd_text(unit, t).replace('…', 'not counted yet')}"
        for t, one in enumerate(TREATMENTS)
    )
    return f"Loss over {whole(unit.config.steps)} steps. Steps to {share_text(unit.config.target)}: {each}."
