"""Internal covariate shift: how the update of the layers below changes a layer's gradient.

Source: Santurkar et al. 2018, Definition 2.1. With W_i the weights of layer i at step t and L the loss on that step's
mini-batch,

    G_i  = dL/dW_i at (W_1, ..., W_k) of step t
    G'_i = dL/dW_i at (W_1, ..., W_(i-1)) of step t + 1 and (W_i, ..., W_k) of step t

where the layers below i have taken their actual update, biases, gamma and beta included.

Shapes: K = networks, w = weight matrices.
"""

import torch
from torch import Tensor

from bnviz.config import HyperParams
from bnviz.measure.rehearsal import Rehearsal
from bnviz.models import Stack
from bnviz.models.optimizers import Optimizer
from bnviz.records import Floats


def covariate_shift(
    stack: Stack, optimizer: Optimizer, rehearsal: Rehearsal, hyper: HyperParams
) -> tuple[Floats, Floats, Floats]:
    """||G - G'||, ||G - G'|| / ||G|| and the cosine of the angle between them, [K, w] each, on the rehearsal's batch.

    The layers below i are computed once with the new weights, whatever i; from i on a pass with the old ones goes up to
    the loss and back to W_i alone.
    """
    rehearsal.differentiate(stack)
    rehearsal.update(stack, optimizer, hyper)
    updated, mixed = rehearsal.batch, rehearsal.mixed
    rehearsal.after.forward(updated)
    gradients = [*rehearsal.gradient.weights[:-1], rehearsal.gradient.padded_weights[-1]]
    nothing_below = torch.tensor([[0.0], [0.0], [1.0]], dtype=torch.float64, device=stack.device).expand(3, len(stack))
    readings = [nothing_below]
    for layer in range(1, len(gradients)):
        mixed.hidden[layer - 1].u.copy_(updated.hidden[layer - 1].u)
        stack.forward_from_inputs(mixed, layer)
        stack.loss(mixed)
        changed = torch.empty_like(gradients[layer])
        stack.weight_gradient(mixed, layer, out=changed)
        readings.append(_compared(gradients[layer], changed))
    change, relative, cosine = torch.stack(readings, dim=2).cpu().numpy()
    return change, relative, cosine


def _compared(gradient: Tensor, changed: Tensor) -> Tensor:
    """The three measures, [3, K], of two gradients [K, n_in, n_out]."""
    g, h = gradient.flatten(1).double(), changed.flatten(1).double()  # squares of small gradients are lost in float32
    change, norm = (g - h).norm(dim=1), g.norm(dim=1)
    cosine = (g * h).sum(dim=1) / (norm * h.norm(dim=1))
    return torch.stack([change, change / norm, cosine.clamp(-1, 1)])
