"""The live lab: two networks that differ only in Batch Normalization, trained while you watch."""

import streamlit as st

from bnviz.ui.charts import charts
from bnviz.ui.claim_runs import say_claim
from bnviz.ui.controls import adjust, present_controls, try_this
from bnviz.ui.frame import framed, show_notices
from bnviz.ui.lab import open_lab
from bnviz.ui.pickers import pick_view
from bnviz.ui.transport import transport


def lab_page() -> None:
    st.title("Live lab")
    lab = open_lab()
    adjust(lab)
    transport(lab)
    say_claim(lab)
    show_notices()
    with st.container(horizontal=True, horizontal_alignment="distribute", key="choices"):
        if lab.is_presenting:
            present_controls(lab)
        else:
            try_this(lab)
        pick_view(lab)
    charts(lab)


framed(lab_page)
