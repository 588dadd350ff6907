"""Networks with BN whose numbers are all different, ours and PyTorch's beside each other, and images for them."""

import torch
from torch import Tensor, nn

from bnviz.config import Initialization, ModelConfig, Normalization
from bnviz.models import Stack, initial_weights
from tests.models import reference


def images_and_labels(count: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Binary images with a seventh of their pixels lit. [count, 784], [count]"""
    generator = torch.Generator().manual_seed(seed)
    images = (torch.rand(count, 784, generator=generator) < 1 / 7).to(dtype)
    return images, torch.randint(0, 10, (count,), generator=generator)


def stack_with_bn(dtype: torch.dtype = torch.float64, **changes) -> Stack:
    """One network, as if trained: nothing in it is 0 or 1 any more."""
    given = {"width": 12, "hidden_layers": 3, "initialization": Initialization.HE, "init_scale": 1.0} | changes
    model = ModelConfig(**given)
    stack = Stack(model, [Normalization.BATCH], dtype)
    stack.set_weights(initial_weights(model))
    generator = torch.Generator().manual_seed(7)
    for name, value in stack.named(0).items():
        noise = torch.rand(value.shape, generator=generator, dtype=torch.float64).to(dtype)
        if name.startswith("gamma"):
            value.copy_(0.5 + noise)
        elif name.startswith(("beta", "bias", "running_mean")):
            value.copy_(noise - 0.5)
        elif name.startswith("running_var"):
            value.copy_(0.3 + noise)
    return stack


def pytorchs(stack: Stack) -> nn.Sequential:
    """The same network as an `nn.Sequential`, in training mode."""
    named = stack.named(0)
    count = stack.model.hidden_layers + 1
    weights = [named[f"weight.{layer}"].T for layer in range(1, count + 1)]
    net = reference.network(stack.model, Normalization.BATCH, weights, stack.dtype)
    with torch.no_grad():
        for layer, linear in enumerate(reference.of_kind(net, reference.WEIGHTED), start=1):
            if linear.bias is not None:
                linear.bias.copy_(named[f"bias.{layer}"])
        for layer, bn in enumerate(reference.of_kind(net, (nn.BatchNorm1d, nn.BatchNorm2d)), start=1):
            bn.weight.copy_(named[f"gamma.{layer}"])
            bn.bias.copy_(named[f"beta.{layer}"])
            bn.running_mean.copy_(named[f"running_mean.{layer}"])
            bn.running_var.copy_(named[f"running_var.{layer}"])
    return net
