"""What cases of a claim come to together, and how their numbers are put."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bnviz.figures.numbers import MINUS


class Ruling(StrEnum):
    """What the cases of a claim say together, at this scale."""

    HOLDS = "holds"
    IN_PART = "in part"
    NOT_SHOWN = "not shown"
    INVERTS = "inverts"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Cases:
    """The numbers of some cases side by side: a table of three columns.

    Attributes:
        heading: what the cases are, and what is counted of them.
        rows: the case, with BN, without BN.
    """

    heading: str
    rows: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class ClaimVerdict:
    """What records say of one claim.

    Attributes:
        size: what comes out and by how much, in a few words that can be read alone; empty where nothing is decided.
        findings: the numbers of every case, as tables and as sentences.
    """

    ruling: Ruling
    size: str
    findings: tuple[Cases | str, ...]


NOT_YET: Final = ClaimVerdict(Ruling.UNDECIDED, "", ("Not measured to the end yet.",))


def ruling_of(sides: Iterable[int | None]) -> Ruling:
    """All cases for the claim, most of them against it, some for it, or none. 1: for, 0: no difference, -1: against."""
    known = [side for side in sides if side is not None]
    if not known:
        return Ruling.UNDECIDED
    if all(side > 0 for side in known):
        return Ruling.HOLDS
    if 2 * sum(side < 0 for side in known) > len(known):
        return Ruling.INVERTS
    return Ruling.IN_PART if any(side > 0 for side in known) else Ruling.NOT_SHOWN


# --- numbers as they are printed --------------------------------------------------------------------------------------


def tenths(share: float) -> float:
    """An accuracy in per cent as it is printed: differences are taken of these, so that a reader can check them."""
    return round(100 * share, 1)


def points_between(one: float, other: float) -> float:
    """The difference of two accuracies as they are printed, in percentage points."""
    return round(tenths(one) - tenths(other), 1)


def signed(points: float) -> str:
    """Such as "+1.3"."""
    return f"{points:+.1f}".replace("-", MINUS) if points else "0.0"


def span(values: Sequence[float], unit: Callable[[float], str]) -> str:
    """Such as "× 3 to × 10"; one of them where they read alike."""
    ends = dict.fromkeys(unit(value) for value in (min(values), max(values)))
    return " to ".join(ends)
