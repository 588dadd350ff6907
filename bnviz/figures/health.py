"""Health: saturated outputs and the size of updates, layer by layer."""

from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, base_axis, chart, key_of, panel_heading, value_axis
from bnviz.figures.numbers import finite, log_ticks, nice_at_least, nice_at_most, number, percent, whole
from bnviz.figures.theme import MARKER_SIZE, TICK_SIZE, Spec, swatch_of, symbol_of
from bnviz.figures.twins import probe_text
from bnviz.figures.words import compare, compare_percent, enumerate_texts, joined, last_finite, sight
from bnviz.records import Floats, Run

MARGIN: Final = {"l": 44, "r": 20, "t": 22, "b": 26}
UPPER: Final = [0.58, 1.0]  # shares of the plot's height
LOWER: Final = [0.0, 0.42]
NOTABLE_SHARE_DEAD: Final = 0.005


def health(run: Run, view: View) -> Spec:
    """Share of saturated outputs and update-to-weight ratio of every layer, competitors joined by a line."""
    saturated, dead, ratio = (_newest(run, name) for name in ("saturated", "dead", "update_ratio"))
    layers = run.settings.model.hidden_layers
    data = [*_dumbbells(run, 100 * saturated, "", "%{y:.1f} % saturated"), *_dead(run, dead)]
    low, high = _ratio_ends(ratio[ratio <= sight(run, run.history.update_ratio)])
    data += _dumbbells(run, np.clip(ratio, low, high), "2", "%{customdata:.3~g} of the weights a step", exact=ratio)
    has_dead = bool((np.nan_to_num(dead) > NOTABLE_SHARE_DEAD).any())
    annotations = [
        panel_heading(0, "saturated, × dead" if has_dead else "saturated outputs"),
        panel_heading(1, "update ÷ weight, per step", xaxis=0),
        _key(run),
    ]
    words = Words("Layer health", _finding(run, saturated, dead), _alt(run, saturated, dead, ratio), _how(run))
    return chart(
        run, "health", words, data, _axes(layers, low, high),
        annotations=annotations,
        margin=MARGIN,
        x="layer",
    )  # fmt: skip


def _newest(run: Run, name: str) -> Floats:
    """The last finite value of every competitor and layer. [k, layers]"""
    values = getattr(run.history, name)
    return np.array([[last_finite(values[:, k, i]) for i in range(values.shape[2])] for k in range(values.shape[1])])


def _dumbbells(
    run: Run, values: Floats, numbered: str, hover: str, exact: Floats | None = None
) -> list[dict[str, Any]]:
    """A line between the competitors' values of each layer, and a marker for each. values, exact: [k, layers]"""
    depth = np.arange(1, values.shape[1] + 1, dtype=np.float64)
    axes = {"xaxis": "x", "yaxis": f"y{numbered}"}
    known = np.isfinite(values)
    both = np.flatnonzero(known.sum(axis=0) > 1)
    traces: list[dict[str, Any]] = []
    if both.size:
        ends = np.stack([np.nanmin(values[:, both], axis=0), np.nanmax(values[:, both], axis=0)])
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": np.repeat(depth[both], 3),
                "y": np.concatenate([ends, np.full((1, both.size), np.nan)]).T.ravel(),
                "line": {"color": "@axis", "width": 1.5},
                "hoverinfo": "skip",
                **axes,
            }
        )
    for k, one in enumerate(run.competitors):
        if known[k].any():
            size = MARKER_SIZE + 0.5 if k == 0 else MARKER_SIZE - 2  # so that none hides another
            marker = _markers(depth, values[k], one.label, f"@{one.name}", symbol_of(one), size, hover)
            if exact is not None:
                marker["customdata"] = exact[k]
                if (beyond := exact[k] > values[k]).any():
                    own = marker["marker"]["symbol"]
                    marker["marker"]["symbol"] = ["triangle-up" if is_beyond else own for is_beyond in beyond]
            traces.append(marker | axes)
    return traces


def _markers(x: Floats, y: Floats, name: str, colour: str, symbol: str, size: float, hover: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": x,
        "y": y,
        "marker": {"symbol": symbol, "size": size, "color": colour, "line": {"color": "@page", "width": 1}},
        "cliponaxis": False,
        "hovertemplate": hover,
    }


