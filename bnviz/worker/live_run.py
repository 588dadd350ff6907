"""One run on a worker: it turns orders into steps and measurements, a slice of time after the other.

Everything here happens on the training thread; only the outbox is read from elsewhere.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Final, Protocol

from bnviz.config import Device, HyperParams, Measure, Settings, lineup
from bnviz.records import Condition, Health, Intervention, Phase, Status
from bnviz.worker import checkpoints
from bnviz.worker.cadence import Cadence, Share, Speedometer
from bnviz.worker.checkpoints import Progress
from bnviz.worker.host import Checkpoint, Orders
from bnviz.worker.outbox import Outbox
from bnviz.worker.pictures import Clock, MeasureStudy, Pictures, nothing_studied

if TYPE_CHECKING:
    from torch import Tensor

    from bnviz.training import Trainer

POINT_SECONDS: Final = 0.2  # fresh points while playing: one at least for each frame that is drawn, also a late one
ACCURACY_SECONDS: Final = 0.39  # test accuracy is with every other of them: below twice their distance
SCHEDULED_ACCURACY_SHARE: Final = 0.25  # of the time, where one scheduled point follows the other
GRADIENT_SECONDS: Final = 0.9
ACCURACY_SHARE: Final = 0.1  # of the thread's time, where many runs share it and measure less often
GRADIENT_SHARE: Final = 0.05
LONGEST_LAG_SECONDS: Final = 0.1  # slow motion never makes up for more than this


class Build(Protocol):
    """Makes a trainer, from its settings alone or going on from the tensors of a checkpoint."""

    def __call__(self, settings: Settings, tensors: "dict[str, Tensor] | None" = None) -> "Trainer": ...


class LiveRun:
    """A run in a host.

    Attributes:
        orders: what is wanted of it.
        outbox: what it has to tell.
        used_seconds: time it has had on the training thread, by which the thread is shared out.
        drawn_seconds: part of it that went into its pictures, by which these take turns.
        served_at: when it last had the thread to train.
    """

    def __init__(
        self,
        orders: Orders,
        build: Build,
        blob: bytes | None = None,
        clock: Clock = time.monotonic,
        on_news: Callable[[], None] = lambda: None,
        measure_study: MeasureStudy = nothing_studied,
    ) -> None:
        self.orders = orders
        self.used_seconds = self.drawn_seconds = 0.0
        self.served_at = clock()
        self._build = build
        self._clock = clock
        self._blob = blob
        self._trainer: Trainer | None = None
        self._interventions: tuple[Intervention, ...] = ()
        self._share = Share()
        self._forget_measurements()
        self._is_playing = orders.is_playing
        self.outbox = Outbox(self._status(), on_news)
        self._pictures = Pictures(orders, self.outbox, measure_study, clock)

    def _forget_measurements(self) -> None:
        self._steps_to_take = 0
        self._next_step_at = float("-inf")
        self._is_at_rest = False
        self._notice = ""
        self._has_failed = False
        self._measured_step = -1
        self._gradient_step = self._shift_step = self._smoothness_step = -1
        self._measuring_seconds = 0.0  # of the present slice
        self._points_due = Cadence(POINT_SECONDS)
        self._accuracy_due = Cadence(ACCURACY_SECONDS, ACCURACY_SHARE)
        self._scheduled_accuracy_due = Cadence(0.0, SCHEDULED_ACCURACY_SHARE)
        self._gradients_due = Cadence(GRADIENT_SECONDS, GRADIENT_SHARE)
        self._speedometer = Speedometer()

    # --- orders -------------------------------------------------------------------------------------------------------

    def obey(self, orders: Orders) -> None:
        if orders.generation != self.orders.generation:
            self._restart(orders)
            return
        before, self.orders = self.orders, orders
        if orders.steps_per_second != before.steps_per_second:
            self._next_step_at = self._clock()
        self._pictures.obey(orders, self._trainer)
        if not orders.measures <= before.measures:
            self._is_at_rest = False
        if self._trainer is not None:
            self._change_hyper(self._trainer.step_count, before.settings.hyper)
        if orders.settings.hyper != before.settings.hyper:  # the update that comes next is another
            self._shift_step = self._smoothness_step = -1
            self._is_at_rest &= not self.orders.measures
        if orders.settings != before.settings:
            self.outbox.tell(settings=orders.settings)
        self._play() if orders.is_playing else self._pause()
        self._report()

    def step(self, count: int) -> None:
        """Take so many steps more and then pause."""
        self._pause()
        self._has_failed = False
        self._steps_to_take += count
        self._is_at_rest = False
        self._report()

    def _play(self) -> None:
        if not self._is_playing and not self._is_finished and not self._is_at_end:
            self._is_playing, self._has_failed, self._notice = True, False, ""
            self._next_step_at = float("-inf")
            self._speedometer.reset()
            self._is_at_rest = False

    def _pause(self) -> None:
        self._is_playing = False
        self.orders = replace(self.orders, is_playing=False)

    def _restart(self, orders: Orders) -> None:
        self.orders = orders
        self._pictures.restart(orders, self._trainer)
        self._trainer, self._blob = None, None
        self._interventions = ()
        self._forget_measurements()
        self._is_playing = orders.is_playing
        self.outbox.begin(self._status(), settings=orders.settings, interventions=())

    def _change_hyper(self, step: int, before: HyperParams) -> None:
        """Record what changed; a second change at the same step takes the place of the first.

        Before the first step nothing has been trained with the old value, so there is nothing to mark.
        """
        now = self.orders.settings.hyper
        if now == before or step == 0:
            return
        earlier = {one.name: one for one in self._interventions if one.step == step}
        kept = [one for one in self._interventions if one.step != step]
        for name in (one.name for one in fields(HyperParams)):
            old = earlier[name].old if name in earlier else getattr(before, name)
            new = getattr(now, name)
            if new != old:
                kept.append(Intervention(step, name, old, new))
        self._interventions = tuple(kept)
        self.outbox.tell(interventions=self._interventions)

    def checkpoint(self) -> Checkpoint | None:
        """Everything to go on from here; None before the networks exist."""
        if self._trainer is None:
            return None
        progress = Progress(self.orders.settings, self._interventions, self._measured_step)
        blob = checkpoints.encode(self._trainer.checkpoint(), progress)
        return Checkpoint(self.orders.generation, self._trainer.step_count, blob)

    # --- time on the thread -------------------------------------------------------------------------------------------

    @property
    def is_training(self) -> bool:
        """Whether it has steps to take: it plays, or was asked for some."""
        return (self._is_playing or self._steps_to_take > 0) and not self._is_finished and not self._has_failed

    def due_at(self) -> float:
        """When it wants the thread next: never, if it rests."""
        if self._has_failed:
            return float("inf")
        if self._trainer is None:
            return float("-inf")
        if self.is_training:
            return float("-inf") if self._steps_to_take else self._next_step_at
        return float("inf") if self._is_at_rest else float("-inf")

    def slice(self, until: float, is_interrupted: Callable[[], bool], crowd: int) -> None:
        """Train and measure until a time, or until an order arrives; `crowd` runs share the thread."""
        if self._trainer is None:
            self._trainer = self._begin(crowd)
        trainer = self._trainer
        begun, self._measuring_seconds = self._clock(), 0.0
        while self.is_training and self.due_at() <= (now := self._clock()) < until and not is_interrupted():
            self._step(trainer, now)
            self._measure_if_due(trainer, crowd)
            self._measure_if_asked(trainer, crowd)
        self._share.add(self._clock() - begun, self._measuring_seconds)
        if not self.is_training and not self._is_at_rest:
            self._come_to_rest(trainer, crowd)
        self._report()

    def _begin(self, crowd: int) -> "Trainer":
        """Build the networks and measure them as they are, before the first step."""
        tensors, settings = None, self.orders.settings
        if self._blob is not None:
            tensors, progress = checkpoints.decode(self._blob)
            settings, self._interventions, self._measured_step = (
                progress.settings,
                progress.interventions,
                progress.measured_step,
            )
        trainer = self._build(settings.replace(device=Device.CPU) if self.orders.is_on_cpu else settings, tensors)
        self._blob = None
        if self._is_playing and self._is_beyond(trainer.step_count):  # saved at its end
            self._pause()
        self._pictures.built(trainer)
        self.outbox.tell(units=trainer.units, settings=self.orders.settings, interventions=self._interventions)
        self._change_hyper(trainer.step_count, settings.hyper)
        if trainer.step_count == 0:
            self._measure(trainer, crowd, is_scheduled=trainer.is_due)
            self._measure_gradients(trainer, crowd)
            self._measure_if_asked(trainer, crowd)
        return trainer

    def _step(self, trainer: "Trainer", now: float) -> None:
        trainer.step(self.orders.settings.hyper)
        if self._steps_to_take:
            self._steps_to_take -= 1
        elif self.orders.steps_per_second:
            earliest = max(self._next_step_at, now - LONGEST_LAG_SECONDS)
            self._next_step_at = earliest + 1 / self.orders.steps_per_second
        if self._is_playing and self._is_at_end:
            self._pause()
            self._is_at_rest = False
        if trainer.is_finished:
            self._steps_to_take, self._is_at_rest = 0, False
            self._notice = _how_it_ended(trainer)

    def _measure_if_due(self, trainer: "Trainer", crowd: int) -> None:
        """One thing after a step at most, so that no order waits for two."""
        now = self._clock()
        if trainer.is_due:
            with_accuracy = self._scheduled_accuracy_due.is_due(now)
            self._measure(trainer, crowd, is_scheduled=True, with_accuracy=with_accuracy)
        elif self._points_due.is_due(now):
            self._measure(trainer, crowd, is_scheduled=False, with_accuracy=self._accuracy_due.is_due(now))
        elif self._gradients_due.is_due(now):
            self._measure_gradients(trainer, crowd)
        else:
            self._pictures.begin_due(trainer, crowd)

    def _measure_if_asked(self, trainer: "Trainer", crowd: int) -> None:
        """What is measured where somebody wants it: at the same steps however fast the machine is."""
        measures = self.orders.measures
        if Measure.GRADIENTS in measures and trainer.is_due and self._gradient_step != trainer.step_count:
            self._measure_gradients(trainer, crowd)
        if Measure.SHIFT in measures and trainer.is_shift_due:
            self._measure_shift(trainer)
        if Measure.SMOOTHNESS in measures and trainer.is_smoothness_due:
            self._measure_smoothness(trainer)
        if Measure.SHARPNESS in measures and trainer.is_sharpness_due:
            self._pictures.add_sharpness(trainer)

    def _measure_shift(self, trainer: "Trainer") -> None:
        if self._shift_step != trainer.step_count:
            with self._timing():
                self.outbox.add(shift=trainer.shift(self.orders.settings.hyper))
            self._shift_step = trainer.step_count

    def _measure_smoothness(self, trainer: "Trainer") -> None:
        if self._smoothness_step != trainer.step_count:
            with self._timing():
                self.outbox.add(smoothness=trainer.smoothness(self.orders.settings.hyper))
            self._smoothness_step = trainer.step_count

    @contextlib.contextmanager
    def _timing(self) -> Iterator[None]:
        """Charge what happens inside to the measurements."""
        begun = self._clock()
        yield
        self._measuring_seconds += self._clock() - begun

    def _measure(self, trainer: "Trainer", crowd: int, is_scheduled: bool, with_accuracy: bool = True) -> None:
        begun = self._clock()
        trainer.measure_batch_accuracy(Measure.BATCH_ACCURACY in self.orders.measures)
        self.outbox.add(points=trainer.measure(is_scheduled, with_accuracy))
        ended = self._clock()
        self._measuring_seconds += ended - begun
        self._points_due.measured(begun, ended, crowd)
        if with_accuracy:
            self._measured_step = trainer.step_count
            self._accuracy_due.measured(begun, ended, crowd)
            self._scheduled_accuracy_due.measured(begun, ended, crowd)
        self._report()

    def _measure_gradients(self, trainer: "Trainer", crowd: int) -> None:
        begun = self._clock()
        self.outbox.add(gradients=trainer.gradients())
        self._gradient_step = trainer.step_count
        ended = self._clock()
        self._measuring_seconds += ended - begun
        self._gradients_due.measured(begun, ended, crowd)

    def _come_to_rest(self, trainer: "Trainer", crowd: int) -> None:
        """Measure once more, so that every chart ends at the present step."""
        if self._measured_step != trainer.step_count:
            self._measure(trainer, crowd, is_scheduled=False)
        if self._gradient_step != trainer.step_count:
            self._measure_gradients(trainer, crowd)
        if Measure.SHIFT in self.orders.measures:
            self._measure_shift(trainer)
        if Measure.SMOOTHNESS in self.orders.measures:
            self._measure_smoothness(trainer)
        if Measure.SHARPNESS in self.orders.measures:
            self._pictures.add_sharpness(trainer, is_at_rest=True)
        self._pictures.begin_at_rest(trainer)
        self._is_at_rest = True

    # --- pictures, in time that nobody else needs ---------------------------------------------------------------------

    @property
    def is_drawing(self) -> bool:
        return self._pictures.is_drawing

    @property
    def is_picture_awaited(self) -> bool:
        """Whether somebody sees nothing until a picture is drawn."""
        return self._pictures.is_awaited

    @property
    def is_picture_urgent(self) -> bool:
        """Whether one was asked for this moment."""
        return self._pictures.is_urgent

    def draw(self, until: float, is_interrupted: Callable[[], bool]) -> None:
        """Work on a picture until a time, or until an order arrives; what there is of it is told."""
        begun = self._clock()
        self._pictures.work(until, is_interrupted)
        if self.is_training:
            seconds = self._clock() - begun
            self._share.add(seconds, seconds)

    # --- what it tells ------------------------------------------------------------------------------------------------

    def fail(self, text: str) -> None:
        """Pause with a notice, after an error."""
        self._pause()
        self._steps_to_take = 0
        self._pictures.stop()
        self._has_failed, self._notice = True, text
        self._report()

    def lose_device(self, fault: str) -> None:
        """Leave it to the engine to have this run go on elsewhere: it has the last checkpoint."""
        self.fail(f"{fault}.")
        self.outbox.tell(device_fault=fault)

    @property
    def step_count(self) -> int:
        return self._trainer.step_count if self._trainer is not None else 0

    @property
    def _is_at_end(self) -> bool:
        """Whether it has come to the step up to which it was to play."""
        return self._is_beyond(self.step_count)

    def _is_beyond(self, step: int) -> bool:
        return self.orders.until_step is not None and step >= self.orders.until_step

    @property
    def _is_finished(self) -> bool:
        return self._trainer is not None and self._trainer.is_finished

    def _report(self) -> None:
        self.outbox.report(self._status())

    def _status(self) -> Status:
        phase = Phase.PAUSED
        if self._is_finished:
            phase = Phase.STOPPED
        elif self._is_playing:
            phase = Phase.PLAYING
        speed = self._speedometer.read(self._clock(), self.step_count) if phase is Phase.PLAYING else 0.0
        trainer = self._trainer
        return Status(
            phase=phase,
            generation=self.orders.generation,
            step=self.step_count,
            steps_per_second=speed,
            device=trainer.device_name if trainer is not None else "",
            health=trainer.health if trainer is not None else (Health(),) * len(lineup(self.orders.settings.model)),
            notice=self._notice,
            measuring=round(self._share.read(), 2) if phase is Phase.PLAYING else 0.0,
        )


def _how_it_ended(trainer: "Trainer") -> str:
    """Which layer of which competitor went non-finite first, and when."""
    ends = [
        f"{competitor.label} at step {health.since_step}, {_place(health, len(trainer.units) + 1)}"
        for competitor, health in zip(trainer.competitors, trainer.health, strict=True)
        if health.condition is Condition.DIVERGED
    ]
    return f"Every network has diverged: {'; '.join(ends)}. Lower the learning rate and reset to go on."


def _place(health: Health, layers: int) -> str:
    if health.layer is None:
        return f"first seen in the {health.what or 'loss'}"
    name = "the output layer" if health.layer == layers else f"layer {health.layer}"
    return f"first seen in the {health.what} of {name}"
