"""Anatomy walk: one mini-batch through one BN layer, phase by phase, forward and backward.

Shapes: b = values that are kept of a unit, q = quantile levels.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.anatomy_parts import (
    Phase,
    Unit,
    anatomy_chart,
    layer_quantiles,
    names_of,
    phases_of,
    shown_text,
    unit_of,
    unit_word,
    waiting,
    walked,
    where_text,
)
from bnviz.figures.chart import Words, base_axis, panel_heading, value_axis
from bnviz.figures.numbers import nice_range, number, whole
from bnviz.figures.theme import NAME_SIZE, Spec
from bnviz.records import COMPARED, QUANTILE_LEVELS, Anatomy, Floats, Run

TITLE: Final = "One mini-batch through one BN layer"
HOW: Final = (
    "Measured on the network as it stands, which nothing here changes. Left: all {units} of the layer. Right: one "
    "{unit}, each line {line}. The backward pass follows the paper’s equations; the loss is the mean over the batch."
)
MARGIN: Final = {"l": 50, "r": 20, "t": 26, "b": 40}
BINS: Final = 40
LAYER_DOMAIN: Final = [0.0, 0.36]
UNIT_DOMAIN: Final = [0.46, 1.0]
JITTER: Final = 0.035  # of the way from before to after: dots of like value stay apart
OUTSIDE: Final = 0.01  # of the layer's values on either side that may lie beyond the axis
APART: Final = 0.1  # of the axis, between the heights of two labels
LINE_OPACITY: Final = 0.35
EVERY_MS: Final = 3000  # a phase, when they are played through: time to read a formula


def anatomy_walk(run: Run, view: View) -> Spec:
    """The phase that the visitor looks at: the layer's distribution before and after, and one unit's images."""
    name, now = "anatomy-walk", walked(run)
    if now is None:
        return waiting(run, name, TITLE, _how(run))
    unit, phases = unit_of(now, view), phases_of(now)
    place = min(max(view.anatomy_phase, 1), len(phases))
    phase = phases[place - 1]
    low, high = _ends(unit, phases, phase.is_backward)
    data = [*_layer(now, phase, low, high), *_images(unit, phase), *_moments(unit, phase)]
    words = Words(f"{TITLE}: {place}. {phase.title}", _finding(now), _alt(unit, phase, place), _how(run))
    return anatomy_chart(
        run, name, words, data, _axes(unit, phase, low, high),
        annotations=[*_headings(unit, phase), *_moment_names(unit, phase, low, high)],
        margin=MARGIN,
        hovermode="closest",
        x="value",
        shows=f"{unit.number}-{'backward' if phase.is_backward else 'forward'}",
        meta={
            "formulas": list(phase.formulas(unit, run.settings.model.nonlinearity)),
            "scrub": {
                "is_played": True,
                "every_ms": EVERY_MS,
                "field": "anatomy_phase",
                "label": "Phase",
                "values": list(range(1, len(phases) + 1)),
                "names": [one.title for one in phases],
                "value": place,
            },
        },
    )  # fmt: skip


def _ends(unit: Unit, phases: tuple[Phase, ...], is_backward: bool) -> tuple[float, float]:
    """Of the value axis, the same for all phases of one direction: so it can be seen how values shrink and move."""
    shown = {name for one in phases if one.is_backward == is_backward for name in (one.before, one.after)}
    values = [unit.value(name) for name in shown]
    layer = [np.interp([OUTSIDE, 1 - OUTSIDE], QUANTILE_LEVELS, layer_quantiles(unit.now, name)) for name in shown]
    known = np.concatenate([one[np.isfinite(one)] for one in (*values, *layer)])
    if not known.size or np.ptp(known) == 0:
        middle = float(known[0]) if known.size else 0.0
        return middle - 1, middle + 1
    return nice_range(float(known.min()), float(known.max()))


# --- the layer --------------------------------------------------------------------------------------------------------


def density_of(quantiles: Floats, edges: Floats) -> Floats:
    """Share of the values in each bin, from their quantiles. [q], [e + 1] to [e]"""
    shares = np.interp(edges, *_distinct(quantiles), left=0, right=1)
    density: Floats = np.diff(shares)
    return density


def _distinct(quantiles: Floats) -> tuple[Floats, Floats]:
    """Values and levels of the distribution function, of equal values the last: a step."""
    is_last = np.append(np.diff(quantiles) > 0, True)
    return quantiles[is_last], QUANTILE_LEVELS[is_last]


def _layer(now: Anatomy, phase: Phase, low: float, high: float) -> list[dict[str, Any]]:
    """All units of the layer, before faint and after filled."""
    edges = np.linspace(low, high, BINS + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    traces: list[dict[str, Any]] = []
    for name, colour, fill in ((phase.before, "@muted", None), (phase.after, "@bn", "@bn/0.16")):
        if name == phase.after and phase.before == phase.after and traces:
            traces.pop()
        quantiles = layer_quantiles(now, name)
        if not np.isfinite(quantiles).all():
            continue
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": density_of(quantiles, edges).astype(np.float32),
                "y": centres,
                "line": {"color": colour, "width": 1.5, "shape": "spline", "smoothing": 1.0},
                **({"fill": "tozerox", "fillcolor": fill} if fill else {}),
                "hoverinfo": "skip",
                "xaxis": "x",
                "yaxis": "y",
            }
        )
    return traces


# --- one unit ---------------------------------------------------------------------------------------------------------


def _images(unit: Unit, phase: Phase) -> list[dict[str, Any]]:
    """A line an image from before to after; where nothing moves, dots alone."""
    before, after = unit.value(phase.before), unit.value(phase.after)
    m, names = len(before), names_of(unit)
    jitter = JITTER * np.cos(2.4 * np.arange(m))  # the golden angle: neighbours are far apart
    axes = {"xaxis": "x2", "yaxis": "y2"}
    dots = {"type": "scatter", "mode": "markers", **axes}
    digits = unit.now.labels.astype(np.uint8)
    if phase.before == phase.after:
        return [
            dots
            | {
                "name": names[phase.after],
                "x": 0.5 + 2 * jitter,
                "y": after,
                "customdata": digits,
                "marker": {"size": 5, "color": "@bn/0.6"},
                "hovertemplate": f"digit %{{customdata}}: {names[phase.after]} = %{{y:.3~g}}<extra></extra>",
            }
        ]
    gap = np.full(m, np.nan)
    x = np.stack([jitter, 1 + jitter, gap], axis=1).ravel()
    y = np.stack([before, after, gap], axis=1).ravel()
    lines = {
        "type": "scatter", "mode": "lines", "name": "images", "x": x, "y": y,
        "line": {"color": f"@muted/{LINE_OPACITY}", "width": 1}, "hoverinfo": "skip", **axes,
    }  # fmt: skip
    marks = [
        dots
        | {
            "name": names[name],
            "x": place + jitter,
            "y": values,
            "customdata": np.stack([digits, before, after], axis=1),
            "marker": {"size": 5, "color": colour},
            "hovertemplate": f"digit %{{customdata[0]}}: {names[phase.before]} %{{customdata[1]:.3~g}} → "
            f"{names[phase.after]} %{{customdata[2]:.3~g}}<extra></extra>",
        }
        for name, place, values, colour in (
            (phase.before, 0.0, before, "@muted/0.7"),
            (phase.after, 1.0, after, "@bn/0.7"),
        )
    ]
    return [lines, *marks]


def _moments(unit: Unit, phase: Phase) -> list[dict[str, Any]]:
    """Mean, and one standard deviation about it."""
    if not phase.has_moments:
        return []
    mean, deviation = unit.moments(phase.after)
    return [
        {
            "type": "scatter", "mode": "lines", "name": "moments", "x": [0.25, 0.75], "y": [height, height],
            "line": {"color": "@text", "width": width, "dash": dash}, "hoverinfo": "skip",
            "xaxis": "x2", "yaxis": "y2",
        }
        for height, width, dash in (
            (mean, 2, "solid"), (mean - deviation, 1, "4px,3px"), (mean + deviation, 1, "4px,3px"),
        )
    ]  # fmt: skip


def _moment_names(unit: Unit, phase: Phase, low: float, high: float) -> list[dict[str, Any]]:
    """At the right of the mean's line: an annotation named "moment"."""
    if not phase.has_moments:
        return []
    mean, deviation = unit.moments(phase.after)
    named = [(mean, f"mean {number(mean)}"), (mean + deviation, f"+ s.d. {number(deviation)}")]
    if deviation < APART * (high - low):  # one label: two would stand upon each other
        named = [(mean, f"mean {number(mean)}, s.d. {number(deviation)}")]
    return [
        {
            "name": "moment", "text": text, "xref": "x2", "x": 0.77, "xanchor": "left", "yref": "y2", "y": height,
            "showarrow": False, "font": {"size": NAME_SIZE, "color": "@text"}, "bgcolor": "@page/0.8",
        }
        for height, text in named
    ]  # fmt: skip


