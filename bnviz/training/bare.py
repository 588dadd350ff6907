"""Networks and a training step as one writes them in plain PyTorch, to compare with."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bnviz.config import KERNEL, STRIDE, ModelConfig, Nonlinearity

_NONLINEARITIES: dict[Nonlinearity, Callable[[], nn.Module]] = {
    Nonlinearity.SIGMOID: nn.Sigmoid,
    Nonlinearity.TANH: nn.Tanh,
    Nonlinearity.RELU: nn.ReLU,
    Nonlinearity.LEAKY_RELU: nn.LeakyReLU,
    Nonlinearity.GELU: nn.GELU,
    Nonlinearity.IDENTITY: nn.Identity,
}


def bare_network(model: ModelConfig, has_bn: bool) -> nn.Sequential:
    """A network of these sizes out of PyTorch's own modules, with PyTorch's initial weights; images are [b, 784]."""
    modules: list[nn.Module] = []
    *hidden, output = model.layers
    if model.is_convolutional:
        modules.append(nn.Unflatten(1, (1, 28, 28)))
    for layer in hidden:
        if model.is_convolutional:
            modules.append(nn.Conv2d(layer.n_in // layer.taps, layer.n_out, KERNEL, STRIDE, bias=not has_bn))
        else:
            modules.append(nn.Linear(layer.n_in, layer.n_out, bias=not has_bn))
        norm = nn.BatchNorm2d if model.is_convolutional else nn.BatchNorm1d
        modules += [*[norm(layer.n_out)] * has_bn, _NONLINEARITIES[model.nonlinearity]()]
    if model.is_convolutional:
        modules.append(nn.Flatten())
    return nn.Sequential(*modules, nn.Linear(output.n_in, output.n_out))


def bare_step(net: nn.Module, images: Tensor, labels: Tensor, learning_rate: float) -> None:
    """One step of plain SGD on a mini-batch, as `torch.optim.SGD` takes it: that takes over a second to import."""
    loss = nn.functional.cross_entropy(net(images), labels)
    net.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in net.parameters():
            assert parameter.grad is not None
            parameter.add_(parameter.grad, alpha=-learning_rate)
