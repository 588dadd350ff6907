"""Share: the links of a run, the one that hands over its controls among them, and its downloads."""

from urllib.parse import urlencode, urlsplit, urlunsplit

import streamlit as st

from bnviz import config
from bnviz.errors import BnvizError
from bnviz.runs.engine import Engine
from bnviz.ui import export
from bnviz.ui.charts import GRADIENT_CHARTS, LAB_CHARTS, SHIFT_CHARTS
from bnviz.ui.claim_runs import claim_in_force
from bnviz.ui.downloads import downloads
from bnviz.ui.lab import HAND_OVER_KEY, Lab, Role

EXPORTED = {Role.LAB: (*LAB_CHARTS, *GRADIENT_CHARTS), Role.SHIFT: SHIFT_CHARTS}


@st.dialog("Share", width="medium")
def share(lab: Lab) -> None:
    """Links to this run and to its settings, and files to take along."""
    view = config.view_to_query(lab.view) | (claim_in_force(lab.settings) if lab.role is Role.LAB else {})
    if not lab.is_recorded:
        who = "only you steer it" if lab.is_mine else "only its owner steers it"
        st.markdown(f"**This run.** Whoever opens it watches the same run live; {who}.")
        st.code(link({"run": lab.run.run_id} | view), language=None, wrap_lines=True)
    st.markdown("**These settings.** Opens at step 0 with the same weights and batches; nothing starts by itself.")
    st.code(link(config.to_query(lab.settings) | view), language=None, wrap_lines=True)
    if lab.is_mine and not lab.is_recorded:
        hand_over(lab.engine, lab.run.run_id, lab.owner, key="share")
    st.markdown("**Downloads**")
    run = lab.run
    downloads(lab.engine, run.run_id, run.settings, run.status.step, "share", has_weights=not lab.is_recorded)
    st.download_button(
        "Charts, HTML",
        lambda: export.html(lab.run, lab.view, EXPORTED[lab.role]),
        f"bnviz-{run.status.step}.html",
        "text/html",
        key="share-charts",
    )


def hand_over(engine: Engine, run_id: str, owner: str, key: str) -> None:
    """A link that makes whoever opens it the owner, once it is asked for."""
    st.markdown(
        "**The controls.** A hand-over link makes whoever opens it first the one who steers this run; you watch it "
        "from then on. It works once, within an hour."
    )
    offered = f"offered-{run_id}"  # in the session's state: the newest link, which a fresh page shows again
    if st.button("Make a hand-over link", key=f"{key}-hand-over", icon=":material/swap_horiz:"):
        try:
            code = engine.offer_controls(run_id, owner)
        except BnvizError as error:
            st.warning(error.text)
        else:
            st.session_state[offered] = lab_link({"run": run_id, HAND_OVER_KEY: code})
    if offered in st.session_state:
        st.code(st.session_state[offered], language=None, wrap_lines=True)


def link(query: dict[str, str]) -> str:
    """This page's address with another query."""
    scheme, host, path, *_ = _address()
    return urlunsplit((scheme, host, path, urlencode(query), ""))


def lab_link(query: dict[str, str]) -> str:
    """The lab's address, which is that of the app, with this query."""
    scheme, host, path, *_ = _address()
    return urlunsplit((scheme, host, path.rpartition("/")[0] + "/", urlencode(query), ""))


def _address() -> tuple[str, ...]:
    return tuple(urlsplit(st.context.url or "http://localhost:8501/"))
