"""Does BN reduce covariate shift? Four networks in lock-step, and the paper's claim measured on them."""

import streamlit as st

from bnviz.ui.charts import SHIFT_CHARTS, charts
from bnviz.ui.controls import adjust, try_this
from bnviz.ui.frame import framed, show_notices
from bnviz.ui.lab import MEASURED, Role, measure, open_lab
from bnviz.ui.pickers import pick_view
from bnviz.ui.transport import transport
from bnviz.ui.verdicts import predict, show_verdicts


def shift_page() -> None:
    st.title("Does BN reduce covariate shift?")
    lab = open_lab(Role.SHIFT)
    measure(lab, MEASURED[lab.role])
    adjust(lab)
    transport(lab)
    show_notices()
    with st.container(horizontal=True, horizontal_alignment="distribute", key="choices"):
        try_this(lab)
        pick_view(lab)
    predict(lab)
    charts(lab, SHIFT_CHARTS)
    show_verdicts(lab)


framed(shift_page)
