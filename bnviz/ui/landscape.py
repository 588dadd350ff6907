"""The loss landscape's own controls: what it shows, and when it is drawn."""

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from bnviz import config
from bnviz.config import (
    LANDSCAPE_KEYS,
    LANDSCAPE_SETTINGS,
    MOST_LANDSCAPE_SECONDS,
    NOW,
    Directions,
    LandscapeConfig,
    Setting,
    Statistics,
    WeightPoint,
    lineup,
)
from bnviz.errors import BnvizError
from bnviz.records import Condition
from bnviz.ui import lab as commands
from bnviz.ui.chosen import Chip, Chosen, Example, example_of, try_these
from bnviz.ui.controls import widget
from bnviz.ui.lab import Lab, show_value

_CHOSEN: Final = Chosen("landscape-config", config.landscape_from_query, config.landscape_to_query, LANDSCAPE_KEYS)
_STOPPED: Final = "landscape-stopped"  # the visitor has cancelled: nothing is drawn until the next wish
_EVERY: Final = "landscape-every"
_SETTINGS: Final = {setting.name: setting for setting in LANDSCAPE_SETTINGS}
DIRECTIONS: Final = {
    Directions.PATHS: "paths' components",
    Directions.RANDOM: "random directions",
    Directions.GRADIENT: "gradient, orthogonal",
    Directions.POINTS: "three points",
}
STATISTICS: Final = {
    Statistics.BATCH: "of the batch",
    Statistics.RUNNING: "running, frozen",
    Statistics.INTERPOLATED: "interpolated",
}
REFRESHED: Final = {10.0: "every 10 s", 30.0: "every 30 s", 0.0: "when asked"}
MOST_POINTS_OFFERED: Final = 12  # of a path


LOOKS: Final = (
    Example(
        "Where they went",
        "The plane that holds most of all paths: the two leading principal components.",
        LandscapeConfig(),
    ),
    Example(
        "Random directions",
        "Filter-normalised random directions, as in Li et al. 2018: hardly anything of the path lies in this plane.",
        LandscapeConfig(directions=Directions.RANDOM, span=2),
    ),
    Example(
        "Frozen statistics",
        "The same plane with running statistics, which belong to the present weights alone: with BN it looks steeper, "
        "much so with ReLU.",
        LandscapeConfig(directions=Directions.RANDOM, span=2, statistics=Statistics.RUNNING),
    ),
    Example(
        "Along the gradient",
        "One axis is the gradient, the other a random direction orthogonal to it: see which way is steep.",
        LandscapeConfig(directions=Directions.GRADIENT, span=0.5),
    ),
    Example(
        "From twin to twin",
        "The plane through the common start and the twins' present weights: two valleys, or one?",
        LandscapeConfig(directions=Directions.POINTS),
    ),
    Example(
        "Small batches",
        "Eight batches of ten images: each has a surface of its own. Step through them.",
        LandscapeConfig(directions=Directions.RANDOM, images=10, batches=8),
    ),
)


def chosen() -> LandscapeConfig:
    """The landscape that the visitor wants to see."""
    return _CHOSEN.get()


def draw_chosen(lab: Lab) -> None:
    """Have the visitor's run draw what is wanted, unless it does already or was told to stop."""
    _CHOSEN.follow_link()
    wanted, every = chosen(), _every()
    if lab.is_recorded or not lab.is_mine or lab.orders is None or st.session_state.get(_STOPPED):
        return
    if (lab.orders.landscape, lab.orders.landscape_seconds) == (wanted, every):
        return
    try:
        lab.engine.draw_landscape(lab.run.run_id, lab.owner, wanted, every)
    except BnvizError as error:
        st.session_state[_STOPPED] = True  # until something else is wanted: else every rerun would say so again
        commands.notify(error.text)


def _every() -> float | None:
    return st.session_state.get(_EVERY, next(iter(REFRESHED))) or None


def looks(lab: Lab) -> None:
    """A row of chips: each shows another landscape of the same run."""
    try_these([Chip(one.chip, (_choose, one.config)) for one in LOOKS], disabled=not lab.is_mine)


def adjust_landscape(lab: Lab) -> None:
    """What is drawn, and when."""
    with st.container(horizontal=True, key="landscape-controls", vertical_alignment="bottom", gap=8):
        _picker("directions", DIRECTIONS, lab, 178)
        _picker("statistics", STATISTICS, lab, 142)
        _slider("resolution", lab)
        _slider("span", lab)
        with st.popover("More", icon=":material/tune:"):
            for name in ("images", "batches", "seed"):
                _slider(name, lab, width="stretch")
            st.selectbox(
                "Refreshed while the run plays",
                list(REFRESHED),
                format_func=REFRESHED.__getitem__,
                key=_EVERY,
                filter_mode=None,
                disabled=not lab.is_mine,
            )
            st.caption(_cost(lab))
        _buttons(lab)
    if chosen().directions is Directions.POINTS:
        _point_pickers(lab)
    with st.container(key="what"):
        st.caption(_what(lab))


