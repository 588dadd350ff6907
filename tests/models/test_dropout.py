"""Dropout: shared, reproducible masks; forward and backward as autograd says; nothing where there is none."""

import pytest
import torch
from torch import nn

from bnviz.config import Architecture, BnPlacement, ModelConfig, Nonlinearity, Normalization
from bnviz.models import Activations, Batch, Collect, Stack, initial_weights
from bnviz.models.dropout import Dropout
from tests.models import reference


def drawn(seed: int = 0, step: int = 0, p: float = 0.5, kind: Batch = Batch.TRAINING) -> torch.Tensor:
    masks = torch.full((600, 128), torch.nan)
    Dropout(seed).draw(masks, step, p, kind)
    return masks.view(3, 1, 200, 128)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_value_is_0_with_probability_p_and_the_mean_is_kept(p: float) -> None:
    masks = drawn(p=p)
    assert torch.allclose(masks.unique(), torch.tensor([0, 1 / (1 - p)]))
    deviation = (p / (1 - p) / masks.numel()) ** 0.5
    assert abs(float(masks.double().mean()) - 1) < 5 * deviation
    of_layers = masks.mean(dim=(1, 2, 3))
    assert (of_layers - 1).abs().max() < 5 * 3**0.5 * deviation


def test_with_p_0_everything_is_kept_as_it_is() -> None:
    assert (drawn(p=0.0) == 1).all()


def test_masks_depend_on_seed_step_and_kind_of_batch_alone() -> None:
    state = torch.get_rng_state()
    assert torch.equal(drawn(3, 7), drawn(3, 7))
    for other in (drawn(4, 7), drawn(3, 8), drawn(3, 7, kind=Batch.PROBE), drawn(7, 3)):
        agreeing = float((drawn(3, 7) == other).double().mean())
        assert agreeing == pytest.approx(0.5, abs=0.02)
    assert torch.equal(state, torch.get_rng_state())


def test_layers_and_images_have_masks_of_their_own() -> None:
    masks = drawn()
    assert not torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0, 0, 0], masks[0, 0, 1])


class Masked(nn.Module):
    """Dropout with a given mask as a module of its own."""

    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        self.mask = mask

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.mask.reshape(x.shape) * x  # maps, or the same flattened


def with_dropout(net: nn.Sequential, masks: list[torch.Tensor]) -> nn.Sequential:
    """Masks of the hidden layers, [b, n] or [b, n, s, s], on what each passes on."""
    modules: list[nn.Module] = []
    layers = iter(masks)
    for module in net:
        if isinstance(module, (nn.Linear, nn.Conv2d)) and reference.of_kind(
            nn.Sequential(*modules), reference.WEIGHTED
        ):
            modules.append(Masked(next(layers)))
        modules.append(module)
    return nn.Sequential(*modules)


def through(stack: Stack, seed: int = 3, p: float = 0.4, images: int = 30) -> tuple:
    """A forward and a backward pass on made-up images: the batch, its images and labels, and the gradient."""
    batch = stack.activations(images)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(images, 784, generator=generator, dtype=torch.float64).to(stack.dtype)
    labels = torch.randint(10, (images,), generator=generator)
    batch.fill(pixels, labels)
    if batch.masks is not None:
        Dropout(seed).draw(batch.masks, 5, p)
    gradient = stack.parameters.empty_like()
    stack.forward(batch)
    stack.loss(batch)
    stack.backward(batch, Collect(gradient, stack.groups))
    return batch, pixels, labels, gradient


def masks_of(model: ModelConfig, batch: Activations) -> list[torch.Tensor]:
    """Those of each hidden layer, as PyTorch's modules lay its values out."""
    assert batch.masks is not None
    found = []
    for layer, mask in zip(model.layers, torch.split(batch.masks[:, : model.width], batch.rows), strict=False):
        maps = mask.view(-1, layer.side, layer.side, model.width).permute(0, 3, 1, 2)
        found.append(maps if model.is_convolutional else mask)
    return found


@pytest.mark.parametrize("architecture", Architecture)
@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("nonlinearity", Nonlinearity)
@pytest.mark.parametrize(
    "normalization", [Normalization.NONE, Normalization.BATCH, Normalization.LAYER, Normalization.WEIGHT]
)
def test_forward_and_backward_are_those_of_autograd_with_the_same_masks(
    normalization: Normalization, nonlinearity: Nonlinearity, placement: BnPlacement, architecture: Architecture
) -> None:
    model = ModelConfig(
        architecture=architecture, width=16, hidden_layers=2, bn_placement=placement, nonlinearity=nonlinearity
    )
    stack = Stack(model, [Normalization.BATCH, normalization], torch.float64, has_dropout=[False, True])
    weights = initial_weights(model)
    stack.set_weights(weights)
    batch, images, labels, gradient = through(stack)
    assert batch.masks is not None
    for network, kind in enumerate(stack.normalizations):
        net = reference.network(model, kind, weights, torch.float64)
        if stack.has_dropout[network]:
            net = with_dropout(net, masks_of(model, batch))
        loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        assert batch.loss[network].item() == pytest.approx(loss.item(), rel=1e-12)
        for name, expected in reference.gradients(net).items():
            torch.testing.assert_close(gradient.named(network)[name], expected, rtol=1e-9, atol=1e-12)


def test_all_networks_with_dropout_have_the_same_masks() -> None:
    model = ModelConfig(width=20, hidden_layers=2)
    stack = Stack(model, [Normalization.NONE, Normalization.BATCH], has_dropout=[True, True])
    stack.set_weights(initial_weights(model))
    batch, *_ = through(stack)
    for hidden in batch.hidden:
        zeros = hidden.u[:, :, :20] == 0  # a sigmoid's outputs are not
        assert torch.equal(zeros[0], zeros[1])
        assert 0 < zeros.double().mean() < 1


@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("p", [0.0, 0.4])
def test_networks_without_dropout_beside_others_are_as_they_are_alone_bit_for_bit(
    placement: BnPlacement, p: float
) -> None:
    """And with p = 0 those with dropout are as they would be without."""
    model = ModelConfig(width=20, hidden_layers=2, bn_placement=placement)
    alone = Stack(model, [Normalization.NONE, Normalization.BATCH])
    beside = Stack(model, [*alone.normalizations, *alone.normalizations], has_dropout=[False, False, True, True])
    found = []
    for stack in (alone, beside):
        stack.set_weights(initial_weights(model))
        batch, _, _, gradient = through(stack, p=p)
        found.append((batch.loss.clone(), gradient.flat.clone()))
    (losses, gradients), (losses_beside, gradients_beside) = found
    assert torch.equal(losses, losses_beside[:2])
    assert torch.equal(gradients, gradients_beside[:2])
    assert torch.equal(losses, losses_beside[2:]) is (p == 0)


def test_a_run_without_dropout_has_neither_masks_nor_a_second_copy_of_its_outputs() -> None:
    batch = Stack(ModelConfig(), [Normalization.NONE, Normalization.BATCH]).activations(8)
    assert batch.masks is None
    assert all(hidden.u is hidden.g and not hidden.passages for hidden in batch.hidden)
