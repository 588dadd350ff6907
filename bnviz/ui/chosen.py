"""What a visitor has chosen to see, where that is not the settings of a run; and examples of it, as a row of chips."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

from bnviz.ui import lab as commands

C = TypeVar("C")


class Chosen(Generic[C]):
    """A configuration, read from the page's link once a session and kept from page to page.

    Args:
        key: in the session's state.
        from_query: reads a link; a notice for every value that it does not like.
    """

    def __init__(self, key: str, from_query: Callable[[Mapping[str, str]], tuple[C, list[str]]]) -> None:
        self._key, self._from_query = key, from_query

    def get(self) -> C:
        if self._key not in st.session_state:
            st.session_state[self._key], notices = self._from_query(st.query_params.to_dict())
            for notice in notices:
                commands.notify(notice)
        found: C = st.session_state[self._key]
        return found

    def set(self, config: C) -> None:
        st.session_state[self._key] = config


@dataclass(frozen=True)
class Example(Generic[C]):
    """A configuration worth a look, and what to look for."""

    chip: str
    sentence: str
    config: C


def example_of(examples: Iterable[Example[C]], config: C) -> Example[C] | None:
    """The one that is in force, if any."""
    return next((one for one in examples if one.config == config), None)


@dataclass(frozen=True)
class Chip:
    """One button of a row.

    Attributes:
        help: what to look for.
        action: a command and its arguments.
    """

    label: str
    help: str
    action: tuple[Any, ...]


def try_these(chips: Iterable[Chip], disabled: bool = False) -> None:
    """A row of chips: each does something worth a look."""
    with st.container(horizontal=True, wrap=False, key="try-this", vertical_alignment="center", gap=8):
        st.markdown("Try this", width="content")
        for chip in chips:
            st.button(
                chip.label,
                key=f"chip-{chip.label}",
                help=chip.help,
                on_click=commands.command,
                args=chip.action,
                disabled=disabled,
            )
