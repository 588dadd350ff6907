"""What the charts of experiments of several runs share: frame, axes, lines with their names, medians over seeds.

Shapes as in `records.trials`: k = competitors, x = conditions, r = seeds; n = places on an x axis.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bnviz.config import Competitor, Experiment, View
from bnviz.figures.chart import (
    Words,
    base_axis,
    clear_note,
    empty_axes,
    key_of,
    line,
    measured_part,
    not_yet,
)
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import percent
from bnviz.figures.studies import staged, study_chart
from bnviz.figures.theme import MARKER_SIZE, TICK_SIZE, Spec, swatch_of, symbol_of, symbol_size
from bnviz.figures.untrained_parts import Scale
from bnviz.figures.words import NO_BN
from bnviz.records import Floats, Run, Trials

WAITING: Final = "No network of this experiment has finished yet."
LINE_WIDTH: Final = 2.0
MOST_WRITTEN: Final = 6  # labels on an axis of places
SMALL: Final = 0.55  # of a marker: of a single seed
PAD: Final = 0.35  # of the distance between two places, beyond the first and the last one
ROW_PAD: Final = 0.6  # of the distance between two rows
PERCENT: Final = 100.0
LEAST_ERROR: Final = 0.01  # per cent, below which no network comes here: half a test image
DIVERGED: Final = "× diverged"
_CONDITION: Final = {
    Experiment.BATCH_SIZE: "batch size {}",
    Experiment.INITIALIZATION: "learning rate {}",
    Experiment.DROPOUT: "{} training images",
}


def trials_chart(
    run: Run,
    name: str,
    words: Words,
    data: Sequence[Mapping[str, Any]],
    axes: Mapping[str, Mapping[str, Any]],
    **more: Any,
) -> Spec:
    """A chart of `run.trials`, with the experiment's networks in place of the run's own."""
    networks = staged(run, run.trials.config.competitors if run.trials else ())
    return study_chart(networks, run.trials, name, words, data, axes, key=key_of(networks), **more)


def waiting(run: Run, name: str, title: str, how: str) -> Spec:
    """The chart before anything of it is measured."""
    return trials_chart(run, name, not_yet(title, how), [], empty_axes(), annotations=[clear_note(WAITING)])


def progress(trials: Trials) -> str:
    """Such as "median of 3 seeds" or "1 of 3 seeds so far"."""
    whole = _seeds_known(trials)
    seeds = trials.config.seeds
    if whole == seeds:
        return f"median of {seeds} seeds" if seeds > 1 else "one seed"
    return f"{max(whole, 1)} of {seeds} seeds so far" if seeds > 1 else "one seed, still being measured"


def _seeds_known(trials: Trials) -> int:
    """From how many seeds every condition has been measured."""
    known = np.isfinite(trials.diverged_step).all(axis=(0, 1))
    return int(known.sum())


def median(values: Floats, axis: int) -> Floats:
    """Over seeds, of those measured so far; NaN where none is."""
    is_known = np.isfinite(values).any(axis=axis)
    found: Floats = np.nanmedian(np.where(np.expand_dims(is_known, axis), values, 0.0), axis=axis)
    result: Floats = np.where(is_known, found, np.nan)
    return result


def newest(values: Floats) -> Floats:
    """The last value of each row that is known; NaN where none is. [k, n] to [k]"""
    known = [row[np.isfinite(row)] for row in values]
    return np.array([row[-1] if row.size else np.nan for row in known])


def at_inference(trials: Trials) -> Floats:
    """Accuracy at the end of each run: [k, x, r]."""
    at_the_end: Floats = trials.accuracy[..., -1]
    return at_the_end


def error_of(accuracy: Floats) -> Floats:
    """In per cent, never below what a logarithmic axis begins with."""
    error: Floats = np.maximum(PERCENT * (1 - accuracy), LEAST_ERROR)
    return error


def condition_of(trials: Trials, view: View) -> int:
    """The place of the condition that the visitor looks at, the nearest that there is."""
    return min(max(view.trial, 0), len(trials.config.conditions) - 1)


def condition_text(trials: Trials, x: int) -> str:
    """Such as "learning rate 0.1"."""
    return _CONDITION.get(trials.config.experiment, "{}").format(trials.config.conditions[x].label)


# --- networks that diverged -------------------------------------------------------------------------------------------


def has_ended(trials: Trials) -> NDArray[np.bool_]:
    """Where a network has diverged from every seed measured so far, so that no median is left of it. [k, x]"""
    known = np.isfinite(trials.diverged_step)
    ended: NDArray[np.bool_] = known.any(axis=2) & ((trials.diverged_step > 0) == known).all(axis=2)
    return ended


def failures(trials: Trials, conditions: Sequence[int] | None = None) -> str:
    """Who diverged under which of these conditions, all of them unless given, and from how many seeds; else nothing.

    Medians are over the seeds that are left: where only some are, this says so.
    """
    places = range(len(trials.config.conditions)) if conditions is None else conditions
    told = [f"at {trials.config.conditions[x].label} {who}" for x in places if (who := _failed(trials, x))]
    return f"Diverged: {'; '.join(told)}." if told else ""


def _failed(trials: Trials, x: int) -> str:
    """Such as "He, LSUV (1 of 3 seeds)"."""
    names = []
    for one, steps in zip(trials.config.competitors, trials.diverged_step[:, x], strict=True):
        failed, known = int((steps > 0).sum()), int(np.isfinite(steps).sum())
        if failed:
            part = "" if failed == known else f" ({failed} of {known} seeds)"
            name = one.label.removesuffix(NO_BN) if one.has_own_start else one.label.replace(NO_BN, " without BN")
            names.append(f"{name}{part}")
    return ", ".join(names)


# --- axes -------------------------------------------------------------------------------------------------------------


def places_axis(anchor: str, labels: Sequence[str], most: int = MOST_WRITTEN, **more: Any) -> dict[str, Any]:
    """An x axis with one place for each label; of more than `most` some are left out."""
    every = -(-len(labels) // most)
    places, texts = list(range(0, len(labels), every)), list(labels[::every])
    return base_axis(anchor, -PAD, len(labels) - 1 + PAD, tickvals=places, ticktext=texts, **more)


def rows_axis(names: Sequence[str], panel: str, number: int) -> dict[str, Any]:
    """A y axis with a row for each name, the first one at the top; panels beside the first one, 0, share its names."""
    return {
        "anchor": f"x{panel}",
        "autorangeoptions": {"clipmin": -ROW_PAD, "clipmax": len(names) - 1 + ROW_PAD},
        "tickvals": list(range(len(names))),
        "ticktext": list(reversed(names)),
        "showticklabels": number == 0,
        "showgrid": True,
        "gridcolor": "@grid",
        "zeroline": False,
        "ticks": "",
        "tickfont": {"size": TICK_SIZE, "color": "@text"},
        "ticklabeloverflow": "allow",
        **({"matches": "y"} if number else {}),
    }


# --- lines ------------------------------------------------------------------------------------------------------------


def series(
    competitors: Sequence[Competitor], x: Floats, values: Floats, scale: Scale, hover: str, panel: str = ""
) -> list[dict[str, Any]]:
    """A line for each network, with its shape at every place. x: [n], values: [k, n]"""
    lines = []
    for one, row in zip(competitors, values, strict=True):
        at, y = measured_part(x, row)
        if not len(at):
            continue
        drawn = line(
            at, np.clip(y, scale.low, scale.high), name=one.label, colour=f"@{one.name}", hover=hover, customdata=y,
            xaxis=f"x{panel}", yaxis=f"y{panel}",
        )  # fmt: skip
        drawn["line"]["width"] = LINE_WIDTH
        marker = {"symbol": symbol_of(one), "size": symbol_size(one, MARKER_SIZE - 2), "color": f"@{one.name}"}
        lines.append(drawn | {"mode": "lines+markers", "marker": marker, "cliponaxis": False})
    return lines


def seeds(
    competitors: Sequence[Competitor], x: Floats, values: Floats, scale: Scale, panel: str = ""
) -> list[dict[str, Any]]:
    """A faint small shape for each seed's own value, where there are several. values: [k, n, r]"""
    if values.shape[2] < 2:
        return []
    marks = []
    for one, rows in zip(competitors, values, strict=True):
        known = np.isfinite(rows)
        marker = {
            "symbol": symbol_of(one), "size": SMALL * symbol_size(one), "color": f"@{one.name}", "opacity": 0.5,
        }  # fmt: skip
        marks.append(
            {
                "type": "scatter", "mode": "markers", "name": f"{one.label}, each seed", "hoverinfo": "skip",
                "x": np.broadcast_to(x[:, None], rows.shape)[known],
                "y": np.clip(rows[known], scale.low, scale.high),
                "marker": marker, "cliponaxis": False, "xaxis": f"x{panel}", "yaxis": f"y{panel}",
            }
        )  # fmt: skip
    return marks


