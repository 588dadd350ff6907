"""Sweeps: what the visitor has chosen, the sweep that is shown, and the buttons that steer it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import streamlit as st

from bnviz import config
from bnviz.config import (
    BY_NAME,
    RATE_AND_BATCH_SIZE,
    RATE_AND_DEPTH,
    RATE_AND_NONLINEARITY,
    RATE_AND_SCALE,
    RATE_AND_TRAINING_IMAGES,
    SWEEP_KEYS,
    SWEEP_SETTINGS,
    SWEEPABLE,
    Choice,
    Initialization,
    Nonlinearity,
    Number,
    SweepAxis,
    SweepCell,
    SweepConfig,
    sweep_seconds,
)
from bnviz.errors import BnvizError
from bnviz.records import Outcome, Sweep, SweepPhase
from bnviz.runs.engine import Engine, engine
from bnviz.runs.recorded import recorded_sweep
from bnviz.runs.sweep_run import draft_run
from bnviz.ui import lab as commands
from bnviz.ui import sweep_export
from bnviz.ui.chosen import Chip, Chosen, Example, example_of, try_these
from bnviz.ui.controls import choice_text, group_heading, widget
from bnviz.ui.lab import Lab, Role, open_recording, owner_of_page, show_value
from bnviz.ui.share import link

KEY: Final = "sweep"  # of a link: the id of a sweep that somebody has started
EXAMPLES: Final = (
    Example(
        "Initial scale",
        "Learning rate and initial scale: the paper says that BN bears higher rates, and needs less care at the start.",
        RATE_AND_SCALE,
    ),
    Example(
        "Nonlinearity",
        "Learning rate and nonlinearity: the paper says that BN makes saturating nonlinearities usable.",
        RATE_AND_NONLINEARITY,
    ),
    Example(
        "Depth",
        "Learning rate and depth, all sigmoids: the deeper, the more a saturated layer keeps from those below it.",
        RATE_AND_DEPTH,
    ),
    Example(
        "Dropout",
        "Learning rate and training images, with dropout (p = 0.2) and without: the paper says that BN regularizes.",
        RATE_AND_TRAINING_IMAGES,
    ),
    Example(
        "Batch size",
        "Learning rate and batch size: BN takes its mean and variance from the batch, and needs enough of it.",
        RATE_AND_BATCH_SIZE,
    ),
)
# What the sides of the map leave alone, as far as it matters here; the lab has them all.
_BASE_ROWS: Final = (
    ("networks",),
    ("learning_rate",),
    ("nonlinearity", "optimizer"),
    ("initialization", "init_scale"),
    ("batch_size",),
    ("hidden_layers", "width"),
    ("training_images", "bn_placement"),
    ("seed",),
)
_CHOSEN: Final = Chosen("sweeps", config.sweep_from_query, config.sweep_to_query, [*config.BY_KEY, *SWEEP_KEYS])
_MOST_LISTED: Final = 20
_SHOWN: Final = "sweeps-shown"  # in the session's state: the id of the sweep on the page
_STATES: Final = {
    SweepPhase.RUNNING: "running",
    SweepPhase.PAUSED: "paused",
    SweepPhase.CANCELLED: "cancelled",
    SweepPhase.FINISHED: "finished",
    SweepPhase.INTERRUPTED: "interrupted, the server had ended",
}


@dataclass(frozen=True)
class Shown:
    """The sweep on the page.

    Attributes:
        lab: what the live charts watch.
        is_mine: whether this visitor steers it; nobody does a recording or a draft.
        is_started: whether somebody has started it here.
    """

    lab: Lab
    sweep: Sweep
    is_mine: bool
    is_started: bool


def chosen() -> SweepConfig:
    """The sweep that the controls stand for."""
    return _CHOSEN.get()


def open_sweep() -> Shown:
    """The sweep that the link names; else a recording of what is chosen; else its empty map."""
    the_engine, owner = engine(), owner_of_page()
    sweep_id = st.query_params.get(KEY) or st.session_state.get(_SHOWN)  # kept from page to page
    if sweep_id:
        try:
            return _started(the_engine, owner, sweep_id)
        except BnvizError as error:
            commands.notify(error.text)
            _forget()
    _CHOSEN.follow_link()
    run = recorded_sweep(the_engine.hub, chosen()) or draft_run(the_engine.hub, chosen())
    assert run.sweep is not None
    return Shown(_lab(the_engine, owner, run, is_mine=False), run.sweep, is_mine=False, is_started=False)


def _started(the_engine: Engine, owner: str, sweep_id: str) -> Shown:
    run = the_engine.hub.get(sweep_id)
    if run.sweep is None:
        raise BnvizError("This link leads to a run, not to a sweep: open it in the lab.")
    _CHOSEN.set(run.sweep.config)
    st.session_state[_SHOWN] = sweep_id
    if st.query_params.to_dict() != {KEY: sweep_id}:
        st.query_params.from_dict({KEY: sweep_id})
    is_mine = the_engine.owner_of_sweep(sweep_id) == owner
    return Shown(_lab(the_engine, owner, run, is_mine), run.sweep, is_mine, is_started=True)


def _lab(the_engine: Engine, owner: str, run: Any, is_mine: bool) -> Lab:
    """What the charts need to know of a sweep, as of any run."""
    base = open_recording(Role.LAB, str(Role.LAB))
    return replace(base, engine=the_engine, owner=owner, run=run, settings=run.settings, is_mine=is_mine)


# --- the sidebar ------------------------------------------------------------------------------------------------------


def adjust_sweep() -> None:
    """The two sides of the map, and what they leave alone; a change shows another map, and starts nothing."""
    with st.sidebar:
        group_heading("The map")
        _side("x", "Across")
        _side("y", "Up")
        columns = st.columns(2, gap="small")
        for column, setting in zip(columns, SWEEP_SETTINGS, strict=True):
            with column:
                key = f"sweeps-{setting.name}"
                widget(setting, getattr(chosen(), setting.name), key, on_change=_changed, args=(setting.name, key))
        st.caption(_cost())
        group_heading("The same in all cells")
        for names in _BASE_ROWS:
            _base_row([name for name in names if name not in (chosen().x.setting, chosen().y.setting)])


def _side(name: str, label: str) -> None:
    """Which setting runs along a side, and the values that it takes there."""
    axis: SweepAxis = getattr(chosen(), name)
    other: SweepAxis = chosen().y if name == "x" else chosen().x
    options = [one for one in SWEEPABLE if one != other.setting]
    key = f"sweeps-{name}"
    show_value(key, axis.setting)
    st.selectbox(
        label, options, format_func=lambda one: BY_NAME[one].label, key=key, filter_mode=None,
        on_change=_side_chosen, args=(name, key),
    )  # fmt: skip
    values_key = f"sweeps-{name}-values-{axis.setting}"
    show_value(values_key, list(axis.values))
    st.multiselect(
        f"Values of {axis.label.lower()}",
        _offered(axis),
        format_func=choice_text if isinstance(axis.values[0], Nonlinearity) else lambda one: f"{one:g}",
        key=values_key,
        max_selections=config.MOST_VALUES,
        label_visibility="collapsed",
        on_change=_values_chosen,
        args=(name, values_key),
    )


def _offered(axis: SweepAxis) -> list[Any]:
    """The values of the setting's own widget, and those that a link has brought."""
    domain = BY_NAME[axis.setting].domain
    if isinstance(domain, Choice):
        return list(domain.kind)
    assert isinstance(domain, Number)
    kind = int if domain.is_integer else float
    return sorted({*map(kind, domain.grid), *axis.values})


