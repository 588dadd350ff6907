"""The scaled-down cousins of the paper's section 4.2, and an ensemble of them, beside what the paper reports."""

from typing import Final

import streamlit as st

from bnviz import config
from bnviz.config import COUSINS_SETTINGS, MOST_COUSINS_SECONDS, CousinsConfig
from bnviz.figures.cousins_parts import so_far
from bnviz.figures.cousins_words import TABLE, cousins_table, cousins_verdicts
from bnviz.runs.engine import engine
from bnviz.ui.charts import COUSINS_CHARTS, charts
from bnviz.ui.chosen import Chip, Chosen, Example, example_of, try_these
from bnviz.ui.explain import say
from bnviz.ui.recorded_study import RecordedStudy
from bnviz.ui.study import keys_of
from bnviz.ui.verdicts import EVERY_SECONDS, rows

_TENTH: Final = CousinsConfig(learning_rate=0.003)
_STUDY: Final = RecordedStudy(
    {CousinsConfig(): "paper-cousins", _TENTH: "paper-cousins-tenth"},
    Chosen("paper-cousins", config.cousins_from_query, config.cousins_to_query, keys_of(COUSINS_SETTINGS)),
    COUSINS_SETTINGS,
    (("steps",), ("learning_rate",), ("seeds",)),
    config.cousins_seconds,
    MOST_COUSINS_SECONDS,
)
EXAMPLES: Final = (
    Example(
        "The baseline’s best rate",
        "The base rate is the one, of five, that suits the network without BN best.",
        CousinsConfig(),
    ),
    Example(
        "A tenth of the rate",
        "A base rate that is too small for both networks: what do 5 and 30 times as much bring now?",
        _TENTH,
    ),
    Example(
        "A quick look",
        "A few hundred steps from two seeds, run here while you wait.",
        CousinsConfig(steps=500, seeds=2),
    ),
)
HEADINGS: Final = ("Question", "Measured here{so_far}, on MNIST", "Reported in the paper, on ImageNet")


def show_cousins() -> None:
    """The part of the page."""
    lab = _STUDY.open()
    _STUDY.adjust()
    with st.container(horizontal=True, horizontal_alignment="distribute", key="looks"):
        try_these(Chip(one.chip, (_STUDY.chosen.set, one.config)) for one in EXAMPLES)
        _STUDY.run_here(lab)
    _say_example()
    charts(lab, COUSINS_CHARTS)
    st.subheader("Beside the paper’s own numbers", anchor=False)
    st.fragment(_found, run_every=None if lab.is_recorded else EVERY_SECONDS)(lab.run.run_id)
    for text in ("cousins-table", "cousins-confounds", "cousins-scope"):
        with st.container(border=True, key=text):
            say(text)


def _say_example() -> None:
    example = example_of(EXAMPLES, _STUDY.chosen.get())
    with st.container(key="what"):
        st.caption(example.sentence if example else "An experiment of your own.")


def _found(run_id: str) -> None:
    """The table and the verdicts, of what is measured so far."""
    cousins = engine().hub.get(run_id).cousins
    if cousins is None:
        st.caption("Nothing is measured yet.")
        return
    table = [TABLE, *cousins_table(cousins)]
    lines = [f"| {' | '.join(row)} |" for row in table]
    with st.container(key="cousins-numbers"):
        st.markdown("\n".join([lines[0], "|" + "---|" * len(TABLE), *lines[1:]]))
    rows(
        ((f"asked-{one.question}", one.answer.capitalize(), one.finding) for one in cousins_verdicts(cousins)),
        [heading.format(so_far=so_far(cousins)) for heading in HEADINGS],
    )