def labels_at_ends(
    competitors: Sequence[Competitor],
    x: Floats,
    values: Floats,
    scale: Scale,
    texts: Sequence[str],
    panel: str = "",
    *,
    has_names: bool = True,
    ended: NDArray[np.bool_] | None = None,
) -> list[dict[str, Any]]:
    """The newest value of each line beside it, with the network's name. values: [k, n]

    Of networks that have `ended`, [k], it is said at the right that they diverged, at the height of their last value.
    """
    labels = []
    for k, (one, row, text) in enumerate(zip(competitors, values, texts, strict=True)):
        known, is_lost = np.flatnonzero(np.isfinite(row)), ended is not None and bool(ended[k])
        if not known.size and not is_lost:
            continue
        last = float(row[known[-1]]) if known.size else scale.high
        place = float(x[-1] if is_lost else x[known[-1]])
        value = f"<b>{DIVERGED if is_lost else text}</b>"
        words = f"{value} {swatch_of(one)} {one.label}" if has_names else f"{swatch_of(one)} {value}"
        labels.append(EndLabel(words, place, scale.label_y(last), scale.place(last), lines=1))
    return end_labels(labels, panel)


def rough(share: float) -> str:
    """A share as per cent with one decimal, a dash where it is not known."""
    return percent(share) if np.isfinite(share) else "–"
