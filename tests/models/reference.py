"""The same networks in PyTorch's own words: `nn.Sequential`, autograd and `torch.optim`, one network at a time."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bnviz.config import BnPlacement, HyperParams, ModelConfig, Nonlinearity, Normalization, Optimizer

NONLINEARITIES = {
    Nonlinearity.SIGMOID: nn.Sigmoid,
    Nonlinearity.TANH: nn.Tanh,
    Nonlinearity.RELU: nn.ReLU,
    Nonlinearity.LEAKY_RELU: nn.LeakyReLU,
    Nonlinearity.GELU: nn.GELU,
    Nonlinearity.IDENTITY: nn.Identity,
}


def network(model: ModelConfig, normalization: Normalization, weights: Sequence[Tensor], dtype: torch.dtype):
    """One competitor as an `nn.Sequential` with these weight matrices [n_out, n_in] and biases 0; without its noise."""
    has_bn = normalization in (Normalization.BATCH, Normalization.NOISY_BATCH)
    is_before = model.bn_placement is BnPlacement.BEFORE
    modules: list[nn.Module] = []
    for n_in, n_out in zip(model.sizes[:-2], model.sizes[1:-1], strict=True):
        modules.append(nn.Linear(n_in, n_out, bias=not (has_bn and is_before)))
        pair = [nn.BatchNorm1d(n_out)] * has_bn + [NONLINEARITIES[model.nonlinearity]()]
        modules += pair if is_before else pair[::-1]
    net = nn.Sequential(*modules, nn.Linear(*model.sizes[-2:])).to(dtype)
    with torch.no_grad():
        for linear, weight in zip(of_kind(net, nn.Linear), weights, strict=True):
            linear.weight.copy_(weight)
            if linear.bias is not None:
                linear.bias.zero_()
    return net


def of_kind(net: nn.Sequential, kind: type[nn.Module]) -> list:
    return [module for module in net if isinstance(module, kind)]


def optimizer(net: nn.Sequential, name: Optimizer, hyper: HyperParams) -> torch.optim.Optimizer:
    """PyTorch's optimizer, with weight decay on the weight matrices only."""
    matrices = [p for p in net.parameters() if p.dim() == 2]
    vectors = [p for p in net.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": hyper.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    if name is Optimizer.ADAM:
        return torch.optim.Adam(groups, lr=hyper.learning_rate, betas=(hyper.momentum, 0.999), eps=1e-8)
    return torch.optim.SGD(groups, lr=hyper.learning_rate, momentum=hyper.momentum)


def step(net: nn.Sequential, rule: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> float:
    rule.zero_grad()
    loss = nn.functional.cross_entropy(net(images), labels)
    loss.backward()
    rule.step()
    return loss.item()


def numbers(net: nn.Sequential) -> dict[str, Tensor]:
    """Parameters and running statistics by the names and in the orientation of `Stack.named`."""
    named = {}
    for layer, linear in enumerate(of_kind(net, nn.Linear), start=1):
        named[f"weight.{layer}"] = linear.weight.detach().T
        if linear.bias is not None:
            named[f"bias.{layer}"] = linear.bias.detach()
    for layer, bn in enumerate(of_kind(net, nn.BatchNorm1d), start=1):
        named |= {f"gamma.{layer}": bn.weight.detach(), f"beta.{layer}": bn.bias.detach()}
        named |= {f"running_mean.{layer}": bn.running_mean, f"running_var.{layer}": bn.running_var}
    return named


def gradients(net: nn.Sequential) -> dict[str, Tensor]:
    """Gradients by the names of `Parameters.named`."""
    named = {}
    for layer, linear in enumerate(of_kind(net, nn.Linear), start=1):
        named[f"weight.{layer}"] = linear.weight.grad.T
        if linear.bias is not None:
            named[f"bias.{layer}"] = linear.bias.grad
    for layer, bn in enumerate(of_kind(net, nn.BatchNorm1d), start=1):
        named |= {f"gamma.{layer}": bn.weight.grad, f"beta.{layer}": bn.bias.grad}
    return named
