"""Anatomy stream: running averages over the batches of a frozen network, beside each batch's own statistics."""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.anatomy_parts import Unit, anatomy_chart, tex, unit_of, waiting, walked
from bnviz.figures.chart import Words, base_axis, domains, line, number_of, panel_heading, value_axis
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import nice_range, number, whole
from bnviz.figures.theme import EVENT_WIDTH, Spec
from bnviz.figures.timeline import axis_unit
from bnviz.records import STREAM_BATCHES, Floats, Run

TITLE: Final = "Running averages, batch after batch"
HOW: Final = (
    "The next 100 mini-batches of the training set through the network as it stands, and running averages of this "
    "layer begun anew at mean 0 and variance 1. Batches’ variances are biased (1/m), the running ones have m/(m − 1)."
)
MARGIN: Final = {"l": 44, "r": 104, "t": 24, "b": 26}
GAP: Final = 0.24
SHORT_SHIFT: Final = 7  # px from a line’s end to the value alone
MARKS: Final = {"running": '<span style="color:@bn">—</span>', "population": "- -"}  # as the lines are drawn


def anatomy_stream(run: Run, view: View) -> Spec:
    """Mean and variance of one unit: of each batch, running, and of the population."""
    name, now = "anatomy-stream", walked(run)
    if now is None or not np.isfinite(now.running_variance).all():
        return waiting(run, name, TITLE, HOW)
    unit = unit_of(now, view)
    batches = np.arange(1, STREAM_BATCHES + 1, dtype=np.float64)
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = [axis_unit("batches")]
    axes: dict[str, Any] = {}
    shapes: list[dict[str, Any]] = []
    for panel, kind in enumerate(("mean", "variance")):
        numbered = number_of(panel)
        own = getattr(now, f"stream_{kind}")[:, unit.index]
        running = getattr(now, f"running_{kind}")[:, unit.index]
        population = float(getattr(now, f"population_{kind}")[unit.index])
        low, high = nice_range(*_span(own, running, population))
        data += [_dots(batches, own, numbered), _running(running, numbered)]
        annotations += [
            panel_heading(panel, f"{kind}, {unit.name}"),
            *_end_labels(panel, running, population, low, high),
        ]
        shapes += _population(population, numbered)
        domain = domains(2, GAP)[panel]
        axes[f"xaxis{numbered}"] = base_axis(f"y{numbered}", 0, STREAM_BATCHES, domain=domain, nticks=4)
        axes[f"yaxis{numbered}"] = value_axis(f"x{numbered}", low, high, nticks=5)
    words = Words(TITLE, _finding(unit), _alt(unit), HOW)
    return anatomy_chart(
        run, name, words, data, axes,
        annotations=annotations,
        shapes=shapes,
        margin=MARGIN,
        hovermode="closest",
        x="batches",
        shows=f"{unit.number}-{now.config.momentum}",
        meta={"formulas": _formulas(unit)},
    )  # fmt: skip


def _span(own: Floats, running: Floats, population: float) -> tuple[float, float]:
    known = np.concatenate([own, running, [population]])
    known = known[np.isfinite(known)]
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 1, low + 1)


def _dots(batches: Floats, own: Floats, panel: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "each batch",
        "x": batches,
        "y": own,
        "marker": {"size": 4, "color": "@muted/0.7"},
        "hovertemplate": "batch %{x:.0f}: its own %{y:.3~g}<extra></extra>",
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
    }


def _running(running: Floats, panel: str) -> dict[str, Any]:
    x = np.arange(len(running), dtype=np.float64)
    trace = line(x, running, name="running", colour="@bn", hover="after batch %{x:.0f}: running %{y:.3~g}")
    trace["line"]["width"] = 2
    return trace | {"xaxis": f"x{panel}", "yaxis": f"y{panel}"}


def _population(value: float, panel: str) -> list[dict[str, Any]]:
    """Where the population's lies: a shape named "population"."""
    if not np.isfinite(value):
        return []
    return [
        {
            "type": "line", "name": "population", "xref": f"x{panel} domain", "x0": 0, "x1": 1, "yref": f"y{panel}",
            "y0": value, "y1": value, "line": {"color": "@text", "width": EVENT_WIDTH, "dash": "4px,3px"},
        }
    ]  # fmt: skip


def _end_labels(panel: int, running: Floats, population: float, low: float, high: float) -> list[dict[str, Any]]:
    """The newest values; in the last panel, where there is room, with their names."""
    is_last = panel == 1
    labels = [
        EndLabel(
            f"{MARKS[name]} {f'{name}<br>' if is_last else ''}<b>{number(value)}</b>",
            float(STREAM_BATCHES), value, (value - low) / (high - low), 2 if is_last else 1,
        )
        for name, value in (("running", float(running[-1])), ("population", population))
        if np.isfinite(value)
    ]  # fmt: skip
    found = end_labels(labels, number_of(panel))
    return found if is_last else [one | {"xshift": SHORT_SHIFT} for one in found]


def _formulas(unit: Unit) -> list[str]:
    now = unit.now
    p, m, name = now.config.momentum, now.m, unit.m
    return [
        r"\text{E}[x] \leftarrow (1 - p)\, \text{E}[x] + p\, \mu_{\mathcal B}",
        r"\mathrm{Var}[x] \leftarrow (1 - p)\, \mathrm{Var}[x] + p\, "
        rf"\frac{{{name}}}{{{name} - 1}} \sigma_{{\mathcal B}}^2",
        rf"p = {tex(p)}, \; \frac{{{name}}}{{{name} - 1}} = \frac{{{m}}}{{{m - 1}}}",
    ]


def _finding(unit: Unit) -> str:
    """What the biased variances say on average, with the correction, and of the population."""
    mean = float(unit.now.stream_variance[:, unit.index].mean())
    m, name, population = unit.now.m, unit.m, unit.of("population_variance")
    parts = [
        f"mean of the batches’ variances {number(mean, 3)}, times {name}/({name} − 1) {number(mean * m / (m - 1), 3)}"
    ]
    if np.isfinite(population):
        parts.append(f"of {whole(unit.now.population_images)} images {number(population, 3)}")
    return "; ".join(parts)


def _alt(unit: Unit) -> str:
    return f"{TITLE}, {unit.name}, momentum {unit.now.config.momentum:g}: {_finding(unit)}."
