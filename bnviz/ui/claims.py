"""The claims of the paper's introduction, each beside what is recorded here, and what the visitor has run, of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from bnviz.config import (
    CLAIM_KEY,
    RATE_AND_DEPTH,
    RATE_AND_NONLINEARITY,
    RATE_AND_SCALE,
    RATE_AND_TRAINING_IMAGES,
    SWEEPS,
    ShiftMeasure,
    SweepConfig,
    sweep_to_query,
)
from bnviz.errors import BnvizError
from bnviz.figures.claim_runs import LabRun
from bnviz.figures.claims import CLAIMS, Claim
from bnviz.figures.rulings import Cases, ClaimVerdict, Ruling
from bnviz.records import Run
from bnviz.runs.engine import Engine, engine
from bnviz.ui import lab as commands
from bnviz.ui import texts
from bnviz.ui.claim_runs import PARAGRAPHS, SWEEP, recording, runs_of
from bnviz.ui.explain import open_part
from bnviz.ui.lab import Role, own_run, owner_of_page
from bnviz.ui.sweeps import show_map

WIDTHS: Final = (5, 9, 4)
HEADINGS: Final = ("The paper says", "Tested here", "Comes out here")
COLUMNS: Final = ("With BN", "Without")  # of a table of cases
WORDS: Final = {
    Ruling.HOLDS: "Holds",
    Ruling.IN_PART: "Holds in part",
    Ruling.NOT_SHOWN: "Does not show",
    Ruling.INVERTS: "Inverts",
    Ruling.UNDECIDED: "Undecided",
}
_ICONS: Final = {
    Ruling.HOLDS: ":material/check_circle:",
    Ruling.IN_PART: ":material/contrast:",
    Ruling.NOT_SHOWN: ":material/do_not_disturb_on:",
    Ruling.INVERTS: ":material/swap_vertical_circle:",
    Ruling.UNDECIDED: ":material/help:",
}
_COUNTED: Final = {
    Ruling.HOLDS: ("holds", "hold"),
    Ruling.IN_PART: ("holds in part", "hold in part"),
    Ruling.NOT_SHOWN: ("does not show", "do not show"),
    Ruling.INVERTS: ("inverts", "invert"),
    Ruling.UNDECIDED: ("is undecided", "are undecided"),
}
_MOST_SWEEPS: Final = 20  # of the visitor's newest, that are looked through for one of these
_ROLES: Final = {"lab": Role.LAB, "shift": Role.SHIFT}  # recordings whose measures a visitor's own run has, too


@dataclass(frozen=True)
class Opening:
    """A button that leads to the experiment.

    Attributes:
        action: a command that sets it up, on a page that is given by its script.
        query: what that page's address says from the start: each change of it is a step of the browser's history.
    """

    label: str
    page: str
    action: tuple[Any, ...] = ()
    query: Callable[[], Mapping[str, str]] = dict


def _map(label: str, config: SweepConfig) -> Opening:
    return Opening(label, "pages/sweeps.py", (show_map, config), lambda: sweep_to_query(config))


def _lab(run: LabRun) -> Opening:
    return Opening(
        run.label,
        "pages/lab.py",
        (commands.open_with, run.settings),
        lambda: commands.run_query(Role.LAB) | {CLAIM_KEY: run.name},
    )


def _shift() -> Opening:
    """On the measure of the row."""
    action = (commands.look, {"shift_measure": ShiftMeasure.RELATIVE})
    return Opening("Covariate shift", "pages/shift.py", action, lambda: commands.run_query(Role.SHIFT))


_OPENINGS: Final[Mapping[str, tuple[Opening, ...]]] = {
    "faster": (_map("Map of scales", RATE_AND_SCALE), _map("Map of nonlinearities", RATE_AND_NONLINEARITY)),
    "higher-rates": (_map("Map of nonlinearities", RATE_AND_NONLINEARITY),),
    "less-care": (_map("Map of scales", RATE_AND_SCALE),),
    "saturating": (_map("Map of depths", RATE_AND_DEPTH), _map("Map of nonlinearities", RATE_AND_NONLINEARITY)),
    "regularizes": (_map("Map of training images", RATE_AND_TRAINING_IMAGES),),
    "less-dropout": (_map("Map of training images", RATE_AND_TRAINING_IMAGES),),
    "scale-free": (Opening("Inside BN", "pages/anatomy.py", query=lambda: commands.run_query(Role.LAB)),),
    "less-shift": (_shift(),),
}


def show_claims() -> None:
    """One row a claim: what the paper says, what tests it here with its numbers, and what comes out."""
    open_part("claims")
    recordings = {source: recording(source) for claim in CLAIMS.values() for source in claim.sources}
    found = {name: _recorded_verdict(claim, recordings) for name, claim in CLAIMS.items()}
    st.markdown(f"**{summary([one.ruling for one in found.values()])}**")
    with st.container(key="claims"):
        with st.container(key="claims-head"):
            for column, heading in zip(st.columns(WIDTHS, gap="medium"), HEADINGS, strict=True):
                column.caption(heading)
        for name, claim in CLAIMS.items():
            origins = dict.fromkeys(run.origin for source in claim.sources if (run := recordings[source]) is not None)
            _row(name, claim, found[name], list(origins))


def summary(rulings: list[Ruling]) -> str:
    """Such as "Of 8 claims 2 hold, 5 hold in part, 1 inverts.", by the recordings."""
    counts = {ruling: rulings.count(ruling) for ruling in Ruling}
    told = [f"{count} {_COUNTED[ruling][count > 1]}" for ruling, count in counts.items() if count]
    return f"By the recordings, of {len(rulings)} claims {', '.join(told)}, at this scale."


def _row(name: str, claim: Claim, found: ClaimVerdict, origins: Sequence[str]) -> None:
    title, body = texts.title_and_body(f"claim-{name}")
    said, tested = body.split("\n\n")[:PARAGRAPHS]
    with st.container(key=f"claim-{name}"):
        left, middle, right = st.columns(WIDTHS, gap="medium")
        with left:
            st.markdown(f"**{title}**")
            st.markdown(said)
        with middle:
            with st.container(key=f"tested-{name}"):
                st.markdown(tested)
            _numbers(found, origins)
            own = _own_runs(claim)
            if own:
                _own_result(claim.judge(*own))
            _open(name)
        with right:
            st.markdown(f"{_ICONS[found.ruling]} **{WORDS[found.ruling]}**")
            st.markdown(found.size)


def _numbers(found: ClaimVerdict, origins: Sequence[str]) -> None:
    """Every case of the recordings, with the badge that says what they are."""
    if origins:
        st.markdown(f":gray-badge[recorded] :small[{'; '.join(origins)}]")
    _findings(found)


def _findings(found: ClaimVerdict) -> None:
    for one in found.findings:
        st.markdown(one if isinstance(one, str) else table(one))


def table(cases: Cases) -> str:
    """As Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in ((cases.heading, *COLUMNS), *cases.rows)]
    return "\n".join([lines[0], "|---|---|---|", *lines[1:]])


