"""How smooth the loss is along the gradient: its range, the gradient's change and the effective smoothness beta.

Source: Santurkar et al. 2018, Figure 4. With g the gradient of the loss on one mini-batch with respect to all
parameters w, and steps a in STEP_SIZES x learning rate: L(w - a g), ||g - g(w - a g)||, and the latter / (a ||g||).

Shapes: K = networks, e = step sizes.
"""

from dataclasses import dataclass

import torch

from bnviz.config import HyperParams
from bnviz.measure.rehearsal import Rehearsal
from bnviz.models import Stack
from bnviz.records import STEP_SIZES, Floats


@dataclass(frozen=True)
class AlongGradient:
    """Of K networks; the fields of `records.Smoothness` by the same names."""

    learning_rate: Floats
    loss: Floats
    loss_along: Floats
    gradient_change: Floats
    beta: Floats


def along_gradient(stack: Stack, rehearsal: Rehearsal, hyper: HyperParams) -> AlongGradient:
    """The losses and gradients on the rehearsal's batch, which is run again at every step size."""
    rehearsal.differentiate(stack)
    loss, start = rehearsal.batch.loss.clone(), stack.parameters.flat
    gradient, rates = rehearsal.gradient.flat.clone(), stack.rates(hyper.learning_rate).clone()  # [K, P], [K, 1]
    probe, norm = rehearsal.after, gradient.norm(dim=1)
    losses, changes = [], []
    for size in STEP_SIZES:
        torch.addcmul(start, gradient, rates, value=-size, out=probe.parameters.flat)
        rehearsal.differentiate(probe)
        losses.append(rehearsal.batch.loss.nan_to_num(nan=torch.inf, posinf=torch.inf))
        change = (gradient - rehearsal.gradient.flat).norm(dim=1)
        changes.append(torch.where(losses[-1].isinf(), torch.inf, change))  # where the loss overflows, so does this
    change = torch.stack(changes, dim=1)
    distance = rates * torch.tensor(STEP_SIZES, dtype=rates.dtype, device=rates.device) * norm[:, None]
    parts = (rates[:, 0], loss, torch.stack(losses, dim=1), change, change / distance)
    return AlongGradient(*(part.cpu().numpy() for part in parts))
