"""Lock-step training, one step at a time."""

from bnviz.training.loop import train
from bnviz.training.schedule import DENSE_STEPS, is_scheduled, shift_interval
from bnviz.training.sweep import run_cells
from bnviz.training.trainer import Trainer, device_of
from bnviz.training.trials import run_trials

__all__ = ["DENSE_STEPS", "Trainer", "device_of", "is_scheduled", "run_cells", "run_trials", "shift_interval", "train"]
