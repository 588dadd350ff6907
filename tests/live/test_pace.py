"""The beat of frames: calm, quick after a command, slower for everybody while the server is late."""

import math

import pytest

from bnviz.live.pace import (
    COMMAND_FRAMES,
    COMMAND_SECONDS,
    EARLY_SECONDS,
    FRAME_SECONDS,
    LATE_SECONDS,
    MOST_STRETCH,
    RELIEF_SECONDS,
    Pace,
    Strain,
)
from bnviz.records import Phase, Run
from tests.live import fakes

CALM_SECONDS = FRAME_SECONDS - EARLY_SECONDS  # from a beat until the frame of the next one may go


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_frames_of_a_run_that_plays_keep_their_distance() -> None:
    clock = Clock()
    pace, run = Pace(clock), fakes.run(phase=Phase.PLAYING)
    for _ in range(COMMAND_FRAMES):  # the first frames come fast
        assert pace.rest(run, False) <= COMMAND_SECONDS
        clock.now += COMMAND_SECONDS
        pace.sent(run)
    assert pace.rest(run, False) == pytest.approx(CALM_SECONDS)
    clock.now += CALM_SECONDS
    assert pace.rest(run, False) == pytest.approx(0)


def pace_after_the_quick_frames(clock: Clock) -> tuple[Pace, Run]:
    """The pace of a run that plays, once the first frames after its start have been sent."""
    pace, run = Pace(clock), fakes.run(phase=Phase.PLAYING)
    for _ in range(COMMAND_FRAMES):
        pace.rest(run, False)
        pace.sent(run)
    return pace, run


def test_frames_keep_to_a_beat_whatever_building_one_takes_and_fall_in_again_after_a_long_wait() -> None:
    clock = Clock()
    pace, run = pace_after_the_quick_frames(clock)
    begun = clock.now
    for _ in range(40):
        clock.now += pace.rest(run, False) + 0.01  # of building and sending
        pace.sent(run)
    assert clock.now - begun == pytest.approx(40 * FRAME_SECONDS, abs=0.02)
    clock.now += 10
    pace.sent(run)
    assert pace.rest(run, False) == pytest.approx(CALM_SECONDS)


@pytest.mark.parametrize("apart", [-EARLY_SECONDS, 0.0, 0.03])
def test_a_frame_may_go_a_little_before_its_beat_or_after_it_and_the_beat_stays(apart: float) -> None:
    clock = Clock()
    pace, run = pace_after_the_quick_frames(clock)
    clock.now += FRAME_SECONDS + apart
    assert pace.rest(run, False) <= 1e-9
    pace.sent(run)
    assert pace.next_at(clock.now + 2 * EARLY_SECONDS) == pytest.approx(2 * FRAME_SECONDS)


def test_a_command_is_seen_at_once() -> None:
    pace, run = pace_after_the_quick_frames(Clock())
    assert pace.rest(run, False) == pytest.approx(CALM_SECONDS)
    changed = fakes.run(phase=Phase.PLAYING, interventions=(fakes.INTERVENTION,))
    assert pace.rest(changed, False) == pytest.approx(COMMAND_SECONDS)
    restarted = fakes.run(phase=Phase.PLAYING, generation=1, steps=())
    assert pace.rest(restarted, False) == pytest.approx(COMMAND_SECONDS)


def test_a_new_view_is_answered_at_once() -> None:
    clock = Clock()
    pace, run = Pace(clock), fakes.run(phase=Phase.PLAYING)
    for _ in range(COMMAND_FRAMES + 1):
        pace.rest(run, False)
        pace.sent(run)
    assert pace.rest(run, True) == pytest.approx(COMMAND_SECONDS)


def test_the_next_frame_after_a_moment_is_on_the_beat() -> None:
    clock = Clock()
    pace, _ = pace_after_the_quick_frames(clock)
    beat = clock.now
    for beats, after in [(1, 0.0), (1, 0.9), (2, 1.0), (2, 1.2), (4, 3.5)]:
        assert pace.next_at(beat + after * FRAME_SECONDS) == pytest.approx(beat + beats * FRAME_SECONDS)
    pace.rest(fakes.run(phase=Phase.PLAYING, interventions=(fakes.INTERVENTION,)), False)
    assert pace.next_at(beat) == pytest.approx(beat + COMMAND_SECONDS)


# --- strain -----------------------------------------------------------------------------------------------------------


def strained(late: float, frames: int) -> Strain:
    strain = Strain(Clock())
    for _ in range(frames):
        strain.note(late)
    return strain


def test_frames_that_are_in_time_keep_their_pace() -> None:
    assert strained(LATE_SECONDS / 2, 100).stretch == 1


def test_late_frames_space_all_frames_out_up_to_a_bound() -> None:
    assert 1.4 < strained(2 * LATE_SECONDS, 20).stretch < 2
    assert strained(2 * LATE_SECONDS, 10_000).stretch == MOST_STRETCH


def test_the_pace_comes_back_when_frames_are_in_time_again() -> None:
    strain = strained(2 * LATE_SECONDS, 10_000)
    for _ in range(1000):
        strain.note(0.0)
    assert strain.stretch == 1


def test_a_strain_passes_by_itself_when_nobody_watches_any_more() -> None:
    clock = Clock()
    strain = Strain(clock)
    for _ in range(1000):
        strain.note(1.0)
    assert strain.stretch == MOST_STRETCH
    clock.now += RELIEF_SECONDS
    assert strain.stretch == pytest.approx(1 + (MOST_STRETCH - 1) / math.e)
    clock.now += 10 * RELIEF_SECONDS
    assert strain.stretch == pytest.approx(1, abs=1e-3)


def test_only_frames_of_the_beat_are_calm_and_tell_of_a_strain() -> None:
    pace, run = pace_after_the_quick_frames(Clock())
    pace.rest(run, False)
    assert pace.is_calm
    pace.rest(run, True)
    assert not pace.is_calm
    pace.rest(fakes.run(phase=Phase.PAUSED), False)
    assert not pace.is_calm


def test_two_late_frames_of_five_are_too_many_and_one_is_not() -> None:
    often, seldom = Strain(Clock()), Strain(Clock())
    for frame in range(3000):
        often.note(LATE_SECONDS * 2 * (frame % 5 < 2))
        seldom.note(LATE_SECONDS * 2 * (frame % 5 == 0))
    assert often.stretch > 0.9 * MOST_STRETCH
    assert seldom.stretch < 1.1


def test_a_strained_server_spaces_frames_out_and_answers_commands_at_once_all_the_same() -> None:
    clock, strain = Clock(), strained(1.0, 35)
    pace, run = Pace(clock, strain), fakes.run(phase=Phase.PLAYING)
    for _ in range(COMMAND_FRAMES):
        pace.rest(run, False)
        pace.sent(run)
    assert pace.rest(run, False) == pytest.approx(FRAME_SECONDS * strain.stretch - EARLY_SECONDS)
    assert pace.rest(fakes.run(phase=Phase.PAUSED), False) == pytest.approx(COMMAND_SECONDS)
