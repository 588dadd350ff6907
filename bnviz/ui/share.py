"""Share: the two links of a run, and its downloads."""

import json
from urllib.parse import urlencode, urlsplit, urlunsplit

import streamlit as st

from bnviz import config
from bnviz.ui import export
from bnviz.ui.charts import GRADIENT_CHARTS, LAB_CHARTS, SHIFT_CHARTS
from bnviz.ui.lab import Lab, Role

EXPORTED = {Role.LAB: (*LAB_CHARTS, *GRADIENT_CHARTS), Role.SHIFT: SHIFT_CHARTS}


@st.dialog("Share", width="medium")
def share(lab: Lab) -> None:
    """Links to this run and to its settings, and files to take along."""
    if not lab.is_recorded:
        st.markdown("**This run.** Whoever opens it watches the same run live; only you steer it.")
        st.code(link({"run": lab.run.run_id} | config.view_to_query(lab.view)), language=None, wrap_lines=True)
    st.markdown("**These settings.** Opens at step 0 with the same weights and batches; nothing starts by itself.")
    st.code(link(config.to_query(lab.settings) | config.view_to_query(lab.view)), language=None, wrap_lines=True)
    st.markdown("**Downloads**")
    name = f"bnviz-{lab.run.status.step}"
    with st.container(horizontal=True, gap=8):
        st.download_button("Measurements, CSV", lambda: export.csv(lab.run), f"{name}.csv", "text/csv")
        st.download_button(
            "Measurements, Parquet", lambda: export.parquet(lab.run), f"{name}.parquet", "application/octet-stream"
        )
        st.download_button(
            "Charts, HTML", lambda: export.html(lab.run, lab.view, EXPORTED[lab.role]), f"{name}.html", "text/html"
        )
        st.download_button(
            "Settings, JSON", json.dumps(config.to_json(lab.settings), indent=2), f"{name}.json", "application/json"
        )


def link(query: dict[str, str]) -> str:
    """This page's address with another query."""
    scheme, host, path, *_ = urlsplit(st.context.url or "http://localhost:8501/")
    return urlunsplit((scheme, host, path, urlencode(query), ""))
