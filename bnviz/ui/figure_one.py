"""Figure 1 of the paper: which recorded run is shown, the visitor's own over it, and what the paper leaves open."""

from dataclasses import asdict, replace
from typing import Any, Final

import streamlit as st

from bnviz import config
from bnviz.config import (
    FIGURE_ONE_KEYS,
    FIGURE_ONE_STEPS,
    FigureOneConfig,
    UpdateRule,
    figure_one_of,
    nearest_recorded,
    step_milliseconds,
)
from bnviz.figures.figure_one_parts import RULES
from bnviz.records import Run, recorded_units
from bnviz.runs.engine import engine
from bnviz.runs.recorded import recorded_figure_one
from bnviz.ui import lab as commands
from bnviz.ui.charts import FIGURE_ONE_CHARTS, charts
from bnviz.ui.chosen import Chosen
from bnviz.ui.controls import group_heading
from bnviz.ui.explain import say
from bnviz.ui.lab import Lab, Role, keep_view, leave_link, named_run, open_lab, open_recorded, show_value

_CHOSEN: Final = Chosen("figure-one", config.figure_one_from_query, config.figure_one_to_query, FIGURE_ONE_KEYS)
_FOLLOWED: Final = "figure-one-followed"  # in the session's state: the run and its settings that have been taken over
_PICKERS: Final = {
    "learning_rate": ("Learning rate", "The paper names none; these are recorded. Each is a run of its own."),
    "init_scale": ("Initial scale σ", "The standard deviation of the initial weights; the paper says small."),
    "seed": ("Seed", "Of the initial weights and of the mini-batches. The band is over all of them."),
}


def show_figure_one() -> None:
    """Controls, charts, and what is to be said of them."""
    lab = open_figure_one()
    _adjust()
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="figure-one-controls"
    ):
        _steer(lab)
        _pick_unit(lab)
    charts(lab, FIGURE_ONE_CHARTS)
    with st.container(border=True, key="figure-one-open"):
        say("figure-one-open")


# --- which run --------------------------------------------------------------------------------------------------------


def open_figure_one() -> Lab:
    """The visitor's run if it is of the chosen settings, else the recording of these."""
    run = named_run(Role.FIGURE_ONE)
    if run is not None:
        _follow(run)
    _CHOSEN.follow_link()
    chosen = _CHOSEN.get()
    if run is not None and _is_of(run, chosen):
        return open_lab(Role.FIGURE_ONE)
    leave_link()
    return open_recorded(Role.FIGURE_ONE, recorded_figure_one(engine().hub, chosen))


def _follow(run: Run) -> None:
    """Once for each run that the page comes to, and for each restart of it: choose the settings that it has."""
    newest = (run.run_id, run.settings)
    if st.session_state.get(_FOLLOWED) != newest:
        st.session_state[_FOLLOWED] = newest
        if (found := figure_one_of(run.settings)) is not None:
            _CHOSEN.set(found)


def _is_of(run: Run, chosen: FigureOneConfig) -> bool:
    """Whether this run is the chosen one, played here, and nobody has changed it on its way."""
    return figure_one_of(run.settings) == chosen and not run.interventions


# --- the controls -----------------------------------------------------------------------------------------------------


def _adjust() -> None:
    """Which of the recorded runs, in the sidebar."""
    chosen = _CHOSEN.get()
    with st.sidebar:
        group_heading("What the paper leaves open")
        st.caption("Recorded with each of these values; a choice shows another run and starts nothing.")
        show_value("figure-one-rule", chosen.rule)
        st.selectbox(
            "Optimizer", list(UpdateRule), format_func=RULES.__getitem__, key="figure-one-rule",
            help="The paper names none for this experiment. With momentum and Adam there is one scale and one seed.",
            on_change=_picked, args=("rule",), filter_mode=None,
        )  # fmt: skip
        offered = {"learning_rate": chosen.grid.rates, "init_scale": chosen.grid.scales, "seed": chosen.grid.seeds}
        for name, values in offered.items():
            label, help_ = _PICKERS[name]
            key = f"figure-one-{name}-{chosen.rule}"
            show_value(key, getattr(chosen, name))
            st.segmented_control(
                label, list(values), format_func=lambda one: f"{one:g}", key=key, help=help_, required=True,
                on_change=_picked, args=(name, key), disabled=len(values) == 1,
            )  # fmt: skip
        group_heading("What the paper says")
        st.caption(
            "784-100-100-100-10, sigmoids, binary input, mini-batches of 60, 50,000 steps. BN in every hidden layer, "
            "before the nonlinearity."
        )


