"""Landscape cut: the loss on a straight line through weight space, from start to now or from twin to twin."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import MARGIN, Words, base_axis, chart, line
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.landscape_parts import absent_note, drawn, progress, statistics_text, wrapped_note
from bnviz.figures.numbers import number, whole
from bnviz.figures.shift import Scale, log_scale
from bnviz.figures.theme import EVENT_WIDTH, GHOST_OPACITY, TICK_SIZE, Spec, line_width, swatch_of
from bnviz.figures.timeline import INSIDE
from bnviz.figures.words import has_data, names_in_turn, spoken
from bnviz.records import START_TO_NOW, TWIN_TO_TWIN, Floats, Landscape, Run

ENDS: Final = (-0.25, 1.25)  # of the line that is drawn, where nothing is measured yet
FALLING: Final = 1e-3  # share of a cut's range that it may rise and still count as falling: rounding
BATCH_WIDTH: Final = 1
CHARACTERS: Final = 30  # a line of a note: labels leave less room beside this plot

TITLE: Final = "Loss on a straight line"


@dataclass(frozen=True)
class Way:
    """The loss of one competitor between the two ends of a line.

    Attributes:
        is_falling: it rises nowhere, up to rounding.
        rise: the highest climb on the way, in nats: from a point to a later one.
        barrier: how far the highest point lies above both ends, in nats.
        overflows: it is not finite somewhere on the way.
    """

    is_falling: bool
    rise: float
    barrier: float
    overflows: bool


def way_of(alpha: Floats, loss: Floats) -> Way | None:
    """What a cut does between alpha = 0 and 1; None where it is not known yet. alpha, loss: [c]"""
    inside = loss[(alpha >= -1e-9) & (alpha <= 1 + 1e-9)]
    if not inside.size or np.isnan(inside).any():
        return None
    if np.isinf(inside).any():
        return Way(False, float("inf"), float("inf"), True)
    rise = float((inside - np.minimum.accumulate(inside)).max())
    barrier = float(inside.max() - max(inside[0], inside[-1]))
    return Way(rise <= FALLING * float(np.ptp(inside)), rise, barrier, False)


def landscape_cut(run: Run, view: View) -> Spec:
    """The mean loss over the batches along a line, each batch's own as a thin line behind it."""
    which = TWIN_TO_TWIN if view.is_between else START_TO_NOW
    now = drawn(run)
    losses = now.cut_loss[which] if now is not None else np.empty((len(run.competitors), 0, 0))  # [k, s, c]
    alpha = now.cut_alpha if now is not None else np.empty(0)
    mean = np.array([_mean(one) for one in losses]) if losses.size else np.full((len(losses), len(alpha)), np.nan)
    scale = log_scale(losses)
    data: list[dict[str, Any]] = []
    annotations = _end_names(run, which)
    if not has_data(losses):
        annotations = [_absent(run, now, which)]
    labels: list[EndLabel] = []
    for k in range(len(run.competitors)):
        if not has_data(losses[k]):
            continue
        data += _single(run, k, alpha, losses[k], scale)
    for k, one in enumerate(run.competitors):
        y = np.where(np.isfinite(mean[k]), mean[k], np.nan)
        if not has_data(y):
            continue
        data.append(line(alpha, scale.inside(y), name=one.label, colour=f"@{one.name}", hover="%{y:.4~g} nats"))
        data[-1]["line"]["width"] = line_width(k)
        last = int(np.flatnonzero(np.isfinite(y))[-1])
        labels.append(_label(run, k, float(scale.inside(y)[last]), alpha, scale))
    numbers = {"showticklabels": bool(data)}
    grid = {"showgrid": bool(data)}
    words = Words(TITLE, _finding(run, now, alpha, mean, which), _alt(run, now, alpha, mean, which), _how(now))
    return chart(
        run, "landscape-cut", words, data,
        {"xaxis": _x_axis(alpha) | numbers, "yaxis": scale.axis("x") | numbers | grid},
        annotations=[*annotations, *end_labels(labels)],
        shapes=_end_lines() if data else [],
        margin=MARGIN,
        x="share of the line",
        shows=str(which),
    )  # fmt: skip


def _mean(losses: Floats) -> Floats:
    """Over the batches that are measured all along the line; NaN if none is. [s, c] to [c]"""
    whole_ones = losses[~np.isnan(losses).any(axis=1)]
    mean: Floats = whole_ones.mean(axis=0) if len(whole_ones) else np.full(losses.shape[1], np.nan)
    return mean


def _single(run: Run, k: int, alpha: Floats, losses: Floats, scale: Scale) -> list[dict[str, Any]]:
    """Each batch's own cut; not where there is only one, which is its own mean. losses: [s, c]"""
    one = run.competitors[k]
    if len(losses) < 2:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": f"{one.label}, batch {batch + 1}",
            "x": alpha,
            "y": scale.inside(np.where(np.isfinite(loss), loss, np.nan)),
            "line": {"color": f"@{one.name}", "width": BATCH_WIDTH},
            "opacity": GHOST_OPACITY,
            "hoverinfo": "skip",
        }
        for batch, loss in enumerate(losses)
        if has_data(loss)
    ]


