"""Untrained networks: the singular values of the step from one hidden layer to the next, over depth.

Shapes: k = the twins, j = layers whose Jacobian is taken, q = quantile levels.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import TWINS, View
from bnviz.figures.chart import Words, clear_note, domains, line, number_of, panel_heading
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import alike, finite, nice_at_least, nice_at_most, number
from bnviz.figures.theme import RUN_WIDTH, THIN_WIDTH, TICK_SIZE, Spec
from bnviz.figures.timeline import INSIDE
from bnviz.figures.untrained_absent import (
    absence,
    absence_labels,
    finding,
    headroom,
    margin_with,
    overflow_lines,
    overflow_text,
    progress,
    raised,
    waiting_notes,
)
from bnviz.figures.untrained_parts import (
    ON,
    Scale,
    depth_axis,
    name_of,
    reference_line,
    tick_text,
    untrained_chart,
    waiting,
)
from bnviz.figures.words import enumerate_texts, joined
from bnviz.records import SINGULAR_LEVELS, Floats, Run, Untrained

NAME: Final = "untrained-jacobian"
TITLE: Final = "Singular values of the Jacobian, layer to layer"
HOW: Final = (
    "Singular values of d(outputs of a layer)/d(outputs of the layer before) at a few images; zeros are drawn at the "
    f"axis’s lower end; {ON}"
)
DEPTH_OF_AXIS: Final = 1e-3  # of the largest singular value or of 1; what is smaller is drawn at the lower end
NOTHING: Final = 1e-5  # of the largest singular value: the zeros of a matrix of lower rank, but for rounding
OUTER, INNER, MEDIAN, ENDS = [1, 5], [2, 4], 3, [0, 6]  # indices into SINGULAR_LEVELS
BANDS: Final = ((OUTER, 0.14), (INNER, 0.26))  # and the opacity of their filling
LABELS: Final = ("min", "5 %", "25 %", "50 %", "75 %", "95 %", "max")
ALONE: Final = 0.3  # layers, to either side of a single one


def untrained_jacobian(run: Run, view: View) -> Spec:
    """Singular values of the layer-to-layer Jacobian over depth: bands of 5 to 95 % and 25 to 75 %, median, ends."""
    untrained = run.untrained
    if untrained is None:
        return waiting(run, NAME, TITLE, HOW)
    values, layers = _finite_part(untrained), untrained.jacobian_layers.astype(np.float64)
    scale, last = _scale(values), max(untrained.config.depth, 2)
    panels = [(number_of(k), [k]) for k in range(len(TWINS))]
    absent = [
        one for panel, networks in panels for one in absence_labels(untrained, values, panel=panel, networks=networks)
    ]
    if not len(layers):
        absent, annotations = [], [clear_note("This takes two hidden layers or more.")]
    else:
        annotations = [*absent, *waiting_notes(untrained, values)]
    data: list[dict[str, Any]] = []
    for k, (panel, _) in enumerate(panels):
        data += _bands(k, layers, values[k], scale)
        annotations.append(raised(panel_heading(k, name_of(k)), headroom(absent)))
        if not untrained.overflow_layer[k]:  # where a line ends within the plot, the other panel names the levels
            annotations += _level_labels(layers, values[k], scale, panel)
    words = Words(TITLE, finding(untrained, _middle_half(untrained, values)), _alt(untrained, values), HOW)
    return untrained_chart(
        run, NAME, words, data, _axes(scale, last, _lower_end(values, scale)),
        annotations=annotations,
        shapes=[*[reference_line(1, panel) for panel, _ in panels], *overflow_lines(untrained, last, panels)],
        margin=margin_with(headroom(absent), has_headings=True),
        x="layer",
    )  # fmt: skip


def _finite_part(untrained: Untrained) -> Floats:
    """Singular values before the layer that overflows, exactly 0 where only rounding keeps them from it. [k, j, q]"""
    values, overflow = untrained.singular_values, untrained.overflow_layer
    values = np.where(values < NOTHING * values[:, :, -1:], 0.0, values)
    is_lost = (overflow[:, None] > 0) & (untrained.jacobian_layers[None, :] >= overflow[:, None])
    return np.where(is_lost[:, :, None], np.nan, values)


def _scale(values: Floats) -> Scale:
    """Round ends that hold 1 and all values down to `DEPTH_OF_AXIS`, with room for zeros below."""
    known = finite(values)
    positive = known[known > 0]
    if not positive.size:
        return Scale(0.1, 5)
    high = max(float(positive.max()), 2.0)
    low = min(max(float(positive.min()), DEPTH_OF_AXIS * min(high, 1.0)), 0.5)
    return Scale(nice_at_most(low / 2 if len(known) > positive.size else low), nice_at_least(high))


def _lower_end(values: Floats, scale: Scale) -> str:
    """What the lowest tick stands for if something lies below the axis; else empty."""
    below = values[values < scale.low]
    if not below.size:
        return ""
    return f"≤ {tick_text(scale.low)}" if below.any() else "0"


def _axes(scale: Scale, last: int, lower_end: str) -> dict[str, Any]:
    axes: dict[str, Any] = {}
    for k, domain in enumerate(domains(len(TWINS))):
        numbered = number_of(k)
        shared_x, shared_y = ({"matches": "x"}, {"matches": "y", "showticklabels": False}) if k else ({}, {})
        axes[f"xaxis{numbered}"] = depth_axis(f"y{numbered}", last, first=2, most=3, domain=domain) | shared_x
        axes[f"yaxis{numbered}"] = axis = scale.axis(f"x{numbered}", **shared_y)
        if lower_end:
            ticks = [tick for tick in axis["tickvals"] if tick > scale.low * 1.01]
            axis |= {"tickvals": [scale.low, *ticks], "ticktext": [lower_end, *[tick_text(tick) for tick in ticks]]}
    return axes


def _bands(k: int, layers: Floats, values: Floats, scale: Scale) -> list[dict[str, Any]]:
    """Both filled bands, the ends as thin lines, then the median. layers: [j], values: [j x q]"""
    series = [_level(k, layers, values[:, level], level, scale) for level in range(len(SINGULAR_LEVELS))]
    if not all(len(one["x"]) for one in series):
        return []
    traces = []
    for (low, high), opacity in BANDS:
        for level in (low, high):
            series[level]["line"]["width"] = 0
        series[high] |= {"fill": "tonexty", "fillcolor": f"@{TWINS[k].name}/{opacity}"}
        traces += [series[low], series[high]]
    for level in ENDS:
        series[level]["line"]["width"] = THIN_WIDTH
    series[MEDIAN]["line"]["width"] = RUN_WIDTH
    return [*traces, *[series[level] for level in ENDS], *([series[MEDIAN]] if _has_median(values, scale) else [])]


def _has_median(values: Floats, scale: Scale) -> bool:
    """Where about half of the values are 0, as with ReLU, the median jumps between 0 and the others: it says nothing.

    values: [j, q]
    """
    median = values[:, MEDIAN]
    return not bool((median[np.isfinite(median)] < scale.low).any())


def _level(k: int, layers: Floats, values: Floats, level: int, scale: Scale) -> dict[str, Any]:
    """One quantile over depth, across layers that are not measured yet. layers, values: [j]"""
    known = np.isfinite(values)
    x, exact = layers[known], values[known]
    if len(x) == 1:  # a band needs a width
        x, exact = x + np.array([-ALONE, ALONE]), np.repeat(exact, 2)
    one, numbered = TWINS[k], number_of(k)
    return line(
        x, np.maximum(exact, scale.low), name=LABELS[level], colour=f"@{one.name}", hover="%{customdata:.3~g}",
        customdata=exact, xaxis=f"x{numbered}", yaxis=f"y{numbered}",
    )  # fmt: skip


def _level_labels(layers: Floats, values: Floats, scale: Scale, numbered: str) -> list[dict[str, Any]]:
    """Which quantile is which, at the ends of one panel's lines; those at the lower end of the axis share one."""
    known = np.flatnonzero(np.isfinite(values).all(axis=1))
    if not known.size:
        return []
    last = int(known[-1])
    x = float(layers[last]) + (ALONE if known.size == 1 else 0)
    cut = [level for level in range(len(SINGULAR_LEVELS)) if values[last, level] <= scale.low]
    labels = []
    for level, text in enumerate(LABELS):
        if level in cut[:-1]:
            continue
        value = float(values[last, level])
        shown = f"≤ {text}" if len(cut) > 1 and level == cut[-1] else text
        labels.append(EndLabel(shown, x * INSIDE, scale.label_y(value) * INSIDE, scale.place(value), lines=1))
    style = {"xshift": 5, "font": {"size": TICK_SIZE, "color": "@text"}}
    return [one | style for one in end_labels(labels, numbered)]