def _base_row(names: Sequence[str]) -> None:
    for column, name in zip(st.columns(len(names), gap="small") if names else [], names, strict=True):
        with column:
            key = f"sweeps-base-{name}"
            widget(BY_NAME[name], chosen().base.get(name), key, on_change=_base_changed, args=(name, key))


def _cost() -> str:
    """How many runs, and how long they take one worker."""
    seconds, cells = sweep_seconds(chosen()), len(chosen().places)
    length = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
    return f"{cells} cells, {cells * chosen().seeds} runs: about {length} of one processor core, of at most 60 min."


def _changed(name: str, key: str) -> None:
    commands.command(_choose, {name: st.session_state[key]})


def _side_chosen(name: str, key: str) -> None:
    setting = st.session_state[key]
    commands.command(_choose, {name: SweepAxis(setting, _USUAL[setting])})


def _values_chosen(name: str, key: str) -> None:
    commands.command(_choose_values, name, tuple(st.session_state[key]))


def _choose_values(name: str, values: tuple[Any, ...]) -> None:
    _choose({name: SweepAxis(getattr(chosen(), name).setting, values)})


def _base_changed(name: str, key: str) -> None:
    changes = {name: st.session_state[key]}
    if name == "initialization":
        changes["init_scale"] = config.default_init_scale(Initialization(changes[name]))
    commands.command(_choose_base, changes)


