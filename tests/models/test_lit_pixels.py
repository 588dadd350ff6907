"""Adding up the rows of lit pixels is the product with the dense images."""

from itertools import pairwise

import pytest
import torch

from bnviz import data
from bnviz.config import HyperParams, Initialization, InputForm, ModelConfig, Normalization
from bnviz.models import Collect, Stack, initial_weights, make_optimizer
from bnviz.models.lit_pixels import LitDataSet, lit_data_set

TWINS = (Normalization.NONE, Normalization.BATCH)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def mnist():
    return data.load()


def some(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randperm(10_000, generator=torch.Generator().manual_seed(seed))[:count]


@pytest.mark.parametrize("form", [InputForm.BINARY, InputForm.RAW])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [1, 2, 60, 1024])
def test_both_products_are_those_of_the_dense_images(mnist, form, dtype, count):
    images = mnist.inputs(form, CPU)[1]
    index, generator = some(count), torch.Generator().manual_seed(1)
    lit, dense = lit_data_set(images).take(index), images[index].double()
    weight = torch.randn(784, 128, generator=generator, dtype=dtype)
    delta = torch.randn(count, 128, generator=generator, dtype=dtype)
    tolerance = 1e-4 if dtype is torch.float32 else 1e-11
    assert torch.allclose(lit.times(weight).double(), dense @ weight.double(), rtol=0, atol=tolerance)
    assert torch.allclose(lit.transposed_times(delta).double(), dense.T @ delta.double(), rtol=0, atol=tolerance)


def test_an_image_without_a_lit_pixel_adds_nothing():
    images = torch.zeros(3, 5)
    images[1, 4] = 1
    lit = LitDataSet(images).take(torch.tensor([0, 1, 2, 1]))
    assert lit.times(torch.ones(5, 32))[:, 0].tolist() == [0, 1, 0, 1]
    assert lit.transposed_times(torch.ones(4, 32))[:, 0].tolist() == [0, 0, 0, 0, 2]


def test_images_without_zeros_keep_the_plain_product(mnist):
    assert lit_data_set(mnist.inputs(InputForm.STANDARDISED, CPU)[1]) is None


def test_the_lists_of_a_data_set_are_made_once(mnist):
    images = mnist.inputs(InputForm.BINARY, CPU)[1]
    assert lit_data_set(images) is lit_data_set(images)


def stack_of(model: ModelConfig, dtype: torch.dtype, normalizations=TWINS) -> Stack:
    stack = Stack(model, normalizations, dtype)
    stack.set_weights(initial_weights(model))
    return stack


@pytest.mark.parametrize("form", [InputForm.BINARY, InputForm.RAW])
def test_a_networks_gradients_are_the_same_from_lit_pixels(mnist, form):
    images, labels = mnist.inputs(form, CPU)[1], mnist.labels(CPU)[1]
    stack, gradients = stack_of(ModelConfig(width=33), torch.float64), []
    for lit in (None, lit_data_set(images)):
        batch = stack.activations(17)
        batch.index.copy_(some(17))
        batch.select(images.double(), labels, lit)
        collect = Collect(stack.parameters.empty_like(), stack.groups)
        stack.forward(batch)
        stack.loss(batch)
        stack.backward(batch, collect)
        gradients.append(collect.gradient.flat)
    assert torch.allclose(*gradients, rtol=0, atol=1e-12)
    assert gradients[0].any()


@pytest.mark.parametrize("batch", [2, 3, 60])
@pytest.mark.parametrize("width", [10, 11, 17, 33, 50, 100, 101, 250, 512])
def test_from_lit_pixels_a_network_trains_the_same_alone_as_beside_others_bit_for_bit(mnist, width, batch):
    images, labels = mnist.inputs(InputForm.RAW, CPU)[1], mnist.labels(CPU)[1]
    model = ModelConfig(width=width, hidden_layers=2, initialization=Initialization.HE, init_scale=1.0)
    together = stack_of(model, torch.float32, (*TWINS, *TWINS, Normalization.BATCH))
    alone = together.only([3])
    for stack in (together, alone):
        rule, activations = make_optimizer(stack), stack.activations(batch)
        for begin, end in pairwise(range(0, 4 * batch, batch)):
            activations.index.copy_(torch.arange(begin, end))
            activations.select(images, labels, lit_data_set(images))
            stack.forward(activations)
            stack.loss(activations)
            rule.step(stack, activations, HyperParams(learning_rate=0.1, weight_decay=1e-4))
            stack.update_running(activations, 0.1)
    for name, value in alone.named(0).items():
        assert torch.equal(value, together.named(3)[name]), name
