"""On which worker a run trains: the one with the least to do, and another once its own has far more to do than that."""

from collections.abc import Callable, Collection
from typing import Final

from bnviz.runs.awake import Awake, Place

RESTING_LOAD: Final = 0.1  # of a run that does not train, where one that does counts 1
LEAST_DIFFERENCE: Final = 2.0  # in load, for which a run is moved: less, and moving it would change who has more

Trains = Callable[[Awake], bool]
"""Whether a run trains now or is about to: one that has failed or come to its end is wanted to, and does not."""


class Placement:
    """How much the places have to do, the runs that are on their way to them included.

    Args:
        most_runs: that a place holds.
    """

    def __init__(self, places: Collection[Place], awake: Collection[Awake], trains: Trains, most_runs: int) -> None:
        self._awake, self._trains = awake, trains
        self._load = dict.fromkeys(places, 0.0)
        count = dict.fromkeys(places, 0)
        for one in awake:
            if one.place in count:
                self._load[one.place] += 1.0 if trains(one) else RESTING_LOAD
                count[one.place] += 1
        self._with_room = [place for place in places if count[place] < most_runs]

    def freest(self) -> Place | None:
        """The least loaded place that can take a run; None if all hold as many as they may."""
        return min(self._with_room, key=self._load.__getitem__, default=None)

    def run_to_move(self, now: float) -> Awake | None:
        """A run that would have more of a worker elsewhere; None while the work is spread as evenly as it can be.

        Workers that come late, and visitors that leave, make it uneven. A run moves to a worker that is known to
        answer, and stays where it has something that a checkpoint does not carry: a study, points of the run before.
        """
        target = self.freest()
        if target is None or not target.is_warm or target.silent_since < now - 1.0:
            return None
        fullest = max(self._load, key=self._load.__getitem__)
        if self._load[fullest] - self._load[target] < LEAST_DIFFERENCE:
            return None
        return next((one for one in reversed(list(self._awake)) if one.place is fullest and self.may_move(one)), None)

    def may_move(self, one: Awake) -> bool:
        """Whether a run can go on elsewhere as if nothing had been, as far as is known now."""
        orders = one.orders
        is_bound = orders.study is not None or orders.landscape is not None or one.steps_due > 0
        return one.is_placed and self._trains(one) and not is_bound and not one.lock.locked()
