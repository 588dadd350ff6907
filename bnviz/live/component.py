"""The live charts as one Streamlit component: sentence, status, cards, interventions."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any, Final

import streamlit as st

from bnviz.config import Directions, Settings, View
from bnviz.figures.theme import tokens
from bnviz.live.header import settings_text
from bnviz.live.library import library_for
from bnviz.live.routes import JOINED, base_path, library_address, module_address, style_sheet

NAME: Final = "bnviz_live_charts"

# A few lines: Streamlit takes a component's script inline, and ours imports what is served beside the page, so that a
# browser keeps it. The addresses are absolute paths because the inline script itself is loaded from a blob.
LOADER: Final = """
const config = %s;
const module = new URL(config.module, document.baseURI).href;
export default async function (component) {
  const live = await import(module);
  return live.default(component, config);
}
"""


def live_charts(
    run_id: str,
    view: View,
    charts: Sequence[str],
    *,
    phase: str = "",
    settings: Settings | None = None,
    directions: Directions = Directions.PATHS,
    contour_seconds: float | None = None,
    is_owner: bool = True,
    is_stopped: bool = False,
    is_presenting: bool = False,
    key: str = "live",
    on_explain: Callable[[], None] | None = None,
    on_directions: Callable[[], None] | None = None,
    on_contour_seconds: Callable[[], None] | None = None,
    on_phase: Callable[[], None] | None = None,
    on_start: Callable[[], None] | None = None,
    on_cell: Callable[[], None] | None = None,
) -> Any:
    """The charts of a run, kept fresh by the browser itself: a rerun of the page neither redraws nor recomputes them.

    Args:
        run_id: the run to watch.
        view: what the pickers of the page choose; the switches on the cards (net or path, plain or standardised) are
            the component's own and win until the page changes the same field.
        charts: names in `figures.FIGURES`, in their order on the page.
        phase: what the page takes the run to be doing; when frames say otherwise for a while, `phase` is triggered
            once, and the page's rerun sets it right.
        settings: what the page takes the run's settings to be; when frames say otherwise, the page is rerun.
        directions: of the loss contour, as the run has them.
        contour_seconds: between two loss contours while it plays; None: only on pause.
        is_owner: whether this visitor may ask for other directions.
        is_stopped: whether no more of an unfinished study is measured.
        is_presenting: larger lines and markers; the type grows with the page's own.
        key: the component's identity on the page.
        on_explain: called with a chart's name (or "keyboard") in `st.session_state[key].explain`.
        on_directions: called when other directions are asked for.
        on_contour_seconds: called when another pace of contours is asked for; 0 is only on pause.
        on_start: called when the start of a descent is dragged, with its place in `st.session_state[key].start`.
        on_cell: called when a cell of a map is clicked, with its row and column in `st.session_state[key].cell`.
        on_phase: called when the run's phase is no longer the page's.

    Returns:
        The component's result: `.explain`, `.directions`, `.contour_seconds` and `.phase` are None or what was
        triggered for this rerun.
    """
    data = {
        "run_id": run_id,
        "view": asdict(view),
        "charts": list(charts),
        "library": library_address(library_for(charts)),
        "phase": str(phase),
        "settings": settings_text(settings) if settings is not None else "",
        "directions": str(directions),
        "contour_seconds": contour_seconds or 0,
        "is_owner": is_owner,
        "is_stopped": is_stopped,
        "is_presenting": is_presenting,
    }
    return _component()(
        key=key,
        data=data,
        on_explain_change=on_explain or _nothing,
        on_directions_change=on_directions or _nothing,
        on_contour_seconds_change=on_contour_seconds or _nothing,
        on_phase_change=on_phase or _nothing,
        on_start_change=on_start or _nothing,
        on_cell_change=on_cell or _nothing,
        on_settings_change=_nothing,
    )


def _nothing() -> None:
    """A callback that leaves everything to the rerun: Streamlit returns only triggers that have one."""


@cache
def _component() -> Any:
    return st.components.v2.component(NAME, js=loader(), css=style_sheet(), isolate_styles=False)


def loader() -> str:
    """The component's inline script."""
    return LOADER % json.dumps(browser_config())


def browser_config() -> dict[str, Any]:
    """What the browser's modules need once: addresses, and the colours of the roles in both themes."""
    return {
        "module": module_address(JOINED),
        "frames": f"{base_path()}/bnviz/frames",
        "tokens": tokens(),
    }
