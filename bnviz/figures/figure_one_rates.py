"""The learning-rate family of the paper's Figure 1, which names no rate: accuracy over steps at every one recorded.

Shapes as in `records.figure_one`: m = points in time, k = competitors, n = learning rates.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, heading, line, measured_part, number_of, value_axis
from bnviz.figures.figure_one_parts import (
    X,
    domains_of_two,
    family,
    figure_one_chart,
    over_steps,
    recorded_alone,
    same_but,
    steps_axis,
    waiting,
)
from bnviz.figures.figure_one_words import MARK, steps_to
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import percent, setting_value, whole
from bnviz.figures.theme import OTHER_WIDTH, RUN_WIDTH, TICK_SIZE, Spec
from bnviz.figures.timeline import INSIDE, unit_label
from bnviz.figures.words import compare_percent, enumerate_texts, last_finite
from bnviz.records import Replica, Run

NAME: Final = "figure-one-rates"
TITLE: Final = "Every learning rate"
HOW: Final = "Share of the 10,000 test images classified correctly, with running statistics; one seed, recorded."
FAINTEST: Final = 0.35  # of the lowest rate


def figure_one_rates(run: Run, view: View) -> Spec:
    """Accuracy over steps, a line for every learning rate, a panel for each network."""
    study = run.figure_one
    if study is None or not (runs := family(study, study.config.rule, study.config.init_scale, study.config.seed)):
        return waiting(run, NAME, TITLE, HOW)
    run = recorded_alone(run)
    replicas = [seeds[0] for seeds in runs]
    low = 70.0 if not view.is_whole_range else 0.0
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    axes: dict[str, dict[str, Any]] = {}
    for k, span in enumerate(domains_of_two()):
        panel = number_of(k)
        labels = []
        for n, one in enumerate(replicas):
            is_chosen = one.config == study.config
            data += _line(run, k, one, n / max(len(replicas) - 1, 1), is_chosen, panel)
            labels += _label(k, one, low, is_chosen)
        annotations += [heading(run, k, k), *(each | {"xshift": 5} for each in end_labels(labels, panel))]
        matches: dict[str, Any] = {"matches": "x"} if k else {}
        axes[f"xaxis{panel}"] = steps_axis(f"y{panel}", domain=span, **({"nticks": 4} | matches))
        shared: dict[str, Any] = {"matches": "y", "showticklabels": False} if k else {}
        axes[f"yaxis{panel}"] = value_axis(f"x{panel}", low, 100.0, ticksuffix=" %", showticksuffix="last", **shared)
    title = f"{TITLE}: {same_but(study.config)}"
    words = Words(title, _finding(run, replicas), _alt(run, title, replicas), HOW)
    return figure_one_chart(
        run, NAME, words, data, axes,
        annotations=[*annotations, unit_label(over_steps(np.zeros(0)))],
        x=X,
        time_axes=[f"xaxis{number_of(k)}" for k in range(len(run.competitors))],
        shows=str(low),
    )  # fmt: skip


def _line(run: Run, k: int, one: Replica, place: float, is_chosen: bool, panel: str) -> list[dict[str, Any]]:
    """One rate's; the higher the rate the stronger, the chosen one the widest. place: of the rate, in [0, 1]"""
    x, y = measured_part(one.step, 100 * one.accuracy[:, k])
    if not len(x):
        return []
    rate = setting_value(one.config.learning_rate)
    colour = f"@{run.competitors[k].name}/{FAINTEST + (1 - FAINTEST) * place:.2f}"
    drawn = line(x, y, name=f"learning rate {rate}", colour=colour, hover="%{y:.2f} %")
    drawn["line"]["width"] = RUN_WIDTH if is_chosen else OTHER_WIDTH
    return [drawn | {"xaxis": f"x{panel}", "yaxis": f"y{panel}"}]


def _label(k: int, one: Replica, low: float, is_chosen: bool) -> list[EndLabel]:
    """The rate at its line's end."""
    end = 100 * last_finite(one.accuracy[:, k])
    rate = setting_value(one.config.learning_rate)
    if not np.isfinite(end):
        return []
    diverged = "× " if np.isnan(one.accuracy[-1, k]) else ""
    text = f'<span style="font-size:{TICK_SIZE}px">{diverged}{f"<b>{rate}</b>" if is_chosen else rate}</span>'
    y = min(max(end, low), 100.0)
    return [EndLabel(text, float(one.step[-1]) * INSIDE, y, (y - low) / (100 - low), lines=1)]


def _finding(run: Run, replicas: list[Replica]) -> str:
    """At how many of the rates each network reaches the mark, and how soon at best."""
    steps = [steps_to(one) for one in replicas]
    told = []
    for k in range(len(run.competitors)):
        reached = [one[k] for one in steps if one[k] is not None]
        best = f", by step {whole(min(filter(None, reached)))} at best" if any(reached) else ""
        told.append(f"at {len(reached)} of {len(steps)} rates{best}")
    return f"{percent(MARK, 0)} reached {enumerate_texts(run.competitors, told)}"


def _alt(run: Run, title: str, replicas: list[Replica]) -> str:
    parts = []
    for one in replicas:
        told = compare_percent(run.competitors, [last_finite(one.accuracy[:, k]) for k in range(len(run.competitors))])
        if told:
            parts.append(f"{setting_value(one.config.learning_rate)}: {told}")
    return f"{title}. Test accuracy at the end by learning rate: {'; '.join(parts)}."
