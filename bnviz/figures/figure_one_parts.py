"""What the charts of the paper's Figure 1 share: frame, axis over steps, the step that is looked at, families of runs.

Shapes as in `records.figure_one`: m = points in time, k = competitors; r = seeds, n = learning rates.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from bnviz.config import FIGURE_ONE_STEPS, NEWEST, TWINS, Axis, FigureOneConfig, UpdateRule, View
from bnviz.figures.chart import Words, base_axis, chart, clear_note, domains, empty_axes, key_of, not_yet
from bnviz.figures.numbers import setting_value, whole
from bnviz.figures.studies import staged
from bnviz.figures.theme import EVENT_WIDTH, Spec
from bnviz.figures.timeline import HOVER_TITLES, UNITS, Timeline, time_axis
from bnviz.records import Badge, FigureOne, Floats, Replica, Run

ABSENT: Final = "There is no recording of this run here."
TICKS: Final = "~s"  # 10k, as in the paper: several panels have no room for more
RULES: Final[Mapping[UpdateRule, str]] = {
    UpdateRule.SGD: "SGD",
    UpdateRule.MOMENTUM: "SGD with momentum",
    UpdateRule.ADAM: "Adam",
}


def figure_one_chart(
    run: Run,
    name: str,
    words: Words,
    data: Sequence[Mapping[str, Any]],
    axes: Mapping[str, Mapping[str, Any]],
    **more: Any,
) -> Spec:
    """A chart of a run beside its recordings; a zoom stays while the same run is looked at."""
    shows = f"{run.figure_one.config.name if run.figure_one else ''}-{more.pop('shows', '')}"
    return chart(run, name, words, data, axes, shows=shows, key=key_of(run), **more)


def waiting(run: Run, name: str, title: str, how: str) -> Spec:
    """The chart where there is no recording, and why."""
    notice = run.figure_one.notice if run.figure_one else ""
    words = not_yet(title, how)
    if notice:
        words = Words(title, notice, f"{title}: {notice}", how)
    return figure_one_chart(run, name, words, [], empty_axes(), annotations=[clear_note(ABSENT)])


def is_live(run: Run) -> bool:
    """Whether this is a run of a visitor's own that has begun, and whose accuracy has been measured."""
    return run.badge is Badge.MEASURED and bool(run.history.has_accuracy.any())


def recorded_alone(run: Run) -> Run:
    """The twins in good health, recorded: for charts in which nothing is of the run itself."""
    return staged(run, TWINS).replace(badge=Badge.RECORDED, interventions=())


def same_but(config: FigureOneConfig) -> str:
    """Such as "SGD, initial scale 0.1": what the runs of a family have in common."""
    return f"{RULES[config.rule]}, initial scale {setting_value(config.init_scale)}"


# --- the axis over steps ----------------------------------------------------------------------------------------------


def over_steps(step: Floats) -> Timeline:
    """The axis of all these charts, on which a run of fewer steps is under way. step: [m]"""
    return Timeline(Axis.STEPS, step, (step,) * len(TWINS), float(FIGURE_ONE_STEPS))


def steps_axis(anchor: str, **more: Any) -> dict[str, Any]:
    """A Plotly x axis over the steps of the whole figure."""
    return time_axis(over_steps(np.zeros(0)), anchor, **({"tickformat": TICKS} | more))


def log_steps_axis(anchor: str, **more: Any) -> dict[str, Any]:
    """The same from step 1 on and logarithmic, where what matters happens early."""
    title = {"text": HOVER_TITLES[Axis.STEPS]}
    return base_axis(
        anchor, 1.0, float(FIGURE_ONE_STEPS), type="log", dtick=1, tickformat=TICKS, unifiedhovertitle=title, **more
    )


def rates_axis(anchor: str, rates: Sequence[float], **more: Any) -> dict[str, Any]:
    """A logarithmic x axis of learning rates, each with its number."""
    low, high = rates[0] / 2, rates[-1] * 2
    texts = [setting_value(one) for one in rates]
    return base_axis(anchor, low, high, type="log", tickvals=list(rates), ticktext=texts, **more)


