"""Smoothness: the loss and its gradient along the gradient, as Santurkar et al. 2018, Figure 4."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, chart, domains, key_of, line, measured_part, note, number_of, panel_heading
from bnviz.figures.comparisons import compared, ratio_text, series_of, twins_of
from bnviz.figures.labels import EndLabel, end_labels, end_marker
from bnviz.figures.numbers import number, whole
from bnviz.figures.shift import Scale, log_scale, positions, running_median, window_of
from bnviz.figures.theme import BAND_OPACITY, THIN_WIDTH, Spec, line_width, swatch_of
from bnviz.figures.timeline import INSIDE, UNITS, Timeline, event_lines, time_axis, timeline, unit_label
from bnviz.figures.words import has_data, is_diverged, last_finite, spoken
from bnviz.records import STEP_SIZES, Floats, Run

GAP: Final = 0.12  # the numbers of the next panel's axis fit into it at 390 px
MARGIN: Final = {"l": 44, "r": 98, "t": 22, "b": 26}  # on the right the last panel's labels name the networks
TWIN_COUNT: Final = 2  # the first two competitors have a filled ribbon, the others its two ends

TITLE: Final = "Smoothness along the gradient"
_HEADINGS: Final = ("loss, nats", "gradient change", "effective β")


@dataclass(frozen=True)
class _Panel:
    """One measure over time: the ends of each competitor's ribbon, equal where there is only a line.

    low, high: [m, k], running medians; NaN where a competitor has stopped, clipped to the axis where it overflows.
    """

    heading: str
    low: Floats
    high: Floats
    scale: Scale


def smoothness(run: Run, view: View) -> Spec:
    """Range of the loss, change of the gradient and effective smoothness along the gradient, over time."""
    run = run.until_accuracy
    count = len(run.competitors)
    steps, loss = series_of(run.smoothness, "loss_along", count)
    change = series_of(run.smoothness, "gradient_change", count)[1]
    beta = series_of(run.smoothness, "beta", count)[1]
    window = window_of(len(steps))
    panels = [
        _panel(heading, low, high, window)
        for heading, (low, high) in zip(_HEADINGS, (_ends(loss), _ends(change), _highest(beta)), strict=True)
    ]
    time = timeline(run, view)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = [unit_label(time)]
    axes: dict[str, Any] = {}
    for index, (panel, domain) in enumerate(zip(panels, domains(len(panels), GAP), strict=True)):
        data += _traces(run, time, steps, panel, index)
        annotations.append(panel_heading(index, panel.heading))
        axes |= _axes(time, index, domain, panel.scale)
    annotations += _labels(run, time, panels[-1], len(panels) - 1) if len(steps) else [note("Not measured yet.")]
    words = Words(TITLE, _finding(run), _alt(run, panels, steps), _how(len(steps)))
    return chart(
        run, "smoothness", words, data, axes,
        annotations=annotations,
        shapes=event_lines(run, time, [(number_of(p), range(count)) for p in range(len(panels))]),
        margin=MARGIN,
        key=key_of(run),
        x=UNITS[time.axis],
        time_axes=[f"xaxis{number_of(panel)}" for panel in range(len(panels))],
        shows=str(time.axis),
    )  # fmt: skip


def _ends(along: Floats) -> tuple[Floats, Floats]:
    """The lowest and the highest value over the step sizes. [m, k, e] to [m, k] twice"""
    return along.min(axis=2), along.max(axis=2)


def _highest(along: Floats) -> tuple[Floats, Floats]:
    return (along.max(axis=2),) * 2


def _panel(heading: str, low: Floats, high: Floats, window: int) -> _Panel:
    """Infinite values are drawn at the axis's upper end, so that a ribbon that overflows stays one."""
    medians = [_running(one, window) for one in ((high,) if low is high else (low, high))]
    scale = log_scale(np.stack(medians))
    if np.isposinf(high).any():
        medians = [_running(np.where(one == np.inf, scale.high, one), window) for one in (low, high)]
    return _Panel(heading, scale.inside(medians[0]), scale.inside(medians[-1]), scale)


def _running(values: Floats, window: int) -> Floats:
    """Running medians of what has a logarithm. [m, k]"""
    positive = np.where(values > 0, values, np.nan)
    return np.stack([running_median(positive[:, k], window) for k in range(values.shape[1])], axis=1)


def _axes(time: Timeline, index: int, domain: list[float], scale: Scale) -> dict[str, Any]:
    numbered = number_of(index)
    shared: dict[str, Any] = {"matches": "x"} if index else {}
    return {
        f"xaxis{numbered}": time_axis(time, f"y{numbered}", domain=domain, **({"nticks": 4} | shared)),
        f"yaxis{numbered}": scale.axis(f"x{numbered}"),
    }


