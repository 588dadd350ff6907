"""Anatomy identity: γ and β as the visitor sets them; γ = √(σ² + ε), β = μ give back what went in."""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.anatomy_parts import Unit, anatomy_chart, tex, unit_of, waiting, walked
from bnviz.figures.chart import Words, base_axis, value_axis
from bnviz.figures.numbers import nice_range, number
from bnviz.figures.theme import NAME_SIZE, THIN_WIDTH, Spec
from bnviz.figures.timeline import axis_unit
from bnviz.records import Floats, Run

TITLE: Final = "BN can be the identity"
HOW: Final = (
    "y = γx̂ + β of this unit’s images, with the γ and β of the sliders instead of the trained ones; the dashed line is "
    "y = x. The network itself keeps its own."
)
MARGIN: Final = {"l": 44, "r": 62, "t": 10, "b": 26}


def identity_of(unit: Unit) -> tuple[float, float]:
    """The γ and β that undo the normalization: √(σ² + ε) and μ."""
    return unit.deviation, unit.of("mean")


def recovered(unit: Unit, gamma: float, beta: float) -> Floats:
    """y = γ x̂ + β of every image. [b]"""
    result: Floats = gamma * unit.value("normalized") + beta
    return result


def anatomy_identity(run: Run, view: View) -> Spec:
    """Output against input of one unit, for the visitor's γ and β."""
    name, now = "anatomy-identity", walked(run)
    if now is None:
        return waiting(run, name, TITLE, HOW)
    unit = unit_of(now, view)
    x, y = unit.value("x"), recovered(unit, view.gamma, view.beta)
    low, high = nice_range(float(min(x.min(), y.min())), float(max(x.max(), y.max())))
    away = float(np.abs(y - x).max())
    gamma, beta = identity_of(unit)
    words = Words(TITLE, _finding(view, away, gamma, beta), _alt(unit, view, away), HOW)
    return anatomy_chart(
        run, name, words, [_diagonal(low, high), _images(unit, x, y)],
        {"xaxis": base_axis("y", low, high, nticks=5), "yaxis": value_axis("x", low, high, nticks=5)},
        annotations=[axis_unit("x"), _y_name()],
        margin=MARGIN,
        hovermode="closest",
        x="x",
        shows=str(unit.number),
        meta={
            "formulas": [
                r"\gamma = \sqrt{\sigma_{\mathcal B}^2 + \epsilon} = " + tex(gamma),
                rf"\beta = \mu_{{\mathcal B}} = {tex(beta)} \;\Rightarrow\; y_i = x_i",
            ]
        },
    )  # fmt: skip


def _diagonal(low: float, high: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "identity",
        "x": [low, high],
        "y": [low, high],
        "line": {"color": "@text", "width": THIN_WIDTH, "dash": "4px,3px"},
        "hoverinfo": "skip",
    }


def _images(unit: Unit, x: Floats, y: Floats) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "images",
        "x": x,
        "y": y,
        "customdata": unit.now.labels.astype(np.uint8),
        "marker": {"size": 5, "color": "@bn/0.7"},
        "hovertemplate": "digit %{customdata}: x %{x:.3~g} → y %{y:.3~g}<extra></extra>",
    }


def _y_name() -> dict[str, Any]:
    return {
        "name": "axis-name", "text": "y", "xref": "paper", "x": 0, "xanchor": "right", "xshift": -30,
        "yref": "paper", "y": 1, "yanchor": "top", "showarrow": False, "font": {"size": NAME_SIZE, "color": "@muted"},
    }  # fmt: skip


def _finding(view: View, away: float, gamma: float, beta: float) -> str:
    told = f"γ {number(view.gamma, 3)}, β {number(view.beta, 3)}: "
    scale = max(abs(gamma), abs(beta), 1e-12)
    if away <= 1e-5 * scale:
        return f"{told}the output is the input, up to {number(away, 1)}"
    return f"{told}up to {number(away)} away from the input"


def _alt(unit: Unit, view: View, away: float) -> str:
    return (
        f"Output against input of {unit.name} with gamma {number(view.gamma, 3)} and beta "
        f"{number(view.beta, 3)}: at most {number(away)} from the identity."
    )
