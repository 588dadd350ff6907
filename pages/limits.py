"""Where BN fails: small and dependent batches, other images at test time, depth, and what can stand in for it."""

import streamlit as st

from bnviz.ui.charts import LIMITS_CHARTS, charts
from bnviz.ui.explain import about
from bnviz.ui.frame import framed, show_notices
from bnviz.ui.lab import Role, keep_in_link
from bnviz.ui.limits import (
    PARTS,
    adjust_part,
    batch_of_one,
    chosen,
    open_in_lab,
    open_part,
    pick_condition,
    reported,
    run_part,
)
from bnviz.ui.parts import pick_part
from bnviz.ui.transport import present_button


def limits_page() -> None:
    st.title("Where Batch Normalization fails")
    keep_in_link(Role.LAB)
    with st.container(horizontal=True, horizontal_alignment="distribute", key="parts"):
        part = chosen(pick_part(PARTS))
        with st.container(horizontal=True, width="content", gap=8, key="page-buttons"):
            about("limits")
            present_button()
    lab = open_part(part)
    adjust_part(part)
    show_notices()
    with st.container(horizontal=True, horizontal_alignment="distribute", key="choices"):
        open_in_lab(part)
        with st.container(horizontal=True, width="content", gap=16, key="limits-run", vertical_alignment="center"):
            pick_condition(lab, part)
            run_part(lab, part)
    charts(lab, LIMITS_CHARTS[part.name])
    batch_of_one(part)
    reported(part)


framed(limits_page, has_parts=True)
