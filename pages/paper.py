"""The paper, reproduced: Ioffe & Szegedy 2015, part by part, each checked at the scale of MNIST."""

import streamlit as st

from bnviz.ui.explain import about
from bnviz.ui.frame import framed, show_notices
from bnviz.ui.lab import Role, keep_in_link
from bnviz.ui.paper import PARTS, share_part, tidy_link
from bnviz.ui.parts import pick_part
from bnviz.ui.transport import present_button


def paper_page() -> None:
    heading = st.container()
    with st.container(horizontal=True, horizontal_alignment="distribute", key="parts"):
        part = PARTS[pick_part({name: one.label for name, one in PARTS.items()})]
        if part.role is Role.LAB:
            keep_in_link(Role.LAB)
        tidy_link(part)
        with st.container(horizontal=True, width="content", gap=8, key="page-buttons"):
            about("paper")
            share_part(part)
            present_button()
    with heading:  # on paper it alone says which part this is
        st.title(f"The paper, reproduced: {part.label}")
    notices = st.container()
    part.show()
    with notices:  # what a part finds wrong in its link, too
        show_notices()


framed(paper_page, has_parts=True)
