"""Claims on the accuracy that is reached: saturating nonlinearities, regularization and dropout.

Shapes as in `records.sweep`: s = seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnviz.config import BN, BN_DROPOUT, DROPOUT, PLAIN, Competitor, Nonlinearity
from bnviz.figures.best_cells import ALIKE_POINTS, Against, against, best_of, cells_at, side_between, side_of
from bnviz.figures.numbers import percent, whole
from bnviz.figures.rulings import (
    Cases,
    ClaimVerdict,
    Ruling,
    points_between,
    ruling_of,
    signed,
    span,
    tenths,
)
from bnviz.figures.words import listed
from bnviz.records import USABLE_ACCURACY, Floats, Sweep

# --- saturating nonlinearities ----------------------------------------------------------------------------------------


def saturating(nonlinearity: Sweep, depth: Sweep) -> ClaimVerdict:
    """Sigmoids by depth, and tanh: best-tuned against best-tuned."""
    layers, _ = side_of(depth, "hidden_layers")
    sigmoid = [against(depth, BN.name, PLAIN.name, cells_at(depth, "hidden_layers", count)) for count in layers.values]
    tanh = against(nonlinearity, BN.name, PLAIN.name, cells_at(nonlinearity, "nonlinearity", Nonlinearity.TANH))
    told = [(_layers(count), *one.texts) for count, one in zip(layers.values, sigmoid, strict=True)]
    findings = (
        Cases("Sigmoid, each at its best rate", tuple(told)),
        Cases("tanh, each at its best rate", ((_layers(nonlinearity.config.base.model.hidden_layers), *tanh.texts),)),
    )
    return ClaimVerdict(ruling_of(one.side for one in (*sigmoid, tanh)), _depths_size(layers.values, sigmoid), findings)


def _layers(count: int) -> str:
    return f"{count} layer{'s' if count > 1 else ''}"


def _depths_size(counts: Sequence[int], cases: Sequence[Against]) -> str:
    """Such as "From 5 layers on sigmoids train only with BN"; where both train everywhere, how far they are apart."""
    alone = [
        [one > USABLE_ACCURACY >= other for one, other in pairs]
        for pairs in ([(case.one, case.other) for case in cases], [(case.other, case.one) for case in cases])
    ]
    texts = [
        (_where(counts, which), f"sigmoids train only {name}")
        for which, name in zip(alone, ("with BN", "without BN"), strict=True)
        if any(which)
    ]
    if texts:
        joined = "; ".join(f"{where} {what}" for where, what in texts)
        return joined[0].upper() + joined[1:]
    if all(min(case.one, case.other) > USABLE_ACCURACY for case in cases):
        return f"Sigmoids train with BN and without; BN makes {_points_range(cases)} points"
    return "No depth at which sigmoids train only with BN"


def _where(counts: Sequence[int], which: Sequence[bool]) -> str:
    """Such as "from 5 layers on", or "with 2 and 5 layers"."""
    first = which.index(True)
    if all(which):
        return "at every depth"
    if all(which[first:]):
        return f"from {_layers(counts[first])} on"
    return f"with {listed([str(count) for count, one in zip(counts, which, strict=True) if one])} layers"


def _points_range(cases: Sequence[Against]) -> str:
    """Such as "−0.2 to +81.3"."""
    return span([case.points for case in cases], signed)


# --- regularization and dropout ---------------------------------------------------------------------------------------


def regularizes(training_images: Sweep) -> ClaimVerdict:
    """Test accuracy of networks that see few images, and so overfit: best-tuned against best-tuned."""
    counts, _ = side_of(training_images, "training_images")
    places = [cells_at(training_images, "training_images", count) for count in counts.values]
    cases = [against(training_images, BN.name, PLAIN.name, one) for one in places]
    rows = tuple((f"{whole(count)} images", *one.texts) for count, one in zip(counts.values, cases, strict=True))
    finding = Cases("Test accuracy, each at its best rate", rows)
    return ClaimVerdict(ruling_of(one.side for one in cases), _images_size(counts.values, cases), (finding,))


def _images_size(counts: Sequence[int], cases: Sequence[Against]) -> str:
    """Such as "With BN better on 500 and 2,000 images (+0.8 to +1.2 points), alike on 10,000 (−0.1)"."""
    parts = []
    for side, word in ((1, "better"), (0, "alike"), (-1, "worse")):
        of_side = [(whole(count), case) for count, case in zip(counts, cases, strict=True) if case.side == side]
        if of_side:
            points = _points_range([case for _, case in of_side])
            parts.append(f"{word} on {listed([count for count, _ in of_side])} images ({points} points)")
    return f"With BN {', '.join(parts)}"


def less_dropout(training_images: Sweep) -> ClaimVerdict:
    """What dropout adds with BN, against what it adds without, where it adds anything: best-tuned."""
    counts, _ = side_of(training_images, "training_images")
    sides: list[int] = []
    rows, sizes = [], []
    for count in counts.values:
        bn, plain = _added_on(training_images, count)
        rows.append((f"{whole(count)} images", bn.text, plain.text))
        if plain.helps:
            sides.append(side_between(plain.by_seed, bn.by_seed))
            sizes.append(
                f"On {whole(count)} images dropout adds {signed(plain.points)} points without BN, "
                f"{signed(bn.points)} with it"
            )
    finding = Cases("Points that dropout adds, each network at its best rate", tuple(rows))
    if not sides:
        return ClaimVerdict(Ruling.UNDECIDED, "", (finding, "Nowhere does it help without BN: no need to reduce."))
    return ClaimVerdict(ruling_of(sides), sizes[0], (finding,))


def images_where_dropout_helps(sweep: Sweep) -> list[int]:
    """The numbers of training images on which it adds something to the network without BN, ascending."""
    counts, _ = side_of(sweep, "training_images")
    return [count for count in counts.values if _added_on(sweep, count)[1].helps]


@dataclass(frozen=True)
class _Added:
    """What dropout adds to a network: seed by seed, and at the medians, in points. [s]"""

    by_seed: Floats
    points: float
    text: str

    @property
    def helps(self) -> bool:
        return self.points > 100 * ALIKE_POINTS


def _added_on(sweep: Sweep, count: int) -> tuple[_Added, _Added]:
    """With BN and without, on so many training images."""
    at = cells_at(sweep, "training_images", count)
    return _added(sweep, BN_DROPOUT, BN, at), _added(sweep, DROPOUT, PLAIN, at)


def _added(sweep: Sweep, dropout: Competitor, bare: Competitor, places: Sequence[tuple[int, int]]) -> _Added:
    """Of two networks, each at its best cell; in words such as "+0.9 (82.5 → 83.4 %)"."""
    found, before = (best_of(sweep, one.name, places) for one in (dropout, bare))
    middles = float(np.median(before)), float(np.median(found))
    points = points_between(middles[1], middles[0])
    return _Added(found - before, points, f"{signed(points)} ({tenths(middles[0])} → {percent(middles[1])})")
