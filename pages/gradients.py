"""Gradients: of untrained networks as deep as the visitor likes, and of the visitor's own run while it trains."""

import streamlit as st

from bnviz.config import Measure
from bnviz.ui.charts import GRADIENT_CHARTS, UNTRAINED_CHARTS, charts
from bnviz.ui.controls import adjust
from bnviz.ui.explain import about
from bnviz.ui.frame import framed, show_notices
from bnviz.ui.lab import Role, keep_in_link, measure, open_lab
from bnviz.ui.parts import pick_part
from bnviz.ui.pickers import pick_view
from bnviz.ui.transport import present_button, transport
from bnviz.ui.untrained import adjust_untrained, examples, open_untrained, pick_untrained_layer

PARTS = {"untrained": "Before training", "training": "During training"}


def gradients_page() -> None:
    st.title("Gradients")
    with st.container(horizontal=True, horizontal_alignment="distribute", key="parts"):
        part = pick_part(PARTS)
        with st.container(horizontal=True, width="content", gap=8, key="page-buttons"):
            about("gradients")
            if part == "untrained":
                present_button()  # the other part has it in its transport
    if part == "untrained":
        untrained_part()
    else:
        training_part()


def untrained_part() -> None:
    keep_in_link(Role.LAB)
    lab = open_untrained()
    adjust_untrained()
    show_notices()
    with st.container(horizontal=True, horizontal_alignment="distribute", key="choices"):
        examples(lab)
        pick_untrained_layer(lab)
    charts(lab, UNTRAINED_CHARTS)


def training_part() -> None:
    lab = open_lab()
    measure(lab, [Measure.GRADIENTS])
    adjust(lab)
    transport(lab)
    show_notices()
    pick_view(lab)
    charts(lab, GRADIENT_CHARTS)


framed(gradients_page, has_parts=True)
