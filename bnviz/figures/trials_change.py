"""Accuracy on test images that differ from those of training, and what such images look like.

Shapes as in `records.trials`.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.accuracy_modes import WITH_RUNNING_STATISTICS
from bnviz.figures.chart import Words, base_axis, domains, number_of, panel_heading, value_axis
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.theme import Spec, swatch_of, symbol_size
from bnviz.figures.trials_parts import PERCENT, median, progress, rough, series, trials_chart, waiting
from bnviz.figures.untrained_parts import Scale
from bnviz.figures.words import enumerate_texts, joined
from bnviz.records import AMOUNTS, CHANGES, Floats, Run, Trials

SCALE: Final = Scale(0, PERCENT, is_log=False)
GAP: Final = 0.08
MARGIN: Final = {"l": 44, "r": 128, "t": 44, "b": 26}
HEADINGS: Final = ("inverted", "noisy", "shifted")
AMOUNT_OF: Final = ("by a share", "by σ", "by pixels")
RUNNING, OWN = 0, 1
SIDE: Final = 28
DIGIT_GAP: Final = 3  # pixels between two digits


def trials_change(run: Run, view: View) -> Spec:
    """Accuracy against the amount of each change; networks with running statistics also with the images' own."""
    trials, name, title = run.trials, "trials-change", "Accuracy on changed test images"
    how = "2,000 test images, changed, through networks that were trained on digits as they are."
    if trials is None or not trials.changed_accuracy.size:
        return waiting(run, name, title, how)
    competitors = trials.config.competitors
    middle = PERCENT * median(trials.changed_accuracy, axis=1)  # [k, c, a, 2]
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for c, domain in enumerate(domains(len(CHANGES), GAP)):
        panel, amounts = number_of(c), AMOUNTS[c]
        data += series(competitors, amounts, middle[:, c, :, RUNNING], SCALE, "%{y:.1f} %", panel)
        data += _with_own_statistics(trials, middle[:, c, :, OWN], amounts, panel)
        annotations.append(panel_heading(c, f"{HEADINGS[c]}<br>{AMOUNT_OF[c]}") | {"align": "left"})
        shared = {"matches": "y", "showticklabels": False} if c else {}
        axes[f"xaxis{panel}"] = base_axis(
            f"y{panel}", float(amounts[0]), float(amounts[-1]), domain=domain, nticks=5,
        )  # fmt: skip
        axes[f"yaxis{panel}"] = value_axis(f"x{panel}", 0, PERCENT, ticksuffix=" %", showticksuffix="last", **shared)
    annotations += _names(trials, middle[:, -1])
    finding = f"Hollow: BN with the changed images’ own statistics. {progress(trials).capitalize()}."
    words = Words(title, finding, _alt(trials, title, middle / PERCENT), how)
    return trials_chart(run, name, words, data, axes, annotations=annotations, margin=MARGIN, x="amount")


def _has_running(trials: Trials) -> list[int]:
    return [k for k, one in enumerate(trials.config.competitors) if one.normalization in WITH_RUNNING_STATISTICS]


def _with_own_statistics(trials: Trials, own: Floats, amounts: Floats, panel: str) -> list[dict[str, Any]]:
    """own: [k, a]. Of those whose statistics are running averages at inference: the others have no others."""
    lines = []
    for k in _has_running(trials):
        one = trials.config.competitors[k]
        for drawn in series([one], amounts, own[k : k + 1], SCALE, "%{y:.1f} %", panel):
            marker = drawn["marker"] | {
                "color": "@page", "size": symbol_size(one), "line": {"color": f"@{one.name}", "width": 1.75},
            }  # fmt: skip
            lines.append(drawn | {"name": f"{one.label}, own statistics", "marker": marker})
    return lines


def _names(trials: Trials, last: Floats) -> list[dict[str, Any]]:
    """At the ends of the last panel's lines. last: [k, a, 2]"""
    labels = []
    x = float(AMOUNTS[-1][-1])
    for k, one in enumerate(trials.config.competitors):
        texts = [(RUNNING, f"{swatch_of(one)} {one.label}")]
        if k in _has_running(trials):
            texts.append((OWN, f'<span style="color:@{one.name}">○</span> own statistics'))
        for s, text in texts:
            y = float(last[k, -1, s])
            if np.isfinite(y):
                labels.append(EndLabel(text, x, y, SCALE.place(y), lines=1))
    return end_labels(labels, number_of(len(CHANGES) - 1))


def _alt(trials: Trials, title: str, shares: Floats) -> str:
    """shares: [k, c, a, 2]"""
    parts = [f"{title}."]
    for c, heading in enumerate(HEADINGS):
        for a in (0, len(AMOUNTS[c]) // 2, len(AMOUNTS[c]) - 1):
            texts: list[str | None] = []
            for k in range(len(trials.config.competitors)):
                running, own = shares[k, c, a]
                extra = f" (own statistics {rough(own)})" if k in _has_running(trials) else ""
                texts.append(f"{rough(running)}{extra}" if np.isfinite(running) else None)
            if told := enumerate_texts(trials.config.competitors, texts):
                parts.append(f"{heading}, {AMOUNTS[c][a]:g}: {told}.")
    return joined(*parts)


def trials_digits(run: Run, view: View) -> Spec:
    """One test image as each change leaves it, from its smallest to its largest amount."""
    trials, name, title = run.trials, "trials-digits", "What the networks are shown"
    how = "The first test image under each amount of each change."
    if trials is None or not trials.changed_digits.size:
        return waiting(run, name, title, how)
    rows, columns = trials.changed_digits.shape[:2]
    pitch = SIDE + DIGIT_GAP
    sheet = np.full((rows * pitch, columns * pitch), np.nan)
    for c in range(rows):
        for a in range(columns):
            sheet[c * pitch : c * pitch + SIDE, a * pitch : a * pitch + SIDE] = trials.changed_digits[c, a]
    ends = (-0.5, columns * pitch - DIGIT_GAP - 0.5), (-0.5, rows * pitch - DIGIT_GAP - 0.5)
    hidden: dict[str, Any] = {
        "showticklabels": False,
        "showgrid": False,
        "ticks": "",
        "showline": False,
        "showspikes": False,
        "constrain": "domain",
    }
    middles = [row * pitch + SIDE / 2 for row in range(rows)]
    axes = {
        # Plotly gives no square pixels an automatic range.
        "xaxis": base_axis("y", *ends[0], **hidden) | {"range": list(ends[0]), "constraintoward": "left"},
        "yaxis": value_axis("x", *ends[1], scaleanchor="x", constrain="domain")
        | {"showgrid": False, "tickvals": middles, "ticktext": list(HEADINGS), "range": list(reversed(ends[1]))},
    }
    heatmap = {
        "type": "heatmap", "name": title, "z": sheet.astype(np.float32), "zmin": 0, "zmax": 1, "showscale": False,
        "colorscale": [[0, "#000000"], [1, "#ffffff"]], "hoverinfo": "skip",
    }  # fmt: skip
    alt = f"{title}: a handwritten digit, inverted, with noise, and shifted, each in {columns} amounts."
    words = Words(title, "From left to right, more of each change.", alt, how)
    return trials_chart(
        run, name, words, [heatmap], axes, margin={"l": 64, "r": 12, "t": 12, "b": 12}, hovermode="closest", x=""
    )
