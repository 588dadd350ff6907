"""Landscape parts: what the charts of the page of landscapes share, and the words in which they say what is shown."""

import re
import textwrap
from typing import Any, Final

import numpy as np

from bnviz.config import COMPETITORS, MEAN, NOW, Directions, LandscapeConfig, Statistics, View, WeightPoint
from bnviz.figures.chart import note
from bnviz.figures.gradient_bins import Place, places
from bnviz.figures.numbers import percent, whole
from bnviz.figures.theme import Spec
from bnviz.figures.words import enumerate_texts, spoken
from bnviz.records import Floats, Landscape, Phase, Run

NOT_DRAWN: Final = "Press Play: the loss is measured around the present weights."
NOT_ASKED: Final = "Nothing is drawn: Draw anew, or choose something else."
NOT_YET: Final = "Being measured."
NOTE_CHARACTERS: Final = 44  # a line of a note: fits into a card a third of the page wide
COARSEST: Final = 64  # stride of the coarsest grid that is looked for
POINT_NAMES: Final = "ABC"
_A_POINT: Final = re.compile(
    r"(earlier-)?\b(" + "|".join(one.name for one in COMPETITORS.values()) + r")@(now\b|\d{1,9}\b)"
)
GAPS: Final = {1: 0.0, 2: 0.09, 3: 0.07}  # share of the width between two planes

_STATISTICS: Final = {
    Statistics.BATCH: "with each batch’s own statistics",
    Statistics.RUNNING: "frozen at the running statistics",
    Statistics.INTERPOLATED: "with running statistics interpolated on the plane",
}
_DIRECTIONS: Final = {
    Directions.PATHS: "along the two leading directions of all paths together",
    Directions.RANDOM: "along two random filter-normalised directions",
    Directions.GRADIENT: "along each network’s gradient and a random direction orthogonal to it",
    Directions.POINTS: "through A, B and C",
}


# --- which surface ----------------------------------------------------------------------------------------------------


def drawn(run: Run) -> Landscape | None:
    """The landscape, if there is one of these networks to draw."""
    now = run.landscape
    return None if now is None or now.problem or now.loss.shape[0] != len(run.competitors) else now


def batches_of(now: Landscape) -> int:
    return int(now.loss.shape[1])


def shown_batch(now: Landscape, view: View) -> int:
    """Which surface this view asks for: MEAN, or the nearest batch that there is."""
    return MEAN if view.batch < 0 else min(view.batch, batches_of(now) - 1)


def of_batch(losses: Floats, batch: int) -> Floats:
    """One batch of [k, s, ...], or the mean over them, which is NaN where one of them is not known: [k, ...]"""
    chosen: Floats = losses.mean(axis=1) if batch == MEAN else losses[:, batch]
    return chosen


def with_batch_choice(spec: Spec, now: Landscape | None) -> Spec:
    """The same chart with what its batch switch offers."""
    if now is not None and batches_of(now) > 1:
        count = batches_of(now)
        spec["layout"]["meta"]["choices"] = [
            {
                "field": "batch",
                "label": "Batch",
                "options": [[f"batch {batch + 1} of {count}", batch] for batch in range(count)],
                "others": [["Mean", MEAN]],
            }
        ]
    return spec


def known_grid(now: Landscape, loss: Floats) -> tuple[Floats, Floats, Floats]:
    """alpha, beta and loss on the finest grid whose points are all known; grids come coarse first.

    loss: [g_beta, g_alpha], or [k, g_beta, g_alpha] for a grid on which all are known
    """
    unknown = np.asarray(np.isnan(loss).reshape(-1, *loss.shape[-2:]).any(axis=0))
    stride = 1
    while unknown[::stride, ::stride].any() and stride < COARSEST:
        stride *= 2
    return now.alpha[::stride], now.beta[::stride], loss[..., ::stride, ::stride]


def panels(run: Run) -> list[Place]:
    return places(len(run.competitors), GAPS)


# --- what is said -----------------------------------------------------------------------------------------------------


def absent_note(run: Run, characters: int = NOTE_CHARACTERS) -> dict[str, Any]:
    """Why there is nothing to see: what went wrong in the record's own words, or what to do."""
    if run.landscape is None:
        is_going = run.status.phase is Phase.PLAYING or run.status.step > 0
        return wrapped_note(NOT_ASKED if is_going else NOT_DRAWN, characters)
    return wrapped_note(problem_text(run) or NOT_YET, characters)


def problem_text(run: Run) -> str:
    """Why there is no picture, points of a path by name: "bn@now" would read as a colour. Empty if there is one."""
    text = run.landscape.problem if run.landscape else ""
    return _A_POINT.sub(lambda match: _point_text(run, WeightPoint.parse(match[0])), text).replace("@", " at ")


def wrapped_note(text: str, characters: int = NOTE_CHARACTERS) -> dict[str, Any]:
    return note("<br>".join(textwrap.wrap(text, characters)))


def progress(now: Landscape) -> str:
    """Such as "37 % measured"; empty when all is."""
    return "" if now.done >= 1 else f"{percent(min(now.done, 0.99), 0)} measured"


def statistics_text(now: Landscape) -> str:
    """What BN takes, and why if that is not what was asked for."""
    text = _STATISTICS[now.statistics]
    if now.config.statistics is Statistics.INTERPOLATED and now.statistics is Statistics.RUNNING:
        return f"{text}, as this plane has none to interpolate between"
    return text


def directions_text(now: Landscape) -> str:
    """What spans the plane, and why if that is not what was asked for."""
    text = _DIRECTIONS[now.directions]
    if now.directions is Directions.RANDOM and now.config.directions is not Directions.RANDOM:
        return f"{text}, as there is no path yet"
    return text


def batch_text(now: Landscape, batch: int) -> str:
    """Such as "batch 2 of 4, 512 images", "mean over 4 batches of 512 images"."""
    images, count = f"{whole(now.images)} images", batches_of(now)
    if count == 1:
        return f"one batch of {images}"
    return f"mean over {count} batches of {images}" if batch == MEAN else f"batch {batch + 1} of {count}, {images}"


def zero_units_text(run: Run, now: Landscape) -> str:
    """Such as "3 units without BN, whose weights are all 0, do not move"; empty if there are none."""
    counts = np.nan_to_num(now.zero_units)  # NaN of a network that has stopped
    if not counts.any():
        return ""
    texts = [f"{whole(int(count))}" if count else None for count in counts]
    is_one = int(counts.sum()) == 1
    told = enumerate_texts(run.competitors, texts, of=" unit" if is_one else " units")
    return f"{told}, whose weights are all 0, {'does' if is_one else 'do'} not move"


def points_text(run: Run, config: LandscapeConfig) -> str:
    """Which weights A, B and C are."""
    return "; ".join(
        f"{name} {_point_text(run, point)}" for name, point in zip(POINT_NAMES, config.points, strict=True)
    )


def _point_text(run: Run, point: WeightPoint) -> str:
    label = next((spoken(one) for one in run.competitors if one.name == point.network), point.network)
    when = "now" if point.step == NOW else f"at step {whole(point.step)}"
    if point.is_earlier:
        return f"{label} {'at the end' if point.step == NOW else when} of the earlier run"
    return f"{label} {when}"
