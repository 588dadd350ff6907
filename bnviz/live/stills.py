"""Still pictures: what is recorded, drawn by the server into the page itself, until plotly.js is ready to draw it.

A browser that has never been here has the page's words a third of a second before its first chart (README). Until then
a still stands in the chart's place: the same words, axes and lines, without anything that moves. Streamlit lets no SVG
into a page, so every line is an element of its colour seen through a mask, which follows the page's theme as well.
"""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from bnviz.config import COMPETITORS, View
from bnviz.figures import FIGURES, sentence
from bnviz.figures.chart import AXIS_ENDS
from bnviz.figures.theme import Spec, follow_theme, page_swatch_of
from bnviz.live.routes import style_sheet
from bnviz.live.still_plot import is_line, still_plot
from bnviz.records import Run

ROLES: Final = ("text", "muted", "rule")  # that the style sheet has on what is in a still
FIRST_ROW: Final = 2  # charts of which there are stills: those below are drawn before anybody has come to them

_MARKS: Final = re.compile(r"\*\*(.+?)\*\*|\{([a-z]+)\}")
_COMPETITORS: Final = {one.name: one for one in COMPETITORS.values()}


def stills(run: Run, view: View, charts: Sequence[str]) -> str:
    """HTML that stands over the live area of these charts: stills of the first two, each in the place of its card.

    Charts of other things than lines have none, nor has anything that a chart draws beside its lines. Empty where none
    of the charts is of lines.
    """
    charts = charts[:FIRST_ROW]
    cards = [still_card(name, FIGURES[name](run, view)) for name in charts]
    if not any(cards):
        return ""
    properties = ";".join(f"--bnviz-{role}:{follow_theme(f'@{role}')}" for role in ROLES)
    return (
        f"<style>{style_sheet()}</style>"
        f'<div class="bnviz-live bnviz-stills" aria-hidden="true" style="{properties}"><div class="bnviz-inner">'
        f'<div class="bnviz-head"><p class="bnviz-sentence-still bnviz-clamped">{marked(sentence(run, view))}</p></div>'
        f'<div class="bnviz-grid">{"".join(card or _no_card(name) for name, card in zip(charts, cards, strict=True))}'
        "</div></div></div>"
    )


def _no_card(name: str) -> str:
    """Keeps the place of a card."""
    return f'<div class="bnviz-card bnviz-card-{name}"></div>'


def still_card(name: str, spec: Spec) -> str:
    """One card, its parts where card.js has them; empty if the chart is of other things than lines."""
    if not _is_of_lines(spec):
        return ""
    meta = spec["layout"]["meta"]
    icons = '<span class="bnviz-icon"></span>' * 2
    return (
        f'<div class="bnviz-card bnviz-card-{name}"><header><h3>{escape(spec["layout"]["title"]["text"])}</h3>'
        f'<span class="bnviz-badge" data-kind="{meta["badge"]}">{meta["badge"]}</span>{icons}</header>'
        f'<div class="bnviz-subline"><p class="bnviz-finding">{marked(meta["finding"])}</p></div>'
        f'<div class="bnviz-plot">{still_plot(spec)}</div></div>'
    )


def _is_of_lines(spec: Spec) -> bool:
    """Whether lines on plain axes tell all that matters of a chart; single points mark the ends of lines."""
    drawn = [trace for trace in spec["data"] if trace.get("name") != AXIS_ENDS]
    is_plain = all(trace["type"] == "scatter" and (_is_solid(trace) or len(trace["x"]) == 1) for trace in drawn)
    return any(map(is_line, drawn)) and is_plain and "formulas" not in spec["layout"]["meta"]


def _is_solid(trace: Mapping[str, Any]) -> bool:
    return is_line(trace) and "dash" not in trace["line"]


def marked(text: str) -> str:
    """A text with marks as HTML, as sentence.js has it: **bold**, and {bn}, a competitor's name, becomes its swatch."""

    def mark(found: re.Match[str]) -> str:
        if found[1] is not None:
            return f"<b>{found[1]}</b>"
        one = _COMPETITORS.get(found[2])
        return found[0] if one is None else page_swatch_of(one)

    return _MARKS.sub(mark, escape(text, quote=False))
