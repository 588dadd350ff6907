"""Eigenvalues of the second moment of MNIST's pixels under each treatment.

Shapes: t = treatments, p = pixels.
"""

import math
from typing import Any, Final

import numpy as np

from bnviz.config import PixelForm, View
from bnviz.figures.chart import Words, base_axis, clear_note, line
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import log_ticks, whole
from bnviz.figures.theme import Spec
from bnviz.figures.timeline import INSIDE, axis_unit
from bnviz.figures.untrained_parts import compact, log_scale
from bnviz.figures.whitening_parts import label_of, rounded, unit_chart, waiting
from bnviz.records import TREATMENTS, LinearUnit, Run, Spectrum

MARGIN: Final = {"l": 50, "r": 136, "t": 10, "b": 26}
WIDTHS: Final = (
    4.0,
    1.75,
    4.0,
    1.75,
    1.75,
)  # centring changes the first eigenvalues alone: where lines coincide both show
TITLE: Final = "Eigenvalues of MNIST’s second moment"


def whitening_spectrum(run: Run, view: View) -> Spec:
    """All eigenvalues of E[x xᵀ] that are not 0, in descending order, under every treatment."""
    name, unit = "whitening-spectrum", run.linear_unit
    how = _how(unit)
    if unit is None:
        return waiting(run, name, TITLE, how)
    spectrum = unit.spectrum
    shown = [_shown(spectrum, t) for t in range(len(TREATMENTS))]
    scale = log_scale(*shown)
    data: list[dict[str, Any]] = []
    labels = []
    for t, treatment in enumerate(TREATMENTS):
        if not shown[t].size:
            continue
        index = np.arange(1, len(shown[t]) + 1, dtype=np.float32)
        trace = line(index, shown[t].astype(np.float32), name=str(treatment), colour=f"@{treatment}", hover="%{y:.3~g}")
        data.append(trace | {"line": {"color": f"@{treatment}", "width": WIDTHS[t]}})
        last = float(shown[t][-1])
        text = f"{label_of(treatment)}<br><b>κ {rounded(float(spectrum.condition_number[t]))}</b>"
        labels.append(EndLabel(text, math.log10(len(index)) * INSIDE, scale.label_y(last) * INSIDE, scale.place(last)))
    end = max((len(one) for one in shown), default=0) or spectrum.eigenvalues.shape[1]
    ticks = log_ticks(1, end, most=4)
    texts = [whole(tick) for tick in ticks]
    words = Words(TITLE, _finding(spectrum), _alt(spectrum), how)
    axes = {
        "xaxis": base_axis(
            "y", 1, end, type="log", tickvals=ticks, ticktext=texts, unifiedhovertitle={"text": "eigenvalue %{x:,.0f}"}
        ),
        "yaxis": scale.axis("x"),
    }
    return unit_chart(
        run, name, words, data, axes,
        annotations=[*end_labels(labels), axis_unit("number"), *_progress(spectrum)],
        margin=MARGIN,
        x="number",
        shows=str(unit.config.pixel_form),
    )  # fmt: skip


def _shown(spectrum: Spectrum, t: int) -> Any:
    """Those that are not 0 but for rounding; none while they are unknown. [<= p]"""
    rank = spectrum.rank[t]
    return spectrum.eigenvalues[t, : int(rank)] if np.isfinite(rank) else np.empty(0)


def _progress(spectrum: Spectrum) -> list[dict[str, Any]]:
    if spectrum.done >= 1:
        return []
    return [clear_note(f"Working out MNIST’s second moments: {100 * spectrum.done:.0f} % done.")]


def _how(unit: LinearUnit | None) -> str:
    form = "" if unit is None else " Binary" if unit.config.pixel_form is PixelForm.BINARY else " Raw"
    return (
        f"{form or ' The'} pixels of the 60,000 training images. Pixels that never vary are left out where they would "
        "be divided by 0. κ is the largest eigenvalue over the smallest that is not 0 but for rounding (above λ_max p "
        "2⁻⁵²). Whitened: 1 by construction."
    ).strip()


def _finding(spectrum: Spectrum) -> str:
    each = [
        f"{rounded(float(spectrum.condition_number[t]))} {one}"
        for t, one in enumerate(TREATMENTS)
        if np.isfinite(spectrum.condition_number[t])
    ]
    return f"condition number {', '.join(each)}" if each else ""


def _alt(spectrum: Spectrum) -> str:
    each = [
        f"{one}: largest {compact(float(spectrum.eigenvalues[t, 0]))}, {int(spectrum.rank[t])} that are not 0, "
        f"condition number {rounded(float(spectrum.condition_number[t]))}, "
        f"stable below {compact(float(spectrum.largest_rate[t]))}"
        for t, one in enumerate(TREATMENTS)
        if np.isfinite(spectrum.condition_number[t])
    ]
    if not each:
        return f"{TITLE}: {100 * spectrum.done:.0f} per cent of the work is done."
    return f"{TITLE}; {spectrum.varying_pixels} pixels vary. {'; '.join(each)}."
