"""Measuring keeps its cadence without eating the training; a speed is that of the last second."""

import pytest

from bnviz.worker.cadence import MOST_SHARE, Cadence, Share, Speedometer


def test_the_first_measurement_is_due_at_once() -> None:
    assert Cadence(0.5).is_due(0.0)


def test_a_cheap_measurement_keeps_its_interval_from_start_to_start() -> None:
    cadence = Cadence(0.5)
    cadence.measured(begun=10.0, ended=10.05, crowd=1)
    assert not cadence.is_due(10.49)
    assert cadence.is_due(10.5)


@pytest.mark.parametrize("crowd", [1, 4, 30])
def test_measuring_takes_at_most_its_share_however_many_runs_measure(crowd: int) -> None:
    seconds_each = 0.2
    cadence = Cadence(0.5)
    cadence.measured(begun=0.0, ended=seconds_each, crowd=crowd)
    wait = next(t / 1000 for t in range(10**6) if cadence.is_due(t / 1000))
    assert crowd * seconds_each / wait <= MOST_SHARE + 0.01


def test_the_speed_is_that_of_the_last_second() -> None:
    meter = Speedometer()
    for tenth in range(50):
        meter.read(tenth / 10, tenth * 100)
    for tenth in range(50, 65):
        speed = meter.read(tenth / 10, 4900 + (tenth - 49) * 10)
    assert speed == pytest.approx(100)


def test_without_time_passed_there_is_no_speed() -> None:
    meter = Speedometer()
    assert meter.read(1.0, 10) == 0
    assert meter.read(1.0, 20) == 0


def test_the_share_is_that_of_the_last_seconds_of_time() -> None:
    share = Share()
    assert share.read() == 0
    for _ in range(1000):
        share.add(0.025, 0.005)
    assert share.read() == pytest.approx(0.2)
    for _ in range(1000):
        share.add(0.025, 0.0)
    assert share.read() < 0.01