def _picked(name: str, key: str = "figure-one-rule") -> None:
    commands.command(_choose, {name: st.session_state[key]})


def _choose(changes: dict[str, Any]) -> None:
    """Another recorded run, the nearest to the one before where the update rule has other values."""
    _CHOSEN.set(nearest_recorded(**asdict(_CHOSEN.get()) | changes))


def _steer(lab: Lab) -> None:
    """Run it live, pause it, go on, begin again; what the run is doing; and the way into the lab."""
    chosen = _CHOSEN.get()
    with st.container(
        horizontal=True, wrap=False, width="content", gap=8, key="figure-one-run", vertical_alignment="center"
    ):
        _main_button(lab, chosen)
        if not lab.is_recorded and lab.is_mine:
            _button("Restart", "reset", ":material/replay:", _start, chosen, help_="From step 0, same weights. Key: R")
        if st.button("Open in the lab", icon=":material/science:", help="The same settings, with every chart there."):
            commands.command(commands.open_with, chosen.settings)
            st.switch_page("pages/lab.py", query_params=commands.run_query(Role.LAB))
        st.html('<span class="bnviz-status"></span>', width="content")


def _main_button(lab: Lab, chosen: FigureOneConfig) -> None:
    """What can be done about the run next; nothing where it has come to its end."""
    if lab.is_recorded:
        _button("Run it live", "play", ":material/play_arrow:", _start, chosen, is_primary=True, help_=_cost(chosen))
    elif not lab.is_mine:
        _button("Run my own", "play", ":material/add:", _start, chosen, help_="You watch somebody else's run.")
    elif lab.is_playing:
        _button("Pause", "play", ":material/pause:", commands.pause, lab, is_primary=True)
    elif lab.run.status.step < FIGURE_ONE_STEPS and not lab.is_over:
        _button("Go on", "play", ":material/play_arrow:", commands.play, lab, is_primary=True)


def _cost(chosen: FigureOneConfig) -> str:
    """How long a live run takes, at most."""
    minutes = FIGURE_ONE_STEPS * step_milliseconds(chosen.settings) / 60_000
    return (
        f"Trains both networks here for {FIGURE_ONE_STEPS:,} steps, from the same seed, and draws them over the "
        f"recording: about {max(minutes, 1):.0f} min at most while nothing else trains. It goes on while you look."
    )


def _button(
    label: str, key: str, icon: str, action: Any, of: Any, *, is_primary: bool = False, help_: str | None = None
) -> None:
    """Under the keys of the lab's buttons, so that its keyboard shortcuts find them."""
    st.button(
        label, key=key, icon=icon, type="primary" if is_primary else "secondary", help=help_,
        on_click=commands.command, args=(action, of),
    )  # fmt: skip


def _start(chosen: FigureOneConfig) -> None:
    """From step 0: the visitor's run with these settings, or a first one."""
    lab = open_lab(Role.FIGURE_ONE)
    own = lab if lab.is_mine else open_recorded(Role.FIGURE_ONE, recorded_figure_one(lab.engine.hub, chosen))
    commands.apply(own, chosen.settings, True)
    started = open_lab(Role.FIGURE_ONE)
    if started.orders is not None and started.is_mine:
        # Loss contours are nowhere on this page, and drawing them takes a fifth of the run's time.
        commands.set_contour(started, started.orders.directions, None)


def _pick_unit(lab: Lab) -> None:
    """Layer and unit whose inputs are shown: those of which there are recordings."""
    model = lab.settings.model if not lab.is_recorded else lab.run.settings.model
    units = recorded_units(1, model.width)[0].tolist()
    layers = list(range(1, model.hidden_layers + 1))
    show_value("figure-one-layer", min(max(lab.view.layer, 1), model.hidden_layers))
    show_value("figure-one-unit", min(units, key=lambda unit: abs(unit - lab.view.unit)))
    with st.container(horizontal=True, wrap=False, key="pickers", width="content", vertical_alignment="center", gap=8):
        st.markdown("Layer", width="content")
        st.segmented_control(
            "Layer", layers, key="figure-one-layer", label_visibility="collapsed", on_change=_unit_picked, args=(lab,),
            required=True,
        )  # fmt: skip
        st.markdown("Unit", width="content")
        st.selectbox(
            "Unit", units, key="figure-one-unit", label_visibility="collapsed", on_change=_unit_picked, args=(lab,),
            width=72,
        )  # fmt: skip


def _unit_picked(lab: Lab) -> None:
    state = st.session_state
    layer = state["figure-one-layer"] or lab.view.layer
    keep_view(replace(lab.view, layer=layer, unit=state["figure-one-unit"]))
