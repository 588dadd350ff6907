"""Pictures: what is drawn a little at a time, in time that nobody else needs, while the run may go on."""

from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

from bnviz.config import StudyConfig
from bnviz.records import Study

STUDY_SECONDS: Final = 0.2  # between two tellings of how far a study is

T = TypeVar("T")
Clock = Callable[[], float]
MeasureStudy = Callable[[StudyConfig], Iterator[Study]]


def nothing_studied(config: StudyConfig) -> Iterator[Study]:
    """For runs that are never asked to measure a study."""
    return iter(())


class Picture(Generic[T]):
    """A picture of the weights as they are at one step, coarse first; drawn anew as the run goes on.

    Coarse is better than none, but not than a whole one that is a little older.

    Attributes:
        step: of which it was begun last; -1 before.

    Args:
        tell: called with what there is of it.
        ended: called when it is whole.
    """

    def __init__(self, tell: Callable[[T], None], ended: Callable[[], None]) -> None:
        self._tell, self._ended = tell, ended
        self.step = -1
        self._drawing: Iterator[T] | None = None
        self._newest: T | None = None
        self._is_whole = False  # the one that was told last, as it is wished for now

    @property
    def is_drawing(self) -> bool:
        return self._drawing is not None

    @property
    def is_awaited(self) -> bool:
        """Whether it is being drawn and there is no whole one to look at meanwhile."""
        return self.is_drawing and not self._is_whole

    def wish_anew(self) -> None:
        """Something else is to be seen: what was told is not it."""
        self._is_whole = False

    def begin(self, drawing: Iterator[T], step: int) -> None:
        """Begin one, in place of an unfinished one."""
        self._drawing, self.step = drawing, step
        self._newest = next(drawing)  # a generator copies the present weights when it is first asked
        self._publish_if_first()

    def stop(self) -> None:
        """Leave it as it is."""
        self._drawing = None

    def work(self, until: float, is_interrupted: Callable[[], bool], clock: Clock) -> None:
        """Go on with it until a time, or until an order arrives; what there is of it is told."""
        while self._drawing is not None:
            item = next(self._drawing, None)
            if item is None:
                self._drawing, self._is_whole = None, True
                self._ended()
                self._publish()
            else:
                self._newest = item
            if clock() >= until or is_interrupted():
                break
        self._publish_if_first()

    def _publish_if_first(self) -> None:
        if not self._is_whole:
            self._publish()

    def _publish(self) -> None:
        if self._newest is not None:
            self._tell(self._newest)
        self._newest = None


class StudyPicture:
    """What is measured beside the run, of something that does not train.

    Args:
        measure: a little more at each item.
        tell: called with the newest item, now and then and at the end.
    """

    def __init__(self, measure: MeasureStudy, tell: Callable[[Any], None], clock: Clock) -> None:
        self._measure, self._tell, self._clock = measure, tell, clock
        self._drawing: Iterator[Study] | None = None
        self._told_at = float("-inf")

    @property
    def is_drawing(self) -> bool:
        return self._drawing is not None

    def begin(self, config: StudyConfig | None) -> None:
        """Measure this one now, in place of any other."""
        self._drawing = None if config is None else self._measure(config)

    def work(self, until: float, is_interrupted: Callable[[], bool]) -> None:
        newest, now = None, self._clock()
        while self._drawing is not None and (now := self._clock()) < until and not is_interrupted():
            item = next(self._drawing, None)
            if item is None:
                self._drawing = None
            else:
                newest = item
        if newest is not None and (now - self._told_at >= STUDY_SECONDS or newest.done >= 1):
            self._tell(newest)
            self._told_at = now