# --- what is said -----------------------------------------------------------------------------------------------------


def _middle_half(untrained: Untrained, values: Floats) -> str:
    """Such as "the middle half at layer 20: 0 to 1.1 without BN, 0 to 1.3 with it", at the last layer known of both."""
    known = [np.isfinite(one).all(axis=1) for one in values]
    shared = known[0] & known[1] if (known[0] & known[1]).any() else known[0] | known[1]
    if not shared.any():
        return ""
    j = int(np.flatnonzero(shared)[-1])
    texts = [" to ".join(number(float(one)) for one in values[k, j, INNER]) if known[k][j] else None for k in (0, 1)]
    return f"the middle half at layer {untrained.jacobian_layers[j]}: {enumerate_texts(TWINS, texts)}"


def _alt(untrained: Untrained, values: Floats) -> str:
    if not len(untrained.jacobian_layers):
        return f"{TITLE}: this takes two hidden layers or more."
    parts = [_series(untrained, k, values) for k in range(len(TWINS))]
    told = "; ".join(part for part in parts if part) or "nothing measured yet"
    return joined(f"{TITLE}, smallest, 5, 25, 50, 75, 95 per cent and largest: {told}.", progress(untrained))


def _series(untrained: Untrained, k: int, values: Floats) -> str:
    known = np.flatnonzero(np.isfinite(values[k]).all(axis=1))
    if not known.size:
        return absence(untrained, values, k)
    shown = sorted({int(known[0]), int(known[len(known) // 2]), int(known[-1])})
    each = [
        f"at layer {untrained.jacobian_layers[j]} {', '.join(alike([float(one) for one in values[k, j]]))}"
        for j in shown
    ]
    overflow = overflow_text(untrained, k)
    return f"{TWINS[k].label} {', '.join(each)}{f', and {overflow}' if overflow else ''}"
