"""The sidebar: one widget a setting, in two groups, so that nobody loses a run by surprise."""

from typing import Any

import streamlit as st

from bnviz import config
from bnviz.config import (
    BY_NAME,
    COMPETITORS,
    IN_GROUPS,
    Choice,
    Device,
    Initialization,
    Network,
    Normalization,
    Number,
    Setting,
    Several,
)
from bnviz.live.header import settings_text
from bnviz.ui import lab as commands
from bnviz.ui import texts
from bnviz.ui.chosen import Chip, try_these
from bnviz.ui.explain import about_networks
from bnviz.ui.lab import Lab, Role, show_value
from bnviz.ui.presets import PRESETS, SHIFT_PRESETS, Preset

PRESETS_OF = {Role.LAB: PRESETS, Role.SHIFT: SHIFT_PRESETS}
CHOICES = {
    "relu": "ReLU", "leaky_relu": "leaky ReLU", "gelu": "GELU", "sgd": "SGD", "adam": "Adam", "gaussian": "Gaussian",
    "glorot": "Glorot", "he": "He", "lsuv": "LSUV", "raw": "raw [0, 1]", "cpu": "CPU", "cuda": "GPU",
    "auto": "automatic", "two_classes": "two classes", "pca": "PCA", "zca": "ZCA", "shared": "one for all",
    "multiple": "× each one's limit", "best": "2/(λ_max + λ_min) each", "fully_connected": "fully connected",
}  # fmt: skip


def adjust(lab: Lab) -> None:
    """Every setting of the run, in the sidebar."""
    with st.sidebar:
        _live(lab)
        st.divider()
        _restarting(lab)


def _live(lab: Lab) -> None:
    group_heading("Changes live")
    setting_widget(lab, "learning_rate")
    setting_widget(lab, "batch_size")
    _pair(lab, "momentum", "weight_decay")
    setting_widget(lab, "bn_momentum")
    if compares(lab, Normalization.RENORMALIZATION):
        _pair(lab, "r_max", "d_max")
    if _has_dropout(lab):
        setting_widget(lab, "dropout")
    if compares(lab, Normalization.NOISY_BATCH, Normalization.NOISE):
        _pair(lab, "noise_mean", "noise_mean_spread")
        _pair(lab, "noise_scale", "noise_scale_spread")
        title, body = texts.title_and_body("noisy-bn")
        with st.popover(title, icon=":material/help:", width="stretch"):
            st.markdown(body)


def _has_dropout(lab: Lab) -> bool:
    """Whether one of the networks has dropout."""
    return any(one.has_dropout for one in config.lineup(lab.settings.model))


def compares(lab: Lab, *normalizations: Normalization) -> bool:
    """Whether any of these is among the networks."""
    return not set(normalizations).isdisjoint(config.normalizations_of(lab.settings.model))


def group_heading(text: str) -> None:
    st.html(f'<h2 class="bnviz-group">{text}</h2>')


def _restarting(lab: Lab) -> None:
    group_heading("Restarts the run")
    _ghost(lab)
    setting_widget(lab, "networks")
    about_networks(lab.settings.model.networks)
    if compares(lab, *IN_GROUPS):
        setting_widget(lab, "groups")
    _pair(lab, "nonlinearity", "optimizer")
    _pair(lab, "initialization", "input_form")
    _pair(lab, "init_scale", "sampling")
    setting_widget(lab, "training_images")
    setting_widget(lab, "architecture")
    if lab.settings.model.is_convolutional:
        setting_widget(lab, "width")
        st.caption("Two 5 × 5 convolutions of stride 2, 28 → 12 → 4 pixels a side, and a linear layer.")
    else:
        _pair(lab, "hidden_layers", "width")
    st.caption(_cost(lab))
    _pair(lab, "bn_placement", "seed")
    if _has_gpu(lab):
        setting_widget(lab, "device")
    _presets(lab)


def _ghost(lab: Lab) -> None:
    """Says what a restart keeps; once there is a ghost, how to be rid of it."""
    if lab.run.ghost is None or not lab.is_mine:
        st.caption("Same seed; the last run stays as a ghost.")
        return
    st.button(
        "Dismiss the ghost",
        key="dismiss-ghost",
        icon=":material/visibility_off:",
        help=f"{lab.run.ghost.label.capitalize()}: the faint lines.",
        on_click=commands.command,
        args=(commands.dismiss_ghost, lab),
        width="stretch",
    )


def _has_gpu(lab: Lab) -> bool:
    """Whether the device is a choice: the run trains on a GPU, or was told where to train."""
    return lab.run.status.device not in ("", "CPU") or lab.settings.model.device is not Device.AUTO


