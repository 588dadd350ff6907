"""What the charts of a sweep share: frame, names of its values, medians over seeds in words.

Shapes as in `records.sweep`: k = competitors, y = rows, x = columns, s = seeds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from bnviz.config import Nonlinearity, SweepAxis
from bnviz.figures.chart import Words, clear_note, empty_axes, key_of, not_yet
from bnviz.figures.numbers import setting_value
from bnviz.figures.studies import staged, study_chart
from bnviz.figures.theme import Spec
from bnviz.records import Run, Sweep

WAITING: Final = "Start the sweep: each cell fills in when its networks have been trained."
UNDER_WAY: Final = "The sweep has begun: each cell fills in when its networks have been trained."
EMPTY: Final = "No cell has come in yet."
_NAMES: Final = {Nonlinearity.LEAKY_RELU: "leaky ReLU", Nonlinearity.RELU: "ReLU", Nonlinearity.GELU: "GELU"}


def sweep_chart(
    run: Run,
    name: str,
    words: Words,
    data: Sequence[Mapping[str, Any]],
    axes: Mapping[str, Mapping[str, Any]],
    **more: Any,
) -> Spec:
    """A chart of `run.sweep`, with the sweep's networks in place of the run's own."""
    networks = staged(run, run.sweep.config.competitors if run.sweep else ())
    return study_chart(networks, run.sweep, name, words, data, axes, key=key_of(networks), **more)


def waiting(run: Run, name: str, title: str, how: str) -> Spec:
    """The chart before any run has come in."""
    return sweep_chart(run, name, not_yet(title, how), [], empty_axes(), annotations=[clear_note(EMPTY)])


def is_empty(sweep: Sweep | None) -> bool:
    """Whether no run has come in yet."""
    return sweep is None or bool(np.isnan(sweep.median).all())


def value_text(value: Any) -> str:
    """A value of an axis, as its tick has it."""
    if isinstance(value, Nonlinearity):
        return _NAMES.get(value, str(value))
    return setting_value(float(value))


def texts_of(axis: SweepAxis) -> list[str]:
    return [value_text(one) for one in axis.values]


def name_of(axis: SweepAxis) -> str:
    """Such as "learning rate"."""
    return axis.label[0].lower() + axis.label[1:]


def place_text(sweep: Sweep, row: int, column: int) -> str:
    """Such as "learning rate 0.1, initial scale 0.3"."""
    config = sweep.config
    sides = ((config.x, column), (config.y, row))
    return ", ".join(f"{name_of(axis)} {value_text(axis.values[at])}" for axis, at in sides)


def progress(sweep: Sweep) -> str:
    """Such as "36 of 64 cells", once all are in "64 cells, median of 3 seeds"."""
    status, seeds = sweep.status, sweep.config.seeds
    over = f"median of {seeds} seeds" if seeds > 1 else "one seed"
    if status.runs_done == status.runs_all:
        return f"{status.cells_all} cells, {over}"
    if seeds == 1:
        return f"{status.cells_done} of {status.cells_all} cells"
    return f"{status.runs_done} of {status.runs_all} runs, {over}"