def _axes(unit: Unit, phase: Phase, low: float, high: float) -> dict[str, Any]:
    names = names_of(unit)
    highest = _highest(unit.now, phase, low, high)
    densities = base_axis("y", 0, highest, domain=LAYER_DOMAIN, showticklabels=False, ticks="")
    ends = [0.5] if phase.before == phase.after else [0, 1]
    texts = [names[phase.after]] if phase.before == phase.after else [names[phase.before], names[phase.after]]
    images = base_axis(
        "y2", -0.15, 1.15, domain=UNIT_DOMAIN, tickvals=ends, ticktext=texts, showline=False, ticks="",
        tickfont={"size": NAME_SIZE + 1, "color": "@text"},
    )  # fmt: skip
    return {
        "xaxis": densities,
        "yaxis": value_axis("x", low, high),
        "xaxis2": images,
        "yaxis2": value_axis("x2", low, high, matches="y"),
    }


def _highest(now: Anatomy, phase: Phase, low: float, high: float) -> float:
    edges = np.linspace(low, high, BINS + 1)
    found = [float(density_of(layer_quantiles(now, name), edges).max()) for name in (phase.before, phase.after)]
    return 1.08 * max(*(one for one in found if np.isfinite(one)), 1e-9)


def _headings(unit: Unit, phase: Phase) -> list[dict[str, Any]]:
    names = names_of(unit)
    moved = phase.before != phase.after
    of = f"{names[phase.before]} → {names[phase.after]}" if moved else names[phase.after]
    return [
        panel_heading(0, f"all {unit_word(unit.now)}s: {of}", 0),
        panel_heading(1, f"{unit.name}, {shown_text(unit.now)}", 1),
    ]


