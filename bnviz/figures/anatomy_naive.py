"""Anatomy naive: a bias before BN, trained with a gradient that forgets the mean; Ioffe & Szegedy 2015, section 2."""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.anatomy_parts import Unit, anatomy_chart, tex, unit_of, waiting, walked
from bnviz.figures.chart import Words, base_axis, line, number_of, panel_heading, value_axis
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import nice_range, number, whole
from bnviz.figures.theme import Spec
from bnviz.figures.timeline import axis_unit
from bnviz.records import NAIVE_STEPS, Run

TITLE: Final = "A gradient that forgets the mean"
HOW: Final = (
    "A bias b is added just before this layer’s BN and trained alone on this batch, everything else frozen. Naive: "
    "mean and variance count as constants in its gradient. The loss is measured anew at every step."
)
MARGIN: Final = {"l": 50, "r": 96, "t": 24, "b": 26}
DOMAINS: Final = ([0.58, 1.0], [0.0, 0.42])
KINDS: Final = ("naive", "whole")
COLOURS: Final = ("@text", "@bn")
DASHES: Final = ("5px,3px", "solid")
LABELS: Final = ("naive<br>gradient", "whole<br>gradient")


def anatomy_naive(run: Run, view: View) -> Spec:
    """The bias of one unit and the loss, over the steps of either gradient."""
    name, now = "anatomy-naive", walked(run)
    if now is None or not (np.isfinite(now.naive_bias).all() and np.isfinite(now.naive_loss).all()):
        return waiting(run, name, TITLE, HOW)
    unit = unit_of(now, view)
    steps = np.arange(NAIVE_STEPS + 1, dtype=np.float64)
    panels = ((f"bias b of {unit.name}", now.naive_bias[:, :, unit.index]), ("loss, nats", now.naive_loss))
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = [axis_unit("steps")]
    axes: dict[str, Any] = {}
    for panel, (title, values) in enumerate(panels):
        numbered = number_of(panel)
        low, high = _ends(float(np.nanmin(values)), float(np.nanmax(values)), is_loss=panel == 1)
        labels = []
        for k in (0, 1):
            trace = line(
                steps, values[k], name=f"{KINDS[k]} gradient", colour=COLOURS[k], hover="%{y:.4~g}",
                xaxis=f"x{numbered}", yaxis=f"y{numbered}",
            )  # fmt: skip
            trace["line"] |= {"dash": DASHES[k], "width": 2}
            data.append(trace)
            last = float(values[k, -1])
            labels.append(EndLabel(LABELS[k], float(NAIVE_STEPS), last, (last - low) / (high - low)))
        annotations += [panel_heading(panel, title), *end_labels(labels, numbered)]
        ticks: dict[str, Any] = {"matches": "x"} if panel else {"showticklabels": False}
        axes[f"xaxis{numbered}"] = base_axis(f"y{numbered}", 0, NAIVE_STEPS, nticks=5, **ticks)
        axes[f"yaxis{numbered}"] = value_axis(f"x{numbered}", low, high, domain=DOMAINS[panel], nticks=4)
    words = Words(TITLE, _finding(unit), _alt(unit), HOW)
    return anatomy_chart(
        run, name, words, data, axes,
        annotations=annotations,
        margin=MARGIN,
        x="steps",
        shows=str(unit.number),
        meta={"formulas": _formulas(unit)},
    )  # fmt: skip


def _ends(low: float, high: float, *, is_loss: bool) -> tuple[float, float]:
    """A loss that does not move is drawn from 0 on: its rounding is no news."""
    if is_loss:
        return 0.0, 1.3 * max(high, 1e-6)
    return nice_range(min(low, 0.0), max(high, 0.0)) if high > low else (-1.0, 1.0)


def _formulas(unit: Unit) -> list[str]:
    grown = float(unit.now.naive_bias[0, -1, unit.index])
    return [
        r"b \leftarrow b - \eta \sum_i \frac{\partial \ell}{\partial \hat x_i} \cdot "
        r"\frac{1}{\sqrt{\sigma_{\mathcal B}^2 + \epsilon}}",
        rf"\eta = {tex(unit.now.naive_rate)}, \; b_{{{NAIVE_STEPS}}} = {tex(grown)}",
    ]


def _moved(unit: Unit) -> float:
    """How far the loss goes from where it began, under the naive gradient."""
    loss = unit.now.naive_loss[0]
    return float(np.abs(loss - loss[0]).max())


def _finding(unit: Unit) -> str:
    naive, right = (float(one[-1, unit.index]) for one in unit.now.naive_bias)
    return (
        f"after {whole(NAIVE_STEPS)} steps the bias stands at {number(naive)} by the naive gradient, at "
        f"{number(right, 1)} by the whole one; the loss moved by {number(_moved(unit), 1)} nats"
    )


def _alt(unit: Unit) -> str:
    return f"{TITLE}, {unit.name}: {_finding(unit)}."
