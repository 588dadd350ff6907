"""Two untrained networks: their settings in the sidebar, the layer that is looked at, and who measures them."""

from dataclasses import dataclass, replace
from typing import Any, Final

import streamlit as st

from bnviz import config
from bnviz.config import (
    MOST_UNTRAINED_SECONDS,
    UNTRAINED_SETTINGS,
    Connections,
    Initialization,
    Nonlinearity,
    Setting,
    UntrainedConfig,
)
from bnviz.ui import lab as commands
from bnviz.ui.chosen import Chip, Chosen, Example, example_of, try_these
from bnviz.ui.controls import group_heading, widget
from bnviz.ui.lab import Lab, Role, keep_view, show_value
from bnviz.ui.study import keys_of, open_study

_CHOSEN: Final = Chosen(
    "untrained-config", config.untrained_from_query, config.untrained_to_query, keys_of(UNTRAINED_SETTINGS)
)
_SETTINGS: Final = {setting.name: setting for setting in UNTRAINED_SETTINGS}


@dataclass(frozen=True)
class UntrainedExample(Example[UntrainedConfig]):
    """Untrained networks worth a look, and which layer to look at first."""

    layer: int = 10


EXAMPLES: Final = (
    UntrainedExample(
        "Plain ReLU",
        "Twenty plain ReLU layers: the tails are heavy without BN; the gradients are larger with it.",
        UntrainedConfig(),
    ),
    UntrainedExample(
        "Residual",
        "With residual connections the two gradients differ in scale as in Bjorck et al.'s figure: compare the axes.",
        UntrainedConfig(connections=Connections.RESIDUAL),
    ),
    UntrainedExample(
        "Sigmoid",
        "Sigmoids: without BN the gradient vanishes on its way down; its tails are not heavy.",
        UntrainedConfig(
            depth=10, nonlinearity=Nonlinearity.SIGMOID, initialization=Initialization.GAUSSIAN, init_scale=0.1
        ),
        layer=1,
    ),
    UntrainedExample(
        "50 layers",
        "Fifty plain layers: BN makes gradients grow toward the input, layer by layer.",
        UntrainedConfig(depth=50),
    ),
    UntrainedExample(
        "Isometry",
        "Orthogonal weights and no nonlinearity: without BN every singular value is 1.",
        UntrainedConfig(
            depth=20, nonlinearity=Nonlinearity.IDENTITY, initialization=Initialization.ORTHOGONAL, init_scale=1.0
        ),
    ),
    UntrainedExample(
        "Overflow",
        "Weights four times too large, a hundred layers deep: without BN the activations leave the range of floats.",
        UntrainedConfig(depth=100, init_scale=4.0),
    ),
)


def open_untrained() -> Lab:
    """What carries the measurements of the untrained networks that this visitor wants, being measured."""
    _CHOSEN.follow_link()
    return open_study(Role.UNTRAINED, chosen())


def chosen() -> UntrainedConfig:
    """The networks that the visitor has chosen."""
    return _CHOSEN.get()


def adjust_untrained() -> None:
    """Every setting of the untrained networks, in the sidebar."""
    with st.sidebar:
        group_heading("Untrained networks")
        st.caption("Both have the same weights; nothing is trained.")
        for names in (("connections", "nonlinearity"), ("depth",), ("width",), ("initialization", "seed")):
            for column, name in zip(st.columns(len(names), gap="small"), names, strict=True):
                with column:
                    _widget(_SETTINGS[name])
        _widget(_SETTINGS["init_scale"])
        example = example_of(EXAMPLES, chosen())
        if example is not None:
            st.caption(example.sentence)
        seconds = config.untrained_seconds(chosen())
        st.caption(f"About {seconds:.1f} of at most {MOST_UNTRAINED_SECONDS:.0f} s to measure.")


def _widget(setting: Setting) -> None:
    key = f"untrained-{setting.name}"
    widget(setting, getattr(chosen(), setting.name), key, on_change=_changed, args=(setting.name, key))


def _changed(name: str, key: str) -> None:
    changes: dict[str, Any] = {name: st.session_state[key]}
    if name == "initialization":
        changes["init_scale"] = config.default_init_scale(Initialization(changes[name]))
    commands.command(_choose, changes)


def _choose(changes: dict[str, Any]) -> None:
    """Refused with a notice, and nothing changes, where it would take too long."""
    _CHOSEN.set(replace(chosen(), **changes))


def examples(lab: Lab) -> None:
    """A row of chips: each chooses other networks."""
    try_these(Chip(one.chip, (_take, lab, one), one.sentence) for one in EXAMPLES)


def _take(lab: Lab, example: UntrainedExample) -> None:
    _CHOSEN.set(example.config)
    keep_view(replace(lab.view, untrained_layer=example.layer))


def pick_untrained_layer(lab: Lab) -> None:
    """The weight layer whose gradient is shown: what is measured holds every layer."""
    view, last = lab.view, chosen().depth + 1
    key = f"untrained-layer-{last}"  # with other ends it is another widget, which begins with what it is told
    show_value(key, min(view.untrained_layer, last))
    with st.container(horizontal=True, wrap=False, key="pickers", vertical_alignment="center", gap=8):
        st.markdown("Layer", width="content")
        st.slider("Weight layer", 1, last, key=key, label_visibility="collapsed", on_change=_picked, args=(lab, key))


def _picked(lab: Lab, key: str) -> None:
    keep_view(replace(lab.view, untrained_layer=st.session_state[key]))
