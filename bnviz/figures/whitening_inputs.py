"""The treated inputs of a linear unit: five panels, each with the sample and its principal axes.

Shapes: t = treatments, n = samples.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import Treatment, View, Whitening
from bnviz.figures.chart import Words
from bnviz.figures.numbers import number, whole
from bnviz.figures.theme import Spec
from bnviz.figures.whitening_parts import (
    MARGIN,
    axes_of,
    label_of,
    narrow_domains,
    panel_words,
    same_sign,
    square_axes,
    unit_chart,
    waiting,
)
from bnviz.records import TREATMENTS, Floats, LinearUnit, Run

MOST_DRAWN: Final = 300  # samples a panel
AXIS_LENGTH: Final = 2.0  # standard deviations on either side of the mean
ELLIPSE_POINTS: Final = 49
ROOM: Final = 1.1
TITLE: Final = "Inputs under five treatments"
HOW: Final = (
    "Both axes of a panel have one unit, so that shapes are true; the unit differs from panel to panel. The ellipse "
    "reaches two standard deviations along the principal axes; every number is of the sample drawn."
)


def whitening_inputs(run: Run, view: View) -> Spec:
    """The sample as each treatment makes it, with its principal axes."""
    name, unit = "whitening-inputs", run.linear_unit
    if unit is None:
        return waiting(run, name, TITLE, HOW)
    data: list[dict[str, Any]] = []
    annotations, ranges = [], []
    for t, treatment in enumerate(TREATMENTS):
        inputs = unit.inputs[t]
        data += [_samples(inputs[:MOST_DRAWN], treatment, t), *_principal_axes(inputs, t)]
        lines = [
            f"{label_of(treatment)}{_kind(unit, treatment)}",
            f"correlation {number(correlation_of(inputs))}",
            f"same sign {same_sign(float(unit.same_sign_samples[t]))}",
        ]
        annotations.append(panel_words(t, lines))
        ranges.append(_range(inputs))
    words = Words(TITLE, _finding(unit), _alt(unit), HOW + _drawn(unit))
    return unit_chart(
        run, name, words, data, square_axes(ranges, is_shared=False),
        annotations=annotations,
        margin=MARGIN | {"t": MARGIN["t"] - 34},
        hovermode="closest",
        x="inputs",
        meta={"narrow": narrow_domains()},
    )  # fmt: skip


def correlation_of(inputs: Floats) -> float:
    """0 where rounding is all there is of it. [n, 2]"""
    found = float(np.corrcoef(inputs[:, 0], inputs[:, 1])[0, 1])
    return found if abs(found) > 1e-9 else 0.0


def _kind(unit: LinearUnit, treatment: Treatment) -> str:
    if treatment is not Treatment.WHITENED:
        return ""
    return f", {'PCA' if unit.config.whitening is Whitening.PCA else 'ZCA'}"


def _samples(inputs: Floats, treatment: Treatment, t: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": str(treatment),
        "x": inputs[:, 0].astype(np.float32),
        "y": inputs[:, 1].astype(np.float32),
        "marker": {"size": 4, "color": f"@{treatment}/0.45"},
        "hovertemplate": "(%{x:.3~g}, %{y:.3~g})<extra></extra>",
        **axes_of(t),
    }


def _principal_axes(inputs: Floats, t: int) -> list[dict[str, Any]]:
    """The ellipse of so many standard deviations and its two axes in one line, on a casing of the page's colour.

    A circle has no axes in particular.
    """
    variances, vectors = np.linalg.eigh(np.cov(inputs.T, bias=True))
    ends = (AXIS_LENGTH * np.sqrt(variances) * vectors).T
    angle, gap = np.linspace(0, 2 * np.pi, ELLIPSE_POINTS), np.full((1, 2), np.nan)
    parts = [np.stack([np.cos(angle), np.sin(angle)], axis=1) @ ends]
    if variances[1] > (1 + 1e-6) * variances[0]:
        parts += [gap, np.stack([-ends[1], ends[1]]), gap, np.stack([-ends[0], ends[0]])]
    points = inputs.mean(axis=0) + np.concatenate(parts)
    base = {"type": "scatter", "mode": "lines", "x": points[:, 0], "y": points[:, 1], "hoverinfo": "skip", **axes_of(t)}
    return [
        base | {"name": "casing", "line": {"color": "@page", "width": 4}},
        base | {"name": "principal axes", "line": {"color": "@text", "width": 1.5}},
    ]


def _range(inputs: Floats) -> tuple[float, float, float]:
    """The middle of both axes and their reach: the sample and the origin. [n, 2]"""
    low, high = np.minimum(inputs.min(axis=0), 0), np.maximum(inputs.max(axis=0), 0)
    x, y = ((low + high) / 2).tolist()
    return x, y, ROOM * float((high - low).max()) / 2


# --- what is said -----------------------------------------------------------------------------------------------------


def _drawn(unit: LinearUnit) -> str:
    count = unit.inputs.shape[1]
    return f" {MOST_DRAWN} of {whole(count)} samples are drawn." if count > MOST_DRAWN else ""


def _finding(unit: LinearUnit) -> str:
    """Whether signs agree, and what standardising leaves of the correlation."""
    shares = dict(zip(TREATMENTS, unit.same_sign_samples.tolist(), strict=True))
    correlation = correlation_of(unit.inputs[TREATMENTS.index(Treatment.STANDARDISED)])
    return (
        f"single gradients whose components have the same sign: {same_sign(shares[Treatment.RAW])} raw, "
        f"{same_sign(shares[Treatment.STANDARDISED])} standardised, {same_sign(shares[Treatment.WHITENED])} whitened; "
        f"standardising, as BN does, leaves the correlation at {number(correlation)}"
    )


def _alt(unit: LinearUnit) -> str:
    each = []
    for t, treatment in enumerate(TREATMENTS):
        inputs = unit.inputs[t]
        (mean_1, mean_2), (std_1, std_2) = inputs.mean(axis=0).round(9).tolist(), inputs.std(axis=0).tolist()
        each.append(
            f"{treatment}: means {number(mean_1)} and {number(mean_2)}, standard deviations {number(std_1)} and "
            f"{number(std_2)}, correlation {number(correlation_of(inputs))}, "
            f"same sign {same_sign(float(unit.same_sign_samples[t]))}"
        )
    return f"{whole(unit.inputs.shape[1])} samples of two inputs under five treatments. {'; '.join(each)}."
