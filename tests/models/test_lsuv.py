"""LSUV: outputs of unit variance at every layer, computed anew by PyTorch's own layers."""

from typing import Any

import pytest
import torch

from bnviz import data
from bnviz.config import Architecture, Initialization, InputForm, ModelConfig, Nonlinearity, Normalization
from bnviz.models import initial_weights
from bnviz.models.lsuv import LSUV_IMAGES, TOLERANCE
from tests.models import reference


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return data.load().inputs(InputForm.BINARY, torch.device("cpu"))[0]


def variances(model: ModelConfig, weights: list[torch.Tensor], images: torch.Tensor) -> list[float]:
    """Of every weight layer's outputs in PyTorch's network, over all units, positions and images, in float64."""
    values, found = images.double(), []
    with torch.no_grad():
        for module in reference.network(model, Normalization.NONE, weights, torch.float64):
            values = module(values)
            if isinstance(module, reference.WEIGHTED):
                found.append(float(values.var(correction=0)))
    return found


@pytest.mark.parametrize("hidden_layers", [1, 3, 10])
@pytest.mark.parametrize("nonlinearity", [Nonlinearity.SIGMOID, Nonlinearity.RELU, Nonlinearity.TANH])
def test_every_layers_outputs_have_a_variance_of_one_the_output_layers_too(
    images: torch.Tensor, nonlinearity: Nonlinearity, hidden_layers: int
) -> None:
    model = ModelConfig(
        initialization=Initialization.LSUV, init_scale=1.0, nonlinearity=nonlinearity, hidden_layers=hidden_layers
    )
    found = variances(model, initial_weights(model, images), images[:LSUV_IMAGES])
    assert len(found) == hidden_layers + 1
    assert all(abs(one - 1) < TOLERANCE for one in found)
    orthogonal = model.__class__(**{**vars(model), "initialization": Initialization.ORTHOGONAL})
    assert any(abs(one - 1) > TOLERANCE for one in variances(model, initial_weights(orthogonal), images[:LSUV_IMAGES]))


def test_feature_maps_have_a_variance_of_one_over_images_and_positions(images: torch.Tensor) -> None:
    sizes: dict[str, Any] = {"architecture": Architecture.CONVOLUTIONAL, "width": 16, "hidden_layers": 2}
    model = ModelConfig(initialization=Initialization.LSUV, init_scale=1.0, nonlinearity=Nonlinearity.RELU, **sizes)
    found = variances(model, initial_weights(model, images), images[:LSUV_IMAGES])
    assert len(found) == 3
    assert all(abs(one - 1) < TOLERANCE for one in found)


def test_the_matrices_are_orthogonal_ones_each_times_a_number(images: torch.Tensor) -> None:
    model = ModelConfig(initialization=Initialization.LSUV, init_scale=1.0)
    orthogonal = ModelConfig(initialization=Initialization.ORTHOGONAL, init_scale=1.0)
    for weight, plain in zip(initial_weights(model, images), initial_weights(orthogonal), strict=True):
        torch.testing.assert_close(weight, weight.norm() / plain.norm() * plain, rtol=1e-5, atol=1e-7)


def test_the_scale_is_a_factor_on_every_matrix(images: torch.Tensor) -> None:
    one, two = (
        initial_weights(ModelConfig(initialization=Initialization.LSUV, init_scale=scale), images)
        for scale in (1.0, 2.0)
    )
    assert all(torch.equal(2 * a, b) for a, b in zip(one, two, strict=True))


def test_only_the_first_512_images_matter(images: torch.Tensor) -> None:
    model = ModelConfig(initialization=Initialization.LSUV, init_scale=1.0)
    whole, few = initial_weights(model, images), initial_weights(model, images[:LSUV_IMAGES])
    assert all(torch.equal(a, b) for a, b in zip(whole, few, strict=True))


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_layer_whose_outputs_are_constant_or_not_finite_keeps_its_orthogonal_matrix(value: float) -> None:
    model = ModelConfig(initialization=Initialization.LSUV, init_scale=1.0)
    orthogonal = initial_weights(ModelConfig(initialization=Initialization.ORTHOGONAL, init_scale=1.0))
    weights = initial_weights(model, torch.full((100, 784), value))
    assert torch.equal(weights[0], orthogonal[0])
    assert all(one.isfinite().all() for one in weights)


def test_without_images_it_is_refused() -> None:
    with pytest.raises(ValueError, match="give it inputs"):
        initial_weights(ModelConfig(initialization=Initialization.LSUV))
