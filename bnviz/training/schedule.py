"""At which steps a run is measured, whatever the speed of the machine."""

import math
from typing import Final

DENSE_STEPS: Final = 20  # measured one by one
POINTS_A_DECADE: Final = 30
DENSE_SMOOTHNESS_STEPS: Final = 5
SMOOTHNESS_INTERVAL: Final = 50  # steps; Santurkar et al. 2018 leave theirs open


def is_scheduled(step: int) -> bool:
    """Whether the fixed schedule measures at this step: every one up to 20, then about 30 a decade of steps."""
    if step <= DENSE_STEPS:
        return True
    index = round(POINTS_A_DECADE * math.log10(step / DENSE_STEPS))
    return step == round(DENSE_STEPS * 10 ** (index / POINTS_A_DECADE))


def shift_interval(matrices: int) -> int:
    """Steps between two measurements of the covariate shift: what one costs grows with the square of the depth."""
    return 25 * math.ceil(matrices / 6)


def is_shift_due(step: int, matrices: int) -> bool:
    """Whether the covariate shift is to be measured at this step, where it is asked for."""
    return step <= DENSE_STEPS or step % shift_interval(matrices) == 0


def is_smoothness_due(step: int) -> bool:
    """Whether the smoothness is to be measured at this step, where it is asked for."""
    return step <= DENSE_SMOOTHNESS_STEPS or step % SMOOTHNESS_INTERVAL == 0
