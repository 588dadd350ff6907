"""How wide each hidden layer's inputs to the nonlinearity are, before training and after it.

Shapes as in `records.trials`.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, domains, number_of, panel_heading
from bnviz.figures.numbers import whole
from bnviz.figures.theme import Spec
from bnviz.figures.trials_parts import (
    condition_of,
    condition_text,
    failures,
    has_ended,
    labels_at_ends,
    median,
    progress,
    series,
    trials_chart,
    waiting,
)
from bnviz.figures.untrained_parts import compact, depth_axis, log_scale, reference_line
from bnviz.figures.words import enumerate_texts, joined
from bnviz.records import Floats, Run, Trials

GAP: Final = 0.16
MARGIN: Final = {"l": 44, "r": 190, "t": 26, "b": 28}
START, END = 0, 1
AS_BN_SETS_IT: Final = 1.0  # with gamma 1


def trials_spread(run: Run, view: View) -> Spec:
    """Standard deviation of every hidden layer's inputs at step 0 and at the end of the condition looked at."""
    trials, name, title = run.trials, "trials-spread", "Good at the start, and kept so?"
    how = (
        "Standard deviation of each hidden layer’s inputs to the nonlinearity, over 512 test images and all units; BN "
        "with those images’ statistics. The level line is 1."
    )
    if trials is None:
        return waiting(run, name, title, how)
    at = condition_of(trials, view)
    middle = median(trials.spread[:, at], axis=1)  # [k, 2, l]
    scale, layers = log_scale(middle, np.array([AS_BN_SETS_IT])), middle.shape[2]
    depth = np.arange(1, layers + 1, dtype=np.float64)
    competitors, ended = trials.config.competitors, has_ended(trials)[:, at]
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for moment, domain in enumerate(domains(2, GAP)):
        panel, values, is_end = number_of(moment), middle[:, moment], moment == END
        data += series(competitors, depth, values, scale, "%{customdata:.2~g}", panel)
        annotations.append(panel_heading(moment, _heading(trials, at, is_end)))
        annotations += labels_at_ends(
            competitors, depth, values, scale, _texts(values), panel,
            has_names=is_end, ended=ended if is_end else None,
        )  # fmt: skip
        shared_x, shared_y = ({"matches": "x"}, {"matches": "y", "showticklabels": False}) if is_end else ({}, {})
        axes[f"xaxis{panel}"] = depth_axis(f"y{panel}", layers, most=4, domain=domain) | shared_x
        axes[f"yaxis{panel}"] = scale.axis(f"x{panel}", **shared_y)
    of, lost = condition_text(trials, at), failures(trials, [at])
    finding = joined(f"{of[0].upper()}{of[1:]}, {progress(trials)}.", lost)
    return trials_chart(
        run, name, Words(title, finding, joined(_alt(trials, title, middle), lost), how), data, axes,
        annotations=annotations,
        shapes=[reference_line(AS_BN_SETS_IT, number_of(moment)) for moment in (START, END)],
        margin=MARGIN,
        x="layer",
        shows=str(at),
    )  # fmt: skip


def _heading(trials: Trials, at: int, is_end: bool) -> str:
    return f"after {whole(trials.steps[at])} steps" if is_end else "at step 0"


def _texts(values: Floats) -> list[str]:
    """The last layer's values, each with two digits: they lie orders apart. values: [k, l]"""
    return [compact(float(one)) for one in values[:, -1]]


def _alt(trials: Trials, title: str, middle: Floats) -> str:
    """middle: [k, 2, l]"""
    parts = [f"{title} Standard deviation of the last hidden layer’s inputs"]
    for moment, when in enumerate(("at step 0", "at the end")):
        values = middle[:, moment]
        texts = [text if np.isfinite(row[-1]) else None for text, row in zip(_texts(values), values, strict=True)]
        if told := enumerate_texts(trials.config.competitors, texts):
            parts.append(f"{when}: {told}.")
    return joined(*parts)
