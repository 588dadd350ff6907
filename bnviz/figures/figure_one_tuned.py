"""Best-tuned against best-tuned: test error by learning rate after several numbers of steps, and by optimizer.

Shapes as in `records.figure_one`: k = competitors, n = learning rates, r = seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bnviz.config import FIGURE_ONE_STEPS, GRIDS, TWINS, UpdateRule, View
from bnviz.figures.chart import Words, domains, heading, line, margin_note, number_of, panel_heading
from bnviz.figures.figure_one_parts import (
    RULES,
    X,
    accuracies,
    domains_of_two,
    family,
    figure_one_chart,
    log_steps_axis,
    over_steps,
    rates_axis,
    recorded_alone,
    waiting,
)
from bnviz.figures.numbers import percent, setting_value, whole
from bnviz.figures.theme import MARKER_SIZE, Spec, swatch_of, symbol_of
from bnviz.figures.timeline import axis_unit, unit_label
from bnviz.figures.trials_error import SCALE, error_axis
from bnviz.figures.trials_parts import error_of, median, seeds, series
from bnviz.figures.words import enumerate_texts
from bnviz.records import FigureOne, Floats, Run

TUNED: Final = "figure-one-tuned"
OPTIMIZERS: Final = "figure-one-optimizers"
TUNED_TITLE: Final = "Best-tuned against best-tuned"
OPTIMIZERS_TITLE: Final = "Best-tuned, by optimizer"
MOMENTS: Final = (250, 1000, 5000, FIGURE_ONE_STEPS)  # steps
DASHES: Final = ("solid", "6px,4px")  # of initial scales, in the order of `GRIDS`
RULE_DASHES: Final = {UpdateRule.SGD: "solid", UpdateRule.MOMENTUM: "7px,4px", UpdateRule.ADAM: "2px,3px"}
RULE_NAMES: Final = {UpdateRule.SGD: "SGD", UpdateRule.MOMENTUM: "momentum", UpdateRule.ADAM: "Adam"}
HOW: Final = "Share of the 10,000 test images classified wrongly at inference; recorded."
_GAP: Final = 0.05
_RULE_KEY: Final = ("━━ SGD", "╍╍ momentum", "┈┈ Adam")  # which line is which, in the margin


@dataclass(frozen=True)
class Best:
    """Where one network does best after so many steps, over all learning rates and initial scales."""

    rate: float
    scale: float
    accuracy: float  # median over seeds


def figure_one_tuned(run: Run, view: View) -> Spec:
    """Test error by learning rate, a panel for each number of steps, a line for each network and initial scale."""
    study = run.figure_one
    if study is None or not study.replicas or not any(_by_scale(study, study.config.rule).values()):
        return waiting(run, TUNED, TUNED_TITLE, HOW)
    run, rule = recorded_alone(run), study.config.rule
    runs = _by_scale(study, rule)
    data: list[dict[str, Any]] = []
    axes: dict[str, dict[str, Any]] = {}
    annotations: list[dict[str, Any]] = []
    for panel, (span, steps) in enumerate(zip(domains(len(MOMENTS), _GAP), MOMENTS, strict=True)):
        suffix = number_of(panel)
        for number, (scale, rows) in enumerate(runs.items()):
            if not rows:
                continue
            x = np.array([one[0].config.learning_rate for one in rows])
            values = accuracies(rows, steps)
            data += seeds(TWINS, x, error_of(values), SCALE, suffix)
            error = error_of(median(values, axis=2))
            hover = f"%{{customdata:.2f}} %, σ = {setting_value(scale)}"
            data += [_dashed(one, DASHES[number]) for one in series(TWINS, x, error, SCALE, hover, suffix)]
        bests = [best_of(study, rule, k, steps) for k in range(len(TWINS))]
        data += [_ring(k, one, suffix) for k, one in enumerate(bests) if one is not None]
        matches: dict[str, Any] = {"matches": "y"} if panel else {}
        axes[f"xaxis{suffix}"] = rates_axis(
            f"y{suffix}", GRIDS[rule].rates, domain=span,
            unifiedhovertitle={"text": "learning rate %{x}"},
        )  # fmt: skip
        axes[f"yaxis{suffix}"] = error_axis(f"x{suffix}", showticklabels=panel == 0, **matches)
        annotations.append(panel_heading(panel, f"after {whole(steps)} steps"))
    title = f"{TUNED_TITLE}: {RULES[rule]}"
    told = [_best_text(study, rule, steps) for steps in MOMENTS]
    words = Words(
        title,
        f"Test error, {told[1]}; {told[-1]}",
        f"{title}. Test error at the best rate: {'; '.join(told)}.",
        _how(study, rule),
    )
    return figure_one_chart(
        run, TUNED, words, data, axes,
        annotations=[*annotations, margin_note("<br>".join(_key(runs))), axis_unit("rate")],
        hovermode="closest",
        x="learning rate",
        shows=str(rule),
    )  # fmt: skip


def _how(study: FigureOne, rule: UpdateRule) -> str:
    count = len(GRIDS[rule].seeds)
    over = f"Lines: median of {count} seeds, each seed faint." if count > 1 else "One seed."
    return f"{HOW[:-1]}. {over} Rings: each network's best."


def _by_scale(study: FigureOne, rule: UpdateRule) -> dict[float, list[Any]]:
    """The runs of every learning rate by initial scale: [n][r] each."""
    return {scale: family(study, rule, scale) for scale in GRIDS[rule].scales}


def best_of(study: FigureOne, rule: UpdateRule, k: int, steps: float, seed: int | None = None) -> Best | None:
    """The best median over seeds, over all rates and scales of an update rule; None where nothing is known."""
    best: Best | None = None
    for scale in GRIDS[rule].scales:
        rows = family(study, rule, scale, seed)
        for row, accuracy in zip(rows, median(accuracies(rows, steps)[k], axis=1), strict=True):
            if np.isfinite(accuracy) and (best is None or accuracy > best.accuracy):
                best = Best(row[0].config.learning_rate, scale, float(accuracy))
    return best


def _best_text(study: FigureOne, rule: UpdateRule, steps: int) -> str:
    """Such as "after 1,000 steps 6.2 % with BN (rate 2), 6.9 % without (rate 2)"."""
    texts = []
    for k in range(len(TWINS)):
        best = best_of(study, rule, k, steps)
        texts.append(None if best is None else f"{percent(1 - best.accuracy)} at rate {setting_value(best.rate)}")
    return f"after {whole(steps)} steps {enumerate_texts(TWINS, texts)}"


def _dashed(trace: dict[str, Any], dash: str) -> dict[str, Any]:
    trace["line"]["dash"] = dash
    return trace


def _ring(k: int, best: Best, suffix: str) -> dict[str, Any]:
    """Around a network's best point: a trace named "best"."""
    one = TWINS[k]
    return {
        "type": "scatter", "mode": "markers", "name": "best", "hoverinfo": "skip",
        "x": [best.rate], "y": [float(np.clip(error_of(np.array(best.accuracy)), SCALE.low, SCALE.high))],
        "marker": {
            "symbol": f"{symbol_of(one)}-open", "size": MARKER_SIZE + 6, "color": f"@{one.name}", "line": {"width": 2},
        },
        "cliponaxis": False, "xaxis": f"x{suffix}", "yaxis": f"y{suffix}",
    }  # fmt: skip


