"""Predict first: the visitor's guess, and then what this run says of every measure beside what papers report."""

from typing import Final

import streamlit as st

from bnviz.figures.verdicts import Direction, Verdict, verdicts
from bnviz.runs.engine import engine
from bnviz.ui import texts
from bnviz.ui.lab import Lab

EVERY_SECONDS: Final = 2.0
GUESSED: Final = "ics-relative"  # the measure that the guess is about
WIDTHS: Final = (3, 5, 5)
HEADINGS: Final = ("Question", "This run", "Reported elsewhere, for other networks and data")
GUESSES: Final = {
    Direction.LOWER: "Less with BN",
    Direction.ALIKE: "About the same",
    Direction.HIGHER: "More with BN",
}


def predict(lab: Lab) -> None:
    """Ask for a guess; each generation of a run is a new question."""
    with st.container(horizontal=True, key="predict", vertical_alignment="center", gap=8):
        st.markdown(
            "Your guess: how much does each layer's gradient shift under the updates below it?", width="content"
        )
        st.segmented_control(
            "Your guess", list(GUESSES), format_func=GUESSES.__getitem__, key=_key(lab), label_visibility="collapsed"
        )


def show_verdicts(lab: Lab) -> None:
    """What this run says, once there is a guess; refreshed while it plays."""
    st.subheader("What this run says", anchor=False)
    if (guess := st.session_state.get(_key(lab))) is None:
        st.caption("Make your guess above the charts first: then the verdicts of this run are shown here.")
        return
    run_id, refresh = lab.run.run_id, EVERY_SECONDS if lab.is_playing else None
    st.fragment(_table, run_every=refresh)(run_id, guess)


def _key(lab: Lab) -> str:
    return f"guess-{lab.run.run_id}-{lab.run.status.generation}"


def _table(run_id: str, guess: Direction) -> None:
    """One row a measure: the question, this run's answer, and what was reported elsewhere."""
    found = verdicts(engine().hub.get(run_id))
    guessed = next(one for one in found if one.measure == GUESSED)
    st.markdown(_answer(guess, guessed))
    for column, heading in zip(st.columns(WIDTHS, gap="medium"), HEADINGS, strict=True):
        column.caption(heading)
    for one in found:
        question, reported = texts.title_and_body(f"verdict-{one.measure}")
        left, middle, right = st.columns(WIDTHS, gap="medium")
        left.markdown(f"**{question}**")
        middle.markdown(one.finding)
        right.markdown(reported)
    st.markdown(texts.title_and_body("shift-honesty")[1])


def _answer(guess: Direction, verdict: Verdict) -> str:
    guessed = f"You guessed **{GUESSES[guess][0].lower()}{GUESSES[guess][1:]}**."
    if verdict.direction not in GUESSES:
        return f"{guessed} So far this run does not say one thing. {verdict.finding}"
    word = "So it is here" if verdict.direction is guess else "Here it is otherwise"
    return f"{guessed} {word}. {verdict.finding}"
