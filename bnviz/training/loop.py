"""Training without the app."""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from bnviz import data
from bnviz.config import AnatomyConfig, Competitor, Directions, LandscapeConfig, Measure, Settings
from bnviz.data import Mnist
from bnviz.records import SERIES, HistoryBuilder, Phase, Point, Run, Status, appended
from bnviz.training.trainer import Trainer

T = TypeVar("T")


def train(
    settings: Settings,
    steps: int,
    competitors: Sequence[Competitor] | None = None,
    mnist: Mnist | None = None,
    on_point: Callable[[Point], None] | None = None,
    measures: Collection[Measure] = (),
    landscape: LandscapeConfig | None = None,
    anatomy: AnatomyConfig | None = None,
) -> Run:
    """Train without the app: `steps` lock-steps, measured on the schedule and at the end.

    `mnist` is the shipped one unless given; `on_point` is called with every point as it is measured. The run that comes
    back is whole: history, gradients at the start and now, the contour at the last step, and what is asked for besides:
    the `measures`, and a `landscape` and an `anatomy` at the last step.
    """
    trainer = Trainer(settings, mnist or data.load(), competitors, clock=time.perf_counter)
    trainer.measure_batch_accuracy(Measure.BATCH_ACCURACY in measures)
    history = HistoryBuilder(trainer.competitors, trainer.units)
    series: dict[str, tuple[Any, ...]] = dict.fromkeys(SERIES, ())

    def add(name: str, record: Any) -> None:
        series[name] = appended(series[name], record, SERIES[name])

    def measure(is_last: bool) -> None:
        if trainer.is_due or is_last:
            point = trainer.measure(trainer.is_due)
            history.append(point)
            if on_point is not None:
                on_point(point)
        if trainer.step_count == 0 or is_last or (Measure.GRADIENTS in measures and trainer.is_due):
            add("gradients", trainer.gradients())
        if Measure.SHIFT in measures and trainer.is_shift_due:
            add("shift", trainer.shift())
        if Measure.SMOOTHNESS in measures and trainer.is_smoothness_due:
            add("smoothness", trainer.smoothness())
        if Measure.SHARPNESS in measures and trainer.is_sharpness_due:
            add("sharpness", _last(trainer.sharpness()))

    measure(is_last=steps == 0)
    while trainer.step_count < steps and not trainer.is_finished:
        trainer.step(settings.hyper)
        measure(is_last=trainer.step_count == steps or trainer.is_finished)
    contour = _last(trainer.contour(Directions.PATHS))
    phase = Phase.STOPPED if trainer.is_finished else Phase.PAUSED
    run = Run(
        run_id="local",
        settings=settings,
        status=Status(phase, 0, trainer.step_count, 0.0, trainer.device_name, trainer.health),
        history=history.history(),
        contour=contour,
        landscape=None if landscape is None else _last(trainer.landscape(landscape)),
        anatomy=None if anatomy is None else _last(trainer.anatomy(anatomy)),
    )
    return run.replace(**series)


def _last(items: Iterable[T]) -> T | None:
    """The newest of what grows; None where there is nothing."""
    newest = deque(items, maxlen=1)
    return newest[0] if newest else None
