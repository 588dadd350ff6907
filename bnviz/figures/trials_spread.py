"""How wide each hidden layer's inputs to the nonlinearity are, before training and after it.

Shapes as in `records.trials`.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, domains, number_of, panel_heading
from bnviz.figures.numbers import alike, whole
from bnviz.figures.theme import Spec
from bnviz.figures.trials_parts import (
    condition_of,
    key_text,
    labels_at_ends,
    median,
    progress,
    series,
    trials_chart,
    waiting,
)
from bnviz.figures.untrained_parts import depth_axis, log_scale
from bnviz.figures.words import enumerate_texts, joined
from bnviz.records import Floats, Run, Trials

GAP: Final = 0.22
MARGIN: Final = {"l": 44, "r": 150, "t": 26, "b": 28}
START, END = 0, 1


def trials_spread(run: Run, view: View) -> Spec:
    """Standard deviation of every hidden layer's inputs at step 0 and at the end, on one shared axis."""
    trials, name, title = run.trials, "trials-spread", "Good at the start, and kept so?"
    how = "Standard deviation of each hidden layer’s inputs to the nonlinearity, over 512 test images and all units."
    if trials is None:
        return waiting(run, name, title, how)
    at = condition_of(trials, view)
    middle = median(trials.spread[:, at], axis=1)  # [k, 2, l]
    scale, layers = log_scale(middle), middle.shape[2]
    depth = np.arange(1, layers + 1, dtype=np.float64)
    competitors = trials.config.competitors
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for moment, domain in enumerate(domains(2, GAP)):
        panel, values = number_of(moment), middle[:, moment]
        heading = "at step 0" if moment == START else f"after {whole(trials.steps[at])} steps"
        data += series(competitors, depth, values, scale, "%{customdata:.2~g}", panel)
        texts = alike(values[:, -1].tolist())
        annotations.append(panel_heading(moment, heading))
        annotations += labels_at_ends(competitors, depth, values, scale, texts, panel, has_names=moment == END)
        shared_x, shared_y = ({"matches": "x"}, {"matches": "y", "showticklabels": False}) if moment else ({}, {})
        axes[f"xaxis{panel}"] = depth_axis(f"y{panel}", layers, most=4, domain=domain) | shared_x
        axes[f"yaxis{panel}"] = scale.axis(f"x{panel}", **shared_y)
    label = trials.config.conditions[at].label
    words = Words(title, f"{label[0].upper()}{label[1:]}; {progress(trials)}.", _alt(trials, title, middle), how)
    return trials_chart(
        run, name, words, data, axes,
        annotations=annotations, margin=MARGIN, key=key_text(run), x="layer", shows=str(at),
    )  # fmt: skip


def _alt(trials: Trials, title: str, middle: Floats) -> str:
    """middle: [k, 2, l]"""
    parts = [f"{title} Of the last hidden layer’s inputs, standard deviation"]
    for moment, when in enumerate(("at step 0", "at the end")):
        values = middle[:, moment, -1].tolist()
        texts = [text if np.isfinite(value) else None for text, value in zip(alike(values), values, strict=True)]
        if told := enumerate_texts(trials.config.competitors, texts):
            parts.append(f"{when}: {told}.")
    return joined(*parts)
