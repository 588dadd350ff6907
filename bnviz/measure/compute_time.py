"""Each competitor's own compute time: what its training would have cost without the others beside it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from bnviz.config import HyperParams
from bnviz.models import Activations, Stack, optimizers
from bnviz.models.optimizers import Optimizer
from bnviz.records import Floats

Clock = Callable[[], float]


class ComputeTime:
    """Forward, backward and update of each competitor alone, rehearsed on copies now and then, summed over the steps.

    Lock-step networks share every operation, so their shares cannot be read off the clock while they train.

    Args:
        count: competitors.
        clock: seconds, as `time.perf_counter` gives them; without one all times stay 0.
    """

    def __init__(self, count: int, clock: Clock | None) -> None:
        self._clock = clock
        self._seconds: Floats = np.zeros(count)
        self._seconds_a_step: Floats = np.zeros(count)
        self._step = 0  # up to which `_seconds` counts
        self._understudies: dict[int, Understudy] = {}

    def seconds(self, step: int) -> Floats:
        """Up to this step, the steps since the last rehearsal at its rate: [k]."""
        total: Floats = self._seconds + self._seconds_a_step * (step - self._step)
        return total

    @property
    def seconds_a_step(self) -> Floats:
        """Of each competitor, as it was rehearsed last; 0 before, and without a clock. [k]"""
        return self._seconds_a_step.copy()

    def rehearse(
        self,
        step: int,
        training: Sequence[int],
        stack: Stack,
        optimizer: Optimizer,
        last: Activations | None,
        hyper: HyperParams,
    ) -> None:
        """Time one step of each competitor on the mini-batch that was last, and charge it for the steps since.

        `training` names the competitor that each network of the stack is; nothing that is passed in changes.
        """
        if self._clock is None or last is None:
            return
        for place, k in enumerate(training):
            understudy = self._understudies.get(k)
            if understudy is None or understudy.batch.batch != last.batch:
                understudy = self._understudies[k] = Understudy(stack, place, last.batch)
            understudy.learn(stack, place, optimizer, last)
            self._seconds_a_step[k] = understudy.seconds(hyper, self._clock)
        self._seconds, self._step = self.seconds(step), step

    def state(self) -> Floats:
        """[2 k + 1], for `restore`."""
        state: Floats = np.concatenate([self._seconds, self._seconds_a_step, [self._step]])
        return state

    def restore(self, state: Floats) -> None:
        count = len(self._seconds)
        self._seconds, self._seconds_a_step = state[:count].copy(), state[count : 2 * count].copy()
        self._step = int(state[-1])


class Understudy:
    """One network alone, with buffers of its own, that can step while the real one waits."""

    def __init__(self, stack: Stack, place: int, batch: int) -> None:
        self._stack = stack.only([place])
        self._optimizer = optimizers.make_optimizer(self._stack)
        self.batch = self._stack.activations(batch)

    def learn(self, stack: Stack, place: int, optimizer: Optimizer, last: Activations) -> None:
        """Take over the network's present numbers and the mini-batch."""
        for mine, its in zip(self._stack.named(0).values(), stack.named(place).values(), strict=True):
            mine.copy_(its)
        self._optimizer.restore({name: state.only([place]) for name, state in optimizer.state.items()}, optimizer.count)
        self.batch.fill(last.images, last.labels, last.lit)

    def seconds(self, hyper: HyperParams, clock: Clock) -> float:
        """Of one step; a step before it warms the caches up."""
        self._step(hyper)
        _wait_for(self._stack.device)
        start = clock()
        self._step(hyper)
        _wait_for(self._stack.device)
        return clock() - start

    @torch.inference_mode()  # as the trainer steps
    def _step(self, hyper: HyperParams) -> None:
        if self.batch.lit is not None:
            self.batch.lit = replace(self.batch.lit)  # so that the lists it keeps are made again, as in every step
        self._stack.forward(self.batch)
        self._stack.loss(self.batch)
        self._optimizer.step(self._stack, self.batch, hyper)
        self._stack.update_running(self.batch, hyper.bn_momentum)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
