"""Controls of the page inside BN: layer, unit and mini-batch, and a γ, β and a of the visitor's own."""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import streamlit as st

from bnviz import config
from bnviz.config import ANATOMY_SETTINGS, AnatomyConfig
from bnviz.errors import BnvizError, RunError
from bnviz.figures.anatomy_identity import identity_of
from bnviz.figures.anatomy_parts import unit_of, walked
from bnviz.figures.numbers import nice_at_least
from bnviz.records import SCALES, kept_units
from bnviz.ui import lab as commands
from bnviz.ui.chosen import Chip, Chosen, Example, example_of, try_these
from bnviz.ui.controls import group_heading, widget
from bnviz.ui.lab import Lab, keep_view, show_value
from bnviz.ui.presets import CONVOLUTIONAL
from bnviz.ui.study import keys_of

_CHOSEN: Final = Chosen("anatomy-config", config.anatomy_from_query, config.anatomy_to_query, keys_of(ANATOMY_SETTINGS))
_SETTINGS: Final = {setting.name: setting for setting in ANATOMY_SETTINGS}
_STEPS: Final = 200  # of a slider
FACTORS: Final = tuple(float(f"{one:.2g}") for one in SCALES)

EXAMPLES: Final = (
    Example("Last layer", "The paper’s case: 60 images through the last hidden layer.", AnatomyConfig()),
    Example("First layer", "The layer that sees the pixels.", AnatomyConfig(layer=1)),
    Example("Batch of two", "Of two images only which is the larger survives: x̂ is −1 and 1.", AnatomyConfig(images=2)),
    Example(
        "Slow averages",
        "A momentum of 0.01: after a hundred batches the running averages are still on their way.",
        AnatomyConfig(momentum=0.01),
    ),
    Example(
        "Large batch", "256 images: each batch’s statistics are close to the population’s.", AnatomyConfig(images=256)
    ),
)


def chosen() -> AnatomyConfig:
    """The layer and mini-batch that the visitor wants to see."""
    return _CHOSEN.get()


def walk_chosen(lab: Lab) -> None:
    """Have the visitor's run walk the batch that is wanted through the layer, unless it does already."""
    _CHOSEN.follow_link()
    wanted = chosen()
    if lab.is_recorded or not lab.is_mine or lab.orders is None or lab.orders.anatomy == wanted:
        return
    try:
        lab.engine.measure_anatomy(lab.run.run_id, lab.owner, wanted)
    except BnvizError as error:
        commands.notify(error.text)


def looks(lab: Lab) -> None:
    """A row of chips: each shows another batch or layer, the last another network; a line says what to look for."""
    chips = [Chip(one.chip, (_CHOSEN.set, one.config)) for one in EXAMPLES]
    of_maps = Chip(CONVOLUTIONAL.chip, (commands.apply, lab, CONVOLUTIONAL.settings), CONVOLUTIONAL.sentence)
    try_these([*chips, of_maps], disabled=not lab.is_mine)


def adjust_batch(lab: Lab) -> None:
    """Which mini-batch, in the sidebar, above what the run itself is made of."""
    with st.sidebar:
        group_heading("The mini-batch")
        for names in (("images", "batch"), ("momentum",)):
            for column, name in zip(st.columns(len(names), gap="small"), names, strict=True):
                with column:
                    key = f"anatomy-{name}"
                    widget(
                        _SETTINGS[name], getattr(chosen(), name), key, on_change=_changed, args=(name, key),
                        disabled=not lab.is_mine,
                    )  # fmt: skip
        example = example_of(EXAMPLES, chosen())
        st.caption(example.sentence if example else "A mini-batch of your own choice.")
        st.divider()


def pick_layer_and_unit(lab: Lab) -> None:
    """The BN layer, and the unit of it that is looked at."""
    model = lab.settings.model
    layers, units = list(range(1, model.hidden_layers + 1)), kept_units(1, model.width)[0].tolist()
    layer = min(chosen().layer, model.hidden_layers)
    show_value("anatomy-layer", layer)
    show_value("anatomy-unit", min(units, key=lambda unit: abs(unit - lab.view.unit)))
    st.selectbox(
        "BN layer", layers, key="anatomy-layer", on_change=_changed, args=("layer", "anatomy-layer"), width=92,
        disabled=not lab.is_mine, filter_mode=None,
    )  # fmt: skip
    st.selectbox(
        model.unit.capitalize(), units, key="anatomy-unit", on_change=_unit_picked, args=(lab,), width=92,
        filter_mode=None,
    )  # fmt: skip
    if st.button(
        "Measure now",
        key="anatomy-measure",
        icon=":material/refresh:",
        help="Of the weights at this step; it is also done when the run pauses, and every 10 s.",
        disabled=not lab.is_mine or lab.is_recorded,
    ):
        commands.command(lab.engine.measure_anatomy, lab.run.run_id, lab.owner, chosen())


def set_scale_and_shift(lab: Lab) -> None:
    """γ and β of one's own, the button that recovers the identity, and the factor on the weights."""
    now = walked(lab.run)
    unit = None if now is None else unit_of(now, lab.view)
    gamma, beta = (1.0, 0.0) if unit is None else identity_of(unit)
    _slider(lab, "gamma", "γ", nice_at_least(2 * max(gamma, 1.0)), 0.0, "In “BN can be the identity” below.")
    reach = nice_at_least(2 * max(abs(beta), 1.0))
    _slider(lab, "beta", "β", reach, -reach, "In “BN can be the identity” below.")
    st.button(
        "Recover the identity",
        key="anatomy-recover",
        help="γ = √(σ² + ε), β = μ of this unit on this batch.",
        on_click=commands.command,
        args=(_recover, lab),
    )
    show_value("anatomy-factor", FACTORS[int(np.argmin(np.abs(np.log(SCALES / lab.view.weight_factor))))])
    st.select_slider(
        "Weights times a",
        FACTORS,
        key="anatomy-factor",
        on_change=_viewed,
        args=(lab, "weight_factor", "anatomy-factor"),
        help="In “The layer’s weights times a” below.",
        width=170,
    )


def _slider(lab: Lab, field: str, label: str, high: float, low: float, help_: str) -> None:
    """A slider from low to high; one with other ends is another widget, which begins with what it is told."""
    key, step = f"anatomy-{field}-{high:g}", (high - low) / _STEPS
    shown = min(max(getattr(lab.view, field), low), high)
    if abs(st.session_state.get(key, np.inf) - shown) > step / 2:
        st.session_state[key] = shown
    st.slider(
        label, low, high, step=step, key=key, on_change=_viewed, args=(lab, field, key), help=help_, width=150,
        format="%.2f",
    )  # fmt: skip


def _recover(lab: Lab) -> None:
    """Of the newest walk: the page's own may be older."""
    now = walked(lab.engine.hub.get(lab.run.run_id))
    if now is None:
        raise RunError("No mini-batch has been walked through this layer yet: press Play, or +1.")
    gamma, beta = identity_of(unit_of(now, lab.view))
    keep_view(replace(lab.view, gamma=gamma, beta=beta))


def _viewed(lab: Lab, field: str, key: str) -> None:
    changes: dict[str, Any] = {field: float(st.session_state[key])}
    keep_view(replace(lab.view, **changes))


def _unit_picked(lab: Lab) -> None:
    keep_view(replace(lab.view, unit=st.session_state["anatomy-unit"]))


def _changed(name: str, key: str) -> None:
    commands.command(_choose, {name: st.session_state[key]})


def _choose(changes: dict[str, Any]) -> None:
    _CHOSEN.set(chosen().replace(**changes))
