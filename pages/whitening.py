"""Why whitening helps: a linear unit with two inputs under five treatments, and the same for MNIST's pixels."""

import streamlit as st

from bnviz.ui.charts import WHITENING_CHARTS, charts
from bnviz.ui.explain import about
from bnviz.ui.frame import framed, show_notices
from bnviz.ui.lab import Role, keep_in_link
from bnviz.ui.transport import present_button
from bnviz.ui.whitening import adjust_linear_unit, examples, open_linear_unit, present_rate, say_example, start_dragged


def whitening_page() -> None:
    st.title("Why whitening helps")
    keep_in_link(Role.LAB)
    lab = open_linear_unit()
    adjust_linear_unit()
    show_notices()
    with st.container(horizontal=True, key="looks"):
        examples()
        with st.container(horizontal=True, wrap=False, width="content", gap=8, key="page-buttons"):
            if lab.is_presenting:
                present_rate()
            else:
                about("whitening")
            present_button()
    say_example()
    charts(lab, WHITENING_CHARTS, on_start=start_dragged)


framed(whitening_page)
