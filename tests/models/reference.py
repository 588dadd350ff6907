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
    *hidden, output = model.layers
    if model.is_convolutional:
        modules.append(nn.Unflatten(1, (1, 28, 28)))
    for number, layer in enumerate(hidden):
        has_bias = not (drops_bias and is_before)
        if model.is_convolutional:
            weighted = nn.Conv2d(model.width if number else 1, layer.n_out, 5, stride=2, bias=has_bias)
        else:
            weighted = nn.Linear(layer.n_in, layer.n_out, bias=has_bias)
        modules.append(weight_norm(weighted) if normalization is Normalization.WEIGHT else weighted)
        kinds = normalizing_maps if model.is_convolutional else normalizing
        pair = [*kinds(normalization, layer.n_out, model.groups), NONLINEARITIES[model.nonlinearity]()]
        modules += pair if is_before else pair[::-1]
    if model.is_convolutional:
        modules += [nn.Flatten(), nn.Linear(output.n_in, output.n_out)]
    else:
        modules.append(nn.Linear(output.n_in, output.n_out))
    net = nn.Sequential(*modules).to(dtype)
    with torch.no_grad():
        for number, (weighted, weight) in enumerate(zip(of_kind(net, WEIGHTED), weights, strict=True)):
            value = _as_module(net, number, weight.to(dtype), weighted.weight.shape)
            if hasattr(weighted, "parametrizations"):
                weighted.weight = value  # as g and v
            else:
                weighted.weight.copy_(value)
            if weighted.bias is not None:
                weighted.bias.zero_()
    return net


WEIGHTED = (nn.Linear, nn.Conv2d)


def _as_module(net: nn.Sequential, number: int, weight: Tensor, shape: torch.Size) -> Tensor:
    """A matrix [n_out, n_in], its inputs channels last, as PyTorch's module has it: channels first."""
    if len(shape) == 4:
        return weight.reshape(shape[0], 5, 5, -1).permute(0, 3, 1, 2)
    if number and of_kind(net, nn.Conv2d):
        return weight.reshape(10, 16, -1).transpose(1, 2).reshape(shape)
    return weight


def _as_matrix(net: nn.Sequential, number: int, weight: Tensor) -> Tensor:
    """The way back, to the orientation of `Stack.named`: [n_in, n_out]."""
    if weight.dim() == 4:
        return weight.permute(2, 3, 1, 0).reshape(-1, len(weight))
    if number > 1 and of_kind(net, nn.Conv2d):
        weight = weight.reshape(10, -1, 16).transpose(1, 2).reshape(10, -1)
    return weight.T


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


def normalizing_maps(normalization: Normalization, maps: int, groups: int) -> list[nn.Module]:
    """The same for feature maps [b, c, h, w]: one gamma and beta for each."""
    match normalization:
        case Normalization.BATCH | Normalization.NOISY_BATCH:
            return [nn.BatchNorm2d(maps)]
        case Normalization.LAYER:
            return [LayerNormOfMaps(maps)]
        case Normalization.GROUP:
            return [nn.GroupNorm(groups, maps)]
        case Normalization.RENORMALIZATION | Normalization.DECORRELATED:
            return [OverPositions(normalizing(normalization, maps, groups)[0])]
    return []


class LayerNormOfMaps(nn.Module):
    """`layer_norm` over [c, h, w]."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(maps)), nn.Parameter(torch.zeros(maps))

    def forward(self, x: Tensor) -> Tensor:
        normalized = nn.functional.layer_norm(x, x.shape[1:])
        return normalized * self.weight[:, None, None] + self.bias[:, None, None]


class OverPositions(nn.Module):
    """What normalizes [rows, c], with a row for every position of every image."""

    def __init__(self, of: nn.Module) -> None:
        super().__init__()
        self.of = of

    def forward(self, x: Tensor) -> Tensor:
        rows = x.permute(0, 2, 3, 1)
        return self.of(rows.flatten(0, 2)).reshape(rows.shape).permute(0, 3, 1, 2)


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
    matrices = [p for p in net.parameters() if p.dim() > 1 and p[0].numel() > 1]
    vectors = [p for p in net.parameters() if p.dim() == 1 or p[0].numel() == 1]  # g of a normalized weight is [n, 1]
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
    for layer, module in enumerate(_affine(net), start=1):
        for kind, name in (("mean", "running_mean"), ("var", "running_var"), ("cov", "running_cov")):
            if hasattr(module, name):
                named[f"running_{kind}.{layer}"] = getattr(module, name)
    return _by_name(net, named)


def gradients(net: nn.Sequential) -> dict[str, Tensor]:
    """Gradients by the names of `Parameters.named`."""
    found = {name: parameter.grad for name, parameter in _parameters(net).items()}
    return _by_name(net, found)


def _by_name(net: nn.Sequential, found: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: _as_matrix(net, int(name.split(".")[1]), value) if name.startswith("weight") else _vector(name, value)
        for name, value in found.items()
    }


def _vector(name: str, value: Tensor) -> Tensor:
    return value.flatten() if name.startswith("gamma") else value  # PyTorch's g is [n, 1]


AFFINE = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, Whitened, LayerNormOfMaps)


def _affine(net: nn.Sequential) -> list[nn.Module]:
    return of_kind(nn.Sequential(*(one.of if isinstance(one, OverPositions) else one for one in net)), AFFINE)


def _parameters(net: nn.Sequential) -> dict[str, Tensor]:
    """By the names of `Parameters.named`; of a normalized weight v is the weight, g gamma and the bias beta."""
    named = {}
    for layer, linear in enumerate(of_kind(net, WEIGHTED), start=1):
        if hasattr(linear, "parametrizations"):
            g, v = linear.parametrizations.weight.original0, linear.parametrizations.weight.original1
            named |= {f"weight.{layer}": v, f"gamma.{layer}": g, f"beta.{layer}": linear.bias}
            continue
        named[f"weight.{layer}"] = linear.weight
        if linear.bias is not None:
            named[f"bias.{layer}"] = linear.bias
    for layer, module in enumerate(_affine(net), start=1):
        named |= {f"gamma.{layer}": module.weight, f"beta.{layer}": module.bias}
    return named