def _key(runs: dict[float, list[Any]]) -> list[str]:
    """In the margin: whose shape is whose, and which line is which initial scale."""
    lines = [f"{swatch_of(one)} {one.label}" for one in TWINS]
    marks = ("━━", "╍╍")
    if len(runs) > 1:
        lines += [f"{mark} σ = {setting_value(scale)}" for mark, scale in zip(marks, runs, strict=False)]
    return lines


# --- by optimizer -----------------------------------------------------------------------------------------------------


def figure_one_optimizers(run: Run, view: View) -> Spec:
    """The lowest test error over all learning rates at every step, a line for each update rule, a panel a network."""
    study = run.figure_one
    if study is None or not study.replicas:
        return waiting(run, OPTIMIZERS, OPTIMIZERS_TITLE, HOW)
    run = recorded_alone(run)
    scale, seed = GRIDS[UpdateRule.ADAM].scales[0], GRIDS[UpdateRule.ADAM].seeds[0]  # which all of them have
    step = study.replicas[0].step[1:]
    data: list[dict[str, Any]] = []
    axes: dict[str, dict[str, Any]] = {}
    annotations: list[dict[str, Any]] = []
    for k, span in enumerate(domains_of_two(_GAP)):
        panel = number_of(k)
        for rule in UpdateRule:
            error = error_of(envelope(study, rule, scale, seed, k, step))
            if not np.isfinite(error).any():
                continue
            drawn = line(
                step,
                np.clip(error, SCALE.low, SCALE.high),
                name=RULES[rule],
                colour=f"@{TWINS[k].name}",
                hover="%{y:.2f} %",
            )
            drawn["line"] |= {"width": 2, "dash": RULE_DASHES[rule]}
            data.append(drawn | {"xaxis": f"x{panel}", "yaxis": f"y{panel}"})
        annotations.append(heading(run, k, k))
        matches: dict[str, Any] = {"matches": "x"} if k else {}
        axes[f"xaxis{panel}"] = log_steps_axis(f"y{panel}", domain=span, **matches)
        shared: dict[str, Any] = {"matches": "y"} if k else {}
        axes[f"yaxis{panel}"] = error_axis(f"x{panel}", showticklabels=k == 0, **shared)
    words = Words(
        OPTIMIZERS_TITLE,
        _optimizers_text(study, scale, seed, (1000,)),
        f"{OPTIMIZERS_TITLE}. Test error: {_optimizers_text(study, scale, seed, MOMENTS)}.",
        f"{HOW[:-1]}. At every step the best of {len(GRIDS[UpdateRule.SGD].rates)} learning rates; "
        f"initial scale {setting_value(scale)}, one seed.",
    )
    return figure_one_chart(
        run, OPTIMIZERS, words, data, axes,
        annotations=[*annotations, unit_label(over_steps(np.zeros(0))), margin_note("<br>".join(_RULE_KEY))],
        x=X,
    )  # fmt: skip


def envelope(study: FigureOne, rule: UpdateRule, scale: float, seed: int, k: int, step: Floats) -> Floats:
    """The best accuracy of one network over all learning rates at each of these steps. [m]"""
    rows = family(study, rule, scale, seed)
    if not rows:
        return np.full(len(step), np.nan)
    values = np.stack([accuracies(rows, one)[k, :, 0] for one in step])  # [m, n]
    best: Floats = np.fmax.reduce(values, axis=1)
    return best


def _optimizers_text(study: FigureOne, scale: float, seed: int, moments: Sequence[int]) -> str:
    """Such as "after 1,000 steps SGD 6.9 % without BN, 6.2 % with it; momentum ..."."""
    parts = []
    for steps in moments:
        each = []
        for rule in UpdateRule:
            bests = [envelope(study, rule, scale, seed, k, np.array([steps]))[0] for k in range(len(TWINS))]
            told = enumerate_texts(TWINS, [percent(1 - one) if np.isfinite(one) else None for one in bests])
            if told:
                each.append(f"{RULE_NAMES[rule]} {told}")
        parts.append(f"after {whole(steps)} steps {'; '.join(each)}")
    return ". ".join(part[0].upper() + part[1:] for part in parts)
