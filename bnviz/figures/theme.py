"""Theme: the colours and sizes of every chart in one place, light and dark, and how roles in a spec become colours.

A spec names colours by role, such as "@bn" or "@bn/0.16" (with an opacity), in any of its strings, the coloured spans
of annotations included; "@sequential" and "@diverging" stand for whole colour scales. The browser resolves them, again
when the theme changes; `resolve` does it for exports and for `go.Figure`.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal

from bnviz.config import Competitor

Spec = dict[str, Any]
"""A plain Plotly figure: {"data": [...], "layout": {...}}, its arrays in NumPy."""

ThemeName = Literal["light", "dark"]

FONT: Final = '"Source Sans", "Source Sans 3", "Helvetica Neue", Arial, sans-serif'
TICK_SIZE: Final = 12.5
NAME_SIZE: Final = 13
HEADING_SIZE: Final = 13.5
TITLE_SIZE: Final = 15.5

RUN_WIDTH: Final = 2.5
OTHER_WIDTH: Final = 1.5  # competitors beside the twins, drawn over them: where lines coincide both stay visible
THIN_WIDTH: Final = 1.25  # ghosts and outer percentiles
EVENT_WIDTH: Final = 1
GHOST_OPACITY: Final = 0.55
BAND_OPACITY: Final = 0.16
MARKER_SIZE: Final = 9

RAMP_STOPS: Final = 17  # "@ramp0" … "@ramp16": the sequential ramp in finer steps, for scales that are not linear

_ROLES: Final[Mapping[str, tuple[str, str]]] = {
    "page": ("#FFFFFF", "#12161B"),
    "sidebar": ("#F6F7F9", "#181D23"),
    "text": ("#1B1F24", "#E7EBF0"),
    "muted": ("#57606A", "#A3AEBA"),
    "rule": ("#CBD2D9", "#39424D"),
    "axis": ("#B4BCC5", "#4A5561"),
    "grid": ("#E7EAED", "#262D35"),
    "selected": ("#EDF0F3", "#262D36"),
    "primary": ("#24292F", "#DDE3EA"),
    "plain": ("#D55E00", "#FF8347"),
    "bn": ("#0072B2", "#56B4E9"),
    "noisy": ("#B85C90", "#E59AC8"),
    "noise": ("#00825F", "#3CC79B"),
    # Apart from the twins, and from those that stand before them here, for deuteranopes and protanopes too.
    "layer": ("#3F1F99", "#8B66F2"),
    "group": ("#47560A", "#E6E645"),
    "weight": ("#6C435F", "#C24690"),
    "renorm": ("#A361FB", "#E6CBFB"),
    "decorrelated": ("#6D9976", "#89E29D"),
    "dropout": ("#760033", "#007256"),
    "bndropout": ("#0000CE", "#0069C3"),
    "lsuv": ("#040CFF", "#D46282"),
    "orthogonal": ("#1AA1BD", "#AC2A9B"),
    "he": ("#B1102F", "#885C01"),
    "glorot": ("#69006D", "#8809FF"),
    "green": ("#00825F", "#3CC79B"),
    "orange": ("#B87700", "#F0B93A"),
    # Treatments of a linear unit's inputs: standardising is what BN does, and has its colour.
    "raw": ("#57606A", "#A3AEBA"),
    "centred": ("#B87700", "#F0B93A"),
    "scaled": ("#B85C90", "#E59AC8"),
    "standardised": ("#0072B2", "#56B4E9"),
    "whitened": ("#00825F", "#3CC79B"),
    "overflow": ("#D9CFB4", "#5F573F"),  # sand: neither a step of the ramps nor a network's hue
}
_SEQUENTIAL: Final[tuple[tuple[str, ...], tuple[str, ...]]] = (
    ("#FFFFFF", "#D7CDEB", "#AEA0CA", "#85789D", "#5C556A", "#383243"),
    ("#16151A", "#3E364F", "#675D83", "#928AB1", "#C0BCD7", "#F1EEFF"),
)

# Both halves have equal lightness at equal distance from the middle, which is the page's colour; no twin's hue.
_DIVERGING: Final[tuple[tuple[str, ...], tuple[str, ...]]] = (
    ("#00603C", "#0A9C71", "#8DD1B3", "#FFFFFF", "#C8B4ED", "#9071C5", "#583B82"),
    ("#90E6C1", "#3FA17C", "#215943", "#16151A", "#53446D", "#967CC4", "#DBC3FF"),
)

# Beside its colour every competitor has a shape of its own, so that none is told by colour alone.
_SYMBOLS: Final[Mapping[str, tuple[str, str]]] = {
    "plain": ("square", "■"),
    "bn": ("circle", "●"),
    "noisy": ("diamond", "◆"),
    "noise": ("triangle-up", "▲"),
    "layer": ("triangle-down", "▼"),
    "group": ("cross", "✚"),
    "weight": ("hexagon", "⬢"),
    "renorm": ("star", "★"),
    "decorrelated": ("x", "✖"),
    "dropout": ("triangle-left", "◀"),
    "bndropout": ("triangle-right", "▶"),
    "lsuv": ("pentagon", "⬟"),
    "orthogonal": ("bowtie", "⧓"),
    "he": ("star-diamond", "✦"),
    "glorot": ("hexagram", "✶"),
}
_SIZES: Final[Mapping[str, float]] = {
    "triangle-up": 1.35,
    "triangle-down": 1.35,
    "triangle-left": 1.35,
    "triangle-right": 1.35,
    "hexagram": 1.2,
    "star": 1.35,
}  # Plotly's has half the area of the others
_OTHER_SYMBOL: Final = ("diamond", "◆")

_ROLE: Final = re.compile(r"@([a-z]+\d*)(?:/(\d*\.?\d+))?")


def symbol_of(competitor: Competitor) -> str:
    """The Plotly marker symbol of a competitor."""
    return _SYMBOLS.get(competitor.name, _OTHER_SYMBOL)[0]


def line_width(k: int, twins: float = RUN_WIDTH) -> float:
    """The width of the line of competitor number k."""
    return twins if k < 2 else OTHER_WIDTH


def symbol_size(competitor: Competitor, size: float = MARKER_SIZE) -> float:
    """The marker size at which a competitor's symbol looks as large as the others'."""
    return size * _SIZES.get(symbol_of(competitor), 1.0)


def swatch_of(competitor: Competitor) -> str:
    """The same shape as a coloured character that precedes the competitor's name in a text."""
    return f'<span style="color:@{competitor.name}">{_SYMBOLS.get(competitor.name, _OTHER_SYMBOL)[1]}</span>'