def _pair(lab: Lab, left: str, right: str) -> None:
    columns = st.columns(2, gap="small")
    for column, name in zip(columns, (left, right), strict=True):
        with column:
            setting_widget(lab, name)


def setting_widget(lab: Lab, name: str, place: str = "sidebar") -> None:
    """The widget of one setting of a run; `place` tells two widgets of one setting apart."""
    setting, key = BY_NAME[name], f"{name}-{place}"
    widget(
        setting,
        lab.settings.get(name),
        key,
        label=_label(lab, setting),
        on_change=_changed,
        args=(lab, name, key),
        disabled=not lab.is_mine,
    )


def widget(setting: Setting, value: Any, key: str, **more: Any) -> None:
    """A selectbox, a slider or a number, as the setting's domain asks for, showing the value that is in force."""
    value = list(value) if isinstance(value, tuple) else value
    show_value(key, value)  # what is shown elsewhere is the truth: it may have been changed there
    shared: dict[str, Any] = {"label": setting.label, "key": key, "help": setting.help, **more}
    match setting.domain:
        case Choice(kind):
            st.selectbox(options=list(kind), format_func=choice_text, filter_mode=None, **shared)
        case Several(kind, _, most):
            st.multiselect(options=list(kind), format_func=choice_text, max_selections=most, **shared)
        case Number(grid=()) as number:
            st.number_input(min_value=int(number.low), max_value=int(number.high), step=1, **shared)
        case Number(grid=grid, is_integer=is_integer):
            # A link may hold a value between two stops of the slider: it gets a stop of its own.
            options = sorted({*grid, value})
            if is_integer:
                options = [int(option) for option in options]
            st.select_slider(options=options, format_func=_number_text, **shared)


def _label(lab: Lab, setting: Setting) -> str:
    if setting.name == "init_scale" and lab.settings.model.initialization is Initialization.GAUSSIAN:
        return f"{setting.label} σ"
    if setting.name == "width" and lab.settings.model.is_convolutional:
        return "Feature maps"
    return setting.label


def choice_text(value: Any) -> str:
    return COMPETITORS[value].label if isinstance(value, Network) else CHOICES.get(str(value), str(value))


def _number_text(value: float) -> str:
    return f"{value:,g}"


def _changed(lab: Lab, name: str, key: str) -> None:
    commands.command(commands.change, lab, name, st.session_state[key])


def _cost(lab: Lab) -> str:
    milliseconds = config.step_milliseconds(lab.settings)
    megabytes = config.checkpoint_bytes(lab.settings) / 1e6
    return (
        f"About {milliseconds:.1f} of at most {config.MOST_STEP_MILLISECONDS:.0f} ms a step, "
        f"{megabytes:.1f} of {config.MOST_CHECKPOINT_BYTES / 1e6:.0f} MB."
    )


def _presets(lab: Lab) -> None:
    """The list of presets, and what the one in force shows."""
    presets = PRESETS_OF[lab.role]
    present = next((preset for preset in presets if preset.settings == lab.settings), None)
    # With other settings it is another widget, so that what a browser still says of the one before, while the visitor
    # moves a slider faster than the page answers, can be told from a choice, which restarts the run.
    key = f"preset-{settings_text(lab.settings)}"
    st.selectbox(
        "Presets",
        presets,
        index=None if present is None else presets.index(present),
        format_func=_preset_label,
        key=key,
        placeholder="your own settings",
        on_change=_preset_chosen,
        args=(lab, key, present),
        disabled=not lab.is_mine,
        filter_mode=None,
    )
    if present is not None:
        st.caption(present.sentence)


def _preset_label(preset: Preset) -> str:
    return preset.label


def _preset_chosen(lab: Lab, key: str, present: Preset | None) -> None:
    chosen: Preset | None = st.session_state[key]
    if chosen not in (None, present):
        commands.command(commands.apply, lab, chosen.settings)
        if commands.notices():  # refused: the list shows what is in force
            st.session_state[key] = present


def try_this(lab: Lab) -> None:
    """A row of chips: each takes a preset and plays it."""
    presets = [preset for preset in PRESETS_OF[lab.role] if preset.chip]
    try_these(
        [Chip(one.chip, (commands.apply, lab, one.settings, True), one.sentence) for one in presets],
        disabled=not lab.is_mine,
    )


def present_controls(lab: Lab) -> None:
    """What a lecturer still steers while the sidebar is hidden."""
    with st.container(key="present-controls"):
        setting_widget(lab, "learning_rate", place="page")
