"""The visitor's own runs: every one that is kept, to go on with, to take along, to hand over or to delete."""

import streamlit as st

from bnviz.ui.frame import framed
from bnviz.ui.runs import list_runs


def runs_page() -> None:
    st.title("My runs")
    list_runs()


framed(runs_page)