def _buttons(lab: Lab) -> None:
    is_steered = lab.is_mine and not lab.is_recorded
    st.button(
        "Draw anew",
        key="draw-landscape",
        icon=":material/refresh:",
        help="Of the present weights.",
        on_click=commands.command,
        args=(_draw_anew, lab),
        disabled=not is_steered,
    )
    st.button(
        "Cancel",
        key="cancel-landscape",
        icon=":material/close:",
        help="Leave the picture as far as it is drawn; none is drawn until you ask.",
        on_click=commands.command,
        args=(_cancel, lab),
        disabled=not is_steered or bool(st.session_state.get(_STOPPED)),
    )


def _what(lab: Lab) -> str:
    """What the picture in force is about, in a sentence."""
    if lab.is_recorded:
        return "A 2-D slice, recorded: Play starts a run of your own, drawn as you choose here."
    if st.session_state.get(_STOPPED):
        return "Nothing is drawn just now: Draw anew, or choose something else."
    look = example_of(LOOKS, chosen())
    return look.sentence if look is not None else "A 2-D slice through a space of many thousands of weights."


def _cost(lab: Lab) -> str:
    model = lab.settings.model
    seconds = config.landscape_seconds(chosen(), model, len(lineup(model)))
    return f"About {seconds:.1f} of at most {MOST_LANDSCAPE_SECONDS:.0f} s to draw."


def _picker(name: str, texts: dict[Any, str], lab: Lab, width: int) -> None:
    setting, key = _SETTINGS[name], f"landscape-{name}"
    show_value(key, getattr(chosen(), name))
    st.selectbox(
        setting.label,
        list(texts),
        format_func=texts.__getitem__,
        key=key,
        help=setting.help,
        on_change=_changed,
        args=(setting, key),
        filter_mode=None,
        disabled=not lab.is_mine,
        width=width,
    )


def _slider(name: str, lab: Lab, width: int | str = 150) -> None:
    setting, key = _SETTINGS[name], f"landscape-{name}"
    # Told at every run: a popover's sliders are made when it is opened, and would begin at their first stop.
    st.session_state[key] = getattr(chosen(), name)
    widget(
        setting,
        getattr(chosen(), name),
        key,
        on_change=_changed,
        args=(setting, key),
        disabled=not lab.is_mine,
        width=width,
    )


def _changed(setting: Setting, key: str) -> None:
    commands.command(_choose, chosen().replace(**{setting.name: st.session_state[key]}))


def _choose(wanted: LandscapeConfig) -> None:
    _CHOSEN.set(wanted)
    st.session_state[_STOPPED] = False


def _draw_anew(lab: Lab) -> None:
    st.session_state[_STOPPED] = False
    lab.engine.draw_landscape(lab.run.run_id, lab.owner, chosen(), _every())


def _cancel(lab: Lab) -> None:
    st.session_state[_STOPPED] = True
    lab.engine.stop_landscape(lab.run.run_id, lab.owner)


# --- three points -----------------------------------------------------------------------------------------------------


def _point_pickers(lab: Lab) -> None:
    """Where the plane goes through: any network at any step that is kept, of this run and of the one before."""
    offered = _offered(lab)
    with st.container(horizontal=True, key="landscape-points", vertical_alignment="bottom", gap=12):
        for index, name in enumerate("ABC"):
            key, point = f"landscape-point-{name}", chosen().points[index]
            options = [*offered, *([] if point in offered else [point])]
            show_value(key, point)
            st.selectbox(
                f"Point {name}",
                options,
                format_func=lambda one: _in_words(lab, one),
                key=key,
                on_change=_point_changed,
                args=(index, key),
                disabled=not lab.is_mine,
                width=230,
            )


def _offered(lab: Lab) -> list[WeightPoint]:
    landscape = lab.run.landscape
    steps = [] if landscape is None else [int(step) for step in landscape.path_steps[1:-1]]
    every = -(-len(steps) // MOST_POINTS_OFFERED) or 1
    health = zip(lab.run.competitors, lab.run.status.health, strict=False)
    names = [one.name for one, now in health if now.condition is not Condition.DIVERGED]
    points = [WeightPoint(name, step) for name in names for step in (0, *steps[::every], NOW)]
    if landscape is not None and len(landscape.earlier_steps):
        points += [WeightPoint(name, step, True) for name in landscape.earlier_networks for step in (0, NOW)]
    return points


def _in_words(lab: Lab, point: WeightPoint) -> str:
    labels = {one.name: one.label for one in lab.run.competitors}
    step = "now" if point.step == NOW else "start" if point.step == 0 else f"step {point.step:,}"
    if point.is_earlier:
        step = "end" if point.step == NOW else step
        return f"earlier run, {labels.get(point.network, point.network)}, {step}"
    return f"{labels.get(point.network, point.network)}, {step}"


def _point_changed(index: int, key: str) -> None:
    points: Sequence[WeightPoint] = [
        st.session_state[key] if place == index else point for place, point in enumerate(chosen().points)
    ]
    commands.command(_choose, chosen().replace(points=tuple(points)))
