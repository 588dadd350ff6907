"""Explanations of a chart, opened from its "?"."""

import streamlit as st

from bnviz.ui import texts


def explain(name: str) -> None:
    """Open the explanation called `name` over the page."""
    title, body = texts.title_and_body(name)

    @st.dialog(title, width="medium")
    def show() -> None:
        st.markdown(body)

    show()
