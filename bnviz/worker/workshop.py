"""Where trainers are built, from MNIST and settings, with clocks; what is slow only once happens in `warm`."""

import gc
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bnviz.config import (
    CostConfig,
    CousinsConfig,
    DepthConfig,
    Device,
    HyperParams,
    InputForm,
    LinearUnitConfig,
    Settings,
    StudyConfig,
    TrialsConfig,
    UntrainedConfig,
)
from bnviz.records import Study

MOST_STUDIES: Final = 8  # kept; untrained networks take 0.3 MB at 100 layers

if TYPE_CHECKING:
    from torch import Tensor

    from bnviz.training import Trainer


def build(settings: Settings, tensors: "dict[str, Tensor] | None" = None) -> "Trainer":
    """A trainer at step 0, or one that goes on from the tensors of a checkpoint."""
    from bnviz import data
    from bnviz.training import Trainer

    if tensors is None:
        return Trainer(settings, data.load(), clock=time.perf_counter)
    return Trainer.resume(settings, data.load(), tensors, clock=time.perf_counter)


_studies: OrderedDict[StudyConfig, Study] = OrderedDict()  # a whole class asks for the same


def measure_study(config: StudyConfig) -> Iterator[Study]:
    """A study, a little more of it at each item; what was measured lately is kept."""
    if config in _studies:
        yield _studies[config]
        return
    for item in _measured(config):
        yield item
    _studies[config] = item
    while len(_studies) > MOST_STUDIES:
        _studies.popitem(last=False)


def _measured(config: StudyConfig) -> Iterator[Study]:
    match config:
        case UntrainedConfig():
            return _measure_untrained(config)
        case LinearUnitConfig():
            return _measure_linear_unit(config)
        case TrialsConfig():
            return _run_trials(config)
        case DepthConfig():
            return _measure_depth(config)
        case CousinsConfig():
            return _run_cousins(config)
        case CostConfig():
            return _time_steps(config)


def _measure_depth(config: DepthConfig) -> Iterator[Study]:
    from bnviz.measure import depth

    return depth.measure_depth(config, *_first_training_images(depth.DEPTH_IMAGES))


def _run_trials(config: TrialsConfig) -> Iterator[Study]:
    from bnviz import data
    from bnviz.training import run_trials

    return run_trials(config, data.load())


def _run_cousins(config: CousinsConfig) -> Iterator[Study]:
    from bnviz import data
    from bnviz.training import run_cousins

    return run_cousins(config, data.load(), time.perf_counter)


def _time_steps(config: CostConfig) -> Iterator[Study]:
    """By the processor's time of this thread, in which all of a step is computed; a GPU's by the clock."""
    import torch

    from bnviz import data
    from bnviz.training import time_steps

    clock = time.perf_counter if torch.cuda.is_available() else time.thread_time
    return time_steps(config, data.load(), clock)


def _measure_linear_unit(config: LinearUnitConfig) -> Iterator[Study]:
    from bnviz import data
    from bnviz.measure import linear_unit

    return linear_unit.measure_linear_unit(config, data.load().train_images, data.BINARY_THRESHOLD)


def _measure_untrained(config: UntrainedConfig) -> Iterator[Study]:
    from bnviz.measure import untrained
    from bnviz.measure.gradients import GRADIENT_IMAGES

    return untrained.measure_untrained(config, *_first_training_images(GRADIENT_IMAGES))


def _first_training_images(count: int) -> "tuple[Tensor, Tensor]":
    """Binary images and their labels, on the device where there is one."""
    from bnviz import data
    from bnviz.training import device_of

    mnist = data.load()
    device = device_of(Device.AUTO)
    images, labels = mnist.inputs(InputForm.BINARY, device)[0], mnist.labels(device)[0]
    return images[:count], labels[:count]


def warm(worker_number: int = 0) -> str:
    """Prepare this process and this thread, so that the first Play is quick; the name of the device it trains on.

    Imports torch, loads MNIST and takes a step with every probe: what is slow only once is done before anybody waits.

    Args:
        worker_number: among the workers of this machine, which share its GPUs.
    """
    import torch

    torch.set_num_threads(1)  # bitwise reproducible with one thread, not between one and two
    if torch.cuda.is_available():
        torch.cuda.set_device(worker_number % torch.cuda.device_count())
    trainer = build(Settings())
    trainer.step(HyperParams())
    trainer.measure(is_scheduled=False)
    trainer.gradients()
    gc.collect()
    gc.freeze()  # with torch loaded a full collection takes 0.1 s, a visible stutter for every run here
    return trainer.device_name
