"""The step that training takes next, rehearsed on copies: what is measured of an update without making it."""

import torch

from bnviz.config import HyperParams
from bnviz.models import Collect, Parameters, Stack, optimizers
from bnviz.models.optimizers import Optimizer


class Rehearsal:
    """One mini-batch with the gradient of the loss on it, of all K networks of a stack, and the update that follows.

    Its buffers are kept from one rehearsal to the next; a new one is needed where networks or batch size have changed.

    Attributes:
        batch: the mini-batch, to be filled before each rehearsal.
        mixed: the same labels, noise and masks, for passes that begin at a hidden layer.
        gradient: of every parameter at the present weights.
        after: the networks after the update, once `update` has been called.
    """

    @torch.inference_mode(False)  # one that is made within a step may be written outside of it
    def __init__(self, stack: Stack, batch_size: int) -> None:
        self.batch, self.mixed = stack.activations(batch_size), stack.activations(batch_size)
        self.gradient: Parameters = stack.parameters.empty_like()
        self.after = stack.only(range(len(stack)))
        self._collect = Collect(self.gradient, stack.groups)

    def fits(self, stack: Stack, batch_size: int) -> bool:
        return len(self.after) == len(stack) and self.batch.batch == batch_size

    def differentiate(self, stack: Stack) -> None:
        """Loss and gradient at the stack's weights; `after` takes over its running statistics, which some train on."""
        if stack is not self.after:
            self.after.follow(stack)
        self.mixed.labels.copy_(self.batch.labels)
        if self.mixed.noise is not None and self.batch.noise is not None:
            for mine, drawn in zip(self.mixed.noise, self.batch.noise, strict=True):
                mine.copy_(drawn)
        if self.mixed.masks is not None and self.batch.masks is not None:
            self.mixed.masks.copy_(self.batch.masks)
        stack.forward(self.batch)
        stack.loss(self.batch)
        stack.backward(self.batch, self._collect)

    def update(self, stack: Stack, optimizer: Optimizer, hyper: HyperParams) -> None:
        """The stack's weights and its optimizer's step from them, after `differentiate`."""
        after = self.after
        after.parameters.flat.copy_(stack.parameters.flat)
        rehearsing = optimizers.only(optimizer, after, range(len(stack)))
        after.loss(self.batch)  # dl/dlogits once more: a backward pass overwrites what it starts from
        rehearsing.step(after, self.batch, hyper)
