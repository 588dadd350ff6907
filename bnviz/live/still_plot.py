"""The plot of a still: a spec's lines, axes and labels as elements that keep their places at every size of the card."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import numpy as np

from bnviz.figures.labels import LINE_HEIGHT
from bnviz.figures.numbers import MINUS
from bnviz.figures.theme import Spec, follow_theme
from bnviz.records import Floats

ROOT_PIXELS: Final = 14  # of the type's size for which specs state theirs, as in draw.js: Present mode has a larger one
UNITS: Final = 1000  # a mask's own width and height
GAP_LEFT, GAP_BELOW = 4, 2  # px between an axis and its numbers, beside the ticks
PADDING: Final = 2  # px around an annotation, as Plotly has them
TICKS_ACROSS: Final = 8  # of a whole plot, as draw.js has it where there is room; narrow cards show every other one
NARROW_SHARE: Final = 0.5
TICKS_ACROSS_NARROW: Final = 3


def still_plot(spec: Spec) -> str:
    """Lines, axes and labels of a spec, as elements in the place of its plot."""
    layout = spec["layout"]
    frame = _Frame(**{side: layout["margin"][side] for side in "lrtb"})
    panels = {trace.get("yaxis", "y"): _panel(layout, trace) for trace in spec["data"]}
    parts = [part for panel in panels.values() for part in (*_grid(frame, panel), *_numbers(frame, panel))]
    before: Mapping[str, Any] | None = None
    for trace in filter(is_line, spec["data"]):
        panel = panels[trace.get("yaxis", "y")]
        if trace.get("fill") == "tonexty" and before is not None:
            parts.append(_area(frame, panel, trace, before))
        if trace["line"]["width"] > 0:
            parts.append(_line(frame, panel, trace))
        before = trace
    floors = _floors(layout)
    notes = (_note(frame, layout, one, floors.get(index, 0)) for index, one in enumerate(layout["annotations"]))
    return "".join([*parts, *notes])


def is_line(trace: Mapping[str, Any]) -> bool:
    return trace.get("mode") == "lines"


class _Frame(NamedTuple):
    """The margins around the panels, in px at the common size of type."""

    l: float  # noqa: E741 - Plotly's name
    r: float
    t: float
    b: float

    def across(self, share: float, pixels: float = 0) -> str:
        """A place at a share of the width between the margins, as CSS."""
        return f"calc({_em(self.l + pixels)} + {self._width(share)})"

    def down(self, share: float, pixels: float = 0) -> str:
        """The same for the height, from below, as Plotly counts it."""
        return f"calc({_em(self.t + pixels)} + {self._height(1 - share)})"

    def row(self, panel: "_Panel", share: float) -> str:
        """Along a panel, at a share of the height."""
        left, right = span(panel.x)
        return f"left:{self.across(left)};width:calc({self._width(right - left)});top:{self.down(share)}"

    def box(self, panel: "_Panel") -> str:
        low, high = span(panel.y)
        return f"{self.row(panel, high)};height:calc({self._height(high - low)})"

    def _width(self, share: float) -> str:
        return f"(100% - {_em(self.l + self.r)})*{share:.5g}"

    def _height(self, share: float) -> str:
        return f"(100% - {_em(self.t + self.b)})*{share:.5g}"


class _Panel(NamedTuple):
    """Two axes and the shares of the plot between them."""

    x: Mapping[str, Any]
    y: Mapping[str, Any]


def _panel(layout: Mapping[str, Any], trace: Mapping[str, Any]) -> _Panel:
    return _Panel(_axis(layout, trace.get("xaxis", "x")), _axis(layout, trace.get("yaxis", "y")))


def _axis(layout: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An axis by its name in traces and annotations, such as "x2"."""
    axis: Mapping[str, Any] = layout[f"{name[0]}axis{name[1:]}"]
    return axis


def span(axis: Mapping[str, Any]) -> tuple[float, float]:
    """Where an axis begins and ends, as shares of the plot between the margins."""
    low, high = axis.get("domain", (0.0, 1.0))
    return low, high


def _in_plot(axis: Mapping[str, Any], share: float) -> float:
    """A share of an axis as one of the plot between the margins."""
    low, high = span(axis)
    return float(low + share * (high - low))


def _em(pixels: float) -> str:
    return f"{pixels / ROOT_PIXELS:.4g}em"


# --- lines ------------------------------------------------------------------------------------------------------------


