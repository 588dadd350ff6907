"""Layer scales: the y axes of a measure over time and over depth."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bnviz.figures.chart import value_axis
from bnviz.figures.numbers import finite, log_ticks, nice_at_least, nice_at_most, nice_range, number
from bnviz.records import Floats

REFERENCE_ROOM: Final = 0.6  # of an axis, below the reference: its line keeps clear of the axis's own
MOST_DECADES: Final = 12  # that a logarithmic axis spans
FEW_DECADES: Final = 2.4  # up to which ticks are 1, 2, 5 × 10^n
MOST_POWERS: Final = 5
_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Scale:
    """A y axis, and whether something lies below its lower end."""

    low: float
    high: float
    is_log: bool
    is_cut: bool = False

    def shown(self, values: Any) -> Any:
        """Where values are drawn that must not be missed: those beyond the axis at its end."""
        return np.clip(values, self.low, self.high)

    def drawable(self, values: Floats) -> Floats:
        """Where a line runs: along the lower end of a logarithmic axis where it is below it, 0 included."""
        result: Floats = np.maximum(values, self.low) if self.is_log else values
        return result

    def coordinate(self, value: float) -> float:
        """In which Plotly places an annotation: the exponent on a logarithmic axis."""
        return math.log10(value) if self.is_log else value

    def place(self, value: float) -> float:
        """Height in the plot, in [0, 1]."""
        low, high = self.coordinate(self.low), self.coordinate(self.high)
        return (self.coordinate(value) - low) / (high - low)


def linear_scale(values: Floats, has_zero: bool = False) -> Scale:
    """Round ends that hold the values."""
    known = finite(values, [0.0] if has_zero else [])
    low, high = nice_range(float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return Scale(low, high, is_log=False)


def log_scale(values: Floats, ends: tuple[float, float] | None = None, reference: float | None = None) -> Scale:
    """Round ends that hold the values and the reference; at most `MOST_DECADES` below the largest value."""
    known = finite(values, [] if reference is None else [REFERENCE_ROOM * reference, reference])
    if ends is not None:
        return Scale(*ends, is_log=True, is_cut=bool((known < ends[0]).any()))
    positive = known[known > 0]
    if not positive.size:
        return Scale(0.01, 1.0, is_log=True)
    high = nice_at_least(float(positive.max()))
    lowest = math.pow(10.0, math.floor(math.log10(high)) - MOST_DECADES)
    low = max(nice_at_most(float(positive.min())), lowest)
    return Scale(low, max(high, 10 * low), is_log=True, is_cut=bool((known < low).any()))


def scaled_axis(anchor: str, scale: Scale, reference: float | None = None) -> dict[str, Any]:
    """A y axis with round ticks, the reference among them."""
    if not scale.is_log:
        return value_axis(anchor, scale.low, scale.high, tickformat=",.6~g", nticks=5)
    ticks, texts = _log_ticks(scale, reference)
    return value_axis(anchor, scale.low, scale.high, type="log", tickvals=ticks, ticktext=texts)


def _log_ticks(scale: Scale, reference: float | None) -> tuple[list[float], list[str]]:
    """Round values and how they read; the reference is among them."""
    if math.log10(scale.high / scale.low) <= FEW_DECADES:
        ticks = log_ticks(scale.low, scale.high, most=6)
        texts = [number(tick, 1) for tick in ticks]
        if reference in ticks:
            texts[ticks.index(reference)] = _power(round(math.log10(reference)))
        return ticks, texts
    first, last = math.ceil(math.log10(scale.low) - 1e-9), math.floor(math.log10(scale.high) + 1e-9)
    stride = -(-(last - first) // MOST_POWERS) or 1
    powers = set(range(first, last + 1, stride))
    if reference is not None:
        kept = round(math.log10(reference))
        powers = {power for power in powers if 3 * abs(power - kept) >= stride} | {kept}
    ticks = [10.0**power for power in sorted(powers)]
    texts = [_power(power) for power in sorted(powers)]
    if scale.is_cut and math.isclose(ticks[0], scale.low):
        texts[0] = f"≤ {texts[0]}"
    return ticks, texts


def _power(exponent: int) -> str:
    """Such as 10⁻³."""
    return {0: "1", 1: "10"}.get(exponent, f"10{str(exponent).translate(_SUPERSCRIPTS)}")
