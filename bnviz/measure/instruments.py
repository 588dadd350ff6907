"""All default probes of the networks that still train, behind one door."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from bnviz.config import PROBE_IMAGES, HyperParams, ModelConfig
from bnviz.measure import activations
from bnviz.measure.accuracy import TestAccuracy
from bnviz.measure.activations import Draw, Probe
from bnviz.measure.drift import Drift
from bnviz.measure.gradients import GRADIENT_IMAGES, NetworkGradient, probe_gradients
from bnviz.measure.weight_path import WeightPath
from bnviz.models import Batch, Draws, Stack, states_of
from bnviz.models.lit_pixels import lit_for
from bnviz.records import Floats, Ints


@dataclass(frozen=True)
class Readings:
    """What the probes say of K networks; the fields of `records.Point` by the same names, K leading."""

    accuracy: Floats | None
    batch_accuracy: Floats | None
    bands: Floats
    quantiles: Floats
    net_displacement: Floats
    path_length: Floats
    standardised_net_displacement: Floats
    standardised_path_length: Floats
    saturated: Floats
    dead: Floats


class Instruments:
    """The probes of a stack, and what they remember from point to point.

    The probe is the first 512 test images, whatever the seed; the gradients use the first 128 of them. Networks with
    noise or dropout are probed with that of the step, as they train; their test accuracy is without.
    """

    def __init__(self, stack: Stack, test_images: Tensor, test_labels: Tensor, units: Ints, hyper: HyperParams) -> None:
        self._units = units
        self.wants_batch_accuracy = False
        self._accuracy = TestAccuracy(stack.model, test_images, test_labels)
        self._probe, self._gradient_probe = (
            _first_images(stack.model, count, test_images, test_labels) for count in (PROBE_IMAGES, GRADIENT_IMAGES)
        )
        self._draws = Draws(stack.model.seed)
        self.restart_drift(stack, hyper)
        self.path = WeightPath(states_of(stack))

    def restart_drift(self, stack: Stack, hyper: HyperParams) -> None:
        """Measure the drift from these networks, which are at step 0, on."""
        stack.limit(hyper)
        self.drift = Drift(self._probe.sorted_inputs(stack, self._draw(0, hyper)))

    def _draw(self, step: int, hyper: HyperParams) -> Draw:
        return partial(self._draws.fill, step=step, hyper=hyper, kind=Batch.PROBE)

    def read(self, stack: Stack, step: int, hyper: HyperParams, is_scheduled: bool, with_accuracy: bool) -> Readings:
        """All readings, test accuracy where it is asked for.

        A scheduled reading also lengthens the drift's path and the path of the weights.
        """
        stack.limit(hyper)
        inputs = self._probe.sorted_inputs(stack, self._draw(step, hyper))
        pooled = activations.pooled(inputs)
        if is_scheduled:
            self.drift.advance(inputs)
            self.path.add(step, states_of(stack))
        net, standardised_net = self.drift.net(inputs)
        path, standardised_path = self.drift.path
        return Readings(
            accuracy=self._accuracy.measure(stack) if with_accuracy else None,
            batch_accuracy=self._batch_accuracy(stack) if with_accuracy else None,
            bands=activations.bands(inputs, self._units),
            quantiles=activations.quantiles(pooled),
            net_displacement=net,
            path_length=path,
            standardised_net_displacement=standardised_net,
            standardised_path_length=standardised_path,
            saturated=activations.saturated(pooled, stack.model),
            dead=activations.dead(inputs, stack.model),
        )

    def spread(self, stack: Stack, step: int, hyper: HyperParams) -> Floats:
        """Standard deviation of each hidden layer's inputs to the nonlinearity, over images and units: [K, l]."""
        stack.limit(hyper)
        return activations.spread(self._probe.sorted_inputs(stack, self._draw(step, hyper)))

    def _batch_accuracy(self, stack: Stack) -> Floats | None:
        """Where it is wanted, and beside networks with noise, which running statistics mislead: it takes its time."""
        is_wanted = self.wants_batch_accuracy or any(group.normalization.is_noisy for group in stack.groups)
        return self._accuracy.measure_with_batch_statistics(stack) if is_wanted else None

    def gradients(self, stack: Stack, step: int, hyper: HyperParams) -> list[NetworkGradient]:
        """The gradient of every weight matrix of every network on the 128 images."""
        stack.limit(hyper)
        return probe_gradients(stack, self._gradient_probe, self._draw(step, hyper))

    def keep_only(self, networks: Sequence[int]) -> None:
        """Forget the networks that have stopped."""
        self.drift = self.drift.only(networks)
        self.path = self.path.only(networks)

    def walk(self, stack: Stack, step: int) -> tuple[list[int], Tensor]:
        """The path of the networks so far, the present included: steps [p] and states [p, K, F]."""
        return self.path.until(step, states_of(stack))


def _first_images(model: ModelConfig, count: int, images: Tensor, labels: Tensor) -> Probe:
    lit = lit_for(model, images)
    return Probe(images[:count], labels[:count], None if lit is None else lit.take(torch.arange(count)))
