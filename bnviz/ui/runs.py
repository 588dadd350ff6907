"""The visitor's runs as a list: what each is and how far, and what can be done with it."""

import html
import math
from datetime import UTC, datetime, timezone
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from bnviz.config import lineup
from bnviz.errors import BnvizError
from bnviz.figures import page_swatch_of
from bnviz.live.header import settings_in_words
from bnviz.records import Condition, Health, Phase
from bnviz.runs.engine import Engine, engine
from bnviz.runs.summary import Summary
from bnviz.ui import lab as commands
from bnviz.ui.downloads import downloads
from bnviz.ui.frame import show_notices
from bnviz.ui.lab import owner_of_page
from bnviz.ui.share import hand_over, lab_link

AT_ONCE: Final = 20  # runs in the list, until more are asked for
FRESH_SECONDS: Final = 2.0
_ASKED: Final = "runs-delete"  # in the session's state: which run is about to be deleted
STATES: Final = {
    Phase.QUEUED: "waiting for a place",
    Phase.PLAYING: "playing",
    Phase.PAUSED: "paused",
    Phase.STOPPED: "over: every network diverged",
    Phase.ASLEEP: "asleep",
}


@st.fragment(run_every=FRESH_SECONDS)
def list_runs() -> None:
    """Every run of this visitor, the newest first, kept fresh; without any, where to begin."""
    show_notices()
    the_engine, owner = engine(), owner_of_page()
    runs = [one for one in the_engine.summaries(owner) if not one.is_study]
    if not runs:
        st.markdown(
            "You have no runs yet. A run begins when you press Play in the lab; from then on it stands here with its "
            "settings, its history and its weights, until you delete it."
        )
        st.page_link("pages/lab.py", label="To the live lab", icon=":material/play_arrow:")
        return
    shown = int(st.session_state.setdefault("runs-shown", AT_ONCE))
    for summary in runs[:shown]:
        with st.container(key=f"run-{summary.run_id}"):
            _row(the_engine, owner, summary)
    if len(runs) > shown:
        st.button(f"Show {min(AT_ONCE, len(runs) - shown)} more of {len(runs)}", on_click=_show_more)


def _show_more() -> None:
    st.session_state["runs-shown"] += AT_ONCE


def _row(the_engine: Engine, owner: str, summary: Summary) -> None:
    run_id = summary.run_id
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap=16):
        st.html(in_words(summary), width="stretch")
        with st.container(horizontal=True, wrap=False, width="content", gap=8):
            if st.button(
                "Open", key=f"open-{run_id}", icon=":material/play_arrow:", help="In the lab, where it goes on."
            ):
                _open(run_id)
            with st.popover("More", key=f"more-{run_id}"):
                st.markdown("**Link.** Whoever opens it watches this run; only you steer it.")
                st.code(lab_link({"run": run_id}), language=None, wrap_lines=True)
                st.markdown("**Downloads**")
                downloads(the_engine, run_id, summary.settings, summary.status.step, run_id)
                hand_over(the_engine, run_id, owner, run_id)
                _deletion(run_id)


def _open(run_id: str) -> None:
    try:
        commands.show_run(run_id)
    except BnvizError as error:
        st.warning(error.text)
    else:
        st.switch_page("pages/lab.py", query_params={"run": run_id})


def _deletion(run_id: str) -> None:
    """Delete, and the question whether that is meant: in one place, which a fresh list leaves as it is."""
    st.markdown("**Delete.** Its history, its weights and its links are gone for good, for those too who watch it.")
    if st.session_state.get(_ASKED) != run_id:
        st.button("Delete …", key=f"delete-{run_id}", icon=":material/delete:", on_click=_ask, args=(run_id,))
        return
    with st.container(horizontal=True, gap=8):
        st.button(
            "Delete it for good",
            key=f"delete-really-{run_id}",
            type="primary",
            on_click=commands.command,
            args=(_delete, run_id),
        )
        st.button("Keep it", key=f"delete-not-{run_id}", on_click=_ask, args=(None,))


def _ask(run_id: str | None) -> None:
    st.session_state[_ASKED] = run_id


def _delete(run_id: str) -> None:
    _ask(None)
    engine().delete(run_id, owner_of_page())
    commands.let_go(run_id)


def in_words(summary: Summary) -> str:
    """A run as HTML: how accurate each network is, how far and in what state, and its settings."""
    competitors, status = lineup(summary.settings.model), summary.status
    results = " ".join(
        f"<span>{page_swatch_of(one)} {html.escape(one.label)} <b>{_result(summary, k)}</b></span>"
        for k, one in enumerate(competitors)
    )
    facts = f"step {status.step:,} · {STATES[status.phase]} · begun {_when(summary.created)}"
    return (
        f'<div class="bnviz-run"><div>{results}</div><div class="bnviz-run-facts">{facts}</div>'
        f'<div class="bnviz-run-facts">{html.escape(settings_in_words(summary.settings))}</div></div>'
    )


def _result(summary: Summary, k: int) -> str:
    health = summary.status.health[k] if k < len(summary.status.health) else Health()
    if health.condition is Condition.DIVERGED:
        return f"diverged at step {health.since_step:,}"
    accuracy = summary.accuracy[k] if k < len(summary.accuracy) else math.nan
    return f"{accuracy * 100:.1f} %" if math.isfinite(accuracy) else "–"


def _when(seconds: float) -> str:
    """A time in the visitor's own zone: of today the hour alone."""
    zone = _zone()
    then, now = datetime.fromtimestamp(seconds, zone), datetime.now(zone)
    return f"today, {then:%H:%M}" if then.date() == now.date() else f"{then.day} {then:%B %Y, %H:%M}"


def _zone() -> ZoneInfo | timezone:
    name = st.context.timezone
    try:
        return ZoneInfo(name) if isinstance(name, str) else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
