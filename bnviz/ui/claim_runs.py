"""The runs that show the claims of the paper in the lab, and the line there that says which claim and what to watch."""

from typing import Final

import streamlit as st

from bnviz import config
from bnviz.config import CLAIM_KEY, SWEEPS, ClaimRun, Settings
from bnviz.figures.claim_runs import LabRun, lab_runs
from bnviz.figures.claims import CLAIMS
from bnviz.records import Run
from bnviz.runs.engine import engine
from bnviz.runs.recorded import recorded_run, recorded_sweep
from bnviz.ui import lab as commands
from bnviz.ui import texts
from bnviz.ui.lab import Lab

SWEEP: Final = "sweep-"  # how the names of recorded sweeps begin
PARAGRAPHS: Final = 2  # of a claim's text that stand in its row; each further one is what to watch in one of its runs


def recording(source: str) -> Run | None:
    """A recording that can be read; None otherwise."""
    hub = engine().hub
    if source.startswith(SWEEP):
        sweep_config = SWEEPS[source.removeprefix(SWEEP)]
        run = recorded_sweep(hub, sweep_config)
        return run if run is not None and run.sweep is not None and run.sweep.config == sweep_config else None
    run = recorded_run(hub, source)
    return None if run.status.notice else run


def runs_of(name: str) -> tuple[LabRun, ...]:
    """Those of a claim, by its recordings; none where one is missing or damaged."""
    recordings = [recording(source) for source in CLAIMS[name].sources]
    return lab_runs(name, [run for run in recordings if run is not None]) if all(recordings) else ()


def say_claim(lab: Lab) -> None:
    """Which claim the run on the page shows, and what to watch for; not while its settings are others."""
    if (one := _named()) is None:
        return
    name, place, settings = one
    if not _is_alike(lab.settings, settings):
        return
    title, body = texts.title_and_body(f"claim-{name}")
    watch = body.split("\n\n")[PARAGRAPHS + place]
    with st.container(key="watched-claim", horizontal=True, wrap=False):
        st.markdown(f"**{title}?** {watch}", width="stretch")
        st.button("Hide", key="dismiss-claim", type="tertiary", on_click=_dismiss)


def claim_in_force(settings: Settings) -> dict[str, str]:
    """What a link to these settings says of the claim that the page's address names, if they show it."""
    one = _named()
    return {CLAIM_KEY: st.query_params[CLAIM_KEY]} if one is not None and _is_alike(settings, one[2]) else {}


def _named() -> tuple[str, int, Settings] | None:
    """The claim of the page's address, which of its runs, and that one's settings; a bad name becomes a notice."""
    asked, notices = config.claim_from_query(st.query_params.to_dict())
    if notices:
        commands.notify(notices[0])
        _dismiss()
    return None if asked is None else _found(asked)


def _found(asked: ClaimRun) -> tuple[str, int, Settings] | None:
    name = next(one for one in CLAIMS if asked == one or asked.removesuffix("-plain") == one)
    for place, run in enumerate(runs_of(name)):
        if run.name is asked:
            return name, place, run.settings
    return None


def _is_alike(one: Settings, other: Settings) -> bool:
    """Whatever the seed: another one shows how far a single run can be trusted."""
    return one.replace(seed=other.model.seed) == other


def _dismiss() -> None:
    if CLAIM_KEY in st.query_params:
        del st.query_params[CLAIM_KEY]