def _traces(run: Run, time: Timeline, steps: Floats, panel: _Panel, index: int) -> list[dict[str, Any]]:
    """Ribbons behind, then the lines, those beside the twins over them, and the ends on top."""
    axes = {"xaxis": f"x{number_of(index)}", "yaxis": f"y{number_of(index)}"}
    ribbons, lines, ends = [], [], []
    for k, one in enumerate(run.competitors):
        x = positions(time, k, steps)
        at, high = measured_part(x, panel.high[:, k])
        if not len(at):
            continue
        low = measured_part(x, panel.low[:, k])
        is_ribbon = bool((low[1] != high).any()) if len(low[1]) == len(high) else True
        if is_ribbon:
            ribbons += _ribbon(f"@{one.name}", low, (at, high), axes, is_filled=k < TWIN_COUNT)
        name = f"{one.label}, {'highest' if is_ribbon else panel.heading}"
        lines.append(line(at, high, name=name, colour=f"@{one.name}", hover="%{y:.3~g}", **axes))
        lines[-1]["line"]["width"] = THIN_WIDTH if is_ribbon else line_width(k, 2)
        if not is_ribbon:
            ends.append(end_marker(run, k, float(at[-1]), float(high[-1]), **axes))
    return ribbons + lines + ends


def _ribbon(
    colour: str, low: tuple[Floats, Floats], high: tuple[Floats, Floats], axes: dict[str, str], *, is_filled: bool
) -> list[dict[str, Any]]:
    """The lower end, and for the twins what lies between the ends."""
    lower = line(low[0], low[1], name="lowest", colour=colour, hover="%{y:.3~g}", **axes)
    lower["line"]["width"] = THIN_WIDTH
    if not is_filled:
        return [lower]
    upper = line(high[0], high[1], name="highest", colour=colour, hover="", **axes) | {
        "fill": "tonexty",
        "fillcolor": f"{colour}/{BAND_OPACITY}",
        "hoverinfo": "skip",
    }
    upper["line"]["width"] = 0
    return [lower, upper]


def _labels(run: Run, time: Timeline, panel: _Panel, index: int) -> list[dict[str, Any]]:
    """The newest running median of each network, with its name, beside the last panel."""
    newest = [last_finite(panel.high[:, k]) for k in range(len(run.competitors))]
    labels = []
    for k, (one, value) in enumerate(zip(run.competitors, newest, strict=True)):
        if np.isfinite(value):
            beyond = "over " if value >= panel.scale.high else "below " if value <= panel.scale.low else ""
            shown = f"{'× ' if is_diverged(run, k) else ''}{beyond}{number(value)}"
            text = f"<b>{shown}</b><br>{swatch_of(one)} {one.label}"
            labels.append(EndLabel(text, time.end * INSIDE, panel.scale.at(value), panel.scale.place(value)))
    return end_labels(labels, number_of(index))


# --- what is said -----------------------------------------------------------------------------------------------------


def _finding(run: Run) -> str:
    """Such as "with BN ÷ without BN: loss range ÷ 2.8, gradient change ÷ 3.1, β ÷ 1.2 (median of 30 measurements)"."""
    twins = twins_of(run)
    if twins is None:
        return ""
    told, count = [], 0
    for measure, name in (("loss-range", "loss range"), ("gradient-change", "gradient change"), ("beta", "β")):
        (one,) = compared(run, measure, twins) or (None,)
        if one is not None and one.count:
            told.append(f"{name} {ratio_text(one.whole)}")
            count = max(count, one.count)
    if not told:
        return ""
    bn, plain = spoken(run.competitors[twins.bn]), spoken(run.competitors[twins.plain])
    unit = "measurement" if count == 1 else "measurements"
    return f"{bn} relative to {plain}: {', '.join(told)} (median of {whole(count)} {unit})"


def _alt(run: Run, panels: Sequence[_Panel], steps: Floats) -> str:
    if not any(has_data(panel.high) for panel in panels):
        return f"{TITLE}: nothing measured yet."
    parts = []
    for k, one in enumerate(run.competitors):
        ends = [(last_finite(panel.low[:, k]), last_finite(panel.high[:, k])) for panel in panels]
        if np.isfinite(ends).all():
            told = [
                f"{panel.heading} {number(low)}{'' if low == high else f' to {number(high)}'}"
                for panel, (low, high) in zip(panels, ends, strict=True)
            ]
            parts.append(f"{one.label} {', '.join(told)}")
    return f"{TITLE}, at step {whole(steps[-1])}: {'; '.join(parts) or 'not finite'}."


def _how(measurements: int) -> str:
    drawn = f"; running medians of {window_of(measurements)} measurements" if measurements > 2 else ""
    return (
        f"At w − a g with a = {', '.join(f'{size:g}' for size in STEP_SIZES)} × the learning rate, a = 0 not included: "
        f"lowest to highest value over a; β: the highest{drawn}. What leaves the axis is cut off."
    )
