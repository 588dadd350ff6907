"""The live charts of a page, and what the page does about what they report."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import streamlit as st

from bnviz import records
from bnviz.config import Directions
from bnviz.live.component import live_charts
from bnviz.live.stills import stills
from bnviz.runs.engine import Orders
from bnviz.ui import lab as commands
from bnviz.ui.explain import explain
from bnviz.ui.lab import Lab

LAB_CHARTS: Final = (
    "accuracy", "drift-bands", "loss", "density", "gradient-histogram", "drift-distance", "loss-contour", "health",
)  # fmt: skip
UNTRAINED_CHARTS: Final = (
    "untrained-histogram", "untrained-gradients", "untrained-activations", "untrained-predictions",
    "untrained-jacobian", "untrained-loss",
)  # fmt: skip
GRADIENT_CHARTS: Final = (
    "gradient-layers", "gradient-steps", "gradient-norm", "update-ratio", "weight-norm", "scale-invariance",
)  # fmt: skip
ANATOMY_CHARTS: Final = (
    "anatomy-walk", "anatomy-identity", "anatomy-scale", "anatomy-naive", "anatomy-stream", "anatomy-inference",
    "accuracy-modes",
)  # fmt: skip
LANDSCAPE_CHARTS: Final = ("landscape", "loss", "landscape-cut", "landscape-batches", "sharpness")
SHIFT_CHARTS: Final = (
    "accuracy", "covariate-shift", "drift-distance", "loss", "smoothness", "accuracy-modes",
    "drift-bands", "density",
)  # fmt: skip
LIMITS_CHARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "batch_size": ("trials-summary", "trials-curves"),
    "mini_batches": ("trials-gap", "trials-curves"),
    "test_time": ("trials-change", "trials-digits"),
    "initialization": ("trials-summary", "trials-curves", "trials-spread"),
    "dropout": ("trials-summary", "trials-curves", "trials-fit"),
    "depth": ("depth-gradients", "depth-outputs"),
}
"""Of each part of the page where BN fails."""
COUSINS_CHARTS: Final = ("cousins-curves", "cousins-time", "cousins-reach", "cousins-rates", "ensemble")
COST_CHARTS: Final = ("bn-cost", "bn-cost-time")
FIGURE_ONE_CHARTS: Final = records.FIGURE_ONE_CHARTS
SWEEP_CHARTS: Final = ("sweep-map", "sweep-best", "sweep-ranges")
WHITENING_CHARTS: Final = ("whitening-descent", "whitening-loss", "whitening-spectrum", "whitening-inputs")


def charts(
    lab: Lab,
    names: Sequence[str] = LAB_CHARTS,
    on_start: Callable[[str], None] | None = None,
    on_cell: Callable[[str], None] | None = None,
) -> None:
    """Draw charts by name, live, for the run and view of this visitor.

    `on_start` is called when the start of a descent has been dragged, `on_cell` when a cell of a map has been clicked,
    each with the component's key.
    """
    key = f"charts-{lab.role}-{names[0]}"  # another page's charts are other components
    with st.container(key=f"area-{key}"):
        _stills(lab, names, key)
        result = _live(lab, names, key, on_start, on_cell)
    if lab.orders is not None and lab.is_mine:
        _follow_switches(lab, lab.orders, result)
    if result.explain:
        explain(str(result.explain))


def _stills(lab: Lab, names: Sequence[str], key: str) -> None:
    """What is recorded, drawn by the server until the browser can: the same for as long as these charts stay."""
    state = st.session_state
    if not state.is_same_page or state.get("stills_of") != key:
        state.stills_of = key
        state.stills = stills(lab.run, lab.view, names) if lab.is_recorded else ""
    if state.stills:
        st.html(state.stills)


def _live(
    lab: Lab,
    names: Sequence[str],
    key: str,
    on_start: Callable[[str], None] | None,
    on_cell: Callable[[str], None] | None,
) -> Any:
    return live_charts(
        lab.run.run_id,
        lab.view,
        names,
        phase=lab.run.status.phase,
        settings=None if lab.is_recorded else lab.settings,
        directions=lab.orders.directions if lab.orders else Directions.PATHS,
        contour_seconds=lab.orders.contour_seconds if lab.orders else None,
        is_owner=lab.is_mine and not lab.is_recorded,
        is_stopped=lab.is_stopped,
        is_presenting=lab.is_presenting,
        key=key,
        on_start=None if on_start is None else partial(on_start, key),
        on_cell=None if on_cell is None else partial(on_cell, key),
    )


def _follow_switches(lab: Lab, orders: Orders, result: Any) -> None:
    """What the contour's own switches ask of the run."""
    directions, seconds = orders.directions, orders.contour_seconds
    if result.directions:
        directions = Directions(result.directions)
    if result.contour_seconds is not None:
        seconds = float(result.contour_seconds) or None
    if (directions, seconds) != (orders.directions, orders.contour_seconds):
        commands.command(commands.set_contour, lab, directions, seconds)
