"""Numbers: how they read in a sentence, and the round ends of axes."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bnviz.records import Floats

NO_BREAK: Final = "\N{NO-BREAK SPACE}"
MINUS: Final = "\N{MINUS SIGN}"
_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MOST_DECIMALS: Final = 4  # beyond, powers of ten read better
_MOST_DIGITS: Final = 7
_NOTHING: Final = 1e-30
_ALIKE_RATIO: Final = 200  # numbers further apart than this share no number of decimals


def whole(value: float) -> str:
    """A count, such as 1,500."""
    return f"{value:,.0f}".replace("-", MINUS)


def percent(share: float, decimals: int = 1) -> str:
    """A share in [0, 1] as per cent, such as 93.1 %."""
    return f"{100 * share:.{decimals}f}{NO_BREAK}%"


def rough_percent(share: float) -> str:
    """As many digits as 10,000 images give meaning to: whole per cent, tenths from 90 % on."""
    return percent(share, 1 if 0.9 <= share < 1 else 0)


def alike(values: Sequence[float], most_decimals: int = _MOST_DECIMALS) -> list[str]:
    """Numbers that are compared: two digits of the largest, the same decimals for all unless orders apart."""
    sizes = [abs(value) for value in values if math.isfinite(value)]
    largest = max(sizes, default=0.0)
    if largest == 0:
        return [number(value) for value in values]
    decimals = _decimals(largest)
    if most_decimals < _MOST_DECIMALS:
        decimals = min(decimals, most_decimals)
    if decimals > _MOST_DECIMALS or largest >= 10**_MOST_DIGITS:
        return [number(value) for value in values]
    return [
        _fixed(value, decimals) if value == 0 or abs(value) * _ALIKE_RATIO >= largest else number(value)
        for value in values
    ]


def number(value: float, digits: int = 2) -> str:
    """A number with as many digits as mean something; what is not finite is said so."""
    if not math.isfinite(value):
        return "not finite"
    if value == 0:
        return "0"
    decimals = _decimals(abs(value), digits)
    if decimals > _MOST_DECIMALS or abs(value) >= 10**_MOST_DIGITS:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        power = f"10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
        return power if mantissa == "1" else f"{mantissa}×{power}".replace("-", MINUS)
    return _fixed(value, max(decimals, 0))


def _decimals(size: float, digits: int = 2) -> int:
    exponent = int(f"{size:.{digits - 1}e}".split("e")[1])
    return max(digits - 1 - exponent, 0)


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    is_zero = not text.strip("-0.,")
    return text.lstrip("-") if is_zero else text.replace("-", MINUS)


def setting_value(value: float) -> str:
    """A setting as its slider shows it."""
    return f"{value:g}".replace("-", MINUS)


# --- ranges -----------------------------------------------------------------------------------------------------------


def finite(*arrays: Any) -> Floats:
    """All finite values of some arrays, as one. [n]"""
    values: Floats = np.concatenate([np.ravel(np.asarray(array, np.float64)) for array in arrays])
    return values[np.isfinite(values)]


def nice_at_least(value: float) -> float:
    """The smallest of 1, 2, 5 × 10^n that is not below a positive value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= value * (1 - 1e-9))


def nice_at_most(value: float) -> float:
    """The largest of 1, 2, 5 × 10^n that is not above a positive value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(m * power for m in (10, 5, 2, 1, 0.5) if m * power <= value * (1 + 1e-9))


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """At most so many round values in [low, high] of a logarithmic axis: 1, 2, 5 × 10^n, else 1, 3, else powers."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for mantissas in ((1, 2, 5), (1, 3), (1,)):
        values = [float(f"{m}e{power}") for power in powers for m in mantissas]
        shown = [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(shown) <= most:
            return shown
    return shown[:: math.ceil(len(shown) / most)]


def nice_range(low: float, high: float, steps: int = 5) -> tuple[float, float]:
    """Round ends that hold [low, high]: while the data grow, they grow seldom and in whole ticks."""
    width, size = high - low, max(abs(low), abs(high))
    if width <= max(1e-9 * size, _NOTHING):
        pad = nice_at_least(size) / 2 if size > _NOTHING else 0.5
        low, high, width = low - pad, high + pad, 2 * pad
    step = nice_at_least(width / steps)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def quantiles(values: Floats, levels: Sequence[float]) -> list[float]:
    """`numpy.quantile` in a fifth of its time, which for a few hundred values is its own checks. values: [n], n > 0"""
    ordered = np.sort(values, axis=None)
    places = [level * (len(ordered) - 1) for level in levels]
    return [_between(ordered, int(place), place % 1) for place in places]


def _between(ordered: Floats, index: int, share: float) -> float:
    below = float(ordered[index])
    return below + share * (float(ordered[index + 1]) - below) if share else below


def robust_ends(values: Floats) -> tuple[float, float]:
    """The ends of finite values, at most three spans of their middle 96 % beyond it: one spike flattens no chart."""
    low, first, last, high = quantiles(values, (0, 0.02, 0.98, 1))
    span = last - first
    return (low, high) if span == 0 else (max(low, first - 3 * span), min(high, last + 3 * span))
