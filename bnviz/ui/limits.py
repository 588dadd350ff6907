"""Where BN fails: the experiments of that page, their settings in the sidebar, and the way into the lab."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import streamlit as st

from bnviz import config
from bnviz.config import (
    DEPTH_SETTINGS,
    MOST_DEPTH_SECONDS,
    MOST_TRIALS_SECONDS,
    TRIALS,
    DepthConfig,
    Experiment,
    Initialization,
    Setting,
    TrialsConfig,
    settings_of,
)
from bnviz.ui import lab as commands
from bnviz.ui.chosen import Chosen
from bnviz.ui.controls import group_heading, widget
from bnviz.ui.explain import say
from bnviz.ui.lab import Lab, Role, keep_view, show_value
from bnviz.ui.presets import LIMITS_PRESETS
from bnviz.ui.study import keys_of, open_recorded_study, run_here, time_text

DEPTH: Final = "depth"
PARTS: Final = {
    "batch_size": "Batch size",
    "mini_batches": "Dependent batches",
    "test_time": "At test time",
    "initialization": "Initialization",
    "dropout": "Dropout",
    DEPTH: "Depth",
}
_CHOSEN: Final[dict[str, Chosen[Any]]] = {
    str(one): Chosen(
        f"limits-{one}", partial(config.trials_from_query, one), config.trials_to_query, keys_of(settings_of(one))
    )
    for one in TRIALS
} | {DEPTH: Chosen("limits-depth", config.depth_from_query, config.depth_to_query, keys_of(DEPTH_SETTINGS))}
_REPORTED: Final = {
    "batch_size": "reported-batch-size",
    "mini_batches": "reported-mini-batches",
    "initialization": "reported-initialization",
    "dropout": "reported-dropout",
    DEPTH: "reported-depth",
}
_CONDITION_NAMES: Final = {
    Experiment.BATCH_SIZE: "Batch size",
    Experiment.MINI_BATCHES: "Mini-batches",
    Experiment.INITIALIZATION: "Learning rate",
    Experiment.DROPOUT: "Training images",
}
_ROWS: Final = {
    "trials": (("equal",), ("steps",), ("images",), ("nonlinearity", "seeds"), ("learning_rate",)),
    DEPTH: (("nonlinearity",), ("depth",), ("width",), ("initialization", "seed"), ("init_scale",)),
}


@dataclass(frozen=True)
class Part:
    """A part of the page, and what the visitor has chosen there."""

    name: str
    config: TrialsConfig | DepthConfig

    @property
    def settings(self) -> dict[str, Setting]:
        rows = DEPTH_SETTINGS if self.name == DEPTH else settings_of(Experiment(self.name))
        return {one.name: one for one in rows}

    @property
    def recording(self) -> str:
        return f"limits-{self.name}"


def chosen(name: str) -> Part:
    """What the visitor has chosen in this part of the page."""
    _CHOSEN[name].follow_link()
    return Part(name, _CHOSEN[name].get())


def open_part(part: Part) -> Lab:
    """What carries this experiment: its recording until the visitor has it run here, or chooses another one."""
    return open_recorded_study(Role.LIMITS, part.recording, part.config)


def run_part(lab: Lab, part: Part) -> None:
    """The button that has this very experiment run on this machine, in place of its recording."""
    run_here(lab, part.config, _seconds(part))


def adjust_part(part: Part) -> None:
    """Every setting of the experiment, in the sidebar."""
    with st.sidebar:
        group_heading("This experiment")
        for names in _ROWS[DEPTH if part.name == DEPTH else "trials"]:
            shown = [name for name in names if _has(part, name)]
            for column, name in zip(st.columns(len(shown), gap="small") if shown else [], shown, strict=True):
                with column:
                    key = f"limits-{part.name}-{name}"
                    setting = part.settings[name]
                    widget(setting, getattr(part.config, name), key, on_change=_changed, args=(part, name, key))
        most = f"{MOST_DEPTH_SECONDS:.0f} s" if part.name == DEPTH else f"{MOST_TRIALS_SECONDS / 60:.0f} min"
        st.caption(f"About {time_text(_seconds(part))} to run on this machine, of at most {most}.")


def _has(part: Part, name: str) -> bool:
    """Whether a setting means anything as the others stand."""
    if isinstance(part.config, DepthConfig) or name not in ("steps", "images"):
        return name in part.settings
    return (name == "images") is part.config.counts_images


def _seconds(part: Part) -> float:
    if isinstance(part.config, DepthConfig):
        return config.depth_seconds(part.config)
    return config.trials_seconds(part.config)


def _changed(part: Part, name: str, key: str) -> None:
    changes: dict[str, Any] = {name: st.session_state[key]}
    if name == "initialization":
        changes["init_scale"] = config.default_init_scale(Initialization(changes[name]))
    commands.command(_choose, part, changes)


def _choose(part: Part, changes: dict[str, Any]) -> None:
    """Refused with a notice, and nothing changes, where it would take too long."""
    _CHOSEN[part.name].set(replace(part.config, **changes))


def pick_condition(lab: Lab, part: Part) -> None:
    """Whose runs the charts over steps and over layers show."""
    if not isinstance(part.config, TrialsConfig) or part.config.experiment is Experiment.TEST_TIME:
        return
    labels = [one.label for one in part.config.conditions]
    key = f"limits-trial-{part.name}"
    name = _CONDITION_NAMES[part.config.experiment]
    is_about_more = part.config.experiment is Experiment.INITIALIZATION  # than the chart over steps
    show_value(key, labels[min(lab.view.trial, len(labels) - 1)])
    with st.container(horizontal=True, wrap=False, width="content", vertical_alignment="center", gap=8, key="pickers"):
        st.markdown(name if is_about_more else "Over steps", width="content")
        st.select_slider(
            name, labels, key=key, label_visibility="collapsed",
            on_change=_picked, args=(lab, labels, key), width=240,
        )  # fmt: skip


def _picked(lab: Lab, labels: list[str], key: str) -> None:
    keep_view(replace(lab.view, trial=labels.index(st.session_state[key])))


def reported(part: Part) -> None:
    """What others have measured of the same, with their source; marked as reported elsewhere."""
    text = _REPORTED.get(part.name)
    if text is not None:
        _box(text, "reported", " :gray-badge[reported elsewhere, not measured here]")


def batch_of_one(part: Part) -> None:
    """What BN does to a batch of one image: a result, and why."""
    if part.name == Experiment.BATCH_SIZE:
        _box("batch-of-one", "batch-of-one")


def _box(text: str, key: str, badge: str = "") -> None:
    with st.container(border=True, key=key):
        say(text, badge)


# --- into the lab -----------------------------------------------------------------------------------------------------


def open_in_lab(part: Part) -> None:
    """A button for each preset that shows the same in the live lab."""
    with st.container(horizontal=True, wrap=False, key="try-this", vertical_alignment="center", gap=8):
        st.markdown("Live in the lab", width="content")
        for preset in LIMITS_PRESETS[part.name]:
            if st.button(preset.chip, key=f"chip-{preset.chip}", help=preset.sentence, icon=":material/science:"):
                commands.command(commands.open_with, preset.settings)
                st.switch_page("pages/lab.py", query_params=commands.run_query(Role.LAB))
