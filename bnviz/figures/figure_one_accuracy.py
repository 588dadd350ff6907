"""Figure 1(a) of Ioffe & Szegedy 2015: test accuracy of both networks over 50,000 steps.

Shapes as in `records.figure_one`: m = points in time, k = competitors, r = seeds.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, line, measured_part, value_axis
from bnviz.figures.figure_one_parts import (
    Measured,
    X,
    at,
    figure_one_chart,
    is_live,
    looked_at,
    over_steps,
    step_lines,
    step_of,
    steps_axis,
    waiting,
)
from bnviz.figures.figure_one_words import MARK, compared_steps, name_of, steps_to
from bnviz.figures.labels import EndLabel, end_labels, end_marker, end_text
from bnviz.figures.numbers import percent
from bnviz.figures.theme import BAND_OPACITY, GHOST_OPACITY, THIN_WIDTH, Spec, line_width
from bnviz.figures.timeline import INSIDE, Timeline, cursor, unit_label
from bnviz.figures.words import compare_percent, has_data, joined, last_finite
from bnviz.records import FigureOne, Replica, Run

NAME: Final = "figure-one-accuracy"
TITLE: Final = "Figure 1(a): test accuracy"
PAPERS_LOW: Final = 70.0  # per cent, where the paper's axis begins
HIGH: Final = 100.0
HOVER: Final = "%{y:.2f} %"
HOW: Final = "Share of the 10,000 test images classified correctly, with running statistics as at inference."


def figure_one_accuracy(run: Run, view: View) -> Spec:
    """Accuracy over steps: the chosen run's lines over the band of all seeds, a live run over its recording."""
    study = run.figure_one
    if study is None or study.shown is None:
        return waiting(run, NAME, TITLE, HOW)
    shown, step, live = study.shown, step_of(study.shown, view), is_live(run)
    low = _low(run, shown, view)
    time = over_steps(shown.step)
    data = _bands(study) + _recorded_lines(run, shown, is_faint=live)
    drawn = len(data)
    if live:
        time = over_steps(run.history.step)
        data += _live_lines(run, time)
    marks, labels = _ends(run, shown, time, low)
    data += marks + _dots(run, shown, step, low)
    first = drawn if live else drawn - len(run.competitors)
    spec = figure_one_chart(
        run, NAME, _words(run, study, shown, step, live), data,
        {"xaxis": steps_axis("y"), "yaxis": value_axis("x", low, HIGH, ticksuffix=" %", showticksuffix="last")},
        annotations=[*end_labels(labels), unit_label(time)],
        shapes=step_lines(step, [""]),
        x=X,
        time_axes=["xaxis"],
    )  # fmt: skip
    dotted = [(first + k, k, one.name) for k, one in enumerate(run.competitors)]
    spec["layout"]["meta"]["cursor"] = cursor(time, dotted)
    if low == 0:
        spec["layout"]["meta"]["instead"] = {"is_whole_range": True}
    return spec


def _low(run: Run, shown: Replica, view: View) -> float:
    """Where the axis begins: as the paper's does, where both networks come that far."""
    ends = [last_finite(shown.accuracy[:, k]) for k in range(len(run.competitors))]
    reaches = all(100 * end > PAPERS_LOW for end in ends)
    return PAPERS_LOW if reaches and not view.is_whole_range else 0.0


# --- lines ------------------------------------------------------------------------------------------------------------


def _bands(study: FigureOne) -> list[dict[str, Any]]:
    """From the lowest to the highest of all seeds at each step, where there are several; two traces a network."""
    replicas = study.of(study.config)
    if len(replicas) < 2:
        return []
    data = []
    for k, one in enumerate(replicas[0].competitors):
        values = 100 * np.stack([each.accuracy[:, k] for each in replicas])  # [r, m]
        known = np.isfinite(values).all(axis=0)
        x, least, most = replicas[0].step[known], values[:, known].min(axis=0), values[:, known].max(axis=0)
        for y, fill in ((least, {}), (most, {"fill": "tonexty", "fillcolor": f"@{one.name}/{BAND_OPACITY}"})):
            edge = line(x, y, name=f"{one.label}, seeds", colour=f"@{one.name}/{BAND_OPACITY}", hover=HOVER)
            data.append(edge | {"hoverinfo": "skip", "line": {"width": 0}, **fill})
            del data[-1]["hovertemplate"]
    return data


