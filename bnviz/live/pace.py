"""When a browser gets its next frame: a calm beat, quicker after a command, slower where the server has a lot to do."""

import math
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from bnviz.records import Run

FRAME_SECONDS: Final = 0.24  # between two frames of a run that plays: four a second, with what a browser adds
EARLY_SECONDS: Final = 0.02  # before its beat a frame goes if its news are there: to wait would mean to wake up twice
COMMAND_SECONDS: Final = 0.06  # between the first frames after a command, so that its effect is seen at once
COMMAND_FRAMES: Final = 5

LATE_SECONDS: Final = 0.06  # a quarter of the beat: what a frame may be late without the server being strained
MOST_STRETCH: Final = 8.0  # two seconds between two frames
SLOWER, QUICKER = 1.02, 0.99  # at each frame that was late, or in time: most have to be in time
RELIEF_SECONDS: Final = (
    15.0  # in which what a strain was falls to a third by itself, also where nobody watches any more
)

Clock = Callable[[], float]


class Strain:
    """By how much the frames of all browsers are spaced out because the server is late with them.

    A frame is late by what passes from the moment when it could have gone (asked for, due, something new) to the moment
    when it is built: that is what a busy event loop, a crowd of watchers and a starved processor have in common. Frames
    are spaced out before they pile up: nothing waits in a queue that grows.
    """

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._noted, self._noted_at = 1.0, clock()

    @property
    def stretch(self) -> float:
        """How many times as long as usual a frame takes to be due; 1 where nothing is late."""
        return 1 + (self._noted - 1) * math.exp((self._noted_at - self._clock()) / RELIEF_SECONDS)

    def note(self, late_seconds: float) -> None:
        """A frame of the usual beat is built, so late."""
        change = SLOWER if late_seconds > LATE_SECONDS else QUICKER
        self._noted = min(max(self.stretch * change, 1.0), MOST_STRETCH)
        self._noted_at = self._clock()


class Pace:
    """How long to wait until the next frame: a breath while a run plays, nearly nothing after a command.

    Frames of a run that plays keep to a beat: what building and sending one takes does not delay the next.

    Attributes:
        is_calm: whether the frame that was asked about last belongs to that beat, and not to a command or another view.
    """

    def __init__(self, clock: Clock = monotonic, strain: Strain | None = None) -> None:
        self._clock, self._strain = clock, strain or Strain()
        self._beat = -FRAME_SECONDS  # when the last frame was due
        self._command: tuple[Any, ...] = ()
        self._quick_frames = 0
        self.is_calm = True

    def rest(self, run: Run, is_view_new: bool) -> float:
        """Seconds until a frame of this run is due; 0 or less if now."""
        if _command_of(run) != self._command:
            self._quick_frames = COMMAND_FRAMES
        self.is_calm = not self._quick_frames and not is_view_new
        seconds = self._frame_seconds - EARLY_SECONDS if self.is_calm else COMMAND_SECONDS
        return self._beat + seconds - self._clock()

    def next_at(self, after: float) -> float:
        """The first time after `after` at which a frame is due: one that is due already is taken as sent."""
        seconds = COMMAND_SECONDS if self._quick_frames else self._frame_seconds
        beats = max(1, math.floor((after - self._beat) / seconds) + 1)
        return self._beat + beats * seconds

    def sent(self, run: Run) -> None:
        now, seconds = self._clock(), self._frame_seconds
        next_beat = self._beat + seconds
        self._beat = next_beat if next_beat - EARLY_SECONDS <= now < next_beat + seconds / 2 else now
        self._quick_frames = max(self._quick_frames - 1, 0)
        self._command = _command_of(run)

    @property
    def _frame_seconds(self) -> float:
        return FRAME_SECONDS * self._strain.stretch


def _command_of(run: Run) -> tuple[Any, ...]:
    """What differs after a command: play, pause, restart, a live setting, other directions."""
    status = run.status
    contour = run.contour and run.contour.directions
    return status.generation, status.phase, len(run.interventions), run.settings, run.ghost is None, contour