def shares(axis: Mapping[str, Any], values: Floats) -> Floats:
    """Where values lie on an axis, from 0 at its beginning to 1 at its end."""
    scale: Callable[[Any], Any] = np.log10 if axis.get("type") == "log" else np.asarray
    low, high = scale(list(axis["autorangeoptions"].values()))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = (scale(np.asarray(values, float)) - low) / (high - low)
    return np.where(np.isfinite(found), found, np.nan)


Point = tuple[int, int]


def _points(panel: _Panel, trace: Mapping[str, Any]) -> list[Point | None]:
    """Those of a line in its mask, from above; None where it has a gap."""
    x, y = shares(panel.x, trace["x"]), 1 - shares(panel.y, trace["y"])
    far = 10 * UNITS  # a spike needs no more digits
    return [
        (round(UNITS * a), round(min(max(UNITS * b, -far), far))) if math.isfinite(a + b) else None
        for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]


def path(points: Sequence[Point | None]) -> str:
    """SVG's path through points, each as its distance from the one before; None is a gap, and a point alone nothing."""
    parts: list[str] = []
    before, is_begun = None, False
    for point in points:
        if point is None or before is None:
            is_begun = False
        elif point != before:
            parts.append(" " if is_begun else f"M{before[0]} {before[1]}l")
            parts.append(f"{point[0] - before[0]} {point[1] - before[1]}")
            is_begun = True
        before = point
    return "".join(parts)


def _line(frame: _Frame, panel: _Panel, trace: Mapping[str, Any]) -> str:
    stroke = f"fill='none' stroke='#000' stroke-width='{trace['line']['width']}' stroke-linejoin='round'"
    shape = f"d='{path(_points(panel, trace))}' {stroke} vector-effect='non-scaling-stroke'"
    opacity = f";opacity:{trace['opacity']}" if "opacity" in trace else ""
    return _masked(frame, panel, shape, trace["line"]["color"], opacity)


def _area(frame: _Frame, panel: _Panel, trace: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """Between a line and the one before it, which have no gaps where one is filled."""
    edge = [*_points(panel, trace), *reversed(_points(panel, before))]
    return _masked(frame, panel, f"d='{path([one for one in edge if one is not None])}Z'", trace["fillcolor"])


def _masked(frame: _Frame, panel: _Panel, shape: str, colour: str, more: str = "") -> str:
    picture = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {UNITS} {UNITS}' preserveAspectRatio='none'>"
        f"<path {shape}/></svg>"
    )
    mask = f"url('data:image/svg+xml,{quote(picture, safe=' /:=,')}') 0 0/100% 100%"
    return f'<i style="{frame.box(panel)};background:{follow_theme(colour)};mask:{mask}{more}"></i>'


# --- axes and labels --------------------------------------------------------------------------------------------------


def ticks(axis: Mapping[str, Any]) -> list[float]:
    """Where Plotly sets the ticks of an axis: given, at decades, or fewer than `nticks` apart by 2, 5 or 10 × 10^n."""
    if "tickvals" in axis:
        return [float(one) for one in axis["tickvals"]]
    low, high = axis["autorangeoptions"].values()
    if axis.get("type") == "log":
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        return [10.0**power for power in range(first, last + 1)]
    step = axis.get("dtick") or _round_step((high - low) / axis.get("nticks", 6))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [step * index for index in range(first, last + 1)]


def _round_step(least: float) -> float:
    """The least of 2, 5 and 10 × 10^n that is greater, as plotly.js rounds (`roundUp`)."""
    power = 10.0 ** math.floor(math.log10(least))
    return next((factor * power for factor in (2, 5) if factor * power > least), 10 * power)


def tick_text(axis: Mapping[str, Any], value: float) -> str:
    """A tick's number, as the few formats of the charts write it."""
    if "ticktext" in axis:
        return str(axis["ticktext"][list(axis["tickvals"]).index(value)])
    if axis.get("tickformat") == "~s" and abs(value) >= 1000:
        return f"{value / 1000:g}k"
    return f"{value:,.12g}".replace("-", MINUS)


def _grid(frame: _Frame, panel: _Panel) -> list[str]:
    """The lines of the grid, and the one below."""
    foot, _ = span(panel.y)
    lines = [_rule(frame, panel, foot, "@axis")]
    if panel.y.get("showgrid", True):
        heights = (_in_plot(panel.y, share) for share in shares(panel.y, np.array(ticks(panel.y))))
        lines += [_rule(frame, panel, height, "@grid") for height in heights if height > foot]
    return lines


