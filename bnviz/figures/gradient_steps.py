"""Gradient steps: histograms of one layer's gradient over the steps of a run, one behind the other or overlaid."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, chart, heading, margin_note, note, number_of, value_axis
from bnviz.figures.gradient_bins import (
    EMPTY,
    HOW,
    LOWEST,
    NOT_YET,
    WHOLE,
    Place,
    counts_of,
    edges_of,
    filled_part,
    gradient_axis,
    has_bins,
    highest_count,
    places,
    reach_of,
    rebinned,
    shared_reach,
    shown_step,
    size,
    unit_note,
    unit_of,
    with_scrubber,
)
from bnviz.figures.numbers import whole
from bnviz.figures.theme import RUN_WIDTH, Spec
from bnviz.figures.words import enumerate_texts, is_diverged
from bnviz.records import Floats, Gradients, Run

MOST_RIDGES: Final = {1: 24, 2: 12}  # in panels of one row or of two
MOST_LINES: Final = 12  # over each other, more are a tangle
A_DECADE: Final = (24, 16, 12, 8, 6, 5, 4, 3, 2, 1)  # steps, as many as there is room for
BINS: Final = 101  # of one width for all steps
OVERLAP: Final = 0.2  # how high the highest ridge stands, as a share of all rows
LEAST_OVERLAP: Final = 1.5  # rows
MOST_TICKS: Final = 7
FAINTEST: Final = {True: 0.45, False: 0.25}  # of ridges, and of lines over each other
RIDGE_WIDTH: Final = 1.25
GAPS: Final = {1: 0.0, 2: 0.1, 3: 0.07}
MARGIN: Final = {"l": 48, "r": 98, "t": 22, "b": 26}


def gradient_steps(run: Run, view: View) -> Spec:
    """Gradient of the weights into one layer at steps evenly spread over the run, one panel a competitor."""
    view = view.within(run.settings.model)
    index, now = view.layer - 1, shown_step(run, view)
    panels = places(len(run.competitors), GAPS)
    records = kept_of(run, now, MOST_RIDGES[1 if panels[0].up == WHOLE else 2] if view.is_offset else MOST_LINES)
    reach = shared_reach([reach_of(one, index, view) for one in records])
    new_edges = np.linspace(-reach, reach, BINS + 1)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = [] if records else [note(NOT_YET)]
    curves = [
        [_counts(one, k, index, view, new_edges) for one in records] for k in range(len(run.competitors))
    ]  # [k][steps][n]
    high = highest_count(max((float(counts.max(initial=1)) for each in curves for counts in each), default=1000.0))
    for k in range(len(run.competitors)):
        data += _lines(run, k, view, records, now, curves[k], (new_edges[1:] + new_edges[:-1]) / 2, high)
        if records:
            annotations.append(heading(run, k, k, " ×" if is_diverged(run, k) else ""))
    if now is not None:
        annotations += [*_step_names(run, view, records, now), unit_note(view)]
    words = Words(
        f"Gradients of layer {view.layer}’s weights over steps"
        + (", standardised" if view.is_gradient_standardised else ""),
        _finding(run, now, index),
        _alt(run, view, records, index),
        f"{HOW[:-1]}; bins of one width at every step.",
    )
    spec = chart(
        run, "gradient-steps", words, data, _axes(panels, view, records, reach, high),
        annotations=annotations,
        margin=MARGIN,
        hovermode="closest",
        x=unit_of(view),
        shows=f"{view.layer}-{view.is_gradient_standardised}-{view.is_offset}",
    )  # fmt: skip
    return with_scrubber(spec, run, view)


# --- which steps ------------------------------------------------------------------------------------------------------


def kept_of(run: Run, now: Gradients | None, most: int) -> list[Gradients]:
    """At most so many records, evenly over the logarithm of the step, with the first, the newest and `now`.

    They are those nearest to fixed marks, so that a growing run adds lines and seldom changes those before.
    """
    if now is None or len(run.gradients) <= most:
        return list(run.gradients)
    steps = np.array([one.step for one in run.gradients], np.float64)
    always = {0, len(steps) - 1, int(np.flatnonzero(steps == now.step)[0])}
    for rate in A_DECADE:
        marks = 10.0 ** (np.arange(int(rate * np.log10(max(steps[-1], 1))) + 1) / rate)
        nearest = {int(np.argmin(np.abs(steps - mark))) for mark in marks} | always
        if len(nearest) <= most:
            break
    return [run.gradients[place] for place in sorted(nearest)]


# --- what is drawn ----------------------------------------------------------------------------------------------------


def _counts(gradients: Gradients, k: int, index: int, view: View, new_edges: Floats) -> Floats:
    """Of one competitor at one step; zeros where it has stopped. [n]"""
    counts = counts_of(gradients, view)[k, index]
    if not has_bins(gradients, index, view) or not np.isfinite(counts).all():
        return np.zeros(len(new_edges) - 1)
    return rebinned(counts, edges_of(gradients, index, view), new_edges)


def _lines(
    run: Run,
    k: int,
    view: View,
    records: Sequence[Gradients],
    now: Gradients | None,
    curves: Sequence[Floats],
    centres: Floats,
    high: float,
) -> list[dict[str, Any]]:
    """A line a step, from faint to strong, the oldest behind; that of the step shown lies on top."""
    role, last = run.competitors[k].name, max(len(records) - 1, 1)
    faintest = FAINTEST[view.is_offset]
    traces: list[dict[str, Any]] = []
    emphasised: list[dict[str, Any]] = []
    for place, (one, counts) in enumerate(zip(records, curves, strict=True)):
        part = filled_part(counts)
        if not counts[part].size:
            continue
        is_shown = one is now
        trace = {
            "type": "scatter",
            "mode": "lines",
            "name": f"step {whole(one.step)}",
            "customdata": counts[part].astype(np.float32),
            "xaxis": f"x{number_of(k)}",
            "yaxis": f"y{number_of(k)}",
            "hoveron": "points",
            "hovertemplate": f"%{{customdata:,.0f}} weights near %{{x:.2~g}}<extra>step {whole(one.step)}</extra>",
        }
        strength = 1.0 if is_shown else faintest + (1 - faintest) * place / last
        line = {"color": f"@{role}/{strength:.2f}", "width": RUN_WIDTH if is_shown else RIDGE_WIDTH}
        if is_shown and not view.is_offset:
            line["color"] = "@text/1.00"  # among many lines of its own hue it would be lost
        x, y = centres[part], counts[part]
        if view.is_offset:
            base = float(len(records) - 1 - place)
            y = base + _height(y, high, len(records))
            fill = {"fill": "toself", "fillcolor": f"@{role}/0.35" if is_shown else "@page"}
            x, y = np.concatenate([x[:1], x, x[-1:]]), np.concatenate([[base], y, [base]])
            trace["customdata"] = np.concatenate([[0], counts[part], [0]]).astype(np.float32)
        else:
            y, fill = np.maximum(y, EMPTY), {}
        trace |= {"x": x.astype(np.float32), "y": y.astype(np.float32), "line": line, **fill}
        (emphasised if is_shown else traces).append(trace)
    return traces + emphasised


def _height(counts: Floats, high: float, rows: int) -> Floats:
    """Of a ridge over its row: the logarithm of the count. [n]"""
    height: Floats = _overlap(rows) * np.log(np.maximum(counts, EMPTY) / EMPTY) / np.log(high / EMPTY)
    return height


def _overlap(rows: int) -> float:
    return max(OVERLAP * rows, LEAST_OVERLAP)


def _step_names(run: Run, view: View, records: Sequence[Gradients], now: Gradients) -> list[dict[str, Any]]:
    """In the margin: the step shown, beside its ridge, or which line is which step."""
    text = f"<b>step {whole(now.step)}</b>"
    if view.is_offset:
        base = len(records) - 1 - next(place for place, one in enumerate(records) if one is now)
        beside = {"name": "step-label", "yref": f"y{number_of(len(run.competitors) - 1)}", "y": base}
        return [margin_note(text, yanchor="middle") | beside]
    first, last = records[0].step, records[-1].step
    lines = [f'<span style="color:@text/{FAINTEST[False]}">—</span> step {whole(first)}', "⋮"] if last > first else []
    lines += (
        [f"<b>━</b> step {whole(last)}"]
        if now.step == last
        else [f"— step {whole(last)}", f"<b>━ step {whole(now.step)}</b>"]
    )
    return [margin_note("<br>".join(lines))]


def _ridge_ends(rows: int) -> tuple[float, float]:
    return -0.5, rows - 1 + 1.05 * _overlap(rows)


def _axes(
    panels: Sequence[Place], view: View, records: Sequence[Gradients], reach: float, high: float
) -> dict[str, Any]:
    axes: dict[str, Any] = {}
    for panel, place in enumerate(panels):
        numbered = number_of(panel)
        is_small = place.up != WHOLE
        shared_x, shared_y = ({"matches": "x"}, {"matches": "y"}) if panel else ({}, {})
        axes[f"xaxis{numbered}"] = gradient_axis(f"y{numbered}", place, reach, showspikes=False, **shared_x)
        axis = (
            _row_axis(f"x{numbered}", records, MOST_TICKS // 2 if is_small else MOST_TICKS)
            if view.is_offset
            else value_axis(f"x{numbered}", LOWEST, high, type="log", dtick=2 if is_small else 1, tickformat=",.0f")
        )
        axes[f"yaxis{numbered}"] = axis | {"domain": place.up, "showticklabels": place.is_first} | shared_y
    return axes


def _row_axis(anchor: str, records: Sequence[Gradients], most: int) -> dict[str, Any]:
    """Of the steps, the oldest one on top; a few of them are named."""
    rows = max(len(records), 1)
    low, high = _ridge_ends(rows)
    named = np.unique(np.linspace(0, rows - 1, min(most, rows)).round().astype(int)).tolist() if records else []
    return value_axis(
        anchor,
        low,
        high,
        showgrid=False,
        tickvals=[rows - 1 - place for place in named],
        ticktext=[f"{'' if place else 'step '}{whole(records[place].step)}" for place in named],
    )


# --- what is said -----------------------------------------------------------------------------------------------------


def _finding(run: Run, now: Gradients | None, index: int) -> str:
    """Such as "standard deviation from step 0 to 500: 0.0022 → 0.0016 without BN, 0.0033 → 0.0017 with it"."""
    if now is None:
        return ""
    first = run.gradients[0]
    texts: list[str | None] = []
    for before, after in zip(first.std[:, index], now.std[:, index], strict=True):
        if not np.isfinite(after):
            texts.append(None)
        elif first is now or not np.isfinite(before):
            texts.append(size(float(after)))
        else:
            texts.append(f"{size(float(before))} → {size(float(after))}")
    told = enumerate_texts(run.competitors, texts)
    when = f"step {whole(now.step)}" if first is now else f"from step {whole(first.step)} to {whole(now.step)}"
    return f"{when}, standard deviation {told}" if told else when


def _alt(run: Run, view: View, records: Sequence[Gradients], index: int) -> str:
    title = f"Histograms of the gradient of layer {view.layer}’s weights over steps"
    if not records:
        return f"{title}: not measured yet."
    shown = [records[place] for place in sorted({0, len(records) // 2, len(records) - 1})]
    parts = []
    for k, one in enumerate(run.competitors):
        each = ", ".join(
            f"{size(float(record.std[k, index]))} at step {whole(record.step)}"
            for record in shown
            if np.isfinite(record.std[k, index])
        )
        parts.append(f"{one.label} {each or 'stopped'}")
    return f"{title} {whole(records[0].step)} to {whole(records[-1].step)}. Standard deviations: {'; '.join(parts)}."
