"""Studies: what carries a visitor's measurements of something that does not train."""

from collections.abc import Sequence
from typing import Final

import streamlit as st

from bnviz.config import Setting, StudyConfig
from bnviz.errors import BnvizError
from bnviz.ui import lab as commands
from bnviz.ui.lab import Lab, Role, open_lab, open_recording

MOST_CARRIERS: Final = 1000
EVERY_SECONDS: Final = 2.0  # between two looks at how far a study is
_CARRIERS: dict[tuple[Role, str], str] = {}  # a visitor's run that carries the measurements, by its owner


def open_study(role: Role, wanted: StudyConfig, is_asked: bool = False) -> Lab:
    """What carries the study that this visitor wants, being measured; a recording of it where there is one.

    With `is_asked` the visitor has asked for it to be measured here although there is a recording. One that was stopped
    stays so until the visitor asks for it again.
    """
    is_wanted_now = st.session_state.pop(f"{role}-begin", None) == wanted
    lab = open_lab(role)
    if lab.is_recorded and (is_asked or lab.run.study is None or lab.run.study.config != wanted):
        lab = _begin(lab)
    is_left_alone = _is_stopped(lab, wanted) and not is_wanted_now
    if not lab.is_recorded and (lab.orders is None or lab.orders.study != wanted) and not is_left_alone:
        try:
            lab.engine.measure_study(lab.run.run_id, lab.owner, wanted)
            lab = open_lab(role)
        except BnvizError as error:
            commands.notify(error.text)
    return lab


def open_recorded_study(role: Role, recording: str, wanted: StudyConfig) -> Lab:
    """What carries this study: its recording until the visitor has it run here, or chooses another one."""
    is_asked = wanted in _asked(role)
    if not is_asked:
        recorded = open_recording(role, recording)
        if recorded.run.study is not None and recorded.run.study.config == wanted:
            return recorded
    return open_study(role, wanted, is_asked)


def run_here(lab: Lab, wanted: StudyConfig, seconds: float) -> None:
    """The button that has this very study run on this machine, in place of its recording, and one to stop it."""
    if lab.is_recorded or lab.is_stopped:
        st.button(
            "Run it here",
            type="primary",
            icon=":material/play_arrow:",
            help=f"All of it, from the same seeds: about {time_text(seconds)}.",
            on_click=commands.command,
            args=(_begin_here, lab.role, wanted),
        )
    else:
        st.fragment(_stop_button, run_every=EVERY_SECONDS)(lab, wanted)


def _begin_here(role: Role, wanted: StudyConfig) -> None:
    if wanted not in _asked(role):
        _asked(role).append(wanted)
    st.session_state[f"{role}-begin"] = wanted


def _stop_button(lab: Lab, wanted: StudyConfig) -> None:
    """For as long as there is something to stop: there is none before the first of it has come in."""
    study = lab.engine.hub.get(lab.run.run_id).study
    if study is None or study.config != wanted or study.done >= 1:
        return
    if st.button("Stop", icon=":material/stop:", help="What is measured so far stays."):
        commands.command(lab.engine.stop_study, lab.run.run_id, lab.owner)
        st.rerun()


def time_text(seconds: float) -> str:
    """Such as "1.4 s", "80 s" or "12 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _is_stopped(lab: Lab, wanted: StudyConfig) -> bool:
    return lab.is_stopped and lab.run.study is not None and lab.run.study.config == wanted


def _asked(role: Role) -> list[StudyConfig]:
    """What the visitor has asked to have run here although there is a recording of it."""
    asked: list[StudyConfig] = st.session_state.setdefault(f"{role}-asked", [])
    return asked


def _begin(lab: Lab) -> Lab:
    """The run that carries this visitor's measurements, found again after a reload; else a new one."""
    key = (lab.role, lab.owner)
    commands.take_over(lab, _CARRIERS.get(key))
    found = open_lab(lab.role)
    if found.is_recorded:
        commands.start_own(lab)
        found = open_lab(lab.role)
    _CARRIERS[key] = found.run.run_id
    while len(_CARRIERS) > MOST_CARRIERS:
        del _CARRIERS[next(iter(_CARRIERS))]
    return found


def keys_of(settings: Sequence[Setting]) -> list[str]:
    """Their names in a link."""
    return [setting.key for setting in settings]
