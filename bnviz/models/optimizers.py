"""How the gradient becomes a step: SGD and Adam with PyTorch's semantics."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from bnviz.config import HyperParams
from bnviz.config import Optimizer as OptimizerName
from bnviz.models.activations import Activations
from bnviz.models.parameters import Parameters
from bnviz.models.stack import Collect, ParameterParts, Stack


class Optimizer(Protocol):
    """Turns one backward pass into one step of all K networks, in place.

    Attributes:
        state: what it remembers of every parameter, by name; empty if nothing.
        count: steps taken, where the rule depends on it.
    """

    state: dict[str, Parameters]
    count: int

    def step(self, stack: Stack, batch: Activations, hyper: HyperParams) -> None:
        """Backward through `batch`, on which forward and loss have run, and the update."""

    def weight_change(self, stack: Stack, batch: Activations) -> Parameters:
        """What the last step added to the weight matrices (only those), from what it left behind."""

    def restore(self, state: dict[str, Parameters], count: int) -> None:
        """Take over the state of another optimizer of this kind."""


class Descend:
    """Plain gradient descent fused into the gradient's own product: W <- (1 - lr decay) W - lr u^T delta.

    The gradient is never stored, which saves writing and reading it once a step.
    """

    def __init__(self, parts: ParameterParts) -> None:
        self.parts = parts
        self.learning_rate, self.keep = 0.0, 1.0

    def weight(self, target: Tensor, left: Tensor, right: Tensor) -> None:
        target.baddbmm_(left, right, beta=self.keep, alpha=-self.learning_rate)

    def bias(self, target: Tensor, left: Tensor, right: Tensor) -> None:
        target.baddbmm_(left, right, alpha=-self.learning_rate)

    def vector(self, target: Tensor, gradient: Tensor, factor: float) -> None:
        target.add_(gradient, alpha=-self.learning_rate * factor)


class Sgd:
    """torch.optim.SGD: v <- momentum v + (gradient + decay W);  W <- W - lr v. Decay applies to weight matrices only.

    Momentum 0 forgets the velocity, so that turning momentum on again starts from rest.
    """

    def __init__(self, stack: Stack) -> None:
        self.state: dict[str, Parameters] = {}
        self.count = 0
        self._descend = Descend(ParameterParts(stack.parameters, stack.groups))
        self._collect: Collect | None = None
        self._last: HyperParams | None = None

    def step(self, stack: Stack, batch: Activations, hyper: HyperParams) -> None:
        self._last = hyper
        if hyper.momentum > 0:
            self._step_with_momentum(stack, batch, hyper)
            return
        self.state = {}
        self._descend.learning_rate = hyper.learning_rate
        self._descend.keep = 1 - hyper.learning_rate * hyper.weight_decay
        stack.backward(batch, self._descend)

    def _step_with_momentum(self, stack: Stack, batch: Activations, hyper: HyperParams) -> None:
        gradient = self._gradient(stack, batch, hyper.weight_decay)
        if "velocity" not in self.state:
            self.state["velocity"] = stack.parameters.empty_like()
        velocity = self.state["velocity"].flat
        velocity.mul_(hyper.momentum).add_(gradient.flat)
        stack.parameters.flat.add_(velocity, alpha=-hyper.learning_rate)

    def _gradient(self, stack: Stack, batch: Activations, decay: float) -> Parameters:
        if self._collect is None:
            self._collect = Collect(stack.parameters.empty_like(), stack.groups)
        return gradient_with_decay(stack, batch, self._collect, decay)

    def weight_change(self, stack: Stack, batch: Activations) -> Parameters:
        assert self._last is not None
        rate, decay = self._last.learning_rate, self._last.weight_decay
        change = stack.parameters.empty_like()
        if "velocity" in self.state:
            torch.mul(self.state["velocity"].flat, -rate, out=change.flat)
            return change
        for target, u, delta in zip(change.weights, batch.inputs, batch.deltas, strict=True):
            torch.bmm(u.transpose(1, 2), delta, out=target)
        now, gradient = stack.parameters.flat_weights, change.flat_weights
        if decay > 0:  # the step was -lr (gradient + decay before), and before = (now + lr gradient) / (1 - lr decay)
            before = (now + rate * gradient) / (1 - rate * decay)
            gradient.add_(before, alpha=decay)
        gradient.mul_(-rate)
        return change

    def restore(self, state: dict[str, Parameters], count: int) -> None:
        self.state, self.count = state, count


class Adam:
    """torch.optim.Adam, Kingma & Ba 2015: beta1 is the setting momentum, beta2 = 0.999, eps = 1e-8.

    With g = gradient + decay W (weight matrices only) and t counting from 1:
        m <- beta1 m + (1 - beta1) g;   v <- beta2 v + (1 - beta2) g²
        W <- W - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
    """

    BETA2 = 0.999
    EPS = 1e-8

    def __init__(self, stack: Stack) -> None:
        self.count = 0
        self.state = {name: stack.parameters.empty_like() for name in ("first_moment", "second_moment")}
        self._collect = Collect(stack.parameters.empty_like(), stack.groups)
        self._last: HyperParams | None = None

    def step(self, stack: Stack, batch: Activations, hyper: HyperParams) -> None:
        self._last = hyper
        self.count += 1
        gradient = gradient_with_decay(stack, batch, self._collect, hyper.weight_decay).flat
        first, second = self.state["first_moment"].flat, self.state["second_moment"].flat
        first.lerp_(gradient, 1 - hyper.momentum)
        second.mul_(self.BETA2).addcmul_(gradient, gradient, value=1 - self.BETA2)
        scaled, rate = self._direction(hyper)
        stack.parameters.flat.addcdiv_(first, scaled, value=-rate)

    def _direction(self, hyper: HyperParams) -> tuple[Tensor, float]:
        """sqrt(v / (1 - beta2^t)) + eps, and lr / (1 - beta1^t)."""
        spread = self.state["second_moment"].flat.sqrt().div_((1 - self.BETA2**self.count) ** 0.5).add_(self.EPS)
        return spread, hyper.learning_rate / (1 - hyper.momentum**self.count)

    def weight_change(self, stack: Stack, batch: Activations) -> Parameters:
        assert self._last is not None
        scaled, rate = self._direction(self._last)
        change = stack.parameters.empty_like()
        change.flat.addcdiv_(self.state["first_moment"].flat, scaled, value=-rate)
        return change

    def restore(self, state: dict[str, Parameters], count: int) -> None:
        self.state, self.count = state, count


def gradient_with_decay(stack: Stack, batch: Activations, collect: Collect, decay: float) -> Parameters:
    """The whole gradient of this batch, weight decay's share added as PyTorch does."""
    stack.backward(batch, collect)
    if decay > 0:
        collect.gradient.flat_weights.add_(stack.parameters.flat_weights, alpha=decay)
    return collect.gradient


def make_optimizer(stack: Stack) -> Optimizer:
    """The optimizer of the stack's model, at rest."""
    return Adam(stack) if stack.model.optimizer is OptimizerName.ADAM else Sgd(stack)


def only(optimizer: Optimizer, stack: Stack, networks: Sequence[int]) -> Optimizer:
    """A copy of the optimizer for `stack`, which holds some of the networks."""
    chosen = make_optimizer(stack)
    chosen.restore({name: state.only(networks) for name, state in optimizer.state.items()}, optimizer.count)
    return chosen