def _rule(frame: _Frame, panel: _Panel, height: float, colour: str) -> str:
    return f'<i style="{frame.row(panel, height)};border-top:1px solid {follow_theme(colour)}"></i>'


def _numbers(frame: _Frame, panel: _Panel) -> list[str]:
    """Of the axis below, which have less room the narrower a card is, and of the one at the left."""
    below = frame.down(span(panel.y)[0], panel.x.get("ticklen", 0) + GAP_BELOW)
    left = frame.across(span(panel.x)[0], -GAP_LEFT)
    across, up = _numbered(_thinned(panel.x)), _numbered(panel.y)
    x, y = panel.x["tickfont"], panel.y["tickfont"]
    return [
        *(_text(text, frame.across(at), below, "-50%", "0", x, i % 2 == 1) for i, (text, at) in enumerate(across)),
        *(_text(text, left, frame.down(at), "-100%", "-50%", y) for text, at in up),
    ]


def _numbered(axis: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The numbers of an axis, each with its share of the plot."""
    values = ticks(axis) if axis.get("showticklabels", True) else []
    texts = [tick_text(axis, value) + axis.get("ticksuffix", "") for value in values]
    if axis.get("showticksuffix") == "last":
        texts[:-1] = [tick_text(axis, value) for value in values[:-1]]
    return [(text, _in_plot(axis, share)) for text, share in zip(texts, shares(axis, np.array(values)), strict=True)]


def _thinned(axis: Mapping[str, Any]) -> Mapping[str, Any]:
    """An x axis with as many ticks as draw.js gives it on a card 546 px wide."""
    low, high = span(axis)
    return {**axis, "nticks": TICKS_ACROSS if high - low > NARROW_SHARE else TICKS_ACROSS_NARROW}


# How far a text is moved by its own size, and where its padding goes.
_ANCHORS: Final[Mapping[str, tuple[str, int]]] = {
    "left": ("0", 1), "top": ("0", 1), "center": ("-50%", 0), "middle": ("-50%", 0),
    "right": ("-100%", -1), "bottom": ("-100%", -1),
}  # fmt: skip


def _floors(layout: Mapping[str, Any]) -> dict[int, float]:
    """How far from the top (px) each label at the end of a line stands at least, by index: those above have room."""
    ends = [(index, one) for index, one in enumerate(layout["annotations"]) if one.get("name") == "end-label"]
    floors: dict[int, float] = {}
    used: dict[str, float] = {}
    for index, one in sorted(ends, key=lambda end: (-end[1]["y"], -end[0])):
        height = LINE_HEIGHT * (one["text"].count("<br>") + 1)
        above = used.get(one["xref"], 0)
        floors[index], used[one["xref"]] = above + height / 2, above + height
    return floors


def _note(frame: _Frame, layout: Mapping[str, Any], note: Mapping[str, Any], floor: float) -> str:
    """An annotation in its place, no nearer than `floor` px to the top."""
    (dx, right), (dy, down) = _ANCHORS[note.get("xanchor", "center")], _ANCHORS[note.get("yanchor", "middle")]
    x = frame.across(_share_of_plot(layout, note["xref"], note["x"]), note.get("xshift", 0) + right * PADDING)
    y = frame.down(_share_of_plot(layout, note["yref"], note["y"]), down * PADDING - note.get("yshift", 0))
    return _text(note["text"], x, f"max({y}, {_em(floor)})" if floor else y, dx, dy, note["font"])


def _share_of_plot(layout: Mapping[str, Any], ref: str, value: float) -> float:
    """Where an annotation lies between the margins, whatever it is placed by: the plot, a panel, or an axis."""
    if ref == "paper":
        return value
    name, _, is_domain = ref.partition(" ")
    axis = _axis(layout, name)
    if is_domain:
        return _in_plot(axis, value)
    if axis.get("type") == "log":
        value = 10.0**value  # Plotly has annotations on logarithmic axes by their exponents
    return _in_plot(axis, shares(axis, np.array([value]))[0])


def _text(text: str, x: str, y: str, dx: str, dy: str, font: Mapping[str, Any], is_odd: bool = False) -> str:
    style = f"left:{x};top:{y};transform:translate({dx},{dy})"
    look = f"font-size:{_em(font['size'])};color:{follow_theme(font['color'])}"
    kind = ' class="bnviz-odd"' if is_odd else ""
    return f'<span{kind} style="{style}"><span style="{look}">{follow_theme(text)}</span></span>'
