"""How the gradient becomes a step: SGD and Adam with PyTorch's semantics."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from bnviz.config import HyperParams
from bnviz.config import Optimizer as OptimizerName
from bnviz.models.activations import Activations
from bnviz.models.parameters import Parameters
from bnviz.models.stack import Along, Collect, ParameterParts, Stack


class Optimizer(ABC):
    """Turns one backward pass into one step of all K networks, in place.

    Attributes:
        state: what it remembers of every parameter, by name; empty if nothing.
        count: steps taken, where the rule depends on it.
    """

    state: dict[str, Parameters]
    count: int

    def step(self, stack: Stack, batch: Activations, hyper: HyperParams) -> None:
        """Backward through `batch`, on which forward and loss have run, and the update."""
        self.prepare(stack, hyper)
        self.apply(stack, batch, hyper)

    @abstractmethod
    def prepare(self, stack: Stack, hyper: HyperParams) -> None:
        """Put what differs from step to step, such as the learning rates, where `apply` reads it: always into the same
        tensors, so that `apply` may be recorded and replayed."""

    @abstractmethod
    def apply(self, stack: Stack, batch: Activations, hyper: HyperParams) -> None:
        """The step itself."""

    @abstractmethod
    def weight_change(self, stack: Stack, batch: Activations) -> Parameters:
        """What the last step added to the weight matrices (only those), from what it left behind."""

    def restore(self, state: dict[str, Parameters], count: int) -> None:
        """Take over the state of another optimizer of this kind."""
        self.state, self.count = state, count


class Descend:
    """Gradient descent fused into the gradients' own products: W <- keep W - u^T delta.

    Delta has the learning rate in it already, and the gradient is never stored, which saves writing and reading it.

    Attributes:
        keep: 1 - learning rate * weight decay of every network, [K, 1, 1]; None without decay.
    """

    def __init__(self, parts: ParameterParts) -> None:
        self.parts = parts
        self.keep: Tensor | None = None

    def weight(self, target: Tensor, left: Tensor, right: Tensor, along: Sequence[Along]) -> None:
        for one in along:  # W <- keep W + factor W - u^T delta: before W is another
            target[one.networks].mul_(1 + one.factor / (1 if self.keep is None else self.keep[one.networks]))
        if self.keep is not None:
            target.mul_(self.keep)
        target.baddbmm_(left, right, alpha=-1)

    def first_weight(self, target: Tensor, gradient: Tensor, network: int) -> None:
        if self.keep is not None:
            target.mul_(self.keep[network])
        target.sub_(gradient)

    def bias(self, target: Tensor, left: Tensor, right: Tensor) -> None:
        target.baddbmm_(left, right, alpha=-1)

    def scales(self, target: Tensor, gradient: Tensor, factor: float) -> None:
        target.add_(gradient, alpha=-factor)


class Sgd(Optimizer):
    """torch.optim.SGD: v <- momentum v + (gradient + decay W);  W <- W - lr v. Decay applies to weight matrices only.

    Without momentum the learning rate enters at the top: backward is linear in dl/dlogits, so from lr dl/dlogits every
    gradient comes out times lr. Momentum 0 forgets the velocity: turned on again, it starts from rest.
    """

    def __init__(self, stack: Stack) -> None:
        self.state: dict[str, Parameters] = {}
        self.count = 0
        self._descend = Descend(ParameterParts(stack.parameters, stack.groups))
        self._collect: Collect | None = None
        self._rates = stack.rates(HyperParams.learning_rate)

    def prepare(self, stack: Stack, hyper: HyperParams) -> None:
        self._rates = stack.rates(hyper.learning_rate)
        if hyper.momentum == 0:
            self.state = {}
        elif "velocity" not in self.state:
            self.state["velocity"] = stack.parameters.empty_like()

    def apply(self, stack: Stack, batch: Activations, hyper: HyperParams) -> None:
        if hyper.momentum > 0:
            self._step_with_momentum(stack, batch, hyper)
            return
        batch.padded_delta.mul_(self._rates[:, :, None])
        self._descend.keep = (1 - hyper.weight_decay * self._rates)[:, :, None] if hyper.weight_decay > 0 else None
        stack.backward(batch, self._descend)

    def _step_with_momentum(self, stack: Stack, batch: Activations, hyper: HyperParams) -> None:
        if self._collect is None:
            self._collect = Collect(stack.parameters.empty_like(), stack.groups)
        gradient = gradient_with_decay(stack, batch, self._collect, hyper.weight_decay)
        velocity = self.state["velocity"].flat
        velocity.mul_(hyper.momentum).add_(gradient.flat)
        stack.parameters.flat.addcmul_(velocity, self._rates, value=-1)

    def weight_change(self, stack: Stack, batch: Activations) -> Parameters:
        change = stack.parameters.empty_like()
        if "velocity" in self.state:
            torch.mul(self.state["velocity"].flat, -self._rates, out=change.flat)
            return change
        stack.weight_products(batch, Collect(change, stack.groups))
        keep = self._descend.keep
        along = [(target, one) for layer, target in enumerate(change.weights) for one in stack.along(layer, batch)]
        scaled = [_change_of(target, one, keep) for target, one in along]
        step = change.flat_weights
        if keep is None:
            step.neg_()
        else:  # now = keep before - step
            now = stack.parameters.flat_weights
            torch.sub(now, (now + step) / keep[:, :, 0], out=step)
        for (target, one), own in zip(along, scaled, strict=True):
            target[one.networks] = own
        return change


def _change_of(product: Tensor, one: Along, keep: Tensor | None) -> Tensor:
    """now - before where now = (keep + factor) before - product. [k, n_in, n]"""
    kept = one.factor + (1 if keep is None else keep[one.networks])
    return one.weights - (one.weights + product[one.networks]) / kept


class Adam(Optimizer):
    """torch.optim.Adam, Kingma & Ba 2015: beta1 is the setting momentum, beta2 = 0.999, eps = 1e-8.

    With g = gradient + decay W (weight matrices only) and t counting from 1:
        m <- beta1 m + (1 - beta1) g;   v <- beta2 v + (1 - beta2) g²
        W <- W - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
    """

    BETA2 = 0.999
    EPS = 1e-8

    @torch.inference_mode(False)  # one that is made within a step may be written outside of it
    def __init__(self, stack: Stack) -> None:
        self.count = 0
        self.state = {name: stack.parameters.empty_like() for name in ("first_moment", "second_moment")}
        self._collect = Collect(stack.parameters.empty_like(), stack.groups)
        self._rates = stack.rates(HyperParams.learning_rate).clone()  # lr / (1 - beta1^t), [K, 1]
        self._correction = torch.ones_like(self._rates)  # sqrt(1 - beta2^t), [K, 1]

    def prepare(self, stack: Stack, hyper: HyperParams) -> None:
        self.count += 1
        torch.div(stack.rates(hyper.learning_rate), 1 - hyper.momentum**self.count, out=self._rates)
        self._correction.fill_((1 - self.BETA2**self.count) ** 0.5)

    def apply(self, stack: Stack, batch: Activations, hyper: HyperParams) -> None:
        gradient = gradient_with_decay(stack, batch, self._collect, hyper.weight_decay).flat
        first, second = self.state["first_moment"].flat, self.state["second_moment"].flat
        first.lerp_(gradient, 1 - hyper.momentum)
        second.mul_(self.BETA2).addcmul_(gradient, gradient, value=1 - self.BETA2)
        stack.parameters.flat.sub_(self._direction())

    def _direction(self) -> Tensor:
        """lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps) of the last step, [K, P]."""
        spread = self.state["second_moment"].flat.sqrt().div_(self._correction).add_(self.EPS)
        return torch.div(self.state["first_moment"].flat, spread, out=spread).mul_(self._rates)

    def weight_change(self, stack: Stack, batch: Activations) -> Parameters:
        change = stack.parameters.empty_like()
        torch.neg(self._direction(), out=change.flat)
        return change


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
