"""Training without the app."""

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from bnviz import data
from bnviz.config import Competitor, Directions, Measure, Settings
from bnviz.data import Mnist
from bnviz.records import SERIES, HistoryBuilder, Phase, Point, Run, Status, appended
from bnviz.training.trainer import Trainer


def train(
    settings: Settings,
    steps: int,
    competitors: Sequence[Competitor] | None = None,
    mnist: Mnist | None = None,
    on_point: Callable[[Point], None] | None = None,
    measures: Collection[Measure] = (),
) -> Run:
    """Train without the app: `steps` lock-steps, measured on the schedule and at the end.

    `mnist` is the shipped one unless given; `on_point` is called with every point as it is measured. The run that comes
    back is whole: history, gradients at the start and now, the contour at the last step, and the `measures` asked for.
    """
    trainer = Trainer(settings, mnist or data.load(), competitors, clock=time.perf_counter)
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
            *_, sharpness = trainer.sharpness()
            add("sharpness", sharpness)

    measure(is_last=steps == 0)
    while trainer.step_count < steps and not trainer.is_finished:
        trainer.step(settings.hyper)
        measure(is_last=trainer.step_count == steps or trainer.is_finished)
    *_, contour = trainer.contour(Directions.PATHS)
    phase = Phase.STOPPED if trainer.is_finished else Phase.PAUSED
    run = Run(
        run_id="local",
        settings=settings,
        status=Status(phase, 0, trainer.step_count, 0.0, trainer.device_name, trainer.health),
        history=history.history(),
        contour=contour,
    )
    return run.replace(**series)