def _choose_base(changes: dict[str, Any]) -> None:
    _choose({"base": chosen().base.replace(**changes)})


def _choose(changes: dict[str, Any]) -> None:
    """Another map; refused with a notice, and nothing changes, where it cannot be."""
    show_map(replace(chosen(), **changes))


def show_map(wanted: SweepConfig) -> None:
    """Choose another map, and show no sweep that was begun before."""
    _CHOSEN.set(wanted)
    _forget()


def _forget() -> None:
    """Show what is chosen, and no sweep that somebody has started."""
    st.session_state.pop(_SHOWN, None)
    if KEY in st.query_params:
        del st.query_params[KEY]


_USUAL: Final[dict[str, tuple[Any, ...]]] = {
    "learning_rate": RATE_AND_SCALE.x.values,
    "init_scale": RATE_AND_SCALE.y.values,
    "batch_size": RATE_AND_BATCH_SIZE.y.values,
    "hidden_layers": RATE_AND_DEPTH.y.values,
    "width": (10, 20, 50, 100, 200),
    "nonlinearity": RATE_AND_NONLINEARITY.y.values,
    "training_images": RATE_AND_TRAINING_IMAGES.y.values,
}


# --- the buttons ------------------------------------------------------------------------------------------------------


def examples() -> None:
    """A row of chips: each shows another map."""
    try_these(Chip(one.chip, (show_map, one.config)) for one in EXAMPLES)


def say_example() -> None:
    """What the map in force is about, in a line that is there for every map, so that nothing moves."""
    example = example_of(EXAMPLES, chosen())
    with st.container(key="what"):
        st.caption(example.sentence if example else "A map of your own: press Start, and close the page if you like.")


def steer(shown: Shown) -> None:
    """Start, pause, resume, cancel, retry: those that mean something now."""
    phase = shown.sweep.status.phase
    if not shown.is_started:
        _button(
            "Start", ":material/play_arrow:", start, shown, primary=True, help_="Begins at once, in the background."
        )
        return
    if not shown.is_mine:
        _button("Start my own", ":material/add:", start, shown, help_="You watch somebody else's sweep.")
        return
    if phase is SweepPhase.RUNNING:
        _button("Pause", ":material/pause:", _pause, shown, primary=True)
    elif phase in (SweepPhase.PAUSED, SweepPhase.INTERRUPTED):
        _button("Resume", ":material/play_arrow:", _resume, shown, primary=True)
    if phase in (SweepPhase.RUNNING, SweepPhase.PAUSED, SweepPhase.INTERRUPTED):
        _button("Cancel", ":material/close:", _cancel, shown, help_="For good; what has come in stays.")
    else:
        _button("Start again", ":material/replay:", start, shown)
    if shown.sweep.failures:
        _button("Retry failed", ":material/replay:", _retry, shown)


def _button(
    label: str, icon: str, action: Any, shown: Shown, *, primary: bool = False, help_: str | None = None
) -> None:
    st.button(
        label,
        key=f"sweeps-{label}",
        icon=icon,
        type="primary" if primary else "secondary",
        help=help_,
        on_click=commands.command,
        args=(action, shown),
    )


def start(shown: Shown) -> None:
    _open(shown.lab.engine.start_sweep(shown.lab.owner, chosen()))


def _pause(shown: Shown) -> None:
    shown.lab.engine.pause_sweep(shown.sweep.sweep_id, shown.lab.owner)


def _resume(shown: Shown) -> None:
    shown.lab.engine.resume_sweep(shown.sweep.sweep_id, shown.lab.owner)


def _cancel(shown: Shown) -> None:
    shown.lab.engine.cancel_sweep(shown.sweep.sweep_id, shown.lab.owner)


def _retry(shown: Shown) -> None:
    shown.lab.engine.retry_sweep(shown.sweep.sweep_id, shown.lab.owner)


