"""The visitor's lab: which run the page shows, whose it is, and every command the controls give."""

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import streamlit as st

from bnviz import config
from bnviz.config import (
    BY_NAME,
    FIGURE_ONE_STEPS,
    WITH_NOISE,
    Architecture,
    Directions,
    Initialization,
    Measure,
    Settings,
    View,
    networks_of,
)
from bnviz.errors import BnvizError
from bnviz.live.owner import COOKIE
from bnviz.records import Badge, Phase, Run
from bnviz.runs.engine import Engine, Orders, engine
from bnviz.runs.recorded import recorded_run

MOST_NOTICES: Final = 3
HAND_OVER_KEY: Final = "handover"  # of a link: the code that hands over the controls of its run
PART_KEY: Final = "part"  # of a link: which part of a page that has several


class Role(StrEnum):
    """Which of a visitor's runs a page is about: each has settings and a run of its own."""

    LAB = "lab"  # the twins, on the lab's page and wherever it is looked at more closely
    SHIFT = "shift"  # the twins, noisy BN and the noise alone
    UNTRAINED = "untrained"  # never trains: what carries the measurements of untrained networks
    LINEAR_UNIT = "linear-unit"  # never trains either
    LIMITS = "limits"  # carries the experiments on where BN fails, and trains nothing itself
    PAPER = "paper"  # the same for the studies of the page on the paper
    FIGURE_ONE = "figure-one"  # the twins of that figure, for as many steps as the paper gives them


# Found again by what they are about: no link names their runs.
STUDIES: Final = (Role.UNTRAINED, Role.LINEAR_UNIT, Role.LIMITS, Role.PAPER)
DEFAULTS: Final = dict.fromkeys(Role, Settings()) | {Role.SHIFT: Settings().replace(networks=networks_of(WITH_NOISE))}
# What a role's runs measure from their first step on, besides what every run measures.
MEASURED: Final[dict[Role, tuple[Measure, ...]]] = {Role.SHIFT: (Measure.SHIFT, Measure.SMOOTHNESS)}
# What a page shows until the visitor has a run of their own.
RECORDED: Final = {role: str(role) for role in Role} | {
    Role.LIMITS: "limits-batch_size",
    Role.PAPER: "paper-cousins",
    Role.FIGURE_ONE: "lab",
}
LAST_STEP: Final[dict[Role, int]] = {Role.FIGURE_ONE: FIGURE_ONE_STEPS}  # at which a role's runs pause by themselves


@dataclass(frozen=True)
class Lab:
    """One visitor's view of one run, as of this script run.

    Attributes:
        owner: the visitor, known by a cookie.
        run: the newest record of the run on the page; the recorded run until the visitor has one.
        settings: what the visitor has asked for; it is in force, or about to be.
        is_mine: whether this visitor steers what is shown; a recording gives way to everybody's first command. Asked of
            the engine once a script run: every widget needs it.
        orders: all that is asked of the run; None while a recording is shown or the run is asleep.
        role: which of the visitor's runs it is.
    """

    engine: Engine
    owner: str
    run: Run
    settings: Settings
    is_mine: bool = True
    orders: Orders | None = None
    role: Role = Role.LAB

    @property
    def is_recorded(self) -> bool:
        return self.run.badge is Badge.RECORDED

    @property
    def is_playing(self) -> bool:
        is_going = self.run.status.phase in (Phase.PLAYING, Phase.QUEUED)
        return is_going and self.orders is not None and self.orders.is_playing

    @property
    def is_over(self) -> bool:
        """Whether every network has diverged: nothing is left to play or step."""
        return self.run.status.phase is Phase.STOPPED and not self.is_recorded

    @property
    def is_stopped(self) -> bool:
        """Whether the study that this run carries is not whole, and no more of it is measured: its visitor wants so."""
        is_unfinished = self.run.study is not None and self.run.study.done < 1
        return is_unfinished and self.orders is not None and self.orders.study is None

    @property
    def is_presenting(self) -> bool:
        """Larger type and fewer controls, for a projector."""
        return bool(st.session_state.get("is_present"))

    @property
    def view(self) -> View:
        view: View = st.session_state.view
        return view.within(self.settings.model)


