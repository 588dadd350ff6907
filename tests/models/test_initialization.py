"""Initial weights: the schemes' own variances, from the seed alone."""

import pytest
import torch

from bnviz.config import Initialization, ModelConfig
from bnviz.models import initial_weights

SIZES = ((100, 784), (100, 100), (100, 100), (10, 100))


@pytest.mark.parametrize(
    ("scheme", "variance"),
    [
        (Initialization.GAUSSIAN, lambda n_out, n_in: 1),
        (Initialization.GLOROT, lambda n_out, n_in: 2 / (n_in + n_out)),
        (Initialization.HE, lambda n_out, n_in: 2 / n_in),
    ],
)
def test_every_matrix_has_the_schemes_variance_the_output_layers_too(scheme, variance):
    weights = initial_weights(ModelConfig(initialization=scheme, init_scale=0.5))
    assert tuple(tuple(w.shape) for w in weights) == SIZES
    for w in weights:
        assert w.std().item() == pytest.approx(0.5 * variance(*w.shape) ** 0.5, rel=0.1)
        assert abs(w.mean().item()) < 4 * w.std().item() / w.numel() ** 0.5


def test_orthogonal_rows_or_columns_are_orthonormal_times_the_scale():
    for w in initial_weights(ModelConfig(initialization=Initialization.ORTHOGONAL, init_scale=2.0)):
        n = min(w.shape)
        gram = w @ w.T if n == w.shape[0] else w.T @ w
        assert torch.allclose(gram, 4 * torch.eye(n), atol=1e-4)


@pytest.mark.parametrize("scheme", Initialization)
def test_the_seed_alone_decides_and_global_random_numbers_are_left_alone(scheme):
    model = ModelConfig(initialization=scheme, seed=7)
    torch.manual_seed(1)
    state, images = torch.get_rng_state(), torch.eye(784)
    first = initial_weights(model, images)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert all(torch.equal(a, b) for a, b in zip(first, initial_weights(model, images), strict=True))
    other = initial_weights(ModelConfig(initialization=scheme, seed=8), images)
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))
