"""Accuracy in three modes: on the mini-batches of training, and on the test images with each kind of statistics."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bnviz.config import Normalization, View
from bnviz.figures.chart import (
    Words,
    chart,
    domains,
    key_of,
    line,
    measured_part,
    note,
    number_of,
    panel_heading,
    value_axis,
)
from bnviz.figures.labels import EndLabel, end_labels, end_marker, end_text
from bnviz.figures.numbers import MINUS, NO_BREAK, percent, whole
from bnviz.figures.theme import Spec, line_width, swatch_of
from bnviz.figures.timeline import INSIDE, UNITS, Timeline, event_lines, time_axis, timeline, unit_label
from bnviz.figures.words import enumerate_texts, has_data, is_diverged, last_finite
from bnviz.records import Floats, Run

GAP: Final = 0.15  # the newest values of a panel fit into it at 560 px
MARGIN: Final = {"l": 44, "r": 98, "t": 38, "b": 26}  # above, headings of two lines: they fit side by side at 390 px
TITLE: Final = "Accuracy, in training and at inference"
MODES: Final = (
    ("training<br>mini-batches", "train_accuracy"),
    ("test, running<br>statistics", "accuracy"),
    ("test, batch<br>statistics", "batch_accuracy"),
)
WITH_RUNNING_STATISTICS: Final = (
    Normalization.BATCH, Normalization.NOISY_BATCH, Normalization.RENORMALIZATION, Normalization.DECORRELATED,
)  # fmt: skip


def accuracy_modes(run: Run, view: View) -> Spec:
    """Accuracy on training mini-batches, on the test images at inference, and on them with their own statistics."""
    time = timeline(run, view)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = [unit_label(time)]
    axes: dict[str, Any] = {}
    for panel, ((heading, field), domain) in enumerate(zip(MODES, domains(len(MODES), GAP), strict=True)):
        values: Floats = 100 * getattr(run.history, field)
        traces, labels = _panel(run, time, values, panel)
        data += traces
        annotations += [panel_heading(panel, heading) | {"align": "left"}, *labels]
        if len(run.history) > 1 and not has_data(values):
            annotations.append(_not_measured(panel))
        axes |= _axes(time, panel, domain)
    if not len(run.history):
        annotations.append(note("Not measured yet."))
    at_once = whole(run.settings.model.test_images_at_once)
    words = Words(
        TITLE,
        _finding(run),
        _alt(run),
        "Share classified correctly: in training, mean over the mini-batches since the point before; the 10,000 test "
        f"images with running statistics, or with those of each {at_once} of them. "
        "No noise is added to test images.",
    )
    return chart(
        run, "accuracy-modes", words, data, axes,
        annotations=annotations,
        shapes=event_lines(run, time, [(number_of(p), range(len(run.competitors))) for p in range(len(MODES))]),
        margin=MARGIN,
        key=key_of(run),
        x=UNITS[time.axis],
        time_axes=[f"xaxis{number_of(panel)}" for panel in range(len(MODES))],
        shows=str(time.axis),
    )  # fmt: skip


def _axes(time: Timeline, panel: int, domain: list[float]) -> dict[str, Any]:
    numbered = number_of(panel)
    shared_x, shared_y = ({"matches": "x"}, {"matches": "y", "showticklabels": False}) if panel else ({}, {})
    return {
        f"xaxis{numbered}": time_axis(time, f"y{numbered}", domain=domain, **({"nticks": 4} | shared_x)),
        f"yaxis{numbered}": value_axis(f"x{numbered}", 0, 100, ticksuffix=" %", showticksuffix="last", **shared_y),
    }


def _panel(run: Run, time: Timeline, values: Floats, panel: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Lines with their ends, and the newest values; in the last panel with the networks' names. values: [m, k] in %"""
    numbered, is_last = number_of(panel), panel == len(MODES) - 1
    axes = {"xaxis": f"x{numbered}", "yaxis": f"y{numbered}"}
    measured = np.isfinite(values).any(axis=1)
    lines, ends, labels = [], [], []
    for k, one in enumerate(run.competitors):
        x, y = measured_part(time.x[k][measured], values[measured, k])
        if not len(x):
            continue
        lines.append(line(x, y, name=one.label, colour=f"@{one.name}", hover="%{y:.2f} %", **axes))
        lines[-1]["line"]["width"] = line_width(k, 2)
        newest = float(y[-1])
        ends.append(end_marker(run, k, float(x[-1]), newest, **axes))
        text, height = end_text(run, k, percent(newest / 100)) if is_last else (_short(run, k, newest), 1)
        labels.append(EndLabel(text, time.end * INSIDE, newest, newest / 100, height))
    return lines + ends, [one if is_last else one | {"xshift": 7} for one in end_labels(labels, numbered)]


def _short(run: Run, k: int, value: float) -> str:
    """The newest value beside its network's swatch: the names stand at the last panel."""
    return f"{swatch_of(run.competitors[k])} <b>{'× ' if is_diverged(run, k) else ''}{value:.1f}</b>"


def _not_measured(panel: int) -> dict[str, Any]:
    """In a panel that stays empty, why."""
    numbered = number_of(panel)
    return note("not measured<br>in this run") | {
        "xref": f"x{numbered} domain",
        "yref": f"y{numbered} domain",
    }


# --- what is said -----------------------------------------------------------------------------------------------------


def _finding(run: Run) -> str:
    """What the running statistics cost those networks that have some, in percentage points at the newest point."""
    with_statistics = [k for k, one in enumerate(run.competitors) if one.normalization in WITH_RUNNING_STATISTICS]
    texts = [_difference(run, k) for k in with_statistics]
    told = enumerate_texts([run.competitors[k] for k in with_statistics], texts)
    return f"test accuracy with running instead of batch statistics: {told}" if told else ""


def _difference(run: Run, k: int) -> str | None:
    """Such as "−2.3 points", at the newest point where both are measured."""
    history = run.history
    points = 100 * last_finite(history.accuracy[:, k].astype(np.float64) - history.batch_accuracy[:, k])
    if not np.isfinite(points):
        return None
    sign = MINUS if points <= -0.05 else "+" if points >= 0.05 else "±"
    return f"{sign}{abs(points):.1f}{NO_BREAK}points"


def _alt(run: Run) -> str:
    if not any(has_data(getattr(run.history, field)) for _, field in MODES):
        return f"{TITLE}: nothing measured yet."
    parts = [
        f"{one.label} {_enumerated([last_finite(getattr(run.history, field)[:, k]) for _, field in MODES])}"
        for k, one in enumerate(run.competitors)
    ]
    modes = "; ".join(heading.replace("<br>", " ") for heading, _ in MODES)
    return f"{TITLE} ({modes}) at step {whole(run.history.step[-1])}: {'; '.join(parts)}."


def _enumerated(shares: Sequence[float]) -> str:
    return ", ".join(percent(share) if np.isfinite(share) else "not measured" for share in shares)
