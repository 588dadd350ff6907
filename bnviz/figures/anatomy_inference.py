"""Anatomy inference: test accuracy with three kinds of statistics, and the one affine map that BN is at inference."""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.anatomy_parts import Unit, anatomy_chart, tex, unit_of, waiting, walked, where_text
from bnviz.figures.chart import Words, base_axis, value_axis
from bnviz.figures.numbers import MINUS, NO_BREAK, number, percent, whole
from bnviz.figures.theme import MARKER_SIZE, NAME_SIZE, Spec
from bnviz.records import Anatomy, Run

TITLE: Final = "Inference"
HOW: Final = (
    "Accuracy of the network with BN on the 10,000 test images: BN with the statistics of each {} of them, with the "
    "run’s running averages, and with those of the population, recomputed layer by layer on training images "
    "(PreciseBN, Wu & Johnson 2021). Folded: this layer’s BN inside its neighbour’s weights."
)
MARGIN: Final = {"l": 96, "r": 84, "t": 10, "b": 26}
KINDS: Final = ("each batch’s", "running", "population’s")
LEAST_ROOM: Final = 2.0  # percentage points that the axis shows at least


def _how(run: Run) -> str:
    return HOW.format(whole(run.settings.model.test_images_at_once))


def anatomy_inference(run: Run, view: View) -> Spec:
    """Three accuracies side by side, and the folded layer."""
    name, now = "anatomy-inference", walked(run)
    if now is None or not np.isfinite(now.accuracy).any():
        return waiting(run, name, TITLE, _how(run))
    low, high = _ends(now)
    words = Words(TITLE, _finding(now), _alt(now), _how(run))
    return anatomy_chart(
        run, name, words, [*_dots(now, low)],
        {
            "xaxis": base_axis("y", low, high, tickformat=".1f", ticksuffix=f"{NO_BREAK}%", nticks=4),
            "yaxis": value_axis("x", -0.6, 2.6, tickvals=[2, 1, 0], ticktext=list(KINDS), showgrid=False),
        },
        annotations=_texts(now),
        margin=MARGIN,
        hovermode="closest",
        x="accuracy",
        shows="",
        meta={"formulas": _formulas(unit_of(now, view))},
    )  # fmt: skip


def _ends(now: Anatomy) -> tuple[float, float]:
    """Of the axis, in per cent."""
    known = 100 * now.accuracy[np.isfinite(now.accuracy)]
    low, high = float(known.min()), float(known.max())
    room = max(high - low, LEAST_ROOM)
    return max(0.0, low - 0.3 * room), min(100.0, high + 0.3 * room)


def _dots(now: Anatomy, low: float) -> list[dict[str, Any]]:
    """A dot each, with a thin line from the axis."""
    traces: list[dict[str, Any]] = []
    for place, share in enumerate((100 * now.accuracy).tolist()):
        if not np.isfinite(share):
            continue
        y = 2 - place
        traces.append(
            {
                "type": "scatter", "mode": "lines", "name": "stem", "x": [low, share], "y": [y, y],
                "line": {"color": "@bn/0.4", "width": 2}, "hoverinfo": "skip",
            }
        )  # fmt: skip
        traces.append(
            {
                "type": "scatter", "mode": "markers", "name": KINDS[place], "x": [share], "y": [y],
                "marker": {"size": MARKER_SIZE + 2, "color": "@bn"}, "cliponaxis": False,
                "hovertemplate": "%{x:.2f} %<extra>" + KINDS[place] + "</extra>",
            }
        )  # fmt: skip
    return traces


def _texts(now: Anatomy) -> list[dict[str, Any]]:
    return [
        {
            "name": "accuracy", "text": percent(share, 2), "xref": "x", "x": 100 * share, "xanchor": "left",
            "xshift": 9, "yref": "y", "y": 2 - place, "showarrow": False, "font": {"size": NAME_SIZE, "color": "@text"},
        }
        for place, share in enumerate(now.accuracy.tolist())
        if np.isfinite(share)
    ]  # fmt: skip


def _formulas(unit: Unit) -> list[str]:
    scale, shift = unit.of("folded_scale"), unit.of("folded_shift")
    return [
        r"y = \frac{\gamma}{\sqrt{\mathrm{Var}[x] + \epsilon}}\, x + \left(\beta - "
        r"\frac{\gamma\, \text{E}[x]}{\sqrt{\mathrm{Var}[x] + \epsilon}}\right)",
        rf"y = {tex(scale)}\, x {'+' if shift >= 0 else '-'} {tex(abs(shift))}",
    ]


def _finding(now: Anatomy) -> str:
    batch, running, population = (100 * now.accuracy).tolist()
    told = f"against batch statistics: {_points(running - batch)} percentage points with running averages"
    if np.isfinite(population):
        told += f", {_points(population - batch)} with those of {whole(now.population_images)} training images"
    if np.isfinite(now.folded_difference):
        told += f"; folded and unfolded logits differ by {number(now.folded_difference, 1)} of the largest"
    return told


def _points(difference: float) -> str:
    """With its sign, and with the digits that 10,000 images give meaning to: such as "−0.14"."""
    size = f"{abs(difference):.2f}"
    sign = "±" if float(size) == 0 else MINUS if difference < 0 else "+"
    return f"{sign}{size}"


def _alt(now: Anatomy) -> str:
    told = ", ".join(
        f"{kind} statistics {percent(share)}"
        for kind, share in zip(KINDS, now.accuracy.tolist(), strict=True)
        if np.isfinite(share)
    )
    return f"Test accuracy at {where_text(now)}: {told}. {_finding(now)}."
