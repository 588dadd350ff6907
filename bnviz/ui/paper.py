"""The paper: the parts of that page, in their order. A further part is one more line of `PARTS`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import streamlit as st

from bnviz.ui.claims import show_claims
from bnviz.ui.cost import show_cost
from bnviz.ui.cousins import show_cousins
from bnviz.ui.figure_one import show_figure_one
from bnviz.ui.lab import HAND_OVER_KEY, PART_KEY, Role
from bnviz.ui.share import link
from bnviz.ui.since import show_since

_NOT_SHARED: Final = ("run", HAND_OVER_KEY, "present")  # the visitor's own, and nothing of this page


@dataclass(frozen=True)
class Part:
    """A part of the page.

    Attributes:
        label: its name in the row at the top.
        show: draws it, with its sidebar if it has one.
        role: whose run the page's address names meanwhile.
        has_choices: whether that address says more than the part: settings, a view, what is chosen.
    """

    label: str
    show: Callable[[], None]
    role: Role = Role.LAB
    has_choices: bool = True


PARTS: Final = {
    "figure-one": Part("Figure 1", show_figure_one, Role.FIGURE_ONE),
    "claims": Part("The claims", show_claims, has_choices=False),
    "cousins": Part("Section 4.2, scaled down", show_cousins),
    "cost": Part("What BN costs", show_cost),
    "since": Part("Since 2015", show_since, has_choices=False),
}
"""By the name in the page's link; the first is shown at first."""


def tidy_link(part: Part) -> None:
    """Take out of the address what is another page's.

    Streamlit gives the address of a page that is switched to to the one that is left, too, for a moment: so that is
    where the browser's Back leads.
    """
    kept = {key: value for key, value in st.query_params.to_dict().items() if key in (PART_KEY, *_NOT_SHARED)}
    if not part.has_choices and kept != st.query_params.to_dict():
        st.query_params.from_dict(kept)


def share_part(part: Part) -> None:
    """The link that opens the part on screen as it is, behind a button; with the run, where the part has one."""
    with st.popover("Share", icon=":material/link:"):
        st.markdown("**This part of the page**, as it is now. For paper, print it: the controls stay behind.")
        hidden = _NOT_SHARED if part.role is Role.LAB else (HAND_OVER_KEY, "present")
        query = {key: value for key, value in st.query_params.to_dict().items() if key not in hidden}
        st.code(link(query), language=None, wrap_lines=True)
