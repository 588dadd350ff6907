"""Untrained networks: the loss after one step along the gradient, over the size of the step.

Shapes: k = the twins, a = step sizes.
"""

import math
from typing import Any, Final

import numpy as np

from bnviz.config import TWINS, View
from bnviz.figures.chart import Words, base_axis, line
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import finite, nice_at_most, number
from bnviz.figures.theme import Spec
from bnviz.figures.timeline import INSIDE, axis_unit
from bnviz.figures.untrained_absent import (
    absence,
    absence_labels,
    finding,
    headroom,
    margin_with,
    progress,
    waiting_notes,
)
from bnviz.figures.untrained_parts import (
    ON,
    Scale,
    compact,
    named,
    reference_label,
    reference_line,
    tick_text,
    twin_marker,
    untrained_chart,
    waiting,
)
from bnviz.figures.words import enumerate_texts, joined
from bnviz.records import DIVERGED_RATIO, RELATIVE_STEPS, Floats, Run, Untrained

CAP: Final = 1e6  # the highest ratio on the axis
BEYOND: Final = 1e3 * CAP  # where a line that leaves the axis heads for


def untrained_loss(run: Run, view: View) -> Spec:
    """L(w − a g) / L(w) over the step size a, both logarithmic."""
    name, title = "untrained-loss", "Relative loss L(w − a g) / L(w)"
    how = f"One step of size a against the gradient g of the loss, {ON}"
    untrained = run.untrained
    if untrained is None:
        return waiting(run, name, title, how)
    ratios = untrained.relative_loss.astype(np.float64)
    scale = _ratio_scale(ratios)
    data, labels = [], []
    for k in range(len(TWINS)):
        lines, label = _ratio_line(k, ratios[k], scale)
        data += lines
        labels += label
    known = np.where(np.isinf(ratios).all(axis=1, keepdims=True), np.nan, ratios)
    absent = absence_labels(untrained, known)
    mark = reference_label("diverged (10³)", math.log10(DIVERGED_RATIO), is_above=True)
    annotations = [*end_labels(labels), mark, axis_unit("a"), *absent, *waiting_notes(untrained, known)]
    told = _usable_steps(ratios)
    words = Words(title, finding(untrained, told), _loss_alt(untrained, ratios, told), how)
    return untrained_chart(
        run, name, words, data, {"xaxis": _step_axis(), "yaxis": scale.axis("x")},
        annotations=annotations,
        shapes=[reference_line(DIVERGED_RATIO)],
        margin=margin_with(headroom(absent), has_headings=False),
        x="a",
    )  # fmt: skip


def last_usable_step(ratios: Floats) -> float:
    """The largest step before the first at which the loss has diverged; inf if none does, NaN if the first one does.

    ratios: [a]
    """
    known = ~np.isnan(ratios)
    steps, diverged = RELATIVE_STEPS[known], np.flatnonzero(ratios[known] > DIVERGED_RATIO)
    if not diverged.size:
        return math.inf if steps.size else math.nan
    return float(steps[diverged[0] - 1]) if diverged[0] else math.nan


def _usable_steps(ratios: Floats) -> str:
    """Such as "below 10³ up to a = 3.2 without BN, at every a with it"."""
    texts = [_usable(one) for one in ratios]
    told = enumerate_texts(TWINS, texts)
    return f"below 10³ {told}" if told else ""


def _usable(ratios: Floats) -> str | None:
    """None where nothing is known. ratios: [a]"""
    if np.isnan(ratios).all() or np.isinf(ratios).all():
        return None
    step = last_usable_step(ratios)
    return "at no a" if math.isnan(step) else "at every a" if math.isinf(step) else f"up to a = {number(step)}"


def _ratio_scale(ratios: Floats) -> Scale:
    known = finite(ratios)
    known = known[known > 0]
    low = float(known.min()) if known.size else 0.5
    is_beyond = bool((ratios > 10 * DIVERGED_RATIO).any())
    return Scale(nice_at_most(min(max(low, 1e-3), 0.5)), CAP if is_beyond else 10 * DIVERGED_RATIO)


def _ratio_line(k: int, ratios: Floats, scale: Scale) -> tuple[list[dict[str, Any]], list[EndLabel]]:
    """A line that leaves the axis at the top where the loss does, its marker there. ratios: [a]"""
    known = ~np.isnan(ratios)  # the others are not measured yet
    if not np.isfinite(ratios).any():
        return [], []
    steps, exact = RELATIVE_STEPS[known], ratios[known]
    heights = np.clip(exact, scale.low, BEYOND)
    one = TWINS[k]
    trace = line(
        steps, heights, name=one.label, colour=f"@{one.name}", hover="%{customdata:.3~g}",
        customdata=np.where(np.isfinite(exact), exact, BEYOND),
    )  # fmt: skip
    beyond = np.flatnonzero(heights > scale.high)
    x, value = float(steps[-1]), float(exact[-1])
    if beyond.size:
        x, value = _crossing(steps, heights, int(beyond[0]), scale.high), math.inf
    text = f"over {tick_text(scale.high)}" if beyond.size else compact(value)
    end = float(np.log10(RELATIVE_STEPS[-1])) * INSIDE
    label = EndLabel(named(k, text), end, scale.label_y(value) * INSIDE, scale.place(value))
    return [trace, twin_marker(k, x, scale.inside(value))], [label]


def _crossing(steps: Floats, heights: Floats, index: int, level: float) -> float:
    """Where a line crosses a level before its point `index`, straight on logarithmic axes. steps, heights: [n]"""
    if index == 0:
        return float(steps[0])
    below, above = math.log(heights[index - 1]), math.log(heights[index])
    share = (math.log(level) - below) / (above - below)
    start, end = math.log(steps[index - 1]), math.log(steps[index])
    return math.exp(start + share * (end - start))


def _step_axis() -> dict[str, Any]:
    ticks = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]
    texts = [f"{tick:,g}" for tick in ticks]
    title = {"text": "a = %{x:.3~g}"}
    return base_axis(
        "y", RELATIVE_STEPS[0], RELATIVE_STEPS[-1], type="log", tickvals=ticks, ticktext=texts, unifiedhovertitle=title
    )  # fmt: skip


def _loss_alt(untrained: Untrained, ratios: Floats, told: str) -> str:
    parts = []
    for k, one in enumerate(TWINS):
        known = np.isfinite(ratios[k])
        if known.any():
            lowest = int(np.nanargmin(np.where(known, ratios[k], np.nan)))
            best, least = number(float(RELATIVE_STEPS[lowest])), number(float(ratios[k, lowest]))
            parts.append(f"{one.label} lowest {least} at a = {best}, highest {number(float(np.nanmax(ratios[k])))}")
        elif missing := absence(untrained, ratios, k):
            parts.append(missing)
    each = "; ".join(parts) or "nothing measured yet"
    return joined(
        f"L(w − a g) / L(w) for a from 0.001 to 1,000: {each}.", f"{told[0].upper()}{told[1:]}." if told else "",
        progress(untrained),
    )  # fmt: skip
