"""A linear unit with two inputs: its settings in the sidebar, examples, and the start that the visitor drags."""

from typing import Any, Final

import streamlit as st

from bnviz import config
from bnviz.config import LINEAR_UNIT_SETTINGS, LinearUnitConfig, RateRule
from bnviz.ui import lab as commands
from bnviz.ui.chosen import Chip, Chosen, Example, example_of, try_these
from bnviz.ui.controls import group_heading, widget
from bnviz.ui.lab import Lab, Role
from bnviz.ui.study import keys_of, open_study

_CHOSEN: Final = Chosen(
    "linear-unit-config",
    config.linear_unit_from_query,
    config.linear_unit_to_query,
    keys_of(LINEAR_UNIT_SETTINGS),
)
_SETTINGS: Final = {setting.name: setting for setting in LINEAR_UNIT_SETTINGS}
RATES: Final = {RateRule.SHARED: "learning_rate", RateRule.MULTIPLE: "rate_multiple"}  # what each rule asks for


EXAMPLES: Final = (
    Example(
        "Correlated",
        "Standardising, as BN does, leaves the correlation and with it a stretched loss; whitening takes both away.",
        LinearUnitConfig(),
    ),
    Example(
        "Textbook",
        "Independent inputs of different scale: standardising is already nearly whitening.",
        LinearUnitConfig(correlation=0.0),
    ),
    Example(
        "Zigzag",
        "At 2/(λ_max + λ_min) a stretched valley is crossed at every step; whitened, one step is enough.",
        LinearUnitConfig(rate_rule=RateRule.BEST, start_1=-1.0, start_2=1.0, target=0.01, steps=20),
    ),
    Example(
        "Too fast",
        "Five per cent beyond the largest stable rate, and every path of gradient descent leaves its panel.",
        LinearUnitConfig(rate_multiple=1.05),
    ),
    Example(
        "One rate for all",
        "One learning rate for all: raw inputs diverge at a rate at which the others crawl.",
        LinearUnitConfig(rate_rule=RateRule.SHARED, learning_rate=0.01),
    ),
    Example(
        "All positive",
        "Inputs well above 0: both components of every raw gradient have one sign, so the path can only go diagonally.",
        LinearUnitConfig(mean_1=50.0, mean_2=50.0, std_1=5.0, std_2=5.0, correlation=0.0, batch_size=1),
    ),
    Example(
        "Small batches",
        "One sample at a time: SGD diverges at a rate at which gradient descent does not.",
        LinearUnitConfig(batch_size=1),
    ),
)


def open_linear_unit() -> Lab:
    """What carries the measurements of the linear unit that this visitor wants, being measured."""
    _CHOSEN.follow_link()
    return open_study(Role.LINEAR_UNIT, chosen())


def chosen() -> LinearUnitConfig:
    """The unit that the visitor has chosen."""
    return _CHOSEN.get()


def adjust_linear_unit() -> None:
    """Every setting of the linear unit, in the sidebar."""
    rate = _rate()
    with st.sidebar:
        group_heading("Inputs")
        for pair in (("mean_1", "mean_2"), ("std_1", "std_2")):
            _row(*pair)
        _row("correlation")
        _row("samples", "seed")
        _row("whitening")
        st.divider()
        group_heading("Descent")
        _row("rate_rule")
        if rate is not None:
            _row(rate)
        _row("batch_size")
        for pair in (("start_1", "start_2"), ("target", "steps")):
            _row(*pair)
        st.divider()
        group_heading("MNIST")
        _row("pixel_form")


def present_rate() -> None:
    """What a lecturer still steers while the sidebar is hidden: the rate, where one can be set."""
    if (rate := _rate()) is not None:
        with st.container(key="present-controls"):
            _widget(rate, "page-linear-unit")


def _rate() -> str | None:
    """The setting that the rule in force asks for."""
    return RATES.get(chosen().rate_rule)


def _row(*names: str) -> None:
    for column, name in zip(st.columns(len(names), gap="small"), names, strict=True):
        with column:
            _widget(name, "linear-unit")


def _widget(name: str, place: str) -> None:
    key = f"{place}-{name}"
    widget(_SETTINGS[name], getattr(chosen(), name), key, on_change=_changed, args=(name, key))


def _changed(name: str, key: str) -> None:
    commands.command(_choose, {name: st.session_state[key]})


def _choose(changes: dict[str, Any]) -> None:
    """Refused with a notice, and nothing changes, where the unit would make no sense."""
    _CHOSEN.set(chosen().replace(**changes))


def examples() -> None:
    """A row of chips: each chooses another unit."""
    try_these(Chip(one.chip, (_CHOSEN.set, one.config)) for one in EXAMPLES)


def say_example() -> None:
    """What the example in force shows, in a line that is there for every unit, so that nothing moves."""
    example = example_of(EXAMPLES, chosen())
    own = "A unit of your own. Drag the open circle, in any panel, to start elsewhere."
    with st.container(key="what"):
        st.caption(example.sentence if example else own)


def start_dragged(key: str) -> None:
    """The visitor has dragged the start to another place in one of the panels."""
    place = st.session_state[key].start
    if isinstance(place, list) and len(place) == 2:
        commands.command(_choose, {"start_1": place[0], "start_2": place[1]})
