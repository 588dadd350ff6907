"""What the charts of a linear unit share: frame, five panels, names of the treatments, numbers.

Shapes: t = treatments.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from bnviz.config import Treatment
from bnviz.figures.chart import Words, base_axis, clear_note, domains, empty_axes, not_yet, number_of, value_axis
from bnviz.figures.numbers import nice_at_most, number, percent, whole
from bnviz.figures.studies import study_chart
from bnviz.figures.theme import NAME_SIZE, TICK_SIZE, Spec
from bnviz.figures.untrained_parts import compact
from bnviz.records import TREATMENTS, Floats, Run

SHAPES: Final[Mapping[Treatment, tuple[str, str]]] = {  # so that none is told by its colour alone
    Treatment.RAW: ("square", "■"),
    Treatment.CENTRED: ("triangle-up", "▲"),
    Treatment.SCALED: ("triangle-down", "▼"),
    Treatment.STANDARDISED: ("circle", "●"),
    Treatment.WHITENED: ("diamond", "◆"),
}
TOLD: Final = (Treatment.RAW, Treatment.STANDARDISED, Treatment.WHITENED)  # in a sentence; charts show all five
ROUNDING: Final = 1e-15  # of a relative loss in float64
WAITING: Final = "Measuring a linear unit."
MARGIN: Final = {"l": 34, "r": 12, "t": 103, "b": 26}  # px; above each panel stand five lines
LINE: Final = 17  # px, of those
GAP: Final = 0.028  # share of the width between two of five panels
TICKS_REACH: Final = 0.85  # from the middle of a panel, beyond which numbers would meet the next panel's
NARROW: Final = {"columns": 2, "height": 880}  # px, of the plot where five panels side by side have no room
NARROW_GAPS: Final = (0.1, 0.19)  # shares of width and height between two panels there


def unit_chart(
    run: Run,
    name: str,
    words: Words,
    data: Sequence[Mapping[str, Any]],
    axes: Mapping[str, Mapping[str, Any]],
    **more: Any,
) -> Spec:
    """A chart of the linear unit."""
    return study_chart(run, run.linear_unit, name, words, data, axes, **more)


def waiting(run: Run, name: str, title: str, how: str) -> Spec:
    """The chart before anything of it is measured."""
    return unit_chart(run, name, not_yet(title, how), [], empty_axes(), annotations=[clear_note(WAITING)])


# --- names and numbers ------------------------------------------------------------------------------------------------


def label_of(treatment: Treatment) -> str:
    """Its shape in its colour before its name."""
    return f'<span style="color:@{treatment}">{SHAPES[treatment][1]}</span> {treatment}'


def steps_text(steps: float) -> str:
    """Such as "2,530 steps"; what is never reached is said so."""
    if np.isinf(steps):
        return "never there"
    return f"{steps_number(steps)} step{'' if steps == 1 else 's'}"


def steps_number(steps: float) -> str:
    return "never" if np.isinf(steps) else whole(steps) if steps < 1e6 else compact(steps)


def rounded(value: float) -> str:
    """Two digits, or whole, as a power of ten from 10,000 on."""
    if abs(value - 1) < 1e-6:
        return "1"
    return compact(value) if value < 10 or value >= 1e4 else whole(value)


def shown_loss(loss: Floats) -> Floats:
    """A relative loss for a hover: 0 where only rounding is left of it, a number where it overflows."""
    return np.where(loss < ROUNDING, 0.0, np.nan_to_num(loss, posinf=1e300))


def share_text(share: float) -> str:
    """A target, such as 0.01 %."""
    return f"{number(100 * share, 1)} %" if share >= 1e-5 else number(share, 1)


def same_sign(share: float) -> str:
    return percent(share, 0)


# --- five panels ------------------------------------------------------------------------------------------------------


def square_axes(ranges: Sequence[tuple[float, float, float]], *, is_shared: bool) -> dict[str, Any]:
    """Five panels side by side in each of which both axes have one unit.

    Args:
        ranges: for each panel the middle of both axes and how far they reach from it.
        is_shared: whether the panels zoom together.
    """
    axes: dict[str, Any] = {}
    for panel, (domain, (x, y, reach)) in enumerate(zip(domains(len(ranges), GAP), ranges, strict=True)):
        numbered = number_of(panel)
        common = {"showgrid": False, "zeroline": True, "zerolinecolor": "@axis", "constrain": "domain"}
        # Plotly gives no square panel an automatic range. These change with the settings alone, and so does the zoom.
        across, up = (
            common | {"range": [middle - reach, middle + reach], "tickvals": few_ticks(middle, reach)}
            for middle in (x, y)
        )
        if is_shared and panel:
            across, up = across | {"matches": "x"}, up | {"matches": "y"}
        axes[f"xaxis{numbered}"] = base_axis(
            f"y{numbered}", x - reach, x + reach, domain=domain, **across | {"showspikes": False, "showline": False}
        )
        axes[f"yaxis{numbered}"] = value_axis(
            f"x{numbered}", y - reach, y + reach, scaleanchor=f"x{numbered}", constraintoward="top",
            **up | {"showticklabels": panel == 0 or not is_shared},
        )  # fmt: skip
    return axes


def few_ticks(middle: float, reach: float) -> list[float]:
    """Round values with 0 among them, few enough for a panel 120 px wide."""
    step = nice_at_most(TICKS_REACH * reach)
    first, last = np.ceil((middle - TICKS_REACH * reach) / step), np.floor((middle + TICKS_REACH * reach) / step)
    return [float(round(place * step, 12)) + 0.0 for place in np.arange(first, last + 1)]


def narrow_domains() -> dict[str, Any]:
    """Where the panels stand on a phone: axis by axis, its share of the plot, for a plot of this height in px."""
    columns = int(NARROW["columns"])
    rows = -(-len(TREATMENTS) // columns)
    across, up = domains(columns, NARROW_GAPS[0]), domains(rows, NARROW_GAPS[1])
    places = {}
    for panel in range(len(TREATMENTS)):
        row, column = divmod(panel, columns)
        places[f"xaxis{number_of(panel)}"] = across[column]
        places[f"yaxis{number_of(panel)}"] = [1 - up[row][1], 1 - up[row][0]]
    return {"height": NARROW["height"], "domains": places}


def panel_words(panel: int, lines: Sequence[str]) -> dict[str, Any]:
    """The name of a treatment above its panel, and a few numbers under it: an annotation named "panel-heading"."""
    first, *others = lines
    more = "".join(f'<br><span style="color:@muted;font-size:{TICK_SIZE}px">{line}</span>' for line in others)
    numbered = number_of(panel)
    return {
        "name": "panel-heading",
        "text": f"{first}{more}",
        "xref": f"x{numbered} domain",
        "x": 0,
        "xanchor": "left",
        "yref": f"y{numbered} domain",
        "y": 1,
        "yanchor": "bottom",
        "yshift": 3,
        "align": "left",
        "showarrow": False,
        "font": {"size": NAME_SIZE, "color": "@text"},
    }


def axes_of(panel: int) -> dict[str, str]:
    """For a trace of one panel."""
    return {"xaxis": f"x{number_of(panel)}", "yaxis": f"y{number_of(panel)}"}
