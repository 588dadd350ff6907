"""Which layer and unit the charts show, and what is on their axis over time."""

from dataclasses import replace
from typing import Final

import streamlit as st

from bnviz.config import Axis
from bnviz.records import kept_units
from bnviz.ui.lab import Lab, keep_view, show_value

AXES: Final = {Axis.STEPS: "over steps", Axis.IMAGES: "over images", Axis.COMPUTE: "over compute time"}
MOST_LAYER_BUTTONS: Final = 5


def pick_view(lab: Lab) -> None:
    """Layer, unit and axis; the training knows nothing of them."""
    view, model = lab.view, lab.settings.model
    layers = list(range(1, model.hidden_layers + 1))
    units = kept_units(1, model.width)[0].tolist()
    show_value("layer", view.layer)
    show_value("unit", min(units, key=lambda unit: abs(unit - view.unit)))
    with st.container(horizontal=True, wrap=False, key="pickers", vertical_alignment="center", gap=8):
        st.markdown("Layer", width="content")
        if len(layers) <= MOST_LAYER_BUTTONS:
            st.segmented_control(
                "Layer",
                layers,
                key="layer",
                label_visibility="collapsed",
                on_change=_picked,
                args=(lab,),
                required=True,
            )
        else:
            st.selectbox(
                "Layer", layers, key="layer", label_visibility="collapsed", on_change=_picked, args=(lab,), width=76
            )
        st.markdown(model.unit.capitalize(), width="content")
        st.selectbox(
            model.unit.capitalize(), units, key="unit", label_visibility="collapsed", on_change=_picked, args=(lab,),
            width=72,
        )  # fmt: skip
        pick_axis(lab)


def pick_axis(lab: Lab) -> None:
    """What is on the axis of charts over time."""
    show_value("axis", lab.view.axis)
    st.selectbox(
        "Axis", list(AXES), format_func=AXES.__getitem__, key="axis", label_visibility="collapsed",
        on_change=_picked, args=(lab,), filter_mode=None, width=140,
    )  # fmt: skip


def _picked(lab: Lab) -> None:
    state, view = st.session_state, lab.view
    layer, unit = state.get("layer") or view.layer, state.get("unit", view.unit)
    keep_view(replace(view, layer=layer, unit=unit, axis=state.axis))
