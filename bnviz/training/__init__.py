"""Lock-step training, one step at a time."""

from bnviz.training.loop import train
from bnviz.training.schedule import DENSE_STEPS, is_scheduled, shift_interval
from bnviz.training.trainer import Trainer, device_of

__all__ = ["DENSE_STEPS", "Trainer", "device_of", "is_scheduled", "shift_interval", "train"]