# --- what is said -----------------------------------------------------------------------------------------------------


def _how(run: Run) -> str:
    model, now = run.settings.model, walked(run)
    line = "an image" if not model.is_convolutional else "an image’s value at one position"
    if now is not None and len(now.labels) < now.m:
        line += f", of which a fixed sample of {whole(len(now.labels))} is drawn"
    return HOW.format(unit=model.unit, units=model.units, line=line)


def _finding(now: Anatomy) -> str:
    """How far ours is from PyTorch's, relative to its largest value."""
    if not len(now.differences) or not np.isfinite(now.differences).all():
        return where_text(now)
    of = dict(zip(COMPARED, now.differences.tolist(), strict=True))
    backward = max(of["d_x"], of["d_gamma"], of["d_beta"])
    running = max(of["running mean"], of["running variance"])
    return (
        f"{where_text(now)}; largest relative difference from PyTorch’s own: forward {number(of['y'], 1)}, "
        f"backward {number(backward, 1)}, running statistics {number(running, 1)}"
    )


def _alt(unit: Unit, phase: Phase, place: int) -> str:
    def told(name: str) -> str:
        mean, deviation = unit.moments(name)
        return f"{names_of(unit)[name]} with mean {number(mean)}, s.d. {number(deviation)}"

    moved = f" to {told(phase.after)}" if phase.before != phase.after else ""
    where = f"Phase {place}, {phase.title}, at {where_text(unit.now)}"
    return f"{where}. {unit.name.capitalize()}: from {told(phase.before)}{moved}."