def domains_of_two(gap: float = 0.16) -> list[list[float]]:
    """The shares of the width of two panels, with room for labels at the lines' ends between them."""
    return domains(len(TWINS), gap)


# --- the step that is looked at ---------------------------------------------------------------------------------------


def step_of(replica: Replica, view: View) -> float | None:
    """The recorded step nearest to the one asked for; None where the whole run is looked at."""
    if view.step == NEWEST:
        return None
    return float(replica.step[int(np.argmin(np.abs(replica.step - view.step)))])


def at(replica: Replica, values: Floats, step: float | None) -> Floats:
    """What was measured last up to a step, the end unless given. values: [m, ...] to [...]"""
    return Measured(replica.step, values).until(step)


class Measured(NamedTuple):
    """Something over the steps: step [m], values [m, ...]."""

    step: Floats
    values: Floats

    def until(self, step: float | None) -> Floats:
        """What was measured last up to a step, the end unless given. [...]"""
        last = len(self.step) if step is None else int(np.searchsorted(self.step, step, side="right"))
        found: Floats = self.values[max(last - 1, 0)]
        return found


def looked_at(recorded: Measured, own: Measured | None, step: float | None) -> tuple[Floats, str]:
    """What is looked at of a live run as far as it has come, else of the recording; and which moment that is. [...]"""
    if own is not None and len(own.step) and (step is None or step <= own.step[-1]):
        return own.until(step), f"At step {whole(own.step[-1] if step is None else step)}"
    moment = when(step) if own is None else f"recorded, {when(step)}"
    return recorded.until(step), moment[0].upper() + moment[1:]


def scrubber(replica: Replica, step: float | None, is_live: bool) -> dict[str, Any]:
    """What the browser's slider goes through, the steps of the recording: meta's "scrub"."""
    return {
        "field": "step",
        "label": "Step",
        "values": [int(one) for one in replica.step],
        "value": int(replica.step[-1] if step is None else step),
        "newest": NEWEST,
        "end": "the end of the recording" if is_live else "the end",
        "is_played": True,
    }


def step_lines(step: float | None, panels: Iterable[str]) -> list[dict[str, Any]]:
    """A line at the step that is looked at, in every panel: shapes named "step"."""
    if step is None:
        return []
    return [
        {
            "type": "line", "name": "step", "xref": f"x{panel}", "x0": step, "x1": step, "yref": f"y{panel} domain",
            "y0": 0, "y1": 1, "line": {"color": "@text", "width": EVENT_WIDTH},
        }
        for panel in panels
    ]  # fmt: skip


def when(step: float | None) -> str:
    """Such as "at step 1,000", or at the end."""
    return "at the end" if step is None else f"at step {whole(step)}"


# --- families of runs -------------------------------------------------------------------------------------------------


def family(study: FigureOne, rule: UpdateRule, scale: float, seed: int | None = None) -> list[list[Replica]]:
    """The recorded runs of every learning rate that has any, in its order: [n][r]."""
    found: dict[float, list[Replica]] = {}
    for one in study.replicas:
        config = one.config
        if (config.rule, config.init_scale) == (rule, scale) and seed in (None, config.seed):
            found.setdefault(config.learning_rate, []).append(one)
    return [found[rate] for rate in sorted(found)]


def accuracies(runs: Sequence[Sequence[Replica]], step: float) -> Floats:
    """Test accuracy after so many steps, NaN where a network has diverged or a seed is lacking: [k, n, r]."""
    most = max((len(seeds) for seeds in runs), default=0)
    values = np.full((len(TWINS), len(runs), most), np.nan)
    for n, seeds in enumerate(runs):
        for r, one in enumerate(seeds):
            values[:, n, r] = at(one, one.accuracy, step)
    return values


X: Final = UNITS[Axis.STEPS]
