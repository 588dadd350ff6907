"""Each nonlinearity against PyTorch's, forward and backward."""

import math

import pytest
import torch

from bnviz.config import Nonlinearity
from bnviz.models.nonlinearities import NONLINEARITIES
from tests.models import reference

EACH = pytest.mark.parametrize("name", Nonlinearity)
Z = torch.cat([torch.linspace(-8, 8, 4001, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)])


def slope(name: Nonlinearity, z: torch.Tensor) -> torch.Tensor:
    z = z.clone().requires_grad_()
    reference.NONLINEARITIES[name]()(z).sum().backward()
    return z.grad


@EACH
def test_forward_is_pytorchs(name):
    out = torch.empty_like(Z)
    NONLINEARITIES[name].forward(Z, out)
    assert torch.allclose(out, reference.NONLINEARITIES[name]()(Z), rtol=0, atol=1e-12)


@EACH
def test_backward_multiplies_by_the_slope_autograd_finds(name):
    u, delta = torch.empty_like(Z), torch.linspace(-3, 3, len(Z), dtype=torch.float64)
    expected = delta * slope(name, Z)
    NONLINEARITIES[name].forward(Z, u)
    NONLINEARITIES[name].backward(delta, Z, u)
    assert torch.allclose(delta, expected, rtol=0, atol=1e-12)


@EACH
def test_saturated_means_a_slope_under_a_fifth_of_the_steepest(name):
    low, high = NONLINEARITIES[name].steep
    slopes = slope(name, Z).abs()
    is_flat = slopes < slopes.max() / 5
    is_outside = (low >= Z) | (high <= Z)
    near_an_end = ((Z - low).abs() < 0.005) | ((Z - high).abs() < 0.005)
    assert torch.equal(is_flat[~near_an_end], is_outside[~near_an_end])
    assert all(near_an_end.any() for end in (low, high) if math.isfinite(end))