def open_lab(role: Role = Role.LAB) -> Lab:
    """The lab as this page's link, cookie and session ask for it; unknown runs and bad values become notices."""
    if _own(role, "settings") is None:
        _read_link(role)
    the_engine, owner = engine(), owner_of_page()
    run_id, settings = _own(role, "run_id"), _own(role, "settings")
    if run_id is None and _own(role, "is_settings_link"):
        _keep(role, is_settings_link=False)
        run_id = _create(the_engine, owner, role, settings)
    if run_id is not None:
        try:
            run, orders = the_engine.hub.get(run_id), the_engine.orders_of(run_id)
            _take_controls(the_engine, owner, run_id)
            is_mine = run.badge is Badge.RECORDED or the_engine.owner_of(run_id) == owner
            if st.query_params.get("run") != run_id:  # the visitor comes from another page
                _show_run_in_link(role, run_id)
            _tell_handed_over(run_id, is_mine)
            return Lab(the_engine, owner, run, orders.settings if orders else run.settings, is_mine, orders, role)
        except BnvizError as error:
            notify(error.text)
            _forget_run(role)
    return open_recording(role, RECORDED[role])


def _take_controls(the_engine: Engine, owner: str, run_id: str) -> None:
    """Follow a link that hands over the controls of its run; it works once, so it does not stay in the address."""
    code = st.query_params.get(HAND_OVER_KEY)
    if code is None:
        return
    del st.query_params[HAND_OVER_KEY]
    try:
        the_engine.take_controls(run_id, owner, code)
    except BnvizError as error:
        notify(error.text)
    else:
        notify("The controls of this run are yours now: you steer it, and whoever did so before watches.")


def _tell_handed_over(run_id: str, is_mine: bool) -> None:
    """Say once that somebody else has taken the controls of a run that this session has steered."""
    steered: set[str] = st.session_state.setdefault("steered", set())
    if is_mine:
        steered.add(run_id)
    elif run_id in steered:
        steered.remove(run_id)
        notify("You have handed over the controls of this run: you watch it from now on.")


def open_recording(role: Role, name: str) -> Lab:
    """A recorded run, whatever run of this role the visitor has."""
    return open_recorded(role, recorded_run(engine().hub, name))


def open_recorded(role: Role, run: Run) -> Lab:
    """The same of a recorded run at hand."""
    if _own(role, "settings") is None:
        _read_link(role)
    return Lab(engine(), owner_of_page(), run, _own(role, "settings"), role=role)


def named_run(role: Role) -> Run | None:
    """The run of this role that the link names or the visitor has, whatever the page shows; None if there is none."""
    if _own(role, "settings") is None:
        _read_link(role)
    run_id = _own(role, "run_id")
    if run_id is None:
        return None
    try:
        return engine().hub.get(run_id)
    except BnvizError as error:
        notify(error.text)
        _forget_run(role)
        return None


def leave_link() -> None:
    """Have the page's address name no run: it shows a recording although the visitor has one."""
    if "run" in st.query_params:
        del st.query_params["run"]


def own_run(role: Role) -> Run | None:
    """The newest record of the visitor's own run of this role; None while there is none, or another's is watched."""
    the_engine, run_id = engine(), _own(role, "run_id")
    try:
        is_own = run_id is not None and the_engine.owner_of(run_id) == owner_of_page()
        return the_engine.hub.get(run_id) if is_own else None
    except BnvizError:
        return None


def keep_in_link(role: Role) -> None:
    """Have the page's address name the visitor's run of this role although the page shows another one just now."""
    if _own(role, "settings") is None:
        _read_link(role)
    if (run_id := _own(role, "run_id")) is not None and st.query_params.get("run") != run_id:
        _show_run_in_link(role, run_id)


def owner_of_page() -> str:
    """The visitor's cookie; where there is none (cookies refused), a name for this session alone."""
    cookie = st.context.cookies.get(COOKIE)
    if isinstance(cookie, str) and cookie:  # AppTest, which has no browser, answers with a mock
        return cookie
    return str(st.session_state.setdefault("owner", secrets.token_urlsafe(16)))


def _own(role: Role, name: str) -> Any:
    """What the session keeps of one role; None if nothing."""
    return st.session_state.get(name if role is Role.LAB else f"{role}-{name}")


