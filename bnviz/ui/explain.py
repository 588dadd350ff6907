"""Explanations of a chart, opened from its "?"."""

from collections.abc import Iterable

import streamlit as st

from bnviz.config import Network
from bnviz.ui import texts


def explain(name: str) -> None:
    """Open the explanation called `name` over the page."""
    title, body = texts.title_and_body(name)

    @st.dialog(title, width="medium")
    def show() -> None:
        st.markdown(body)

    show()


def about(page: str) -> None:
    """What a page asks and where to look first, behind a button."""
    with st.popover("About this page", icon=":material/help:"):
        say(f"page-{page}")


def about_networks(networks: Iterable[Network]) -> None:
    """What each of these does and needs, behind a button."""
    with st.popover("How they differ", icon=":material/help:", width="stretch"):
        for one in networks:
            say(f"network-{one}")


def open_part(name: str) -> None:
    """An explanation that a part of a page begins with, under a heading."""
    title, body = texts.title_and_body(name)
    st.subheader(title, anchor=False)
    st.markdown(body)


def say(name: str, badge: str = "") -> None:
    """An explanation as part of the page."""
    title, body = texts.title_and_body(name)
    st.markdown(f"**{title}**{badge}")
    st.markdown(body)
