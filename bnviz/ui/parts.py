"""The parts of a page that has several, one of them shown at a time; the choice is in the page's address."""

from collections.abc import Mapping
from typing import Final

import streamlit as st

from bnviz.ui.lab import PART_KEY, show_value

_CHOSEN: Final = "part-chosen"  # of each page; kept from page to page, as the state of a widget is not
_OF_PAGE: Final = "part-of-page"  # where the page on screen keeps its choice
_IN_LINK: Final = "part-in-link"  # as we wrote it last: another one is the visitor's, with the browser's Back


def pick_part(parts: Mapping[str, str]) -> str:
    """The key of the part that is shown; `parts` are the labels by key, the first is shown at first."""
    state, asked = st.session_state, st.query_params.get(PART_KEY)
    kept = state[_OF_PAGE] = f"{_CHOSEN}-{'-'.join(parts)}"
    if asked in parts and asked != state.get(_IN_LINK):
        state[kept] = asked
    part = str(state.setdefault(kept, next(iter(parts))))
    show_value("part", part)
    st.segmented_control(
        "Part of the page", list(parts), format_func=parts.__getitem__, key="part", label_visibility="collapsed",
        required=True, on_change=_picked, args=(kept,),
    )  # fmt: skip
    if asked != part:
        st.query_params[PART_KEY] = part
    state[_IN_LINK] = part
    return part


def turn_to(part: str) -> None:
    """Show another part of the page that is open: a link to this very page would leave its address as it was."""
    st.session_state[st.session_state[_OF_PAGE]] = part


def _picked(kept: str) -> None:
    st.session_state[kept] = st.session_state.part
