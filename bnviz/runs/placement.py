"""On which worker a run trains: the one with the least to do, and another once its own has far more to do than that."""

from collections.abc import Iterable
from typing import Final

from bnviz.runs.awake import Awake, Place

RESTING_LOAD: Final = 0.1  # of a run that does not play, where one that plays counts 1
LEAST_DIFFERENCE: Final = 2.0  # in load, for which a run is moved: less, and moving it would change who has more


def loads(places: Iterable[Place], awake: Iterable[Awake]) -> dict[Place, float]:
    """How much every place has to do, the runs that are on their way to it included."""
    load = dict.fromkeys(places, 0.0)
    for one in awake:
        if one.place in load:
            load[one.place] += 1.0 if one.orders.is_playing else RESTING_LOAD
    return load


def freest_place(places: Iterable[Place], awake: Iterable[Awake], most_runs: int) -> Place | None:
    """The least loaded place that can take a run; None if all hold as many as they may."""
    awake = list(awake)
    load = loads(places, awake)
    free = [place for place in load if sum(one.place is place for one in awake) < most_runs]
    return min(free, key=load.__getitem__, default=None)


def run_to_move(places: Iterable[Place], awake: Iterable[Awake]) -> Awake | None:
    """A run that would have more of a worker elsewhere; None while the work is spread as evenly as it can be.

    Workers that come late, and visitors that leave, make it uneven. What is measured beside a run would begin anew
    elsewhere, so a run with a study stays; so does one that something is just being asked of.
    """
    awake = list(awake)
    load = loads(places, awake)
    fullest = max(load, key=load.__getitem__, default=None)
    if fullest is None or load[fullest] - min(load.values()) < LEAST_DIFFERENCE:
        return None
    movable = (one for one in reversed(awake) if one.place is fullest and one.is_placed and one.orders.is_playing)
    return next((one for one in movable if one.orders.study is None and not one.lock.locked()), None)
