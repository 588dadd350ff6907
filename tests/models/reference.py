"""The same networks in PyTorch's own words: `nn.Sequential`, autograd and `torch.optim`, one network at a time."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

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
    drops_bias = normalization in BATCH_NORMS
    is_before = model.bn_placement is BnPlacement.BEFORE
    modules: list[nn.Module] = []
    for n_in, n_out in zip(model.sizes[:-2], model.sizes[1:-1], strict=True):
        linear = nn.Linear(n_in, n_out, bias=not (drops_bias and is_before))
        modules.append(weight_norm(linear) if normalization is Normalization.WEIGHT else linear)
        pair = [*normalizing(normalization, n_out, model.groups), NONLINEARITIES[model.nonlinearity]()]
        modules += pair if is_before else pair[::-1]
    net = nn.Sequential(*modules, nn.Linear(*model.sizes[-2:])).to(dtype)
    with torch.no_grad():
        for linear, weight in zip(of_kind(net, nn.Linear), weights, strict=True):
            if hasattr(linear, "parametrizations"):
                linear.weight = weight.to(dtype)  # as g and v
            else:
                linear.weight.copy_(weight)
            if linear.bias is not None:
                linear.bias.zero_()
    return net


BATCH_NORMS = (
    Normalization.BATCH,
    Normalization.NOISY_BATCH,
    Normalization.RENORMALIZATION,
    Normalization.DECORRELATED,
)


def normalizing(normalization: Normalization, units: int, groups: int) -> list[nn.Module]:
    match normalization:
        case Normalization.BATCH | Normalization.NOISY_BATCH:
            return [nn.BatchNorm1d(units)]
        case Normalization.LAYER:
            return [nn.LayerNorm(units)]
        case Normalization.GROUP:
            return [nn.GroupNorm(groups, units)]
        case Normalization.RENORMALIZATION:
            return [Renormalized(units)]
        case Normalization.DECORRELATED:
            return [Whitened(units, groups)]
    return []


class Renormalized(nn.BatchNorm1d):
    """Ioffe 2017, Algorithm 1, as it is written there; only the running variance is PyTorch's."""

    r_max, d_max = 3.0, 5.0

    def forward(self, x: Tensor) -> Tensor:
        running_mean, running_sd = self.running_mean.clone(), (self.running_var + self.eps).sqrt()
        if not self.training:
            return self.weight * (x - running_mean) / running_sd + self.bias
        mean, sd = x.mean(0), (x.var(0, correction=0) + self.eps).sqrt()
        r = (sd / running_sd).clamp(1 / self.r_max, self.r_max).detach()
        d = ((mean - running_mean) / running_sd).clamp(-self.d_max, self.d_max).detach()
        super().forward(x)  # for the running statistics
        return self.weight * ((x - mean) / sd * r + d) + self.bias


class Whitened(nn.Module):
    """ZCA whitening of groups of units; S^(-1/2) by Newton's iteration, which autograd differentiates."""

    eps, momentum = 1e-5, 0.1

    def __init__(self, units: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight, self.bias = nn.Parameter(torch.ones(units)), nn.Parameter(torch.zeros(units))
        size = units // groups
        self.register_buffer("running_mean", torch.zeros(units))
        self.register_buffer("running_cov", torch.eye(size).repeat(groups, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(0) if self.training else self.running_mean
        outputs = []
        for group, columns in enumerate((x - mean).split(x.shape[1] // self.groups, dim=1)):
            covariance = columns.T @ columns / len(x) if self.training else self.running_cov[group]
            if self.training:
                unbiased = covariance.detach() * len(x) / (len(x) - 1)
                self.running_cov[group].lerp_(unbiased, self.momentum)
            outputs.append(columns @ inverse_root(covariance + self.eps * torch.eye(len(covariance)).to(covariance)))
        if self.training:
            self.running_mean.lerp_(mean.detach(), self.momentum)
        return self.weight * torch.cat(outputs, 1) + self.bias


def inverse_root(matrix: Tensor) -> Tensor:
    """Denman & Beavers 1976: Y <- (Y + Z^-1) / 2, Z <- (Z + Y^-1) / 2 from the matrix and 1; Z goes to its S^(-1/2)."""
    y, z = matrix, torch.eye(len(matrix)).to(matrix)
    for _ in range(30):
        y, z = (y + torch.linalg.inv(z)) / 2, (z + torch.linalg.inv(y)) / 2
    return z


def of_kind(net: nn.Sequential, kind: type[nn.Module] | tuple[type[nn.Module], ...]) -> list:
    return [module for module in net if isinstance(module, kind)]


def optimizer(net: nn.Sequential, name: Optimizer, hyper: HyperParams) -> torch.optim.Optimizer:
    """PyTorch's optimizer, with weight decay on the weight matrices only."""
    matrices = [p for p in net.parameters() if p.dim() == 2 and p.shape[1] > 1]
    vectors = [p for p in net.parameters() if p.dim() == 1 or p.shape[1] == 1]  # g of a normalized weight is [n, 1]
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
    named = {name: parameter.detach() for name, parameter in _parameters(net).items()}
    for layer, module in enumerate(of_kind(net, AFFINE), start=1):
        for kind, name in (("mean", "running_mean"), ("var", "running_var"), ("cov", "running_cov")):
            if hasattr(module, name):
                named[f"running_{kind}.{layer}"] = getattr(module, name)
    return {name: value.T if name.startswith("weight") else _vector(name, value) for name, value in named.items()}


def gradients(net: nn.Sequential) -> dict[str, Tensor]:
    """Gradients by the names of `Parameters.named`."""
    found = {name: parameter.grad for name, parameter in _parameters(net).items()}
    return {name: value.T if name.startswith("weight") else _vector(name, value) for name, value in found.items()}


def _vector(name: str, value: Tensor) -> Tensor:
    return value.flatten() if name.startswith("gamma") else value  # PyTorch's g is [n, 1]


AFFINE = (nn.BatchNorm1d, nn.LayerNorm, nn.GroupNorm, Whitened)


def _parameters(net: nn.Sequential) -> dict[str, Tensor]:
    """By the names of `Parameters.named`; of a normalized weight v is the weight, g gamma and the bias beta."""
    named = {}
    for layer, linear in enumerate(of_kind(net, nn.Linear), start=1):
        if hasattr(linear, "parametrizations"):
            g, v = linear.parametrizations.weight.original0, linear.parametrizations.weight.original1
            named |= {f"weight.{layer}": v, f"gamma.{layer}": g, f"beta.{layer}": linear.bias}
            continue
        named[f"weight.{layer}"] = linear.weight
        if linear.bias is not None:
            named[f"bias.{layer}"] = linear.bias
    for layer, module in enumerate(of_kind(net, AFFINE), start=1):
        named |= {f"gamma.{layer}": module.weight, f"beta.{layer}": module.bias}
    return named
