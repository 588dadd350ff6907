"""How well the images trained on are fitted, and how much worse the test images are, by their number.

Shapes as in `records.trials`.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, domains, number_of, panel_heading
from bnviz.figures.numbers import MINUS, finite, nice_at_least, nice_range
from bnviz.figures.theme import Spec
from bnviz.figures.timeline import axis_unit
from bnviz.figures.trials_parts import (
    PERCENT,
    at_inference,
    error_of,
    failures,
    has_ended,
    labels_at_ends,
    median,
    newest,
    places_axis,
    progress,
    rough,
    seeds,
    series,
    trials_chart,
    waiting,
)
from bnviz.figures.untrained_parts import Scale
from bnviz.figures.words import enumerate_texts, joined
from bnviz.records import Floats, Run, Trials

PANEL_GAP: Final = 0.16
MARGIN: Final = {"l": 44, "r": 170, "t": 26, "b": 28}
LEAST: Final = 0.1  # per cent: what is smaller is drawn there
TICKS: Final = (0.1, 0.3, 1, 3, 10, 30, 100)
HEADINGS: Final = ("error on training images", "test error − training error, points")
MOST_LABELS: Final = 3  # under a panel
FIT, GAP = 0, 1


def trials_fit(run: Run, view: View) -> Spec:
    """Training error of every network by condition, and beside it the gap to its test error."""
    trials, name, title = run.trials, "trials-fit", "Fitted, and by how much too well"
    how = (
        "Share classified wrongly at inference at the end of each run, of the training images (of at most 10,000 of "
        "them, evenly spaced) and of the 10,000 test images. Under 0.1 % is drawn at the lower edge."
    )
    if trials is None:
        return waiting(run, name, title, how)
    competitors, labels = trials.config.competitors, [one.label for one in trials.config.conditions]
    fit, gap = trials.training_accuracy, PERCENT * (trials.training_accuracy - at_inference(trials))  # [k, x, r]
    x = np.arange(len(labels), dtype=np.float64)
    errors, gaps = error_of(median(fit, axis=2)), median(gap, axis=2)
    each = (
        (error_of(fit), errors, _error_scale(error_of(fit)), "%{customdata:.1f} %"),
        (gap, gaps, _gap_scale(gap), "%{y:.1f}"),
    )
    texts = [rough(error / PERCENT) for error in newest(errors)], [points(gap) for gap in newest(gaps)]
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = [axis_unit("training images")]
    axes: dict[str, Any] = {}
    for part, domain in enumerate(domains(len(HEADINGS), PANEL_GAP)):
        panel, (all_seeds, values, scale, hover), is_gap = number_of(part), each[part], part == GAP
        data += seeds(competitors, x, all_seeds, scale, panel)
        data += series(competitors, x, values, scale, hover, panel)
        annotations.append(panel_heading(part, HEADINGS[part]))
        annotations += labels_at_ends(
            competitors, x, values, scale, texts[part], panel,
            has_names=is_gap, ended=has_ended(trials)[:, -1] if is_gap else None,
        )  # fmt: skip
        shared = {"matches": "x"} if is_gap else {}
        axes[f"xaxis{panel}"] = places_axis(f"y{panel}", labels, MOST_LABELS, domain=domain) | shared
        axes[f"yaxis{panel}"] = scale.axis(f"x{panel}") | ({} if is_gap else _ticks(scale))
    finding = joined(f"{trials.config.steps:,} steps each, {progress(trials)}.", failures(trials))
    words = Words(title, finding, _alt(trials, title, median(fit, axis=2), gaps), how)
    return trials_chart(
        run, name, words, data, axes, annotations=annotations, margin=MARGIN, x="training images"
    )  # fmt: skip


def points(value: float) -> str:
    """A difference of percentages with one decimal, a dash where it is not known."""
    return f"{value:.1f}".replace("-", MINUS) if np.isfinite(value) else "–"


def _error_scale(errors: Floats) -> Scale:
    """From `LEAST` to a round end that holds every seed's error, in per cent."""
    return Scale(LEAST, nice_at_least(max(float(finite(errors).max(initial=0)), 10.0)))


def _ticks(scale: Scale) -> dict[str, Any]:
    values = [tick for tick in TICKS if tick <= scale.high]
    return {"tickvals": values, "ticktext": [*[f"{tick:g}" for tick in values[:-1]], f"{values[-1]:g} %"]}


def _gap_scale(gap: Floats) -> Scale:
    """Round ends that hold every seed's gap and 0."""
    return Scale(*nice_range(*_ends(np.append(finite(gap), 0.0))), is_log=False)


def _ends(values: Floats) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _alt(trials: Trials, title: str, fit: Floats, gaps: Floats) -> str:
    """fit: [k, x], shares; gaps: [k, x], points"""
    parts = [f"{title}: error on training images, and by how many points that on test images is larger."]
    for x, condition in enumerate(trials.config.conditions):
        texts = [
            f"{rough(1 - share)} and {points(gap)}" if np.isfinite(share) else None
            for share, gap in zip(fit[:, x], gaps[:, x], strict=True)
        ]
        if told := enumerate_texts(trials.config.competitors, texts):
            parts.append(f"{condition.label}: {told}.")
    return joined(*parts, failures(trials))
