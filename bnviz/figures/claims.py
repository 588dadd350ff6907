"""The claims of the paper's introduction: for each, what records of runs here say of it, and by how much.

Source: Ioffe & Szegedy 2015, Sections 1, 3.3, 3.4 and 4.2; the claims in words stand in assets/texts/claim-<name>.md.
Every verdict is computed, and whatever involves a learning rate compares each network at the rate that suits it best.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bnviz.config import BN, BN_DROPOUT, DROPOUT, PLAIN
from bnviz.figures.claims_on_accuracy import less_dropout, regularizes, saturating
from bnviz.figures.claims_on_rates import faster, higher_rates, less_care
from bnviz.figures.comparisons import Direction
from bnviz.figures.numbers import number, whole
from bnviz.figures.rulings import NOT_YET, ClaimVerdict, ruling_of
from bnviz.figures.sweep_parts import value_text
from bnviz.figures.verdicts import verdicts as verdicts_of
from bnviz.records import SCALES, Anatomy, Run

UNCHANGED: Final = 0.01  # a relative change of loss or gradient that is none


@dataclass(frozen=True)
class Claim:
    """One claim, and the records that test it.

    Attributes:
        sources: names of recordings, in the order in which `judge` takes them.
        judge: a pure function of as many runs.
    """

    sources: tuple[str, ...]
    judge: Callable[..., ClaimVerdict]


# --- gradients and the scale of the weights ---------------------------------------------------------------------------


def scale_free(run: Run) -> ClaimVerdict:
    """One layer's weights times a: what becomes of the loss, and of the gradient times a, on the batch's statistics."""
    now = run.anatomy
    if now is None or now.problem or not (now.scale_loss.size and np.isfinite(now.scale_loss[0]).all()):
        return NOT_YET
    loss, gradient, running = _changes(now)
    sides = [1 if change <= UNCHANGED else 0 if change <= 10 * UNCHANGED else -1 for change in (loss, gradient)]
    low, high = (value_text(float(one)) for one in (SCALES[0], SCALES[-1]))
    findings = (
        f"Layer {now.layer} at step {whole(now.step)}, its weights times a = {low} to {high}: the loss changes by at "
        f"most {_share(loss)}, and the weights’ gradient is that at a = 1 divided by a, to {_share(gradient)}.",
        f"With running statistics, which do not follow, the loss grows up to {number(running)} times.",
    )
    size = f"Weights times {low} to {high} change the loss by at most {_share(loss)}"
    return ClaimVerdict(ruling_of(sides), size, findings)


def _changes(now: Anatomy) -> tuple[float, float, float]:
    """The largest relative changes of the loss and of a times the gradient; the largest with running statistics."""
    one = int(np.argmin(np.abs(SCALES - 1)))
    loss, running = now.scale_loss / now.scale_loss[:, one : one + 1]
    gradient = now.scale_gradient[0] * SCALES / now.scale_gradient[0, one]
    return float(np.abs(loss - 1).max()), float(np.abs(gradient - 1).max()), float(np.nanmax(running))


def _share(change: float) -> str:
    """Such as "0.03 %"."""
    return f"{number(100 * change, 1)}\N{NO-BREAK SPACE}%"


# --- covariate shift --------------------------------------------------------------------------------------------------

_SHIFT: Final = {
    "drift-net": "How far each layer’s inputs have moved",
    "ics-relative": "How much the updates below change a layer’s gradient",
}
_SIDES: Final[Mapping[Direction, tuple[int | None, ...]]] = {
    Direction.LOWER: (1,),
    Direction.HIGHER: (-1,),
    Direction.ALIKE: (0,),
    Direction.MIXED: (1, -1),
    Direction.UNDECIDED: (None,),
}
_SHIFT_WORDS: Final = {
    Direction.LOWER: "less",
    Direction.HIGHER: "more",
    Direction.ALIKE: "as much as without",
    Direction.MIXED: "more or less, by layer or step",
    Direction.UNDECIDED: "undecided",
}


def less_shift(run: Run) -> ClaimVerdict:
    """The movement of the inputs, and the change of the gradients by the layers below: two readings of one claim."""
    by_measure = {one.measure: one for one in verdicts_of(run)}
    if not by_measure:
        return NOT_YET
    found = {name: by_measure[name] for name in _SHIFT}
    sides = [side for one in found.values() for side in _SIDES[one.direction]]
    findings = tuple(f"{_SHIFT[name]}. {one.finding}" for name, one in found.items())
    inputs, gradients = (_SHIFT_WORDS[one.direction] for one in found.values())
    return ClaimVerdict(ruling_of(sides), f"With BN inputs move: {inputs}; gradients change: {gradients}", findings)


# --- all of them ------------------------------------------------------------------------------------------------------


def _of_sweeps(judge: Callable[..., ClaimVerdict], *names: str) -> Callable[..., ClaimVerdict]:
    """`judge` of runs that carry whole sweeps in which networks of these names take part; else nothing is decided."""

    def of_runs(*runs: Run) -> ClaimVerdict:
        sweeps = [run.sweep for run in runs if run.sweep is not None and run.sweep.is_whole]
        wanted = set(names or (PLAIN.name, BN.name))
        has_all = all(wanted <= {one.name for one in sweep.config.competitors} for sweep in sweeps)
        return judge(*sweeps) if has_all and len(sweeps) == len(runs) else NOT_YET

    return of_runs


SCALE: Final = "sweep-rate_and_scale"
NONLINEARITY: Final = "sweep-rate_and_nonlinearity"
DEPTH: Final = "sweep-rate_and_depth"
TRAINING_IMAGES: Final = "sweep-rate_and_training_images"
CLAIMS: Final[Mapping[str, Claim]] = {
    "faster": Claim((SCALE, NONLINEARITY), _of_sweeps(faster)),
    "higher-rates": Claim((NONLINEARITY,), _of_sweeps(higher_rates)),
    "less-care": Claim((SCALE,), _of_sweeps(less_care)),
    "saturating": Claim((NONLINEARITY, DEPTH), _of_sweeps(saturating)),
    "regularizes": Claim((TRAINING_IMAGES,), _of_sweeps(regularizes)),
    "less-dropout": Claim(
        (TRAINING_IMAGES,), _of_sweeps(less_dropout, PLAIN.name, BN.name, DROPOUT.name, BN_DROPOUT.name)
    ),
    "scale-free": Claim(("lab",), scale_free),
    "less-shift": Claim(("shift",), less_shift),
}
"""In the order of the page."""
