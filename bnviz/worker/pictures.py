"""Pictures: what is drawn a little at a time, in time that nobody else needs, while the run may go on."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from bnviz.config import StudyConfig, checkpoint_bytes
from bnviz.records import Anatomy, Contour, Landscape, Sharpness, Study, no_anatomy
from bnviz.worker.host import Orders
from bnviz.worker.outbox import Outbox

if TYPE_CHECKING:
    from bnviz.measure.weight_path import Walk
    from bnviz.training import Trainer

FIRST_CONTOUR_SECONDS: Final = 1.0  # after the networks were built, if there is a cadence
CONTOUR_SHARE: Final = 0.1  # of a run's time at most goes into contours: with many runs they are drawn less often
EARLY_SECONDS: Final = 2.0  # between two landscapes while the step doubles from one to the next
ANATOMY_SECONDS: Final = 10.0  # between two walks through a BN layer while the run plays: time to follow one
EARLY_ANATOMY_SECONDS: Final = 3.0
TOLD_SECONDS: Final = 0.15  # between two tellings of an unfinished picture
URGENT_SECONDS: Final = 0.15  # of work, about what a coarse picture takes
FIRST_TOLD_SECONDS: Final = 0.03
LEAST_EARLIER_STEPS: Final = 50  # a run of more steps is worth going back to: a ghost's rule

MOST_SHARPNESSES: Final = 8  # waiting, each with a copy of the weights: those after it are left out
SHARPNESS_BYTES: Final = 48_000_000  # of these copies

FAILED: Final = "This picture failed; the server's log says why. Choose another one."

logger = logging.getLogger(__name__)

T = TypeVar("T")
Clock = Callable[[], float]
IsInterrupted = Callable[[], bool]
MeasureStudy = Callable[[StudyConfig], Iterator[Study]]


def nothing_studied(config: StudyConfig) -> Iterator[Study]:
    """For runs that are never asked to measure a study."""
    return iter(())


def _is_wanted(orders: Orders, name: str) -> bool:
    """Whether a picture is asked for, as a contour always is, and looked at."""
    return getattr(orders, name, name) is not None and name not in orders.unseen


class Picture(Generic[T]):
    """One picture at a time, coarse first; a newer one takes the place of an unfinished one.

    Coarse is better than none, but not than a whole one that is a little older.

    Attributes:
        step: of which it was begun last; -1 before.
        begun_at: when that was.
        ended_at: when the last one was whole.
        cost: seconds of work that it took.

    Args:
        tell: called with what there is of it, now and then and at the end.
    """

    def __init__(self, tell: Callable[[T], None], clock: Clock) -> None:
        self._tell, self._clock = tell, clock
        self.step = -1
        self.begun_at = self.ended_at = float("-inf")
        self.cost = self._spent = 0.0
        self._drawing: Iterator[T] | None = None
        self._told_at = float("-inf")
        self._worked = 0.0  # seconds, on the wish in force
        self._is_whole = False  # the one that was told last, as it is wished for now
        self._newest: T | None = None

    @property
    def is_drawing(self) -> bool:
        return self._drawing is not None

    @property
    def is_awaited(self) -> bool:
        """Whether it is being drawn and there is no whole one to look at meanwhile."""
        return self.is_drawing and not self._is_whole

    @property
    def is_urgent(self) -> bool:
        """Whether next to nothing of it can be seen yet: it need not wait for its share of the time."""
        return self.is_awaited and self._worked < URGENT_SECONDS

    def begin(self, drawing: Iterator[T], step: int = 0, is_wish_new: bool = False) -> None:
        """Begin one; with a new wish the one that was told is not what is to be seen."""
        self._drawing, self.step, self._newest, self._spent = drawing, step, None, 0.0
        self.begun_at = self._clock()
        if is_wish_new:
            self._worked = 0.0
            self._is_whole, self._told_at = False, float("-inf")

    def stop(self) -> None:
        """Leave it as it is."""
        self._drawing = None

    def work(self, until: float, is_interrupted: IsInterrupted) -> None:
        """Go on with it until a time, or until an order arrives."""
        begun = self._clock()
        while self._drawing is not None:
            item = next(self._drawing, None)
            if item is None:
                self._drawing, self._is_whole, self.ended_at = None, True, self._clock()
                self.cost = self._spent + self.ended_at - begun
                break
            self._newest = item
            if self._clock() >= until or is_interrupted():
                break
        now = self._clock()
        self._worked += now - begun
        self._spent += now - begun
        # What comes first is told as soon as it is there.
        pause = min(TOLD_SECONDS, FIRST_TOLD_SECONDS + (now - self.begun_at) / 4)
        is_time = now - self._told_at >= pause
        if self._newest is not None and (not self.is_drawing or (is_time and not self._is_whole)):
            self._tell(self._newest)
            self._newest, self._told_at = None, self._clock()


class Pictures:
    """The loss contour of the lab, the loss landscape, the walk through a BN layer and the study of one run.

    Args:
        measure_study: a little more at each item.
    """

    def __init__(self, orders: Orders, outbox: Outbox, measure_study: MeasureStudy, clock: Clock) -> None:
        self._orders, self._outbox, self._clock = orders, outbox, clock
        self._measure_study = measure_study
        self._study: Picture[Study] = Picture(lambda one: outbox.tell(study=one), clock)
        self._earlier: Walk | None = None
        self._begin_study()
        self.forget()

    def forget(self) -> None:
        """The networks are others: pictures of those before have no meaning."""
        self._contour: Picture[Contour] = Picture(lambda one: self._outbox.tell(contour=one), self._clock)
        self._landscape: Picture[Landscape] = Picture(lambda one: self._outbox.tell(landscape=one.kept()), self._clock)
        self._anatomy: Picture[Anatomy] = Picture(lambda one: self._outbox.tell(anatomy=one), self._clock)
        self._sharpness: deque[Iterator[Sharpness]] = deque()
        self._sharpness_step = -1
        self._newest_sharpness: Sharpness | None = None
        self._is_sharpness_next = False
        self._contour_at = float("inf")

    def built(self, trainer: "Trainer") -> None:
        """There are networks to draw."""
        self._contour_at = self._clock() + FIRST_CONTOUR_SECONDS
        self._begin_landscape(trainer, is_wish_new=True)
        self._begin_anatomy(trainer, is_wish_new=True)

    def restart(self, orders: Orders, trainer: "Trainer | None") -> None:
        """The networks end here; where they have been can still be looked at, if the next ones are of their size."""
        before, self._orders = self._orders, orders
        if trainer is not None and trainer.step_count > LEAST_EARLIER_STEPS:
            self._earlier = None if trainer.is_finished else trainer.walk().ends
        if orders.settings.model.layers != before.settings.model.layers:
            self._earlier = None
        self.forget()
        if orders.study != before.study:
            self._begin_study()

    def obey(self, orders: Orders, trainer: "Trainer | None") -> None:
        before, self._orders = self._orders, orders
        if orders.study != before.study:
            self._begin_study()
        if orders.contour_seconds != before.contour_seconds:
            self._contour_at = self._clock()
        if not _is_wanted(orders, "landscape"):
            self._landscape.stop()
        if not _is_wanted(orders, "anatomy"):
            self._anatomy.stop()
        if trainer is None:
            return
        if orders.directions is not before.directions or "contour" in before.unseen - orders.unseen:
            self._begin_contour(trainer, is_wish_new=orders.directions is not before.directions)
        if (orders.landscape, orders.landscape_count) != (before.landscape, before.landscape_count):
            self._begin_landscape(trainer, is_wish_new=True)
        elif "landscape" in before.unseen - orders.unseen:
            self._begin_landscape(trainer)
        if (orders.anatomy, orders.anatomy_count) != (before.anatomy, before.anatomy_count):
            self._begin_anatomy(trainer, is_wish_new=True)
        elif "anatomy" in before.unseen - orders.unseen:
            self._begin_anatomy(trainer)

    def begin_due(self, trainer: "Trainer", crowd: int) -> None:
        """Begin what is to be drawn anew while the run goes on, one of them at most; `crowd` runs share the thread."""
        now, orders = self._clock(), self._orders
        paid_at = self._contour.begun_at + self._contour.cost * crowd / CONTOUR_SHARE
        is_due = now >= max(self._contour_at, paid_at) and not self._contour.is_drawing
        if orders.contour_seconds is not None and is_due:
            self._begin_contour(trainer)
        elif _is_wanted(orders, "anatomy") and now >= self._anatomy.begun_at + self._anatomy_seconds(trainer):
            self._begin_anatomy(trainer)
        elif orders.landscape_seconds is not None:
            self._begin_landscape_if_due(trainer, now, orders.landscape_seconds)

    def _anatomy_seconds(self, trainer: "Trainer") -> float:
        """Between two walks: sooner while the step doubles from one to the next."""
        return EARLY_ANATOMY_SECONDS if trainer.step_count > 2 * self._anatomy.step else ANATOMY_SECONDS

    def _begin_landscape_if_due(self, trainer: "Trainer", now: float, every_seconds: float) -> None:
        # Early much happens in few steps: then a coarse new one is better than a whole old one.
        if trainer.step_count > 2 * self._landscape.step:
            if now >= self._landscape.begun_at + EARLY_SECONDS:
                self._begin_landscape(trainer, is_wish_new=True)
        elif not self._landscape.is_drawing and now >= self._landscape.ended_at + every_seconds:
            self._begin_landscape(trainer)

    def begin_at_rest(self, trainer: "Trainer") -> None:
        """Have every picture show the present step."""
        if self._contour.step != trainer.step_count:
            self._begin_contour(trainer)
        if self._landscape.step != trainer.step_count and self._orders.landscape_seconds is not None:
            self._begin_landscape(trainer)
        if self._anatomy.step != trainer.step_count:
            self._begin_anatomy(trainer)

    def _begin_contour(self, trainer: "Trainer", is_wish_new: bool = False) -> None:
        """Begin one at the present step, if it has one; a path needs a step to have a direction."""
        if trainer.step_count > 0 and not trainer.is_finished and _is_wanted(self._orders, "contour"):
            self._contour.begin(trainer.contour(self._orders.directions), trainer.step_count, is_wish_new)
        self._contour_at = self._clock() + (self._orders.contour_seconds or 0.0)

    def _begin_landscape(self, trainer: "Trainer", is_wish_new: bool = False) -> None:
        """Begin one at the present step, if one is wanted and looked at."""
        config = self._orders.landscape
        if config is not None and _is_wanted(self._orders, "landscape"):
            self._landscape.begin(trainer.landscape(config, self._earlier), trainer.step_count, is_wish_new)

    def _begin_anatomy(self, trainer: "Trainer", is_wish_new: bool = False) -> None:
        config = self._orders.anatomy
        if config is not None and _is_wanted(self._orders, "anatomy"):
            self._anatomy.begin(trainer.anatomy(config), trainer.step_count, is_wish_new)

    def add_sharpness(self, trainer: "Trainer", is_at_rest: bool = False) -> None:
        """Measure the sharpness at the present step as soon as there is time: it takes about a hundred steps' time."""
        if self._sharpness_step == trainer.step_count:
            return
        weights = checkpoint_bytes(self._orders.settings)
        most = max(2, min(MOST_SHARPNESSES, SHARPNESS_BYTES // weights))
        if is_at_rest and len(self._sharpness) >= most:
            self._sharpness.pop()  # of the last step before, which nobody will miss; the first is under way
        if len(self._sharpness) < most:
            self._sharpness.append(trainer.sharpness(self._orders.settings.hyper))
            self._sharpness_step = trainer.step_count

    def _work_on_sharpness(self, until: float, is_interrupted: IsInterrupted) -> None:
        drawing = self._sharpness[0]
        for self._newest_sharpness in drawing:
            if self._clock() >= until or is_interrupted():
                return
        self._sharpness.popleft()
        self._outbox.add(sharpness=self._newest_sharpness)

    def _begin_study(self) -> None:
        """Measure the one that is wanted now, in place of any other."""
        self._study.stop()
        if self._orders.study is not None:
            self._study.begin(self._measure_study(self._orders.study), is_wish_new=True)

    def stop(self) -> None:
        """Leave them as they are, after an error."""
        for picture in self._all:
            picture.stop()
        self._sharpness.clear()

    # --- time on the thread -------------------------------------------------------------------------------------------

    @property
    def is_drawing(self) -> bool:
        return bool(self._sharpness) or any(picture.is_drawing for picture in self._all)

    @property
    def _all(self) -> list[Picture[Any]]:
        """Who is awaited first, first."""
        return [self._study, self._anatomy, self._landscape, self._contour]

    @property
    def is_awaited(self) -> bool:
        """Whether somebody has asked for one and sees nothing meanwhile."""
        return any(picture.is_awaited for picture in self._all if picture is not self._contour)

    @property
    def is_urgent(self) -> bool:
        """Whether one of those that a visitor steers has just been asked for."""
        return self._landscape.is_urgent or self._anatomy.is_urgent

    def work(self, until: float, is_interrupted: IsInterrupted) -> None:
        """Go on with one of them: what is awaited first, then what takes least."""
        awaited = next((picture for picture in self._all if picture.is_awaited), None)
        drawing = awaited or next((picture for picture in reversed(self._all) if picture.is_drawing), None)
        has_turn = drawing is None or not (self._is_sharpness_next or self.is_urgent)
        self._is_sharpness_next = bool(self._sharpness) and has_turn
        if self._is_sharpness_next:  # turn and turn about: no picture waits for all of them, nor they for it
            self._work_on_sharpness(until, is_interrupted)
        elif drawing is not None:
            self._go_on(drawing, until, is_interrupted)

    def _go_on(self, picture: Picture[Any], until: float, is_interrupted: IsInterrupted) -> None:
        """A picture that fails is left, and the run goes on; a study is all that its run is about."""
        try:
            picture.work(until, is_interrupted)
        except Exception:
            if picture is self._study:
                raise
            logger.exception("A picture failed at step %d with %s", picture.step, self._orders)
            picture.stop()
            if picture is self._anatomy and self._orders.anatomy is not None:
                self._outbox.tell(anatomy=no_anatomy(self._orders.anatomy, picture.step, FAILED))
            if picture is self._landscape and (config := self._orders.landscape) is not None:
                failed = Landscape(picture.step, config, config.directions, config.statistics, 1.0, FAILED)
                self._outbox.tell(landscape=failed)
