"""A part of a page that is one study: its settings in the sidebar, its recording, and the button that runs it here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

import streamlit as st

from bnviz.config import CostConfig, CousinsConfig, Setting
from bnviz.ui import lab as commands
from bnviz.ui.chosen import Chosen
from bnviz.ui.controls import group_heading, widget
from bnviz.ui.lab import Lab, Role
from bnviz.ui.study import open_recorded_study, run_here, time_text

C = TypeVar("C", CousinsConfig, CostConfig)
SPACE: Final = "small"


@dataclass(frozen=True)
class RecordedStudy(Generic[C]):
    """What such a part is made of.

    Attributes:
        recordings: their names by what they are of, the default first.
        chosen: what the visitor has chosen.
        settings: all that can be.
        rows: their names, row by row in the sidebar.
        seconds: estimated time to run it, of at most `most` s.
    """

    recordings: Mapping[C, str]
    chosen: Chosen[C]
    settings: Sequence[Setting]
    rows: Sequence[Sequence[str]]
    seconds: Callable[[C], float]
    most: float

    def open(self) -> Lab:
        """What carries the study that the visitor wants: its recording, or a run of theirs that measures it."""
        self.chosen.follow_link()
        wanted = self.chosen.get()
        return open_recorded_study(Role.PAPER, self.recordings.get(wanted, self._name), wanted)

    @property
    def _name(self) -> str:
        return next(iter(self.recordings.values()))

    def run_here(self, lab: Lab) -> None:
        with st.container(horizontal=True, horizontal_alignment="right"):
            run_here(lab, self.chosen.get(), self.seconds(self.chosen.get()))

    def adjust(self) -> None:
        """Every setting, in the sidebar, and what it will take."""
        config, by_name = self.chosen.get(), {one.name: one for one in self.settings}
        with st.sidebar:
            group_heading("This experiment")
            for names in self.rows:
                for column, name in zip(st.columns(len(names), gap=SPACE), names, strict=True):
                    with column:
                        key = f"{self._name}-{name}"
                        widget(by_name[name], getattr(config, name), key, on_change=self._changed, args=(name, key))
            time = time_text(self.seconds(config))
            st.caption(f"About {time} to run on this machine, of at most {time_text(self.most)}.")

    def _changed(self, name: str, key: str) -> None:
        commands.command(self._choose, {name: st.session_state[key]})

    def _choose(self, changes: dict[str, Any]) -> None:
        """Refused with a notice, and nothing changes, where it would take too long."""
        self.chosen.set(replace(self.chosen.get(), **changes))
