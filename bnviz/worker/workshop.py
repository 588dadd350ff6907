"""Where trainers are built, from MNIST and settings, with clocks; what is slow only once happens in `warm`."""

import gc
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bnviz.config import Device, HyperParams, InputForm, Settings, UntrainedConfig
from bnviz.records import Untrained

MOST_MEASURED: Final = 8  # pairs of untrained networks, 0.3 MB each at 100 layers

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


_measured: OrderedDict[UntrainedConfig, Untrained] = OrderedDict()  # a whole class asks for the same


def measure_untrained(config: UntrainedConfig) -> Iterator[Untrained]:
    """What is measured of two untrained networks, a little more at each item; what was measured lately is kept."""
    from bnviz import data
    from bnviz.measure import untrained
    from bnviz.measure.gradients import GRADIENT_IMAGES
    from bnviz.training import device_of

    if config in _measured:
        yield _measured[config]
        return
    mnist = data.load()
    device = device_of(Device.AUTO)
    images, labels = mnist.inputs(InputForm.BINARY, device)[0], mnist.labels(device)[0]
    for item in untrained.measure_untrained(config, images[:GRADIENT_IMAGES], labels[:GRADIENT_IMAGES]):
        yield item
    _measured[config] = item
    while len(_measured) > MOST_MEASURED:
        _measured.popitem(last=False)


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