def take_along(shown: Shown) -> None:
    """The sweep's link and its downloads, behind a button."""
    with st.popover("Share", icon=":material/link:"):
        if shown.is_started:
            st.markdown("**This sweep.** Whoever opens it watches it fill in; only you steer it.")
            st.code(link({KEY: shown.sweep.sweep_id}), language=None, wrap_lines=True)
        st.markdown("**This map.** Opens it empty, and starts nothing by itself.")
        st.code(link(config.sweep_to_query(shown.sweep.config)), language=None, wrap_lines=True)
        with st.container(horizontal=True, gap=8):
            st.download_button("CSV", lambda: sweep_export.csv(shown.sweep), "bnviz-sweep.csv", "text/csv")
            st.download_button(
                "Parquet", lambda: sweep_export.parquet(shown.sweep), "bnviz-sweep.parquet", "application/octet-stream"
            )


def my_sweeps(shown: Shown) -> None:
    """The visitor's sweeps, the newest first; each is a button that shows it."""
    ids = list(reversed(shown.lab.engine.sweeps_of(shown.lab.owner)))[:_MOST_LISTED]
    if not ids:
        return
    with st.popover("My sweeps", icon=":material/history:"):
        for sweep_id in ids:
            try:
                sweep = shown.lab.engine.hub.get(sweep_id).sweep
            except BnvizError:
                continue
            assert sweep is not None
            label = f"{sweep.config.x.label} × {sweep.config.y.label.lower()}, {_STATES[sweep.status.phase]}"
            done = f"{sweep.status.cells_done} of {sweep.status.cells_all} cells"
            st.button(f"{label}, {done}", key=f"show-{sweep_id}", on_click=_open, args=(sweep_id,), width="stretch")


def _open(sweep_id: str) -> None:
    st.session_state[_SHOWN] = sweep_id
    st.query_params.from_dict({KEY: sweep_id})


# --- a cell -----------------------------------------------------------------------------------------------------------


def open_cell(shown: Shown) -> None:
    """What a click on the map does, for whoever has no pointer: choose a cell, open its run in the lab."""
    sweep = shown.sweep
    with st.popover("Open a cell", icon=":material/science:"):
        row = _pick_value(sweep.config.y, "y")
        column = _pick_value(sweep.config.x, "x")
        seed = 0
        if sweep.config.seeds > 1:
            first = sweep.config.base.model.seed
            seed = st.selectbox(
                "Seed", range(sweep.config.seeds), format_func=lambda one: str(first + one), key="cell-seed"
            )
        for one in sweep.failures:
            if one.cell == SweepCell(row, column, seed):
                st.caption(f"Failed: {one.reason}")
        if st.button("Open in the lab", icon=":material/science:", key="open-cell"):
            _to_the_lab(SweepCell(row, column, seed))


def _pick_value(axis: SweepAxis, name: str) -> int:
    texts = [choice_text(one) if isinstance(one, Nonlinearity) else f"{one:g}" for one in axis.values]
    return int(
        st.selectbox(axis.label, range(len(texts)), format_func=texts.__getitem__, key=f"cell-{name}-{axis.setting}")
    )


def cell_clicked(key: str) -> None:
    """The visitor has clicked a cell of the map: its first seed that has come in is meant."""
    place = st.session_state[key].cell
    if isinstance(place, list) and len(place) == 2 and all(isinstance(one, int) for one in place):
        st.session_state["sweeps-cell"] = tuple(place)


def follow_click(shown: Shown) -> None:
    """Open the run of the cell that was clicked; a page cannot be left from within a callback."""
    place: tuple[int, int] | None = st.session_state.pop("sweeps-cell", None)
    if place is None or SweepCell(place[0], place[1], 0) not in shown.sweep.config:
        return
    row, column = place
    _to_the_lab(SweepCell(row, column, _seed_that_came(shown.sweep, row, column)))


def _seed_that_came(sweep: Sweep, row: int, column: int) -> int:
    """The first seed of a cell that has come in, or the first of all."""
    for seed in range(sweep.config.seeds):
        if sweep.outcome[0, row, column, seed] in (Outcome.TRAINED, Outcome.STALLED, Outcome.DIVERGED):
            return seed
    return 0


def _to_the_lab(cell: SweepCell) -> None:
    """The visitor's own run restarts with a cell's settings, and plays; where another's is watched, one begins."""
    commands.command(commands.open_with, chosen().settings_of(cell), True)
    st.switch_page("pages/lab.py", query_params=commands.run_query(Role.LAB))
