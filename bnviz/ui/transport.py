"""Play, pause, step, reset, new seed and speed: the buttons that drive a run."""

from typing import Final

import streamlit as st

from bnviz.ui import lab as commands
from bnviz.ui.lab import Lab
from bnviz.ui.share import share

FULL_SPEED: Final = 0.0
SPEEDS: Final = {
    FULL_SPEED: "Full speed",
    100.0: "100 steps/s",
    10.0: "10 steps/s",
    1.0: "1 step/s",
}


def transport(lab: Lab) -> None:
    """The bar that stays in reach: what drives the run at the left, what tells and shares at the right."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="bar"):
        with st.container(horizontal=True, wrap=False, width="content", key="transport", gap=8):
            if lab.is_mine:
                _play_or_pause(lab)
                _steps(lab)
                _restarts(lab)
            else:
                _start_own(lab)
                _play_or_pause(lab)
        with st.container(
            horizontal=True, wrap=False, width="content", key="status-bar", gap=8, vertical_alignment="center"
        ):
            st.html('<span class="bnviz-status"></span>', width="content")
            _speed(lab)
            if st.button("Share", key="share", icon=":material/link:", help="Links and downloads."):
                share(lab)
            present_button()


def _play_or_pause(lab: Lab) -> None:
    label, action, icon = (
        ("Pause", commands.pause, ":material/pause:")
        if lab.is_playing
        else ("Play", commands.play, ":material/play_arrow:")
    )
    st.button(
        label,
        key="play",
        type="primary",
        icon=icon,
        on_click=commands.command,
        args=(action, lab),
        disabled=not lab.is_mine or lab.is_over,
        help="All networks have diverged: press Reset, or change a setting that restarts." if lab.is_over else None,
    )


def _start_own(lab: Lab) -> None:
    st.button(
        "Start my own",
        key="start-own",
        icon=":material/add:",
        help="You watch somebody else's run. This begins a run of yours with the same settings.",
        on_click=commands.command,
        args=(commands.start_own, lab),
    )


def _steps(lab: Lab) -> None:
    for count in (1, 10, 100):
        st.button(
            f"+{count}",
            key=f"step{count}",
            help=f"Step {count}" + (". Key: →" if count == 1 else ""),
            on_click=commands.command,
            args=(commands.step, lab, count),
            disabled=lab.is_playing or lab.is_over,
        )


def _restarts(lab: Lab) -> None:
    _button(lab, "Reset", "reset", commands.reset, ":material/replay:", "Back to step 0, the same weights. Key: R")
    _button(lab, "New seed", "seed-new", commands.new_seed, ":material/casino:", "New weights and batch order.")


def _button(lab: Lab, label: str, key: str, action: object, icon: str, help_: str) -> None:
    st.button(
        label,
        key=key,
        icon=icon,
        help=help_,
        on_click=commands.command,
        args=(action, lab),
    )


def _speed(lab: Lab) -> None:
    st.selectbox(
        "Speed",
        list(SPEEDS),
        format_func=SPEEDS.__getitem__,
        key="speed",
        label_visibility="collapsed",
        on_change=_speed_chosen,
        args=(lab,),
        disabled=not lab.is_mine,
        filter_mode=None,
        width=118,
    )


def _speed_chosen(lab: Lab) -> None:
    commands.command(commands.set_speed, lab, st.session_state.speed or None)


def present_button() -> None:
    """Larger type and fewer controls, and back."""
    is_presenting = bool(st.session_state.get("is_present"))
    st.button(
        "Leave" if is_presenting else "Present",
        key="present",
        icon=":material/fullscreen_exit:" if is_presenting else ":material/fullscreen:",
        help="Larger type, fewer controls. Key: P",
        on_click=_toggle_present,
    )


def _toggle_present() -> None:
    st.session_state.is_present = not st.session_state.get("is_present", False)
