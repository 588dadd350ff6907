"""S^(-1/2) and its derivatives of first and second order, where eigenvalues coincide too."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from bnviz.models.inverse_root import inverse_root

torch.manual_seed(0)
_MIXED = torch.randn(5, 5, dtype=torch.float64)
MATRICES = {
    "all different": _MIXED @ _MIXED.T + torch.eye(5, dtype=torch.float64),
    "all equal": 2 * torch.eye(4, dtype=torch.float64),
    "two equal": torch.diag(torch.tensor([1.0, 1.0, 3.0], dtype=torch.float64)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_its_square_is_the_inverse(name: str) -> None:
    root = inverse_root(MATRICES[name])
    torch.testing.assert_close(root @ root @ MATRICES[name], torch.eye(len(root), dtype=torch.float64))


@pytest.mark.parametrize("name", MATRICES)
def test_its_derivatives_are_those_of_differences(name: str) -> None:
    matrix = MATRICES[name].clone().requires_grad_()

    def of_symmetric(s: torch.Tensor) -> torch.Tensor:
        return inverse_root((s + s.T) / 2)

    assert gradcheck(of_symmetric, (matrix,))
    assert gradgradcheck(of_symmetric, (matrix,))
