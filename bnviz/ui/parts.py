"""The parts of a page that has several, one of them shown at a time; the choice is in the page's address."""

from collections.abc import Mapping

import streamlit as st

from bnviz.ui.lab import PART_KEY


def pick_part(parts: Mapping[str, str]) -> str:
    """The key of the part that is shown; `parts` are the labels by key, the first is shown at first."""
    first, key = next(iter(parts)), f"part-{'-'.join(parts)}"
    if key not in st.session_state:
        asked = st.query_params.get(PART_KEY)
        st.session_state[key] = asked if asked in parts else first
    st.segmented_control(
        "Part of the page", list(parts), format_func=parts.__getitem__, key=key, label_visibility="collapsed",
        required=True,
    )  # fmt: skip
    part = str(st.session_state[key] or first)
    if st.query_params.get(PART_KEY) != part:
        st.query_params[PART_KEY] = part
    return part