def _keep(role: Role, **values: Any) -> None:
    for name, value in values.items():
        st.session_state[name if role is Role.LAB else f"{role}-{name}"] = value


def _read_link(role: Role) -> None:
    """Take settings, view and run from the link, once a session and role."""
    query = {key: str(value) for key, value in st.query_params.items()}
    settings, notices = config.from_query(query, DEFAULTS[role])
    view, view_notices = config.view_from_query(query)
    state = st.session_state
    run_id = None if role in STUDIES else query.get("run") or None
    is_settings_link = run_id is None and any(key in query for key in (*config.BY_KEY, config.OLD_LINEUP))
    _keep(role, settings=settings, run_id=run_id, is_settings_link=is_settings_link)
    if "view" not in state:
        state.view = view
    notify(" ".join(notices + view_notices))


def _create(
    the_engine: Engine, owner: str, role: Role, settings: Settings, is_playing: bool = False, is_in_link: bool = True
) -> str | None:
    try:
        run_id = the_engine.create(owner, settings, is_playing, MEASURED.get(role, ()), LAST_STEP.get(role))
    except BnvizError as error:
        notify(error.text)
        return None
    _keep(role, run_id=run_id)
    if is_in_link:
        _show_run_in_link(role, run_id)
    if speed := st.session_state.get("speed"):  # chosen before there was a run
        the_engine.set_speed(run_id, owner, speed)
    return run_id


def _show_run_in_link(role: Role, run_id: str) -> None:
    """From its first command on a run is in the page's address, so that a reload finds it again.

    Studies are found again by their settings.
    """
    if role in STUDIES:
        return
    settings = {setting.key for setting in config.SETTINGS}  # the run has its own
    kept = {key: value for key, value in st.query_params.items() if key not in settings}
    st.query_params.from_dict(kept | {"run": run_id})


def _forget_run(role: Role) -> None:
    _keep(role, run_id=None)
    leave_link()


def show_value(key: str, value: Any) -> None:
    """Have a widget show a value; left alone where it does, so that a change on its way from the browser survives.

    On another page the widget of this key is a new one, which knows nothing of what the one before showed.
    """
    shown: set[str] = st.session_state.setdefault("shown", set())
    if key not in shown or key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
    shown.add(key)


def enter(page: str) -> None:
    """Note which page this script run is of."""
    state = st.session_state
    state.is_same_page, state.page = state.get("page") == page, page
    if not state.is_same_page:
        state.shown = set()


# --- notices ----------------------------------------------------------------------------------------------------------


def notify(text: str) -> None:
    """Keep a sentence for the top of the page until the visitor's next command."""
    notices: list[str] = st.session_state.setdefault("notices", [])
    if text and text not in notices:
        notices.append(text)
    del notices[:-MOST_NOTICES]


def notices() -> Sequence[str]:
    return tuple(st.session_state.get("notices", ()))


def command(action: Callable[..., None], *args: Any) -> None:
    """Run one of the commands below for a widget; what goes wrong becomes a notice, and nothing is lost."""
    st.session_state.notices = []
    st.session_state.commanded_at = time.monotonic()
    try:
        action(*args)
    except BnvizError as error:
        notify(error.text)


# --- commands ---------------------------------------------------------------------------------------------------------


def play(lab: Lab) -> None:
    if lab.is_recorded:
        _create(lab.engine, lab.owner, lab.role, lab.settings, is_playing=True)
    else:
        lab.engine.play(lab.run.run_id, lab.owner, LAST_STEP.get(lab.role))


def pause(lab: Lab) -> None:
    lab.engine.pause(lab.run.run_id, lab.owner)


def step(lab: Lab, count: int) -> None:
    run_id = _create(lab.engine, lab.owner, lab.role, lab.settings) if lab.is_recorded else lab.run.run_id
    if run_id is not None:
        lab.engine.step(run_id, lab.owner, count)


def reset(lab: Lab) -> None:
    """Back to step 0 and the same weights, paused."""
    _restart(lab, lab.settings, is_playing=False)


def new_seed(lab: Lab) -> None:
    seed = secrets.randbelow(int(1 + _highest_seed()))
    _restart(lab, lab.settings.replace(seed=seed))


def _highest_seed() -> float:
    domain = BY_NAME["seed"].domain
    assert isinstance(domain, config.Number)
    return domain.high


