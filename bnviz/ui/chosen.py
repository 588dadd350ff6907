"""What a visitor has chosen to see, where that is not the settings of a run; and examples of it, as a row of chips."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import streamlit as st

from bnviz.ui import lab as commands

C = TypeVar("C")
ON_ITS_WAY: Final = 2.0  # seconds that an address may take to reach the browser, and come back with its next message


class Chosen(Generic[C]):
    """A configuration, read from the page's link and kept in it, and from page to page.

    Args:
        key: in the session's state.
        from_query: reads a link; a notice for every value that it does not like.
        to_query: what a link says of it.
        names: all that a link may say.
    """

    def __init__(
        self,
        key: str,
        from_query: Callable[[Mapping[str, str]], tuple[C, list[str]]],
        to_query: Callable[[C], dict[str, str]],
        names: Sequence[str],
    ) -> None:
        self._key, self._from_query, self._to_query, self._names = key, from_query, to_query, names

    def get(self) -> C:
        if self._key not in st.session_state:
            self._read()
        found: C = st.session_state[self._key]
        return found

    def set(self, config: C) -> None:
        st.session_state[self._key] = config

    def follow_link(self) -> None:
        """Once a script run: take what the browser's Back and Forward brought, and have the address say what is chosen.

        So that a reload or a colleague finds the same.
        """
        query = st.query_params.to_dict()
        said = {name: query[name] for name in self._names if name in query}
        if self._is_elsewhere(said):
            self._read()
        wanted = self._to_query(self.get())
        if said != wanted:  # all of it at once: each change is a step of the browser's history
            st.query_params.from_dict({name: value for name, value in query.items() if name not in said} | wanted)
            st.session_state[f"{self._key}-said-at"] = time.monotonic()
        st.session_state[f"{self._key}-said"] = wanted

    def _is_elsewhere(self, said: Mapping[str, str]) -> bool:
        """Whether the address is another than the one last given, and not since that one is still on its way."""
        state = st.session_state
        newest = max(state.get(f"{self._key}-said-at", 0.0), state.get("commanded_at", 0.0))
        is_settled = time.monotonic() - newest > ON_ITS_WAY
        return bool(state.is_same_page) and is_settled and said != state.get(f"{self._key}-said", said)

    def _read(self) -> None:
        st.session_state[self._key], notices = self._from_query(st.query_params.to_dict())
        commands.notify(" ".join(notices))


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
        action: a command and its arguments.
        help: what to look for, where no line on the page says so of the one in force.
    """

    label: str
    action: tuple[Any, ...]
    help: str | None = None


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
