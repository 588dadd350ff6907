"""Inside Batch Normalization: one mini-batch walks through one BN layer of the visitor's own run."""

import streamlit as st

from bnviz.config import Measure
from bnviz.ui.anatomy import adjust_batch, looks, pick_layer_and_unit, set_scale_and_shift, walk_chosen
from bnviz.ui.charts import ANATOMY_CHARTS, charts
from bnviz.ui.controls import adjust
from bnviz.ui.explain import about
from bnviz.ui.frame import framed, show_notices
from bnviz.ui.lab import measure, open_lab
from bnviz.ui.transport import transport


def anatomy_page() -> None:
    st.title("Inside Batch Normalization")
    lab = open_lab()
    measure(lab, [Measure.BATCH_ACCURACY])
    walk_chosen(lab)
    adjust_batch(lab)
    adjust(lab)
    transport(lab)
    show_notices()
    with st.container(horizontal=True, key="looks"):
        looks(lab)
        with st.container(horizontal=True, wrap=False, width="content", gap=8, key="page-buttons"):
            about("anatomy")
    with st.container(horizontal=True, key="anatomy-controls", vertical_alignment="bottom", gap=16):
        pick_layer_and_unit(lab)
        set_scale_and_shift(lab)
    charts(lab, ANATOMY_CHARTS)


framed(anatomy_page)
