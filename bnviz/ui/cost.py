"""What BN costs: the time of a step with it and without it."""

from typing import Final

import streamlit as st

from bnviz import config
from bnviz.config import COST_SETTINGS, MOST_COST_SECONDS, CostConfig
from bnviz.ui.charts import COST_CHARTS, charts
from bnviz.ui.chosen import Chosen
from bnviz.ui.explain import say
from bnviz.ui.recorded_study import RecordedStudy
from bnviz.ui.study import keys_of

_STUDY: Final = RecordedStudy(
    {CostConfig(): "paper-cost"},
    Chosen("paper-cost", config.cost_from_query, config.cost_to_query, keys_of(COST_SETTINGS)),
    COST_SETTINGS,
    (("nonlinearity",), ("hidden_layers",), ("repetitions",)),
    config.cost_seconds,
    MOST_COST_SECONDS,
)


def show_cost() -> None:
    """The part of the page."""
    lab = _STUDY.open()
    _STUDY.adjust()
    with st.container(horizontal=True, horizontal_alignment="distribute", key="looks"):
        st.caption("Every machine has ratios of its own: time it on this one.")
        _STUDY.run_here(lab)
    charts(lab, COST_CHARTS)
    with st.container(border=True, key="cost-retold"):
        say("cost-retold")
