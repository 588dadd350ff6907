"""What was said since 2015, as a timeline; corrections to common retellings; what is out of reach here."""

from collections.abc import Iterable
from typing import Final

import streamlit as st

from bnviz.errors import DataError
from bnviz.ui.entries import Entries, Entry, PageLink, entries_of
from bnviz.ui.explain import say
from bnviz.ui.lab import PART_KEY
from bnviz.ui.parts import turn_to

THIS_PAGE: Final = "paper"


def show_since() -> None:
    """The timeline, and beside it what is often told otherwise than it is."""
    with st.container(key="since"):
        left, right = st.columns((6, 5), gap="large")
        with left:
            _timeline()
        with right:
            _corrections()
            with st.container(border=True, key="scope"):
                say("since-scope")


def year_and_authors(entry: Entry) -> tuple[str, str]:
    """Such as "2018" and "Wu & He"; `DataError` where the heading is no "YEAR. Authors"."""
    year, dot, authors = entry.heading.partition(". ")
    if not (year.isdecimal() and len(year) == 4 and dot and authors):
        raise DataError(
            f"assets/texts/since.md: the heading “{entry.heading}” does not begin with a year, such as “2018. Wu & He”."
        )
    return year, authors


def _timeline() -> None:
    text, shown = entries_of("since"), ""
    _open(text, "since-opening")
    for place, entry in enumerate(text.entries):
        year, authors = year_and_authors(entry)
        reference, *sentences = entry.paragraphs
        with st.container(key=f"since-entry-{place}"):
            if year != shown:
                st.html(f'<span class="bnviz-year">{year}</span>')
            st.markdown(f"**{authors}.** :small[{reference}]")
            st.markdown("\n\n".join(sentences))
            _links(entry.links, f"since-links-{place}")
        shown = year


def _corrections() -> None:
    text = entries_of("corrections")
    _open(text, "corrections-opening")
    for place, entry in enumerate(text.entries):
        with st.container(key=f"correction-{place}"):
            st.markdown(f"**“{entry.heading}”**")
            st.markdown("\n\n".join(entry.paragraphs))
            _links(entry.links, f"correction-links-{place}")


def _open(text: Entries, key: str) -> None:
    with st.container(key=key):
        st.subheader(text.title, anchor=False)
        st.markdown(text.introduction)


def _links(links: Iterable[PageLink], key: str) -> None:
    with st.container(horizontal=True, gap=12, key=key):
        for link in links:
            label = f"{link.label} →"
            if link.page == THIS_PAGE:
                st.button(
                    label, key=f"{key}-{link.label}", type="tertiary", on_click=turn_to, args=(link.query[PART_KEY],)
                )
            else:
                st.page_link(link.script, label=label, query_params=dict(link.query))
