"""Sweeps: the survival map over two settings, best-tuned against best-tuned, and how wide the usable range is."""

import streamlit as st

from bnviz.ui.charts import SWEEP_CHARTS, charts
from bnviz.ui.explain import about
from bnviz.ui.frame import framed, show_notices
from bnviz.ui.sweeps import (
    adjust_sweep,
    cell_clicked,
    examples,
    follow_click,
    my_sweeps,
    open_cell,
    open_sweep,
    say_example,
    steer,
    take_along,
)
from bnviz.ui.transport import present_button


def sweeps_page() -> None:
    st.title("Which settings survive?")
    shown = open_sweep()
    follow_click(shown)
    adjust_sweep()
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="bar"):
        with st.container(horizontal=True, wrap=False, width="content", key="transport", gap=8):
            steer(shown)
            open_cell(shown)
            my_sweeps(shown)
        with st.container(
            horizontal=True, wrap=False, width="content", key="status-bar", gap=8, vertical_alignment="center"
        ):
            st.html('<span class="bnviz-status"></span>', width="content")
            take_along(shown)
            present_button()
    show_notices()
    with st.container(horizontal=True, key="looks"):
        examples()
        about("sweeps")
    say_example()
    charts(shown.lab, SWEEP_CHARTS, on_cell=cell_clicked)


framed(sweeps_page)