def _x_axis(alpha: Floats) -> dict[str, Any]:
    low, high = (float(alpha[0]), float(alpha[-1])) if len(alpha) else ENDS
    return base_axis("y", low, high, tickvals=[0, 0.5, 1], unifiedhovertitle={"text": "%{x:.3f} of the line"})


def _end_lines() -> list[dict[str, Any]]:
    """A thin line at each end of the way."""
    return [
        {
            "type": "line",
            "name": "end",
            "layer": "below",
            "xref": "x",
            "x0": x,
            "x1": x,
            "yref": "y domain",
            "y0": 0,
            "y1": 1,
            "line": {"color": "@axis", "width": EVENT_WIDTH},
        }
        for x in (0, 1)
    ]


def _end_names(run: Run, which: int) -> list[dict[str, Any]]:
    """What weights the line begins and ends with: annotations named "cut-end"."""
    if which == TWIN_TO_TWIN:
        texts = [f"{swatch_of(one)} {one.label}" for one in run.competitors[:2]]
    else:
        texts = ["start", "now"]
    return [
        {
            "name": "cut-end",
            "text": text,
            "xref": "x",
            "x": x,
            "xanchor": "left" if which == TWIN_TO_TWIN and x == 0 else "center",
            "yref": "y domain",
            "y": 1,
            "yanchor": "bottom",
            "yshift": 1,
            "showarrow": False,
            "font": {"size": TICK_SIZE, "color": "@text"},
        }
        for x, text in enumerate(texts)
    ]


def _label(run: Run, k: int, y: float, alpha: Floats, scale: Scale) -> EndLabel:
    one = run.competitors[k]
    text = f"{swatch_of(one)} {one.label}"
    return EndLabel(text, float(alpha[-1]) * INSIDE, scale.at(y), scale.place(y), 1)


def _absent(run: Run, now: Landscape | None, which: int) -> dict[str, Any]:
    if now is None or now.done < 1:
        return absent_note(run, CHARACTERS)
    if which == START_TO_NOW:
        text = "There is no line yet: the present weights are the initial ones. Press Play."
    else:
        text = "There is no such line: it needs two networks, one without BN and one with it."
    return wrapped_note(text, CHARACTERS)


# --- what is said -----------------------------------------------------------------------------------------------------


def _ways(alpha: Floats, mean: Floats) -> list[Way | None]:
    return [way_of(alpha, one) for one in mean]


def _finding(run: Run, now: Landscape | None, alpha: Floats, mean: Floats, which: int) -> str:
    """Such as "falls all the way without BN; rises by 0.12 nats with it, 0.05 above both ends"."""
    if now is None or now.done < 1:
        return "" if now is None else progress(now)
    ways = _ways(alpha, mean)
    told = [(one, way) for one, way in zip(run.competitors, ways, strict=True) if way is not None]
    names = names_in_turn([one for one, _ in told])
    if len(told) == len(ways) > 1 and which == START_TO_NOW and all(way.is_falling for _, way in told):
        every = "both networks" if len(ways) == 2 else "all networks"
        return f"falls all the way from start to now in {every}"
    say = _say_between if which == TWIN_TO_TWIN else _say_way
    return "; ".join(say(way, name) for (_, way), name in zip(told, names, strict=True))


def _say_way(way: Way, name: str) -> str:
    if way.overflows:
        return f"overflows on the way {name}"
    if way.is_falling:
        return f"falls all the way {name}"
    above = f", to {number(way.barrier)} above both ends" if way.barrier > 0 else ""
    return f"not monotone {name}: climbs by {number(way.rise)} nats{above}"


def _say_between(way: Way, name: str) -> str:
    if way.overflows:
        return f"overflows between them {name}"
    if way.barrier <= 0:
        return f"no barrier {name}"
    return f"barrier of {number(way.barrier)} nats above both ends {name}"


def _alt(run: Run, now: Landscape | None, alpha: Floats, mean: Floats, which: int) -> str:
    title = "Loss on the straight line from the initial to the present weights"
    if which == TWIN_TO_TWIN:
        title = f"Loss on the straight line from the weights {' to those '.join(map(spoken, run.competitors[:2]))}"
    if now is None or not has_data(mean):
        return f"{title}: nothing to show yet."
    ends = [int(np.argmin(np.abs(alpha - end))) for end in (0, 1)]
    values = (
        f"{spoken(one)} {number(float(mean[k, ends[0]]))} to {number(float(mean[k, ends[1]]))} nats"
        for k, one in enumerate(run.competitors)
        if np.isfinite(mean[k, ends]).all()
    )
    return f"{title}, at step {whole(now.step)}: {'; '.join(values)}. {_finding(run, now, alpha, mean, which)}."


def _how(now: Landscape | None) -> str:
    if now is None:
        return "Loss on fixed batches of training images at evenly spaced points of a straight line."
    return (
        f"Loss on {now.loss.shape[1]} × {whole(now.images)} training images at {len(now.cut_alpha)} points "
        f"of the line, all parameters interpolated; {statistics_text(now)}. Thick: the mean over batches."
    )
