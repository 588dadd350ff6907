"""At which steps a run is measured, whatever the speed of the machine."""

import math
from typing import Final

DENSE_STEPS: Final = 20  # measured one by one
POINTS_A_DECADE: Final = 30
DENSE_SMOOTHNESS_STEPS: Final = 5
SMOOTHNESS_INTERVAL: Final = 50  # steps; Santurkar et al. 2018 leave theirs open
FIRST_SHARPNESS_STEPS: Final = (0, 1, 2, 5, 10, 20)
SHARPNESS_A_DECADE: Final = 12
SHARPNESS_INTERVAL: Final = 100  # steps, up to the last of these
LAST_REGULAR_SHARPNESS: Final = 2_000


def is_scheduled(step: int) -> bool:
    """Whether the fixed schedule measures at this step: every one up to 20, then about 30 a decade of steps."""
    return step <= DENSE_STEPS or _is_on_logarithmic(step, POINTS_A_DECADE)


def _is_on_logarithmic(step: int, a_decade: int) -> bool:
    """Whether a step after the first 20 is the nearest to one of so many a decade, evenly spaced on that axis."""
    index = round(a_decade * math.log10(step / DENSE_STEPS))
    return step == round(DENSE_STEPS * 10 ** (index / a_decade))


def shift_interval(matrices: int) -> int:
    """Steps between two measurements of the covariate shift: what one costs grows with the square of the depth."""
    return 25 * math.ceil(matrices / 6)


def is_shift_due(step: int, matrices: int) -> bool:
    """Whether the covariate shift is to be measured at this step, where it is asked for."""
    return step <= DENSE_STEPS or step % shift_interval(matrices) == 0


def is_smoothness_due(step: int) -> bool:
    """Whether the smoothness is to be measured at this step, where it is asked for."""
    return step <= DENSE_SMOOTHNESS_STEPS or step % SMOOTHNESS_INTERVAL == 0


def is_sharpness_due(step: int) -> bool:
    """Whether the sharpness is to be measured at this step, where it is asked for.

    One of the default twins costs about as much as a hundred steps: 48 times in the first 2,000 steps, then 12 times a
    decade.
    """
    if step <= DENSE_STEPS:
        return step in FIRST_SHARPNESS_STEPS
    is_regular = step <= LAST_REGULAR_SHARPNESS and step % SHARPNESS_INTERVAL == 0
    return is_regular or _is_on_logarithmic(step, SHARPNESS_A_DECADE)
