"""Loss landscape: the loss of both networks on a plane through their weights, the path on it, and how sharp it is."""

import streamlit as st

from bnviz.config import Measure
from bnviz.ui.charts import LANDSCAPE_CHARTS, charts
from bnviz.ui.controls import adjust, present_controls
from bnviz.ui.explain import about
from bnviz.ui.frame import framed, show_notices
from bnviz.ui.lab import measure, open_lab
from bnviz.ui.landscape import adjust_landscape, draw_chosen, looks
from bnviz.ui.pickers import pick_axis
from bnviz.ui.transport import transport


def landscape_page() -> None:
    st.title("Loss landscape")
    lab = open_lab()
    measure(lab, [Measure.SHARPNESS])
    draw_chosen(lab)
    adjust(lab)
    transport(lab)
    show_notices()
    with st.container(horizontal=True, key="looks"):
        looks(lab)
        with st.container(horizontal=True, wrap=False, width="content", gap=8, key="page-buttons"):
            if lab.is_presenting:
                present_controls(lab)
            else:
                pick_axis(lab)
                about("landscape")
    adjust_landscape(lab)
    charts(lab, LANDSCAPE_CHARTS)


framed(landscape_page)
