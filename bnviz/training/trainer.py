"""The trainer: K competitors, one step at a time."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from bnviz.config import (
    CLASSES,
    NOISE_SETTINGS,
    AnatomyConfig,
    Competitor,
    Device,
    Directions,
    HyperParams,
    LandscapeConfig,
    ModelConfig,
    Normalization,
    Settings,
    lineup,
)
from bnviz.data import Batches, Mnist
from bnviz.errors import ConfigError, DataError
from bnviz.measure.accuracy import TestAccuracy
from bnviz.measure.anatomy import anatomy
from bnviz.measure.compute_time import Clock, ComputeTime
from bnviz.measure.condition import WINDOW, ChanceWatch, first_not_finite, health_from_tensor, health_to_tensor
from bnviz.measure.gradients import NetworkGradient, gradient_record, update_ratios
from bnviz.measure.instruments import Instruments, Readings
from bnviz.measure.rehearsal import Rehearsal
from bnviz.measure.sharpness import sharpness
from bnviz.measure.shift import covariate_shift
from bnviz.measure.smoothness import along_gradient
from bnviz.measure.weight_path import Walk
from bnviz.models import Activations, Draws, Stack, initial_weights, make_optimizer, optimizers
from bnviz.models.captured import Captured, captured_on
from bnviz.models.lit_pixels import lit_for
from bnviz.records import (
    STEP_SIZES,
    Anatomy,
    Condition,
    Contour,
    Floats,
    Gradients,
    Health,
    Ints,
    Landscape,
    Point,
    Sharpness,
    Shift,
    Smoothness,
    kept_units,
    measure_shapes,
    no_anatomy,
)
from bnviz.training import schedule
from bnviz.training.gpu import gpu_fault
from bnviz.training.landscapes import Scene, contours, is_drawable, landscapes
from bnviz.training.means import Means

# What the probes at step 0 depended on, by its name in a checkpoint; one of an earlier version may lack some.
_AT_START: Final = {
    "noise_at_start": NOISE_SETTINGS,
    "limits_at_start": ("r_max", "d_max"),
    "dropout_at_start": ("dropout",),
}


def device_of(device: Device) -> torch.device:
    """The device to train on; `ConfigError` if it is CUDA and torch sees none."""
    has_cuda = torch.cuda.is_available()
    if device is Device.CUDA and not has_cuda:
        raise ConfigError("device = cuda, but this machine offers torch no CUDA device: choose cpu or auto.")
    return torch.device("cuda" if has_cuda and device is not Device.CPU else "cpu")


def _untrained(model: ModelConfig, competitors: Sequence[Competitor], images: Tensor) -> Stack:
    """The competitors at step 0; those that start from the same settings start from the same weights.

    images: [m, n_0], those of training, on the device to train on.
    """
    stack = Stack(
        model,
        [one.normalization for one in competitors],
        device=images.device,
        learning_rates=[one.learning_rate for one in competitors],
        has_dropout=[one.has_dropout for one in competitors],
    )
    starts: dict[ModelConfig, list[int]] = {}
    for k, competitor in enumerate(competitors):
        starts.setdefault(competitor.starts_from(model), []).append(k)
    for start, networks in starts.items():
        stack.set_weights(initial_weights(start, images), networks)
    return stack


class Trainer:
    """K competitors trained in lock-step on the same mini-batches: mathematics only, no clock and no thread.

    Pausing is not calling `step`. Measuring never changes training, bit for bit.

    Args:
        competitors: those of the settings unless given.
        clock: seconds, as `time.perf_counter` gives them. With one, each competitor's own step is timed alone at
            scheduled points (a rehearsal on copies) and summed up as its compute time; without one that stays 0.

    Attributes:
        settings: the model, fixed, and the newest hyper-parameters used.
        step_count: lock-steps taken. A step at which a competitor diverges counts.
        images_seen: by each competitor that still trains.
        units: [l, u] whose bands are kept.
        training_set: images [training_images, 784] in the run's input form, and labels.
        test_set: images [10000, 784] in the run's input form, and labels [10000].
    """

    def __init__(
        self,
        settings: Settings,
        mnist: Mnist,
        competitors: Sequence[Competitor] | None = None,
        clock: Clock | None = None,
    ) -> None:
        model = settings.model
        self.settings, self.competitors = settings, tuple(competitors or lineup(model))
        self.step_count = self.images_seen = 0
        self.units: Ints = kept_units(model.hidden_layers, model.width)
        self._device = device_of(model.device)
        images, test_images = mnist.inputs(model.input_form, self._device)
        labels, test_labels = mnist.labels(self._device)
        self._mnist = (images, labels, test_images, test_labels)
        self.training_set = (images[: model.training_images], labels[: model.training_images])
        self.test_set = (test_images, test_labels)
        self._images, self._labels = self.training_set
        self._lit = lit_for(model, images)  # of all: the training images are the first of them
        self._batches = self._order()
        self._stack = _untrained(model, self.competitors, self._images)
        self._optimizer = make_optimizer(self._stack)
        self._draws, self._at_start = Draws(model.seed), settings.hyper  # where the drift is measured from
        self._instruments = Instruments(self._stack, test_images, test_labels, self.units, settings.hyper)
        self._rehearsal: Rehearsal | None = None
        self._captured_forward, self._captured_update = (self._new_captured() for _ in range(2))
        self._batch: Activations | None = None  # buffers of the present batch size
        self._last: Activations | None = None  # as the last step left them
        count = len(self.competitors)
        self._training = list(range(count))  # competitors in the stack, in its order
        self._stopped: dict[int, dict[str, Tensor]] = {}  # weights of the diverged, as they were
        self._health = [Health() for _ in range(count)]
        self._watches = [ChanceWatch() for _ in range(count)]
        self._means = Means(count)
        self._update_ratio: Floats = np.full((count, model.hidden_layers + 1), np.nan)  # as resumed from
        self._point: Point | None = None
        self._has_accuracy = False  # the newest point
        self._compute_time = ComputeTime(count, clock)

    def _new_captured(self) -> Captured:
        """What records a step, unless one of the networks asks the device for an answer in the middle of it."""
        is_recordable = not any(group.normalization.whitens for group in self._stack.groups)
        return captured_on(self._device) if is_recordable else Captured(None)

    # --- training -----------------------------------------------------------------------------------------------------

    @property
    def device_name(self) -> str:
        """ "CPU" or the GPU's name."""
        return torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else "CPU"

    @property
    def health(self) -> tuple[Health, ...]:
        """The condition of every competitor."""
        return tuple(self._health)

    @property
    def is_finished(self) -> bool:
        """Whether every competitor has diverged: nothing is left to step."""
        return not self._training

    @property
    def is_due(self) -> bool:
        """Whether the schedule wants a measurement at this step."""
        return schedule.is_scheduled(self.step_count)

    @torch.inference_mode()  # without autograd's bookkeeping, which takes a twentieth of a step
    def step(self, hyper: HyperParams) -> None:
        """One mini-batch for all competitors that still train. One whose loss is not finite stops before the update."""
        if not self._training:
            return
        if hyper is not self.settings.hyper and hyper != self.settings.hyper:
            self.settings = Settings(self.settings.model, hyper)
        index = self._batches.take(hyper.batch_size)
        batch, losses, accuracies = self._forward(index)
        while not all(map(math.isfinite, losses)):
            self._stop([place for place, loss in enumerate(losses) if not math.isfinite(loss)], batch)
            if not self._training:
                break
            batch, losses, accuracies = self._forward(index)
        self.step_count += 1
        self.images_seen += hyper.batch_size
        self._means.step()
        if not self._training:
            return
        self._update(batch, hyper)
        self._last = batch
        for k, loss, accuracy in zip(self._training, losses, accuracies, strict=True):
            self._means.add(k, loss, accuracy)
            self._watch(k, accuracy * hyper.batch_size, hyper.batch_size)

    def _forward(self, index: Tensor) -> tuple[Activations, list[float], list[float]]:
        """The mini-batch through every network: its buffers, losses and accuracies.

        Reading them is the step's one look at the device: on a GPU it waits for the forward pass, so that a diverged
        network stops with its weights untouched.
        """
        batch = self._batch
        if batch is None or batch.batch != len(index):
            batch = self._batch = self._stack.activations(len(index))
        self._stack.limit(self.settings.hyper)
        batch.index.copy_(index, non_blocking=True)
        self._draws.fill(batch, self.step_count, self.settings.hyper)
        self._captured_forward(lambda: self._forward_work(batch), key=batch)
        losses, accuracies = batch.report.tolist()
        return batch, losses, accuracies

    def _forward_work(self, batch: Activations) -> None:
        batch.select(self._images, self._labels, self._lit)
        self._stack.forward(batch)
        self._stack.loss(batch)

    def _update(self, batch: Activations, hyper: HyperParams) -> None:
        self._optimizer.prepare(self._stack, hyper)
        key = (batch, hyper.momentum, hyper.weight_decay, hyper.bn_momentum)  # the learning rates stand in a tensor
        self._captured_update(lambda: self._update_work(batch, hyper), key)

    def _update_work(self, batch: Activations, hyper: HyperParams) -> None:
        self._optimizer.apply(self._stack, batch, hyper)
        self._stack.update_running(batch, hyper.bn_momentum)

    def _watch(self, k: int, hits: float, images: int) -> None:
        """Note a competitor's step; it stalls or recovers."""
        watch = self._watches[k]
        watch.add(hits, images)
        is_stalled = self._health[k].condition is Condition.STALLED
        if watch.is_at_chance and not is_stalled:
            self._health[k] = Health(Condition.STALLED, since_step=self.step_count - WINDOW)
        elif is_stalled and not watch.is_at_chance:
            self._health[k] = Health()

    def _stop(self, places: Sequence[int], batch: Activations) -> None:
        """Take diverged networks out of the stack; the others go on as they would have."""
        for place in places:
            cause = first_not_finite(self._stack, place, batch, self._last)
            since = self.step_count + (0 if cause.was_step_before else 1)
            k = self._training[place]
            self._health[k] = Health(Condition.DIVERGED, since, cause.layer, cause.what)
            self._stopped[k] = {name: value.clone() for name, value in self._stack.named(place).items()}
        self._keep_only([place for place in range(len(self._stack)) if place not in places])

    def _keep_only(self, places: list[int]) -> None:
        self._training = [self._training[place] for place in places]
        self._batch = self._last = None
        if places:
            stack = self._stack.only(places)
            self._optimizer = optimizers.only(self._optimizer, stack, places)
            self._stack = stack
            self._instruments.keep_only(places)

    # --- measuring ----------------------------------------------------------------------------------------------------

    def measure(self, is_scheduled: bool, with_accuracy: bool = True) -> Point:
        """Everything measured at this step. Only a scheduled measurement lengthens the drift's path.

        Test accuracy takes two thirds of the time: without it a point is light enough for several a second.
        """
        if self._point is not None and self._is_enough(self._point, is_scheduled, with_accuracy):
            return self._point
        # One that was scheduled stays so when it is measured again with its accuracy; its path is not lengthened twice.
        was_scheduled = self._point is not None and self._point.step == self.step_count and self._point.is_scheduled
        is_new = is_scheduled and not was_scheduled
        loss, train_accuracy = (self._spread(row[self._training], "loss") for row in self._means.read())
        if is_new:
            self._rehearse_alone()
        readings: dict[str, Floats] = {}
        if not self.is_finished:
            with np.errstate(over="ignore", invalid="ignore"):  # of a network that is about to diverge
                readings = vars(self._read(is_new, with_accuracy))
        names = set(measure_shapes(1, 1, 1)) - {
            "step",
            "images",
            "is_scheduled",
            "compute_seconds",
            "loss",
            "train_accuracy",
        }
        measures = {name: self._spread(readings.get(name), name) for name in names - {"update_ratio"}}
        self._point = Point(
            step=self.step_count,
            images=self.images_seen,
            is_scheduled=is_scheduled or was_scheduled,
            compute_seconds=self._spread(
                self._compute_time.seconds(self.step_count)[self._training], "compute_seconds"
            ),
            loss=loss,
            train_accuracy=train_accuracy,
            update_ratio=self._latest_update_ratio(),
            **measures,
        )
        self._has_accuracy = with_accuracy
        return self._point

    def _rehearse_alone(self) -> None:
        """Time a step of each competitor without the others beside it."""
        self._compute_time.rehearse(
            self.step_count, self._training, self._stack, self._optimizer, self._last, self.settings.hyper
        )

    def accuracy_on(self, images: TestAccuracy, has_batch_statistics: bool = False) -> Floats:
        """Share of images classified correctly, at inference or with their own statistics: [K]; NaN if stopped."""
        found = np.full(len(self.competitors), np.nan)
        if not self.is_finished:
            self._stack.limit(self.settings.hyper)
            measure = images.measure_with_batch_statistics if has_batch_statistics else images.measure
            with torch.inference_mode(), np.errstate(over="ignore", invalid="ignore"):
                found[self._training] = measure(self._stack)
        return found

    def probabilities_on(self, images: TestAccuracy) -> Floats:
        """Softmax outputs at inference: [K, count, 10]; NaN if stopped."""
        found = np.full((len(self.competitors), len(images), CLASSES), np.nan)
        if not self.is_finished:
            self._stack.limit(self.settings.hyper)
            with torch.inference_mode(), np.errstate(over="ignore", invalid="ignore"):
                found[self._training] = images.probabilities(self._stack)
        return found

    def seconds_a_step(self) -> Floats:
        """Of each competitor's own step, timed alone now: [K]; NaN if stopped, before any step or without a clock."""
        found = np.full(len(self.competitors), np.nan)
        if self._last is not None:
            self._rehearse_alone()
            seconds = self._compute_time.seconds_a_step[self._training]
            found[self._training] = np.where(seconds > 0, seconds, np.nan)
        return found

    def spread(self) -> Floats:
        """Standard deviation of each hidden layer's inputs to g, on the probe: [K, l]; NaN once stopped."""
        found = np.full((len(self.competitors), self.settings.model.hidden_layers), np.nan)
        if not self.is_finished:
            with np.errstate(over="ignore", invalid="ignore"):
                found[self._training] = self._instruments.spread(self._stack, self.step_count, self.settings.hyper)
        return found

    def _order(self, epoch: int = 0, position: int = 0) -> Batches:
        """In which the images are seen, from somewhere in an epoch on."""
        model = self.settings.model
        return Batches(model.seed, len(self._images), epoch, position, model.sampling, self._labels)

    def measure_batch_accuracy(self, is_wanted: bool) -> None:
        """Whether test accuracy is measured with batch statistics too, from the next point on."""
        self._instruments.wants_batch_accuracy = is_wanted

    def _read(self, is_scheduled: bool, with_accuracy: bool) -> Readings:
        return self._instruments.read(self._stack, self.step_count, self.settings.hyper, is_scheduled, with_accuracy)

    def _is_enough(self, point: Point, is_scheduled: bool, with_accuracy: bool) -> bool:
        """Whether the newest point is what is asked for."""
        is_whole = self._has_accuracy or not with_accuracy
        return point.step == self.step_count and is_whole and (point.is_scheduled or not is_scheduled)

    def gradients(self) -> Gradients:
        """Histograms of the gradient of every weight matrix on the first 128 probe images, at this step."""
        found: dict[int, NetworkGradient] = {}
        if not self.is_finished:
            gradients = self._instruments.gradients(self._stack, self.step_count, self.settings.hyper)
            found = dict(zip(self._training, gradients, strict=True))
        matrices = self.settings.model.hidden_layers + 1
        with np.errstate(over="ignore", invalid="ignore"):
            return gradient_record(self.step_count, [found.get(k) for k in range(len(self.competitors))], matrices)

    @property
    def is_shift_due(self) -> bool:
        """Whether the covariate shift is to be measured at this step, where it is asked for."""
        return schedule.is_shift_due(self.step_count, len(self.units) + 1)

    @property
    def is_smoothness_due(self) -> bool:
        """Whether the smoothness is to be measured at this step, where it is asked for."""
        return schedule.is_smoothness_due(self.step_count)

    @property
    def is_sharpness_due(self) -> bool:
        """Whether the sharpness is to be measured at this step, where it is asked for."""
        return schedule.is_sharpness_due(self.step_count)

    @torch.inference_mode()
    def shift(self, hyper: HyperParams | None = None) -> Shift:
        """Internal covariate shift by the update that comes next, with these hyper-parameters or those last used."""
        values = np.full((3, len(self.competitors), len(self.units) + 1), np.nan)
        if not self.is_finished:
            hyper = hyper or self.settings.hyper
            found = covariate_shift(self._stack, self._optimizer, self._rehearse(hyper), hyper)
            values[:, self._training] = np.stack(found)
        return Shift(self.step_count, *values)

    @torch.inference_mode()
    def smoothness(self, hyper: HyperParams | None = None) -> Smoothness:
        """The loss and its gradient along the gradient, on the mini-batch that comes next."""
        count, sizes = len(self.competitors), len(STEP_SIZES)
        values: dict[str, Floats] = {name: np.full(count, np.nan) for name in ("learning_rate", "loss")}
        values |= {name: np.full((count, sizes), np.nan) for name in ("loss_along", "gradient_change", "beta")}
        if not self.is_finished:
            hyper = hyper or self.settings.hyper
            found = along_gradient(self._stack, self._rehearse(hyper), hyper)
            for name, value in values.items():
                value[self._training] = getattr(found, name)
        return Smoothness(self.step_count, **values)

    def _rehearse(self, hyper: HyperParams) -> Rehearsal:
        """The next mini-batch, and the noise and masks that go with it, where training does not see them."""
        rehearsal = self._rehearsal
        if rehearsal is None or not rehearsal.fits(self._stack, hyper.batch_size):
            rehearsal = self._rehearsal = Rehearsal(self._stack, hyper.batch_size)
        self._stack.limit(hyper)
        batch = rehearsal.batch
        batch.index.copy_(self._batches.peek(hyper.batch_size))
        batch.select(self._images, self._labels, self._lit)
        self._draws.fill(batch, self.step_count, hyper)
        return rehearsal

    def sharpness(self, hyper: HyperParams | None = None) -> Iterator[Sharpness]:
        """The largest eigenvalue of the Hessian on the first training images; a few ms an item, the last one whole.

        It works on a copy of the weights as they are at this call, so training may go on between two items.
        """
        rates, training = np.full(len(self.competitors), np.nan), list(self._training)
        if self.is_finished:
            return iter([Sharpness(self.step_count, rates, rates, rates)])
        stack = self._stack.only(range(len(self._stack)))
        rates[training] = stack.rates((hyper or self.settings.hyper).learning_rate)[:, 0].cpu().numpy()
        return self._sharpnesses(stack, training, self.step_count, rates)

    def _sharpnesses(self, stack: Stack, training: list[int], step: int, rates: Floats) -> Iterator[Sharpness]:
        count = stack.model.sharpness_images
        images, labels = self._images[:count], self._labels[:count]
        for found in sharpness(stack, images, labels):
            eigenvalue, residual = np.full((2, len(self.competitors)), np.nan)
            eigenvalue[training], residual[training] = found
            yield Sharpness(step, rates, eigenvalue, residual)

    def contour(self, directions: Directions, side: int = 21) -> Iterator[Contour]:
        """The loss on a plane through the present weights, coarse first; each item is a few ms further, the last whole.

        It works on a copy of the weights as they are at this call, so training may go on between two items.
        """
        if self.is_finished:
            return iter(())
        model = self.settings.model
        config = LandscapeConfig(directions, resolution=side, images=model.contour_images, seed=model.seed)
        return contours(self._scene(), config)

    def landscape(self, config: LandscapeConfig, earlier: Walk | None = None) -> Iterator[Landscape]:
        """The same with a choice of planes, batches and statistics, and along two lines; see `landscapes`.

        Args:
            config: what is to be seen.
            earlier: where the run before this one has been, of networks of the same sizes.
        """
        if self.is_finished:
            text = "Every network has diverged, so there are no weights to look around. Reset the run."
            return iter([Landscape(self.step_count, config, config.directions, config.statistics, 1.0, text)])
        return landscapes(self._scene(), config, earlier)

    def anatomy(self, config: AnatomyConfig) -> Iterator[Anatomy]:
        """A mini-batch on its way through one BN layer; a few ms further at each item, the last one whole.

        Of the first network with BN that still trains, without dropout: on a copy of its weights as they are at this
        call, so training may go on between two items. The images are those of the whole training set, however few of
        them are trained on.
        """
        with_bn = [k for k, one in enumerate(self.competitors) if one.normalization is Normalization.BATCH]
        places = [place for place, k in enumerate(self._training) if k in with_bn]
        if not places:
            return iter([no_anatomy(config, self.step_count, self._why_no_bn(with_bn))])
        name, stack = self.competitors[self._training[places[0]]].name, self._stack.only(places[:1])
        return anatomy(config, stack, name, self.step_count, *self._mnist)

    def _why_no_bn(self, with_bn: list[int]) -> str:
        if not with_bn:
            compared = ", ".join(one.label for one in self.competitors)
            return f"This run compares {compared}: none of them has a BN layer. Compare a network with BN and reset."
        label, since = self.competitors[with_bn[0]].label, self._health[with_bn[0]].since_step
        return f"The network {label} diverged at step {since}: it is out of the run. Lower the learning rate and reset."

    def walk(self) -> Walk:
        """Where the networks that still train have been and are, as far as is kept."""
        steps, states = self._instruments.walk(self._stack, self.step_count)
        return Walk(steps, tuple(self.competitors[k].name for k in self._training), states)

    def _scene(self) -> Scene:
        """The networks that can be drawn, copied."""
        stack, walk = self._stack, self.walk()
        places = [place for place in range(len(stack)) if is_drawable(walk.states[-1, place])]
        training = tuple(self._training[place] for place in places)
        walk = Walk(walk.steps, tuple(walk.names[place] for place in places), walk.states[:, places])
        return Scene(
            self.step_count, len(self.competitors), training, stack.only(places), walk, self._images, self._labels
        )

    def _spread(self, values: Floats | None, name: str) -> Floats:
        """Values of the networks in the stack as values of all competitors: NaN for those that have stopped."""
        layers, kept = self.units.shape
        spread = np.full(measure_shapes(len(self.competitors), layers, kept)[name], np.nan)
        if values is not None:
            spread[self._training] = values
        return spread

    def _latest_update_ratio(self) -> Floats:
        if self._last is None:
            return self._spread(self._update_ratio[self._training], "update_ratio")
        change = self._optimizer.weight_change(self._stack, self._last)
        return self._spread(update_ratios(self._stack, change), "update_ratio")

    # --- checkpoints --------------------------------------------------------------------------------------------------

    def checkpoint(self) -> dict[str, Tensor]:
        """All that is needed to go on bit for bit, by name, on the CPU.

        The snapshots that draw the path on a contour are not among it: after `resume` the path goes from the initial
        weights straight to the present ones.
        """
        numbers = {
            "step": self.step_count,
            "images_seen": self.images_seen,
            "epoch": self._batches.epoch,
            "position": self._batches.position,
            "optimizer_count": self._optimizer.count,
        }
        tensors = {name: torch.tensor(float(number), dtype=torch.float64) for name, number in numbers.items()}
        arrays = {
            "means": self._means.state(),
            "compute_time": self._compute_time.state(),
            "update_ratio": self._latest_update_ratio(),
        }
        arrays |= {key: np.array([getattr(self._at_start, name) for name in names]) for key, names in _AT_START.items()}
        tensors |= {name: torch.tensor(array) for name, array in arrays.items()}
        for k, competitor in enumerate(self.competitors):
            tensors |= {f"{competitor.name}/{name}": value for name, value in self._competitor_state(k).items()}
        return tensors

    def _competitor_state(self, k: int) -> dict[str, Tensor]:
        state = {"health": health_to_tensor(self._health[k]), "chance": self._watches[k].state()}
        if k in self._stopped:
            return state | self._stopped[k]
        place = self._training.index(k)
        state |= self._stack.named(place)
        for kind, moments in self._optimizer.state.items():
            state |= {f"{kind}/{name}": value for name, value in moments.named(place).items()}
        drift = self._instruments.drift
        state["drift_previous"] = torch.from_numpy(drift.previous[place])
        state["drift_path"] = torch.from_numpy(drift.path[:, place])
        return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}

    @classmethod
    def resume(
        cls,
        settings: Settings,
        mnist: Mnist,
        tensors: dict[str, Tensor],
        competitors: Sequence[Competitor] | None = None,
        clock: Clock | None = None,
    ) -> "Trainer":
        """A trainer that goes on from a checkpoint, bit for bit; `DataError` if the tensors do not fit the settings."""
        trainer = cls(settings, mnist, competitors, clock)
        try:
            trainer._restore(tensors)
        except (KeyError, ValueError, IndexError, RuntimeError) as error:
            if gpu_fault(error) is not None:
                raise
            raise DataError(f"The checkpoint does not fit these settings ({error}): start the run again.") from None
        return trainer

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self.step_count, self.images_seen = int(tensors["step"]), int(tensors["images_seen"])
        epoch, position = int(tensors["epoch"]), int(tensors["position"])
        self._batches = self._order(epoch, position)
        if "loss_sum" not in tensors:  # saved by an earlier version: the means begin anew
            self._means.restore(tensors["means"].numpy())
        self._update_ratio = tensors["update_ratio"].numpy()
        self._compute_time.restore(tensors["compute_time"].numpy())
        for key, settings in _AT_START.items():
            if key in tensors:
                self._at_start = replace(self._at_start, **dict(zip(settings, tensors[key].tolist(), strict=True)))
        self._instruments.restart_drift(self._stack, self._at_start)
        for k, competitor in enumerate(self.competitors):
            self._health[k] = health_from_tensor(tensors[f"{competitor.name}/health"])
            self._watches[k].restore(tensors[f"{competitor.name}/chance"])
        for k in [k for k, health in enumerate(self._health) if health.condition is Condition.DIVERGED]:
            names = self._stack.named(k)
            self._stopped[k] = {name: tensors[f"{self.competitors[k].name}/{name}"].clone() for name in names}
        self._keep_only([k for k in range(len(self.competitors)) if k not in self._stopped])
        if not self.is_finished:
            self._restore_networks(tensors)

    def _restore_networks(self, tensors: dict[str, Tensor]) -> None:
        names = [self.competitors[k].name for k in self._training]
        for place, competitor in enumerate(names):
            for name, value in self._stack.named(place).items():
                value.copy_(tensors[f"{competitor}/{name}"])
        state = {}
        for kind in ("velocity", "first_moment", "second_moment"):
            if f"{names[0]}/{kind}/weight.1" in tensors:
                state[kind] = self._stack.parameters.empty_like()
                for place, competitor in enumerate(names):
                    for name, value in state[kind].named(place).items():
                        value.copy_(tensors[f"{competitor}/{kind}/{name}"])
        self._optimizer.restore(state, int(tensors["optimizer_count"]))
        previous = np.stack([tensors[f"{competitor}/drift_previous"].numpy() for competitor in names])
        path = np.stack([tensors[f"{competitor}/drift_path"].numpy() for competitor in names], axis=1)
        self._instruments.drift.resume(previous, path)