def _recorded_lines(run: Run, shown: Replica, is_faint: bool) -> list[dict[str, Any]]:
    """The chosen seed's; faint under a run that is drawn over it."""
    lines = []
    for k, one in enumerate(run.competitors):
        x, y = measured_part(shown.step, 100 * shown.accuracy[:, k])
        name = f"recorded, {one.label}" if is_faint else one.label
        drawn = line(x, y, name=name, colour=f"@{one.name}", hover=HOVER)
        drawn["line"]["width"] = THIN_WIDTH if is_faint else line_width(k)
        lines.append(drawn | ({"opacity": GHOST_OPACITY} if is_faint else {}))
    return lines


def _live_lines(run: Run, time: Timeline) -> list[dict[str, Any]]:
    lines = []
    known = run.history.has_accuracy
    for k, one in enumerate(run.competitors):
        x, y = measured_part(time.step[known], 100 * run.history.accuracy[known, k])
        drawn = line(x, y, name=one.label, colour=f"@{one.name}", hover=HOVER)
        drawn["line"]["width"] = line_width(k)
        lines.append(drawn)
    return lines


def _ends(run: Run, shown: Replica, time: Timeline, low: float) -> tuple[list[dict[str, Any]], list[EndLabel]]:
    """A mark and a label at the end of each network's line: of the live run, else of the recorded one."""
    marks, labels = [], []
    accuracy = run.history.accuracy if is_live(run) else shown.accuracy
    for k in range(len(run.competitors)):
        known = np.flatnonzero(np.isfinite(accuracy[:, k]))
        if not known.size:
            continue
        value = float(accuracy[known[-1], k])
        y = min(max(100 * value, low), HIGH)
        marks.append(end_marker(run, k, float(time.step[known[-1]]), y))
        text, lines = end_text(run, k, percent(value))
        labels.append(EndLabel(text, time.end * INSIDE, y, (y - low) / (HIGH - low), lines))
    return marks, labels


def _dots(run: Run, shown: Replica, step: float | None, low: float) -> list[dict[str, Any]]:
    """Where the recorded lines are at the step that is looked at."""
    if step is None:
        return []
    now = at(shown, shown.accuracy, step)
    return [
        end_marker(run, k, step, max(100 * float(value), low))
        for k, value in enumerate(now)
        if np.isfinite(value) and 100 * value >= low
    ]


# --- what is said -----------------------------------------------------------------------------------------------------


def _words(run: Run, study: FigureOne, shown: Replica, step: float | None, live: bool) -> Words:
    known = run.history.has_accuracy
    own = Measured(run.history.step[known], run.history.accuracy[known]) if live else None
    now, moment = looked_at(Measured(shown.step, shown.accuracy), own, step)
    told = compare_percent(run.competitors, list(now)) if has_data(now) else "nothing measured"
    finding = f"{moment}: {told}"
    reached = f"{percent(MARK, 0)} reached {compared_steps(run.competitors, steps_to(shown))}"
    best = compare_percent(run.competitors, list(np.fmax.reduce(shown.accuracy, axis=0)))
    recorded = f"Recorded: {reached}; at best {best}." if best else ""
    seeds = len(study.of(study.config))
    band = f" Band: lowest to highest of {seeds} seeds." if seeds > 1 else ""
    over = " Faint: the recording; strong: this run." if live else ""
    alt = joined(f"Test accuracy, {name_of(study.config)}: {finding}.", recorded, _alt_of_seeds(study))
    return Words(TITLE, finding[0].upper() + finding[1:], alt, f"{HOW}{band}{over}")


def _alt_of_seeds(study: FigureOne) -> str:
    """The ends of all seeds, for ears."""
    replicas = study.of(study.config)
    if len(replicas) < 2:
        return ""
    parts = [
        f"seed {one.config.seed} {compare_percent(one.competitors, at(one, one.accuracy, None))}" for one in replicas
    ]
    return f"At the end, {'; '.join(parts)}."
