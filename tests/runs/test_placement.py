"""Where runs train: the least loaded worker takes the next, and one moves where that makes the load more even."""

from dataclasses import replace
from typing import Any, cast

from bnviz.config import LandscapeConfig, UntrainedConfig
from bnviz.runs.awake import Awake, Place
from bnviz.runs.placement import Placement
from bnviz.worker.host import Host, Orders
from tests.fake_worker import SMALL

NOW = 1000.0


def a_place(name: str, is_warm: bool = True) -> Place:
    return Place(name, cast("Host", None), is_warm=is_warm)


def runs_on(place: Place, count: int, is_playing: bool = True) -> list[Awake]:
    return [
        Awake(f"{place.address}-{n}", "me", Orders(0, SMALL, is_playing), place=place, is_placed=True)
        for n in range(count)
    ]


def placement(places: list[Place], awake: list[Awake], most: int = 32) -> Placement:
    return Placement(places, awake, lambda one: one.orders.is_playing, most)


def test_the_next_run_goes_where_least_is_trained() -> None:
    a, b = a_place("a"), a_place("b")
    assert placement([a, b], runs_on(a, 1)).freest() is b
    assert placement([a, b], runs_on(a, 1) + runs_on(b, 5, is_playing=False)).freest() is b


def test_a_full_place_takes_no_run_and_without_another_there_is_none() -> None:
    a, b = a_place("a"), a_place("b")
    awake = runs_on(a, 4, is_playing=False) + runs_on(b, 3)
    assert placement([a, b], awake, most=4).freest() is b
    assert placement([a], awake[:4], most=4).freest() is None


def test_a_run_moves_only_where_that_makes_the_load_more_even() -> None:
    a, b = a_place("a"), a_place("b")
    assert placement([a, b], runs_on(a, 2)).run_to_move(NOW) is not None
    assert placement([a, b], runs_on(a, 1)).run_to_move(NOW) is None
    assert placement([a, b], runs_on(a, 3) + runs_on(b, 2)).run_to_move(NOW) is None
    assert placement([a], runs_on(a, 9)).run_to_move(NOW) is None


def test_no_run_moves_to_a_place_that_is_full_of_resting_ones() -> None:
    a, b = a_place("a"), a_place("b")
    awake = runs_on(a, 8, is_playing=False) + runs_on(b, 6)
    assert placement([a, b], awake, most=8).run_to_move(NOW) is None
    assert placement([a, b], awake, most=9).run_to_move(NOW) is not None


def test_no_run_moves_to_a_worker_that_does_not_answer() -> None:
    a, cold, silent = a_place("a"), a_place("cold", is_warm=False), a_place("silent")
    silent.asked_at.append(NOW - 5)
    for other in (cold, silent):
        assert placement([a, other], runs_on(a, 4)).run_to_move(NOW) is None


def test_a_run_stays_with_what_a_checkpoint_does_not_carry_and_while_it_is_asked_for_steps() -> None:
    a, b = a_place("a"), a_place("b")
    bound: list[dict[str, Any]] = [{"study": UntrainedConfig()}, {"landscape": LandscapeConfig()}]
    for orders in bound:
        awake = runs_on(a, 4)
        for one in awake:
            one.orders = replace(one.orders, **orders)
        assert placement([a, b], awake).run_to_move(NOW) is None
    awake = runs_on(a, 4)
    for one in awake:
        one.steps_due = 10
    assert placement([a, b], awake).run_to_move(NOW) is None


def test_a_run_that_rests_or_has_failed_does_not_move() -> None:
    a, b = a_place("a"), a_place("b")
    awake = runs_on(a, 20, is_playing=False) + runs_on(a, 1)
    assert placement([a, b], awake).run_to_move(NOW) is awake[-1]
    assert placement([a, b], awake[:-1] + runs_on(b, 0)).run_to_move(NOW) is None
