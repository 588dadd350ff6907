"""Test error of every network: by condition, and over the steps of the condition that the visitor looks at.

Shapes as in `records.trials`.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import Equal, Experiment, View
from bnviz.figures.chart import Words, base_axis
from bnviz.figures.numbers import whole
from bnviz.figures.theme import Spec
from bnviz.figures.timeline import axis_unit
from bnviz.figures.trials_parts import (
    MOST_WRITTEN,
    at_inference,
    condition_of,
    condition_text,
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
from bnviz.records import MOMENTS, Floats, Run, Trials

SCALE: Final = Scale(1, 100)
_SUMMARY: Final = {
    Experiment.BATCH_SIZE: ("Test error by batch size", "images a batch"),
    Experiment.MINI_BATCHES: ("Test error by kind of mini-batch", ""),
    Experiment.INITIALIZATION: ("Test error by learning rate", "learning rate"),
    Experiment.DROPOUT: ("Test error by training set", "training images"),
}
MARGIN: Final = {"l": 44, "r": 156, "t": 26, "b": 28}  # at the right, a value and a name in one line
_ROOM: Final = 24  # characters under the x axis
_LONG_NAMES: Final = 190  # px, where one may be called "× diverged" too
_TICKS: Final = ([1, 2, 5, 10, 20, 50, 100], ["1 %", "2", "5", "10", "20", "50", "100"])


def trials_summary(run: Run, view: View) -> Spec:
    """Test error at the end of every run, by condition."""
    trials, name = run.trials, "trials-summary"
    how = "Share of the 10,000 test images classified wrongly at inference, at the end of each run."
    if trials is None:
        return waiting(run, name, "Test error", how)
    title, unit = _SUMMARY.get(trials.config.experiment, ("Test error by condition", ""))
    accuracy = at_inference(trials)
    middle = median(accuracy, axis=2)
    x = np.arange(middle.shape[1], dtype=np.float64)
    competitors, error = trials.config.competitors, error_of(middle)
    texts = [rough(1 - share) for share in newest(middle)]
    labels = [one.label for one in trials.config.conditions]
    names = labels_at_ends(competitors, x, error, SCALE, texts, ended=has_ended(trials)[:, -1])
    data = seeds(competitors, x, error_of(accuracy), SCALE)
    data += series(competitors, x, error, SCALE, "%{customdata:.1f} %")
    words = Words(title, _summary_finding(trials), _summary_alt(trials, title, middle), how)
    axes = {"xaxis": places_axis("y", labels, _most_written(labels)), "yaxis": error_axis()}
    return trials_chart(
        run, name, words, data, axes,
        annotations=[*names, *([axis_unit(unit)] if unit else [])],
        margin=_margin(trials),
        x=unit or "condition",
    )  # fmt: skip


def trials_curves(run: Run, view: View) -> Spec:
    """Test error over the steps of one condition's runs."""
    trials, name, title = run.trials, "trials-curves", "Test error over steps"
    how = "Share of the 10,000 test images classified wrongly at inference; before the end, of every fifth of them."
    if trials is None:
        return waiting(run, name, title, how)
    at = condition_of(trials, view)
    middle = median(trials.accuracy[:, at], axis=1)
    steps = np.round(MOMENTS * trials.steps[at])
    competitors, error = trials.config.competitors, error_of(middle)
    of = condition_text(trials, at)
    errors = newest(1 - middle)
    length = f"{of[0].upper()}{of[1:]}, {whole(trials.steps[at])} steps, {progress(trials)}."
    lost = failures(trials, [at])
    words = Words(title, joined(length, lost), joined(f"{title}, {of}.", _told(trials, errors), lost), how)
    texts = [rough(one) for one in errors]
    axes = {
        "xaxis": base_axis("y", 0, float(trials.steps[at]), nticks=5, unifiedhovertitle={"text": "step %{x}"}),
        "yaxis": error_axis(),
    }
    return trials_chart(
        run, name, words, series(competitors, steps, error, SCALE, "%{customdata:.1f} %"), axes,
        annotations=labels_at_ends(competitors, steps, error, SCALE, texts, ended=has_ended(trials)[:, at]),
        margin=_margin(trials),
        x="step",
        shows=str(at),
    )  # fmt: skip


def _most_written(labels: list[str]) -> int:
    """How many of these fit beside each other on a phone."""
    return MOST_WRITTEN if sum(map(len, labels)) <= _ROOM else MOST_WRITTEN // 2


def _margin(trials: Trials) -> dict[str, int]:
    is_long = any(one.has_own_start for one in trials.config.competitors)
    return MARGIN | ({"r": _LONG_NAMES} if is_long else {})


def error_axis(anchor: str = "x", **more: Any) -> dict[str, Any]:
    """Test error in per cent, on `SCALE`."""
    values, texts = _TICKS
    return SCALE.axis(anchor, **more) | {"tickvals": values, "ticktext": texts}


def _told(trials: Trials, shares: Floats) -> str:
    texts = [rough(one) if np.isfinite(one) else None for one in shares]
    told = enumerate_texts(trials.config.competitors, texts)
    return f"Test error {told}." if told else ""


def _summary_finding(trials: Trials) -> str:
    """How long the runs are, from how many seeds the medians, and who diverged."""
    config = trials.config
    length = f"{config.steps:,} steps each" if not config.counts_images else f"{config.images:,} images each"
    amount = f"{length}, {progress(trials)}"
    has_caveat = config.experiment is Experiment.BATCH_SIZE and config.equal is Equal.STEPS
    caveat = "; smaller batches see fewer images" if has_caveat else ""
    return joined(f"{amount[0].upper()}{amount[1:]}{caveat}.", failures(trials))


def _summary_alt(trials: Trials, title: str, middle: Floats) -> str:
    parts = [f"{title}."]
    for x, condition in enumerate(trials.config.conditions):
        texts = [rough(1 - share) if np.isfinite(share) else None for share in middle[:, x]]
        if told := enumerate_texts(trials.config.competitors, texts):
            parts.append(f"{condition.label}: {told}.")
    return joined(*parts, failures(trials))