def _dead(run: Run, dead: Floats) -> list[dict[str, Any]]:
    """Crosses at the share of dead units, where there are any worth showing. dead: [k, l]"""
    traces = []
    for k, one in enumerate(run.competitors):
        shown = np.flatnonzero(np.nan_to_num(dead[k]) > NOTABLE_SHARE_DEAD)
        if shown.size:
            trace = _markers(
                shown + 1.0,
                100 * dead[k][shown],
                one.label,
                f"@{one.name}",
                "x-thin",
                MARKER_SIZE - 2,
                "%{y:.1f} % dead",
            )
            trace["marker"]["line"] = {"color": f"@{one.name}", "width": 1.75}
            traces.append(trace | {"xaxis": "x", "yaxis": "y"})
    return traces


def _axes(layers: int, low: float, high: float) -> dict[str, Any]:
    shown = log_ticks(low, high, most=4)
    return {
        "xaxis": _layer_axis(layers),
        "yaxis": value_axis("x", 0, 100, domain=UPPER, ticksuffix=" %", showticksuffix="last", nticks=3),
        "yaxis2": value_axis(
            "x", low, high, type="log", domain=LOWER, tickvals=shown, ticktext=[number(tick, 1) for tick in shown]
        ),
    }


def _ratio_ends(ratio: Floats) -> tuple[float, float]:
    """Round ends of the axis of update-to-weight ratios."""
    known = finite(ratio)
    known = known[known > 0]
    if not known.size:
        return 0.001, 0.1
    low = nice_at_most(float(known.min()))
    return low, max(nice_at_least(float(known.max())), 2 * low)


def _layer_axis(layers: int) -> dict[str, Any]:
    """Hidden layers and the output layer, shared by both panels."""
    few = layers < 8
    ticks = list(range(1, layers + 1)) if few else [1, *range(5, layers - 1, 5)]
    return base_axis(
        "y2",
        0.5,
        layers + 1.5,
        tickvals=[*ticks, layers + 1],
        ticktext=[f"{'layer ' if layers < 5 else ''}{tick}" for tick in ticks] + ["output"],
        ticks="",
        unifiedhovertitle={"text": "layer %{x}"},
    )


def _key(run: Run) -> dict[str, Any]:
    """Names beside their swatches; of more than two networks the swatches alone, for want of room."""
    swatches = " ".join(swatch_of(one) for one in run.competitors)
    return {
        "name": "key",
        "text": key_of(run) if len(run.competitors) <= 2 else swatches,
        "xref": "paper",
        "x": 1,
        "xanchor": "right",
        "yref": "paper",
        "y": 1,
        "yanchor": "bottom",
        "yshift": 1,
        "showarrow": False,
        "font": {"size": TICK_SIZE, "color": "@text"},
    }


# --- what is said -----------------------------------------------------------------------------------------------------


def _finding(run: Run, saturated: Floats, dead: Floats) -> str:
    """The layer that saturates most, for each competitor, and dead units if there are any."""
    if not np.isfinite(saturated).any():
        return ""
    texts = []
    for one in saturated:
        known = np.nan_to_num(one, nan=-1.0)
        layer = int(known.argmax())
        texts.append(f"{percent(float(one[layer]), 0)} (layer {layer + 1})" if known[layer] >= 0 else None)
    most = f"most saturated: {enumerate_texts(run.competitors, texts)}"
    if not (np.nan_to_num(dead) > NOTABLE_SHARE_DEAD).any():
        return most
    return f"{most}; dead units: {compare_percent(run.competitors, _mean_of_known(dead), 0)}"


def _mean_of_known(shares: Floats) -> list[float]:
    """Mean over the layers measured; NaN where none is. [k, l] -> [k]"""
    return [float(one[np.isfinite(one)].mean()) if np.isfinite(one).any() else float("nan") for one in shares]


def _alt(run: Run, saturated: Floats, dead: Floats, ratio: Floats) -> str:
    if not len(run.history):
        return "Health of every layer: nothing measured yet."
    parts = []
    for k, one in enumerate(run.competitors):
        shares = ", ".join(percent(float(v), 0) if np.isfinite(v) else "not measured" for v in saturated[k])
        ratios = ", ".join(number(float(v)) if np.isfinite(v) else "none yet" for v in ratio[k])
        parts.append(f"{one.label}: saturated outputs {shares}; update to weight ratio {ratios}")
    told = compare(run.competitors, np.nanmax(np.nan_to_num(dead), axis=1, initial=0) * 100)
    return joined(
        f"Health at step {whole(run.history.step[-1])}, layer by layer. {'. '.join(parts)}.",
        f"Most dead units in a layer, in per cent: {told}." if told else "",
    )


def _how(run: Run) -> str:
    name = run.settings.model.nonlinearity.replace("_", " ")
    return (
        f"Outputs where the slope of the {name} is under a fifth of its steepest, on {probe_text(run)}; "
        "‖ΔW‖ ÷ ‖W‖ of the last step."
    )
