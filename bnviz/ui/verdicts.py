"""Predict first: the visitor's guess, and then what this run says of every measure beside what papers report."""

from collections.abc import Iterable, Sequence
from typing import Final

import streamlit as st

from bnviz.figures.comparisons import Direction
from bnviz.figures.verdicts import verdicts
from bnviz.runs.engine import engine
from bnviz.ui import texts
from bnviz.ui.explain import about
from bnviz.ui.lab import Lab, show_value

EVERY_SECONDS: Final = 2.0
GUESSED: Final = "ics-relative"  # the measure that the guess is about
WIDTHS: Final = (3, 5, 5)
HEADINGS: Final = ("Question", "This run", "Reported elsewhere, for other networks and data")
GUESSES: Final = {
    Direction.LOWER: "Less",
    Direction.ALIKE: "About the same",
    Direction.HIGHER: "More",
}
WORDS: Final = {
    Direction.LOWER: "Lower with BN",
    Direction.HIGHER: "Higher with BN",
    Direction.ALIKE: "About the same",
    Direction.MIXED: "It depends on layer or step",
    Direction.UNDECIDED: "Undecided",
}


def predict(lab: Lab) -> None:
    """Ask for a guess, each generation of a run anew, and answer it in one line."""
    key = f"guess-{lab.run.run_id}-{lab.run.status.generation}"
    show_value(key, _guess(lab))
    with st.container(horizontal=True, key="predict", vertical_alignment="center", gap=8):
        about("shift")
        st.markdown(
            "Your guess: with BN, do the updates of the layers below change a layer's gradient", width="content"
        )
        st.segmented_control(
            "Your guess", list(GUESSES), format_func=GUESSES.__getitem__, key=key, label_visibility="collapsed",
            on_change=_guessed, args=(lab, key),
        )  # fmt: skip
    if (guess := _guess(lab)) is not None:
        st.fragment(_answer, run_every=_refresh(lab))(lab.run.run_id, guess)


def show_verdicts(lab: Lab) -> None:
    """What this run says of every measure, once there is a guess; refreshed while it plays."""
    st.subheader("What this run says", anchor=False)
    if _guess(lab) is None:
        st.caption("Make your guess above the charts first: then the verdicts of this run are shown here.")
        return
    st.fragment(_table, run_every=_refresh(lab))(lab.run.run_id)


def _refresh(lab: Lab) -> float | None:
    return EVERY_SECONDS if lab.is_playing else None


def _guess(lab: Lab) -> Direction | None:
    """The visitor's guess on this generation of the run, kept from page to page."""
    guesses: dict[tuple[str, int], Direction] = st.session_state.setdefault("guesses", {})
    return guesses.get((lab.run.run_id, lab.run.status.generation))


def _guessed(lab: Lab, key: str) -> None:
    st.session_state.setdefault("guesses", {})[lab.run.run_id, lab.run.status.generation] = st.session_state[key]


def _table(run_id: str) -> None:
    """One row a measure: the question, this run's answer, and what was reported elsewhere."""
    found = verdicts(engine().hub.get(run_id))
    rows((f"verdict-{one.measure}", WORDS[one.direction], one.finding) for one in found)
    st.markdown(texts.title_and_body("shift-honesty")[1])


def rows(found: Iterable[tuple[str, str, str]], headings: Sequence[str] = HEADINGS) -> None:
    """One row an answer: a text that asks, what is measured in a word and in a sentence, and what that text reports."""
    answers = list(found)
    if not answers:
        return
    with st.container(key=f"heads-{answers[0][0]}"):
        for column, heading in zip(st.columns(WIDTHS, gap="medium"), headings, strict=True):
            column.caption(heading)
    for text, answer, finding in answers:
        question, reported = texts.title_and_body(text)
        left, middle, right = st.columns(WIDTHS, gap="medium")
        left.markdown(f"**{question}**")
        for place, column, what in ((1, middle, f"**{answer}.** {finding}"), (2, right, reported)):
            # A phone has the cells below each other, where the headings above the columns say nothing.
            column.container(key=f"head-{place}-{text}").caption(headings[place])
            column.markdown(what)


def _answer(run_id: str, guess: Direction) -> None:
    """Whether this run says what was guessed, in a line."""
    found = {one.measure: one for one in verdicts(engine().hub.get(run_id))}
    if GUESSED not in found:
        return
    verdict = found[GUESSED]
    said = f"You guessed **{GUESSES[guess].lower()}**."
    if verdict.direction is guess:
        text = f"{said} So it is in this run, so far."
    else:
        text = f"{said} In this run, so far: **{GUESSES.get(verdict.direction, WORDS[verdict.direction]).lower()}**."
    st.markdown(f"{text} The verdicts on every measure, with their numbers, stand below the charts.")
