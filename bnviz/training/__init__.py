"""Lock-step training, one step at a time."""

from bnviz.training.cost import time_steps
from bnviz.training.cousins import run_cousins
from bnviz.training.figure_one import train_replicas
from bnviz.training.gpu import gpu_fault
from bnviz.training.loop import train
from bnviz.training.schedule import DENSE_STEPS, is_scheduled, shift_interval
from bnviz.training.sweep import train_cells
from bnviz.training.trainer import Trainer, device_of
from bnviz.training.trials import run_trials

__all__ = [
    "DENSE_STEPS",
    "Trainer",
    "device_of",
    "gpu_fault",
    "is_scheduled",
    "run_cousins",
    "run_trials",
    "shift_interval",
    "time_steps",
    "train",
    "train_cells",
    "train_replicas",
]