def _own_result(own: ClaimVerdict) -> None:
    """The same of what the visitor has run here."""
    size = f"{own.size}." if own.size else ""
    st.markdown(f":blue-badge[measured] **Your own run: {WORDS[own.ruling].lower()}.** {size}")
    _findings(own)


def _open(name: str) -> None:
    with st.container(horizontal=True, gap=8, key=f"open-{name}"):
        for one in (*_OPENINGS[name], *map(_lab, runs_of(name))):
            if st.button(one.label, key=f"open-{name}-{one.label}", icon=":material/arrow_forward:"):
                if one.action:
                    commands.command(*one.action)
                st.switch_page(one.page, query_params=dict(one.query()))


# --- what is recorded, and what the visitor has run -------------------------------------------------------------------


def _recorded_verdict(claim: Claim, recordings: Mapping[str, Run | None]) -> ClaimVerdict:
    """What the recordings say; where one is missing or damaged, which, and how it comes back."""
    runs = [recordings[source] for source in claim.sources]
    absent = [_absence(source) for source, run in zip(claim.sources, runs, strict=True) if run is None]
    return ClaimVerdict(Ruling.UNDECIDED, "", tuple(absent)) if absent else claim.judge(*runs)


def _absence(source: str) -> str:
    return (
        f"The recording in assets/recorded/{source} is missing or damaged: restore it from the repository, or record "
        f"it again (python -m assets.recorded.record --again {source})."
    )


def _own_runs(claim: Claim) -> list[Run]:
    """The visitor's own runs of all that this claim takes; none unless all are there, and measured to the end."""
    runs = [_own(source) for source in claim.sources]
    return [run for run in runs if run is not None] if all(runs) else []


def _own(source: str) -> Run | None:
    if source.startswith(SWEEP):
        return _own_sweep(engine(), SWEEPS[source.removeprefix(SWEEP)])
    run = own_run(_ROLES[source])
    is_measured = run is not None and (source != "lab" or run.anatomy is not None) and (source != "shift" or run.shift)
    return run if is_measured else None


def _own_sweep(the_engine: Engine, config: SweepConfig) -> Run | None:
    """The newest whole one of the visitor's sweeps that is this very map."""
    for sweep_id in reversed(the_engine.sweeps_of(owner_of_page())[-_MOST_SWEEPS:]):
        try:
            run = the_engine.hub.get(sweep_id)
        except BnvizError:
            continue
        if run.sweep is not None and run.sweep.config == config and run.sweep.is_whole:
            return run
    return None
