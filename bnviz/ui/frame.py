"""The frame of every page: its style, and the one place where a BnvizError becomes words on the page."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import streamlit as st

from bnviz.errors import BnvizError
from bnviz.ui import lab as commands
from bnviz.ui.gate import a_place_to_run
from bnviz.ui.lab import PART_KEY

ASSETS: Final = Path(__file__).resolve().parents[2] / "assets"
_log = logging.getLogger(__name__)


def framed(page: Callable[[], None], *, has_parts: bool = False) -> None:
    """Draw a page; an error shows its text, and never a traceback. A page without parts takes them out of its link."""
    with a_place_to_run():
        _run(page, has_parts)


def _run(page: Callable[[], None], has_parts: bool) -> None:
    commands.enter(page.__name__)
    if not has_parts and PART_KEY in st.query_params:
        del st.query_params[PART_KEY]
    st.html(ASSETS / "style.css")
    st.html(ASSETS / "print.css")
    if st.session_state.setdefault("is_present", st.query_params.get("present") == "1"):
        st.html(ASSETS / "present.css")
    try:
        page()
    except BnvizError as error:
        st.error(error.text)
    except Exception:
        _log.exception("page failed")
        st.error("This page met an error of its own. Reload it; your run goes on. The server's log has the details.")


def show_notices() -> None:
    """What went wrong or fell back, since the last command; once also where a page that is scrolled down shows it."""
    told: list[str] = st.session_state.get("told", [])
    for notice in commands.notices():
        st.warning(notice)
        if notice not in told:
            st.toast(notice, icon=":material/warning:")
    st.session_state.told = list(commands.notices())
