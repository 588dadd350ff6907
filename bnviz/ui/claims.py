"""The claims of the paper's introduction, each beside what is recorded here, and what the visitor has run, of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from bnviz.config import (
    RATE_AND_DEPTH,
    RATE_AND_NONLINEARITY,
    RATE_AND_SCALE,
    RATE_AND_TRAINING_IMAGES,
    SWEEPS,
    Settings,
    SweepConfig,
)
from bnviz.errors import BnvizError
from bnviz.figures.claims import CLAIMS, Claim, ClaimVerdict, Ruling
from bnviz.records import Run
from bnviz.runs.engine import Engine, engine
from bnviz.runs.recorded import recorded_run, recorded_sweep
from bnviz.ui import lab as commands
from bnviz.ui import texts
from bnviz.ui.explain import open_part
from bnviz.ui.lab import Role, own_run, owner_of_page
from bnviz.ui.presets import PRESETS
from bnviz.ui.sweeps import show_map

WIDTHS: Final = (5, 9, 4)
HEADINGS: Final = ("The paper says", "Tested here", "Comes out here")
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
_SWEEP: Final = "sweep-"
_MOST_SWEEPS: Final = 20  # of the visitor's newest, that are looked through for one of these
_ROLES: Final = {"lab": Role.LAB, "shift": Role.SHIFT}  # recordings whose measures a visitor's own run has, too
_PRESETS: Final = {one.label: one.settings for one in PRESETS}


@dataclass(frozen=True)
class Opening:
    """A button that leads to the experiment: a page, and a command that sets it up there."""

    label: str
    page: str
    action: tuple[Any, ...] = ()


def _map(label: str, config: SweepConfig) -> Opening:
    return Opening(label, "pages/sweeps.py", (show_map, config))


def _lab(settings: Settings) -> Opening:
    return Opening("In the lab", "pages/lab.py", (commands.open_with, settings))


_OPENINGS: Final[Mapping[str, tuple[Opening, ...]]] = {
    "faster": (
        _map("Map of scales", RATE_AND_SCALE),
        _map("Map of nonlinearities", RATE_AND_NONLINEARITY),
        _lab(_PRESETS["The paper's experiment"]),
    ),
    "higher-rates": (_map("Map of nonlinearities", RATE_AND_NONLINEARITY), _lab(_PRESETS["Learning rate × 30"])),
    "less-care": (_map("Map of scales", RATE_AND_SCALE), _lab(_PRESETS["Bad initialization"])),
    "saturating": (
        _map("Map of depths", RATE_AND_DEPTH),
        _map("Map of nonlinearities", RATE_AND_NONLINEARITY),
        _lab(_PRESETS["Deep sigmoid"]),
    ),
    "regularizes": (_map("Map of training images", RATE_AND_TRAINING_IMAGES), _lab(_PRESETS["Dropout and BN"])),
    "less-dropout": (_map("Map of training images", RATE_AND_TRAINING_IMAGES), _lab(_PRESETS["Dropout and BN"])),
    "scale-free": (Opening("Inside BN", "pages/anatomy.py"), _lab(_PRESETS["The paper's experiment"])),
    "less-shift": (Opening("Covariate shift", "pages/shift.py"), _lab(_PRESETS["The paper's experiment"])),
}


def show_claims() -> None:
    """One row a claim: what the paper says, what tests it here with its numbers, and what comes out."""
    open_part("claims")
    recordings = {source: _recorded(source) for claim in CLAIMS.values() for source in claim.sources}
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
    said, _, tested = body.partition("\n\n")
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
    for line in found.findings:
        st.markdown(line)


def _own_result(own: ClaimVerdict) -> None:
    """The same of what the visitor has run here."""
    st.markdown(f":blue-badge[measured] **Your own run: {WORDS[own.ruling].lower()}.** {own.size}")
    for line in own.findings:
        st.markdown(line)


def _open(name: str) -> None:
    with st.container(horizontal=True, gap=8, key=f"open-{name}"):
        for one in _OPENINGS[name]:
            if st.button(one.label, key=f"open-{name}-{one.label}", icon=":material/arrow_forward:"):
                if one.action:
                    commands.command(*one.action)
                st.switch_page(one.page)


# --- what is recorded, and what the visitor has run -------------------------------------------------------------------


def _recorded_verdict(claim: Claim, recordings: Mapping[str, Run | None]) -> ClaimVerdict:
    """What the recordings say; where one is missing or damaged, which, and how it comes back."""
    runs = [recordings[source] for source in claim.sources]
    absent = [_absence(source) for source, run in zip(claim.sources, runs, strict=True) if run is None]
    return ClaimVerdict(Ruling.UNDECIDED, "", tuple(absent)) if absent else claim.judge(*runs)


def _recorded(source: str) -> Run | None:
    """A recording that can be read; None otherwise."""
    hub = engine().hub
    if source.startswith(_SWEEP):
        config = SWEEPS[source.removeprefix(_SWEEP)]
        run = recorded_sweep(hub, config)
        return run if run is not None and run.sweep is not None and run.sweep.config == config else None
    run = recorded_run(hub, source)
    return None if run.status.notice else run


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
    if source.startswith(_SWEEP):
        return _own_sweep(engine(), SWEEPS[source.removeprefix(_SWEEP)])
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
