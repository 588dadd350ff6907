"""One thread: what is bitwise with one need not be with two, and small products are faster."""

import torch

torch.set_num_threads(1)
