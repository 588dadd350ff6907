"""The live charts of a page, and what the page does about what they report."""

from collections.abc import Sequence

from bnviz.config import Directions
from bnviz.figures import FIGURES
from bnviz.live.component import live_charts
from bnviz.ui import lab as commands
from bnviz.ui.explain import explain
from bnviz.ui.lab import Lab


def charts(lab: Lab, names: Sequence[str] = tuple(FIGURES)) -> None:
    """Draw charts by name, live, for the run and view of this visitor."""
    result = live_charts(
        lab.run.run_id,
        lab.view,
        names,
        phase=lab.run.status.phase,
        directions=lab.orders.directions if lab.orders else Directions.PATHS,
        is_owner=lab.is_mine and not lab.is_recorded,
        is_presenting=lab.is_presenting,
        key="charts",
    )
    if result.directions and lab.is_mine and not lab.is_recorded:
        commands.command(commands.set_directions, lab, Directions(result.directions))
    if result.explain:
        explain(str(result.explain))
