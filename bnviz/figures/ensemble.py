"""Several networks that answer together, by the mean of their softmax outputs.

Shapes as in `records.cousins`.
"""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, base_axis, line
from bnviz.figures.cousins_parts import BASELINE, Variant, best_bn, cousins_chart, mark_of, of, waiting
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import finite, nice_range, percent
from bnviz.figures.theme import MARKER_SIZE, RUN_WIDTH, Spec, swatch_of, symbol_of, symbol_size
from bnviz.figures.timeline import axis_unit
from bnviz.figures.trials_parts import PERCENT, SMALL, error_of
from bnviz.figures.untrained_parts import Scale
from bnviz.figures.words import joined
from bnviz.records import Cousins, Floats, Run

MARGIN: Final = {"l": 44, "r": 170, "t": 22, "b": 28}
PAD: Final = 0.3


def shown_variants(cousins: Cousins) -> tuple[Variant, Variant]:
    """The baseline, and of those with BN the one that is best alone."""
    return BASELINE, best_bn(cousins)


def ensemble(run: Run, view: View) -> Spec:
    """Test error of the first, the first two, … networks together, and of each alone."""
    cousins, name, title = run.cousins, "ensemble", "Networks that answer together"
    how = (
        "Lines: share of the 10,000 test images classified wrongly by the mean of the softmax outputs of the networks "
        "from the first seeds, at the end of their runs. Small shapes: each network alone."
    )
    if cousins is None:
        return waiting(run, name, title, how)
    variants = shown_variants(cousins)
    together = [error_of(of(cousins.ensemble_accuracy, one)) for one in variants]  # [r] each
    alone = [error_of(_alone(cousins, one)) for one in variants]
    known = finite(*together, *alone)
    scale = (
        Scale(*nice_range(float(known.min()), float(known.max())), is_log=False) if known.size else Scale(0, 10, False)
    )
    x = np.arange(1, cousins.config.seeds + 1, dtype=np.float64)
    data: list[dict[str, Any]] = []
    labels: list[EndLabel] = []
    for one, group, single in zip(variants, together, alone, strict=True):
        data += [*_alone_marks(one, x, single), *_line(one, x, group)]
        if np.isfinite(group).any():
            at = int(np.flatnonzero(np.isfinite(group))[-1])
            text = f"<b>{percent(group[at] / PERCENT, 2)}</b> {swatch_of(one.competitor)} {mark_of(one)} {one.name}"
            labels.append(EndLabel(text, float(x[at]), float(group[at]), scale.place(float(group[at])), lines=1))
    told = " ".join(told for one in variants if (told := told_of(cousins, one)))
    finding = f"{told[:1].upper()}{told[1:]}"
    words = Words(title, finding, joined(f"{title}.", finding), how)
    axes = {
        "xaxis": base_axis("y", 1 - PAD, max(x[-1], 2) + PAD, dtick=1, unifiedhovertitle={"text": "%{x} networks"}),
        "yaxis": scale.axis("x", ticksuffix=" %", showticksuffix="last"),
    }
    return cousins_chart(
        run, name, words, data, axes,
        annotations=[*end_labels(labels), axis_unit("networks")], margin=MARGIN, x="networks",
    )  # fmt: skip


def told_of(cousins: Cousins, one: Variant) -> str:
    """Such as "BN-baseline: 6 networks together err on 1.02 %, each alone on 1.35 % (1.21 to 1.50)."."""
    group, single = members(cousins, one)
    if not single.size:
        return ""
    together = float(group[-1])
    alone = f"{percent(1 - float(np.median(single)), 2)}"
    if single.size == 1:
        return f"{one.name}: one network errs on {alone}."
    ends = f"{PERCENT * (1 - single.max()):.2f} to {PERCENT * (1 - single.min()):.2f}"
    return (
        f"{one.name}: {single.size} networks together err on {percent(1 - together, 2)}, one alone on {alone} ({ends})."
    )


def members(cousins: Cousins, one: Variant) -> tuple[Floats, Floats]:
    """Accuracy of the ensemble with each member as its newest, and of each member alone: [m] each, m members so far.

    A network joins a little after its last accuracy is measured; one that diverged never does.
    """
    group, single = of(cousins.ensemble_accuracy, one), _alone(cousins, one)
    is_member = np.isfinite(group) & np.isfinite(single)
    return group[is_member], single[is_member]


def _alone(cousins: Cousins, one: Variant) -> Floats:
    """Accuracy of each network at the end of its run; NaN of one that diverged. [r]"""
    final: Floats = cousins.accuracy[one.k, one.x, :, -1]
    return final


def _line(one: Variant, x: Floats, error: Floats) -> list[dict[str, Any]]:
    known = np.isfinite(error)
    if not known.any():
        return []
    drawn = line(x[known], error[known], name=one.name, colour=f"@{one.competitor.name}", hover="%{y:.2f} %")
    style = {"color": f"@{one.competitor.name}", "width": RUN_WIDTH} | ({"dash": one.dash} if one.dash else {})
    marker = {
        "symbol": symbol_of(one.competitor), "size": symbol_size(one.competitor, MARKER_SIZE - 2),
        "color": f"@{one.competitor.name}",
    }  # fmt: skip
    return [drawn | {"mode": "lines+markers", "line": style, "marker": marker, "cliponaxis": False}]


def _alone_marks(one: Variant, x: Floats, error: Floats) -> list[dict[str, Any]]:
    known = np.isfinite(error)
    if not known.any():
        return []
    marker = {
        "symbol": symbol_of(one.competitor), "size": SMALL * symbol_size(one.competitor) + 1,
        "color": f"@{one.competitor.name}", "opacity": 0.5,
    }  # fmt: skip
    return [
        {
            "type": "scatter", "mode": "markers", "name": f"{one.name}, the last of them alone", "x": x[known],
            "y": error[known], "marker": marker, "hovertemplate": "%{y:.2f} %", "cliponaxis": False,
        }
    ]  # fmt: skip
