"""The time of a training step with BN and without it, over width and batch size, here and in plain PyTorch.

Shapes as in `records.cost`.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import torch

from bnviz.config import BATCHES_TIMED, SHAPES, TWINS, WIDTHS_TIMED, Competitor, CostConfig, Settings
from bnviz.config.cost import TIMED_SECONDS
from bnviz.data import Batches, Mnist
from bnviz.measure.compute_time import Clock
from bnviz.records import Cost, nothing_timed
from bnviz.training.bare import bare_network, bare_step
from bnviz.training.trainer import Trainer, device_of

WARMING: Final = 3  # steps before any is timed

Step = Callable[[], None]


def time_steps(config: CostConfig, mnist: Mnist, clock: Clock) -> Iterator[Cost]:
    """The record again and again, with more of it filled in each time; the last one is whole.

    Each network trains alone, on mini-batches of its own, and is thrown away. Those of one size are timed in turns, so
    that what else the machine does meets all of them. Between two items lie some tens of ms of work.

    Args:
        config: the networks, and how often.
        mnist: what they train on.
        clock: seconds, as `time.perf_counter` gives them, or `time.thread_time`: all is computed in one thread.
    """
    found = nothing_timed(config, torch.get_num_threads(), torch.cuda.is_available())
    turns = 0
    total = len(config.places) * config.repetitions
    for shape, width, batch in config.places:
        at = SHAPES.index(shape), WIDTHS_TIMED[shape].index(width), BATCHES_TIMED.index(batch)
        timed: list[Timed] = []
        for make in _makers(config.settings(shape, width, batch), mnist):
            timed.append(Timed(make(), clock))
            yield replace(found, done=turns / total, milliseconds=found.milliseconds.copy())
        for n in range(config.repetitions):
            turns += 1
            for way, one in enumerate(timed):
                e, k = divmod(way, len(TWINS))
                found.milliseconds[(*at, e, k, n)] = 1e3 * one.seconds_a_step()
                if (turns, way) != (total, len(timed) - 1):
                    yield replace(found, done=min(turns / total, 0.999), milliseconds=found.milliseconds.copy())
    yield replace(found, done=1.0)


def _makers(settings: Settings, mnist: Mnist) -> list[Callable[[], Step]]:
    """What makes a step of each network, loop by loop: [e x k]."""
    ours = [lambda one=one: _our_step(settings, mnist, one) for one in TWINS]
    bare = [lambda one=one: _bare_step(settings, mnist, one) for one in TWINS]
    return [*ours, *bare]


def _our_step(settings: Settings, mnist: Mnist, competitor: Competitor) -> Step:
    trainer = Trainer(settings, mnist, [competitor])
    return lambda: trainer.step(settings.hyper)


def _bare_step(settings: Settings, mnist: Mnist, competitor: Competitor) -> Step:
    """The same mini-batches through a network of PyTorch's modules."""
    model, hyper = settings.model, settings.hyper
    device = device_of(model.device)
    images, labels = mnist.inputs(model.input_form, device)[0], mnist.labels(device)[0]
    net = bare_network(model, competitor.normalization == TWINS[1].normalization).to(device)
    batches = Batches(model.seed, len(images))

    def step() -> None:
        index = batches.take(hyper.batch_size).to(device)
        bare_step(net, images[index], labels[index], hyper.learning_rate)

    return step


class Timed:
    """A step that is timed, so many at once that the clock and what comes between hardly count."""

    def __init__(self, step: Step, clock: Clock) -> None:
        self._step, self._clock = step, clock
        for _ in range(WARMING):
            step()
        self._count = 1
        self._count = min(max(math.ceil(TIMED_SECONDS / max(self.seconds_a_step(), 1e-6)), 1), 1000)

    def seconds_a_step(self) -> float:
        """Mean over the steps that are timed together."""
        _wait()
        start = self._clock()
        for _ in range(self._count):
            self._step()
        _wait()
        return (self._clock() - start) / self._count


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