def page_swatch_of(competitor: Competitor) -> str:
    """The same for the page around the charts, as HTML that follows its theme."""
    return follow_theme(swatch_of(competitor))


def follow_theme(text: str) -> str:
    """HTML or CSS for the page itself: every role in it becomes its colour in the page's theme.

    Raises:
        KeyError: a role that the themes do not have.
    """
    return _ROLE.sub(lambda match: f"light-dark({','.join(_colours(match))})", text)


def _colours(role: re.Match[str]) -> list[str]:
    """In every theme."""
    return [_colour(theme[role[1]], role[2]) for theme in TOKENS.values()]


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _ramp(colours: tuple[str, ...]) -> dict[str, str]:
    """`RAMP_STOPS` colours along a scale, evenly spaced, interpolated as Plotly does: linearly in sRGB."""
    segments = list(pairwise(colours))
    ramp = {}
    for stop in range(RAMP_STOPS):
        place = stop / (RAMP_STOPS - 1) * len(segments)
        index = min(int(place), len(segments) - 1)
        low, high = (_channels(colour) for colour in segments[index])
        mixed = (round(a + (b - a) * (place - index)) for a, b in zip(low, high, strict=True))
        ramp[f"ramp{stop}"] = "#" + "".join(f"{channel:02X}" for channel in mixed)
    return ramp


def _tokens(index: int) -> dict[str, Any]:
    colours = {role: pair[index] for role, pair in _ROLES.items()}
    scales = {"sequential": list(_SEQUENTIAL[index]), "diverging": list(_DIVERGING[index])}
    return colours | _ramp(_SEQUENTIAL[index]) | scales


TOKENS: Final[dict[str, dict[str, Any]]] = {"light": _tokens(0), "dark": _tokens(1)}


def tokens() -> dict[str, dict[str, Any]]:
    """For each theme the colour (#RRGGBB) of every role; a list of them, evenly spaced, for what is a scale."""
    return TOKENS


def square_root_scale() -> list[list[Any]]:
    """The sequential scale over [0, 1] by the square root of the value: small densities stay visible. [stops x 2]"""
    last = RAMP_STOPS - 1
    return [[(stop / last) ** 2, f"@ramp{stop}"] for stop in range(RAMP_STOPS)]


def resolve(spec: Any, theme: ThemeName = "light") -> Any:
    """The same spec, or a part of one, with every role replaced by its colour; arrays are shared, the rest is new.

    Raises:
        KeyError: a role that the theme does not have.
    """
    return _resolved(spec, TOKENS[theme])


def _resolved(value: Any, colours: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(one, colours) for key, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, colours) for one in value]
    if not isinstance(value, str) or "@" not in value:
        return value
    if isinstance(scale := colours.get(value[1:]), list):
        return [[stop / (len(scale) - 1), colour] for stop, colour in enumerate(scale)]
    return _ROLE.sub(lambda match: _colour(colours[match[1]], match[2]), value)


def _colour(colour: str, opacity: str | None) -> str:
    if opacity is None:
        return colour
    red, green, blue = _channels(colour)
    return f"rgba({red}, {green}, {blue}, {opacity})"


def for_export(spec: Spec, theme: ThemeName = "light") -> Spec:
    """A resolved spec that stands by itself: on the page the card shows title and finding, here the chart does."""
    resolved: Spec = resolve(spec, theme)
    layout = resolved["layout"]
    colours, meta, margin = TOKENS[theme], layout["meta"], layout["margin"]
    words = " · ".join(text for text in (resolve(meta["key"], theme), meta["finding"]) if text)
    subtitle = {"text": words, "font": {"size": NAME_SIZE, "color": colours["muted"]}}
    layout["title"] = {
        "text": f"<b>{layout['title']['text']}</b>",
        "subtitle": subtitle,
        "font": {"size": TITLE_SIZE, "color": colours["text"]},
        "x": 0,
        "xref": "container",
        "xanchor": "left",
        "pad": {"l": 16, "t": 16},
        "y": 1,
        "yanchor": "top",
        "yref": "container",
    }
    layout["margin"] = margin | {"t": margin["t"] + 72}
    return resolved


def to_html(spec: Spec, path: str | Path, theme: ThemeName = "light") -> None:
    """Write a chart as one HTML file that needs no network, plotly.js included (about 5 MB)."""
    # Only here, so that drawing needs nothing but NumPy: the browser has its own plotly.js.
    from plotly import io

    text = io.to_html(for_export(spec, theme), include_plotlyjs=True, full_html=True, validate=False)
    Path(path).write_text(text, encoding="utf-8")