def set_speed(lab: Lab, steps_per_second: float | None) -> None:
    """Slow motion; None is as fast as it goes."""
    if not lab.is_recorded:
        lab.engine.set_speed(lab.run.run_id, lab.owner, steps_per_second)


def set_contour(lab: Lab, directions: Directions, every_seconds: float | None) -> None:
    """Which plane the loss contour shows, and how often it is drawn anew while the run plays."""
    lab.engine.set_contour(lab.run.run_id, lab.owner, directions, every_seconds)


def measure(lab: Lab, measures: Iterable[Measure]) -> None:
    """Have the run measure what this page shows besides what every run measures."""
    wanted = frozenset(measures)
    if lab.is_mine and lab.orders is not None and not wanted <= lab.orders.measures:
        lab.engine.measure(lab.run.run_id, lab.owner, wanted)


def dismiss_ghost(lab: Lab) -> None:
    lab.engine.dismiss_ghost(lab.run.run_id, lab.owner)


def take_over(lab: Lab, run_id: str | None) -> None:
    """Show a run that this visitor has had before, if it is still there."""
    if run_id is not None:
        try:
            lab.engine.hub.get(run_id)
        except BnvizError:
            return
        _keep(lab.role, run_id=run_id)


def show_run(run_id: str) -> None:
    """Have the lab's page show this run."""
    _keep(Role.LAB, run_id=run_id, settings=engine().hub.get(run_id).settings)


def let_go(run_id: str) -> None:
    """Forget a run that is no more, wherever this session shows it."""
    for role in Role:
        if _own(role, "run_id") == run_id:
            _forget_run(role)


def start_own(lab: Lab) -> None:
    """A run of one's own with the settings of the run that is watched."""
    _create(lab.engine, lab.owner, lab.role, lab.settings)


def apply(lab: Lab, settings: Settings, is_playing: bool | None = None) -> None:
    """Take all settings of a preset; the run restarts with them."""
    _restart(lab, settings, is_playing)


def open_with(settings: Settings, is_playing: bool | None = None) -> None:
    """The visitor's own run in the lab restarts with these; where another's is watched, one of one's own begins.

    For a page that is about to be left for the lab's, with `run_query` in that one's address: this page's stays as it
    is, since each change of it is one more step back.
    """
    lab = open_lab()
    _restart(lab if lab.is_mine else open_recording(Role.LAB, str(Role.LAB)), settings, is_playing, is_in_link=False)


def run_query(role: Role) -> dict[str, str]:
    """What the address of a page about the visitor's run of this role says of it."""
    run_id = _own(role, "run_id")
    return {} if run_id is None else {"run": run_id}


def change(lab: Lab, name: str, value: Any) -> None:
    """Change one setting: a live one at the next step, any other by a restart from the same seed."""
    changes = {name: value}
    if name == "initialization":
        changes["init_scale"] = config.default_init_scale(Initialization(value))
    if name == "architecture":
        changes |= config.default_sizes(Architecture(value))
    settings = lab.settings.replace(**changes)
    if BY_NAME[name].is_live and not lab.is_recorded:
        lab.engine.set(lab.run.run_id, lab.owner, settings.hyper)
    else:
        _restart(lab, settings)


def _restart(lab: Lab, settings: Settings, is_playing: bool | None = None, is_in_link: bool = True) -> None:
    _keep(lab.role, settings=settings)
    if lab.is_recorded:
        _create(lab.engine, lab.owner, lab.role, settings, bool(is_playing), is_in_link)
    else:
        lab.engine.restart(lab.run.run_id, lab.owner, settings, is_playing, LAST_STEP.get(lab.role))


# --- what is looked at ------------------------------------------------------------------------------------------------


def look(changes: dict[str, Any]) -> None:
    """Look at something else on the page that is about to be opened."""
    st.session_state.view = replace(st.session_state.view, **changes)


def keep_view(view: View) -> None:
    """Remember the view, here and in the page's address."""
    st.session_state.view = view
    query = config.view_to_query(view)
    for key in config.VIEW_KEYS:
        if query.get(key) is None:
            if key in st.query_params:
                del st.query_params[key]
        elif st.query_params.get(key) != query[key]:
            st.query_params[key] = query[key]
